//! Taking back: what waits is dropped. [Clause C1](crate::rulebook#c1-retract).

use super::{Actor, Admission, RoomStatus};
use crate::error::ModerationError;
use crate::ids::Seq;
use crate::ledger::DropReason;
use crate::message::{Payload, Sender};
use crate::retraction::Retraction;
use crate::rights::{Action, NotAllowed, Rule};
use crate::time::Instant;

impl<M: Payload> Admission<M> {
    /// Drops what waits of what is to be taken back, if somebody may do that; returns how many. `sent`
    /// is who has said what has gone out, and how many messages it stands for. For hosts whose audiences
    /// are elsewhere; with an audience beside it, [`Halves`](crate::Halves::retract) knows who has said
    /// what. O(what waits).
    ///
    /// # Errors
    /// The room is closed, or the actor may not do that. No clock has moved then.
    pub fn retract(
        &mut self,
        now: Instant,
        actor: Actor,
        what: Retraction,
        sent: Option<(Sender, u32)>,
    ) -> Result<u32, ModerationError> {
        if self.status == RoomStatus::Closed {
            return Err(ModerationError::RoomClosed);
        }
        let (mut reviewed, mut queued) = (None, None);
        let said = match what {
            Retraction::Sent(_) => sent,
            Retraction::AllOf(user) => Some((Sender::User(user), 1)),
            Retraction::Waiting(id) => {
                reviewed = self.reviews.find(id);
                queued = self.pipeline.find(id);
                reviewed.or(queued).map(|(_, sender, messages)| (sender, messages))
            }
        };
        if let Some(said) = said {
            self.may_retract(self.clock.peek(now), actor, said)?;
        }
        let now = self.clock.advance(now);
        self.accounts.drops().clear();
        let mut dropped = 0;
        if let Retraction::AllOf(user) = what {
            let senders = [Sender::User(user)];
            for (_, slot) in self.reviews.all_of(&senders) {
                dropped += self.drop_under_review(now, slot);
            }
            for (_, slot) in self.pipeline.all_of(&senders) {
                // One that carries others is theirs, too.
                if !self.pipeline.carries_others(slot) {
                    dropped += self.drop_queued(now, slot);
                }
            }
        }
        dropped += reviewed.map_or(0, |(slot, ..)| self.drop_under_review(now, slot));
        dropped += queued.map_or(0, |(slot, ..)| self.drop_queued(now, slot));
        Ok(dropped)
    }

    /// Messages with these numbers were taken back that had gone out: a tip is to tell it. For hosts whose
    /// audiences are elsewhere, as [`retract`](Self::retract) is.
    pub fn note_retracted(&mut self, seqs: &[Seq]) {
        self.data.note_retracted(self.clock.at(), seqs);
    }

    /// Whether somebody may take back what somebody has said: whoever has said it may, unless others
    /// were merged into it, and who else is up to the table of rights. What the host has said, the host
    /// alone may.
    fn may_retract(
        &self,
        now: Instant,
        actor: Actor,
        (sender, messages): (Sender, u32),
    ) -> Result<(), NotAllowed> {
        match (sender, actor) {
            (Sender::Host, Actor::Host) => Ok(()),
            (Sender::Host, Actor::User(user)) => {
                let (action, rule) = (Action::Retract, Rule::HostOnly);
                Err(NotAllowed { actor: Some(user), action, target: None, rule })
            }
            (Sender::User(user), Actor::User(actor)) if user == actor && messages == 1 => Ok(()),
            (Sender::User(user), _) => {
                self.moderation.check_one(&self.settings, now, actor, Action::Retract, Some(user))
            }
        }
    }

    fn drop_under_review(&mut self, now: Instant, slot: u32) -> u32 {
        let Some(reviewed) = self.reviews.take(slot) else { return 0 };
        self.drop_reviewed(now, reviewed, DropReason::Retracted, None);
        1
    }

    fn drop_queued(&mut self, now: Instant, slot: u32) -> u32 {
        let Some(popped) = self.pipeline.take(slot) else { return 0 };
        self.drop_one(now, popped, DropReason::Retracted, None);
        1
    }
}
