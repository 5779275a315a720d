//! How old what a member gets is said to be, beside how old it is: whatever the clocks say.

use super::Text;
use roomcast_cluster::bus::{Key, Record};
use roomcast_cluster::wire::{Flight, NodeLease, Numbers};
use roomcast_core::Instant;
use roomcast_core::handover::HandOver;
use roomcast_core::time::Duration;
use std::collections::BTreeMap;

/// By how much two clocks drift apart at the most, in millionths, and by how much a node may take them to.
const DRIFT_PPM: u64 = 10_000;

/// For so long a node may have heard nothing of another that it begins anew with it.
const LONG: u64 = 2_500_000_000;

/// When each message was let in and went out, by no node's clock, and how long what comes is on its way.
#[derive(Debug, Default)]
pub(crate) struct Ages {
    /// By the message: the incarnation of the owner, and when it was let in and went out.
    times: BTreeMap<u64, (u64, u64, u64)>,
    /// By receiver, and by the incarnation of the sender: the least time on the way, and when that was so.
    ways: BTreeMap<(usize, u64), (u64, u64)>,
    /// Which machine each incarnation was on.
    machines: BTreeMap<u64, usize>,
}

impl Ages {
    pub(crate) fn started(&mut self, incarnation: u64, machine: usize) {
        self.machines.insert(incarnation, machine);
    }

    /// A log has accepted a flight; `at` says when it was what time by a machine's clock.
    pub(crate) fn accepted(&mut self, record: &Record, at: impl Fn(usize, Instant) -> u64) {
        let Ok(flight) = Flight::<Text>::decode(&record.bytes, &mut Numbers) else { return };
        let Some(&owner) = self.machines.get(&flight.owner) else { return };
        for parts in flight.messages.iter().map(|sent| &sent.parts) {
            let [admitted, dispatched] =
                [parts.admitted_at, parts.dispatched_at].map(|its| at(owner, its));
            let times = (flight.owner, admitted, dispatched);
            self.times.entry(parts.payload.parse().unwrap_or(0)).or_insert(times);
        }
    }

    /// A machine hears a lease, or that it has lapsed.
    pub(crate) fn heard(
        &mut self,
        receiver: usize,
        (key, value): (Key, Option<&[u8]>),
        now: u64,
        at: impl Fn(usize, Instant) -> u64,
    ) {
        let Key::Node(name) = key else { return };
        let machine = usize::try_from(name - 1).expect("small");
        let lease = value.and_then(|value| NodeLease::decode(value).ok());
        let Some(NodeLease { incarnation: sender, sent_at: Some(sent_at), .. }) = lease else {
            let machines = &self.machines;
            self.ways.retain(|(its, sender), _| *its != receiver || machines[sender] != machine);
            return;
        };
        if !self.machines.contains_key(&sender) {
            // Its first: it does not know itself what tells it from others.
            return;
        }
        let delay = now.saturating_sub(at(machine, sent_at));
        let before = self.ways.get(&(receiver, sender));
        let known = before
            .filter(|(_, heard)| now - heard < LONG)
            .map(|_| self.late(receiver, sender, now));
        let least = known.flatten().map_or(delay, |late| late.min(delay));
        self.ways.insert((receiver, sender), (least, now));
    }

    /// By how much what a sender says may look too young to a receiver.
    fn late(&self, receiver: usize, sender: u64, now: u64) -> Option<u64> {
        let &(least, at) = self.ways.get(&(receiver, sender))?;
        Some(least + (now - at) * 2 * DRIFT_PPM / 1_000_000)
    }

    /// A machine that starts anew knows nothing.
    pub(crate) fn forgets(&mut self, receiver: usize) {
        self.ways.retain(|(its, _), _| *its != receiver);
    }

    /// A flight reaches the edge at a machine, whose clock says `now`.
    pub(crate) fn handed_on(
        &self,
        receiver: usize,
        handed: &HandOver<Text>,
        (at, now): (u64, Instant),
    ) -> Result<(), String> {
        let started = self.machines.iter().rev().find(|(_, machine)| **machine == receiver);
        let own = started.map(|(incarnation, _)| *incarnation);
        for message in handed.messages() {
            let tag = message.payload.parse().unwrap_or(0);
            let Some(&(owner, admitted, dispatched)) = self.times.get(&tag) else {
                return Err(format!("{tag} is in no log"));
            };
            let is_own = own == Some(owner);
            let late = if is_own { Some(0) } else { self.late(receiver, owner, at) };
            let said = [(message.admitted_at, admitted), (message.dispatched_at, dispatched)];
            for (said, was) in said {
                let (age, is) = (nanos(now.saturating_since(said)), at.saturating_sub(was));
                let drifted = is * 2 * DRIFT_PPM / 1_000_000 + 1_000;
                if age > is + drifted {
                    return Err(format!("D73: {tag} is {is} ns old, and said to be {age} ns"));
                }
                if late.is_some_and(|late| age + late + drifted < is) {
                    return Err(format!(
                        "D73: {tag} is {is} ns old, and said to be only {age} ns (late: {late:?})"
                    ));
                }
            }
        }
        Ok(())
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
