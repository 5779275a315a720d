//! The chat JSON of `TwitchDownloader`: one object, with the messages under `comments`.

use serde_json::Value;

use super::Content;
use super::builder::{Builder, Said, Sender};
use super::flaw::Flaw;
use super::json::{self, Record, Records};
use super::source::Source;
use super::time::Time;

const TIME: &str = "content_offset_seconds";

/// Reads all messages of the file into the recording.
pub(super) fn read(source: &mut Source<'_>, recording: &mut Builder) -> Result<(), Flaw> {
    let mut records = Records::new(source, Some("comments"));
    let mut buffer = Vec::new();
    loop {
        match records.next_into(&mut buffer) {
            Ok(None) => return Ok(()),
            Ok(Some(record)) => match record.read(&buffer) {
                Ok(comment) => recording.take(said(record, &comment).map(Some))?,
                Err(flaw) => recording.leave_out(flaw)?,
            },
            Err(flaw) => recording.leave_out(flaw)?,
        }
    }
}

fn said(record: Record, comment: &Value) -> Result<Said<'_>, Flaw> {
    let time = match record.time_at(comment, TIME)? {
        Some(time @ Time::Offset(_)) => time,
        found => {
            let found = found.and_then(|_| json::at(comment, &[TIME]));
            return Err(record.time(TIME, found, "seconds since the video began"));
        }
    };
    let text = match json::text_at(comment, &["message", "body"]) {
        Some(body) => body.to_owned(),
        None => of_fragments(comment).ok_or_else(|| {
            let found = json::at(comment, &["message"]);
            record.value("message", found, "an object with a body")
        })?,
    };
    let bits = json::number_at(comment, &["message", "bits_spent"]).unwrap_or_default();
    let price = super::price(bits).ok_or_else(|| {
        let found = json::at(comment, &["message", "bits_spent"]);
        record.value("bits_spent", found, "a number of bits")
    })?;
    let content = if price > 0 { Content::SuperChat { text, price } } else { Content::Text(text) };
    let of_commenter = |name| json::text_at(comment, &["commenter", name]);
    let name = of_commenter("display_name").filter(|name| !name.is_empty());
    let sender = Sender { id: of_commenter("_id"), name: name.or_else(|| of_commenter("name")) };
    Ok(Said { line: record.line, time, sender, content })
}

/// The text of a message of which only the parts were kept.
fn of_fragments(comment: &Value) -> Option<String> {
    let fragments = json::at(comment, &["message", "fragments"])?.as_array()?;
    Some(fragments.iter().filter_map(|fragment| json::text_at(fragment, &["text"])).collect())
}
