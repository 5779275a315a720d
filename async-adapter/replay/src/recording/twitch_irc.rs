//! Twitch's IRC as it came over the wire, with tags: `tmi-sent-ts` is the time.

use std::borrow::Cow;

use super::Content;
use super::builder::{Builder, Said, Sender};
use super::flaw::{Flaw, Quoted, Reason};
use super::source::{self, Source};
use super::time::{self, Time};

const TIME: &str = "tmi-sent-ts";

/// A line of IRC.
struct Line<'a> {
    tags: &'a str,
    nick: &'a str,
    command: &'a str,
    /// The words of the last parameter.
    words: &'a str,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (tags, rest) = match line.strip_prefix('@') {
            Some(tagged) => tagged.split_once(' ')?,
            None => ("", line),
        };
        let (prefix, rest) = match rest.trim_start().strip_prefix(':') {
            Some(from) => from.split_once(' ')?,
            None => ("", rest),
        };
        let (command, rest) = rest.trim_start().split_once(' ').unwrap_or((rest.trim(), ""));
        let is_number = command.len() == 3 && command.bytes().all(|byte| byte.is_ascii_digit());
        let is_word = command.len() > 2 && command.bytes().all(|byte| byte.is_ascii_uppercase());
        let words = match rest.strip_prefix(':') {
            Some(words) => words,
            None => rest.split_once(" :").map_or("", |(_, words)| words),
        };
        let nick = prefix.split(['!', '@']).next().unwrap_or_default();
        (is_number || is_word).then_some(Self { tags, nick, command, words })
    }

    /// The value of a tag; one without a value is none.
    fn tag(&self, name: &str) -> Option<Cow<'a, str>> {
        let tags = self.tags.split(';').filter_map(|tag| tag.split_once('='));
        let mut found = tags.filter(|(key, value)| *key == name && !value.is_empty());
        found.next().map(|(_, value)| unescaped(value))
    }

    fn count(&self, line: u64, name: &str) -> Result<u32, Flaw> {
        let Some(found) = self.tag(name) else { return Ok(0) };
        found.parse().map_err(|_| Flaw::value(line, name, &found, "a whole number"))
    }
}

/// The text of a tag's value, in which some characters stand for others.
fn unescaped(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return value.into();
    }
    let mut text = String::new();
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next().map(|escaped| match escaped {
                ':' => ';',
                's' => ' ',
                'r' => '\r',
                'n' => '\n',
                other => other,
            })),
            other => text.push(other),
        }
    }
    text.into()
}

/// Whether a line is one of a message, or of what a server says to begin with.
pub(super) fn is_line(line: &str) -> bool {
    Line::parse(line).is_some_and(|parsed| {
        let is_of_twitch = line.contains("tmi.twitch.tv") || line.contains("tmi-sent-ts=");
        is_of_twitch || (parsed.command == "PRIVMSG" && !parsed.tags.is_empty())
    })
}

/// Reads all messages of the log into the recording.
pub(super) fn read(source: &mut Source<'_>, recording: &mut Builder) -> Result<(), Flaw> {
    let mut buffer = Vec::new();
    loop {
        match source.line_into(&mut buffer) {
            Ok(None) => return Ok(()),
            Ok(Some(_)) if buffer.trim_ascii().is_empty() => {}
            Ok(Some(number)) => match source::text(number, &buffer) {
                Ok(text) => message(number, text.trim_end(), recording)?,
                Err(flaw) => recording.leave_out(flaw)?,
            },
            Err(flaw) => recording.leave_out(flaw)?,
        }
    }
}

fn message(number: u64, text: &str, recording: &mut Builder) -> Result<(), Flaw> {
    let Some(line) = Line::parse(text) else {
        let what =
            format!("{} is no line of IRC: want @tags :nick PRIVMSG #channel :text", Quoted(text));
        return recording.leave_out(Flaw::at(number, Reason::Line, what));
    };
    let content = match content(number, &line) {
        Ok(Some(content)) => content,
        Ok(None) => {
            recording.pass_over(&shortened(line.command));
            return Ok(());
        }
        Err(flaw) => return recording.leave_out(flaw),
    };
    let want = "the time of the message, in milliseconds since 1970";
    let time = match line.tag(TIME) {
        Some(found) => {
            let date = time::number(&found).and_then(time::date);
            date.ok_or_else(|| Flaw::time(number, TIME, &found, want))
        }
        None => Err(Flaw::missing(number, TIME, want).counted_as(Reason::Time)),
    };
    let (id, name) = (line.tag("user-id"), line.tag("display-name").or_else(|| line.tag("login")));
    let said = time.map(|date| {
        let name = name.as_deref().or(Some(line.nick));
        let sender = Sender { id: id.as_deref(), name };
        Some(Said { line: number, time: Time::Date(date), sender, content })
    });
    recording.take(said)
}

/// What was sent; `None` if the line is no message.
fn content(number: u64, line: &Line<'_>) -> Result<Option<Content>, Flaw> {
    let text = || {
        let action = line.words.strip_prefix("\u{1}ACTION ");
        let text = action.map_or(line.words, |action| action.trim_end_matches('\u{1}'));
        text.to_owned()
    };
    let gift = |count| Content::Gift { name: "subscription".to_owned(), count };
    let kind = line.tag("msg-id").unwrap_or_default();
    Ok(match (line.command, &*kind) {
        ("PRIVMSG", _) => Some(match line.count(number, "bits")? {
            0 => Content::Text(text()),
            price => Content::SuperChat { text: text(), price },
        }),
        ("USERNOTICE", "sub" | "resub") => Some(Content::Guard { rank: None }),
        ("USERNOTICE", "subgift" | "anonsubgift") => Some(gift(1)),
        ("USERNOTICE", "submysterygift" | "anonsubmysterygift") => {
            Some(gift(line.count(number, "msg-param-mass-gift-count")?.max(1)))
        }
        ("USERNOTICE", "announcement") => Some(Content::Text(text())),
        _ => None,
    })
}

/// A command, of which nobody knows how long it is.
fn shortened(command: &str) -> Cow<'_, str> {
    let is_number = command.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { "numeric".into() } else { command.chars().take(20).collect() }
}
