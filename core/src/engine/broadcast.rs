//! Broadcasts to every room of an engine: [clause A16](crate::rulebook#a16-notices-and-broadcasts).

use super::Engine;
use crate::broadcasts::{Broadcast, BroadcastLimits, BroadcastRefused, Broadcasts};
use crate::message::Payload;
use crate::time::Instant;

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
        self.spread = (!self.is_empty()).then_some((0, now));
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
        let Some((first, at)) = self.spread else { return };
        let end = self.rooms.slots().min(first.saturating_add(rooms));
        (first..end).for_each(|slot| self.let_hear(slot));
        self.spread = (end < self.rooms.slots()).then_some((end, at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::DedupKey;
    use crate::{Budget, Join, Kind, Priority, RoomConfig, RoomId, UserId};

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
}
