//! What all rooms of a node share: the time, the keys, and the calls to the bus.

use super::clocks::Clocks;
use super::{Event, LiveKeys, NodeOptions, Output};
use crate::bus::{CallId, Key, Request};
use crate::wire::Flight;
use roomcast_core::time::Duration;
use roomcast_core::{Instant, RoomId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What a call to the bus is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The lease of this node.
    Lease,
    /// A room's log is read.
    Read(RoomId),
    /// Its key is claimed.
    Claim(RoomId),
    /// A flight is written.
    Write(RoomId),
    /// Its key is given back.
    Release,
    /// The lease is given back.
    Leave,
}

/// What all rooms of a node share.
#[derive(Debug)]
pub(super) struct Shared<M, I> {
    pub(super) options: NodeOptions,
    pub(super) ids: I,
    pub(super) now: Instant,
    /// What tells this start of the node from all others; 0: it has not begun.
    pub(super) incarnation: u64,
    /// Until when the lease holds, by this clock; after that, others may have taken the rooms.
    pub(super) lease_until: Instant,
    /// When the attempt to renew it was sent that was answered last.
    pub(super) renewed_at: Instant,
    /// It is about to stop: it hands over what it owns, and takes nothing.
    pub(super) retires: bool,
    pub(super) keys: LiveKeys,
    pub(super) clocks: Clocks,
    pub(super) outputs: VecDeque<Output<M>>,
    /// The highest number that a forward of a closed room had: an owner that knew the edge passes over what
    /// it has seen, and a room that is opened again goes on behind it.
    pub(super) forwards: u64,
    calls: BTreeMap<CallId, (Instant, Purpose)>,
    deadlines: BTreeSet<(Instant, CallId)>,
    next_call: u64,
}

impl<M, I> Shared<M, I> {
    pub(super) fn new(options: NodeOptions, ids: I) -> Self {
        Self {
            options,
            ids,
            now: Instant::ZERO,
            incarnation: 0,
            lease_until: Instant::ZERO,
            renewed_at: Instant::ZERO,
            retires: false,
            keys: LiveKeys::default(),
            clocks: Clocks::default(),
            outputs: VecDeque::new(),
            forwards: 0,
            calls: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            next_call: 0,
        }
    }

    /// Asks the bus for something that it answers.
    pub(super) fn call(&mut self, purpose: Purpose, request: Request) -> CallId {
        self.next_call += 1;
        let (call, until) = (CallId(self.next_call), self.now + self.options.answer);
        self.calls.insert(call, (until, purpose));
        self.deadlines.insert((until, call));
        self.outputs.push_back(Output::Bus(Some(call), request));
        call
    }

    /// Asks the bus for something that it does not answer.
    pub(super) fn ask(&mut self, request: Request) {
        self.outputs.push_back(Output::Bus(None, request));
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// A call is answered. Returns what it was for, unless it is too late.
    pub(super) fn answered(&mut self, call: CallId) -> Option<Purpose> {
        let (until, purpose) = self.calls.remove(&call)?;
        self.deadlines.remove(&(until, call));
        Some(purpose)
    }

    /// The next call whose answer has not come in time.
    pub(super) fn overdue(&mut self) -> Option<(CallId, Purpose)> {
        let &(_, call) = self.deadlines.first().filter(|(until, _)| *until <= self.now)?;
        self.answered(call).map(|purpose| (call, purpose))
    }

    pub(super) fn next_overdue(&self) -> Option<Instant> {
        self.deadlines.first().map(|(until, _)| *until)
    }

    /// A key of the bus has changed. Returns the incarnation of a node that is gone, if this says so.
    pub(super) fn heard(&mut self, key: Key, revision: u64, value: Option<&[u8]>) -> Option<u64> {
        let heard = self.keys.heard(self.now, key, revision, value);
        if let Some((node, sent_at)) = heard.sent {
            self.clocks.lives(node, sent_at, self.now);
        }
        if let Some(gone) = heard.gone {
            self.clocks.gone(gone);
        }
        heard.gone
    }

    /// The incarnation of a node whose lease has lapsed by the clock here, once.
    pub(super) fn lapsed(&mut self) -> Option<u64> {
        let renewed = (self.renewed_at, self.options.lease);
        let gone = self.keys.lapsed(self.now, self.options.name, renewed)?;
        self.clocks.gone(gone);
        Some(gone)
    }

    /// When [`lapsed`](Self::lapsed) says something.
    pub(super) fn next_lapse(&self) -> Option<Instant> {
        self.keys.next_lapse(self.options.name, (self.renewed_at, self.options.lease))
    }

    /// A flight as it arrives here, by the clock here.
    pub(super) fn arrived(&mut self, flight: Flight<M>) -> Flight<M> {
        let (owner, sent_at, now) = (flight.owner, flight.sent_at, self.now);
        if owner == self.incarnation {
            // By this very clock.
            return flight.arrived(sent_at, now);
        }
        self.clocks.heard(owner, sent_at, now);
        flight.arrived(self.clocks.here(owner, sent_at, now).unwrap_or(now), now)
    }

    /// Whether this node may take itself for the owner of anything.
    pub(super) fn lease_holds(&self) -> bool {
        self.incarnation != 0 && self.now < self.lease_until
    }

    /// How long this node leaves a free room to others: to those at which it is open, who come before
    /// it by a hash that all reckon alike.
    pub(super) fn wait_for_rank(&self, room: RoomId, open_at: impl Fn(u64) -> bool) -> Duration {
        let mine = weight(room, self.options.name);
        let before = self.takers(open_at).filter(|&name| weight(room, name) > mine);
        self.options.rank.saturating_mul(u32::try_from(before.count()).unwrap_or(u32::MAX))
    }

    /// The other nodes that may take a room, of those at which it is open.
    fn takers(&self, open_at: impl Fn(u64) -> bool) -> impl Iterator<Item = u64> {
        let others = self.keys.takers().filter(|(name, _)| *name != self.options.name);
        others.filter(move |&(_, incarnation)| open_at(incarnation)).map(|(name, _)| name)
    }

    /// The first in line of those.
    pub(super) fn heir(&self, room: RoomId, open_at: impl Fn(u64) -> bool) -> Option<u64> {
        self.takers(open_at).max_by_key(|&name| weight(room, name))
    }
}

/// The weight of a node for a room (rendezvous hashing), by the finish of `SplitMix64` (Steele, Lea,
/// Flood, 2014).
fn weight(room: RoomId, node: u64) -> u64 {
    let mut z = room.0 ^ node.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for _ in 0..2 {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
    }
    z
}
