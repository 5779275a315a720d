//! What enters the line, goes out, expires, gives way.

use super::line::Entry;
use super::{Oracle, Waiting};
use crate::checked::Crossed;
use crate::violation::{Check, Law, Violation, same};
use roomcast_core::audit::Fate;
use roomcast_core::ids::MessageId;
use roomcast_core::ledger::DropReason;
use roomcast_core::message::{Limit, OutcomeSink, Sender, Urgency};
use roomcast_core::rights::Role;
use roomcast_core::{Event, Instant, Outcome, Priority};
use std::collections::BTreeSet;

/// What went over the seam in one call and has not been accounted for yet.
pub(super) type Sent<'a> = std::slice::Iter<'a, Crossed>;

/// What became of a message that entered.
pub(super) enum Entered {
    /// Another one carries it.
    Merged(MessageId),
    /// It went out; with its outcome, if the call tells it.
    Sent(Option<Outcome>),
    /// It waits, and the line may be over its budget with it.
    Waits,
}

impl Oracle {
    /// A message enters; then what may go goes. Its fate is told by the call if it is its `own`.
    pub(super) fn enter(
        &mut self,
        now: Instant,
        mut entry: Entry,
        waiting: Waiting,
        sent: &mut Sent<'_>,
        own: bool,
    ) -> Result<Entered, Violation> {
        let id = entry.id;
        if let Some(carrier) = self.merge(&entry, &waiting) {
            self.gone.push((id, waiting.held));
            self.dispatch(now, sent, None)?;
            return Ok(Entered::Merged(carrier));
        }
        entry.urgency = self.stands(&entry);
        self.line.arrive(entry);
        self.waiting.insert(id, waiting);
        let outcome = self.dispatch(now, sent, own.then_some(id))?;
        self.line.settle();
        Ok(if self.line.find(id).is_some() { Entered::Waits } else { Entered::Sent(outcome) })
    }

    /// How a message stands at its level: what the owner and the admins say goes before the rest,
    /// and so does what is marked so.
    pub(super) fn stands(&self, entry: &Entry) -> Urgency {
        let asked = match entry.sender {
            Sender::User(user) if self.role(user) != Role::Member => Urgency::Urgent,
            _ => entry.urgency,
        };
        self.line.stands(entry.level, entry.sender, asked)
    }

    /// What waits under the same key carries it, if something does.
    pub(super) fn merge(&mut self, entry: &Entry, waiting: &Waiting) -> Option<MessageId> {
        let carrier = self.line.level(entry.level).find(|other| {
            let key = self.waiting.get(&other.id).and_then(|other| other.merge);
            key.is_some() && key == waiting.merge
        })?;
        let is_others = carrier.sender != entry.sender;
        let carrier = self.waiting.get_mut(&carrier.id)?;
        carrier.units = carrier.units.wrapping_add(waiting.units);
        carrier.messages += 1;
        carrier.session = None;
        carrier.carries_others |= is_others;
        let carrier = carrier.id;
        self.books[entry.level].merged += 1;
        let lane = (entry.level, entry.sender);
        self.waiting_fated(lane, waiting, Fate::Merged { carrier });
        Some(carrier)
    }

    /// When the next of those that wait leaves, by its turn or by its time.
    pub(super) fn next_exit(&self) -> Option<Instant> {
        let deadlines = self.line.entries.iter().filter_map(|entry| self.line.deadline(entry));
        deadlines.chain(self.next_turn()).min().map(|at| at.max(self.clock))
    }

    /// Tokens go to the highest level that waits while there are any; what went out must be exactly
    /// that. Answers the outcome of `own`.
    pub(super) fn dispatch(
        &mut self,
        now: Instant,
        sent: &mut Sent<'_>,
        own: Option<u64>,
    ) -> Result<Option<Outcome>, Violation> {
        let mut answer = None;
        while let Some((level, kept)) = self.turn(now.as_nanos()) {
            if !self.turns.room.may_pass(now.as_nanos(), kept) {
                break;
            }
            let Some(message) = sent.next() else {
                return Err(Violation::new(
                    Law::L5Rate,
                    "a token that is there is granted",
                    level,
                    "nothing sent",
                ));
            };
            let id = message.payload.id();
            same(Law::L3Priority, "the level that is served", level, message.priority)?;
            let may_go = self.may_go(level);
            if !may_go.contains(&id) {
                return Err(Violation::new(Law::L4Order, "whose turn it is", may_go, id));
            }
            same(Law::L5Rate, "every window holds", true, self.goes(level, message.sender))?;
            let (outcome, waiting) = self.sent(now, message)?;
            if own == Some(id) {
                answer = Some(outcome);
            } else {
                self.inbox.decide();
                self.conclude(&waiting, level, outcome);
            }
        }
        Ok(answer)
    }

    /// Nothing more than that went out.
    pub(super) fn no_more(&self, now: Instant, mut sent: Sent<'_>) -> Check {
        let Some(message) = sent.next() else { return Ok(()) };
        let tokens = self.turns.room.whole(now.as_nanos());
        Err(Violation::new(
            Law::L5Rate,
            format_args!("no more goes out with {tokens} tokens"),
            "nothing sent",
            message,
        ))
    }

    fn sent(&mut self, now: Instant, message: &Crossed) -> Result<(Outcome, Waiting), Violation> {
        let (Some(entry), Some(waiting)) =
            (self.line.go(message.payload.id()), self.waiting.remove(&message.payload.id()))
        else {
            return Err(Violation::new(
                Law::L4Order,
                "what goes out has waited",
                "a waiting message",
                message,
            ));
        };
        let level = entry.level;
        let (seq, position) = self.next_place(level);
        self.books[level].dispatched += 1;
        self.books[level].units_dispatched =
            self.books[level].units_dispatched.wrapping_add(waiting.units);
        self.waiting_fated((level, entry.sender), &waiting, Fate::Dispatched { seq });
        let expected =
            (seq, position, waiting.kind, entry.sender, waiting.session, waiting.admitted_at, now);
        let m = message;
        let session = m.session.map(|key| key.in_life(self.life));
        let found = (m.seq, m.position, m.kind, m.sender, session, m.admitted_at, m.dispatched_at);
        same(Law::L4Order, "the dispatched message", expected, found)?;
        same(
            Law::L1Messages,
            "what it carries",
            (waiting.messages, waiting.units),
            (m.messages, m.units),
        )?;
        let profile = message.profile.as_ref().map(|profile| profile.id());
        same(Law::Members, "the profile at admission", waiting.profile.map(|(id, _)| id), profile)?;
        let bytes = entry.size + waiting.profile.map_or(0, |(_, size)| size as u64);
        self.listeners.dispatched(&self.rules, message, bytes);
        Ok((Outcome::Dispatched { seq, at: now }, waiting))
    }

    /// A fate is told by an event.
    pub(super) fn conclude(&mut self, waiting: &Waiting, priority: Priority, outcome: Outcome) {
        let Waiting { id, messages, units, outcome_sink, .. } = *waiting;
        if outcome_sink != OutcomeSink::CountedOnly {
            self.inbox.outcome(Event::Outcome {
                id,
                priority,
                messages,
                units,
                outcome_sink,
                outcome,
            });
        }
    }

    pub(super) fn expire(&mut self, now: Instant) {
        for entry in self.line.expire(now) {
            let limit = self.bound(entry.level);
            self.inbox.decide();
            self.drop_entry(&entry, DropReason::Expired, limit);
        }
    }

    /// A message that has left the line is dropped, with all that it carries.
    pub(super) fn drop_entry(&mut self, entry: &Entry, reason: DropReason, limit: Option<Limit>) {
        if let Some(waiting) = self.waiting.remove(&entry.id) {
            self.drop_waiting(entry, waiting, reason, limit);
        }
    }

    pub(super) fn drop_waiting(
        &mut self,
        entry: &Entry,
        waiting: Waiting,
        reason: DropReason,
        limit: Option<Limit>,
    ) {
        let row = &mut self.books[entry.level];
        *row.dropped.entry(reason).or_default() += 1;
        row.units_dropped = row.units_dropped.wrapping_add(waiting.units);
        let lane = (entry.level, entry.sender);
        self.waiting_fated(lane, &waiting, Fate::Dropped { reason, limit });
        self.unsay(waiting.id);
        // Whoever was taken out has to come back first; what has been counted must not come twice, nor
        // what was taken back;
        // no time frees memory.
        let is_final = !self.is_open()
            || matches!(
                reason,
                DropReason::SenderOut | DropReason::Retracted | DropReason::MemoryFull
            )
            || waiting.counter.is_some();
        let may_go = || {
            let turn = self.next_chance(self.clock, entry.level, entry.sender)?;
            Some(turn.max(self.may_speak_at(entry.level, entry.sender)?))
        };
        let retry_at = if is_final { None } else { may_go() };
        self.conclude(&waiting, entry.level, Outcome::Dropped { reason, limit, retry_at });
        self.gone.push((entry.id, waiting.held));
    }

    /// Who gave way is seen by whose payload is gone.
    pub(super) fn evicted(&mut self, newcomer: u64) -> Check {
        let victims = self.lost()?;
        let allowed = self.squeezed(newcomer, |squeeze| squeeze.may_evict(&victims));
        same(
            Law::L7Bounded,
            format_args!("whether {victims:?} may give way to {newcomer}"),
            true,
            allowed,
        )?;
        let level = self.line.find(newcomer).map_or(Priority::MAX, |newcomer| newcomer.level);
        let shortage = self.shortage(level);
        self.give_way(victims, shortage);
        Ok(())
    }

    /// Those in the line whose payload nobody holds any more.
    pub(super) fn lost(&self) -> Result<BTreeSet<u64>, Violation> {
        let gone = |side: usize| -> BTreeSet<u64> {
            let lost = |entry: &&Entry| {
                self.waiting.get(&entry.id).is_some_and(|waiting| !waiting.held[side].is_held())
            };
            self.line.entries.iter().filter(lost).map(|entry| entry.id).collect()
        };
        let victims = gone(0);
        same(Law::L9Deterministic, "who gave way", &victims, &gone(1))?;
        Ok(victims)
    }

    /// These give way, in one decision.
    fn give_way(&mut self, victims: BTreeSet<u64>, (reason, limit): (DropReason, Option<Limit>)) {
        let entries: Vec<Entry> =
            victims.into_iter().filter_map(|id| self.line.remove(id)).collect();
        self.inbox.decide();
        for entry in entries {
            self.drop_entry(&entry, reason, limit);
        }
    }
}
