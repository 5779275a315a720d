//! All figures of one run, as tables and as JSON.

use crate::contender::Contender;
use crate::load::{Load, SIPPED};
use crate::orders::Times;
use crate::run::Measured;
use roomcast_benches::machine::Machine;
use roomcast_benches::text::{grouped, time, times};
use serde::Serialize;
use std::fmt;

/// All that was asked for.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    machine: Machine,
    load: Load,
    rounds: u32,
    contenders: Vec<Row>,
}

/// One server. Times are in nanoseconds; what is not said to be from the first message on is of the
/// window.
#[derive(Debug, Serialize)]
struct Row {
    contender: Contender,
    connections: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_by: Option<String>,
    seconds: f64,
    cpu_ns: u64,
    system_share: f64,
    writes: u64,
    messages: u64,
    bytes: u64,
    cpu_ns_per_write: f64,
    cpu_ns_per_message: f64,
    /// Processor time for a write, as a multiple of the bare loop's.
    per_write_to_bare: Option<f64>,
    /// Processor time for a delivered message, as a multiple of axum's with a broadcast channel.
    per_message_to_axum: Option<f64>,
    high: Option<Latency>,
    normal: Option<Latency>,
    /// High, at clients that read slowly.
    slow_high: Option<Latency>,
    slow_normal: Option<Latency>,
    /// The receive buffer of a client that reads slowly, and how long such a one needs for it.
    slow_receive_buffer: Option<u64>,
    slow_receive_buffer_ns: Option<u64>,
    /// Bytes that were written and not read when the window ended, of all connections.
    in_flight: u64,
    /// Connections that could not take more when the window ended; `None` where the server does
    /// not know.
    blocked: Option<u64>,
    stalled: u64,
    /// By level, from the first message on, until everything had arrived.
    offered: [u64; 4],
    dispatched: [u64; 4],
    received: [u64; 4],
    /// Messages that clients missed and were told.
    told_fast: u64,
    told_slow: u64,
    high_lost: u64,
    balances: Option<bool>,
    problems: Vec<String>,
    /// Processor time for a write in each round.
    rounds_cpu_ns_per_write: Vec<f64>,
}

/// From the offer until a client has read it.
#[derive(Clone, Copy, Debug, Serialize)]
struct Latency {
    p50: u64,
    p99: u64,
    max: u64,
    count: u64,
}

impl Latency {
    fn new(times: &Times) -> Option<Self> {
        let mut times = times.clone();
        times.sort_unstable();
        let count: u64 = times.iter().map(|(_, count)| count).sum();
        let at = |part: u64| {
            let mut left = (count * part).div_ceil(100);
            times.iter().find(|(_, count)| {
                left = left.saturating_sub(*count);
                left == 0
            })
        };
        Some(Self { p50: at(50)?.0, p99: at(99)?.0, max: times.last()?.0, count })
    }
}

fn per(sum: u64, count: u64) -> f64 {
    sum as f64 / count.max(1) as f64
}

fn per_write(one: &Measured) -> f64 {
    per(one.window.cpu_ns, one.window.counts.writes)
}

fn per_message(one: &Measured) -> f64 {
    per(one.window.cpu_ns, one.window.counts.messages)
}

impl Row {
    /// The middle of the rounds of one contender, beside the middles of those it is compared with.
    fn new(
        rounds: &[Measured],
        one: &Measured,
        bare: Option<&Measured>,
        axum: Option<&Measured>,
    ) -> Self {
        let (window, counts, fates) = (&one.window, &one.window.counts, &one.totals.fates);
        let mut received = one.fast.received;
        received.iter_mut().zip(one.slow.received).for_each(|(sum, slow)| *sum += slow);
        Self {
            contender: one.contender,
            connections: one.connections,
            stopped_by: one.stopped_by.clone(),
            seconds: window.seconds,
            cpu_ns: window.cpu_ns,
            system_share: window.system_share,
            writes: counts.writes,
            messages: counts.messages,
            bytes: counts.bytes,
            cpu_ns_per_write: per_write(one),
            cpu_ns_per_message: per_message(one),
            per_write_to_bare: bare.map(|bare| per_write(one) / per_write(bare)),
            per_message_to_axum: axum.map(|axum| per_message(one) / per_message(axum)),
            high: Latency::new(&one.fast.high),
            normal: Latency::new(&one.fast.normal),
            slow_high: Latency::new(&one.slow.high),
            slow_normal: Latency::new(&one.slow.normal),
            slow_receive_buffer: one.slow.receive_buffer,
            slow_receive_buffer_ns: one
                .slow
                .receive_buffer
                .map(|bytes| bytes.saturating_mul(1_000_000_000) / u64::from(SIPPED)),
            in_flight: one.in_flight,
            blocked: counts.blocked,
            stalled: one.totals.counts.stalled,
            offered: fates.offered,
            dispatched: fates.dispatched,
            received,
            told_fast: one.fast.told,
            told_slow: one.slow.told,
            high_lost: rounds.iter().map(|round| round.high_lost).max().unwrap_or(0),
            balances: fates
                .balances
                .map(|_| rounds.iter().all(|round| round.totals.fates.balances == Some(true))),
            problems: rounds.iter().flat_map(|round| round.problems.iter().cloned()).collect(),
            rounds_cpu_ns_per_write: rounds.iter().map(per_write).collect(),
        }
    }
}

/// The round with the middle processor time for a write.
fn middle(rounds: &[Measured]) -> Option<&Measured> {
    let mut rounds: Vec<_> = rounds.iter().collect();
    rounds.sort_by(|one, other| per_write(one).total_cmp(&per_write(other)));
    rounds.get(rounds.len() / 2).copied()
}

impl Report {
    /// Of the rounds of each contender.
    pub(crate) fn new(load: Load, rounds: u32, all: &[Vec<Measured>]) -> Self {
        let middles: Vec<_> =
            all.iter().filter_map(|rounds| middle(rounds).map(|one| (rounds, one))).collect();
        let of =
            |contender| middles.iter().map(|(_, one)| *one).find(|one| one.contender == contender);
        let (bare, axum) = (of(Contender::Bare), of(Contender::AxumBroadcast));
        let contenders =
            middles.iter().map(|(rounds, one)| Row::new(rounds, one, bare, axum)).collect();
        Self { machine: Machine::this(), load, rounds, contenders }
    }

    /// What is not as it should be, a line each.
    pub(crate) fn problems(&self) -> impl Iterator<Item = String> {
        self.contenders.iter().flat_map(|row| {
            row.problems.iter().map(|line| format!("{}: {line}", row.contender.title()))
        })
    }
}

fn latency(latency: Option<Latency>) -> String {
    latency.map_or("-".to_owned(), |Latency { p50, p99, max, .. }| {
        [p50, p99, max].map(|nanos| format!("{:>9}", time(nanos))).join(" ")
    })
}

fn micros(nanos: f64) -> String {
    format!("{:.2} us", nanos / 1e3)
}

fn or_dash(what: Option<impl ToString>) -> String {
    what.map_or("-".to_owned(), |what| what.to_string())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Load { connections, rate, window_ms, seconds, high_every, overload, threads, .. } =
            self.load;
        let slow = self.load.slow_clients();
        let times_over = if overload > 1 { format!(" times {overload}") } else { String::new() };
        writeln!(
            f,
            "{} connections over loopback, {rate} messages a second{times_over}, one in {high_every} High, {slow};",
            grouped(connections.into())
        )?;
        writeln!(
            f,
            "coalescing window {window_ms} ms for all but High (axum with a broadcast channel has none), {seconds} s, {} server thread{}.",
            threads,
            if threads == 1 { "" } else { "s" }
        )?;
        writeln!(
            f,
            "Machine: {}. Server and clients in processes of their own, on the same cores.\n",
            self.machine
        )?;
        writeln!(
            f,
            "{:<35} {:>7} {:>9} {:>8} {:>9} {:>8} {:>10} {:>11} {:>9} {:>7}",
            "server",
            "conns",
            "CPU/write",
            "to bare",
            "CPU/msg",
            "to axum",
            "writes",
            "delivered",
            "MB",
            "CPU"
        )?;
        for row in &self.contenders {
            writeln!(
                f,
                "{:<35} {:>7} {:>9} {:>8} {:>9} {:>8} {:>10} {:>11} {:>9.1} {:>5.1} %",
                row.contender.title(),
                grouped(row.connections.into()),
                micros(row.cpu_ns_per_write),
                times(row.per_write_to_bare),
                micros(row.cpu_ns_per_message),
                times(row.per_message_to_axum),
                grouped(row.writes),
                grouped(row.messages),
                row.bytes as f64 / 1e6,
                row.cpu_ns as f64 / row.seconds / 1e7,
            )?;
        }
        let title = format!("{:>9} {:>9} {:>9}", "p50", "p99", "max");
        writeln!(
            f,
            "\n{:<35} {title} {title} {:>7} {:>7} {:>9} {:>9} {:>9} {:>6}",
            "latency of High, then of Normal",
            "blocked",
            "stalled",
            "told fast",
            "told slow",
            "High lost",
            "books"
        )?;
        for row in &self.contenders {
            writeln!(
                f,
                "{:<35} {:>29} {:>29} {:>7} {:>7} {:>9} {:>9} {:>9} {:>6}",
                row.contender.title(),
                latency(row.high),
                latency(row.normal),
                or_dash(row.blocked),
                row.stalled,
                grouped(row.told_fast),
                grouped(row.told_slow),
                grouped(row.high_lost),
                or_dash(row.balances.map(|balances| if balances { "right" } else { "WRONG" })),
            )?;
        }
        if self.contenders.iter().any(|row| row.slow_high.is_some()) {
            writeln!(
                f,
                "\n{:<35} {title} {title} {:>11} {:>15}",
                "slow clients: High, then Normal", "in flight", "receive buffer"
            )?;
            for row in &self.contenders {
                writeln!(
                    f,
                    "{:<35} {:>29} {:>29} {:>9} B {:>15}",
                    row.contender.title(),
                    latency(row.slow_high),
                    latency(row.slow_normal),
                    grouped(row.in_flight),
                    or_dash(row.slow_receive_buffer.map(|bytes| format!("{} B", grouped(bytes)))),
                )?;
            }
        }
        if let Some(full) = self.contenders.iter().find_map(|row| row.slow_receive_buffer_ns) {
            writeln!(
                f,
                "A slow client reads {SIPPED} B a second: a full receive buffer is {} of it, and twice that is what High should stay below.",
                time(full)
            )?;
        }
        for row in &self.contenders {
            if let Some(why) = &row.stopped_by {
                writeln!(
                    f,
                    "\n{}: {} connections were reached; then {why}.",
                    row.contender.title(),
                    row.connections
                )?;
            }
        }
        write!(
            f,
            "\nCPU: the server's processor time, user's and system's, by calls that write to a socket, by messages that sockets took to the\n\
             last byte. Latency: from the offer until a fast client has read it, of each High message and of one Normal message in 64;\n\
             slow clients time each.\n\
             Blocked: connections that could not take more when the time was over. Told: messages that clients missed and were told.\n\
             Slow clients read on when the time is over, faster: what they had yet to read then is as old as it is.\n\
             In flight: written and not read when the time was over, all connections together.\n\
             High lost: copies that were offered and never reached their client, once all that was held back had been read.\n\
             {}\n\
             What clients counted and what the server counted is the same{}.",
            self.load.high_rule(),
            if self.problems().next().is_some() { ", but for what is said below" } else { "" }
        )
    }
}
