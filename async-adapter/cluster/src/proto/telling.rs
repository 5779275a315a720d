//! What a flight brings to the host's edge here.

use super::follow::for_edge;
use super::room::Room;
use super::shared::Shared;
use super::{Outcome, Output};
use crate::wire::{Decided, Flight, Lasting, ToUser, What, Wire};
use roomcast_core::handover::HandOver;
use roomcast_core::ids::SessionKey;
use roomcast_core::message::Payload;
use roomcast_core::{Message, Priority, RoomId};
use std::sync::Arc;

impl<M: Payload + Wire + Clone> Room<M> {
    /// The host's edge is told what is known of people and data.
    pub(super) fn tell_known<I>(
        &self,
        shared: &mut Shared<M, I>,
        flight: &Flight<M>,
        is_anew: bool,
    ) {
        let Some(follower) = &self.follower else { return };
        let has_changed = is_anew || Lasting::is_changed_by(&flight.change);
        shared.outputs.push_back(Output::Known {
            room: self.id,
            state: for_edge(&follower.state),
            lasting: has_changed.then(|| Box::new(follower.lasting.clone())),
            kicked: flight.change.kicked.clone(),
            banned: flight.change.banned.iter().map(|(user, _)| *user).collect(),
        });
    }

    /// The host's edge gets the messages of a flight.
    pub(super) fn hand_on<I>(&mut self, shared: &mut Shared<M, I>, flight: &mut Flight<M>) {
        let Some(follower) = &mut self.follower else { return };
        if flight.gathering {
            return;
        }
        let (own, heads) = (follower.heads, flight.continued.heads);
        if Priority::ALL.into_iter().any(|level| heads[level] < own[level]) {
            // The log was lost with its owner, and the new one has not heard from this node.
            follower.heads = heads;
            self.tell_opened(shared, true);
            return;
        }
        if heads == own {
            return;
        }
        follower.heads = heads;
        let messages = flight.messages.drain(..).map(|mut sent| {
            let is_own = |origin: &crate::wire::Origin| origin.edge == shared.incarnation;
            let own = sent.origin.filter(is_own);
            sent.parts.session = own.map(|origin| SessionKey::from_bits(origin.session));
            Arc::new(Message::assemble(sent.parts))
        });
        // A flight that was read has its messages in place.
        if let Ok(handed) = HandOver::assemble(messages, heads) {
            shared.outputs.push_back(Output::Flight { room: self.id, handed });
        }
    }

    /// The host's edge hears what is taken back of what it has received.
    pub(super) fn tell_withdrawn<I>(&self, shared: &mut Shared<M, I>, flight: &Flight<M>) {
        for &what in &flight.withdrawn {
            shared.outputs.push_back(Output::Withdrawn { room: self.id, what });
        }
    }

    /// The host's edge gets the direct messages of a flight.
    pub(super) fn tell_directs<I>(&self, shared: &mut Shared<M, I>, flight: &mut Flight<M>) {
        for ToUser { user, direct } in flight.directs.drain(..) {
            shared.outputs.push_back(Output::Direct { room: self.id, to: user, direct });
        }
    }

    /// Forwards of this edge have their fates. `is_unsure`: what was sent to owners before this one
    /// may have gone out, and nobody knows.
    pub(super) fn settle<I>(
        &mut self,
        shared: &mut Shared<M, I>,
        flight: &Flight<M>,
        is_unsure: bool,
    ) {
        let mine = shared.incarnation;
        for fate in flight.fates.iter().filter(|fate| fate.edge == mine) {
            if let Some(one) = self.link.decided(fate.number) {
                let outcome = Outcome::Decided(fate.decided);
                tell_fate(shared, self.id, one.what, one.tag, outcome);
            }
        }
        for row in flight.rows.iter().filter(|row| row.edge == mine) {
            self.link.booked(row);
        }
        let seen = flight.edges.iter().find(|seen| seen.edge == mine);
        let below = seen.map_or(0, |seen| seen.settled_below);
        let is_lost = |number: u64, sent_in: u64| {
            if sent_in == flight.epoch { number < below } else { is_unsure }
        };
        for one in self.link.lost(is_lost) {
            tell_fate(shared, self.id, one.what, one.tag, Outcome::Lost);
        }
        if let Some(seen) = seen {
            self.link.seen(flight.epoch, seen.seen);
        }
    }

    pub(super) fn tell_opened<I>(&self, shared: &mut Shared<M, I>, again: bool) {
        let Some(follower) = &self.follower else { return };
        let (heads, life) = (follower.heads, follower.continued.life);
        let (room, state) = (self.id, for_edge(&follower.state));
        let lasting = Box::new(follower.lasting.clone());
        shared.outputs.push_back(Output::Opened { room, heads, life, state, lasting, again });
    }
}

/// What became of something is told to whoever gave it.
pub(super) fn tell_fate<M, I>(
    shared: &mut Shared<M, I>,
    room: RoomId,
    what: What<M>,
    tag: u64,
    outcome: Outcome,
) {
    match what {
        What::Message(message) => {
            shared.outputs.push_back(Output::Fate { room, message: Box::new(message), outcome });
        }
        What::Command { .. } => {
            shared.outputs.push_back(Output::Commanded { room, tag, outcome });
        }
        // What was counted here and could not be there is counted here all the same.
        What::Count { .. } | What::Unknown => {
            debug_assert!(matches!(
                outcome,
                Outcome::Lost | Outcome::Decided(Decided::Done | Decided::NotDone(_))
            ));
        }
    }
}
