//! A recorded room: who sent what, when.
//!
//! Two formats are read, told apart by what is in the file and not by its name: a CSV trace that
//! keeps lengths only, and the XML that live-danmaku recorders write. Whatever is wrong in a file
//! is told in one line that names the file, the line, the value found, and what would be right.

mod csv_trace;
mod xml;

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// The premiere that is replayed unless another recording is named; see PREMIERE.md.
const PREMIERE: &str = include_str!("../premiere-chat.csv");

/// The largest file that is read: a whole day of the busiest room is some tens of megabytes.
const MAX_FILE_BYTES: u64 = 512 << 20;

/// The latest time an entry may have, 30 days: whatever is later is not an offset but a date.
const MAX_SECONDS: u32 = 30 * 24 * 60 * 60;

/// The longest text an entry may have: far over what a room lets in, so that a refusal can be
/// replayed too.
const MAX_TEXT_BYTES: u32 = 1 << 20;

/// A recorded room, in order of time. It has at least one entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    name: String,
    entries: Vec<Entry>,
    senders: Vec<Arc<str>>,
}

/// One thing that someone sent into the recorded room.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Microseconds since the recording began.
    pub at_us: u64,
    /// Who sent it: an index into [`Recording::senders`].
    pub sender: u32,
    /// What was sent.
    pub content: Content,
}

/// What someone sent into the recorded room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A text, word for word.
    Text(String),
    /// A text of which only the length in bytes was recorded.
    TextLength(u32),
    /// A number of gifts of one kind.
    Gift {
        /// The gift's name as recorded.
        name: String,
        /// How many of them: at least 1.
        count: u32,
    },
    /// A text that was paid for.
    SuperChat {
        /// The text, word for word.
        text: String,
        /// What it cost, in whole units of the recorded currency.
        price: u32,
    },
    /// Someone joined the streamer's guard.
    Guard {
        /// The guard's rank, 1 being the highest, if it was recorded.
        rank: Option<u32>,
    },
}

/// What is wrong with a recording, and where: displays as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingError {
    file: String,
    flaw: Flaw,
}

/// What is wrong, at a line of the file or with the whole of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Flaw {
    line: Option<u64>,
    what: String,
}

impl Flaw {
    fn at(line: u64, what: impl Into<String>) -> Self {
        // What a parser says may quote the file, line breaks and all.
        Self { line: Some(line), what: what.into().replace(char::is_control, " ") }
    }

    /// A value that is not what it should be.
    fn value(line: u64, name: &str, found: &str, want: impl fmt::Display) -> Self {
        Self::at(line, format!("{name} is {}: want {want}", Quoted(found)))
    }

    fn of_file(what: impl Into<String>) -> Self {
        Self { line: None, what: what.into() }
    }
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.flaw.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.flaw.what),
            None => write!(f, "{}: {}", self.file, self.flaw.what),
        }
    }
}

impl std::error::Error for RecordingError {}

/// A value shown in an error: in quotes, control characters escaped, and cut so that the line stays
/// a line.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 60;
        let shown: String = self.0.chars().take(SHOWN).collect();
        let cut = if shown.len() < self.0.len() { "…" } else { "" };
        write!(f, "\"{}{cut}\"", shown.escape_debug())
    }
}

impl Recording {
    /// The embedded premiere.
    pub fn premiere() -> Result<Self, RecordingError> {
        Self::parse("premiere-chat.csv", PREMIERE.as_bytes())
    }

    /// Reads a file of either format.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        let name = path.display().to_string();
        let failed =
            |what: String| RecordingError { file: name.clone(), flaw: Flaw::of_file(what) };
        let unreadable = |error: std::io::Error| failed(format!("cannot be read: {error}"));
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(failed(format!(
                "is over {} MiB: want a smaller recording",
                MAX_FILE_BYTES >> 20
            )));
        }
        Self::parse(&name, &bytes)
    }

    /// Reads the bytes of a file of either format; `file` is its name in errors.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, RecordingError> {
        let name =
            Path::new(file).file_name().map_or_else(|| file.into(), |name| name.to_string_lossy());
        Self::from_bytes(&name, bytes)
            .map_err(|flaw| RecordingError { file: file.to_owned(), flaw })
    }

    fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, Flaw> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let line = line_of(bytes, error.valid_up_to());
            let byte = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
            Flaw::at(line, format!("byte 0x{byte:02x} is not UTF-8: want a text file in UTF-8"))
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut builder = Builder::default();
        if text.trim().is_empty() {
            return Err(Flaw::of_file(
                "is empty: want a CSV trace or the XML of a danmaku recorder",
            ));
        } else if text.trim_start().starts_with('<') {
            xml::read(text, &mut builder)?;
        } else {
            csv_trace::read(text, &mut builder)?;
        }
        builder.finish(name)
    }

    /// With every silence cut down to `longest_us`: for people who look on, and would see an empty
    /// room.
    pub fn without_silences(mut self, longest_us: u64) -> Self {
        let (mut before, mut cut) = (0, 0);
        for entry in &mut self.entries {
            cut += (entry.at_us - before).saturating_sub(longest_us);
            before = entry.at_us;
            entry.at_us -= cut;
        }
        self
    }

    /// Its name: that of the file, without the folder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Everything that was sent, in order of time.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The names of those who sent something, in order of their first appearance in the file.
    pub fn senders(&self) -> &[Arc<str>] {
        &self.senders
    }

    /// The time of the last entry, in microseconds.
    pub fn length_us(&self) -> u64 {
        self.entries.last().map_or(0, |last| last.at_us)
    }
}

/// A recording that is being read.
#[derive(Default)]
struct Builder {
    entries: Vec<Entry>,
    senders: Vec<Arc<str>>,
    by_name: HashMap<Arc<str>, u32>,
}

impl Builder {
    fn push(&mut self, at_us: u64, sender: &str, content: Content) {
        let sender = if let Some(&known) = self.by_name.get(sender) {
            known
        } else {
            let name: Arc<str> = sender.into();
            // A file of at most 512 MiB has fewer senders than u32 has numbers.
            let id = u32::try_from(self.senders.len()).unwrap_or(u32::MAX);
            self.senders.push(Arc::clone(&name));
            self.by_name.insert(name, id);
            id
        };
        self.entries.push(Entry { at_us, sender, content });
    }

    fn finish(mut self, name: &str) -> Result<Recording, Flaw> {
        if self.entries.is_empty() {
            return Err(Flaw::of_file("has no messages: want at least one"));
        }
        self.entries.sort_by_key(|entry| entry.at_us);
        Ok(Recording { name: name.to_owned(), entries: self.entries, senders: self.senders })
    }
}

/// The line, counted from 1, that the byte at `offset` is on.
fn line_of(bytes: &[u8], offset: usize) -> u64 {
    1 + count_lines(bytes.get(..offset).unwrap_or(bytes))
}

fn count_lines(bytes: &[u8]) -> u64 {
    bytes.split(|&byte| byte == b'\n').skip(1).count() as u64
}

#[cfg(test)]
mod tests;
