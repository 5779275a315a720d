//! The XML that recorders of live danmaku write, read as a stream of events.
//!
//! `<d p="seconds,…" user="">text</d>`, `<gift ts="" user="" giftname="" giftcount=""/>`,
//! `<sc ts="" user="" price="">text</sc>` and `<guard ts="" user=""/>` are read; all other elements
//! (a stylesheet, the recorder's notes) are passed over. A recorder that was cut off leaves its
//! root element open: that is no error.

use std::borrow::Cow;
use std::fmt::Display;

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use super::{Builder, Content, Flaw, MAX_SECONDS, MAX_TEXT_BYTES, count_lines};

/// Who sent what has no `user`.
const NOBODY: &str = "someone";

/// Reads all messages of the document into the recording.
pub(super) fn read(document: &str, recording: &mut Builder) -> Result<(), Flaw> {
    let mut reader = Reader::from_str(document);
    let mut line = LineCounter { document, offset: 0, line: 1 };
    let mut open: Option<Message> = None;
    loop {
        let begins = reader.buffer_position();
        let event = reader.read_event().map_err(|error| {
            Flaw::at(line.at(reader.error_position()), format!("{error}: want well-formed XML"))
        })?;
        let at = line.at(begins);
        match event {
            Event::Start(tag) if open.is_none() => open = Message::begin(at, &tag)?,
            Event::Empty(tag) if open.is_none() => {
                if let Some(message) = Message::begin(at, &tag)? {
                    message.end(recording)?;
                }
            }
            Event::End(tag) => {
                if let Some(message) =
                    open.take_if(|message| message.element == tag.name().as_ref())
                {
                    message.end(recording)?;
                }
            }
            Event::Text(text) => {
                if let Some(message) = &mut open {
                    message.text.push_str(&text.xml10_content());
                }
            }
            Event::CData(text) => {
                if let Some(message) = &mut open {
                    message.text.push_str(&text.xml10_content());
                }
            }
            Event::GeneralRef(reference) => {
                if let Some(message) = &mut open {
                    push_entity(at, &reference, &mut message.text)?;
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    match open {
        Some(Message { line, element, .. }) => {
            Err(Flaw::at(line, format!("the file ends inside <{element}>: want </{element}>")))
        }
        None => Ok(()),
    }
}

/// A message whose end tag has not come yet.
struct Message {
    line: u64,
    element: &'static str,
    at_us: u64,
    sender: String,
    kind: Kind,
    text: String,
}

enum Kind {
    Text,
    Gift { name: String, count: u32 },
    SuperChat { price: u32 },
    Guard { rank: Option<u32> },
}

impl Message {
    /// Reads the start tag; `None` if the element is none of those that are replayed.
    fn begin(line: u64, tag: &BytesStart<'_>) -> Result<Option<Self>, Flaw> {
        let tag = CorrelationId { line, tag };
        let (element, kind) = match tag.tag.name().as_ref() {
            "d" => ("d", Kind::Text),
            "gift" => {
                let name = tag.attribute("giftname")?.filter(|name| !name.is_empty());
                let name = name.map_or_else(|| "gift".to_owned(), Cow::into_owned);
                ("gift", Kind::Gift { name, count: tag.whole("giftcount", 1)?.unwrap_or(1) })
            }
            "sc" => ("sc", Kind::SuperChat { price: tag.price()? }),
            "guard" => ("guard", Kind::Guard { rank: tag.whole("level", 0)? }),
            _ => return Ok(None),
        };
        let at_us = if element == "d" { tag.time_of_text()? } else { tag.time_of_event()? };
        let user = tag.attribute("user")?.filter(|user| !user.trim().is_empty());
        let sender = user.map_or_else(|| NOBODY.to_owned(), Cow::into_owned);
        Ok(Some(Self { line, element, at_us, sender, kind, text: String::new() }))
    }

    fn end(self, recording: &mut Builder) -> Result<(), Flaw> {
        if self.text.len() > MAX_TEXT_BYTES as usize {
            let what = format!(
                "the text of <{}> has {} bytes: want at most {MAX_TEXT_BYTES}",
                self.element,
                self.text.len()
            );
            return Err(Flaw::at(self.line, what));
        }
        let content = match self.kind {
            Kind::Text => Content::Text(self.text),
            Kind::Gift { name, count } => Content::Gift { name, count },
            Kind::SuperChat { price } => Content::SuperChat { text: self.text, price },
            Kind::Guard { rank } => Content::Guard { rank },
        };
        recording.push(self.at_us, &self.sender, content);
        Ok(())
    }
}

/// A start tag and the line it is on.
struct CorrelationId<'a> {
    line: u64,
    tag: &'a BytesStart<'a>,
}

impl<'a> CorrelationId<'a> {
    fn attribute(&self, name: &str) -> Result<Option<Cow<'a, str>>, Flaw> {
        // Only the attributes that are asked for must be right.
        for attribute in self.tag.attributes().with_checks(false) {
            let attribute = attribute.map_err(|error| self.broken(error))?;
            if attribute.key.as_ref() == name {
                let value = attribute.normalized_value(XmlVersion::Implicit1_0);
                return value.map(Some).map_err(|error| self.broken(error));
            }
        }
        Ok(None)
    }

    fn broken(&self, error: impl Display) -> Flaw {
        Flaw::at(
            self.line,
            format!("<{}> has a broken attribute: {error}", self.tag.name().as_ref()),
        )
    }

    fn required(&self, name: &str, want: &str) -> Result<Cow<'a, str>, Flaw> {
        self.attribute(name)?.ok_or_else(|| {
            Flaw::at(
                self.line,
                format!("<{}> has no {name}: want {want}", self.tag.name().as_ref()),
            )
        })
    }

    fn time_of_text(&self) -> Result<u64, Flaw> {
        let p = self.required("p", "p=\"seconds,mode,size,color,…\"")?;
        let seconds = p.split(',').next().unwrap_or_default();
        self.microseconds("the time in p", seconds)
    }

    fn time_of_event(&self) -> Result<u64, Flaw> {
        let seconds = self.required("ts", "ts=\"seconds\"")?;
        self.microseconds("ts", &seconds)
    }

    fn microseconds(&self, name: &str, found: &str) -> Result<u64, Flaw> {
        let latest = f64::from(MAX_SECONDS);
        match found.trim().parse::<f64>() {
            Ok(seconds) if (0.0..=latest).contains(&seconds) =>
            {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "0 to 30 days, checked above"
                )]
                Ok((seconds * 1e6).round() as u64)
            }
            _ => Err(Flaw::value(
                self.line,
                name,
                found,
                format_args!("seconds, 0 to {MAX_SECONDS}"),
            )),
        }
    }

    fn whole(&self, name: &str, least: u32) -> Result<Option<u32>, Flaw> {
        let Some(found) = self.attribute(name)? else {
            return Ok(None);
        };
        match found.trim().parse::<u32>() {
            Ok(number) if number >= least => Ok(Some(number)),
            _ => Err(Flaw::value(
                self.line,
                name,
                &found,
                format_args!("a whole number, {least} to {}", u32::MAX),
            )),
        }
    }

    fn price(&self) -> Result<u32, Flaw> {
        const MOST: u32 = 1_000_000_000;
        let Some(found) = self.attribute("price")? else {
            return Ok(0);
        };
        match found.trim().parse::<f64>() {
            Ok(price) if (0.0..=f64::from(MOST)).contains(&price) =>
            {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "0 to MOST, checked above"
                )]
                Ok(price.round() as u32)
            }
            _ => {
                Err(Flaw::value(self.line, "price", &found, format_args!("a number, 0 to {MOST}")))
            }
        }
    }
}

fn push_entity(line: u64, reference: &BytesRef<'_>, text: &mut String) -> Result<(), Flaw> {
    let name: &str = reference;
    // `Ok(None)` is an entity with a name, `Err` a number that no character has.
    match (reference.resolve_char_ref(), resolve_xml_entity(name)) {
        (Ok(Some(character)), _) => text.push(character),
        (Ok(None), Some(known)) => text.push_str(known),
        _ => {
            let found = format!("&{name};");
            return Err(Flaw::value(
                line,
                "entity",
                &found,
                "&lt; &gt; &amp; &apos; &quot; or a character's number",
            ));
        }
    }
    Ok(())
}

/// Counts lines as the reader moves on, so that a large file is walked once.
struct LineCounter<'a> {
    document: &'a str,
    offset: usize,
    line: u64,
}

impl LineCounter<'_> {
    fn at(&mut self, position: u64) -> u64 {
        let end = usize::try_from(position).unwrap_or(usize::MAX).min(self.document.len());
        if let Some(passed) = self.document.as_bytes().get(self.offset..end) {
            self.line += count_lines(passed);
            self.offset = end;
        }
        self.line
    }
}
