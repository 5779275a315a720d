//! The bars of one row: what got through, how old it was, how soon the rest were told.

use super::canvas::{Anchor, Canvas, GREY, INK, LINE, PALE, WHITE, of_stream};
use crate::lab::{LabError, through};
use crate::share::Share;
use crate::stream::Stream;
use crate::tally::{Quantile, Tally};

/// The scale of shares is marked at so many places after 0.
const TICKS: i32 = 5;
/// A scale of times likewise.
const TIME_TICKS: i32 = 2;

/// Numbers from 0 to an end, laid over pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    from: i32,
    to: i32,
    end: f64,
}

impl Scale {
    /// From one pixel to another; the number at the second one is `end`.
    pub(super) fn new((from, to): (i32, i32), end: f64) -> Self {
        Self { from, to, end }
    }

    /// How many pixels wide a number is: at least one, unless it is 0.
    fn width(self, value: f64) -> i32 {
        if value <= 0.0 {
            return 0;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a share of the width of the picture")]
        let pixels = (f64::from(self.to - self.from) * (value / self.end).min(1.0)).round() as i32;
        pixels.max(1)
    }
}

/// Where the bars go.
pub(super) struct Bars<'a, 'b> {
    pub(super) canvas: &'a Canvas<'b>,
    pub(super) shares: Scale,
    pub(super) ages: Scale,
    pub(super) told: Scale,
}

impl Bars<'_, '_> {
    /// The lines of the scales from top to bottom, with their numbers below.
    pub(super) fn scales(&self, (top, bottom): (i32, i32)) -> Result<(), LabError> {
        let percent = |value: f64| format!("{:.0}%", value * 100.0);
        let seconds = |value: f64| format!("{} s", (value * 1e3).round() / 1e3);
        let panels = [
            (self.shares, TICKS, &percent as &dyn Fn(f64) -> String),
            (self.ages, TIME_TICKS, &seconds),
            (self.told, TIME_TICKS, &seconds),
        ];
        for (scale, ticks, show) in panels {
            for tick in 0..=ticks {
                let value = scale.end * f64::from(tick) / f64::from(ticks);
                let x = scale.from + scale.width(value);
                self.canvas.upright(x, (top, bottom), LINE)?;
                self.canvas.text((x, bottom + 12), 12, Anchor::Middle, GREY, &show(value))?;
            }
        }
        Ok(())
    }

    /// The bars of one stream of one room.
    pub(super) fn row(
        &self,
        (top, height): (i32, i32),
        stream: Stream,
        tally: &Tally,
    ) -> Result<(), LabError> {
        let ink = of_stream(stream);
        let bar = |scale: Scale, value, ink| {
            self.canvas.fill((scale.from, top), (scale.width(value), height), ink)
        };
        let label = |x, words: &str| {
            // No line of a scale runs through it.
            let about = 7 * i32::try_from(words.len()).unwrap_or_default();
            self.canvas.fill((x + 3, top), (about, height), WHITE)?;
            self.canvas.text((x + 6, top + height / 2), 12, Anchor::StartPosition, INK, words)
        };

        bar(self.shares, 1.0, PALE)?;
        bar(self.shares, through(tally).as_f64(), ink.lighter())?;
        bar(self.shares, Share { part: tally.dispatched, of: tally.offered }.as_f64(), ink)?;
        label(self.shares.to, &through(tally).to_string())?;

        let times = |scale: Scale, of: Quantile, none| {
            let (Some(p50), Some(p99)) = (of(tally, 0.5), of(tally, 0.99)) else {
                return label(scale.from, none);
            };
            let [p50, p99] = [p50, p99].map(|micros| micros as f64 / 1e6);
            bar(scale, p99, ink.lighter())?;
            bar(scale, p50, ink)?;
            label(scale.from + scale.width(p99), &both(p50, p99))
        };
        times(self.ages, Tally::age_micros, "nothing got through")?;
        times(self.told, Tally::told_micros, "nobody was shed")
    }
}

/// Both times, or the one that they are.
fn both(p50: f64, p99: f64) -> String {
    let (p50, p99) = (short(p50), short(p99));
    if p50 == p99 { p50 } else { format!("{p50}, {p99}") }
}

/// Seconds, or milliseconds where there are few.
fn short(seconds: f64) -> String {
    if seconds >= 0.9995 { format!("{seconds:.1} s") } else { format!("{:.0} ms", seconds * 1e3) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_nothing_is_seen() {
        let scale = Scale::new((100, 300), 2.0);
        assert_eq!(
            [0.0, 1e-9, 1.0, 2.0, 3.0].map(|value| scale.width(value)),
            [0, 1, 100, 200, 200]
        );
    }

    #[test]
    fn times_are_short_to_read() {
        assert_eq!(
            [0.0, 0.012, 0.9994, 1.0, 4.98].map(short),
            ["0 ms", "12 ms", "999 ms", "1.0 s", "5.0 s"]
        );
        assert_eq!([both(0.5, 0.993), both(4.97, 5.0)], ["500 ms, 993 ms", "5.0 s"]);
    }
}
