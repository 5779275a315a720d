//! A recorded room: who sent what, when.
//!
//! Recordings are read in the formats of many recorders ([`Format`]), told apart by what is in the
//! file and not by its name. Whatever is wrong in a file is told in one line that names the file,
//! the line, the value found, and what would be right. A file is read as a stream: what is kept is
//! the messages, whatever else is in it and however large it is.

mod builder;
mod chat_downloader;
mod csv_columns;
mod csv_trace;
mod danmaku;
mod elements;
mod flaw;
mod format;
mod irc;
mod json;
mod niconico;
mod rows;
mod source;
mod time;
mod twitch_downloader;
mod twitch_irc;
mod youtube;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

pub use flaw::RecordingError;
pub use format::Format;

use builder::Builder;
use flaw::Flaw;
use source::Source;

/// The premiere that is replayed unless another recording is named; see PREMIERE.md.
const PREMIERE: &str = include_str!("../premiere-chat.csv");

/// The latest time an entry may have, 30 days: whatever is later is not an offset but a date.
const MAX_SECONDS: u32 = 30 * 24 * 60 * 60;

/// The longest text an entry may have: far over what a room lets in, so that a refusal can be
/// replayed too.
const MAX_TEXT_BYTES: u32 = 1 << 20;

/// The longest line, row, element or object that is read: room for any text, and for what else a
/// recorder writes beside it.
const MAX_RECORD_BYTES: usize = 4 << 20;

/// The most that may be paid at once, in whole units of a currency.
const MAX_PRICE: u32 = 1_000_000_000;

/// A recorded room, in order of time. It has at least one entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    name: String,
    entries: Vec<Entry>,
    senders: Vec<Arc<str>>,
    remarks: Vec<String>,
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
    /// A text of which only the length in bytes was recorded, or kept.
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
    /// Someone joined the streamer's guard, or became a member or a subscriber.
    Guard {
        /// The guard's rank, 1 being the highest, if it was recorded.
        rank: Option<u32>,
    },
}

/// How a recording is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// Its format; `None` tells it by what is in the file.
    pub format: Option<Format>,
    /// What happens where the file is damaged.
    pub damage: Damage,
    /// Whether the words of texts are kept.
    pub words: Words,
}

/// What happens where a file is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Damage {
    /// Nothing is read; the error names the place.
    #[default]
    Stop,
    /// What is whole is read, and what is left out is counted by reason.
    LeaveOut,
}

/// Whether the words of texts are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Words {
    /// Word for word.
    #[default]
    Keep,
    /// Only how many bytes they have.
    Count,
}

impl Recording {
    /// The embedded premiere.
    pub fn premiere() -> Result<Self, RecordingError> {
        Self::parse("premiere-chat.csv", PREMIERE.as_bytes())
    }

    /// Reads a file.
    pub fn open(path: &Path, reading: Reading) -> Result<Self, RecordingError> {
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => Self::read(&name, file, reading),
            Err(error) => {
                let flaw = Flaw::of_file(format!("cannot be read: {error}"));
                Err(RecordingError { file: name, flaw })
            }
        }
    }

    /// Reads the bytes of a file of any format, strictly; `file` is its name in errors.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, RecordingError> {
        Self::read(file, bytes, Reading::default())
    }

    /// Reads what comes out of `from`; `file` is its name in errors. It holds the messages in
    /// memory, up to 1 GiB of them, and one record more.
    pub fn read(file: &str, from: impl Read, reading: Reading) -> Result<Self, RecordingError> {
        let name = Path::new(file).file_name();
        let name = name.map_or_else(|| file.into(), |name| name.to_string_lossy());
        Self::from_stream(&name, from, reading)
            .map_err(|flaw| RecordingError { file: file.to_owned(), flaw })
    }

    fn from_stream(name: &str, from: impl Read, reading: Reading) -> Result<Self, Flaw> {
        let mut source = Source::new(from)?;
        let format = match reading.format {
            Some(format) => format,
            None => Format::of(&mut source)?,
        };
        let mut recording = Builder::new(reading);
        format.read(&mut source, &mut recording)?;
        recording.finish(name)
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

    /// The names of those who sent something, in order of their first appearance in the file. No
    /// two have one name: who has that of another bears the id beside it.
    pub fn senders(&self) -> &[Arc<str>] {
        &self.senders
    }

    /// What whoever reads the file should know of it, a line each: what was left out, and for which
    /// reasons, what was passed over, whether times were moved.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The time of the last entry, in microseconds.
    pub fn length_us(&self) -> u64 {
        self.entries.last().map_or(0, |last| last.at_us)
    }
}

/// What was paid, in whole units: at least one, if it was anything.
fn price(paid: f64) -> Option<u32> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to MAX_PRICE, checked beside"
    )]
    let whole = |paid: f64| if paid > 0.0 { (paid.round() as u32).max(1) } else { 0 };
    (0.0..=f64::from(MAX_PRICE)).contains(&paid).then(|| whole(paid))
}

#[cfg(test)]
mod tests;
