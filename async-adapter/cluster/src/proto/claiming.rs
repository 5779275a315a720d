//! A room that nobody owns is claimed: its key first, which says who may try, then its log.

use super::claim::Claim;
use super::owner::Owner;
use super::room::{Reading, Room};
use super::shared::{Purpose, Shared};
use super::{Event, Output};
use crate::bus::{Answer, Key, Record, Request};
use crate::wire::{HostIds, RoomKey, Wire};
use roomcast_core::RoomId;
use roomcast_core::message::Payload;

impl<M: Payload + Wire + Clone> Room<M> {
    /// Whether nobody owns the room, as far as is known here.
    fn is_free<I>(&self, shared: &Shared<M, I>) -> bool {
        let Some((revision, key)) = shared.keys.room(self.id) else { return true };
        let follower = self.follower.as_ref().filter(|follower| follower.epoch >= revision);
        if follower.is_some_and(|follower| follower.closed) {
            return true;
        }
        let is_its = key.incarnation == shared.incarnation || !shared.keys.lives(key.incarnation);
        match follower.and_then(|follower| follower.handed_to) {
            Some((to, _)) if to == shared.options.name => true,
            Some((_, since)) => shared.now >= since + shared.options.beat,
            None => is_its || self.is_stale,
        }
    }

    /// Claims the room, if it is free and others had their time.
    pub(super) fn tick_claim<I: HostIds>(&mut self, shared: &mut Shared<M, I>) {
        let waits = matches!(self.claim, Claim::None(_) | Claim::Waiting(_));
        let is_heir_elsewhere = waits && shared.retires && self.heir(shared).is_some();
        if self.owner.is_some() || !shared.lease_holds() || is_heir_elsewhere {
            if matches!(self.claim, Claim::Waiting(_) | Claim::Reading { .. }) {
                self.claim = Claim::default();
            }
            return;
        }
        match self.claim {
            Claim::None(from) => {
                let may = self.follower.is_some() || self.is_new;
                if may && shared.now >= from && self.is_free(shared) {
                    self.claim = Claim::Waiting(shared.now + self.wait(shared));
                    self.tick_claim(shared);
                }
            }
            Claim::Waiting(_) if !self.is_free(shared) => self.claim = Claim::default(),
            Claim::Waiting(until) if shared.now >= until => {
                let expected = shared.keys.room(self.id).map_or(0, |(revision, _)| revision);
                let (owner, incarnation) = (shared.options.name, shared.incarnation);
                let value = RoomKey { owner, incarnation }.encode().into();
                let is_first = expected == 0 && shared.keys.revision(self.id) == 0;
                let key = Key::Room(self.id);
                let request = Request::Put { key, expected, value, ttl: None };
                shared.call(Purpose::Claim(self.id), request);
                self.claim = Claim::Claiming { is_first };
            }
            Claim::Waiting(_) | Claim::Claiming { .. } | Claim::Over => {}
            Claim::Reading { epoch, is_first, end } => {
                let other = shared.keys.room(self.id).is_some_and(|(revision, _)| revision > epoch);
                if other {
                    self.claim = Claim::None(shared.now + shared.options.rank);
                    return;
                }
                let applied = self.follower.as_ref().map_or(0, |follower| follower.applied);
                match end {
                    None => self.read(shared, Reading::TakeOver),
                    Some(end) if applied >= end => self.take_over(shared, epoch, is_first, end),
                    Some(_) => {
                        let what =
                            if self.follower.is_some() { Reading::Next } else { Reading::Begin };
                        self.read(shared, what);
                    }
                }
            }
        }
    }

    /// The node that is to own the room if this one is not: the first in line of those at which it is
    /// open.
    pub(super) fn heir<I>(&self, shared: &Shared<M, I>) -> Option<u64> {
        match (&self.owner, &self.follower) {
            (Some(owner), _) => {
                shared.heir(self.id, |incarnation| owner.edges.contains_key(&incarnation))
            }
            (None, Some(follower)) => {
                shared.heir(self.id, |incarnation| follower.open_at.contains(&incarnation))
            }
            (None, None) => None,
        }
    }

    /// Hands the room over, if this node is about to stop and another has it open.
    pub(super) fn tick_retiring<I>(&mut self, shared: &Shared<M, I>) {
        let leaves = |owner: &Owner<M>| !owner.is_active || owner.leaving.is_some();
        if !shared.retires || self.owner.as_ref().is_none_or(leaves) {
            return;
        }
        let heir = self.heir(shared);
        if let (Some(heir), Some(owner)) = (heir, &mut self.owner) {
            owner.leaving = Some((heir, shared.now + shared.options.answer));
        }
    }

    /// How long others come first.
    fn wait<I>(&self, shared: &Shared<M, I>) -> core::time::Duration {
        let Some(follower) = &self.follower else {
            // Whoever knows the room had better go on with it.
            let is_known = shared.keys.revision(self.id) > 0;
            let first = if is_known { shared.options.gather } else { core::time::Duration::ZERO };
            return first + shared.wait_for_rank(self.id, |_| true);
        };
        if follower.handed_to.is_some_and(|(to, _)| to == shared.options.name) {
            return core::time::Duration::ZERO;
        }
        shared.wait_for_rank(self.id, |incarnation| follower.open_at.contains(&incarnation))
    }

    /// The claim to the key is answered.
    pub(super) fn claimed<I>(&mut self, shared: &mut Shared<M, I>, answer: &Answer) {
        let Claim::Claiming { is_first } = self.claim else { return };
        self.claim = match *answer {
            Answer::Done(epoch) => Claim::Reading { epoch, is_first, end: None },
            _ => Claim::None(shared.now + shared.options.rank),
        };
    }

    /// The end of the log is known, or cannot be.
    pub(super) fn read_to_take_over<I: HostIds>(
        &mut self,
        shared: &mut Shared<M, I>,
        record: Result<Option<Record>, ()>,
    ) {
        let Claim::Reading { epoch, is_first, .. } = self.claim else { return };
        let Ok(record) = record else { return };
        match record {
            // There is no log, so nothing is read of it.
            None => self.take_over(shared, epoch, is_first, 0),
            Some(record) => {
                self.claim = Claim::Reading { epoch, is_first, end: Some(record.at) };
                self.receive(shared, record);
            }
        }
    }

    /// Goes on with the room behind the flight at `end`; 0: the log is empty.
    fn take_over<I: HostIds>(
        &mut self,
        shared: &mut Shared<M, I>,
        epoch: u64,
        is_first: bool,
        end: u64,
    ) {
        if self.follower.as_ref().is_some_and(|follower| follower.epoch >= epoch) {
            // Somebody came later, and was faster.
            self.claim = Claim::None(shared.now + shared.options.rank);
            return;
        }
        self.claim = Claim::default();
        let is_new = end == 0 && is_first && self.follower.is_none();
        let follower = self.follower.as_ref();
        // Edges may hear of the flight before this node knows that the log has it.
        shared.ask(Request::Listen { room: self.id });
        let mut owner = Owner::new(shared, &self.config, epoch, follower, end, is_new);
        owner.write(shared, self.id);
        self.owner = Some(owner);
    }

    /// The room is not this node's any more.
    pub(super) fn depose<I>(&mut self, shared: &mut Shared<M, I>) {
        let Some(owner) = self.owner.take() else { return };
        shared.ask(Request::Unlisten { room: self.id });
        if owner.is_active {
            shared.tell(Event::Deposed { room: self.id, epoch: owner.epoch });
        }
        self.claim = Claim::None(shared.now + shared.options.rank);
    }
}

impl<M, I> Shared<M, I> {
    /// Gives a room's key back, if it is this node's.
    pub(super) fn release(&mut self, room: RoomId) {
        let Some((revision, key)) = self.keys.room(room) else { return };
        if key.incarnation == self.incarnation {
            let request = Request::Delete { key: Key::Room(room), expected: revision };
            self.call(Purpose::Release, request);
        }
    }

    /// The next thing that is wanted.
    pub(super) fn poll(&mut self) -> Option<Output<M>> {
        self.outputs.pop_front()
    }
}
