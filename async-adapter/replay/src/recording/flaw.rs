//! What is wrong in a file: where, with which value, and what would be right.

use std::fmt;

/// What is wrong with a recording, and where: displays as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingError {
    pub(super) file: String,
    pub(super) flaw: Flaw,
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, flaw } = self;
        match flaw.line {
            Some(line) => write!(f, "{file}:{line}: ")?,
            None => write!(f, "{file}: ")?,
        }
        if let Some(record) = flaw.record {
            write!(f, "record {record}: ")?;
        }
        write!(f, "{}", flaw.what)
    }
}

impl std::error::Error for RecordingError {}

/// Of which kind a flaw is: what a lenient reading counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    /// The file cannot be read on, or holds more than is kept: no reading goes on after this.
    Fatal,
    /// It ends between two records, and should go on.
    End,
    /// It ends in the middle of something.
    Cut,
    /// A time is missing, or is none.
    Time,
    /// A value is missing, or is not what it should be.
    Value,
    /// An entity stands for no character.
    Entity,
    /// The XML of a message is broken.
    Xml,
    /// The JSON of a message is broken.
    Json,
    /// A row has more or fewer values than the header.
    Columns,
    /// A line is none of such a log.
    Line,
    /// Bytes are not UTF-8.
    Utf8,
    /// A record or a text is too long.
    Length,
}

impl Reason {
    /// What was left out for it, after a number.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fatal => "unreadable",
            Self::End => "missing at the end",
            Self::Cut => "cut off",
            Self::Time => "without a time that can be read",
            Self::Value => "with a value that cannot be",
            Self::Entity => "with an entity that is no character",
            Self::Xml => "of broken XML",
            Self::Json => "of broken JSON",
            Self::Columns => "with more or fewer values than columns",
            Self::Line => "of another form than the rest",
            Self::Utf8 => "not in UTF-8",
            Self::Length => "too long",
        }
    }
}

/// What is wrong, at a line of the file or with the whole of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) line: Option<u64>,
    /// Which record, counted from 1, where the line alone does not say it.
    record: Option<u64>,
    pub(super) reason: Reason,
    what: String,
}

impl Flaw {
    pub(super) fn at(line: u64, reason: Reason, what: impl Into<String>) -> Self {
        Self { line: Some(line), record: None, reason, what: in_a_line(&what.into()) }
    }

    /// A value that is not what it should be.
    pub(super) fn value(line: u64, name: &str, found: &str, want: impl fmt::Display) -> Self {
        Self::at(line, Reason::Value, format!("{name} is {}: want {want}", Quoted(found)))
    }

    /// A value that is not there.
    pub(super) fn missing(line: u64, name: &str, want: impl fmt::Display) -> Self {
        Self::at(line, Reason::Value, format!("there is no {name}: want {want}"))
    }

    /// A time that is none.
    pub(super) fn time(line: u64, name: &str, found: &str, want: impl fmt::Display) -> Self {
        Self { reason: Reason::Time, ..Self::value(line, name, found, want) }
    }

    /// Bytes that are not UTF-8; `offset` is where they begin in `bytes`, which begin at `line`.
    pub(super) fn utf8(line: u64, bytes: &[u8], error: std::str::Utf8Error) -> Self {
        let (before, rest) = bytes.split_at(error.valid_up_to().min(bytes.len()));
        let byte = rest.first().copied().unwrap_or_default();
        let line = line + count_lines(before);
        let what = format!("byte 0x{byte:02x} is not UTF-8: want a text file in UTF-8");
        Self::at(line, Reason::Utf8, what)
    }

    pub(super) fn of_file(what: impl Into<String>) -> Self {
        Self { line: None, record: None, reason: Reason::Fatal, what: in_a_line(&what.into()) }
    }

    /// As it counts where it is left out.
    pub(super) fn counted_as(self, reason: Reason) -> Self {
        Self { reason, ..self }
    }

    /// What is wrong, without the place.
    pub(super) fn what(&self) -> &str {
        &self.what
    }

    /// The record it is in, for files of which a line holds many.
    pub(super) fn in_record(self, record: u64) -> Self {
        Self { record: Some(record), ..self }
    }
}

/// What a parser says may quote the file, line breaks and all.
fn in_a_line(what: &str) -> String {
    const SHOWN: usize = 500;
    let shown: String = what.chars().take(SHOWN).collect();
    let cut = if shown.len() < what.len() { "…" } else { "" };
    shown.replace(char::is_control, " ") + cut
}

fn count_lines(bytes: &[u8]) -> u64 {
    bytes.split(|&byte| byte == b'\n').skip(1).count() as u64
}

/// A value shown in an error: in quotes, control characters escaped, and cut so that the line stays
/// a line.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 60;
        let shown: String = self.0.chars().take(SHOWN).collect();
        let cut = if shown.len() < self.0.len() { "…" } else { "" };
        write!(f, "\"{}{cut}\"", shown.escape_debug())
    }
}
