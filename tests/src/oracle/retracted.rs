//! What was taken back (clause C1): the withdrawn positions of each level, as a set.

use super::Oracle;
use super::listeners::{Listener, Listeners, Logged};
use crate::violation::{Check, Law, same};
use roomcast_core::error::ModerationError;
use roomcast_core::ids::{MessageId, Seq};
use roomcast_core::ledger::DropReason;
use roomcast_core::message::Sender;
use roomcast_core::retraction::{Retracted, Retraction};
use roomcast_core::rights::{Action, NotAllowed, Rule};
use roomcast_core::system_messages::SystemMessageKind;
use roomcast_core::{Actor, Instant, Priority, SessionId};

impl Oracle {
    /// `RoomState::retract` answered this.
    pub fn retracted(
        &mut self,
        now: Instant,
        actor: Actor,
        what: Retraction,
        answer: &Result<Retracted, ModerationError>,
    ) -> Check {
        if let Some(error) = self.keeps_from_retracting(now, actor, what) {
            return same(Law::Members, "who may take back what", &Err(error), answer);
        }
        self.advance(now);
        let waiting = self.waiting_for(what);
        for &id in &waiting {
            self.inbox.decide();
            if let Some(entry) = self.line.remove(id) {
                self.drop_entry(&entry, DropReason::Retracted, None);
            } else if let Some(place) =
                self.reviews.pending.iter().position(|pending| pending.entry.id == id)
            {
                let pending = self.reviews.pending.remove(place);
                self.drop_uncounted(pending, DropReason::Retracted, None);
            }
        }
        let seqs = self.listeners.withdraw(what);
        if !seqs.is_empty() && self.rules.tips.level(SystemMessageKind::Retracted).is_some() {
            let untold = &mut self.happened.retracted;
            untold.extend(&seqs);
            // The newest of more than may wait.
            drop(untold.drain(..untold.len().saturating_sub(16_384)));
            self.happens(SystemMessageKind::Retracted, None);
        }
        let expected = (waiting.len(), seqs);
        let found = answer.as_ref().map(|taken| (taken.dropped as usize, taken.seqs.clone())).ok();
        same(Law::Members, "what was taken back", Some(expected), found)?;
        self.check_held()
    }

    /// Whoever has said something may take that back, unless others were merged into it. What the
    /// host says, it alone; the rest is as with a kick.
    fn keeps_from_retracting(
        &self,
        now: Instant,
        actor: Actor,
        what: Retraction,
    ) -> Option<ModerationError> {
        if !self.is_open() {
            return Some(ModerationError::RoomClosed);
        }
        let said = match what {
            Retraction::Sent(seq) => {
                self.listeners.logged_as(seq).map(|(_, logged)| (logged.sender, logged.messages))
            }
            Retraction::Waiting(id) => {
                self.waits(id).map(|(sender, messages, _)| (sender, messages))
            }
            Retraction::AllOf(user) => Some((Sender::User(user), 1)),
            _ => None,
        };
        let rule = match (said?, actor) {
            ((Sender::Host, _), Actor::User(user)) => Some(NotAllowed {
                actor: Some(user),
                action: Action::Retract,
                target: None,
                rule: Rule::HostOnly,
            }),
            ((Sender::User(user), 1), Actor::User(actor)) if user == actor => None,
            ((Sender::User(user), _), actor) => {
                let mut then = self.clone();
                then.advance(now);
                then.rule(actor, Action::Retract, Some(user))
            }
            _ => None,
        };
        rule.map(ModerationError::from)
    }

    /// Who waits under this number, how many it is, and which payload it has.
    fn waits(&self, id: MessageId) -> Option<(Sender, u32, u64)> {
        let queued = self
            .line
            .entries
            .iter()
            .filter_map(|entry| self.waiting.get(&entry.id).map(|waiting| (entry, waiting)));
        let reviewed =
            self.reviews.pending.iter().map(|pending| (&pending.entry, &pending.waiting));
        let found = queued.chain(reviewed).find(|(_, waiting)| waiting.id == id);
        found.map(|(entry, waiting)| (entry.sender, waiting.messages, entry.id))
    }

    /// The payloads of all that waits and is to be taken back, in the order in which it goes: under
    /// review before what is queued, the highest level first, in each the one that came first.
    fn waiting_for(&self, what: Retraction) -> Vec<u64> {
        let user = match what {
            Retraction::Waiting(id) => {
                return self.waits(id).map(|(.., payload)| payload).into_iter().collect();
            }
            Retraction::AllOf(user) => Sender::User(user),
            _ => return Vec::new(),
        };
        let carries_others =
            |id| self.waiting.get(&id).is_some_and(|waiting| waiting.carries_others);
        let of_level = |level| {
            let pending = self.reviews.pending.iter().map(|pending| &pending.entry);
            pending.filter(move |entry| entry.level == level && entry.sender == user)
        };
        let reviewed = Priority::ALL.into_iter().flat_map(of_level);
        let queued = Priority::ALL.into_iter().flat_map(|level| self.line.level(level));
        let queued = queued.filter(|entry| entry.sender == user && !carries_others(entry.id));
        reviewed.chain(queued).map(|entry| entry.id).collect()
    }

    /// Whether a session may be ready and get nothing: it has yet to pass something that was taken
    /// back.
    pub fn passes_withdrawn(&self, session: SessionId) -> bool {
        self.listeners.here.get(&session).is_some_and(|listener| {
            Priority::ALL.into_iter().any(|level| {
                let mut pending = listener.pending[level].iter();
                pending.any(|position| self.listeners.withdrawn[level].contains(position))
            })
        })
    }
}

impl Listeners {
    /// The message with this number, if the log holds it.
    fn logged_as(&self, seq: Seq) -> Option<(Priority, Logged)> {
        Priority::ALL.into_iter().find_map(|level| {
            let logged = self.log[level].iter().find(|logged| logged.seq == seq)?;
            Some((level, *logged))
        })
    }

    /// Takes back what the log holds of it; answers the numbers of what was not taken back before.
    fn withdraw(&mut self, what: Retraction) -> Vec<Seq> {
        let is_it = |logged: &Logged| match what {
            Retraction::Sent(seq) => logged.seq == seq,
            Retraction::AllOf(user) => logged.sender == Sender::User(user) && logged.messages == 1,
            _ => false,
        };
        let mut seqs = Vec::new();
        for level in Priority::ALL {
            for logged in self.log[level].iter().filter(|logged| is_it(logged)) {
                if self.withdrawn[level].insert(logged.position) {
                    seqs.push(logged.seq);
                }
            }
        }
        seqs.sort_unstable();
        seqs
    }
}

impl Listener {
    /// It passes a message that was taken back.
    pub(super) fn pass_withdrawn(&mut self, level: Priority) {
        self.pending[level].pop_front();
        self.counts[level].excluded += 1;
    }
}
