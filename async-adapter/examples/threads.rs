//! Without tokio: threads drive the hub, one thread publishes, another one blocks for its batches.
//!
//! `cargo run --example threads --no-default-features`

use std::thread;
use std::time::Duration;

use roomcast::{Hub, Join, Publish, Room, RoomConfig, RoomId, Source, Subscription, UserId};

const TEXTS: u32 = 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hub = Hub::<String>::builder().spawn_threads()?;
    let room = hub.create_room(RoomId(42), &RoomConfig::av_chat_room(UserId(1)))?;
    let bob = room.join(Join::user(UserId(8)))?;
    let reader = thread::spawn(move || read(bob));

    let ann = room.join(Join::user(UserId(7)))?;
    let sent = talk(&room, ann);
    // What waits goes out within the time, then the rooms close: the reader gets the rest and ends.
    let report = hub.drain_blocking(Duration::from_secs(5));
    let heard = reader.join().expect("the reader ends with the room");

    println!("{sent} sent, {heard} heard, {} dropped", report.dropped);
    assert_eq!((sent, heard, report.dropped), (TEXTS, TEXTS, 0));
    assert!(room.stats().room.balances());
    Ok(())
}

/// Says twenty things, leaves, and counts those that were let in.
fn talk(room: &Room<String>, ann: Subscription<String>) -> u32 {
    let mut sent = 0;
    for number in 1..=TEXTS {
        let text = Publish::new(Source::Session(ann.session()), format!("text {number}"));
        match room.try_publish(text) {
            Ok(_) => sent += 1,
            Err(refused) => println!("{refused}: {:?} comes back", refused.payload),
        }
    }
    drop(ann);
    sent
}

/// Takes batches until the session ends, and counts their messages.
fn read(mut bob: Subscription<String>) -> u32 {
    let mut heard = 0;
    loop {
        match bob.next_batch_timeout(Duration::from_secs(1)) {
            Ok(Some(batch)) => heard += u32::try_from(batch.messages().len()).unwrap_or(u32::MAX),
            Ok(None) => println!("a quiet second"),
            Err(end) => {
                println!("the end: {end}");
                return heard;
            }
        }
    }
}
