//! What a run comes to: the engine's books, what was counted beside it, and how long messages waited.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use roomcast::stats::{Deliveries, LevelLedger, RoomSnapshot};
use roomcast::{Batch, Item, PerLevel, Priority};
use roomcast_replay::recording::Recording;

use crate::options::Options;
use crate::room::Said;

/// The longest wait that the percentiles tell apart: an hour.
const MOST_MICROS: u64 = 3_600_000_000;

/// How long the dispatched messages of one level waited.
#[derive(Debug)]
struct Wait {
    /// In microseconds, to three digits.
    histogram: Histogram<u64>,
    longest: Duration,
}

impl Wait {
    fn record(&mut self, waited: Duration) {
        let micros = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        self.histogram.saturating_record(micros);
        self.longest = self.longest.max(waited);
    }

    /// What this share of the waits did not exceed, in milliseconds; never more than the longest of them.
    fn quantile_ms(&self, share: f64) -> f64 {
        // The histogram answers the top of a bucket, which may lie above all that was recorded in it.
        let micros = self.histogram.value_at_quantile(share) as f64;
        (micros / 1e3).min(self.longest_ms())
    }

    fn longest_ms(&self) -> f64 {
        self.longest.as_secs_f64() * 1e3
    }
}

impl Default for Wait {
    fn default() -> Self {
        let histogram =
            Histogram::new_with_bounds(1, MOST_MICROS, 3).expect("the bounds and digits are valid");
        Self { histogram, longest: Duration::ZERO }
    }
}

/// What a session heard that hears all: how long everything had waited, counted beside the engine's own books.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    waits: PerLevel<Wait>,
    missed: PerLevel<u64>,
}

impl Heard {
    /// The session took this.
    pub(crate) fn take(&mut self, batch: &Batch<Said>) {
        for item in batch.items() {
            match item {
                Item::Message(message) => {
                    let waited = message.dispatched_at.saturating_since(message.admitted_at);
                    self.waits[message.priority].record(waited);
                }
                // This server sends nobody anything alone.
                Item::Direct(_) => {}
                Item::Gap { priority, count, .. } => self.missed[priority] += count,
            }
        }
    }

    fn count(&self, level: Priority) -> u64 {
        self.waits[level].histogram.len() + self.missed[level]
    }
}

/// What a run came to, as it is printed at the end.
#[derive(Debug)]
pub(crate) struct Books {
    /// What was run, for the first lines.
    pub(crate) heading: String,
    /// How long it ran, in room time.
    pub(crate) lasted: Duration,
    /// What the engine says.
    pub(crate) room: RoomSnapshot,
    /// What was heard; `None` if the run was cut off.
    pub(crate) heard: Option<Heard>,
    /// What the crowd offered, if nobody else may speak.
    pub(crate) offered: Option<PerLevel<u64>>,
}

impl Books {
    /// Whether the engine's books balance and agree with what was counted beside them.
    pub(crate) fn balance(&self) -> bool {
        let agrees = |(level, row): (Priority, &LevelLedger)| {
            let offered = self.offered.map_or(row.submitted, |offered| offered[level]);
            let heard = self.heard.as_ref().map_or(row.dispatched, |heard| heard.count(level));
            row.submitted == offered && row.dispatched == heard
        };
        self.room.balances() && self.room.admission.ledger.levels.iter().all(agrees)
    }
}

/// The lines that say what is run.
pub(crate) fn heading(options: &Options, recording: &Recording) -> String {
    let Options { rate, queue, likes, gifts, viewers, seed, .. } = options;
    let seconds = recording.length_us() as f64 / 1e6;
    let slow = options.slow_viewers.of(*viewers);
    let over =
        options.config.as_deref().map(|file| format!(", over which {} goes", file.display()));
    format!(
        "recording  {}: {} messages of {} senders in {seconds:.1} s, at speed {}\n\
         crowd      {likes} likes a second, {gifts} gifts a minute, {viewers} viewers ({slow} slow), seed {seed}\n\
         room       {rate} messages a second, a queue of {queue}{}\n",
        recording.name(),
        recording.entries().len(),
        recording.senders().len(),
        options.speed,
        over.unwrap_or_default(),
    )
}

impl fmt::Display for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.heading)?;
        writeln!(f, "lasted     {:.1} s\n", self.lasted.as_secs_f64())?;
        writeln!(f, "MESSAGES\n{}", self.room.admission.ledger)?;
        writeln!(f, "DELIVERIES")?;
        write_deliveries(f, &self.room.audience.deliveries)?;
        self.heard.iter().try_for_each(|heard| write_waits(f, heard))?;
        let verdict = if self.balance() { "the books balance" } else { "THE BOOKS DO NOT BALANCE" };
        writeln!(f, "\n{verdict}")
    }
}

fn write_deliveries(f: &mut fmt::Formatter<'_>, levels: &PerLevel<Deliveries>) -> fmt::Result {
    let names = ["due", "delivered", "skipped", "pending", "excluded", "abandoned"];
    write!(f, "{:<10}", "")?;
    names.iter().try_for_each(|name| write!(f, "{name:>12}"))?;
    writeln!(f)?;
    let total = ("total", levels.values().copied().sum::<Deliveries>());
    for (name, row) in levels.iter().map(|(level, row)| (level.name(), *row)).chain([total]) {
        write!(f, "{name:<10}")?;
        let counts =
            [row.due, row.delivered, row.skipped, row.pending, row.excluded, row.abandoned];
        counts.iter().try_for_each(|count| write!(f, "{count:>12}"))?;
        writeln!(f)?;
    }
    Ok(())
}

fn write_waits(f: &mut fmt::Formatter<'_>, heard: &Heard) -> fmt::Result {
    writeln!(f, "\nWAIT OF DISPATCHED MESSAGES, in milliseconds")?;
    writeln!(f, "{:<10}{:>12}{:>12}{:>12}{:>12}", "", "messages", "p50", "p99", "longest")?;
    for (level, wait) in heard.waits.iter() {
        let (p50, p99) = (wait.quantile_ms(0.5), wait.quantile_ms(0.99));
        let (count, longest) = (wait.histogram.len(), wait.longest_ms());
        writeln!(f, "{level:<10}{count:>12}{p50:>12.1}{p99:>12.1}{longest:>12.1}")?;
    }
    let missed: u64 = heard.missed.values().sum();
    if missed > 0 {
        writeln!(f, "not measured: {missed}, which the measuring session skipped")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_share_of_the_waits_is_longer_than_the_longest() {
        for micros in [0, 1, 999, 2_999, 59_973, 2_998_765, MOST_MICROS] {
            let mut wait = Wait::default();
            wait.record(Duration::from_micros(micros / 2));
            wait.record(Duration::from_micros(micros));
            for share in [0.5, 0.99, 1.0] {
                let (at, longest) = (wait.quantile_ms(share), wait.longest_ms());
                assert!(at <= longest, "{share} of the waits up to {longest} ms: {at} ms");
            }
        }
    }
}
