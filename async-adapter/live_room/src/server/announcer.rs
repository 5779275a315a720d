//! What the host tells everyone now and then: how many came in, and how often the room was liked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use roomcast::{Room, Source};

use super::nicks::Nicks;
use crate::message::What;
use crate::room::{LIKES, Said, offer};
use crate::tip::Tip;

/// How often: a storm of joins is one line, a flood of likes one number.
const EVERY: Duration = Duration::from_secs(4);

/// Announces until it is aborted. Whoever is in already is no news.
pub(super) async fn announce(room: Room<Said>, nicks: Arc<Nicks>, joins: Arc<AtomicU64>) {
    let mut told = joins.load(Ordering::Relaxed);
    let mut liked = 0;
    let mut ticks = tokio::time::interval(EVERY);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let joined = joins.load(Ordering::Relaxed);
        let first = nicks.take_newcomer().map(|nick| nick.to_string());
        if joined > told {
            tell(&room, What::Tip(Tip::Joined { count: joined - told, first }));
            told = joined;
        }
        let likes = likes(&room);
        if likes != liked {
            tell(&room, What::Total { likes });
            liked = likes;
        }
    }
}

/// How often the room was liked so far.
pub(super) fn likes(room: &Room<Said>) -> u64 {
    let likes = room.data().counters().into_iter().find(|(key, _)| key == LIKES);
    likes.map_or(0, |(_, likes)| u64::try_from(likes).unwrap_or_default())
}

/// What becomes of it is in the ledger; the next one tells more.
fn tell(room: &Room<Said>, what: What) {
    let _ = room.try_publish(offer(Source::Host, "".into(), what));
}

#[cfg(test)]
mod tests {
    use roomcast::time::TokioClock;
    use roomcast::{Hub, Item, Join, RoomConfig, RoomId};

    use super::*;
    use crate::room::OWNER;

    #[tokio::test(start_paused = true)]
    async fn joins_and_likes_are_folded_into_one_line_each() {
        let hub = Hub::<Said>::builder().clock(TokioClock::default()).spawn();
        let room =
            hub.create_room(RoomId(1), &RoomConfig::builder(OWNER).build().unwrap()).unwrap();
        let (nicks, joins) = (Arc::new(Nicks::default()), Arc::new(AtomicU64::new(1_000)));
        let mut witness = room.join(Join::guest()).unwrap();
        let announcer =
            tokio::spawn(announce(room.clone(), Arc::clone(&nicks), Arc::clone(&joins)));
        tokio::time::sleep(Duration::from_secs(1)).await;
        let _held = nicks.hold("kim", "").unwrap();
        joins.fetch_add(5_000, Ordering::Relaxed);
        for _ in 0..1_000 {
            room.data().add_counter(LIKES, 3).unwrap();
        }
        tokio::time::sleep(Duration::from_secs(20)).await;
        announcer.abort();
        let mut told = Vec::new();
        while let Ok(Some(batch)) = witness.try_next_batch() {
            told.extend(batch.items().filter_map(|item| match item {
                Item::Message(message) => Some(message.payload.what.clone()),
                Item::Direct(_) | Item::Gap { .. } => None,
            }));
        }
        let joined = What::Tip(Tip::Joined { count: 5_000, first: Some("kim".to_owned()) });
        assert_eq!(told, [What::Total { likes: 3_000 }, joined], "high comes first");
    }
}
