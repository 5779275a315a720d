//! The hub without tokio: plain threads, blocking calls. Runs with and without the feature.

use roomcast::error::SessionEnd;
use roomcast::event::EndReason;
use roomcast::{Actor, Hub, Join, Priority, Publish, RoomConfig, RoomId, Source, UserId};
use std::time::Duration;

#[test]
fn threads_publish_read_and_drain() {
    let hub = Hub::<String>::builder().workers(2).spawn_threads().unwrap();
    let config = RoomConfig::builder(UserId(1)).rate(10_000).burst(100).build().unwrap();
    let room = hub.create_room(RoomId(1), &config).unwrap();
    let mut reader = room.join(Join::guest()).unwrap();
    let publisher = std::thread::spawn({
        let room = room.clone();
        move || {
            let session = room.join(Join::user(UserId(7))).unwrap();
            for number in 0..500 {
                let publish = Publish::new(Source::Session(session.session()), number.to_string())
                    .priority(Priority::High);
                let _ = room.try_publish(publish).unwrap();
            }
            session
        }
    });
    let mut read = Vec::new();
    while read.len() < 500 {
        let batch = reader
            .next_batch_timeout(Duration::from_secs(20))
            .unwrap()
            .expect("the rest comes within the time");
        read.extend(batch.messages().iter().map(|message| message.payload.parse::<u32>().unwrap()));
    }
    assert_eq!(read, (0..500).collect::<Vec<_>>());
    let session = publisher.join().unwrap();
    assert_eq!(reader.next_batch_timeout(Duration::from_millis(5)).unwrap().map(drop), None);
    let waiting = std::thread::spawn(move || {
        reader.next_batch_timeout(Duration::from_secs(20)).map(|batch| batch.is_some())
    });
    let report = hub.drain_blocking(Duration::from_millis(200));
    assert_eq!(waiting.join().unwrap(), Err(SessionEnd::Closed(EndReason::RoomClosed)));
    assert_eq!((report.rooms, report.dropped, report.abandoned), (1, 0, 0));
    assert!(room.stats().room.balances());
    drop(session);
}

#[test]
fn the_drivers_end_with_the_last_handle() {
    let hub = Hub::<&'static str>::builder().workers(1).spawn_threads().unwrap();
    let room = hub.create_room(RoomId(1), &RoomConfig::av_chat_room(UserId(1))).unwrap();
    drop(hub);
    let mut reader = room.join(Join::guest()).unwrap();
    let _ = room.try_publish(Publish::new(Source::Host, "x")).unwrap();
    assert!(reader.next_batch_timeout(Duration::from_secs(20)).unwrap().is_some());
    room.close(Actor::Host).unwrap();
    assert_eq!(
        reader.next_batch_timeout(Duration::from_secs(20)).map(drop),
        Err(SessionEnd::Closed(EndReason::RoomClosed))
    );
}
