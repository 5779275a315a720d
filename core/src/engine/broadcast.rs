//! Broadcasts to every room of an engine: [clause A16](crate::rulebook#a16-notices-and-broadcasts).

use super::Engine;
use crate::broadcasts::{Broadcast, BroadcastLimits, BroadcastRefused, Broadcasts};
use crate::message::Payload;
use crate::time::Instant;

/// A walk round the rooms' slots, so that all hear what was broadcast. There is one however many
/// broadcasts come meanwhile: a room that it passes hears all that it has not heard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    /// The next slot.
    next: u32,
    /// Slots that are left of the round that began with the last broadcast.
    left: u32,
    /// Since when there is something to hear.
    pub(super) since: Instant,
}

impl<M: Payload> Engine<M> {
    /// This engine with other limits for what is broadcast to every room; set them before anything
    /// is.
    #[must_use]
    pub fn broadcast_limits(mut self, limits: BroadcastLimits) -> Self {
        self.broadcasts = Broadcasts::new(limits, self.seed);
        self
    }

    /// Says something to every room there is. O(1), whatever the number of rooms: a room hears it
    /// when it is next called, or when [`handle_timeout`](Self::handle_timeout), which is due at
    /// once, comes by it, 256 rooms in a call. A room that is looked at by [`room`](Self::room)
    /// before that shows its books without it.
    ///
    /// # Errors
    /// There was another one within the second, or one with the same key within 5 minutes (the
    /// defaults of [`BroadcastLimits`]).
    pub fn broadcast(
        &mut self,
        now: Instant,
        broadcast: Broadcast<M>,
    ) -> Result<(), BroadcastRefused<M>>
    where
        M: Clone,
    {
        self.broadcasts.publish(now, broadcast)?;
        let (next, since) = self.spread.map_or((0, now), |spread| (spread.next, spread.since));
        let left = self.rooms.slots();
        self.spread = (!self.is_empty()).then_some(Spread { next, left, since });
        Ok(())
    }

    /// What was broadcast.
    pub fn broadcasts(&self) -> &Broadcasts<M> {
        &self.broadcasts
    }

    /// Lets a room hear what it has not heard yet.
    pub(super) fn let_hear(&mut self, slot: u32) {
        let Some(entry) = self.rooms.get_mut(slot) else { return };
        if entry.room.has_broadcasts_to_import(&self.broadcasts) {
            entry.room.import_broadcasts(self.broadcasts.last(), &self.broadcasts);
            self.note(slot);
        }
    }

    /// Lets so many rooms more hear what was broadcast.
    pub(super) fn spread_broadcasts(&mut self, rooms: u32) {
        let Some(Spread { mut next, left, since }) = self.spread else { return };
        let now = rooms.min(left);
        for _ in 0..now {
            next = if next < self.rooms.slots() { next } else { 0 };
            self.let_hear(next);
            next += 1;
        }
        self.spread = (left > now).then_some(Spread { next, left: left - now, since });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::DedupKey;
    use crate::quota::Quota;
    use crate::{Budget, Join, Kind, Priority, RoomConfig, RoomId, UserId};
    use core::num::NonZeroU32;

    #[test]
    fn every_room_hears_it_once_and_no_later_one() {
        let mut engine: Engine<&str> = Engine::new(10_000, 0);
        let config = RoomConfig::av_chat_room(UserId(1));
        for id in 0..1_000 {
            engine.create_room(RoomId(id), &config).unwrap();
        }
        let now = Instant::from_secs(5);
        let guest = engine.join(now, RoomId(700), Join::guest()).unwrap().session;
        engine.remove_room(now, RoomId(3)).unwrap();
        engine
            .broadcast(
                now,
                Broadcast::new(DedupKey(1), "maintenance at noon").priority(Priority::High),
            )
            .unwrap();
        engine.create_room(RoomId(5_000), &config).unwrap();
        // A look tells that there is something to hear, and changes nothing.
        for _ in 0..2 {
            let books = engine.snapshot(now, RoomId(700)).unwrap().admission;
            assert_eq!((books.broadcasts_pending, books.ledger.total().dispatched), (1, 0));
        }
        assert_eq!(engine.snapshot(now, RoomId(5_000)).unwrap().admission.broadcasts_pending, 0);
        // One that is called hears it at once.
        let first = engine.room_mut(RoomId(900)).unwrap().snapshot(now).admission.ledger.levels
            [Priority::High]
            .dispatched;
        assert_eq!(first, 1);
        let mut calls = 0;
        while engine.poll_timeout().is_some_and(|at| at <= now) {
            engine.handle_timeout(now);
            calls += 1;
        }
        assert_eq!(calls, 4, "256 rooms in a call");
        let sent = |engine: &Engine<&'static str>, id| {
            engine.room(RoomId(id)).unwrap().snapshot(now).admission.ledger.total().dispatched
        };
        assert!((0..1_000).filter(|&id| id != 3).all(|id| sent(&engine, id) == 1));
        assert_eq!(sent(&engine, 5_000), 0);
        assert_eq!(engine.snapshot(now, RoomId(700)).unwrap().admission.broadcasts_pending, 0);
        let batch = engine
            .room_mut(RoomId(700))
            .unwrap()
            .next_batch(now, guest, Budget::default())
            .unwrap()
            .unwrap();
        assert_eq!(
            (batch.messages()[0].kind, batch.messages()[0].payload),
            (Kind::Notice, "maintenance at noon")
        );
    }

    /// One comes for each call that lets rooms hear, so that no walk would ever end.
    #[test]
    fn a16_broadcasts_in_a_row_reach_the_last_slot() {
        let quota = Quota::per_second(NonZeroU32::MAX);
        let limits = BroadcastLimits { quota, ..BroadcastLimits::default() };
        let mut engine: Engine<&str> = Engine::new(10_000, 0).broadcast_limits(limits);
        for id in 0..2_000 {
            engine.create_room(RoomId(id), &RoomConfig::av_chat_room(None)).unwrap();
        }
        let now = Instant::from_secs(5);
        let mut heard = 0;
        for key in 0..200 {
            engine.broadcast(now, Broadcast::new(DedupKey(key), "to all")).unwrap();
            assert_eq!(engine.poll_timeout(), Some(now));
            engine.handle_timeout(now);
            let last = engine.room(RoomId(1_999)).unwrap().snapshot(now).admission;
            heard = last.ledger.total().dispatched;
        }
        assert!(heard >= 200 - 8, "a round is eight calls; it has heard {heard} of 200");
        (0..8).for_each(|_| engine.handle_timeout(now));
        assert_eq!(engine.poll_timeout(), None);
        let sent = |id| engine.room(RoomId(id)).unwrap().snapshot(now).admission.ledger.total();
        assert!((0..2_000).all(|id| sent(id).dispatched == 200));
    }
}
