//! The elements of an XML file that stand for messages, one at a time.
//!
//! They are found by their names, and each is read by itself, so that one that is broken costs
//! itself alone, wherever its text leads: a `<3` that was not escaped, a tag that was cut when the
//! recorder was killed. All other elements (a stylesheet, the recorder's notes) are passed over. A
//! recorder that was cut off leaves its root element open: that is no error.

use std::borrow::Cow;
use std::fmt::Display;

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use super::flaw::{Flaw, Reason};
use super::source::{self, Source};
use super::{MAX_PRICE, MAX_RECORD_BYTES};

/// The longest name of an element that is looked at.
const MAX_NAME_BYTES: usize = 40;
/// So much of the tag of an element that is passed over is looked at.
const MAX_LOOKED_BYTES: usize = 400;

/// What comes next in the file.
pub(super) enum Found {
    /// An element of a name that is wanted: it is in the buffer.
    Element { line: u64, name: &'static str },
    /// Another one that has a time: its name is in the buffer.
    Other,
    /// Nothing more.
    End,
}

/// The elements of a file.
pub(super) struct Elements<'s, 'a> {
    source: &'s mut Source<'a>,
    names: &'static [&'static str],
}

impl<'s, 'a> Elements<'s, 'a> {
    /// The elements of these names from here on.
    pub(super) fn new(source: &'s mut Source<'a>, names: &'static [&'static str]) -> Self {
        Self { source, names }
    }

    /// Finds the next element, and takes it into the buffer.
    pub(super) fn next_into(&mut self, buffer: &mut Vec<u8>) -> Result<Found, Flaw> {
        while let Some(byte) = self.source.peek()? {
            let line = self.source.line();
            if byte != b'<' {
                self.source.byte()?;
            } else if let Some(name) = self.wanted()? {
                buffer.clear();
                self.element_into(buffer, line, name)?;
                return Ok(Found::Element { line, name });
            } else if self.source.starts_with(b"<!--")? {
                self.skip("a comment", b"-->")?;
            } else if self.source.starts_with(b"<![CDATA[")? {
                self.skip("CDATA", b"]]>")?;
            } else {
                self.source.byte()?;
                if self.other_into(buffer)? {
                    return Ok(Found::Other);
                }
            }
        }
        Ok(Found::End)
    }

    fn skip(&mut self, what: &str, end: &'static [u8]) -> Result<(), Flaw> {
        let line = self.source.line();
        if self.source.skip_past(end)? {
            return Ok(());
        }
        let end = String::from_utf8_lossy(end);
        Err(Flaw::at(line, Reason::Cut, format!("the file ends inside {what}: want {end}")))
    }

    /// The name of the wanted element that begins here.
    fn wanted(&mut self) -> Result<Option<&'static str>, Flaw> {
        for &name in self.names {
            let mut tag = [0; MAX_NAME_BYTES];
            tag[0] = b'<';
            tag[1..=name.len()].copy_from_slice(name.as_bytes());
            for after in *b" \t\r\n/>" {
                tag[1 + name.len()] = after;
                if self.source.starts_with(&tag[..name.len() + 2])? {
                    return Ok(Some(name));
                }
            }
        }
        Ok(None)
    }

    /// Whether an element begins after this `<` that has a time; its name is in the buffer then.
    fn other_into(&mut self, buffer: &mut Vec<u8>) -> Result<bool, Flaw> {
        let head = self.source.head()?;
        let tag = &head[..head.len().min(MAX_LOOKED_BYTES)];
        let end = tag.iter().position(|byte| matches!(byte, b'<' | b'>'));
        let tag = &tag[..end.unwrap_or(tag.len())];
        let end = tag.iter().position(u8::is_ascii_whitespace).unwrap_or(0);
        let has_time = [&b" ts="[..], b" timestamp=", b" vpos="]
            .iter()
            .any(|time| tag.windows(time.len()).any(|window| window == *time));
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-:".contains(byte);
        let is_named = (1..MAX_NAME_BYTES).contains(&end) && tag[..end].iter().all(is_name);
        let found = has_time && is_named;
        if found {
            buffer.clear();
            buffer.extend_from_slice(&tag[..end]);
        }
        Ok(found)
    }

    /// Takes an element, which begins here, up to its end.
    fn element_into(
        &mut self,
        buffer: &mut Vec<u8>,
        line: u64,
        name: &'static str,
    ) -> Result<(), Flaw> {
        let cut = || {
            let what = format!("the file ends inside <{name}>: want </{name}>");
            Flaw::at(line, Reason::Cut, what)
        };
        let mut quote = None;
        self.byte_into(buffer, line, name)?;
        loop {
            self.check_no_other(line, name)?;
            let byte = self.byte_into(buffer, line, name)?.ok_or_else(cut)?;
            match (quote, byte) {
                (None, b'>') => break,
                (None, b'"' | b'\'') => quote = Some(byte),
                (Some(open), _) if open == byte => quote = None,
                _ => {}
            }
        }
        if buffer.ends_with(b"/>") {
            return Ok(());
        }
        let end = format!("</{name}");
        loop {
            if self.source.starts_with(end.as_bytes())? {
                break;
            }
            if self.source.starts_with(b"<![CDATA[")? {
                while !buffer.ends_with(b"]]>") {
                    self.byte_into(buffer, line, name)?.ok_or_else(cut)?;
                }
                continue;
            }
            self.check_no_other(line, name)?;
            self.byte_into(buffer, line, name)?.ok_or_else(cut)?;
        }
        while self.byte_into(buffer, line, name)?.ok_or_else(cut)? != b'>' {
            self.check_no_other(line, name)?;
        }
        Ok(())
    }

    /// No element that is wanted begins within another one: that one has no end.
    fn check_no_other(&mut self, line: u64, name: &str) -> Result<(), Flaw> {
        if self.source.peek()? != Some(b'<') {
            return Ok(());
        }
        match self.wanted()? {
            Some(other) => {
                let what = format!("<{name}> has no end before the next <{other}>: want </{name}>");
                Err(Flaw::at(line, Reason::Cut, what))
            }
            None => Ok(()),
        }
    }

    fn byte_into(
        &mut self,
        buffer: &mut Vec<u8>,
        line: u64,
        name: &str,
    ) -> Result<Option<u8>, Flaw> {
        if buffer.len() >= MAX_RECORD_BYTES {
            let what = format!("<{name}> is over {MAX_RECORD_BYTES} bytes: want </{name}>");
            return Err(Flaw::at(line, Reason::Length, what));
        }
        let byte = self.source.byte()?;
        buffer.extend(byte);
        Ok(byte)
    }
}

/// An element that was found, and its text.
#[derive(Debug)]
pub(super) struct Element<'b> {
    pub(super) line: u64,
    tag: BytesStart<'b>,
    text: String,
}

impl<'b> Element<'b> {
    /// Reads the element that a buffer holds.
    pub(super) fn read(line: u64, name: &str, buffer: &'b [u8]) -> Result<Self, Flaw> {
        let xml = source::text(line, buffer)?;
        let mut reader = Reader::from_str(xml);
        let broken = |error: &dyn Display| {
            Flaw::at(
                line,
                Reason::Xml,
                format!("<{name}> is broken: {error}: want well-formed XML"),
            )
        };
        let mut text = String::new();
        let tag = match reader.read_event().map_err(|error| broken(&error))? {
            Event::Start(tag) => tag,
            Event::Empty(tag) => return Ok(Self { line, tag, text }),
            _ => return Err(broken(&"it has no tag")),
        };
        let content = xml.get(position(&reader)..).unwrap_or_default();
        let content = content.rfind("</").and_then(|end| content.get(..end)).unwrap_or_default();
        let unescaped = |error: Option<&dyn Display>| {
            let why = error.map(|error| format!(" ({error})")).unwrap_or_default();
            let want = format_args!("&lt; for < and &amp; for &{why}");
            let name = format!("the text of <{name}>");
            Flaw::value(line, &name, content, want).counted_as(Reason::Xml)
        };
        loop {
            match reader.read_event().map_err(|error| unescaped(Some(&error)))? {
                Event::Text(more) => text.push_str(&more.xml10_content()),
                Event::CData(more) => text.push_str(&more.xml10_content()),
                Event::GeneralRef(reference) => push_entity(line, &reference, &mut text)?,
                Event::End(_) => return Ok(Self { line, tag, text }),
                Event::Comment(_) | Event::PI(_) => {}
                _ => return Err(unescaped(None)),
            }
        }
    }

    /// Its text, which it is left without.
    pub(super) fn take_text(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    fn name(&self) -> &str {
        self.tag.name().into_inner()
    }

    /// Finds an attribute. Only those that are asked for must be right.
    pub(super) fn attribute(&self, name: &str) -> Result<Option<Cow<'_, str>>, Flaw> {
        for attribute in self.tag.attributes().with_checks(false) {
            let attribute = attribute.map_err(|error| self.broken(error))?;
            if attribute.key.as_ref() == name {
                let value = attribute.normalized_value(XmlVersion::Implicit1_0);
                return value.map(Some).map_err(|error| self.broken(error));
            }
        }
        Ok(None)
    }

    /// The first of these attributes that is there and says something.
    pub(super) fn any_attribute(&self, names: &[&str]) -> Result<Option<Cow<'_, str>>, Flaw> {
        for name in names {
            if let Some(value) = self.attribute(name)?.filter(|value| !value.trim().is_empty()) {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    fn broken(&self, error: impl Display) -> Flaw {
        let what = format!("<{}> has a broken attribute: {error}", self.name());
        Flaw::at(self.line, Reason::Xml, what)
    }

    /// Finds an attribute that there must be.
    pub(super) fn required(&self, name: &str, want: &str) -> Result<Cow<'_, str>, Flaw> {
        self.attribute(name)?.ok_or_else(|| {
            let what = format!("<{}> has no {name}: want {want}", self.name());
            Flaw::at(self.line, Reason::Time, what)
        })
    }

    /// A whole number of at least so much.
    pub(super) fn whole(&self, name: &str, least: u32) -> Result<Option<u32>, Flaw> {
        let Some(found) = self.attribute(name)? else {
            return Ok(None);
        };
        match found.trim().parse::<u32>() {
            Ok(number) if number >= least => Ok(Some(number)),
            _ => {
                let want = format_args!("a whole number, {least} to {}", u32::MAX);
                Err(Flaw::value(self.line, name, &found, want))
            }
        }
    }

    /// What was paid; 0 if that is not said.
    pub(super) fn price(&self) -> Result<u32, Flaw> {
        let Some(found) = self.attribute("price")? else {
            return Ok(0);
        };
        super::time::number(&found).and_then(super::price).ok_or_else(|| {
            let want = format_args!("a number, 0 to {MAX_PRICE}");
            Flaw::value(self.line, "price", &found, want)
        })
    }
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

fn push_entity(line: u64, reference: &BytesRef<'_>, text: &mut String) -> Result<(), Flaw> {
    let name: &str = reference;
    // `Ok(None)` is an entity with a name, `Err` a number that no character has.
    match (reference.resolve_char_ref(), resolve_xml_entity(name)) {
        (Ok(Some(character)), _) if is_xml(character) => text.push(character),
        (Ok(None), Some(known)) => text.push_str(known),
        _ => {
            let found = format!("&{name};");
            let want = "&lt; &gt; &amp; &apos; &quot; or the number of a character of XML";
            let flaw = Flaw::value(line, "entity", &found, want);
            return Err(flaw.counted_as(Reason::Entity));
        }
    }
    Ok(())
}

/// Whether XML allows a character at all: of the control characters few.
fn is_xml(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}
