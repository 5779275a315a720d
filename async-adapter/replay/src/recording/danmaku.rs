//! The XML of recorders of live danmaku, and of the danmaku of a video.
//!
//! `<d p="seconds,…" user="">text</d>`, `<gift ts="" user="" giftname="" giftcount=""/>`,
//! `<sc ts="" user="" price="">text</sc>` and `<guard ts="" user=""/>`; and, of other recorders,
//! `<s type="gift" timestamp="" username="" giftname="" num=""/>` for all that is paid. The author
//! is the `uid`, or the 7th value of `p` (in a video the hash of an account), or the name.

use std::borrow::Cow;

use super::builder::{Builder, Said, Sender};
use super::elements::{Element, Elements, Found};
use super::flaw::Flaw;
use super::source::Source;
use super::time::{self, Time};
use super::{Content, MAX_SECONDS};

const NAMES: &[&str] =
    &["d", "gift", "sc", "guard", "s", "video_start_time", "BililiveRecorderRecordInfo"];

/// Reads all messages of the document into the recording.
pub(super) fn read(source: &mut Source<'_>, recording: &mut Builder) -> Result<(), Flaw> {
    let mut elements = Elements::new(source, NAMES);
    let mut buffer = Vec::new();
    let mut place = (0, 0);
    loop {
        match elements.next_into(&mut buffer) {
            Ok(Found::End) => return Ok(()),
            Ok(Found::Other) => {
                recording.pass_over(&format!("<{}>", String::from_utf8_lossy(&buffer)));
            }
            Ok(Found::Element { line, name }) => {
                // Where a line holds many, which of them it is.
                place = (line, if place.0 == line { place.1 + 1 } else { 1 });
                let in_place = |flaw: Flaw| {
                    if place.1 > 1 { flaw.in_record(place.1) } else { flaw }
                };
                match Element::read(line, name, &buffer).map_err(in_place) {
                    Ok(element) => message(element, name, recording, in_place)?,
                    Err(flaw) => recording.leave_out(flaw)?,
                }
            }
            Err(flaw) => recording.leave_out(flaw)?,
        }
    }
}

fn message(
    mut element: Element<'_>,
    name: &'static str,
    recording: &mut Builder,
    in_place: impl Fn(Flaw) -> Flaw,
) -> Result<(), Flaw> {
    let text = element.take_text();
    let found = match name {
        "video_start_time" | "BililiveRecorderRecordInfo" => {
            return match start(&element, &text) {
                Ok(start) => {
                    recording.began_surely(start);
                    Ok(())
                }
                Err(flaw) => recording.leave_out(in_place(flaw)),
            };
        }
        "d" => of_text(&element, text, recording),
        "s" => of_sale(&element, text),
        _ => of_event(&element, name, text),
    };
    let found = match found {
        Ok(Some((time, content))) => sender(&element).map(|sender| Some((time, sender, content))),
        Ok(None) => {
            recording.pass_over("<s> of another type");
            Ok(None)
        }
        Err(flaw) => Err(flaw),
    };
    match found {
        Ok(Some((time, [id, user], content))) => {
            let sender = Sender { id: id.as_deref(), name: user.as_deref() };
            recording.take(Ok(Some(Said { line: element.line, time, sender, content })))
        }
        Ok(None) => Ok(()),
        Err(flaw) => recording.leave_out(in_place(flaw)),
    }
}

/// When the recording began, as the recorder notes it.
fn start(element: &Element<'_>, text: &str) -> Result<Option<i64>, Flaw> {
    let written = element.attribute("start_time")?;
    let written = written.as_deref().unwrap_or(text).trim();
    if written.is_empty() {
        return Ok(None);
    }
    let date = time::number(written).and_then(time::date).or_else(|| time::written_date(written));
    let wrong =
        || Flaw::time(element.line, "the start of the recording", written, "a date, or seconds");
    // Some recorders write 0 before they know it.
    if time::number(written) == Some(0.0) { Ok(None) } else { date.map(Some).ok_or_else(wrong) }
}

type Message = (Time, Content);

fn of_text(
    element: &Element<'_>,
    text: String,
    recording: &mut Builder,
) -> Result<Option<Message>, Flaw> {
    let p = element.required("p", "p=\"seconds,mode,size,color,…\"")?;
    let seconds = p.split(',').next().unwrap_or_default();
    let offset = time::seconds(element.line, "the time in p", seconds)?;
    // The 5th value is the date of the message.
    recording.began(p.split(',').nth(4).and_then(time::number).and_then(time::date), offset);
    Ok(Some((Time::Offset(offset), Content::Text(text))))
}

/// Something that is not a text, with its time in an attribute of this name.
fn time_of(element: &Element<'_>, name: &str) -> Result<Time, Flaw> {
    let found = element.required(name, &format!("{name}=\"seconds\""))?;
    time::any(&found).ok_or_else(|| {
        let want = format!("seconds, -{MAX_SECONDS} to {MAX_SECONDS}, or a date");
        Flaw::time(element.line, name, &found, want)
    })
}

fn of_event(
    element: &Element<'_>,
    name: &'static str,
    text: String,
) -> Result<Option<Message>, Flaw> {
    let content = match name {
        "gift" => Content::Gift {
            name: gift_name(element)?,
            count: element.whole("giftcount", 1)?.unwrap_or(1),
        },
        "sc" => Content::SuperChat { text, price: element.price()? },
        _ => Content::Guard { rank: element.whole("level", 0)? },
    };
    Ok(Some((time_of(element, "ts")?, content)))
}

/// An `<s>`: what is paid, by its type.
fn of_sale(element: &Element<'_>, text: String) -> Result<Option<Message>, Flaw> {
    let kind = element.attribute("type")?.unwrap_or_default();
    let content = match &*kind {
        "gift" => Content::Gift {
            name: gift_name(element)?,
            count: element.whole("num", 1)?.unwrap_or(1),
        },
        "super_chat" | "sc" => Content::SuperChat { text, price: element.price()? },
        "guard_buy" | "guard" => Content::Guard { rank: None },
        _ => return Ok(None),
    };
    Ok(Some((time_of(element, "timestamp")?, content)))
}

fn gift_name(element: &Element<'_>) -> Result<String, Flaw> {
    let name = element.any_attribute(&["giftname", "gift_name"])?;
    Ok(name.map_or_else(|| "gift".to_owned(), Cow::into_owned))
}

/// The author's id and name.
fn sender(element: &Element<'_>) -> Result<[Option<String>; 2], Flaw> {
    let known = |id: &str| !matches!(id.trim(), "" | "0");
    let uid = element.any_attribute(&["uid"])?.map(Cow::into_owned).filter(|id| known(id));
    let id = match uid {
        Some(uid) => Some(uid),
        None => element.attribute("p")?.and_then(|p| {
            p.split(',').nth(6).filter(|id| known(id)).map(|id| id.trim().to_owned())
        }),
    };
    let user = element.any_attribute(&["user", "username", "uname"])?;
    Ok([id, user.map(Cow::into_owned)])
}
