//! The values that options take; each error says what would be right.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::crowd::Speed;

/// The longest run.
const MAX_DURATION: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How many of the simulated viewers are slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlowViewers {
    /// So many, or all if there are fewer.
    Count(u32),
    /// So many of a hundred.
    Percent(u8),
}

impl SlowViewers {
    /// How many of `viewers` are slow.
    pub(crate) fn of(self, viewers: u32) -> u32 {
        match self {
            Self::Count(count) => count.min(viewers),
            Self::Percent(percent) => {
                let slow = u64::from(viewers) * u64::from(percent.min(100)) / 100;
                u32::try_from(slow).unwrap_or(viewers)
            }
        }
    }
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "an address and a port, such as 127.0.0.1:8080".to_owned())
}

pub(super) fn speed(text: &str) -> Result<Speed, String> {
    let speed = text.parse().ok().and_then(Speed::new);
    speed.ok_or_else(|| format!("a number, {} to {}", Speed::MIN, Speed::MAX))
}

pub(super) fn whole(range: RangeInclusive<u32>) -> impl Fn(&str) -> Result<u32, String> + Clone {
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("a whole number, {} to {}", range.start(), range.end()))
    }
}

pub(super) fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("a whole number, 0 to {}", u64::MAX))
}

pub(super) fn slow_viewers(text: &str) -> Result<SlowViewers, String> {
    let slow = match text.strip_suffix('%') {
        Some(percent) => {
            percent.parse().ok().filter(|&percent| percent <= 100).map(SlowViewers::Percent)
        }
        None => text.parse().ok().map(SlowViewers::Count),
    };
    slow.ok_or_else(|| format!("a number of viewers, 0 to {}, or a share, 0% to 100%", u32::MAX))
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let want = || "a whole number and a unit, 1ms to 720h, such as 500ms, 30s, 5m or 1h".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(want)?;
    let (number, unit) = text.split_at(digits);
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(want()),
    };
    let number = number.parse::<u64>().ok().and_then(|number| number.checked_mul(milliseconds));
    let duration = number.map(Duration::from_millis);
    duration.filter(|duration| !duration.is_zero() && *duration <= MAX_DURATION).ok_or_else(want)
}
