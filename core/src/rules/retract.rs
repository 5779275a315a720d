//! Taking back, in both halves: [clause C1](crate::rulebook#c1-retract).

use super::{Audiences, Halves};
use crate::admission::Actor;
use crate::error::ModerationError;
use crate::message::Payload;
use crate::retraction::{Retracted, Retraction};
use crate::time::Instant;
use alloc::vec::Vec;

impl<M: Payload, A: Audiences<M>> Halves<'_, M, A> {
    /// Takes messages back: what waits is dropped, and what has gone out nobody gets who has not got
    /// it. All audiences of the room have to be held. See
    /// [`RoomState::retract`](crate::RoomState::retract).
    ///
    /// # Errors
    /// The room is closed, or the actor may not do that. Nothing has changed then.
    pub fn retract(
        &mut self,
        now: Instant,
        actor: Actor,
        what: Retraction,
    ) -> Result<Retracted, ModerationError> {
        let sent = match what {
            Retraction::Sent(seq) => self.audiences.held().find_map(|audience| {
                audience.sent(seq).map(|message| (message.sender, message.messages))
            }),
            _ => None,
        };
        let dropped = self.admission.retract(now, actor, what, sent)?;
        self.follow();
        let mut seqs = Vec::new();
        for audience in self.audiences.held() {
            match what {
                Retraction::Sent(seq) => audience.withdraw(seq, &mut seqs),
                Retraction::AllOf(user) => audience.withdraw_all_of(user, &mut seqs),
                Retraction::Waiting(_) => {}
            }
        }
        // Each audience has a log of its own.
        seqs.sort_unstable();
        seqs.dedup();
        self.admission.note_retracted(&seqs);
        Ok(Retracted { dropped, seqs })
    }
}
