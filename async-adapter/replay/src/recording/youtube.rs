//! The `live_chat` JSON lines of `YouTube`, as yt-dlp keeps them: one action a line.

use serde_json::Value;

use super::Content;
use super::builder::{Builder, Said, Sender};
use super::flaw::Flaw;
use super::json::{self, Record};
use super::source::Source;
use super::time::{self, Time};

const TIME: &str = "videoOffsetTimeMsec";

/// Reads all messages of the file into the recording.
pub(super) fn read(source: &mut Source<'_>, recording: &mut Builder) -> Result<(), Flaw> {
    let mut buffer = Vec::new();
    loop {
        match source.line_into(&mut buffer) {
            Ok(None) => return Ok(()),
            Ok(Some(_)) if buffer.trim_ascii().is_empty() => {}
            Ok(Some(line)) => {
                let record = Record::on_line(line);
                match record.read(&buffer) {
                    Ok(action) => line_of(record, &action, recording)?,
                    Err(flaw) => recording.leave_out(flaw)?,
                }
            }
            Err(flaw) => recording.leave_out(flaw)?,
        }
    }
}

/// Takes all messages of a line.
fn line_of(record: Record, line: &Value, recording: &mut Builder) -> Result<(), Flaw> {
    let replay = line.get("replayChatItemAction");
    let actions = replay.and_then(|replay| replay.get("actions")).and_then(Value::as_array);
    let actions = actions.map_or(std::slice::from_ref(line), Vec::as_slice);
    let offset = replay.and_then(|replay| replay.get(TIME)).or_else(|| line.get(TIME));
    for action in actions {
        let item = json::at(action, &["addChatItemAction", "item"]).and_then(Value::as_object);
        let Some((kind, item)) = item.and_then(|item| item.iter().next()) else {
            let kinds = action.as_object().into_iter().flatten();
            let kind = kinds.map(|(kind, _)| kind.as_str()).find(|kind| kind.ends_with("Action"));
            recording.pass_over(kind.unwrap_or("line without a message"));
            continue;
        };
        let found = content(record, kind, item).and_then(|content| {
            let Some(content) = content else { return Ok(None) };
            let time = time(record, offset, item, recording)?;
            let name = json::text_at(item, &["authorName", "simpleText"]);
            let sender = Sender { id: json::text_at(item, &["authorExternalChannelId"]), name };
            Ok(Some(Said { line: record.line, time, sender, content }))
        });
        if let Ok(None) = found {
            recording.pass_over(kind);
        }
        recording.take(found)?;
    }
    Ok(())
}

fn time(
    record: Record,
    offset: Option<&Value>,
    item: &Value,
    recording: &mut Builder,
) -> Result<Time, Flaw> {
    let date = json::number_at(item, &["timestampUsec"]).and_then(time::date);
    let Some(found) = offset else {
        let none = || record.time(TIME, None, "milliseconds since the video began");
        return date.map(Time::Date).ok_or_else(none);
    };
    let number = match found {
        Value::String(text) => time::number(text),
        value => value.as_f64(),
    };
    let offset = number.and_then(|number| time::offset(number, 1e3));
    let wrong = || record.time(TIME, Some(found), "milliseconds since the video began");
    let offset = offset.ok_or_else(wrong)?;
    // What was said before the video began is at 0, and only this says how long before.
    let written = json::text_at(item, &["timestampText", "simpleText"]);
    let before = written.and_then(time::written_offset).filter(|before| *before < 0);
    let offset = before.filter(|_| offset == 0).unwrap_or(offset);
    recording.began(date, offset);
    Ok(Time::Offset(offset))
}

/// What was sent; `None` if that is no message.
fn content(record: Record, kind: &str, item: &Value) -> Result<Option<Content>, Flaw> {
    let text = || text(item.get("message"));
    let paid = || {
        let found = json::at(item, &["purchaseAmountText", "simpleText"]);
        let amount = found.and_then(Value::as_str).and_then(amount).and_then(super::price);
        amount.ok_or_else(|| record.value("purchaseAmountText", found, "an amount"))
    };
    let gift = |name: &str| Content::Gift { name: name.to_owned(), count: 1 };
    Ok(match kind {
        "liveChatTextMessageRenderer" => Some(Content::Text(text())),
        "liveChatPaidMessageRenderer" => Some(Content::SuperChat { text: text(), price: paid()? }),
        "liveChatPaidStickerRenderer" => Some(gift("sticker")),
        "liveChatMembershipItemRenderer" => Some(Content::Guard { rank: None }),
        "liveChatSponsorshipsGiftPurchaseAnnouncementRenderer" => Some(gift("membership")),
        _ => None,
    })
}

/// The words and emojis of a message.
fn text(message: Option<&Value>) -> String {
    let Some(message) = message else { return String::new() };
    if let Some(simple) = json::text_at(message, &["simpleText"]) {
        return simple.to_owned();
    }
    let runs = message.get("runs").and_then(Value::as_array).into_iter().flatten();
    let run = |run| {
        let shortcut = |run| json::at(run, &["emoji", "shortcuts"])?.get(0)?.as_str();
        let emoji = |run| shortcut(run).or_else(|| json::text_at(run, &["emoji", "emojiId"]));
        json::text_at(run, &["text"]).or_else(|| emoji(run))
    };
    runs.filter_map(run).collect()
}

/// The number in an amount with its currency, such as `CA$1,234.50` or `￥200`.
fn amount(text: &str) -> Option<f64> {
    let is_part = |character: char| matches!(character, '0'..='9' | '.' | ',');
    let begins = text.find(|character: char| character.is_ascii_digit())?;
    let number: String = text[begins..].chars().take_while(|&part| is_part(part)).collect();
    let number = number.trim_end_matches(['.', ',']);
    // Two digits at most after the last sign are a fraction, three are thousands.
    let last = number.rfind(['.', ',']).filter(|last| number.len() - last <= 3);
    let (whole, fraction) = match last {
        Some(last) => (&number[..last], &number[last + 1..]),
        None => (number, ""),
    };
    format!("{}.{fraction}0", whole.replace(['.', ','], "")).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::amount;

    #[test]
    fn an_amount_is_read_as_it_is_written() {
        for (text, number) in
            [("$5.00", 5.0), ("CA$1,234.50", 1_234.5), ("￥200", 200.0), ("12,34 €", 12.34)]
        {
            assert_eq!(amount(text), Some(number), "{text}");
        }
        assert_eq!(amount("₩10,000"), Some(10_000.0));
        assert_eq!(amount("free"), None);
    }
}
