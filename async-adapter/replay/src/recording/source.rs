//! The bytes of a file as they come, with the line that the next one is on. Nothing is kept of what
//! was taken, so memory does not grow with the file.

use std::io::{ErrorKind, Read};

use super::MAX_RECORD_BYTES;
use super::flaw::{Flaw, Reason};

/// So much is looked at ahead, and no more.
const BUFFER_BYTES: usize = 64 << 10;

/// How much of a line that is too long, or of another form, is kept to be shown.
const SHOWN_BYTES: usize = 256;

/// A file that is being read.
pub(super) struct Source<'a> {
    from: Box<dyn Read + 'a>,
    buffer: Box<[u8]>,
    /// What is in the buffer and was not taken yet.
    next: usize,
    end: usize,
    at_end: bool,
    line: u64,
}

impl<'a> Source<'a> {
    /// A file from its first byte on; a byte order mark is passed over.
    pub(super) fn new(from: impl Read + 'a) -> Result<Self, Flaw> {
        let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
        let mut source =
            Self { from: Box::new(from), buffer, next: 0, end: 0, at_end: false, line: 1 };
        if source.starts_with("\u{feff}".as_bytes())? {
            source.next += 3;
        }
        Ok(source)
    }

    /// What comes next, as much as is looked at ahead: all of it, if the file is no longer.
    pub(super) fn head(&mut self) -> Result<&[u8], Flaw> {
        self.look_ahead(BUFFER_BYTES)
    }

    /// The line that the next byte is on, counted from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The next byte, which stays there.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, Flaw> {
        if self.next == self.end {
            self.look_ahead(1)?;
        }
        Ok(self.buffer[self.next..self.end].first().copied())
    }

    /// Takes the next byte; `None` at the end of the file.
    pub(super) fn byte(&mut self) -> Result<Option<u8>, Flaw> {
        let byte = self.peek()?;
        if let Some(byte) = byte {
            self.next += 1;
            self.line += u64::from(byte == b'\n');
        }
        Ok(byte)
    }

    /// Whether these bytes come next: a few of them.
    pub(super) fn starts_with(&mut self, bytes: &[u8]) -> Result<bool, Flaw> {
        Ok(self.look_ahead(bytes.len())?.starts_with(bytes))
    }

    /// Takes white space, as JSON and XML know it.
    pub(super) fn skip_space(&mut self) -> Result<Option<u8>, Flaw> {
        while let Some(byte) = self.peek()? {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Ok(Some(byte));
            }
            self.byte()?;
        }
        Ok(None)
    }

    /// Takes bytes up to the end of these, which are a few; answers whether they came.
    pub(super) fn skip_past(&mut self, bytes: &[u8]) -> Result<bool, Flaw> {
        while !self.starts_with(bytes)? {
            if self.byte()?.is_none() {
                return Ok(false);
            }
        }
        for _ in bytes {
            self.byte()?;
        }
        Ok(true)
    }

    /// Takes the next line into `line`, without its end; answers its number, or `None` at the end
    /// of the file. A line that is too long is taken as well, and is a flaw.
    pub(super) fn line_into(&mut self, line: &mut Vec<u8>) -> Result<Option<u64>, Flaw> {
        line.clear();
        let number = self.line;
        let mut bytes = 0_usize;
        if self.peek()?.is_none() {
            return Ok(None);
        }
        while self.peek()?.is_some() {
            let ahead = &self.buffer[self.next..self.end];
            let end = ahead.iter().position(|&byte| byte == b'\n');
            let taken = &ahead[..end.unwrap_or(ahead.len())];
            bytes += taken.len();
            let room = if bytes > MAX_RECORD_BYTES { SHOWN_BYTES } else { MAX_RECORD_BYTES };
            line.truncate(room);
            line.extend_from_slice(&taken[..taken.len().min(room - line.len())]);
            self.next += taken.len() + usize::from(end.is_some());
            if end.is_some() {
                self.line += 1;
                break;
            }
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if bytes > MAX_RECORD_BYTES {
            let what = format!("the line has {bytes} bytes: want at most {MAX_RECORD_BYTES}");
            return Err(Flaw::at(number, Reason::Length, what));
        }
        Ok(Some(number))
    }

    /// Up to so many bytes from the next on: fewer only where the file ends.
    fn look_ahead(&mut self, count: usize) -> Result<&[u8], Flaw> {
        if self.end - self.next < count && !self.at_end {
            self.buffer.copy_within(self.next..self.end, 0);
            self.end -= self.next;
            self.next = 0;
            while self.end < count.min(BUFFER_BYTES) && !self.at_end {
                match self.from.read(&mut self.buffer[self.end..]) {
                    Ok(0) => self.at_end = true,
                    Ok(read) => self.end += read,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(Flaw::of_file(format!("cannot be read: {error}"))),
                }
            }
        }
        Ok(&self.buffer[self.next..self.end])
    }
}

/// The text of a line or a record that begins at `line`.
pub(super) fn text(line: u64, bytes: &[u8]) -> Result<&str, Flaw> {
    std::str::from_utf8(bytes).map_err(|error| Flaw::utf8(line, bytes, error))
}
