//! What is printed.

use crate::attacked::Attacked;
use crate::bounds::Bounds;
use crate::options::Options;
use crate::orders::Counts;
use roomcast_benches::machine::Machine;
use roomcast_benches::text::{grouped, time};
use serde::Serialize;
use std::fmt;

/// Headings of the table, and how wide its columns are.
const COLUMNS: [(&str, usize); 11] = [
    ("attack", 10),
    ("clients", 7),
    ("did", 23),
    ("RSS", 7),
    ("grew", 9),
    ("a client", 9),
    ("descriptors", 12),
    ("High p50", 9),
    ("p99", 9),
    ("untold", 6),
    ("bounds", 6),
];

/// All attacks of a siege.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    machine: Machine,
    seconds: u32,
    peers: u32,
    messages_a_second: u32,
    bounds: Bounds,
    attacks: Vec<Row>,
    /// The server's last words.
    end: Counts,
    broken: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    attacked: Attacked,
    broken: Vec<String>,
}

impl Report {
    pub(crate) fn new(options: &Options, attacks: Vec<Attacked>, end: Counts) -> Self {
        let bounds = options.bounds();
        let attacks: Vec<_> = attacks
            .into_iter()
            .map(|attacked| Row { broken: bounds.broken_by(&attacked), attacked })
            .collect();
        let mut broken: Vec<_> = attacks.iter().flat_map(|row| row.broken.clone()).collect();
        if !end.balances || end.queued > 0 {
            let queued = end.queued;
            broken.push(format!(
                "books: in the end {queued} messages wait and the room's books {}; none and \
                 balanced would be right",
                if end.balances { "balance" } else { "do not balance" }
            ));
        }
        Self {
            machine: Machine::this(),
            seconds: options.seconds,
            peers: options.peers,
            messages_a_second: options.rate,
            bounds,
            attacks,
            end,
            broken,
        }
    }

    /// The bounds that were broken, each with its figures.
    pub(crate) fn broken(&self) -> impl Iterator<Item = &str> {
        self.broken.iter().map(String::as_str)
    }
}

fn line(f: &mut fmt::Formatter<'_>, cells: &[String; COLUMNS.len()]) -> fmt::Result {
    for (place, (cell, (_, width))) in cells.iter().zip(COLUMNS).enumerate() {
        match place {
            0 => write!(f, "{cell:width$}")?,
            _ => write!(f, "  {cell:>width$}")?,
        }
    }
    writeln!(f)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Siege: {} s an attack, {} healthy peers, {} texts and {} High messages a second; {}.",
            self.seconds,
            self.peers,
            self.messages_a_second,
            crate::server::HIGH_RATE,
            self.machine
        )?;
        writeln!(
            f,
            "Bounds: {} KiB for a hostile client and {} KiB beside, High at p99 within {}, \
             descriptors as before, no gap untold.\n",
            self.bounds.memory >> 10,
            self.bounds.slack >> 10,
            time(self.bounds.high_age)
        )?;
        line(f, &COLUMNS.map(|(heading, _)| heading.to_owned()))?;
        for Row { attacked, broken } in &self.attacks {
            let (attack, growth) = (attacked.attack, attacked.growth());
            let mib = |bytes: u64| format!("{:.1}M", bytes as f64 / f64::from(1 << 20));
            let kib = |bytes: u64| format!("{} KiB", grouped(bytes >> 10));
            let cells = [
                attack.title(),
                attack.clients().to_string(),
                format!("{} {}", grouped(attacked.count), attack.unit()),
                mib(attacked.resident_peak),
                kib(growth),
                kib(growth / u64::from(attack.clients())),
                format!("{} -> {}", attacked.descriptors_before, attacked.descriptors_after),
                time(attacked.watched.high_p50),
                time(attacked.watched.high_p99),
                attacked.watched.untold.to_string(),
                if broken.is_empty() { "held" } else { "BROKEN" }.to_owned(),
            ];
            line(f, &cells)?;
        }
        let dispatched: u64 = self.end.dispatched.iter().sum();
        write!(
            f,
            "\nThe room sent {} messages; its books {}.",
            grouped(dispatched),
            if self.end.balances { "balance" } else { "do not balance" }
        )
    }
}
