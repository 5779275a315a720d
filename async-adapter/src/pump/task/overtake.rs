//! High messages that go before what a connection has yet to take and has not begun with.
//! [Decision D49](roomcast_core::design#d49-no-more-in-flight-than-drains-in-a-short-time).

use super::Pumper;
use super::sweeping::Prepared;
use crate::pump::frames::{Frame, PumpEncoder};
use crate::pump::transport::Transport;
use roomcast_core::audience::{BatchKey, Delivery};
use roomcast_core::{Budget, Handoff, Item, Payload, Priority, SessionId};
use tokio::time::Instant;

/// What a session is due.
enum High<M> {
    /// High messages and nothing else: it has taken them.
    Taken(Option<BatchKey>, Prepared<M>),
    /// So many of them, and others behind.
    First(u32),
}

impl<M, E, T> Pumper<M, E, T>
where
    M: Payload + Send + Sync + 'static,
    E: PumpEncoder<M>,
    T: Transport,
{
    /// Lets what a blocked session is due of High go next but for the message that has begun.
    /// Returns whether the connection goes once it was offered that, for it tells that some was
    /// missed.
    pub(super) fn overtake(&mut self, place: u32, session: SessionId, now: Instant) -> bool {
        let Some(space) = self.connections.overtaking(place, session) else { return false };
        let mut budget = self.budget(space);
        let mut high = self.take_high(place, session, budget, now);
        if let Some(High::First(messages)) = high {
            if messages == 0 {
                return false;
            }
            budget.messages = messages;
            high = self.take_high(place, session, budget, now);
        }
        let Some(High::Taken(key, prepared)) = high else { return false };
        let frame = self.frame(key.as_ref(), &prepared);
        self.connections.overtake(place, session, &frame);
        // It may be the last who has them.
        self.shared.fence().drop_each([prepared]);
        self.closes_after(&frame)
    }

    /// Takes what one session is due if that is High to the last; `None` if it is due nothing.
    fn take_high(
        &mut self,
        place: u32,
        session: SessionId,
        budget: Budget,
        now: Instant,
    ) -> Option<High<M>> {
        let (shared, shard, frames) = (&self.shared, &self.shard, &mut self.frames);
        let (mut high, mut ended) = (None, None);
        let time = shared.time_to_read(shard);
        shard.enter(|state| {
            shared.catch_up(shard, &mut state.audience);
            let places = place..place + 1;
            state.audience.sweep(time, self.lease.group, places, budget, |found, due| {
                let reading = match due {
                    Delivery::Batch(reading) if found == session => reading,
                    Delivery::Batch(_) => return Handoff::NotNow,
                    Delivery::End(reason) => {
                        ended = Some((place, found, reason));
                        return Handoff::Taken;
                    }
                };
                let of_high = reading.items().take_while(|item| level(item) == Priority::High);
                let messages = of_high.filter(|item| !matches!(item, Item::Gap { .. })).count();
                if messages == 0 || reading.items().any(|item| level(&item) != Priority::High) {
                    high = Some(High::First(messages as u32));
                    return Handoff::NotNow;
                }
                let key = reading.key();
                let kept = key.and_then(|key| frames.kept(key));
                let what =
                    kept.map_or_else(|| Prepared::Batch(reading.to_batch()), Prepared::Frame);
                high = Some(High::Taken(key.copied(), what));
                Handoff::Taken
            });
            if ended.is_some() {
                shard.note_sessions(state);
            }
        });
        self.end_all(ended, now);
        high
    }

    /// The bytes of what was taken.
    pub(super) fn frame(&mut self, key: Option<&BatchKey>, prepared: &Prepared<M>) -> Frame {
        match prepared {
            Prepared::Frame(frame) => frame.clone(),
            Prepared::Batch(batch) => self.frames.frame(key, batch),
        }
    }
}

fn level<M>(item: &Item<'_, M>) -> Priority {
    match item {
        Item::Gap { priority, .. } => *priority,
        Item::Message(message) => message.priority,
        Item::Direct(direct) => direct.priority,
    }
}
