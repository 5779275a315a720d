//! The CSV trace: `offset_us,sender,bytes`, one message a line, of which only the length was kept.

use super::{Builder, Content, Flaw, MAX_SECONDS, MAX_TEXT_BYTES, Quoted};

const HEADER: [&str; 3] = ["offset_us", "sender", "bytes"];
const MAX_OFFSET_US: u64 = MAX_SECONDS as u64 * 1_000_000;

/// Reads all messages of the trace into the recording.
pub(super) fn read(text: &str, recording: &mut Builder) -> Result<(), Flaw> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    let mut header_seen = false;
    while reader.read_record(&mut record).map_err(|error| unreadable(&error))? {
        let line = record.position().map_or(1, csv::Position::line);
        if header_seen {
            let [offset, sender, bytes] = fields(line, &record)?;
            let at_us = number(line, "offset_us", offset, MAX_OFFSET_US, "microseconds")?;
            let sender = sender.parse::<u64>().map_err(|_| {
                Flaw::value(line, "sender", sender, "a whole number that stands for one viewer")
            })?;
            let bytes = number(line, "bytes", bytes, MAX_TEXT_BYTES.into(), "bytes")?;
            let length = u32::try_from(bytes).unwrap_or(MAX_TEXT_BYTES);
            recording.push(at_us, &format!("viewer {sender}"), Content::TextLength(length));
        } else if record.iter().eq(HEADER) {
            header_seen = true;
        } else {
            let found = record.iter().collect::<Vec<_>>().join(",");
            let want = format!("\"{}\", or the XML of a danmaku recorder", HEADER.join(","));
            return Err(Flaw::value(line, "header", &found, want));
        }
    }
    Ok(())
}

fn fields(line: u64, record: &csv::StringRecord) -> Result<[&str; 3], Flaw> {
    if record.len() != HEADER.len() {
        let found = record.iter().collect::<Vec<_>>().join(",");
        let what =
            format!("{} has {} values: want 3, {}", Quoted(&found), record.len(), HEADER.join(","));
        return Err(Flaw::at(line, what));
    }
    Ok([&record[0], &record[1], &record[2]])
}

fn number(line: u64, name: &str, found: &str, max: u64, unit: &str) -> Result<u64, Flaw> {
    match found.parse::<u64>() {
        Ok(number) if number <= max => Ok(number),
        Ok(_) => Err(Flaw::value(line, name, found, format_args!("at most {max} {unit}"))),
        Err(_) => Err(Flaw::value(line, name, found, format_args!("a whole number of {unit}"))),
    }
}

fn unreadable(error: &csv::Error) -> Flaw {
    match error.position() {
        Some(position) => Flaw::at(position.line(), error.to_string()),
        None => Flaw::of_file(error.to_string()),
    }
}
