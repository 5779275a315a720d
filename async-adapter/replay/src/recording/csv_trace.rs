//! The CSV trace: `offset_us,sender,bytes`, one message a line, of which only the length was kept.

use super::builder::{Builder, Said, Sender};
use super::flaw::{Flaw, Quoted, Reason};
use super::rows::{Row, Rows};
use super::source::Source;
use super::time::Time;
use super::{Content, MAX_SECONDS, MAX_TEXT_BYTES};

/// Its columns.
pub(super) const HEADER: [&str; 3] = ["offset_us", "sender", "bytes"];

const MAX_OFFSET_US: u64 = MAX_SECONDS as u64 * 1_000_000;

/// Reads all messages of the trace into the recording.
pub(super) fn read(source: &mut Source<'_>, recording: &mut Builder) -> Result<(), Flaw> {
    let mut rows = Rows::new(source, b',');
    let mut row = Row::default();
    if !rows.next_into(&mut row)? {
        return Ok(());
    }
    let header = row.values()?;
    if header != HEADER {
        let (found, want) = (header.join(","), Quoted(&HEADER.join(",")).to_string());
        return Err(Flaw::value(row.line, "header", &found, want).counted_as(Reason::Fatal));
    }
    loop {
        match rows.next_into(&mut row) {
            Ok(false) => return Ok(()),
            Ok(true) => {
                let mut name = String::new();
                let said = said(&row, &mut name);
                if said.is_err() {
                    rows.try_again(&mut row);
                }
                recording.take(said.map(Some))?;
            }
            Err(flaw) => recording.leave_out(flaw)?,
        }
    }
}

fn said<'n>(row: &Row, name: &'n mut String) -> Result<Said<'n>, Flaw> {
    let (line, values) = (row.line, row.values_of(&HEADER)?);
    let at_us = number(line, "offset_us", values[0], MAX_OFFSET_US, "microseconds");
    let at_us = at_us.map_err(|flaw| flaw.counted_as(Reason::Time))?;
    let number_of_sender = values[1].parse::<u64>().map_err(|_| {
        Flaw::value(line, "sender", values[1], "a whole number that stands for one viewer")
    })?;
    *name = format!("viewer {number_of_sender}");
    let bytes = number(line, "bytes", values[2], MAX_TEXT_BYTES.into(), "bytes")?;
    Ok(Said {
        line,
        time: Time::Offset(i64::try_from(at_us).unwrap_or(i64::MAX)),
        sender: Sender { id: None, name: Some(name) },
        content: Content::TextLength(u32::try_from(bytes).unwrap_or(MAX_TEXT_BYTES)),
    })
}

fn number(line: u64, name: &str, found: &str, max: u64, unit: &str) -> Result<u64, Flaw> {
    match found.parse::<u64>() {
        Ok(number) if number <= max => Ok(number),
        Ok(_) => Err(Flaw::value(line, name, found, format_args!("at most {max} {unit}"))),
        Err(_) => Err(Flaw::value(line, name, found, format_args!("a whole number of {unit}"))),
    }
}
