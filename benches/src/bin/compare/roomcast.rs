//! roomcast, with and without a task for each session.

use crate::contender::{Fanout, count_handed};
use crate::tasks::{count_waiting, until_handed, until_waiting};
use bytes::Bytes;
use roomcast::{Budget, Due, Hub, Instant, Join, Publish, Room, RoomConfig, RoomHandle, RoomId, Source, Verdict};
use roomcast_benches::{payload, unlimited};
use std::hint::black_box;

/// Slots that a host sweeps under one lock (decision D1).
const STRETCH: u32 = 1_024;

fn config() -> Result<RoomConfig, String> {
    unlimited().build().map_err(|error| error.to_string())
}

fn message() -> Publish<Bytes> {
    Publish::new(Source::Host, payload())
}

/// The core alone: a sweep hands every session what it is due.
pub(crate) struct Sweep(Room<Bytes>);

impl Fanout for Sweep {
    async fn with_members(members: u32) -> Result<Self, String> {
        let mut room = Room::new(&config()?);
        for _ in 0..members {
            room.join(Instant::ZERO, Join::guest()).map_err(|error| error.to_string())?;
        }
        Ok(Self(room))
    }

    fn publish(&mut self) -> Result<(), String> {
        self.0.publish(Instant::ZERO, message()).map(drop).map_err(|refused| refused.to_string())
    }

    async fn deliver(&mut self, _handed: u64) -> Result<(), String> {
        let (mut handed, mut first) = (0, 0);
        while first < self.0.slots() {
            let next = first + STRETCH;
            self.0.sweep(Instant::ZERO, first..next, Budget::default(), |session, due| {
                if let Due::Batch(reading) = due {
                    handed += u64::from(reading.messages());
                    black_box((session, reading.key()));
                }
                Verdict::Taken
            });
            first = next;
        }
        count_handed(handed);
        Ok(())
    }
}

/// A hub, and a task for each subscription.
pub(crate) struct Subscriptions {
    room: RoomHandle<Bytes>,
    _hub: Hub<Bytes>,
}

impl Fanout for Subscriptions {
    async fn with_members(members: u32) -> Result<Self, String> {
        let hub = Hub::<Bytes>::builder().shards(1).spawn();
        let room = hub.create_room(RoomId(1), &config()?).map_err(|error| error.to_string())?;
        for _ in 0..members {
            let mut subscription = room.join(Join::guest()).map_err(|error| error.to_string())?;
            tokio::spawn(async move {
                count_waiting();
                while let Ok(batch) = subscription.next_batch().await {
                    count_handed(black_box(batch.messages()).len() as u64);
                }
            });
        }
        until_waiting(members).await;
        Ok(Self { room, _hub: hub })
    }

    fn publish(&mut self) -> Result<(), String> {
        self.room.try_publish(message()).map(drop).map_err(|refused| refused.to_string())
    }

    async fn deliver(&mut self, handed: u64) -> Result<(), String> {
        until_handed(handed).await
    }
}
