//! A room is closed for all of its nodes, by one last flight.

use super::claim::Claim;
use super::owner::Owner;
use super::room::Room;
use super::shared::Shared;
use super::telling::tell_fate;
use super::{Event, Outcome, Output};
use crate::wire::{Decided, NotDone, What, Wire};
use roomcast_core::admission::RoomStatus;
use roomcast_core::ledger::RefusalReason;
use roomcast_core::message::Payload;

/// The most fates in the last flight.
const MAX_LAST_FATES: usize = 4_096;

impl<M: Payload + Wire + Clone> Owner<M> {
    /// Whether the room is closed, and all has been told but what the last flight tells.
    pub(super) fn closes(&self) -> bool {
        self.admission.state() == RoomStatus::Closed
            && self.admission.is_idle()
            && self.untold.is_empty()
            && self.directs.is_empty()
            && self.withdrawn.is_empty()
            && self.fates.len() <= MAX_LAST_FATES
    }
}

impl<M: Payload + Wire + Clone> Room<M> {
    /// Whether it was closed for all nodes, and is of no use any more.
    pub(super) fn is_over(&self) -> bool {
        self.claim == Claim::Over
    }

    /// The log says that the room is closed. What no owner had decided on then will not be decided on; of
    /// what was sent nobody knows it, if something before is missing (`is_torn`).
    pub(super) fn end<I>(&mut self, shared: &mut Shared<M, I>, is_torn: bool) {
        for one in self.link.end() {
            let refused =
                Decided::Refused { reason: Some(RefusalReason::RoomClosed), retry_at: None };
            let outcome = match one.what {
                _ if is_torn && one.sent_in != 0 => Outcome::Lost,
                What::Message(_) => Outcome::Decided(refused),
                _ => Outcome::Decided(Decided::NotDone(NotDone::RoomClosed)),
            };
            tell_fate(shared, self.id, one.what, one.tag, outcome);
        }
        self.claim = Claim::Over;
        shared.outputs.push_back(Output::Closed { room: self.id });
        shared.tell(Event::Closed { room: self.id });
    }
}
