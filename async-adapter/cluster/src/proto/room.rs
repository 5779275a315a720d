//! A room at a node: its edge's link, its log as it is read, and perhaps its owner.

use super::Event;
use super::claim::Claim;
use super::follow::{Follower, concerns_edge};
use super::link::Link;
use super::owner::Owner;
use super::shared::{Purpose, Shared};
use super::silence::Silence;
use crate::bus::{Answer, CallId, Record, Request};
use crate::wire::{Flight, Forwards, HostIds, Wire};
use roomcast_core::message::Payload;
use roomcast_core::{Instant, PerLevel, RoomConfig, RoomId};
use std::collections::BTreeMap;

/// The most records that wait behind a hole; what is more is read from the log when its turn comes.
const MAX_HELD: usize = 1_024;

/// What a reading of the log is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// The last record, to begin with.
    Begin,
    /// The record that has all that is known.
    Checkpoint,
    /// The one that follows what was read.
    Next,
    /// The last, before a takeover.
    TakeOver,
    /// The last, because nobody knows whether this flight was accepted.
    Resolve { epoch: u64, number: u64 },
}

/// A room at a node.
#[derive(Debug)]
pub(super) struct Room<M> {
    pub(super) id: RoomId,
    pub(super) config: Box<RoomConfig>,
    pub(super) link: Link<M>,
    pub(super) follower: Option<Follower>,
    /// Whether the host has an edge.
    pub(super) opened: bool,
    /// The log has been found to be empty, before anything of it was read.
    pub(super) is_new: bool,
    /// What came behind a hole, by place.
    held: BTreeMap<u64, Record>,
    readings: Vec<(CallId, Reading)>,
    /// When something of the room was last heard.
    pub(super) heard_at: Instant,
    /// It is long ago, and the log has nothing newer.
    pub(super) is_stale: bool,
    /// What the host is told of that.
    silence: Silence,
    /// When to read on, if nothing comes before.
    read_at: Instant,
    /// Where the log ended when it was first asked: with that, the host can have an edge.
    opens_at: u64,
    /// The last place that was held when the log was last asked for what follows.
    held_when_asked: u64,
    pub(super) claim: Claim,
    pub(super) owner: Option<Owner<M>>,
}

impl<M: Payload + Wire + Clone> Room<M> {
    pub(super) fn new<I>(id: RoomId, config: Box<RoomConfig>, shared: &mut Shared<M, I>) -> Self {
        shared.ask(Request::Subscribe { room: id });
        Self {
            id,
            config,
            link: Link::behind(shared.forwards),
            follower: None,
            opened: false,
            is_new: false,
            held: BTreeMap::new(),
            readings: Vec::new(),
            heard_at: shared.now,
            is_stale: false,
            silence: Silence::default(),
            read_at: shared.now,
            opens_at: 0,
            held_when_asked: 0,
            claim: Claim::default(),
            owner: None,
        }
    }

    /// Reads the log, unless that is under way.
    pub(super) fn read<I>(&mut self, shared: &mut Shared<M, I>, what: Reading) {
        if self.readings.iter().any(|(_, other)| *other == what) {
            return;
        }
        let room = self.id;
        let request = match what {
            Reading::Begin | Reading::TakeOver | Reading::Resolve { .. } => Request::Last { room },
            Reading::Next => {
                self.held_when_asked = self.held.last_key_value().map_or(0, |(at, _)| *at);
                Request::After { room, at: self.follower.as_ref().map_or(0, |all| all.applied) }
            }
            Reading::Checkpoint => return,
        };
        let call = shared.call(Purpose::Read(room), request);
        self.readings.push((call, what));
    }

    /// A reading is answered.
    pub(super) fn was_read<I: HostIds>(
        &mut self,
        shared: &mut Shared<M, I>,
        call: CallId,
        answer: Answer,
    ) {
        let Some(place) = self.readings.iter().position(|(its, _)| *its == call) else { return };
        let (_, what) = self.readings.swap_remove(place);
        let record = match answer {
            Answer::Read(record) => Ok(record),
            _ => Err(()),
        };
        match (what, record) {
            (Reading::TakeOver, record) => self.read_to_take_over(shared, record),
            (Reading::Resolve { epoch, number }, record) => {
                self.resolve(shared, (epoch, number), record);
            }
            (_, Err(())) => self.read_at = shared.now + shared.options.resend,
            (Reading::Next, Ok(record)) => self.fill(shared, record),
            (Reading::Begin, Ok(None)) => {
                self.is_new = self.follower.is_none();
                self.read_at = shared.now + shared.options.resend;
            }
            (Reading::Begin, Ok(Some(record))) => self.begin(shared, &record),
            (Reading::Checkpoint, Ok(record)) => {
                self.read_at = shared.now;
                // Asked for twice, it is answered twice; reading never goes back.
                if let (Some(record), None) = (record, &self.follower) {
                    self.start(shared, &record);
                }
            }
        }
    }

    /// The last record is known; reading begins at the one that has all that is known.
    fn begin<I: HostIds>(&mut self, shared: &mut Shared<M, I>, record: &Record) {
        self.opens_at = self.opens_at.max(record.at);
        if self.follower.is_some() || self.start(shared, record) {
            return;
        }
        self.read_at = shared.now + shared.options.resend;
        let Ok(flight) = Flight::<M>::decode(&record.bytes, &mut shared.ids) else { return };
        let request = Request::After { room: self.id, at: flight.checkpoint.saturating_sub(1) };
        let call = shared.call(Purpose::Read(self.id), request);
        self.readings.push((call, Reading::Checkpoint));
    }

    /// Follows the log from this record on, if it has all that is known.
    fn start<I: HostIds>(&mut self, shared: &mut Shared<M, I>, record: &Record) -> bool {
        let Ok(flight) = Flight::<M>::decode(&record.bytes, &mut shared.ids) else { return false };
        let flight = shared.arrived(flight);
        self.follower = Follower::begin(record.at, shared.now, &flight);
        if self.follower.is_none() {
            return false;
        }
        (self.is_new, self.heard_at) = (false, shared.now);
        self.open(shared);
        if !self.opened {
            self.read(shared, Reading::Next);
        }
        true
    }

    /// A record has come, from whoever passes them on or out of the log.
    pub(super) fn receive<I: HostIds>(&mut self, shared: &mut Shared<M, I>, record: Record) {
        if self.owner.as_ref().is_some_and(|owner| owner.writes(&record)) {
            // Its own flight, before the answer to the append.
            self.have_written(shared, record.at);
            return;
        }
        if self.follower.is_none() {
            // Reading begins with the last of the log.
            self.read_at = shared.now;
            return;
        }
        if self.held.len() < MAX_HELD {
            self.held.insert(record.at, record);
        }
        self.drain(shared);
        self.tell_caught(shared);
    }

    /// Takes what follows what was read, and asks for what is missing before the rest.
    fn drain<I: HostIds>(&mut self, shared: &mut Shared<M, I>) {
        while let (Some(follower), Some((&at, first))) =
            (&self.follower, self.held.first_key_value())
        {
            let follows = first.previous == follower.applied || first.previous == 0;
            if at <= follower.applied {
                self.held.remove(&at);
            } else if follows {
                if let Some(record) = self.held.remove(&at) {
                    self.take(shared, &record, false);
                }
            } else {
                self.read(shared, Reading::Next);
                return;
            }
        }
    }

    /// What came follows what was read, or there is nothing more in the log.
    fn tell_caught<I>(&mut self, shared: &mut Shared<M, I>) {
        if self.held.is_empty()
            && let Some(event) = self.silence.caught(self.id)
        {
            shared.tell(event);
        }
    }

    /// When the host is to be told that nothing is heard.
    fn stale_at<I>(&self, shared: &Shared<M, I>) -> Option<Instant> {
        let may = self.opened && !self.silence.is_told;
        may.then(|| self.heard_at + shared.options.lease)
    }

    /// The log says what follows what was read: what is held before that is in no log any more, and
    /// neither is what is missing before it.
    fn fill<I: HostIds>(&mut self, shared: &mut Shared<M, I>, record: Option<Record>) {
        let own = record
            .as_ref()
            .filter(|record| self.owner.as_ref().is_some_and(|owner| owner.writes(record)));
        if let Some(at) = own.map(|record| record.at) {
            self.have_written(shared, at);
            return;
        }
        let Some(follower) = &self.follower else { return };
        let applied = follower.applied;
        self.held.retain(|&at, _| at > applied);
        if record.is_none() && self.held.is_empty() {
            self.tell_caught(shared);
            self.is_stale = shared.now >= self.heard_at + shared.options.stale;
        }
        let is_known = match record {
            // What came after it was asked may follow something that it did not have yet.
            None => self.held.keys().next().is_some_and(|at| *at <= self.held_when_asked),
            Some(record) if record.at > applied => {
                let had_come = self.held.insert(record.at, record).is_some();
                if self.opened && !had_come {
                    self.silence.filled();
                }
                true
            }
            // It has come meanwhile, and what follows is not known.
            Some(_) => false,
        };
        if let Some((_, next)) = is_known.then(|| self.held.pop_first()).flatten() {
            let is_lost = next.previous != applied && next.previous != 0;
            self.take(shared, &next, is_lost);
        }
        self.read_at = shared.now + shared.options.beat * 2;
        if !self.opened && is_known {
            self.read(shared, Reading::Next);
        }
        self.open(shared);
        self.drain(shared);
    }

    /// The next flight. What came before it and was not read is lost, if `is_lost`.
    fn take<I: HostIds>(&mut self, shared: &mut Shared<M, I>, record: &Record, is_lost: bool) {
        let now = shared.now;
        // What follows the end is of the room that begins anew.
        let Some(follower) = self.follower.as_mut().filter(|_| self.claim != Claim::Over) else {
            return;
        };
        let Ok(flight) = Flight::<M>::decode(&record.bytes, &mut shared.ids) else {
            (follower.applied, follower.torn) = (record.at, true);
            shared.tell(Event::Unreadable { room: self.id });
            return;
        };
        let mut flight = shared.arrived(flight);
        if flight.epoch < follower.epoch {
            // A log was made anew, and somebody whose time is over has written to it first.
            follower.applied = record.at;
            return;
        }
        let is_other_log = flight.incarnation_at(record.at) != follower.incarnation;
        let is_other_owner = flight.epoch != follower.epoch;
        let is_torn = is_lost || core::mem::take(&mut follower.torn);
        let state = flight.state.is_some();
        follower.apply(record.at, now, &flight);
        let silence = now.saturating_since(self.heard_at);
        (self.heard_at, self.read_at) = (now, now + shared.options.beat * 2);
        self.is_stale = false;
        self.silence.ends(silence);
        if is_other_log {
            shared.tell(Event::Incarnation { room: self.id });
        }
        if self.owner.as_ref().is_some_and(|owner| owner.epoch < flight.epoch) {
            self.depose(shared);
        }
        if self.opened {
            if is_other_owner {
                shared.tell(Event::Owner { room: self.id, epoch: flight.epoch, silence });
            }
            let is_anew = state && (is_torn || is_other_log);
            if concerns_edge(&flight.change) || is_anew {
                self.tell_known(shared, &flight, is_anew);
            }
            self.hand_on(shared, &mut flight);
            self.tell_withdrawn(shared, &flight);
            self.tell_directs(shared, &mut flight);
            self.settle(shared, &flight, is_other_owner && (is_torn || is_other_log));
        }
        if flight.closed && self.opened {
            self.end(shared, is_torn || is_other_log);
            return;
        }
        if is_other_owner {
            self.link.begin(flight.epoch);
        }
        self.open(shared);
    }

    /// The host can open its edge, if the log has been read to its end.
    pub(super) fn open<I>(&mut self, shared: &mut Shared<M, I>) {
        let Some(follower) = &mut self.follower else { return };
        if self.opened || follower.gathering || follower.closed || follower.applied < self.opens_at
        {
            return;
        }
        follower.heads = follower.continued.heads;
        let epoch = follower.epoch;
        self.opened = true;
        self.tell_opened(shared, false);
        self.link.begin(epoch);
    }

    /// Does what is due.
    pub(super) fn tick<I: HostIds>(&mut self, shared: &mut Shared<M, I>) {
        if self.owner.is_some() && !shared.lease_holds() {
            self.depose(shared);
        }
        if shared.now >= self.read_at {
            self.read_at = shared.now + shared.options.beat;
            let what = if self.follower.is_some() { Reading::Next } else { Reading::Begin };
            self.read(shared, what);
        }
        if self.stale_at(shared).is_some_and(|at| at <= shared.now) {
            self.silence.is_told = true;
            shared.tell(Event::Stale { room: self.id });
        }
        self.tick_claim(shared);
        self.send(shared);
        self.tick_retiring(shared);
        self.tick_owner(shared);
    }

    /// When [`tick`](Self::tick) does something.
    pub(super) fn due<I>(&self, shared: &Shared<M, I>) -> Instant {
        let owner = self.owner.as_ref().map(|owner| owner.due(shared).min(shared.lease_until));
        let link = self.opened.then(|| self.link.due()).flatten();
        let claim = self.claim.due();
        let others = owner.into_iter().chain(link).chain(claim);
        others.chain(self.stale_at(shared)).chain([self.read_at]).min().unwrap_or_default()
    }

    /// What the link has goes to the owner.
    fn send<I: HostIds>(&mut self, shared: &mut Shared<M, I>) {
        if !self.opened {
            return;
        }
        let heads = self.follower.as_ref().map_or_else(PerLevel::default, |all| all.heads);
        let (edge, times) = (shared.incarnation, (shared.options.resend, shared.options.beat));
        while let Some(forwards) = self.link.poll(shared.now, edge, heads, times) {
            let mine = self.owner.as_mut().filter(|owner| owner.epoch == self.link.epoch());
            if let Some(owner) = mine {
                owner.hear(shared.now, forwards);
            } else {
                let bytes = forwards.encode(shared.now, &shared.ids).into();
                shared.ask(Request::Send { room: self.id, bytes });
            }
        }
    }

    /// The edge is closed. If the owner is elsewhere, it is told the last of its books.
    pub(super) fn send_last<I: HostIds>(&mut self, shared: &mut Shared<M, I>) {
        let heads = self.follower.as_ref().map_or_else(PerLevel::default, |all| all.heads);
        let last = self.link.last_books(shared.incarnation, heads);
        if let Some(last) = last.filter(|_| self.owner.is_none()) {
            let bytes = last.encode(shared.now, &shared.ids).into();
            shared.ask(Request::Send { room: self.id, bytes });
        }
    }

    /// Something was sent to the owner.
    pub(super) fn heard_as_owner<I: HostIds>(&mut self, shared: &mut Shared<M, I>, bytes: &[u8]) {
        let Some(owner) = &mut self.owner else { return };
        match Forwards::decode(bytes, shared.now, &mut shared.ids) {
            Ok(forwards) => owner.hear(shared.now, forwards),
            Err(_) => shared.tell(Event::Unreadable { room: self.id }),
        }
    }

    /// The connection to the bus is another one.
    pub(super) fn reconnect<I>(&mut self, shared: &mut Shared<M, I>) {
        shared.ask(Request::Subscribe { room: self.id });
        if self.owner.is_some() {
            shared.ask(Request::Listen { room: self.id });
        }
        self.read_at = shared.now;
    }
}
