//! The picture: for each room, what got through of each sort of message, how old it was, and how
//! soon the senders of the rest were told.

mod bars;
mod canvas;

use crate::lab::{Lab, LabError, priority};
use crate::tally::{Quantile, Tally};
use bars::{Bars, Scale};
use canvas::{Anchor, Canvas, GREY, INK, Ink, PALE, of_stream};

/// The width of the picture; a README shows about so much of it.
const WIDTH: u32 = 1_000;
/// The margin on all sides.
const MARGIN: i32 = 24;
/// What is above the rooms: the title, the load, the legend, the names of the scales.
const HEAD: i32 = 142;
/// What is below them: the numbers of the scales.
const FOOT: i32 = 34;
/// The height of a bar, and its distance to the next one.
const BAR: (i32, i32) = (12, 15);
/// Between two rooms.
const GAP: i32 = 16;
/// From one sort of message in the legend to the next.
const KEY: i32 = 145;
/// Where the panel of what got through begins and ends.
const SHARES: (i32, i32) = (210, 430);
/// Where the panel of ages begins and ends.
const AGES: (i32, i32) = (500, 640);
/// Where the panel of how soon the shed were told begins and ends.
const TOLD: (i32, i32) = (755, 895);

/// The picture as an SVG document on white, which is readable on any page.
pub(crate) fn svg(lab: &Lab) -> Result<String, LabError> {
    let streams = lab.streams();
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    let room_height = (BAR.1 * count(streams.len())).max(2 * BAR.1) + GAP;
    let height = HEAD + room_height * count(lab.rooms.len()) + FOOT;
    let mut text = String::new();
    let canvas = Canvas::new(&mut text, (WIDTH, height.unsigned_abs()))?;
    let tallies =
        || lab.rooms.iter().flat_map(|(_, trial)| trial.tallies.iter()).map(|(_, tally)| tally);
    let times = |panel, of: Quantile| {
        let longest = tallies().filter_map(|tally| of(tally, 0.99)).max();
        Scale::new(panel, rounded_up(longest.unwrap_or_default() as f64 / 1e6))
    };
    let bars = Bars {
        canvas: &canvas,
        shares: Scale::new(SHARES, 1.0),
        ages: times(AGES, Tally::age_micros),
        told: times(TOLD, Tally::told_micros),
    };
    head(&canvas, lab)?;
    let rooms_end = HEAD + room_height * count(lab.rooms.len()) - GAP;
    bars.scales((HEAD - 8, rooms_end + 6))?;
    for ((preset, trial), place) in lab.rooms.iter().zip(0..) {
        let top = HEAD + room_height * place;
        let middle = top + (room_height - GAP) / 2;
        canvas.bold((MARGIN, middle - 8), 15, preset.name)?;
        canvas.text((MARGIN, middle + 9), 12, Anchor::StartPosition, GREY, preset.label)?;
        for (&stream, row) in streams.iter().zip(0..) {
            bars.row((top + BAR.1 * row, BAR.0), stream, &trial.tallies[stream])?;
        }
    }
    canvas.finish()?;
    Ok(text)
}

/// The title, the load, and what the colours mean.
fn head(canvas: &Canvas<'_>, lab: &Lab) -> Result<(), LabError> {
    canvas.bold(
        (MARGIN, 26),
        20,
        "How others do it: what gets through, how old it is, how soon the rest are told",
    )?;
    let load = format!(
        "{}, {} messages of {} people, at {} times its speed, with {} on top",
        lab.recording,
        lab.entries,
        lab.senders,
        lab.settings.speed.times(),
        lab.on_top(),
    );
    canvas.text((MARGIN, 51), 13, Anchor::StartPosition, GREY, &load)?;
    let mut left = MARGIN;
    let mut key = |ink: Ink, name: &str| {
        canvas.fill((left, 70), (12, 12), ink)?;
        canvas.text((left + 18, 76), 13, Anchor::StartPosition, INK, name)?;
        left += KEY;
        Ok(())
    };
    for stream in lab.streams() {
        key(of_stream(stream), &format!("{} ({})", stream.name(), priority(stream)))?;
    }
    key(PALE, "lost")?;
    canvas.bold((SHARES.0, 110), 14, "got through (lighter: merged)")?;
    canvas.bold((AGES.0, 110), 14, "age at dispatch: p50, p99")?;
    canvas.bold((TOLD.0, 110), 14, "the shed told after: p50, p99")
}

/// The least round number that is not below: 1, 2 or 5 times a power of ten.
fn rounded_up(value: f64) -> f64 {
    let mut unit = 0.001;
    loop {
        for round in [1.0, 2.0, 5.0].map(|factor| factor * unit) {
            if value <= round {
                return round;
            }
        }
        unit *= 10.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_ends_at_a_round_number() {
        let close = |value: f64, end: f64| (rounded_up(value) / end - 1.0).abs() < 1e-9;
        assert!(
            close(0.0, 0.001)
                && close(0.9, 1.0)
                && close(1.1, 2.0)
                && close(4.9, 5.0)
                && close(26.0, 50.0)
        );
    }
}
