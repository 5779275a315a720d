//! The lab as a table: a row for each room and each sort of message.

use std::fmt::{self, Write};

use roomcast::error::{DropReason, RefusalReason};
use roomcast::stats::Reason;

use crate::lab::{Lab, priority, through};
use crate::stream::Stream;
use crate::tally::{Quantile, Tally};

/// The columns that name a row: the room, the priority, what it is.
const NAMES: [usize; 3] = [14, 8, 8];

/// A column of figures: what stands above it, and the figure of a row.
struct Column {
    group: &'static str,
    name: &'static str,
    show: Box<dyn Fn(&Tally) -> String>,
}

/// The whole table, with what was run above it.
pub(crate) fn text(lab: &Lab) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut text, lab);
    text
}

fn write(out: &mut String, lab: &Lab) -> fmt::Result {
    writeln!(
        out,
        "recording  {}: {} messages of {} senders in {:.1} s, at speed {}",
        lab.recording,
        lab.entries,
        lab.senders,
        lab.length_us as f64 / 1e6,
        lab.settings.speed.times(),
    )?;
    writeln!(
        out,
        "on top     {}; seed {}; likes merged: {}\n",
        lab.on_top(),
        lab.settings.seed,
        lab.merge.name()
    )?;
    let columns = columns(lab);
    let streams = lab.streams();
    let figures =
        |tally: &Tally| columns.iter().map(|column| (column.show)(tally)).collect::<Vec<_>>();
    let rows: Vec<_> = lab
        .rooms
        .iter()
        .flat_map(|(preset, trial)| {
            streams.iter().map(|&stream| (preset.name, stream, figures(&trial.tallies[stream])))
        })
        .collect();
    let widths: Vec<_> = (0..columns.len())
        .map(|place| width(&columns[place], rows.iter().map(|row| &row.2[place])))
        .collect();

    write_line(out, ["", "", ""], columns.iter().map(|column| column.group), &widths)?;
    write_line(
        out,
        ["room", "priority", "what"],
        columns.iter().map(|column| column.name),
        &widths,
    )?;
    for (room, stream, figures) in &rows {
        if Some(stream) == streams.first() {
            writeln!(out)?;
        }
        let room = if Some(stream) == streams.first() { room } else { "" };
        write_line(
            out,
            [room, priority(*stream), Stream::name(*stream)],
            figures.iter().map(String::as_str),
            &widths,
        )?;
    }
    writeln!(out, "\nevery figure agrees with the room's own ledger")
}

fn width<'a>(column: &Column, figures: impl Iterator<Item = &'a String>) -> usize {
    let heads = [column.group, column.name].into_iter();
    heads
        .chain(figures.map(String::as_str))
        .map(|cell| cell.chars().count())
        .max()
        .unwrap_or_default()
}

fn write_line<'a>(
    out: &mut String,
    names: [&str; 3],
    cells: impl Iterator<Item = &'a str>,
    widths: &[usize],
) -> fmt::Result {
    let mut line = String::new();
    for (name, width) in names.iter().zip(NAMES) {
        write!(line, "{name:<width$}  ")?;
    }
    for (cell, width) in cells.zip(widths) {
        write!(line, "{cell:>width$}  ")?;
    }
    writeln!(out, "{}", line.trim_end())
}

fn columns(lab: &Lab) -> Vec<Column> {
    fn column(
        group: &'static str,
        name: &'static str,
        show: impl Fn(&Tally) -> String + 'static,
    ) -> Column {
        Column { group, name, show: Box::new(show) }
    }
    let tallies =
        || lab.rooms.iter().flat_map(|(_, trial)| trial.tallies.iter()).map(|(_, tally)| tally);
    let mut columns = vec![
        column("", "offered", |tally| tally.offered.to_string()),
        column("", "dispatched", |tally| tally.dispatched.to_string()),
        column("", "merged", |tally| tally.merged.to_string()),
    ];
    for &reason in DropReason::ALL {
        if tallies().any(|tally| tally.dropped.of(reason) > 0) {
            columns.push(column("dropped:", reason.name(), move |tally| {
                tally.dropped.of(reason).to_string()
            }));
        }
    }
    for &reason in RefusalReason::ALL {
        if tallies().any(|tally| tally.refused.of(reason) > 0) {
            columns.push(column("refused:", reason.name(), move |tally| {
                tally.refused.of(reason).to_string()
            }));
        }
    }
    columns.push(column("", "through", |tally| through(tally).to_string()));
    let micros: [(_, Quantile); 2] = [("age", Tally::age_micros), ("told", Tally::told_micros)];
    for (group, micros) in micros {
        for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
            columns.push(column(group, name, move |tally| {
                micros(tally, share).map_or_else(|| "-".to_owned(), seconds)
            }));
        }
    }
    columns.push(column("", "starved", |tally| seconds(tally.starvation.longest() / 1_000)));
    columns
}

fn seconds(micros: u64) -> String {
    format!("{:.3} s", micros as f64 / 1e6)
}

#[cfg(test)]
mod tests;
