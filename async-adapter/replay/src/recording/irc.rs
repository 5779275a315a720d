//! A plain log of an IRC client: `[2021-07-15 02:01:48] <nick> text`, and its relatives.

use jiff::civil::{Date, Time as Clock};

use super::Content;
use super::builder::{Builder, Said, Sender};
use super::flaw::{Flaw, Quoted, Reason};
use super::source::{self, Source};
use super::time::Time;

const DAY_US: i64 = 86_400_000_000;

/// When a line was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    /// The day, if it is written, in microseconds since 1970.
    day: Option<i64>,
    /// Microseconds since midnight.
    time: i64,
    seconds: Seconds,
}

/// Whether a stamp has seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seconds {
    Yes,
    No,
}

/// What a line says after its stamp.
#[derive(Debug, PartialEq, Eq)]
enum Body<'a> {
    Message {
        nick: &'a str,
        text: &'a str,
    },
    /// Somebody came or went, or the like.
    Notice,
}

/// Reads a stamp, and answers what follows it.
fn stamp(line: &str) -> Option<(Stamp, &str)> {
    let (text, rest) = match line.strip_prefix('[') {
        Some(inside) => inside.split_once(']')?,
        None => ("", line),
    };
    if !text.is_empty() {
        let (stamp, after) = bare_stamp(text)?;
        return matches!(after.trim(), "" | "UTC" | "Z").then_some((stamp, rest));
    }
    bare_stamp(rest)
}

/// Reads `2021-07-15 02:01:48`, `Jul 15 02:01:48`, or one of them without the day.
fn bare_stamp(text: &str) -> Option<(Stamp, &str)> {
    const MONTHS: &str = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec";
    let (day, rest) = match text.get(..10).and_then(|day| day.parse::<Date>().ok()) {
        Some(day) => {
            let days = day.duration_since(Date::constant(1970, 1, 1)).as_secs();
            (Some(days.checked_mul(1_000_000)?), text[10..].strip_prefix([' ', 'T'])?)
        }
        // A day without a year says nothing that the order of the lines does not.
        None if text.get(..4).is_some_and(|month| MONTHS.contains(month.trim_end())) => {
            let (_, rest) = text.get(4..)?.trim_start().split_once(' ')?;
            (None, rest)
        }
        None => (None, text),
    };
    let is_time = |byte: &u8| matches!(byte, b'0'..=b'9' | b':' | b'.' | b',');
    let length = rest.bytes().take_while(|byte| is_time(byte)).count();
    let (time, rest) = rest.split_at(length);
    let seconds = if time.matches(':').count() == 2 { Seconds::Yes } else { Seconds::No };
    if !time.contains(':') {
        return None;
    }
    let time: Clock = time.replace(',', ".").parse().ok()?;
    let time = time.duration_since(Clock::midnight()).as_micros();
    Some((Stamp { day, time: i64::try_from(time).ok()?, seconds }, rest))
}

/// Reads what follows a stamp.
fn body(rest: &str) -> Option<Body<'_>> {
    // A table of time, nick and text.
    if let Some((nick, text)) = rest.strip_prefix('\t').and_then(|rest| rest.split_once('\t')) {
        let nick = plain(nick);
        let is_mark = matches!(nick, "-->" | "<--" | "--" | "=!=" | "*" | "");
        return Some(if is_mark { Body::Notice } else { Body::Message { nick, text } });
    }
    let rest = rest.trim_start();
    if let Some((nick, text)) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        let text = text.strip_prefix([' ', '\t']).unwrap_or(text);
        return Some(Body::Message { nick: plain(nick), text });
    }
    if let Some(action) = rest.strip_prefix("* ") {
        let marks =
            ["Joins:", "Parts:", "Quits:", " has joined", " has left", " has quit", " sets mode"];
        let (nick, text) = action.trim_start().split_once(' ')?;
        let is_notice =
            marks.iter().any(|mark| action.contains(mark)) || action.contains(" is now known as ");
        return Some(if is_notice {
            Body::Notice
        } else {
            Body::Message { nick: plain(nick), text }
        });
    }
    let channel = rest.strip_prefix('#').and_then(|rest| rest.split_once(' '));
    let rest = channel.map_or(rest, |(_, rest)| rest);
    match rest.split_once(": ") {
        Some((nick, text)) if !nick.is_empty() && !nick.contains(char::is_whitespace) => {
            Some(Body::Message { nick: plain(nick), text })
        }
        _ => Some(Body::Notice),
    }
}

/// A nick without the sign of what it may do in the channel.
fn plain(nick: &str) -> &str {
    nick.trim().trim_start_matches(['@', '+', '%', '&', '~', '!'])
}

/// Whether a line is one of such a log, with a message.
pub(super) fn is_line(line: &str) -> bool {
    let body = stamp(line).and_then(|(_, rest)| body(rest));
    matches!(body, Some(Body::Message { .. }))
}

/// Reads all messages of the log into the recording.
pub(super) fn read(source: &mut Source<'_>, recording: &mut Builder) -> Result<(), Flaw> {
    let mut buffer = Vec::new();
    let mut days = Days::default();
    let mut without_seconds = false;
    loop {
        let found = match source.line_into(&mut buffer) {
            Ok(None) => break,
            Ok(Some(number)) => source::text(number, &buffer).map(|text| (number, text)),
            Err(flaw) => Err(flaw),
        };
        let (number, text) = match found {
            Ok((_, text)) if text.trim().is_empty() => continue,
            Ok(found) => found,
            Err(flaw) => {
                recording.leave_out(flaw)?;
                continue;
            }
        };
        // Some clients note when a log begins, and a new day.
        if text.starts_with("---") || text.starts_with("***") {
            recording.pass_over("notices");
            continue;
        }
        match stamp(text).and_then(|(stamp, rest)| Some((stamp, body(rest)?))) {
            None => {
                let what = format!(
                    "{} is no line of such a log: want [2021-07-15 02:01:48] <nick> text",
                    Quoted(text)
                );
                recording.leave_out(Flaw::at(number, Reason::Line, what))?;
            }
            Some((_, Body::Notice)) => recording.pass_over("notices"),
            Some((stamp, Body::Message { nick, text })) => {
                without_seconds |= stamp.seconds == Seconds::No;
                recording.take(Ok(Some(Said {
                    line: number,
                    time: Time::Date(days.date(stamp)),
                    sender: Sender { id: None, name: Some(nick) },
                    content: Content::Text(text.to_owned()),
                })))?;
            }
        }
    }
    if without_seconds {
        recording.remark("times without seconds: all messages of a minute are at its beginning");
    }
    Ok(())
}

/// The days of a log that only tells the time of day.
#[derive(Default)]
struct Days {
    today: i64,
    last: Option<i64>,
}

impl Days {
    fn date(&mut self, Stamp { day, time, .. }: Stamp) -> i64 {
        if let Some(day) = day {
            return day + time;
        }
        // Far back is past midnight, a little is two lines that changed places.
        if self.last.is_some_and(|last| last - time > DAY_US / 2) {
            self.today += DAY_US;
        }
        self.last = Some(time);
        self.today + time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_many_clients_are_messages() {
        for line in [
            "[2021-07-15 02:01:48] <viewer_a> hello",
            "[2021-07-15 02:01:48 UTC] viewer_a: hello",
            "[2021-07-15 02:01:48] #channel viewer_a: hello",
            "[02:01:48] <@viewer_a> hello",
            "[02:01] viewer_a: hello",
            "02:01:48 <+viewer_a> hello",
            "2021-07-15T02:01:48.123 <viewer_a> hello",
            "2021-07-15 02:01:48\t@viewer_a\thello",
            "Jul 15 02:01:48 <viewer_a>\thello",
            "[02:01:48] * viewer_a hello",
        ] {
            let (stamp, rest) = stamp(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(stamp.time / 60_000_000, 121, "{line}");
            let message = Body::Message { nick: "viewer_a", text: "hello" };
            assert_eq!(body(rest), Some(message), "{line}");
        }
    }

    #[test]
    fn who_comes_and_goes_says_nothing() {
        for line in [
            "[2021-07-15 02:01:50] *** viewer_c joined #room",
            "[02:01:50] * viewer_c (a@b) has joined #room",
            "02:01 -!- viewer_c [a@b] has joined #room",
            "2021-07-15 02:01:48\t-->\tviewer_c (a@b) has joined #room",
        ] {
            let (_, rest) = stamp(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(body(rest), Some(Body::Notice), "{line}");
        }
    }

    #[test]
    fn what_has_no_time_is_no_line() {
        for line in ["hello", "[hello] <a> b", "[25:00:00] <a> b", "<a> b", "[02:01:48", "", "12"] {
            assert!(!is_line(line), "{line}");
        }
    }

    #[test]
    fn past_midnight_is_the_next_day() {
        let mut days = Days::default();
        let at = |hour: i64| Stamp { day: None, time: hour * 3_600_000_000, seconds: Seconds::Yes };
        let hours: Vec<_> =
            [22, 23, 1, 0, 12, 1].map(|hour| days.date(at(hour)) / 3_600_000_000).into();
        assert_eq!(hours, [22, 23, 25, 24, 36, 25]);
    }
}
