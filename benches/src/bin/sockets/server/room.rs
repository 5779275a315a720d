//! The room of those contenders that have one.

use crate::load::Load;
use crate::orders::Fates;
use roomcast::message::OutcomeSink;
use roomcast::{
    Budget, Bytes, Hub, PerLevel, Priority, Publish, Room, RoomConfig, RoomId, Source, UserId,
};
use roomcast_benches::record;
use std::time::Duration;

/// Seconds of messages that the log holds at the least: nobody who reads falls out of it.
const LOG_SECONDS: u32 = 4;
/// Messages that the log holds of each level at the least: what it holds unless told otherwise.
const LOG: u32 = 512;

/// A hub with one room.
#[derive(Debug)]
pub(super) struct Hall {
    pub(super) room: Room<Bytes>,
    /// What one connection is written at once: all that a window can bring.
    pub(super) budget: Budget,
    _hub: Hub<Bytes>,
}

impl Hall {
    pub(super) fn open(load: &Load) -> Result<Self, String> {
        let (rate, window) = (load.room_rate(), load.window());
        let log = LOG.max(rate.saturating_mul(LOG_SECONDS));
        let config = RoomConfig::default()
            .to_builder()
            .owner(UserId(0))
            .rate(rate)
            .burst(rate)
            // So that High need not wait for the next token.
            .reserve(PerLevel([rate / 4, 0, 0, 0]))
            .log_messages(PerLevel([log; 4]))
            .log_bytes(PerLevel([1 << 30; 4]))
            .coalesce(PerLevel([Duration::ZERO, window, window, window]));
        let config = config.build().map_err(|error| error.to_string())?;
        let hub = Hub::<Bytes>::builder().workers(load.threads as usize).spawn();
        let room = hub.create_room(RoomId(1), &config).map_err(|error| error.to_string())?;
        let default = Budget::default();
        let budget = Budget {
            messages: default.messages.max(log),
            bytes: default.bytes.max(u64::from(log) * 256),
        };
        Ok(Self { room, budget, _hub: hub })
    }

    pub(super) fn connections(&self) -> u64 {
        self.room.stats().room.audience.sessions.into()
    }

    /// What is refused is in the books.
    pub(super) fn publish(&self, level: Priority, sent: u64) {
        let mut message = Vec::new();
        record::put_message(level, sent, 0, &mut message);
        let message = Publish::new(Source::Host, Bytes::from(message))
            .priority(level)
            .outcome_sink(OutcomeSink::CountedOnly);
        drop(self.room.try_publish(message));
    }

    pub(super) fn fates(&self) -> Fates {
        let books = self.room.stats().room;
        let of = |count: fn(&roomcast::stats::LevelLedger) -> u64| {
            Priority::ALL.map(|level| count(&books.admission.ledger.levels[level]))
        };
        Fates {
            offered: of(|row| row.submitted),
            dispatched: of(|row| row.dispatched),
            queued: of(|row| row.queued).iter().sum(),
            balances: Some(books.balances()),
        }
    }
}
