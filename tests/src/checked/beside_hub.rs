//! A hub's room beside the room under watch: called the same, it answers, tells and books the same.

use super::Checked;
use crate::hub_room::HubRoom;
use crate::payload::Probe;
use crate::rules::Rules;
use crate::violation::{Check, Law, same};
use roomcast_core::broadcasts::BroadcastLimits;
use roomcast_core::config::ConfigError;
use roomcast_core::room::RoomSnapshot;
use roomcast_core::{Event, Instant, RoomState};
use std::fmt::Debug;

impl Checked {
    /// As [`new`](Self::new), beside a room of a hub.
    pub fn beside_hub(
        rules: Rules,
        limits: BroadcastLimits,
        now: Instant,
    ) -> Result<(RoomState<Probe>, Self), ConfigError> {
        let (config, sharding) = (rules.config()?, rules.sharding());
        let hub = HubRoom::new(&config, sharding.shards(), limits, now);
        let life = hub.life();
        let room = RoomState::starting_at(&config, sharding, rules.heads).with_life(life);
        let mut checked = Self::beside(rules, sharding, 1, life)?;
        checked.hub = Some(Box::new(hub));
        Ok((room, checked))
    }

    /// Everything that is to be told is. A hub asks at other points of one call, so what it tells
    /// may come in another order.
    fn told_the_same(&mut self, room: &mut RoomState<Probe>, what: &str) -> Check {
        let mut told = Vec::new();
        while let Some(event) = self.poll_event(room)? {
            told.push(event);
        }
        self.on_hub(what, &in_order(told), |hub| in_order(hub.take_told()))
    }

    /// Whether there is a hub's room.
    pub fn is_beside_hub(&self) -> bool {
        self.hub.is_some()
    }

    /// The hub's room is called like the room, and answers the same.
    pub(super) fn on_hub<T: PartialEq + Debug>(
        &mut self,
        what: &str,
        answer: &T,
        call: impl FnOnce(&mut HubRoom) -> T,
    ) -> Check {
        let Some(hub) = &mut self.hub else { return Ok(()) };
        same(Law::Hub, what, answer, &call(hub))
    }

    /// Beside a hub's room, all that is due at this instant is done, in both: then both have told
    /// and booked the same. Without one, nothing happens.
    pub fn settle(&mut self, room: &mut RoomState<Probe>, now: Instant) -> Check {
        if self.hub.is_none() {
            return Ok(());
        }
        // A hub's calls tell what they have brought about before its workers come by.
        self.told_the_same(room, "what the host is told by the call")?;
        // Whenever it is due and no more often, as a worker does: what one call brings about may be
        // due in the next.
        while room.poll_timeout().is_some_and(|due| due <= self.oracle.clock().max(now)) {
            self.handle_timeout(room, now)?;
        }
        self.on_hub("whether the workers come to an end", &true, |hub| hub.settle(now))?;
        self.told_the_same(room, "what the host is told by the workers")?;
        // A hub lets go of the log of a room that has ended.
        let is_ended = room.is_ended();
        let books = |mut books: RoomSnapshot| {
            if is_ended {
                (books.audience.log, books.audience.log_bytes) = Default::default();
                (books.audience.bytes.logged, books.audience.bytes.high_logged) = (0, 0);
            }
            books
        };
        self.on_hub("the books", &books(room.snapshot(now)), |hub| books(hub.snapshot(now)))
    }
}

/// Events in one order whatever order they came in; presence that was lost, in one.
fn in_order(events: impl IntoIterator<Item = Event>) -> (Vec<String>, u64) {
    let mut lost = 0;
    let mut others = Vec::new();
    for event in events {
        match event {
            Event::PresenceLost { count } => lost += count,
            other => others.push(format!("{other:?}")),
        }
    }
    others.sort();
    (others, lost)
}
