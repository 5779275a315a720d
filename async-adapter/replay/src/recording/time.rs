//! When something was sent, in the ways that recorders write it.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::MAX_SECONDS;
use super::flaw::Flaw;

/// From this many seconds on (in 2001), a number is a date and no offset.
const FIRST_DATE: f64 = 1e9;

/// When something was sent, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Time {
    /// Since the recording began, or before it.
    Offset(i64),
    /// Since 1970.
    Date(i64),
}

/// A finite number that a text is.
pub(super) fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// So many units since the recording began, of which a second has so many; at most 30 days of them.
pub(super) fn offset(units: f64, a_second: f64) -> Option<i64> {
    let seconds = units / a_second;
    let is_offset = seconds.abs() <= f64::from(MAX_SECONDS);
    is_offset.then(|| micros(units * (1e6 / a_second)))
}

/// Seconds, milliseconds or microseconds since 1970, told apart by how many they are.
pub(super) fn date(units: f64) -> Option<i64> {
    let a_second = [(1e14, 1e6), (1e11, 1e3), (FIRST_DATE, 1.0)];
    let (_, a_second) = a_second.into_iter().find(|(least, _)| units >= *least)?;
    (units < 1e16).then(|| micros(units * (1e6 / a_second)))
}

#[expect(clippy::cast_possible_truncation, reason = "the callers check the range")]
fn micros(number: f64) -> i64 {
    number.round() as i64
}

/// A date as people write it, such as `2021-07-15T02:01:48.7Z`; UTC where it names no zone.
pub(super) fn written_date(text: &str) -> Option<i64> {
    let text = text.trim();
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    if let Ok(date) = text.parse::<jiff::Timestamp>() {
        return Some(date.as_microsecond());
    }
    let local: DateTime = text.parse().ok()?;
    // A bare day has no time.
    let has_time = text.contains(':');
    let date = TimeZone::UTC.to_timestamp(local).ok().filter(|_| has_time)?;
    Some(date.as_microsecond())
}

/// `[-][hours:]minutes:seconds[.fraction]`.
pub(super) fn written_offset(text: &str) -> Option<i64> {
    let text = text.trim();
    let (sign, text) = text.strip_prefix('-').map_or((1.0, text), |text| (-1.0, text));
    let parts: Vec<&str> = text.split(':').collect();
    let (seconds, larger) = parts.split_last().filter(|(_, larger)| {
        matches!(larger.len(), 1 | 2)
            && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b':' | b'.'))
    })?;
    let mut total = 0_u32;
    for part in larger {
        total = total.checked_mul(60)?.checked_add(part.parse().ok()?)?;
    }
    let seconds = number(seconds).filter(|seconds| *seconds < 60.0)?;
    offset(sign * (f64::from(total) * 60.0 + seconds), 1.0)
}

/// A time in any of these ways.
pub(super) fn any(text: &str) -> Option<Time> {
    match number(text) {
        Some(number) => any_number(number),
        None => {
            written_offset(text).map(Time::Offset).or_else(|| written_date(text).map(Time::Date))
        }
    }
}

/// Seconds since the recording began, or, if they are too many for that, a date.
pub(super) fn any_number(number: f64) -> Option<Time> {
    offset(number, 1.0).map(Time::Offset).or_else(|| date(number).map(Time::Date))
}

/// What [`any`] reads, for an error.
pub(super) fn want_any() -> String {
    format!("seconds, -{MAX_SECONDS} to {MAX_SECONDS}, or a date")
}

/// Seconds since the recording began.
pub(super) fn seconds(line: u64, name: &str, found: &str) -> Result<i64, Flaw> {
    number(found).and_then(|number| offset(number, 1.0)).ok_or_else(|| {
        Flaw::time(line, name, found, format_args!("seconds, -{MAX_SECONDS} to {MAX_SECONDS}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_an_offset_or_a_date() {
        assert_eq!(any("1.5"), Some(Time::Offset(1_500_000)));
        assert_eq!(any("-3.2"), Some(Time::Offset(-3_200_000)));
        for date in ["1626314508", "1626314508000", "1626314508000000"] {
            assert_eq!(any(date), Some(Time::Date(1_626_314_508_000_000)), "{date}");
        }
        for neither in ["2592001", "999999999", "1e300", "NaN", "inf", "", "abc", "1e17"] {
            assert_eq!(any(neither), None, "{neither}");
        }
    }

    #[test]
    fn a_written_time_is_an_offset_or_a_date() {
        assert_eq!(any("-0:03"), Some(Time::Offset(-3_000_000)));
        assert_eq!(any("1:02:03.5"), Some(Time::Offset(3_723_500_000)));
        for date in [
            "2021-07-15T02:01:48.7Z",
            "2021-07-15 02:01:48.7",
            "2021-07-15 02:01:48.7 UTC",
            "2021-07-15T10:01:48.7+08:00",
        ] {
            assert_eq!(any(date), Some(Time::Date(1_626_314_508_700_000)), "{date}");
        }
        for neither in ["1:60", "1:2:3:4", "1:", ":1", "2021-07-15", "2021-13-15 02:01:48", "-"] {
            assert_eq!(any(neither), None, "{neither}");
        }
    }
}
