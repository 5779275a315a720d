//! One contender, measured: a server process, client processes, and what they have to agree on.

use crate::contender::Contender;
use crate::load::{Load, WARM_UP};
use crate::orders::{
    Call, Connected, Counted, Inside, Listening, Order, Seen, Serve, Totals, Window,
};
use roomcast_benches::child::Child;
use roomcast_benches::record;
use std::time::Duration;

/// Connections of one client process at the most; it may hold 20,000 files.
const CONNECTIONS_A_CLIENT: u32 = 9_000;
/// How long a process may take for something that is quick.
const SOON: Duration = Duration::from_secs(30);
/// How long connecting, and reading what is left, may take.
const LATER: Duration = Duration::from_secs(300);

/// What was measured of one contender.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) contender: Contender,
    /// Connections that were in.
    pub(crate) connections: u32,
    /// Why these were not all.
    pub(crate) stopped_by: Option<String>,
    pub(crate) window: Window,
    pub(crate) totals: Totals,
    pub(crate) fast: Seen,
    pub(crate) slow: Seen,
    /// Copies of High messages that were offered and did not reach their client.
    pub(crate) high_lost: u64,
    /// Bytes that were written and not read when the time was over, of all connections.
    pub(crate) in_flight: u64,
    /// What is not as it should be.
    pub(crate) problems: Vec<String>,
}

/// Measures a contender.
///
/// # Errors
/// A process did not do its part; there are no figures.
pub(crate) fn measure(contender: Contender, load: &Load) -> Result<Measured, String> {
    let mut server = Child::start(
        "the server's process".to_owned(),
        "--server",
        &Serve { contender, load: *load },
    )?;
    let Listening { address } = server.hear(SOON)?;
    let mut clients = Vec::new();
    for first in (0..load.connections).step_by(CONNECTIONS_A_CLIENT as usize) {
        let count = CONNECTIONS_A_CLIENT.min(load.connections - first);
        let call = Call { address, wire: contender.wire(), load: *load, first, count };
        clients.push(Child::start(
            format!("client process {}", clients.len() + 1),
            "--client",
            &call,
        )?);
    }
    let (mut connections, mut stopped_by) = (0, None);
    for client in &clients {
        let connected: Connected = client.hear(LATER)?;
        connections += connected.connections;
        stopped_by = stopped_by.or(connected.stopped_by);
    }
    if connections == 0 {
        return Err(stopped_by.unwrap_or_else(|| "no connection was let in".to_owned()));
    }
    server.order(&Order::Await { connections })?;
    let inside: Inside = server.hear(SOON)?;
    if inside.connections < connections.into() {
        return Err(format!(
            "the server let {} connections in, and the clients have {connections}",
            inside.connections
        ));
    }

    let from = record::now() + nanos(WARM_UP);
    let to = from + nanos(Duration::from_secs(load.seconds.into()));
    for child in clients.iter_mut().chain([&mut server]) {
        child.order(&Order::Measure { from, to })?;
    }
    let window: Window = server.hear(WARM_UP + Duration::from_secs(load.seconds.into()) + SOON)?;
    let messages = window.fates.dispatched.iter().sum();
    for client in &mut clients {
        client.order(&Order::Finish { messages })?;
    }
    let (mut all, mut trouble) = (Counted::default(), None);
    for client in &clients {
        let counted: Counted = client.hear(LATER)?;
        all.fast.add(counted.fast);
        all.slow.add(counted.slow);
        all.bytes += counted.bytes;
        all.bytes_in_time += counted.bytes_in_time;
        trouble = trouble.or(counted.trouble);
    }
    server.order(&Order::Finish { messages })?;
    let totals: Totals = server.hear(SOON)?;

    let high = (
        all.fast.received[0] + all.slow.received[0],
        totals.fates.offered[0] * u64::from(connections),
    );
    let mut problems = trouble.into_iter().collect();
    check(contender, &window, &totals, &all, &mut problems);
    let high_lost = high.1.saturating_sub(high.0);
    if contender.has_a_room() && load.high_fits() && high_lost > 0 {
        problems.push(format!(
            "{high_lost} High messages did not reach their client, and none may be lost"
        ));
    }
    let in_flight = window.bytes_in_time.saturating_sub(all.bytes_in_time);
    let Counted { fast, slow, .. } = all;
    Ok(Measured {
        contender,
        connections,
        stopped_by,
        window,
        totals,
        fast,
        slow,
        high_lost,
        in_flight,
        problems,
    })
}

/// What server and clients have to agree on.
fn check(
    contender: Contender,
    window: &Window,
    totals: &Totals,
    all: &Counted,
    problems: &mut Vec<String>,
) {
    let due: u64 = totals.fates.dispatched.iter().sum();
    for (kind, seen) in [("fast", &all.fast), ("slow", &all.slow)] {
        if seen.untold > 0 {
            problems.push(format!(
                "{} messages are missing at {kind} clients and nobody told them",
                seen.untold
            ));
        }
        if seen.connections > 0 && seen.closed == 0 && (seen.least, seen.most) != (due, due) {
            let (least, most) = (seen.least, seen.most);
            problems.push(format!("{kind} clients got or were told of {least} to {most} messages each; {due} would be right"));
        }
    }
    if all.fast.told > 0 && contender.spares_the_fast() {
        problems.push(format!(
            "fast clients missed {} messages, and none would be right",
            all.fast.told
        ));
    }
    if all.fast.closed > 0 {
        problems.push(format!(
            "the server closed {} fast connections, and none would be right",
            all.fast.closed
        ));
    }
    let received: u64 = all.fast.received.iter().chain(&all.slow.received).sum();
    let is_whole = all.fast.closed + all.slow.closed == 0;
    if is_whole && received != totals.counts.messages {
        problems.push(format!(
            "the clients counted {received} messages, and the server {}",
            totals.counts.messages
        ));
    }
    if is_whole && all.bytes != totals.counts.bytes {
        problems.push(format!(
            "the clients counted {} bytes, and the server {}",
            all.bytes, totals.counts.bytes
        ));
    }
    if window.fates.balances == Some(false) || totals.fates.balances == Some(false) {
        problems.push("the room's books do not balance".to_owned());
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
