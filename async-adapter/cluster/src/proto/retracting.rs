//! Taking back over machines: the owner decides, and every edge hears of it in its place in the log.

use super::decide::not_done;
use super::owner::{Owner, Untold};
use super::senders::Said;
use crate::wire::{Decided, Fate, NotDone, Wire, Withdrawn};
use roomcast_core::ids::Seq;
use roomcast_core::message::Payload;
use roomcast_core::retraction::Retraction;
use roomcast_core::{Actor, Instant};

/// The most of them in a flight.
const MAX_WITHDRAWN: usize = 256;

impl<M: Payload + Wire + Clone> Owner<M> {
    /// Somebody takes something back. What waits is dropped at once; the rest is done when the log says it,
    /// behind all that had gone out.
    pub(super) fn take_back(&mut self, now: Instant, actor: Actor, fate: Fate, what: Withdrawn) {
        // What has gone out by now is known first.
        self.pick_up();
        let decided = match self.withdraw(now, actor, what) {
            Ok(true) => {
                self.pick_up();
                let behind =
                    self.untold.back().map_or(Seq(self.told.values().sum()), |all| all.seq);
                let fate = Fate { decided: Decided::Done, ..fate };
                self.withdrawn.push_back(Untold { fate, what, behind });
                return;
            }
            Ok(false) => Decided::Done,
            Err(why) => Decided::NotDone(why),
        };
        self.fates.push_back((Fate { decided, ..fate }, None));
    }

    /// Returns whether edges have to hear of it.
    fn withdraw(&mut self, now: Instant, actor: Actor, what: Withdrawn) -> Result<bool, NotDone> {
        let sent = match what {
            Withdrawn::Sent(seq) => match self.senders.of(seq).ok_or(NotDone::Gone)? {
                (sender, Said::Stands(messages)) => Some((sender, messages)),
                (_, Said::Withdrawn) => return Ok(false),
            },
            Withdrawn::AllOf(_) => None,
        };
        let retraction = Retraction::from(what);
        self.admission.retract(now, actor, retraction, sent).map_err(not_done)?;
        let seqs = self.senders.withdraw(what);
        self.admission.note_retracted(&seqs);
        Ok(true)
    }

    /// Up to which message the next flight may go: what is taken back is told behind what had gone out, and
    /// before what went out later.
    pub(super) fn may_tell(&self, seq: Seq) -> bool {
        self.withdrawn.front().is_none_or(|first| seq <= first.behind)
    }

    /// What is taken back of what is in flights, with this one; the fates follow.
    pub(super) fn take_withdrawn(&mut self) -> Vec<Withdrawn> {
        let told = self.told.values().sum::<u64>();
        let mut withdrawn = Vec::new();
        while let Some(&Untold { fate, what, behind }) = self.withdrawn.front()
            && withdrawn.len() < MAX_WITHDRAWN
            && behind.0 <= told
        {
            self.withdrawn.pop_front();
            self.fates.push_back((fate, None));
            withdrawn.push(what);
        }
        withdrawn
    }
}
