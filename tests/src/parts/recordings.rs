//! Recordings in every format: what was written is read, however the file comes in, and what a
//! damaged file still has is read leniently, with a count of what is left out. No bytes make a
//! reader panic.

use std::collections::HashMap;
use std::io::Read;

use roomcast_replay::recording::{Content, Damage, Format, Reading, Recording, Words};

use crate::violation::{Check, Law, Violation, same};

/// What is tried with recordings.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Sequence {
    /// Which format.
    pub format: u8,
    /// What was said.
    pub said: Vec<Said>,
    /// A record that is broken comes before this one.
    pub broken: u16,
    /// Where the file is cut off.
    pub cut: u16,
    /// Bytes that are changed: where, and to what.
    pub edits: Vec<(u16, u8)>,
    /// How many bytes a read gives, less one.
    pub chunk: u8,
    /// Any file.
    pub bytes: Vec<u8>,
}

/// Something that was said.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Said {
    /// So many milliseconds after what was said before.
    pub wait: u16,
    /// By one of eight.
    pub who: u8,
    /// Its characters, out of [`CHARACTERS`].
    pub text: Vec<u8>,
}

/// All formats.
pub const FORMATS: [Format; 9] = [
    Format::Trace,
    Format::Csv,
    Format::Danmaku,
    Format::Niconico,
    Format::TwitchDownloader,
    Format::ChatDownloader,
    Format::Youtube,
    Format::TwitchIrc,
    Format::Irc,
];

/// What texts are made of: whatever has a meaning in one of the formats.
pub const CHARACTERS: [&str; 20] = [
    "a", "<", ">", "&", "\"", "'", ",", ";", ":", "{", "}", "[", "]", "\\", " ", "/d>", "é", "🚀",
    "-->", "#",
];

/// What a reader should make of a message: when in milliseconds, by whom, and what.
type Message = (u64, u8, String);

fn messages(said: &[Said]) -> Vec<Message> {
    let mut at = 0;
    let message = |said: &Said| {
        at += u64::from(said.wait);
        let characters = said.text.iter().take(30).map(|&at| CHARACTERS[usize::from(at) % 20]);
        // A reader may leave out the white space around a text.
        (at, said.who % 8, format!("t{}t", characters.collect::<String>()))
    };
    said.iter().take(40).map(message).collect()
}

/// A file as a recorder writes it.
struct File {
    head: &'static str,
    records: Vec<String>,
    between: &'static str,
    tail: &'static str,
}

impl File {
    fn text(&self) -> String {
        [self.head, &self.records.join(self.between), self.tail].concat()
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

fn json(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// How a message is written; `None` writes one that is broken.
fn record(format: Format, message: Option<&Message>) -> String {
    let broken = (0, 0, "broken".to_owned());
    let (at, who, text) = message.unwrap_or(&broken);
    let number = |number: String| if message.is_some() { number } else { "\"?\"".to_owned() };
    let seconds = format!("{}.{:03}", at / 1_000, at % 1_000);
    match format {
        Format::Trace => format!("{},{who},{}", number((at * 1_000).to_string()), text.len()),
        Format::Csv => {
            format!("{},viewer {who},\"{}\"", number(seconds), text.replace('"', "\"\""))
        }
        Format::Danmaku => {
            let seconds = number(seconds).replace('"', "");
            format!("<d p=\"{seconds},1,25,0,1,0,{},0\">{}</d>", who + 1, escaped(text))
        }
        Format::Niconico => {
            let vpos = number(format!("{}.{}", at / 10, at % 10)).replace('"', "");
            format!("<chat vpos=\"{vpos}\" user_id=\"u{who}\">{}</chat>", escaped(text))
        }
        Format::TwitchDownloader => format!(
            "{{\"content_offset_seconds\":{},\"commenter\":{{\"_id\":\"{who}\"}},\"message\":\
             {{\"body\":{},\"bits_spent\":0}}}}",
            number(seconds),
            json(text)
        ),
        Format::ChatDownloader => format!(
            "{{\"time_in_seconds\":{},\"author\":{{\"id\":\"{who}\"}},\"message\":{}}}",
            number(seconds),
            json(text)
        ),
        Format::Youtube => format!(
            "{{\"replayChatItemAction\":{{\"actions\":[{{\"addChatItemAction\":{{\"item\":\
             {{\"liveChatTextMessageRenderer\":{{\"message\":{{\"runs\":[{{\"text\":{}}}]}},\
             \"authorExternalChannelId\":\"{who}\"}}}}}}}}],\"videoOffsetTimeMsec\":{}}}}}",
            json(text),
            number(format!("\"{at}\""))
        ),
        Format::TwitchIrc => format!(
            "@user-id={who};tmi-sent-ts={} :n{who}!n@n PRIVMSG #c :{text}",
            number((1_626_314_508_000 + at).to_string())
        ),
        Format::Irc => {
            let (hours, minutes) = (at / 3_600_000, at / 60_000 % 60);
            let seconds = format!("{:02}.{:03}", at / 1_000 % 60, at % 1_000);
            let hours = number(format!("{hours:02}"));
            format!("[2021-07-15 {hours}:{minutes:02}:{seconds}] <viewer_{who}> {text}")
        }
    }
}

fn file(format: Format, messages: &[Message]) -> File {
    let records = messages.iter().map(|message| record(format, Some(message))).collect();
    let (head, between, tail) = match format {
        Format::Trace => ("offset_us,sender,bytes\n", "\n", "\n"),
        Format::Csv => ("Time,Author,Message\r\n", "\r\n", ""),
        Format::Danmaku => ("<?xml version=\"1.0\"?><i>\n", "\n\t", "</i>"),
        Format::Niconico => ("<packet>", "", "</packet>"),
        Format::TwitchDownloader => ("{\"video\":{\"a\":[1]},\"comments\":[", ",", "],\"b\":{}}"),
        Format::ChatDownloader => ("[", ",\n", "]\n"),
        _ => ("", "\n", "\n"),
    };
    File { head, records, between, tail }
}

/// What was read, with senders by the order of their first message and the first time at 0.
fn read_of(recording: &Recording, format: Format) -> Vec<Message> {
    let mut places = HashMap::new();
    let entries = recording.entries().iter();
    let message = |entry: &roomcast_replay::recording::Entry| {
        let next = u8::try_from(places.len()).unwrap_or(u8::MAX);
        let place = *places.entry(entry.sender).or_insert(next);
        let text = match &entry.content {
            Content::Text(text) => text.clone(),
            Content::TextLength(bytes) => format!("{bytes} bytes"),
            other => format!("{other:?}"),
        };
        (entry.at_us / 1_000, place, text)
    };
    from_zero(entries.map(message).collect(), format)
}

/// What should be read.
fn written(messages: &[Message], format: Format) -> Vec<Message> {
    let mut places = HashMap::new();
    let message = |(at, who, text): &Message| {
        let next = u8::try_from(places.len()).unwrap_or(u8::MAX);
        let place = *places.entry(*who).or_insert(next);
        let is_trace = format == Format::Trace;
        let text = if is_trace { format!("{} bytes", text.len()) } else { text.clone() };
        (*at, place, text)
    };
    from_zero(messages.iter().map(message).collect(), format)
}

/// Dates count from the first of them.
fn from_zero(mut messages: Vec<Message>, format: Format) -> Vec<Message> {
    if matches!(format, Format::TwitchIrc | Format::Irc) {
        let first = messages.first().map_or(0, |(at, ..)| *at);
        for (at, ..) in &mut messages {
            *at -= first;
        }
    }
    messages
}

const STRICT: Reading = Reading { format: None, damage: Damage::Stop, words: Words::Keep };
const LENIENT: Reading = Reading { damage: Damage::LeaveOut, ..STRICT };

fn read(bytes: &[u8], reading: Reading) -> Result<Recording, String> {
    Recording::read("room", bytes, reading).map_err(|error| error.to_string())
}

/// Gives so many bytes a read.
struct Chunks<'a>(&'a [u8], usize);

impl Read for Chunks<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Self(bytes, chunk) = self;
        let chunk = (*chunk).min(buffer.len());
        bytes.read(&mut buffer[..chunk])
    }
}

/// What holds of any bytes.
fn any(bytes: &[u8], format: Option<Format>, chunk: usize) -> Check {
    let strict = read(bytes, Reading { format, ..STRICT });
    let lenient = read(bytes, Reading { format, ..LENIENT });
    for found in [&strict, &lenient] {
        match found {
            Ok(recording) => sound(recording)?,
            Err(error) => {
                let is_a_line = !error.contains(char::is_control) && error.len() < 1_000;
                same(Law::L7Bounded, format!("whether {error:?} is a line"), true, is_a_line)?;
            }
        }
    }
    if strict.is_ok() {
        same(Law::L9Deterministic, "a whole file, read leniently", &strict, &lenient)?;
    }
    let reading = Reading { format, ..LENIENT };
    let in_chunks = Recording::read("room", Chunks(bytes, chunk), reading);
    let in_chunks = in_chunks.map_err(|error| error.to_string());
    same(Law::L9Deterministic, "a file in chunks", &lenient, &in_chunks)
}

fn sound(recording: &Recording) -> Check {
    let senders = recording.senders();
    let mut names: Vec<_> = senders.iter().collect();
    names.sort();
    names.dedup();
    same(Law::Members, "how many names there are", senders.len(), names.len())?;
    let entries = recording.entries();
    let is_sorted = entries.is_sorted_by_key(|entry| entry.at_us);
    same(Law::L4Order, "whether entries are in order of time", true, is_sorted)?;
    let is_known = entries.iter().all(|entry| (entry.sender as usize) < senders.len());
    same(Law::Members, "whether all senders are known", true, is_known)?;
    same(Law::L8NothingLost, "whether it has entries", true, !entries.is_empty())
}

fn without(name: &str) -> Violation {
    Violation::new(Law::L8NothingLost, name, "a recording", "an error")
}

/// Tries what there is to try.
pub fn run(sequence: &Sequence) -> Check {
    let Sequence { format, said, broken, cut, edits, chunk, bytes } = sequence;
    let (format, chunk) = (FORMATS[usize::from(*format) % 9], usize::from(*chunk) + 1);
    any(bytes, None, chunk)?;
    any(bytes, Some(format), chunk)?;
    let messages = messages(said);
    if messages.is_empty() {
        return Ok(());
    }
    let mut file = file(format, &messages);
    let whole = file.text();
    let expected = written(&messages, format);
    let recording = read(whole.as_bytes(), STRICT);
    let found = recording.as_ref().map(|recording| read_of(recording, format));
    same(Law::L8NothingLost, format!("a file of {format}"), Ok(&expected), found.as_ref())?;
    any(whole.as_bytes(), None, chunk)?;

    // Cut off, it has what came before; the last text may have become a shorter one.
    let end = usize::from(*cut) % (whole.len() + 1);
    let cut_off = &whole.as_bytes()[..end];
    any(cut_off, None, chunk)?;
    if let Ok(recording) = read(cut_off, Reading { format: Some(format), ..LENIENT }) {
        let found = read_of(&recording, format);
        let last = found.len() - 1;
        let is_there = found.len() <= expected.len() && found[..last] == expected[..last];
        same(Law::L8NothingLost, "whether a file that was cut is a beginning", true, is_there)?;
    }

    // With other bytes, it is anything.
    let mut edited = whole.clone().into_bytes();
    for &(at, byte) in edits.iter().take(8) {
        let length = edited.len();
        edited[usize::from(at) % length] = byte;
    }
    any(&edited, None, chunk)?;
    any(&edited, Some(format), chunk)?;

    // A record that is broken costs itself alone.
    let place = usize::from(*broken) % (messages.len() + 1);
    file.records.insert(place, record(format, None));
    let damaged = file.text();
    let reading = Reading { format: Some(format), ..LENIENT };
    let stopped = read(damaged.as_bytes(), Reading { damage: Damage::Stop, ..reading }).is_err();
    same(Law::L8NothingLost, "whether a broken record stops a reading", true, stopped)?;
    let lenient = read(damaged.as_bytes(), reading).map_err(|error| without(&error))?;
    let what = format!("a damaged file of {format}");
    same(Law::L8NothingLost, what, &expected, &read_of(&lenient, format))?;
    let told = lenient.remarks().join("\n");
    let is_counted = told.contains("left out 1: 1 ");
    same(Law::L8NothingLost, format!("whether {told:?} counts it"), true, is_counted)
}
