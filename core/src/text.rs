//! Durations, rates and quotas as people write them: "1m 30s", "40/s", "2/s burst 5".
//!
//! `serde(with = "crate::text")` reads and writes a field so.

use crate::quota::{Quota, Rate, RateLimit};
use crate::time::Duration;
use core::fmt;
use core::marker::PhantomData;
use core::num::NonZeroU32;
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::ser::Serializer;

/// What is written as a text.
pub(crate) trait Text: Sized {
    /// How it is written, for an error.
    const LIKE: &'static str;

    /// Returns what a text says; `None` if it is not written so.
    fn parse(text: &str) -> Option<Self>;

    /// Writes the text that says it.
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// The units, the largest first, with their nanoseconds. Of several of one length the first is
/// written.
const UNITS: [(&str, u64); 10] = [
    ("d", 86_400 * SECOND),
    ("h", 3_600 * SECOND),
    ("m", 60 * SECOND),
    ("min", 60 * SECOND),
    ("s", SECOND),
    ("sec", SECOND),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
];
const SECOND: u64 = 1_000_000_000;

impl Text for Duration {
    const LIKE: &'static str =
        "a duration such as \"200 ms\", \"5 s\" or \"1m 30s\" (d, h, m, s, ms, us, ns)";

    fn parse(text: &str) -> Option<Self> {
        let mut text = text.trim();
        if text == "0" {
            return Some(Self::ZERO);
        }
        let mut sum = None;
        while !text.is_empty() {
            let (number, rest) = number(text)?;
            let rest = rest.trim_start();
            let (unit, rest) = word(rest);
            let &(_, nanos) = UNITS.iter().find(|&&(known, _)| known == unit)?;
            let part = number.checked_mul(nanos)?;
            sum = Some(part.checked_add(sum.unwrap_or(0))?);
            text = rest.trim_start();
        }
        sum.map(Self::from_nanos)
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = crate::time::saturating_nanos(*self);
        if left == 0 {
            return f.write_str("0 s");
        }
        let mut space = "";
        for (unit, nanos) in UNITS {
            if left >= nanos {
                write!(f, "{space}{}{unit}", left / nanos)?;
                (left, space) = (left % nanos, " ");
            }
        }
        Ok(())
    }
}

impl Text for Rate {
    const LIKE: &'static str = "a rate such as \"40/s\", \"10/min\" or \"40/200ms\", at least 1";

    fn parse(text: &str) -> Option<Self> {
        let (count, period) = text.split_once('/')?;
        let (count, rest) = number(count.trim())?;
        let period = period.trim();
        let unit = UNITS.iter().find(|&&(unit, _)| unit == period);
        let period = match unit {
            Some(&(_, nanos)) => Duration::from_nanos(nanos),
            None => Duration::parse(period)?,
        };
        let count = NonZeroU32::new(u32::try_from(count).ok()?)?;
        Self::new(count, period).filter(|_| rest.trim().is_empty())
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = crate::time::saturating_nanos(self.period());
        match UNITS.iter().find(|&&(_, unit)| unit == nanos) {
            Some((unit, _)) => write!(f, "{}/{unit}", self.count()),
            None => write!(f, "{}/{}", self.count(), Shown(&self.period())),
        }
    }
}

impl Text for Quota {
    const LIKE: &'static str = "a quota such as \"2/s\" or \"2/s burst 5\", both at least 1";

    fn parse(text: &str) -> Option<Self> {
        let Some((rate, burst)) = text.split_once("burst") else {
            let rate = Rate::parse(text)?;
            return Some(Self { rate, burst: rate.count() });
        };
        let (burst, rest) = number(burst.trim())?;
        let burst = NonZeroU32::new(u32::try_from(burst).ok()?)?;
        rest.is_empty().then_some(Self { rate: Rate::parse(rate)?, burst })
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rate.show(f)?;
        if self.burst == self.rate.count() { Ok(()) } else { write!(f, " burst {}", self.burst) }
    }
}

impl Text for RateLimit {
    const LIKE: &'static str =
        "a limit such as \"40/s\", \"40/s burst 10\", \"40/s window\" or \"unlimited\"";

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text == "unlimited" {
            return Some(Self::Unlimited);
        }
        match text.strip_suffix("window") {
            Some(rate) => Rate::parse(rate).map(Self::Window),
            None => Quota::parse(text).map(Self::Bucket),
        }
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bucket(quota) => quota.show(f),
            Self::Window(rate) => write!(f, "{} window", Shown(rate)),
            Self::Unlimited => f.write_str("unlimited"),
        }
    }
}

/// The number that a text begins with, in digits that underscores may set apart; and the rest.
fn number(text: &str) -> Option<(u64, &str)> {
    let is_digit = |c: char| c.is_ascii_digit() || c == '_';
    let end = text.find(|c| !is_digit(c)).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut value = 0_u64;
    for digit in digits.bytes().filter(|&digit| digit != b'_') {
        value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    Some((value, rest))
}

/// The letters that a text begins with, and the rest.
fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_alphabetic()).unwrap_or(text.len()))
}

/// A text, to be written.
struct Shown<'a, T>(&'a T);

impl<T: Text> fmt::Display for Shown<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f)
    }
}

struct TextVisitor<T>(PhantomData<T>);

impl<T: Text> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::LIKE)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// Reads a text.
pub(crate) fn deserialize<'de, D: Deserializer<'de>, T: Text>(from: D) -> Result<T, D::Error> {
    from.deserialize_str(TextVisitor(PhantomData))
}

/// Writes a text.
pub(crate) fn serialize<S: Serializer, T: Text>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&Shown(value))
}

/// A text, or nothing.
pub(crate) mod option {
    use super::{Shown, Text, TextVisitor};
    use core::fmt;
    use core::marker::PhantomData;
    use serde::de::{Deserializer, Error, Visitor};
    use serde::ser::Serializer;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, T: Text>(
        from: D,
    ) -> Result<Option<T>, D::Error> {
        from.deserialize_option(OptionVisitor(PhantomData))
    }

    #[expect(clippy::ref_option, reason = "as serde calls it")]
    pub(crate) fn serialize<S: Serializer, T: Text>(
        value: &Option<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => to.serialize_some(&format_args!("{}", Shown(value))),
            None => to.serialize_none(),
        }
    }

    struct OptionVisitor<T>(PhantomData<T>);

    impl<'de, T: Text> Visitor<'de> for OptionVisitor<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            TextVisitor::<T>(PhantomData).expecting(f)
        }

        fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
            super::deserialize(from).map(Some)
        }
    }
}
