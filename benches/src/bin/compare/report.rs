//! All figures of one run, as tables and as JSON.

use crate::contender::{Contender, Figures, Load};
use roomcast_benches::machine::Machine;
use roomcast_benches::text::{grouped, threads, time, times};
use serde::Serialize;
use std::fmt;

/// One contender and what became of it: its figures, or why it was skipped.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) contender: Contender,
    pub(crate) threads: u32,
    pub(crate) result: Result<Figures, String>,
}

/// All that was asked for.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    machine: Machine,
    members: u32,
    messages: u32,
    /// Messages that are published together.
    burst: u32,
    /// No contender waits for more messages before it wakes anyone.
    coalescing_window_ns: u64,
    runs: Vec<Run>,
}

/// All contenders, on so many threads.
#[derive(Debug, Serialize)]
struct Run {
    /// Threads that publish and deliver, where members are tasks.
    threads: u32,
    contenders: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    contender: Contender,
    /// Threads that it used: one, where nothing of it is a task.
    threads: u32,
    #[serde(flatten)]
    figures: Option<Figures>,
    /// Why there are no figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<String>,
    /// Nanoseconds per delivery, as a multiple of the bare sweep's.
    to_bare_sweep: Option<f64>,
    /// Nanoseconds per delivery, as a multiple of tokio broadcast's.
    to_tokio_broadcast: Option<f64>,
}

impl Run {
    fn new(threads: u32, all: &[Measured]) -> Self {
        let cost =
            |one: &Measured| one.result.as_ref().ok().and_then(|figures| figures.ns_per_delivery);
        let of = |contender| {
            all.iter()
                .find(|one| one.contender == contender)
                .and_then(cost)
                .filter(|&base| base > 0.0)
        };
        let (sweep, tokio) = (of(Contender::BareSweep), of(Contender::TokioBroadcast));
        let contenders = all.iter().map(|one| Row {
            contender: one.contender,
            threads: one.threads,
            figures: one.result.as_ref().ok().copied(),
            skipped: one.result.as_ref().err().cloned(),
            to_bare_sweep: cost(one).zip(sweep).map(|(cost, base)| cost / base),
            to_tokio_broadcast: cost(one).zip(tokio).map(|(cost, base)| cost / base),
        });
        Self { threads, contenders: contenders.collect() }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<39} {:>11} {:>9} {:>9} {:>10} {:>10} {:>10} {:>12} {:>14}",
            format!("On {}", threads(self.threads)),
            "ns/delivery",
            "to sweep",
            "to tokio",
            "publish50",
            "publish99",
            "max",
            "B/session",
            "handed"
        )?;
        for row in &self.contenders {
            let mark = if row.threads == self.threads { "" } else { " *" };
            let title = format!("{}{mark}", row.contender.title());
            let Some(figures) = &row.figures else {
                writeln!(f, "{title:<39} skipped: {}", row.skipped.as_deref().unwrap_or_default())?;
                continue;
            };
            writeln!(
                f,
                "{title:<39} {:>11} {:>9} {:>9} {:>10} {:>10} {:>10} {:>12} {:>14}",
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
        Ok(())
    }
}

impl Report {
    /// The load's threads are those of the runs.
    pub(crate) fn new(load: Load, runs: &[(u32, Vec<Measured>)]) -> Self {
        Self {
            machine: Machine::this(),
            members: load.members,
            messages: load.messages,
            burst: load.burst,
            coalescing_window_ns: 0,
            runs: runs.iter().map(|(threads, all)| Run::new(*threads, all)).collect(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let together = match self.burst {
            1 => "one after the other".to_owned(),
            burst => format!("{burst} together, one burst after the other"),
        };
        writeln!(
            f,
            "{} members, {} messages, {together}.",
            grouped(self.members.into()),
            grouped(self.messages.into())
        )?;
        writeln!(
            f,
            "Machine: {}. Each contender in a process of its own. Coalescing window: none.\n",
            self.machine
        )?;
        for run in &self.runs {
            writeln!(f, "{run}")?;
        }
        if self.runs.iter().any(|run| run.contenders.iter().any(|row| row.threads != run.threads)) {
            writeln!(
                f,
                "* on one thread here, too: nothing of it is a task, and the core's sweep is not spread over threads yet."
            )?;
        }
        write!(
            f,
            "ns/delivery: from the first publish of a burst until the last member has the last message, by members and messages, median of the\n\
             rounds. `to sweep`, `to tokio`: the multiple of the bare sweep's, of tokio broadcast's. Publish: one call, with the clock's reading,\n\
             and with caches that the delivery before it left cold; from a task, with whatever preempts it. B/session: growth of resident memory\n\
             with all members waiting and a first burst through; not measured off Linux and below 1,000 members. Handed: counted by the sinks.\n\
             Members are guests: no peer knows who a receiver is."
        )
    }
}
