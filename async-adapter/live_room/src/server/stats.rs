//! The engine's books for the page, encoded once for all who look.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use roomcast::stats::{Deliveries, LevelLedger, Reason, Tally};
use roomcast::{PerLevel, Room};
use tokio::sync::watch;

use super::nicks::Nicks;
use crate::live::RoomClock;
use crate::protocol::{CrowdState, DeliveryRow, LedgerRow, Levels, Reply, Stats};
use crate::room::Said;

/// How often a page is told.
const EVERY: Duration = Duration::from_millis(250);

/// A frame with the books.
pub(super) type StatsFrame = Utf8Bytes;

/// Tells the books until nobody can look any more.
pub(super) async fn report(
    room: Room<Said>,
    clock: RoomClock,
    crowd: watch::Receiver<CrowdState>,
    nicks: Arc<Nicks>,
    doors: watch::Sender<()>,
    frames: watch::Sender<StatsFrame>,
) {
    let mut ticks = tokio::time::interval(EVERY);
    while !frames.is_closed() {
        ticks.tick().await;
        let at_ms = u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX);
        let state = *crowd.borrow();
        let stats = stats(at_ms, &room, state, (&nicks, doors.receiver_count()));
        frames.send_replace(Reply::Stats(Box::new(stats)).to_json().into());
    }
}

fn stats(at_ms: u64, room: &Room<Said>, crowd: CrowdState, visits: (&Nicks, usize)) -> Stats {
    let books = room.stats().room;
    let (admission, audience) = (books.admission, books.audience);
    let (nicks, visitors) = visits;
    Stats {
        at_ms,
        audience: audience.sessions.into(),
        users: admission.users.into(),
        visitors: visitors as u64,
        host: nicks.owner().map(|nick| nick.to_string()),
        room_muted: admission.moderation.room_muted,
        speak: room.speak_mode().into(),
        tokens: admission.tokens,
        queue: levels(&admission.queued, |&queued| queued.into()),
        ledger: levels(&admission.ledger.levels, ledger_row),
        deliveries: levels(&audience.deliveries, delivery_row),
        crowd,
    }
}

fn levels<T, U>(values: &PerLevel<T>, convert: impl Fn(&T) -> U) -> Levels<U> {
    let [high, normal, low, lowest] = values.0.each_ref().map(convert);
    Levels { high, normal, low, lowest }
}

fn ledger_row(row: &LevelLedger) -> LedgerRow {
    LedgerRow {
        submitted: row.submitted,
        refused: reasons(&row.refused),
        dropped: reasons(&row.dropped),
        merged: row.merged,
        dispatched: row.dispatched,
        queued: row.queued,
        under_review: row.under_review,
    }
}

fn reasons<R: Reason>(tally: &Tally<R>) -> std::collections::BTreeMap<String, u64> {
    let occurred = tally.iter().filter(|(_, count)| *count > 0);
    occurred.map(|(reason, count)| (reason.name().replace('_', " "), count)).collect()
}

fn delivery_row(row: &Deliveries) -> DeliveryRow {
    let Deliveries { due, delivered, skipped, pending, excluded, abandoned, .. } = *row;
    DeliveryRow { due, delivered, skipped, pending, excluded, abandoned }
}
