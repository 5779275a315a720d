//! A real room under the oracle's eyes: each call goes to the room and to a twin, the answers are compared, then everything that can be
//! seen. The twin shows that the same calls give the same answers (law L9), and what crosses the seam: so the oracle knows what went out
//! even when nobody is told and no log holds it for long.

use crate::moderation::Act;
use crate::oracle::Oracle;
use crate::oracle::data::{Change, Count};
use crate::oracle::directs::Note;
use crate::oracle::listeners::{Swept, Taken};
use crate::oracle::messages::Offer;
use crate::oracle::reviews::Said;
use crate::payload::Probe;
use crate::rules::Rules;
use crate::violation::{Check, Law, Violation, same};
use roomcast_core::admission::ReviewDecision;
use roomcast_core::audience::{BatchKey, Delivery};
use roomcast_core::broadcasts::Broadcasts;
use roomcast_core::config::ConfigError;
use roomcast_core::direct::{DirectReceipt, DirectRefused};
use roomcast_core::error::{JoinError, SessionEnd};
use roomcast_core::ids::Ticket;
use roomcast_core::ledger::RefusalReason;
use roomcast_core::level_set::LevelSet;
use roomcast_core::message::{DedupKey, MergeKey, OutcomeSink};
use roomcast_core::resume::ResumeToken;
use roomcast_core::{
    Actor, Batch, Budget, Direct, Event, Group, Handoff, Instant, Item, Join, Joined, Kind,
    Message, Priority, Publish, Receipt, Recipient, RoomState, SessionId, Sharding, Source, UserId,
};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// A message that was dispatched.
pub type Crossed = Arc<Message<Probe>>;

/// The watcher of one room. The room is passed to each call, since an engine may own it.
#[derive(Debug)]
pub struct Checked {
    twin: RoomState<Probe>,
    oracle: Oracle,
    payloads: u64,
    calls: u64,
    /// The sessions are compared one by one after each so many calls.
    stride: u64,
}

/// What a sweep's sink sees, in comparable form.
fn swept(due: Delivery<'_, Probe>) -> Swept {
    match due {
        Delivery::End(reason) => Swept::End(reason),
        Delivery::Batch(reading) => {
            let items = reading.items().map(|item| match item {
                Item::Gap { priority, count } => Taken::Gap(priority, count),
                Item::Message(message) => Taken::Message(message.payload.id()),
                Item::Direct(direct) => Taken::Direct(direct.payload.id()),
            });
            let (items, batch) = (items.collect::<Vec<_>>(), reading.to_batch());
            let kept = batch.items().map(|item| match item {
                Item::Gap { priority, count } => Taken::Gap(priority, count),
                Item::Message(message) => Taken::Message(message.payload.id()),
                Item::Direct(direct) => Taken::Direct(direct.payload.id()),
            });
            // A batch that is kept says the same; if not, the oracle is shown nothing and complains.
            if kept.eq(items.iter().copied()) {
                Swept::Batch(items, batch.more())
            } else {
                Swept::Batch(Vec::new(), batch.more())
            }
        }
    }
}

/// A message to offer.
#[derive(Clone, Copy, Debug)]
pub struct Say {
    /// Where it comes from.
    pub source: Source,
    /// Its priority.
    pub level: Priority,
    /// Its kind.
    pub kind: Kind,
    /// How its outcome is reported.
    pub outcome_sink: Option<OutcomeSink>,
    /// What it may be merged by.
    pub merge: Option<MergeKey>,
    /// What it stands for.
    pub units: u64,
    /// What its repetition would carry.
    pub key: Option<DedupKey>,
    /// Where it is counted.
    pub counter: Option<&'static str>,
    /// Its size.
    pub size: usize,
}

impl Say {
    /// A text.
    pub fn text(source: Source, level: Priority, size: usize) -> Self {
        Self {
            source,
            level,
            kind: Kind::Text,
            outcome_sink: None,
            merge: None,
            units: 1,
            key: None,
            counter: None,
            size,
        }
    }
}

/// The life of the rooms that [`Checked::new`] makes.
pub const LIFE: u64 = 0x0123_4567_89ab_cdef;

impl Checked {
    /// A fresh room under these rules, and its watcher.
    pub fn new(rules: Rules, stride: u64) -> Result<(RoomState<Probe>, Self), ConfigError> {
        let config = rules.config()?;
        let sharding = rules.sharding();
        let room = RoomState::starting_at(&config, sharding, rules.heads).with_life(LIFE);
        Ok((room, Self::beside(rules, sharding, stride, LIFE)?))
    }

    /// The watcher of a room in one shard that is made elsewhere, fresh, under the same rules and in this life.
    pub fn watching(rules: Rules, stride: u64, life: u64) -> Result<Self, ConfigError> {
        Self::beside(rules, Sharding::ONE, stride, life)
    }

    fn beside(
        rules: Rules,
        sharding: Sharding,
        stride: u64,
        life: u64,
    ) -> Result<Self, ConfigError> {
        let twin = RoomState::starting_at(&rules.config()?, sharding, rules.heads);
        let mut twin = twin.with_life(life);
        twin.record_dispatches();
        Ok(Self { twin, oracle: Oracle::new(rules, life), payloads: 0, calls: 0, stride })
    }

    /// The model.
    pub fn oracle(&self) -> &Oracle {
        &self.oracle
    }

    /// A new payload of this size.
    pub fn probe(&mut self, size: usize) -> Probe {
        self.payloads += 1;
        Probe::new(self.payloads, size)
    }

    /// `RoomState::join`.
    pub fn join(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        join: &Join<Probe>,
    ) -> Result<Result<Joined, JoinError>, Violation> {
        let answer = room.join(now, join.clone());
        self.joined(room, now, join, &answer)?;
        Ok(answer)
    }

    /// `RoomState::join` was called by someone else and answered this.
    pub fn joined(
        &mut self,
        room: &RoomState<Probe>,
        now: Instant,
        join: &Join<Probe>,
        answer: &Result<Joined, JoinError>,
    ) -> Check {
        same(Law::L9Deterministic, "join", answer, &self.twin.join(now, join.clone()))?;
        self.oracle.joined(now, join, answer)?;
        self.inspect(room)
    }

    /// A user who was in this room has joined another one, and by the rule of one room a user has left this one.
    pub fn left_for_another(
        &mut self,
        room: &RoomState<Probe>,
        now: Instant,
        user: UserId,
    ) -> Check {
        same(
            Law::L9Deterministic,
            "leaving for another room",
            Ok(()),
            self.twin.leave_for_another(now, user),
        )?;
        self.oracle.left_for_another(now, user);
        self.inspect(room)
    }

    /// `RoomState::leave`.
    pub fn leave(&mut self, room: &mut RoomState<Probe>, now: Instant, user: UserId) -> Check {
        let answer = room.leave(now, user);
        same(Law::L9Deterministic, "leave", answer, self.twin.leave(now, user))?;
        self.oracle.left(now, user, answer)?;
        self.inspect(room)
    }

    /// `RoomState::close_session`.
    pub fn close_session(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        session: SessionId,
    ) -> Check {
        let answer = room.close_session(now, session);
        same(Law::L9Deterministic, "close_session", answer, self.twin.close_session(now, session))?;
        self.oracle.session_closed(now, session, answer)?;
        self.inspect(room)
    }

    /// `RoomState::touch`.
    pub fn touch(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        session: SessionId,
    ) -> Check {
        let answer = room.touch(now, session);
        same(Law::L9Deterministic, "touch", answer, self.twin.touch(now, session))?;
        self.oracle.touched(now, session, answer)?;
        self.inspect(room)
    }

    /// `RoomState::publish`.
    pub fn publish(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        say: Say,
    ) -> Result<Result<Receipt, RefusalReason>, Violation> {
        self.payloads += 1;
        let pair = [Probe::new(self.payloads, say.size), Probe::new(self.payloads, say.size)];
        let held = [pair[0].watch(), pair[1].watch()];
        let Say { source, level, kind, outcome_sink, merge, units, key, counter, size } = say;
        let offer = Offer {
            source,
            level: self.oracle.counts_as(level),
            kind,
            outcome_sink,
            merge,
            units,
            key,
            counter,
            payload: self.payloads,
            size,
            held,
        };
        let [first, second] = pair.map(|payload| {
            let mut publish = Publish::new(source, payload).priority(level).kind(kind).units(units);
            (publish.merge_key, publish.dedup_key, publish.counter) = (merge, key, counter);
            outcome_sink.into_iter().fold(publish, Publish::outcome_sink)
        });
        let (answer, twin) = (room.publish(now, first), self.twin.publish(now, second));
        let bare = |answer: &Result<Receipt, roomcast_core::Refused<Probe>>| {
            answer
                .as_ref()
                .map(|&receipt| receipt)
                .map_err(|refused| (refused.reason, refused.limit, refused.retry_at))
        };
        same(Law::L9Deterministic, "publish", bare(&answer), bare(&twin))?;
        self.oracle.published(now, &offer, &answer, &self.twin.take_dispatches())?;
        self.inspect(room)?;
        Ok(answer.map_err(|refused| refused.reason))
    }

    /// `RoomState::import_broadcasts`.
    pub fn import_broadcasts(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        broadcasts: &Broadcasts<Probe>,
    ) -> Check {
        room.import_broadcasts(now, broadcasts);
        self.heard(room, now, broadcasts)
    }

    /// `RoomState::import_broadcasts` was called by someone else.
    pub fn heard(
        &mut self,
        room: &RoomState<Probe>,
        now: Instant,
        broadcasts: &Broadcasts<Probe>,
    ) -> Check {
        self.twin.import_broadcasts(now, broadcasts);
        self.oracle.heard(now, broadcasts.count(), &self.twin.take_dispatches())?;
        self.inspect(room)
    }

    /// The oracle is told of a broadcast before the room hears it.
    pub fn broadcast(&mut self, level: Priority, id: u64, size: usize) {
        self.oracle.broadcast(level, id, size);
    }

    /// `RoomState::review`.
    pub fn review(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        ticket: Ticket,
        verdict: &ReviewDecision<usize>,
    ) -> Check {
        self.payloads += 1;
        let id = self.payloads;
        let probes = |size| [Probe::new(id, size), Probe::new(id, size)];
        let (said, [first, second]) = match *verdict {
            ReviewDecision::Deny { code } => {
                (Said::Deny(code), [ReviewDecision::Deny { code }, ReviewDecision::Deny { code }])
            }
            ReviewDecision::Rewrite(size) => {
                let pair = probes(size);
                (
                    Said::Rewrite(id, size, [pair[0].watch(), pair[1].watch()]),
                    pair.map(ReviewDecision::Rewrite),
                )
            }
            _ => (Said::Allow, [ReviewDecision::Allow, ReviewDecision::Allow]),
        };
        let (answer, twin) =
            (room.review(now, ticket, first), self.twin.review(now, ticket, second));
        same(Law::L9Deterministic, "review", format!("{answer:?}"), format!("{twin:?}"))?;
        self.oracle.reviewed(now, ticket, said, &answer, &self.twin.take_dispatches())?;
        self.inspect(room)
    }

    /// `RoomState::next_batch`.
    pub fn next_batch(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        session: SessionId,
        budget: Budget,
    ) -> Result<Result<Option<Batch<Probe>>, SessionEnd>, Violation> {
        let ready = room.is_ready(session);
        let (answer, twin) =
            (room.next_batch(now, session, budget), self.twin.next_batch(now, session, budget));
        let numbers = |batch: &Batch<Probe>| -> Vec<u64> {
            let messages = batch.messages().iter().map(|message| message.payload.id());
            messages.chain(batch.directs().map(|direct| direct.payload.id())).collect()
        };
        let bare = |answer: &Result<Option<Batch<Probe>>, SessionEnd>| match answer {
            Ok(batch) => Ok(batch.as_ref().map(numbers)),
            Err(end) => Err(*end),
        };
        same(Law::L9Deterministic, "next_batch", bare(&answer), bare(&twin))?;
        same(Law::Batches, "whether a session is ready", !matches!(answer, Ok(None)), ready)?;
        self.oracle.took(now, session, budget, &answer)?;
        self.inspect(room).map(|()| answer)
    }

    /// `RoomState::sweep`, of which the sessions that are `busy` take nothing.
    pub fn sweep(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        group: Group,
        slots: &Range<u32>,
        budget: Budget,
        busy: impl Fn(SessionId) -> bool,
    ) -> Check {
        let mut keys: HashMap<BatchKey, Vec<Taken>> = HashMap::new();
        let mut alike = Ok(());
        let mut seen = [Vec::new(), Vec::new()];
        let [first, second] = &mut seen;
        let verdict = |session| if busy(session) { Handoff::NotNow } else { Handoff::Taken };
        let count = room.sweep(now, group, slots.clone(), budget, |session, due| {
            let key =
                if let Delivery::Batch(reading) = &due { reading.key().copied() } else { None };
            let swept = swept(due);
            if let (Some(key), Swept::Batch(items, _)) = (key, &swept) {
                // What was encoded for one session has to serve every other one with the same key.
                let other = keys.entry(key).or_insert_with(|| items.clone());
                alike = std::mem::replace(&mut alike, Ok(())).and(same(
                    Law::Batches,
                    "two batches with one key",
                    &*other,
                    items,
                ));
            }
            first.push((session, swept));
            verdict(session)
        });
        let twin = self.twin.sweep(now, group, slots.clone(), budget, |session, due| {
            second.push((session, swept(due)));
            verdict(session)
        });
        alike?;
        let [seen, of_twin] = seen;
        same(Law::L9Deterministic, "sweep", &seen, &of_twin)?;
        same(
            Law::Batches,
            "how many a sweep handed something",
            [seen.len() as u64; 2],
            [count, twin].map(u64::from),
        )?;
        let has_gap = |items: &Vec<Taken>| items.iter().any(|item| matches!(item, Taken::Gap(..)));
        same(
            Law::Batches,
            "whether a batch with a key has a gap",
            false,
            keys.values().any(has_gap),
        )?;
        self.oracle.swept(now, group, slots, budget, busy, &seen)?;
        self.inspect(room)
    }

    /// `RoomState::send_direct`, with a new payload of this size.
    pub fn send_direct(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        to: Recipient,
        level: Priority,
        size: usize,
    ) -> Check {
        self.payloads += 1;
        let pair = [Probe::new(self.payloads, size), Probe::new(self.payloads, size)];
        let held = [pair[0].watch(), pair[1].watch()];
        let [first, second] = pair.map(|payload| Direct::new(payload).priority(level));
        let (answer, twin) =
            (room.send_direct(now, to, first), self.twin.send_direct(now, to, second));
        let bare = |answer: &Result<DirectReceipt, DirectRefused<Probe>>| {
            answer.as_ref().map(|&receipt| receipt).map_err(|refused| refused.reason)
        };
        same(Law::L9Deterministic, "send_direct", bare(&answer), bare(&twin))?;
        self.oracle.sent_directly(
            now,
            &Note { to, level, payload: self.payloads, size, held },
            &answer,
        )?;
        self.inspect(room)
    }

    /// `RoomState::resume_token`.
    pub fn resume_token(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        session: SessionId,
    ) -> Result<Option<ResumeToken>, Violation> {
        let answer = room.resume_token(now, session);
        same(Law::L9Deterministic, "resume_token", answer, self.twin.resume_token(now, session))?;
        self.oracle.token_taken(now, session, answer)?;
        self.inspect(room).map(|()| answer)
    }

    /// `RoomState::set_masked_levels`.
    pub fn set_masked_levels(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        session: SessionId,
        mask: LevelSet,
    ) -> Check {
        let answer = room.set_masked_levels(now, session, mask);
        same(
            Law::L9Deterministic,
            "set_masked_levels",
            answer,
            self.twin.set_masked_levels(now, session, mask),
        )?;
        self.oracle.masked(now, session, mask, answer)?;
        self.inspect(room)
    }

    /// `RoomState::handle_timeout`.
    pub fn handle_timeout(&mut self, room: &mut RoomState<Probe>, now: Instant) -> Check {
        room.handle_timeout(now);
        self.timed_out(room, now)
    }

    /// `RoomState::handle_timeout` was called by someone else.
    pub fn timed_out(&mut self, room: &RoomState<Probe>, now: Instant) -> Check {
        self.twin.handle_timeout(now);
        self.oracle.timed_out(now, &self.twin.take_dispatches())?;
        self.inspect(room)
    }

    /// `RoomState::wake`.
    pub fn wake(&mut self, room: &mut RoomState<Probe>, now: Instant) -> Check {
        let answer = room.wake(now);
        same(Law::L9Deterministic, "wake", answer, self.twin.wake(now))?;
        self.oracle.woken(now, answer)?;
        self.inspect(room)
    }

    /// `RoomState::poll_event`.
    pub fn poll_event(&mut self, room: &mut RoomState<Probe>) -> Result<Option<Event>, Violation> {
        let event = room.poll_event();
        self.polled(room, event)?;
        Ok(event)
    }

    /// `RoomState::poll_event` was called by someone else and answered this.
    pub fn polled(&mut self, room: &RoomState<Probe>, event: Option<Event>) -> Check {
        same(Law::L9Deterministic, "poll_event", event, self.twin.poll_event())?;
        self.oracle.polled(event)?;
        self.inspect(room)
    }

    /// `RoomState::close`.
    pub fn close(&mut self, room: &mut RoomState<Probe>, now: Instant, actor: Actor) -> Check {
        let answer = room.close(now, actor);
        same(Law::L9Deterministic, "close", answer, self.twin.close(now, actor))?;
        self.oracle.closed(now, actor, answer)?;
        self.inspect(room)
    }

    /// `RoomState::reconfigure`.
    pub fn reconfigure(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        rules: &Rules,
    ) -> Check {
        let config = rules
            .config()
            .map_err(|error| Violation::new(Law::Members, "the new rules", "valid ones", error))?;
        let answer = room.reconfigure(now, &config);
        same(Law::L9Deterministic, "reconfigure", answer, self.twin.reconfigure(now, &config))?;
        self.oracle.reconfigured(now, rules.clone(), answer, &self.twin.take_dispatches())?;
        self.inspect(room)
    }

    /// A call that deals with users.
    pub fn moderate(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        actor: Actor,
        act: &Act,
    ) -> Check {
        let answer = act.on(room, now, actor);
        same(Law::L9Deterministic, "moderation", answer, act.on(&mut self.twin, now, actor))?;
        self.oracle.moderated(now, actor, act, answer)?;
        self.inspect(room)
    }

    /// `RoomState::write_attributes`, each value filled with `fill`.
    pub fn write_attributes(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        based_on: Option<u64>,
        changes: &[Change],
        fill: u8,
    ) -> Check {
        let values: Vec<_> =
            changes.iter().map(|(_, size)| size.map(|size| vec![fill; size])).collect();
        let borrowed: Vec<_> = changes
            .iter()
            .zip(&values)
            .map(|((key, _), value)| (key.as_str(), value.as_deref()))
            .collect();
        let answer = room.write_attributes(now, based_on, &borrowed);
        same(
            Law::L9Deterministic,
            "write_attributes",
            answer,
            self.twin.write_attributes(now, based_on, &borrowed),
        )?;
        self.oracle.attributes_written(now, based_on, changes, fill, answer)?;
        self.inspect(room)
    }

    /// `RoomState::export`, and `RoomState::import` of the same: what lasts comes back as it was.
    pub fn restart(&mut self, room: &mut RoomState<Probe>, now: Instant) -> Check {
        let carried = room.export(now);
        same(Law::L9Deterministic, "export", &carried, &self.twin.export(now))?;
        let answer = room.import(now, carried.clone());
        same(Law::L9Deterministic, "import", answer, self.twin.import(now, carried))?;
        self.oracle.restarted(now, answer.is_ok())?;
        self.inspect(room)?;
        self.oracle.inspect_sessions(room)
    }

    /// A call of a counter.
    pub fn count(&mut self, room: &mut RoomState<Probe>, key: &str, count: Count) -> Check {
        let call = |room: &mut RoomState<Probe>| match count {
            Count::Set(value) => room.set_counter(key, value),
            Count::Add(delta) => room.add_counter(key, delta).map(Some),
            Count::Remove => Ok(room.remove_counter(key)),
        };
        let answer = call(room);
        same(Law::L9Deterministic, "a counter", answer, call(&mut self.twin))?;
        self.oracle.counted(key, count, answer)?;
        self.inspect(room)
    }

    /// `RoomState::set_profile`, with a new profile of this size.
    pub fn set_profile(
        &mut self,
        room: &mut RoomState<Probe>,
        user: UserId,
        size: Option<usize>,
    ) -> Check {
        self.payloads += 1;
        let id = self.payloads;
        let profile = || size.map(|size| Probe::new(id, size));
        let answer = room.set_profile(user, profile());
        let twin = self.twin.set_profile(user, profile());
        same(Law::L9Deterministic, "set_profile", answer.is_ok(), twin.is_ok())?;
        self.oracle.profile_set(user, size.map(|size| (id, size)), &answer)?;
        self.inspect(room)
    }

    /// Lets everything come to its end: the room is closed, everyone takes what is due, every event is polled. Then the books are
    /// final and nothing is owed.
    pub fn finish(&mut self, room: &mut RoomState<Probe>, now: Instant) -> Check {
        if !room.is_ended()
            && room.snapshot(now).admission.state == roomcast_core::admission::RoomStatus::Open
        {
            self.close(room, now, Actor::Host)?;
        }
        let sessions: Vec<SessionId> =
            self.oracle.sessions().map(|(&session, _)| session).collect();
        for session in sessions {
            while self
                .next_batch(room, now, session, Budget { messages: 2, bytes: 1 << 20 })?
                .is_ok()
            {}
        }
        let mut last = None;
        while let Some(event) = self.poll_event(room)? {
            last = Some(event);
        }
        let (promised, told) = self.oracle.outcomes();
        same(Law::Events, "outcomes told", promised, told)?;
        same(Law::Timeouts, "when an ended room wants to be called", None, room.poll_timeout())?;
        // It wants nothing more, so the end of time brings nothing.
        self.handle_timeout(room, Instant::MAX)?;
        match last {
            None | Some(Event::RoomEnded) => {
                same(Law::Members, "whether the room has ended", true, room.is_ended())
            }
            other => Err(Violation::new(Law::Events, "the last event", Event::RoomEnded, other)),
        }
    }

    fn inspect(&mut self, room: &RoomState<Probe>) -> Check {
        let now = self.oracle.clock();
        same(Law::L9Deterministic, "snapshot", room.snapshot(now), self.twin.snapshot(now))?;
        same(Law::L9Deterministic, "poll_timeout", room.poll_timeout(), self.twin.poll_timeout())?;
        same(Law::L9Deterministic, "poll_wake", room.poll_wake(), self.twin.poll_wake())?;
        self.oracle.inspect(room)?;
        for (&session, _) in self.oracle.sessions() {
            let (shard, place) = room.place_of(session);
            let bit = 1 << (place % 64);
            let ready = shard.is_some_and(|shard| shard.ready_among(place, bit) == bit);
            same(
                Law::Batches,
                "whether one of several sessions is ready",
                room.is_ready(session),
                ready,
            )?;
        }
        self.calls += 1;
        if self.calls.is_multiple_of(self.stride) {
            self.oracle.inspect_sessions(room)
        } else {
            Ok(())
        }
    }
}
