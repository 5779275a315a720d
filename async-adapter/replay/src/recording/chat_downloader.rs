//! The JSON of chat-downloader, of `YouTube`, Twitch and others: an array of messages, or one a
//! line.

use serde_json::Value;

use super::Content;
use super::builder::{Builder, Said, Sender};
use super::flaw::Flaw;
use super::json::{self, Record, Records};
use super::source::Source;
use super::time::{self, Time};

const TIME: &str = "time_in_seconds";

/// Reads all messages of the file into the recording.
pub(super) fn read(source: &mut Source<'_>, recording: &mut Builder) -> Result<(), Flaw> {
    let mut buffer = Vec::new();
    if source.skip_space()? == Some(b'{') {
        return read_lines(source, recording, &mut buffer);
    }
    let mut records = Records::new(source, None);
    loop {
        match records.next_into(&mut buffer) {
            Ok(None) => return Ok(()),
            Ok(Some(record)) => take(record, &buffer, recording)?,
            Err(flaw) => recording.leave_out(flaw)?,
        }
    }
}

fn read_lines(
    source: &mut Source<'_>,
    recording: &mut Builder,
    buffer: &mut Vec<u8>,
) -> Result<(), Flaw> {
    loop {
        match source.line_into(buffer) {
            Ok(None) => return Ok(()),
            Ok(Some(_)) if buffer.trim_ascii().is_empty() => {}
            Ok(Some(line)) => take(Record::on_line(line), buffer, recording)?,
            Err(flaw) => recording.leave_out(flaw)?,
        }
    }
}

fn take(record: Record, buffer: &[u8], recording: &mut Builder) -> Result<(), Flaw> {
    let message = match record.read(buffer) {
        Ok(message) => message,
        Err(flaw) => return recording.leave_out(flaw),
    };
    let found = content(record, &message).and_then(|content| {
        let Some(content) = content else { return Ok(None) };
        let time = time(record, &message, recording)?;
        let author = |name| json::text_at(&message, &["author", name]);
        let name = author("display_name").filter(|name| !name.is_empty());
        let sender = Sender { id: author("id"), name: name.or_else(|| author("name")) };
        Ok(Some(Said { line: record.line, time, sender, content }))
    });
    if let Ok(None) = found {
        let kind = json::text_at(&message, &["message_type"]).unwrap_or("record without a message");
        recording.pass_over(kind);
    }
    recording.take(found)
}

fn time(record: Record, message: &Value, recording: &mut Builder) -> Result<Time, Flaw> {
    let date = json::number_at(message, &["timestamp"]).and_then(time::date);
    match (record.time_at(message, TIME)?, date) {
        (Some(Time::Offset(offset)), date) => {
            recording.began(date, offset);
            Ok(Time::Offset(offset))
        }
        (None, Some(date)) => Ok(Time::Date(date)),
        (Some(Time::Date(_)) | None, _) => {
            let found = json::at(message, &[TIME]);
            Err(record.time(TIME, found, "seconds since the chat began"))
        }
    }
}

/// What was sent; `None` if that is no message.
fn content(record: Record, message: &Value) -> Result<Option<Content>, Flaw> {
    let text = match json::at(message, &["message"]) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        found => return Err(record.value("message", found, "a text")),
    };
    let price = |path: &[&str]| {
        let paid = json::number_at(message, path).unwrap_or_default();
        let want = "a number, 0 to 1000000000";
        super::price(paid).ok_or_else(|| record.value(path[0], json::at(message, path), want))
    };
    let gift = |name: &str, count: u32| Content::Gift { name: name.to_owned(), count };
    let kind = json::text_at(message, &["message_type"]).unwrap_or_default();
    Ok(match kind {
        // What is pinned over the chat is in it as well.
        ticker if ticker.starts_with("ticker_") => None,
        "paid_message" => {
            let (text, price) = (text.unwrap_or_default(), price(&["money", "amount"])?);
            Some(Content::SuperChat { text, price })
        }
        "paid_sticker" => Some(gift("sticker", 1)),
        "membership_item" | "subscription" | "resubscription" | "sub" | "resub" => {
            Some(Content::Guard { rank: None })
        }
        "sponsorships_gift_purchase_announcement" | "subscription_gift" | "subgift" => {
            Some(gift("membership", 1))
        }
        "mystery_subscription_gift" | "submysterygift" => {
            Some(gift("membership", price(&["mass_gift_count"])?.max(1)))
        }
        _ => match (text, price(&["bits"])?) {
            (None, _) => None,
            (Some(text), 0) => Some(Content::Text(text)),
            (Some(text), price) => Some(Content::SuperChat { text, price }),
        },
    })
}
