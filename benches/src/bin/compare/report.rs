//! All figures of one run, as a table and as JSON.

use crate::contender::{Contender, Figures};
use serde::Serialize;
use std::fmt;

/// One run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    machine: Machine,
    members: u32,
    messages: u32,
    /// Threads that publish and deliver.
    threads: u32,
    /// No contender waits for more messages before it wakes anyone.
    coalescing_window_ns: u64,
    contenders: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Machine {
    cores: Option<usize>,
    system: &'static str,
    architecture: &'static str,
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    figures: Figures,
    /// Nanoseconds per delivery, as a multiple of the bare sweep's.
    to_bare_sweep: Option<f64>,
    /// Nanoseconds per delivery, as a multiple of tokio broadcast's.
    to_tokio_broadcast: Option<f64>,
}

impl Report {
    pub(crate) fn new(members: u32, messages: u32, all: &[Figures]) -> Self {
        let of = |contender| all.iter().find(|figures| figures.contender == contender).and_then(|figures| figures.ns_per_delivery);
        let (sweep, tokio) = (of(Contender::BareSweep), of(Contender::TokioBroadcast));
        let ratio = |figures: &Figures, base: Option<f64>| Some(figures.ns_per_delivery? / base.filter(|&base| base > 0.0)?);
        let contenders = all.iter().map(|figures| Row {
            figures: *figures,
            to_bare_sweep: ratio(figures, sweep),
            to_tokio_broadcast: ratio(figures, tokio),
        });
        Self {
            machine: Machine {
                cores: std::thread::available_parallelism().ok().map(usize::from),
                system: std::env::consts::OS,
                architecture: std::env::consts::ARCH,
            },
            members,
            messages,
            threads: 1,
            coalescing_window_ns: 0,
            contenders: contenders.collect(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cores = self.machine.cores.map_or("an unknown number of".to_owned(), |cores| cores.to_string());
        writeln!(f, "{} members, {} messages one after the other.", grouped(self.members.into()), grouped(self.messages.into()))?;
        writeln!(
            f,
            "Machine: {cores} cores, {} on {}. Each contender on one thread, in a process of its own. Coalescing window: none.\n",
            self.machine.system, self.machine.architecture
        )?;
        writeln!(
            f,
            "{:<39} {:>11} {:>9} {:>9} {:>10} {:>10} {:>10} {:>12} {:>14}",
            "", "ns/delivery", "to sweep", "to tokio", "publish50", "publish99", "max", "B/session", "handed"
        )?;
        for row in &self.contenders {
            let figures = &row.figures;
            writeln!(
                f,
                "{:<39} {:>11} {:>9} {:>9} {:>10} {:>10} {:>10} {:>12} {:>14}",
                figures.contender.title(),
                figures.ns_per_delivery.map_or("-".to_owned(), |ns| format!("{ns:.2}")),
                times(row.to_bare_sweep),
                times(row.to_tokio_broadcast),
                time(figures.publish_p50),
                time(figures.publish_p99),
                time(figures.publish_max),
                match (figures.bytes_per_session, figures.deliveries) {
                    (Some(bytes), _) => format!("{bytes:.0}"),
                    (None, Some(_)) => "not measured".to_owned(),
                    (None, None) => "-".to_owned(),
                },
                figures.deliveries.map_or("-".to_owned(), grouped),
            )?;
        }
        write!(
            f,
            "\nns/delivery: from the publish until the last member has the message, by members, median of the rounds. `to sweep`, `to tokio`: the\n\
             multiple of the bare sweep's, of tokio broadcast's. Publish: one call, with the clock's reading, and with caches that the delivery\n\
             before it left cold. B/session: growth of resident memory with all members waiting and a first message through; not measured off\n\
             Linux and below 1,000 members. Handed: counted by the sinks. Members are guests: no peer knows who a receiver is."
        )
    }
}

/// A multiple, with three digits that count.
fn times(ratio: Option<f64>) -> String {
    match ratio {
        None => "-".to_owned(),
        Some(ratio) if ratio < 0.1 => format!("{ratio:.4}x"),
        Some(ratio) if ratio < 10.0 => format!("{ratio:.2}x"),
        Some(ratio) => format!("{ratio:.0}x"),
    }
}

/// A time in the unit that reads best.
fn time(nanos: u64) -> String {
    match nanos {
        0..10_000 => format!("{nanos} ns"),
        10_000..10_000_000 => format!("{:.1} us", nanos as f64 / 1e3),
        _ => format!("{:.1} ms", nanos as f64 / 1e6),
    }
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
