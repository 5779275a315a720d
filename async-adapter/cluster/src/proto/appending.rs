//! The owner writes: one flight at a time, and nothing of it is told before the log has it.

use super::claim::Claim;
use super::owner::Owner;
use super::room::{Reading, Room};
use super::shared::{Purpose, Shared};
use super::writing::Writing;
use super::{Event, Follower};
use crate::bus::{Answer, CallId, Record, Request};
use crate::wire::{
    Change, Decided, EdgeSeen, Fate, Flight, HostIds, MAX_BYTES, Sent, ToUser, Wire,
};
use bytes::Bytes;
use roomcast_core::message::{MessageParts, Payload};
use roomcast_core::{Instant, Message, Priority, RoomId};
use std::collections::{BTreeSet, VecDeque};

/// The most messages in a flight, and about the most bytes of payloads.
const MAX_MESSAGES: usize = 256;
const MAX_PAYLOADS: u64 = 256 << 10;

/// The most fates in a flight.
const MAX_FATES: usize = 4_096;

/// The most keys in what is written down whole: those of what was said last.
const MAX_SAID: usize = 8_192;

impl<M: Payload + Wire + Clone> Owner<M> {
    /// Writes a flight, if none is on its way and there is something to tell.
    pub(super) fn write<I: HostIds>(&mut self, shared: &mut Shared<M, I>, room: RoomId) {
        let is_first = self.number == 0;
        let is_gathered = self.checkpoint == 0 && !is_first;
        let is_time = shared.now >= self.wrote_at + shared.options.beat;
        let may = is_first || self.is_active;
        let leaves = self.leaves(shared.now);
        if self.writing.is_some() || !may {
            return;
        }
        if is_first || is_gathered || is_time || leaves || self.has_news() {
            let flight = self.make_flight(shared);
            self.append(shared, room, flight);
        }
    }

    /// Whether the room is to go now: nothing waits, or it has waited for long enough.
    fn leaves(&self, now: Instant) -> bool {
        self.leaving.is_some_and(|(_, at)| {
            self.gathering.is_none() && !self.has_news() && (self.admission.is_idle() || at <= now)
        })
    }

    fn append<I: HostIds>(
        &mut self,
        shared: &mut Shared<M, I>,
        room: RoomId,
        mut flight: Flight<M>,
    ) {
        let mut bytes = Bytes::from(flight.encode(&shared.ids));
        if bytes.len() > MAX_BYTES && !flight.rows.is_empty() {
            // Rather without the books of others than not at all: they come again.
            flight.rows.clear();
            bytes = flight.encode(&shared.ids).into();
        }
        if let Some(state) = flight.state.as_mut().filter(|_| bytes.len() > MAX_BYTES) {
            // Rather forget what was said than stand still: people and data have bounds of their own.
            state.said.clear();
            bytes = flight.encode(&shared.ids).into();
        }
        self.wrote_at = shared.now;
        self.writing = Some(Writing { flight, bytes, call: None, ask_at: None });
        self.send(shared, room);
    }

    /// The flight goes to the log, or goes there again: twice it is not accepted.
    fn send<I>(&mut self, shared: &mut Shared<M, I>, room: RoomId) {
        let Some(writing) = &mut self.writing else { return };
        writing.ask_at = None;
        let (expected, bytes) = (self.tail, writing.bytes.clone());
        let call = shared.call(Purpose::Write(room), Request::Append { room, expected, bytes });
        writing.call = Some(call);
    }

    fn make_flight<I>(&mut self, shared: &Shared<M, I>) -> Flight<M> {
        let mut continued = self.admission.continued();
        let (messages, bytes) = self.take_messages();
        continued.heads = self.told;
        let withdrawn = self.take_withdrawn();
        let directs = self.take_directs(bytes);
        let closed = self.closes();
        let fates = self.take_fates();
        let edges = self.edges_seen();
        self.number += 1;
        self.since_checkpoint += 1;
        // Whoever opens a closed room begins with its last flight.
        let is_whole =
            closed || self.checkpoint == 0 || self.since_checkpoint >= shared.options.checkpoint;
        let state = is_whole.then(|| self.whole(shared.now));
        let rows = self.rows.take(shared, is_whole);
        let handed_to = self.leaving.filter(|_| self.leaves(shared.now)).map(|(to, _)| to);
        Flight {
            incarnation: self.incarnation,
            epoch: self.epoch,
            owner: shared.incarnation,
            number: self.number,
            sent_at: shared.now,
            continued,
            messages,
            fates,
            edges,
            change: core::mem::take(&mut self.change),
            checkpoint: if is_whole { 0 } else { self.checkpoint },
            state,
            books: self.books,
            rows,
            handed_to,
            gathering: self.gathering.is_some(),
            withdrawn,
            directs,
            closed,
        }
    }

    /// The fates that go with what has been put into flights, and those of what goes out never.
    fn take_fates(&mut self) -> Vec<Fate> {
        let through = self.told.values().sum::<u64>();
        let (mut fates, mut later) = (Vec::new(), VecDeque::new());
        while let Some((fate, level)) = self.fates.pop_front() {
            let is_later = matches!(fate.decided, Decided::Dispatched { seq } if seq.0 > through);
            if is_later || fates.len() == MAX_FATES {
                later.push_back((fate, level));
                continue;
            }
            if let Some(edge) = self.edges.get_mut(&fate.edge) {
                edge.waiting.remove(&fate.number);
            }
            if let Some(level) = level {
                self.book(fate.decided, level);
            }
            fates.push(fate);
        }
        self.fates = later;
        fates
    }

    fn edges_seen(&self) -> Vec<EdgeSeen> {
        let seen = self.edges.iter().map(|(&edge, known)| EdgeSeen {
            edge,
            seen: known.last,
            settled_below: known.waiting.first().copied().unwrap_or(known.last + 1),
        });
        seen.collect()
    }

    fn book(&mut self, decided: Decided, level: Priority) {
        match decided {
            Decided::Dropped { .. } => self.books.dropped[level] += 1,
            Decided::Refused { .. } => self.books.refused[level] += 1,
            Decided::Merged { .. } => self.books.merged[level] += 1,
            _ => {}
        }
    }

    /// All that is known of people and data, but for keys of what is in no flight yet: if this owner
    /// dies, it never went out.
    fn whole(&mut self, now: Instant) -> Change {
        self.since_checkpoint = 0;
        let mut state = self.admission.export(now);
        let untold = self.untold.iter().filter_map(|message| {
            let (_, key) = self.origins.get(&message.seq)?;
            key.map(|key| (message.sender, key))
        });
        let untold: BTreeSet<_> = untold.collect();
        state.said.retain(|(sender, said)| !untold.contains(&(*sender, said.key)));
        state.said.sort_by_key(|(_, said)| core::cmp::Reverse(said.said_at));
        state.said.truncate(MAX_SAID);
        Change::whole(state, &self.lasting)
    }

    /// The messages that go with a flight, and how many bytes they have.
    fn take_messages(&mut self) -> (Vec<Sent<M>>, u64) {
        let (mut messages, mut bytes) = (Vec::new(), 0);
        while let Some(next) = self.untold.front() {
            let profile = next.profile.as_ref().map_or(0, |profile| profile.size());
            let size = (next.payload.size() as u64).saturating_add(profile as u64);
            let is_full = messages.len() == MAX_MESSAGES || bytes + size > MAX_PAYLOADS;
            if (is_full && !messages.is_empty()) || !self.may_tell(next.seq) {
                break;
            }
            bytes += size;
            let Some(message) = self.untold.pop_front() else { break };
            self.told[message.priority] += 1;
            let (origin, dedup_key) = self.origins.remove(&message.seq).unwrap_or_default();
            let parts = MessageParts::from(Message::clone(&message));
            messages.push(Sent {
                parts: MessageParts { session: None, ..parts },
                origin,
                dedup_key,
            });
        }
        (messages, bytes)
    }

    /// The direct messages that go with a flight that has messages of so many bytes.
    fn take_directs(&mut self, mut bytes: u64) -> Vec<ToUser> {
        let mut directs = Vec::new();
        while let Some((_, next)) = self.directs.front() {
            bytes += next.direct.payload.len() as u64;
            let is_full = directs.len() == MAX_MESSAGES || bytes > MAX_PAYLOADS;
            if is_full && !(directs.is_empty() && self.untold.is_empty()) {
                break;
            }
            let Some((fate, direct)) = self.directs.pop_front() else { break };
            self.fates.push_back((fate, None));
            directs.push(direct);
        }
        directs
    }

    /// Whether this is the flight that is on its way, in the log.
    pub(super) fn writes(&self, record: &Record) -> bool {
        let writing = self.writing.as_ref();
        record.previous == self.tail && writing.is_some_and(|its| its.bytes == record.bytes)
    }

    /// The log has the flight, at this place.
    fn acked(&mut self, at: u64) -> Option<Record> {
        let Writing { flight, bytes, .. } = self.writing.take()?;
        let record = Record { at, previous: self.tail, bytes };
        self.tail = at;
        self.incarnation = flight.incarnation_at(at);
        if flight.checkpoint == 0 {
            self.checkpoint = at;
        }
        Some(record)
    }

    /// The log was lost under a living owner: the flight is the first of the new one, with all that is
    /// known. Nothing is lost with it but what edges had not read.
    fn begin_log<I: HostIds>(&mut self, shared: &mut Shared<M, I>, room: RoomId) {
        let Some(Writing { mut flight, .. }) = self.writing.take() else { return };
        // What is known now has what was changed since: so has the flight, with what came of it.
        let more = core::mem::take(&mut self.change);
        flight.change.add(more);
        flight.fates.extend(self.take_fates());
        (flight.edges, flight.books) = (self.edges_seen(), self.books);
        let state = self.whole(shared.now);
        flight.rows = self.rows.take(shared, true);
        (flight.incarnation, flight.checkpoint, flight.state) = (0, 0, Some(state));
        (self.tail, self.incarnation) = (0, 0);
        self.append(shared, room, flight);
    }
}

impl<M: Payload + Wire + Clone> Room<M> {
    /// The owner does what is due, and writes.
    pub(super) fn tick_owner<I: HostIds>(&mut self, shared: &mut Shared<M, I>) {
        let Some(owner) = &mut self.owner else { return };
        owner.advance(shared.now);
        let writing = owner.writing.as_mut();
        if let Some(writing) = writing.filter(|all| all.due().is_some_and(|at| at <= shared.now)) {
            writing.ask_at = None;
            let (epoch, number) = (owner.epoch, owner.number);
            self.read(shared, Reading::Resolve { epoch, number });
        } else {
            owner.write(shared, self.id);
        }
    }

    /// The append is answered.
    pub(super) fn written<I: HostIds>(
        &mut self,
        shared: &mut Shared<M, I>,
        call: CallId,
        answer: &Answer,
    ) {
        let Some(owner) = &mut self.owner else { return };
        let (epoch, number) = (owner.epoch, owner.number);
        let writing = owner.writing.as_mut().filter(|writing| writing.call == Some(call));
        let Some(writing) = writing else { return };
        writing.call = None;
        match *answer {
            Answer::Done(at) => self.have_written(shared, at),
            // Refused, perhaps because it was accepted before, and the answer to that was lost.
            _ => self.read(shared, Reading::Resolve { epoch, number }),
        }
    }

    /// The log has the owner's flight: it is told to everyone here, as it is everywhere.
    pub(super) fn have_written<I: HostIds>(&mut self, shared: &mut Shared<M, I>, at: u64) {
        let Some(owner) = &mut self.owner else { return };
        let is_last = |flight: &Flight<M>| flight.handed_to.is_some() || flight.closed;
        let leaves = owner.writing.as_ref().is_some_and(|writing| is_last(&writing.flight));
        let Some(record) = owner.acked(at) else { return };
        if !core::mem::replace(&mut owner.is_active, true) {
            if let Some(gathering) = &mut owner.gathering {
                gathering.until = shared.now + shared.options.gather;
            }
            let epoch = owner.epoch;
            shared.tell(Event::Owns { room: self.id, epoch });
        }
        if leaves {
            self.depose(shared);
        }
        if self.follower.is_some() {
            self.receive(shared, record);
        } else {
            self.start_with(shared, &record);
        }
    }

    /// What the log ends with says what became of a flight.
    pub(super) fn resolve<I: HostIds>(
        &mut self,
        shared: &mut Shared<M, I>,
        of: (u64, u64),
        record: Result<Option<Record>, ()>,
    ) {
        let Some(owner) = &mut self.owner else { return };
        let is_of_this = (owner.epoch, owner.number) == of;
        let Some(writing) = owner.writing.as_mut().filter(|_| is_of_this) else { return };
        match record {
            Err(()) => writing.ask_at = Some(shared.now + shared.options.resend),
            Ok(None) if owner.tail == 0 => owner.send(shared, self.id),
            Ok(None) if owner.is_active => owner.begin_log(shared, self.id),
            Ok(None) => self.depose(shared),
            Ok(Some(record)) if record.at == owner.tail => owner.send(shared, self.id),
            Ok(Some(record)) => {
                let (epoch, number) = (owner.epoch, owner.number);
                let last = Flight::<M>::decode(&record.bytes, &mut shared.ids);
                let last = last.ok().map(|last| (last.epoch, last.number));
                let is_active = owner.is_active;
                if last == Some((epoch, number)) {
                    self.have_written(shared, record.at);
                    return;
                }
                self.depose(shared);
                if !is_active && last.is_some_and(|(other, _)| other < epoch) {
                    // The one before has written once more.
                    self.claim = Claim::Reading { epoch, is_first: false, end: None };
                }
            }
        }
    }

    /// The room's first flight is this node's own.
    fn start_with<I: HostIds>(&mut self, shared: &mut Shared<M, I>, record: &Record) {
        let Ok(flight) = Flight::<M>::decode(&record.bytes, &mut shared.ids) else { return };
        let flight = shared.arrived(flight);
        self.follower = Follower::begin(record.at, shared.now, &flight);
        (self.is_new, self.heard_at) = (false, shared.now);
        self.open(shared);
    }
}
