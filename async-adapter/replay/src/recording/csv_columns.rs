//! A CSV whose columns are known by their names: a time, an author, and a message.

use super::builder::{Builder, Said, Sender};
use super::flaw::{Flaw, Reason};
use super::rows::{Row, Rows};
use super::source::{self, Source};
use super::time::{self, Time};
use super::{Content, MAX_PRICE, MAX_TEXT_BYTES};

/// Names of a column with a time, the clearest first, and how many of its units a second has: none
/// where the value itself shows it.
const TIMES: [(&str, Option<f64>); 22] = [
    ("offset_us", Some(1e6)),
    ("time_us", Some(1e6)),
    ("offset_ms", Some(1e3)),
    ("time_ms", Some(1e3)),
    ("video_offset_time_msec", Some(1e3)),
    ("time_in_seconds", None),
    ("content_offset_seconds", None),
    ("offset_seconds", None),
    ("seconds", None),
    ("offset", None),
    ("time", None),
    ("timestamp", None),
    ("timestamp_ms", None),
    ("timestamp_us", None),
    ("ts", None),
    ("datetime", None),
    ("date_time", None),
    ("created_at", None),
    ("sent_at", None),
    ("published_at", None),
    ("date", None),
    ("time_text", None),
];
const IDS: [&str; 8] = [
    "author_id",
    "user_id",
    "userid",
    "uid",
    "sender_id",
    "commenter_id",
    "author_channel_id",
    "user_hash",
];
const NAMES: [&str; 15] = [
    "author_name",
    "author",
    "user_name",
    "username",
    "user",
    "nickname",
    "nick",
    "display_name",
    "author_display_name",
    "sender_name",
    "sender",
    "commenter_name",
    "commenter",
    "name",
    "from",
];
const TEXTS: [&str; 8] =
    ["message", "text", "body", "content", "comment", "msg", "message_body", "chat"];
const LENGTHS: [&str; 3] = ["bytes", "length", "message_length"];
const PRICES: [&str; 6] = ["money_amount", "amount", "price", "bits_spent", "bits", "paid_amount"];

/// What stands between the values of a row.
const DELIMITERS: [u8; 3] = *b",;\t";

/// Which column is what.
struct Columns {
    names: Vec<String>,
    time: (usize, Option<f64>),
    id: Option<usize>,
    name: Option<usize>,
    text: (usize, IsLength),
    price: Option<usize>,
}

/// Whether the column of the message holds its text or its length.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IsLength {
    Yes,
    No,
}

impl Columns {
    /// The columns of a header; `None` if it names no time, or no message.
    fn of(header: &[&str]) -> Option<Self> {
        let plain: Vec<String> = header.iter().map(|name| plain(name)).collect();
        let place = |name: &str| plain.iter().position(|column| column == name);
        let any = |names: &[&str]| names.iter().find_map(|name| place(name));
        let time = TIMES.iter().find_map(|&(name, a_second)| Some((place(name)?, a_second)))?;
        let text = any(&TEXTS).map(|place| (place, IsLength::No));
        let text = text.or_else(|| any(&LENGTHS).map(|place| (place, IsLength::Yes)))?;
        let names = header.iter().map(|&name| name.to_owned()).collect();
        let (id, name, price) = (any(&IDS), any(&NAMES), any(&PRICES));
        Some(Self { names, time, id, name, text, price })
    }
}

/// A column's name as it is compared: `Author.Name` is `author_name`.
fn plain(name: &str) -> String {
    let name = name.trim().to_lowercase();
    name.replace(|character: char| !character.is_alphanumeric(), "_")
}

/// What stands between the values of this header, if its columns are known.
pub(super) fn delimiter(header: &str) -> Option<u8> {
    DELIMITERS.into_iter().find(|&delimiter| {
        let values: Vec<_> = header.split(char::from(delimiter)).collect();
        let values: Vec<_> = values.iter().map(|name| name.trim().trim_matches('"')).collect();
        Columns::of(&values).is_some()
    })
}

/// Reads all messages of the file into the recording.
pub(super) fn read(source: &mut Source<'_>, recording: &mut Builder) -> Result<(), Flaw> {
    let line = source.line();
    let head = source.head()?;
    let header = head.trim_ascii_start().split(|&byte| byte == b'\n').next().unwrap_or(head);
    let header = source::text(line, header)?.to_owned();
    let no_columns = || {
        let found = header.trim();
        let want = format!(
            "a column for the time ({}, …) and one for the message ({}, …)",
            ["time_in_seconds", "time", "timestamp"].join(", "),
            TEXTS[..3].join(", ")
        );
        Flaw::value(line, "header", found, want).counted_as(Reason::Fatal)
    };
    let delimiter = delimiter(&header).ok_or_else(no_columns)?;
    let mut rows = Rows::new(source, delimiter);
    let mut row = Row::default();
    if !rows.next_into(&mut row)? {
        return Ok(());
    }
    let columns = Columns::of(&row.values()?).ok_or_else(no_columns)?;
    let names: Vec<&str> = columns.names.iter().map(String::as_str).collect();
    loop {
        match rows.next_into(&mut row) {
            Ok(false) => return Ok(()),
            Ok(true) => {
                let values = row.values_of(&names);
                let said = values.and_then(|values| said(row.line, &columns, &values));
                match said {
                    Ok((time, sender, content)) => {
                        let sender =
                            Sender { id: sender[0].as_deref(), name: sender[1].as_deref() };
                        let line = row.line;
                        recording.take(Ok(Some(Said { line, time, sender, content })))?;
                    }
                    Err(flaw) => {
                        rows.try_again(&mut row);
                        recording.leave_out(flaw)?;
                    }
                }
            }
            Err(flaw) => recording.leave_out(flaw)?,
        }
    }
}

type Found = (Time, [Option<String>; 2], Content);

fn said(line: u64, columns: &Columns, values: &[&str]) -> Result<Found, Flaw> {
    let value = |place: usize| values.get(place).copied().unwrap_or_default();
    let name = |place: usize| columns.names[place].as_str();
    let (place, a_second) = columns.time;
    let found = value(place);
    let time = match a_second {
        Some(a_second) => {
            time::number(found).and_then(|units| time::offset(units, a_second).map(Time::Offset))
        }
        None => time::any(found),
    };
    let time = time.ok_or_else(|| Flaw::time(line, name(place), found, time::want_any()))?;
    let (place, is_length) = columns.text;
    let found = value(place);
    let length = || {
        found.parse().ok().filter(|&bytes| bytes <= MAX_TEXT_BYTES).ok_or_else(|| {
            let want = format!("a whole number of bytes, 0 to {MAX_TEXT_BYTES}");
            Flaw::value(line, name(place), found, want)
        })
    };
    let price = columns.price.map_or(Ok(0), |place| price(line, name(place), value(place)))?;
    let content = match (is_length, price) {
        (IsLength::Yes, _) => Content::TextLength(length()?),
        (IsLength::No, 0) => Content::Text(found.to_owned()),
        (IsLength::No, price) => Content::SuperChat { text: found.to_owned(), price },
    };
    let sender = [columns.id, columns.name].map(|place| place.map(|place| value(place).to_owned()));
    Ok((time, sender, content))
}

/// What was paid, rounded up to a whole unit; nothing where nothing is written.
fn price(line: u64, name: &str, found: &str) -> Result<u32, Flaw> {
    if found.is_empty() {
        return Ok(0);
    }
    time::number(found).and_then(super::price).ok_or_else(|| {
        let want = format!("a number, 0 to {MAX_PRICE}, or nothing");
        Flaw::value(line, name, found, want)
    })
}
