//! The formats of recordings, and how one is told by what is in a file and not by its name.

use std::fmt;

use clap::ValueEnum;

use super::builder::Builder;
use super::flaw::{Flaw, Quoted};
use super::source::Source;
use super::{
    chat_downloader, csv_columns, csv_trace, danmaku, irc, json, niconico, twitch_downloader,
    twitch_irc, youtube,
};

/// So many lines are looked at.
const MAX_LINES: usize = 30;

/// A format of recordings.
#[expect(clippy::doc_markdown, reason = "the help shows it as it is written here")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// CSV with the columns offset_us,sender,bytes
    Trace,
    /// CSV with columns for the time, the author and the message, by their names
    Csv,
    /// XML of a recorder of live danmaku, or of the danmaku of a video
    Danmaku,
    /// XML of Niconico
    Niconico,
    /// JSON of TwitchDownloader
    TwitchDownloader,
    /// JSON of chat-downloader: an array, or an object a line
    ChatDownloader,
    /// JSON lines of a YouTube live chat, as yt-dlp keeps them
    Youtube,
    /// Twitch's IRC with tags
    TwitchIrc,
    /// Log of an IRC client, with times
    Irc,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        write!(f, "{}", value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// All formats, for an error.
fn all() -> String {
    let all: Vec<_> = Format::value_variants().iter().map(ToString::to_string).collect();
    all.join(", ")
}

impl Format {
    /// The format of a file, by its beginning.
    pub(super) fn of(source: &mut Source<'_>) -> Result<Self, Flaw> {
        let head = source.head()?;
        if let Some(packed) = packed(head) {
            return Err(Flaw::of_file(format!("is {packed}: want a text file in UTF-8")));
        }
        let text = match head.utf8_chunks().next() {
            Some(chunk) => chunk.valid(),
            None => "",
        };
        let text = text.trim_start();
        if text.is_empty() && head.trim_ascii().is_empty() {
            let what = format!("is empty: want a recording, one of {}", all());
            return Err(Flaw::of_file(what));
        }
        let found = if text.starts_with('<') {
            of_xml(text)
        } else if text.starts_with('{') || is_array(text) {
            of_json(text)
        } else {
            of_lines(text)
        };
        found.ok_or_else(|| {
            let text = if text.is_empty() { String::from_utf8_lossy(head) } else { text.into() };
            let what = format!(
                "is of no known format, it begins with {}: want one of {}; --format says which",
                Quoted(text.lines().next().unwrap_or_default()),
                all()
            );
            Flaw::of_file(what)
        })
    }

    /// Reads a file of this format.
    pub(super) fn read(self, source: &mut Source<'_>, recording: &mut Builder) -> Result<(), Flaw> {
        match self {
            Self::Trace => csv_trace::read(source, recording),
            Self::Csv => csv_columns::read(source, recording),
            Self::Danmaku => danmaku::read(source, recording),
            Self::Niconico => niconico::read(source, recording),
            Self::TwitchDownloader => twitch_downloader::read(source, recording),
            Self::ChatDownloader => chat_downloader::read(source, recording),
            Self::Youtube => youtube::read(source, recording),
            Self::TwitchIrc => twitch_irc::read(source, recording),
            Self::Irc => irc::read(source, recording),
        }
    }
}

/// What has to be unpacked or written anew before it can be read.
fn packed(head: &[u8]) -> Option<&'static str> {
    let packed: [(&[u8], &str); 6] = [
        (b"\x1f\x8b", "packed with gzip"),
        (b"PK\x03\x04", "packed with zip"),
        (b"\x28\xb5\x2f\xfd", "packed with zstd"),
        (b"\xfd7zXZ", "packed with xz"),
        (b"\xff\xfe", "in UTF-16"),
        (b"\xfe\xff", "in UTF-16"),
    ];
    packed.into_iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, name)| name)
}

fn of_xml(text: &str) -> Option<Format> {
    let mut elements = text.split('<').filter(|tag| tag.starts_with(char::is_alphabetic));
    let root = elements.next()?.split(|end: char| !end.is_alphanumeric()).next()?;
    let has = |tag: &str| text.contains(tag);
    match root {
        "i" => Some(Format::Danmaku),
        "packet" => Some(Format::Niconico),
        _ if root.eq_ignore_ascii_case("html") => None,
        _ if has("<d p=") => Some(Format::Danmaku),
        _ if has("<chat ") => Some(Format::Niconico),
        _ => None,
    }
}

/// Whether a JSON array begins here, and not a time in brackets.
fn is_array(text: &str) -> bool {
    let inside = text.strip_prefix('[').map(str::trim_start);
    inside.is_some_and(|inside| inside.starts_with(['{', ']']) || inside.is_empty())
}

fn of_json(text: &str) -> Option<Format> {
    let object = text.strip_prefix('[').map_or(text, str::trim_start);
    let keys = json::keys(object.as_bytes());
    let has = |any: &[&str]| keys.iter().any(|key| any.contains(&key.as_str()));
    let is_array = object.len() < text.len();
    if has(&["replayChatItemAction", "addChatItemAction", "videoOffsetTimeMsec"]) {
        (!is_array).then_some(Format::Youtube)
    } else if has(&["time_in_seconds", "message", "message_type", "author", "timestamp"])
        || (is_array && keys.is_empty())
    {
        Some(Format::ChatDownloader)
    } else if has(&["comments", "FileInfo", "streamer", "video"]) && !is_array {
        Some(Format::TwitchDownloader)
    } else {
        None
    }
}

fn of_lines(text: &str) -> Option<Format> {
    let header = text.lines().next().unwrap_or_default();
    let columns: Vec<_> = header.split(',').map(str::trim).collect();
    if columns == csv_trace::HEADER {
        return Some(Format::Trace);
    }
    if csv_columns::delimiter(header).is_some() {
        return Some(Format::Csv);
    }
    let mut lines = text.lines().take(MAX_LINES);
    lines.find_map(|line| {
        if twitch_irc::is_line(line) {
            Some(Format::TwitchIrc)
        } else {
            irc::is_line(line).then_some(Format::Irc)
        }
    })
}
