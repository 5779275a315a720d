//! What is read in a room under watch: batches, sweeps, masks and resume tokens.

use super::Checked;
use crate::oracle::listeners::{Swept, Taken};
use crate::payload::Probe;
use crate::violation::{Check, Law, Violation, same};
use roomcast_core::audience::{BatchKey, Delivery};
use roomcast_core::error::SessionEnd;
use roomcast_core::ids::Seq;
use roomcast_core::level_set::LevelSet;
use roomcast_core::resume::{ResumeToken, TokenAt};
use roomcast_core::{Batch, Budget, Group, Handoff, Instant, Item, Priority, RoomState, SessionId};
use std::collections::HashMap;
use std::ops::Range;

/// What a sweep's sink sees, in comparable form.
fn swept(due: Delivery<'_, Probe>) -> Swept {
    match due {
        Delivery::End(reason) => Swept::End(reason),
        Delivery::Batch(reading) => {
            let items = reading.items().map(|item| match item {
                Item::Gap { priority, count, cause } => Taken::Gap(priority, count, cause),
                Item::Message(message) => {
                    Taken::of(message.payload.id(), reading.is_history(message))
                }
                Item::Direct(direct) => Taken::Direct(direct.payload.id(), direct.sent_at),
            });
            let (items, batch) = (items.collect::<Vec<_>>(), reading.to_batch());
            let kept = batch.items().map(|item| match item {
                Item::Gap { priority, count, cause } => Taken::Gap(priority, count, cause),
                Item::Message(message) => {
                    Taken::of(message.payload.id(), batch.is_history(message))
                }
                Item::Direct(direct) => Taken::Direct(direct.payload.id(), direct.sent_at),
            });
            // A batch that is kept says the same; if not, the oracle is shown nothing and
            // complains.
            if kept.eq(items.iter().copied()) {
                Swept::Batch(items, batch.more())
            } else {
                Swept::Batch(Vec::new(), batch.more())
            }
        }
    }
}

impl Checked {
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
        self.on_hub("next_batch", &bare(&answer), |hub| {
            bare(&hub.next_batch(now, session, budget))
        })?;
        // Whoever has yet to pass something that was taken back is called ready, and gets nothing.
        let is_passing = ready && self.oracle.passes_withdrawn(session);
        let gets = is_passing || !matches!(answer, Ok(None));
        same(Law::Batches, "whether a session is ready", gets, ready)?;
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
        let is_alone = |item: &Taken| matches!(item, Taken::Gap(..) | Taken::History(_));
        same(
            Law::Batches,
            "whether a batch with a key has a gap or history",
            false,
            keys.values().any(|items| items.iter().any(is_alone)),
        )?;
        self.oracle.swept(now, group, slots, budget, busy, &seen)?;
        self.inspect(room)
    }

    /// `RoomState::ack`.
    pub fn ack(
        &mut self,
        room: &mut RoomState<Probe>,
        session: SessionId,
        level: Priority,
        seq: Seq,
    ) -> Check {
        let answer = room.ack(session, level, seq);
        self.on_hub("ack", &answer, |hub| hub.ack(session, level, seq))?;
        same(Law::L9Deterministic, "ack", answer, self.twin.ack(session, level, seq))?;
        self.oracle.acked(session, level, seq, answer)?;
        self.inspect(room)
    }

    /// `RoomState::resume_token_at`.
    pub fn resume_token(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        session: SessionId,
        at: TokenAt,
    ) -> Result<Option<ResumeToken>, Violation> {
        let answer = room.resume_token_at(now, session, at);
        let twin = self.twin.resume_token_at(now, session, at);
        same(Law::L9Deterministic, "resume_token_at", &answer, &twin)?;
        self.on_hub("resume_token_at", &answer.is_some(), |hub| {
            hub.resume_token_at(now, session, at, answer.as_ref())
        })?;
        self.oracle.token_taken(now, session, at, answer.as_ref())?;
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
        self.on_hub("set_masked_levels", &answer, |hub| hub.set_masked_levels(now, session, mask))?;
        same(
            Law::L9Deterministic,
            "set_masked_levels",
            answer,
            self.twin.set_masked_levels(now, session, mask),
        )?;
        self.oracle.masked(now, session, mask, answer)?;
        self.inspect(room)
    }
}
