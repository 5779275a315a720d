//! One room a user in the hub (clause A8).
#![cfg(feature = "tokio")]

use roomcast::error::SessionEnd;
use roomcast::event::EndReason;
use roomcast::{Actor, Hub, Join, Publish, Room, RoomConfig, RoomId, Source, UserId};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::sleep;

const ANN: UserId = UserId(7);

/// A hub of three rooms, each of which user 1,000 and its id owns.
fn rooms() -> (Hub<&'static str>, Vec<Room<&'static str>>) {
    let hub = Hub::<&'static str>::builder().workers(2).exclusive_membership().spawn();
    let rooms = (0..3).map(|id| {
        let config =
            RoomConfig::builder(UserId(1_000 + id)).sessions_per_user(1_000).build().unwrap();
        hub.create_room(RoomId(id), &config).unwrap()
    });
    let rooms = rooms.collect();
    (hub, rooms)
}

fn users(room: &Room<&'static str>) -> u32 {
    room.stats().room.admission.users
}

#[tokio::test(start_paused = true)]
async fn a8_joining_leaves_another_room_of_the_hub() {
    let (_hub, rooms) = rooms();
    let (mut phone, _laptop) =
        (rooms[0].join(Join::user(ANN)).unwrap(), rooms[0].join(Join::user(ANN)).unwrap());
    assert_eq!(rooms[0].stats().room.admission.user_sessions, 2, "a second device leaves nothing");
    let _ = rooms[0].try_publish(Publish::new(Source::Host, "due")).unwrap();
    // Refused, and so nothing is left.
    rooms[2].moderation(Actor::Host).ban(&[ANN], None).unwrap();
    assert!(rooms[2].join(Join::user(ANN)).is_err());
    assert_eq!(users(&rooms[0]), 1);
    let _elsewhere = rooms[1].join(Join::user(ANN)).unwrap();
    assert_eq!((users(&rooms[0]), users(&rooms[1])), (0, 1));
    assert_eq!(phone.next_batch().await.unwrap().messages()[0].payload, "due");
    assert_eq!(
        phone.next_batch().await.unwrap_err(),
        SessionEnd::Closed(EndReason::JoinedElsewhere)
    );
}

/// An owner stays.
#[tokio::test(start_paused = true)]
async fn a8_a_waiting_reader_learns_of_its_users_move() {
    let (_hub, rooms) = rooms();
    let mut reader = rooms[0].join(Join::user(ANN)).unwrap();
    let waiting = tokio::spawn(async move { reader.next_batch().await.map(drop) });
    sleep(Duration::from_millis(5)).await;
    let _elsewhere = rooms[1].join(Join::user(ANN)).unwrap();
    assert_eq!(waiting.await.unwrap(), Err(SessionEnd::Closed(EndReason::JoinedElsewhere)));
    let owner = UserId(1_000);
    let _at_home = rooms[0].join(Join::user(owner)).unwrap();
    let _visit = rooms[1].join(Join::user(owner)).unwrap();
    let _guest = rooms[1].join(Join::guest()).unwrap();
    assert_eq!((users(&rooms[0]), users(&rooms[1])), (1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a8_racing_joins_end_with_the_user_in_one_room() {
    let (_hub, rooms) = rooms();
    let moves = Arc::new(AtomicU64::new(0));
    for round in 0..40 {
        let tasks: Vec<_> = (0..4_usize)
            .map(|task| {
                let (rooms, moves) = (rooms.clone(), Arc::clone(&moves));
                tokio::spawn(async move {
                    let mut sessions = Vec::new();
                    for step in 0..25 {
                        sessions.push(
                            rooms[(step * (task + 1) + round) % 3].join(Join::user(ANN)).unwrap(),
                        );
                        moves.fetch_add(1, Ordering::Relaxed);
                        tokio::task::yield_now().await;
                    }
                    sessions
                })
            })
            .collect();
        let mut sessions = Vec::new();
        for task in tasks {
            sessions.extend(task.await.unwrap());
        }
        assert_eq!(rooms.iter().map(users).sum::<u32>(), 1, "after round {round}");
        drop(sessions);
        while rooms.iter().map(users).sum::<u32>() > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
    assert_eq!(moves.load(Ordering::Relaxed), 40 * 100);
}
