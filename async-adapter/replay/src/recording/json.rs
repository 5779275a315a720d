//! The records of a JSON file, one at a time: the objects of an array, or one object a line.
//!
//! Where a record begins and ends is found by its brackets, so that a file of any size is never
//! held, and a record that is broken costs itself alone; what is in it `serde_json` reads.

use serde_json::Value;

use super::MAX_RECORD_BYTES;
use super::flaw::{Flaw, Quoted, Reason};
use super::source::{self, Source};
use super::time::{self, Time};

/// The longest key of an object that is compared.
const MAX_KEY_BYTES: usize = 64;

/// Where the records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nothing was read yet.
    Start,
    /// In the array.
    Array,
    /// In a record that is broken: the next one begins on a line of its own.
    Lost,
    /// After the last one.
    End,
}

/// The records of an array.
pub(super) struct Records<'s, 'a> {
    source: &'s mut Source<'a>,
    /// The key of the array in the object that is the file; without one, the file is the array.
    key: Option<&'static str>,
    place: Place,
    /// How many records have begun.
    number: u64,
}

impl<'s, 'a> Records<'s, 'a> {
    /// The records of the array that is the file, or that its object has under this key.
    pub(super) fn new(source: &'s mut Source<'a>, key: Option<&'static str>) -> Self {
        Self { source, key, place: Place::Start, number: 0 }
    }

    /// Takes the next record into the buffer; `None` after the last one. What is wrong with one
    /// does not keep from going on.
    pub(super) fn next_into(&mut self, buffer: &mut Vec<u8>) -> Result<Option<Record>, Flaw> {
        if self.place == Place::Start {
            self.find_array()?;
        }
        if self.place == Place::Lost {
            self.find_record()?;
        }
        loop {
            let byte = if self.place == Place::End { None } else { self.source.skip_space()? };
            let line = self.source.line();
            match byte {
                None if self.place == Place::End => return Ok(None),
                None => {
                    self.place = Place::End;
                    let what = "the file ends inside the array: want ]";
                    return Err(Flaw::at(line, Reason::End, what));
                }
                Some(b',') => {
                    self.source.byte()?;
                }
                Some(b']') => {
                    self.source.byte()?;
                    self.place = Place::End;
                    self.check_end()?;
                }
                Some(b'{') => {
                    self.number += 1;
                    self.object_into(buffer, line)?;
                    return Ok(Some(Record { line, number: Some(self.number) }));
                }
                Some(_) => {
                    self.number += 1;
                    let found = self.scalar()?;
                    let what = format!("is {}: want an object", Quoted(&found));
                    return Err(Flaw::at(line, Reason::Json, what).in_record(self.number));
                }
            }
        }
    }

    /// After an array that is the whole file comes nothing more.
    fn check_end(&mut self) -> Result<(), Flaw> {
        if self.key.is_some() || self.source.skip_space()?.is_none() {
            return Ok(());
        }
        let line = self.source.line();
        let rest = String::from_utf8_lossy(self.source.head()?).into_owned();
        // What follows may be another array.
        self.place = if rest.starts_with('[') { Place::Start } else { Place::End };
        let what = format!("after the array comes {}: want the end", Quoted(&rest));
        Err(Flaw::at(line, Reason::Json, what))
    }

    /// Goes to the first record.
    fn find_array(&mut self) -> Result<(), Flaw> {
        let want = match self.key {
            Some(key) => format!("{{\"{key}\":[…]}}"),
            None => "[…]".to_owned(),
        };
        let line = self.source.line();
        let begins = self.source.skip_space()?;
        match (self.key, begins) {
            (None, Some(b'[')) => {}
            (Some(key), Some(b'{')) => return self.find_key(key, &want),
            _ => {
                self.place = Place::End;
                let head = String::from_utf8_lossy(self.source.head()?).into_owned();
                let what = format!("the file begins with {}: want {want}", Quoted(&head));
                return Err(Flaw::at(line, Reason::Fatal, what));
            }
        }
        self.source.byte()?;
        self.place = Place::Array;
        Ok(())
    }

    /// Goes into the array under this key of the object that begins here.
    fn find_key(&mut self, key: &str, want: &str) -> Result<(), Flaw> {
        self.source.byte()?;
        let mut depth = 0_u32;
        let mut last = Vec::new();
        while let Some(byte) = self.source.skip_space()? {
            if byte == b'[' && depth == 0 && last == key.as_bytes() {
                self.source.byte()?;
                self.place = Place::Array;
                return Ok(());
            }
            match byte {
                b'"' => {
                    self.source.byte()?;
                    let string = self.string()?;
                    // The key of what comes next, or a value, which no array follows at once.
                    last = if depth == 0 { string } else { Vec::new() };
                    continue;
                }
                b'[' | b'{' => depth += 1,
                b']' => depth = depth.saturating_sub(1),
                b'}' if depth == 0 => break,
                b'}' => depth -= 1,
                _ => {}
            }
            self.source.byte()?;
        }
        self.place = Place::End;
        let line = self.source.line();
        Err(Flaw::at(line, Reason::Cut, format!("the file ends before {key}: want {want}")))
    }

    /// Takes the rest of a string; answers its beginning.
    fn string(&mut self) -> Result<Vec<u8>, Flaw> {
        let mut string = Vec::new();
        while let Some(byte) = self.source.byte()? {
            match byte {
                b'"' => break,
                b'\\' => drop(self.source.byte()?),
                _ if string.len() < MAX_KEY_BYTES => string.push(byte),
                _ => {}
            }
        }
        Ok(string)
    }

    /// Takes a value that is no object; answers its beginning.
    fn scalar(&mut self) -> Result<String, Flaw> {
        let mut found = Vec::new();
        let mut depth = 0_u32;
        while let Some(byte) = self.source.peek()? {
            match byte {
                b',' | b']' | b'{' if depth == 0 => break,
                b'"' => {
                    self.source.byte()?;
                    found.push(byte);
                    found.extend(self.string()?);
                }
                b'[' => depth += 1,
                b']' => depth -= 1,
                _ => {}
            }
            if found.len() < MAX_KEY_BYTES {
                found.push(byte);
            }
            if byte != b'"' {
                self.source.byte()?;
            }
        }
        Ok(String::from_utf8_lossy(&found).trim().to_owned())
    }

    /// Takes the object that begins here: up to its end, even if it is too long to be kept.
    fn object_into(&mut self, buffer: &mut Vec<u8>, line: u64) -> Result<(), Flaw> {
        buffer.clear();
        let (mut depth, mut in_string, mut is_escaped) = (0_u32, false, false);
        let mut bytes = 0_usize;
        let mut is_whole = false;
        while let Some(byte) = self.source.byte()? {
            bytes += 1;
            if bytes <= MAX_RECORD_BYTES {
                buffer.push(byte);
            }
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' if in_string => is_escaped = true,
                b'"' => in_string = !in_string,
                // JSON has no such string: its end was lost.
                b'\n' if in_string => {
                    self.place = Place::Lost;
                    is_whole = true;
                }
                b'{' if !in_string => depth += 1,
                b'}' if !in_string => {
                    depth -= 1;
                    is_whole = depth == 0;
                }
                _ => {}
            }
            if is_whole {
                break;
            }
        }
        let flaw = if bytes > MAX_RECORD_BYTES {
            let what = format!("it has {bytes} bytes: want at most {MAX_RECORD_BYTES}");
            Flaw::at(line, Reason::Length, what)
        } else if is_whole {
            return Ok(());
        } else {
            Flaw::at(line, Reason::Cut, "the file ends inside it: want }")
        };
        if !is_whole {
            self.place = Place::End;
        }
        Err(flaw.in_record(self.number))
    }

    /// Goes to the next line that an object begins.
    fn find_record(&mut self) -> Result<(), Flaw> {
        self.place = Place::Array;
        let mut line = self.source.line().saturating_sub(1);
        while let Some(byte) = self.source.skip_space()? {
            if byte == b'{' && self.source.line() > line {
                return Ok(());
            }
            line = self.source.line();
            self.source.byte()?;
        }
        Ok(())
    }
}

/// Where a record is, for errors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub(super) line: u64,
    /// Which record of the array it is; a line of its own says that by itself.
    number: Option<u64>,
}

impl Record {
    /// A record that is a line.
    pub(super) fn on_line(line: u64) -> Self {
        Self { line, number: None }
    }

    /// Places a flaw.
    fn flaw(self, flaw: Flaw) -> Flaw {
        match self.number {
            Some(number) => flaw.in_record(number),
            None => flaw,
        }
    }

    /// What the record holds: an object.
    pub(super) fn read(self, buffer: &[u8]) -> Result<Value, Flaw> {
        let text = source::text(self.line, buffer).map_err(|flaw| self.flaw(flaw))?;
        let what = match serde_json::from_str(text) {
            Ok(value @ Value::Object(_)) => return Ok(value),
            Ok(_) => format!("is {}: want an object", Quoted(text)),
            Err(error) if error.is_eof() => {
                let what = format!("ends too early: {}: want JSON", Quoted(text));
                return Err(self.flaw(Flaw::at(self.line, Reason::Cut, what)));
            }
            Err(error) => {
                // The place within the record says nothing about the file.
                let error = error.to_string();
                let error = error.split(" at line ").next().unwrap_or_default();
                format!("{} is broken: {error}: want JSON", Quoted(text))
            }
        };
        Err(self.flaw(Flaw::at(self.line, Reason::Json, what)))
    }

    /// A value that is wrong.
    pub(super) fn value(self, name: &str, found: Option<&Value>, want: &str) -> Flaw {
        let flaw = match found {
            None => Flaw::missing(self.line, name, want),
            Some(Value::String(text)) => Flaw::value(self.line, name, text, want),
            Some(value) => Flaw::value(self.line, name, &value.to_string(), want),
        };
        self.flaw(flaw)
    }

    /// A time that is wrong, or missing.
    pub(super) fn time(self, name: &str, found: Option<&Value>, want: &str) -> Flaw {
        self.value(name, found, want).counted_as(Reason::Time)
    }

    /// The time under this name, in seconds or as a date; `None` if there is none.
    pub(super) fn time_at(self, of: &Value, name: &str) -> Result<Option<Time>, Flaw> {
        let found = at(of, &[name]);
        let time = match found {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => time::any(text),
            Some(value) => value.as_f64().and_then(time::any_number),
        };
        time.map(Some).ok_or_else(|| self.time(name, found, &time::want_any()))
    }
}

/// The value at a path of keys.
pub(super) fn at<'v>(of: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(of, |of, key| of.get(key))
}

/// The text at a path of keys, where there is one.
pub(super) fn text_at<'v>(of: &'v Value, path: &[&str]) -> Option<&'v str> {
    at(of, path)?.as_str()
}

/// The number at a path of keys, written as one or as a text.
pub(super) fn number_at(of: &Value, path: &[&str]) -> Option<f64> {
    match at(of, path)? {
        Value::String(text) => time::number(text),
        value => value.as_f64(),
    }
}

/// The first keys of the object that begins here.
pub(super) fn keys(head: &[u8]) -> Vec<String> {
    let mut keys = Vec::new();
    let (mut depth, mut begins, mut is_escaped, mut in_string) = (0_i32, 0, false, false);
    let mut last = None;
    for (place, &byte) in head.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' if in_string => {
                in_string = false;
                last = head.get(begins..place);
            }
            b'"' => (in_string, begins) = (true, place + 1),
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => break,
            b'}' | b']' => depth -= 1,
            b':' if depth == 1 => {
                keys.extend(last.take().map(|key| String::from_utf8_lossy(key).into_owned()));
            }
            _ => {}
        }
    }
    keys
}
