//! roomcast: the core alone, a task for each session, and a pump for all of them.

use super::Fanout;
use super::tally::{count_handed, count_waiting};
use crate::{payload, unlimited};
use bytes::Bytes;
use roomcast::core::audience::Delivery;
use roomcast::core::{Group, Handoff, RoomState};
use roomcast::pump::PumpOptions;
use roomcast::time::Instant;
use roomcast::{
    Budget, Direct, Encoder, GapCause, Hub, Join, Message, Priority, Publish, Pump, Room,
    RoomConfig, RoomId, Source, Transport,
};
use std::hint::black_box;
use std::io;
use std::task::{Context, Poll};
use tokio::runtime::Handle;

/// Slots that a host sweeps under one lock (decision D1).
pub const STRETCH: u32 = 1_024;

fn config() -> Result<RoomConfig, String> {
    unlimited().build().map_err(|error| error.to_string())
}

fn message() -> Publish<Bytes> {
    Publish::new(Source::Host, payload())
}

/// The core alone: a sweep hands every session what it is due.
#[derive(Debug)]
pub struct Sweep(RoomState<Bytes>);

impl Fanout for Sweep {
    fn with_members(members: u32) -> Result<Self, String> {
        let mut room = RoomState::new(&config()?);
        for _ in 0..members {
            room.join(Instant::ZERO, Join::guest()).map_err(|error| error.to_string())?;
        }
        Ok(Self(room))
    }

    fn publish(&mut self) -> Result<(), String> {
        self.0.publish(Instant::ZERO, message()).map(drop).map_err(|refused| refused.to_string())
    }

    fn deliver(&mut self) {
        let (mut handed, mut first) = (0, 0);
        while first < self.0.slots() {
            let next = first + STRETCH;
            self.0.sweep(
                Instant::ZERO,
                Group::DEFAULT,
                first..next,
                Budget::default(),
                |session, due| {
                    if let Delivery::Batch(reading) = due {
                        handed += u64::from(reading.messages());
                        black_box((session, reading.key()));
                    }
                    Handoff::Taken
                },
            );
            first = next;
        }
        count_handed(handed);
    }
}

/// A hub, and a task for each subscription.
#[derive(Debug)]
pub struct Subscriptions {
    room: Room<Bytes>,
    _hub: Hub<Bytes>,
}

impl Fanout for Subscriptions {
    const TASKS: bool = true;

    fn with_members(members: u32) -> Result<Self, String> {
        let hub = Hub::<Bytes>::builder().workers(1).spawn();
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
        Ok(Self { room, _hub: hub })
    }

    fn publish(&mut self) -> Result<(), String> {
        self.room.try_publish(message()).map(drop).map_err(|refused| refused.to_string())
    }
}

/// A hub, and a pump that writes to connections in memory, on as many shards as the runtime has
/// threads.
#[derive(Debug)]
pub struct Pumped {
    room: Room<Bytes>,
    _pump: Pump<Bytes, Counts>,
    _hub: Hub<Bytes>,
}

/// A connection that takes all it is offered, and counts the messages.
#[derive(Debug)]
struct Counts;

impl Transport for Counts {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        count_handed((black_box(bytes).len() / payload().len()) as u64);
        Ok(bytes.len())
    }

    fn poll_writable(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The payloads, one behind the other: all of the same length, so that the length of a frame tells
/// how many.
#[derive(Clone, Debug)]
struct Payloads;

impl Encoder<Bytes> for Payloads {
    type Frame = Bytes;

    fn message(&mut self, message: &Message<Bytes>) -> Bytes {
        message.payload.clone()
    }

    fn direct(&mut self, direct: &Direct<Bytes>) -> Bytes {
        direct.payload.clone()
    }

    /// Nothing: what was missed is not handed over, and whoever counts finds out.
    fn gap(&mut self, _: Priority, _: u64, _: GapCause) -> Option<Bytes> {
        None
    }
}

impl Fanout for Pumped {
    const TASKS: bool = true;

    fn with_members(members: u32) -> Result<Self, String> {
        let hub =
            Hub::<Bytes>::builder().workers(Handle::current().metrics().num_workers()).spawn();
        let room = hub.create_room(RoomId(1), &config()?).map_err(|error| error.to_string())?;
        let pump =
            room.pump(Payloads, PumpOptions::default()).map_err(|error| error.to_string())?;
        let door = pump.clone();
        tokio::spawn(async move {
            let mut inside = Vec::with_capacity(members as usize);
            for number in 1..=members {
                // Whoever is not let in does not wait, and whoever waits for all of them says how
                // many are missing.
                let Ok(member) = door.join(Join::guest(), Counts) else { break };
                inside.push(member);
                count_waiting();
                if number.is_multiple_of(STRETCH) {
                    // The pump takes them over, so that its list of what to do stays short.
                    tokio::task::yield_now().await;
                }
            }
            std::future::pending::<()>().await;
        });
        Ok(Self { room, _pump: pump, _hub: hub })
    }

    fn publish(&mut self) -> Result<(), String> {
        self.room.try_publish(message()).map(drop).map_err(|refused| refused.to_string())
    }
}
