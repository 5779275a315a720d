//! A session that was too slow for a High message goes on, or is closed, as the host says.
#![cfg(feature = "tokio")]

mod lines;
mod wire;

use lines::Lines;
use roomcast::pump::PumpOptions;
use roomcast::session::{ForwardEnd, ForwardOptions, WhenHighLost, forward_batches};
use roomcast::{Batch, Hub, Join, PerLevel, Priority, Publish, Room, RoomConfig, RoomId, Source};
use std::time::Duration;
use wire::Wire;

/// A room whose log holds two messages of each level.
fn room() -> (Hub<String>, Room<String>) {
    let config = RoomConfig::builder(None).log_messages(PerLevel([2; 4])).build().unwrap();
    let hub = Hub::<String>::builder().workers(1).spawn();
    let room = hub.create_room(RoomId(1), &config).unwrap();
    (hub, room)
}

async fn say(room: &Room<String>, level: Priority, texts: &[&str]) {
    for &text in texts {
        let message = Publish::new(Source::Host, text.to_owned()).priority(level);
        assert!(room.try_publish(message).unwrap().outcome.is_some());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn d50_a_pump_closes_whom_it_is_told_to() {
    for close in [WhenHighLost::Tell, WhenHighLost::Close] {
        let (_hub, room) = room();
        let mut options = PumpOptions::default();
        options.when_high_lost = close;
        let pump = room.pump(Lines, options).unwrap();
        let wires = [Wire::with_room(2), Wire::with_room(2), Wire::open()];
        let pumped = [0, 1, 2].map(|number| pump.join(Join::guest(), wires[number].end()).unwrap());
        say(&room, Priority::Normal, &["one", "two", "three", "four"]).await;
        // The second comes back before it misses a gift.
        wires[1].give(usize::MAX);
        say(&room, Priority::High, &["gift 1", "gift 2", "gift 3"]).await;
        wires[0].give(usize::MAX);
        tokio::time::sleep(Duration::from_millis(1)).await;
        let [slow, spared, fast] = wires.each_ref().map(Wire::text);
        assert_eq!(slow, "one\nmissed 1 High\ngift 2\ngift 3\nmissed 1 Normal\nthree\nfour\n");
        assert_eq!(spared, "one\ngift 1\nmissed 1 Normal\nthree\nfour\ngift 2\ngift 3\n");
        assert_eq!(fast.lines().count(), 7);
        let closed = u64::from(close == WhenHighLost::Close);
        assert_eq!(wires.each_ref().map(Wire::is_dropped), [closed == 1, false, false]);
        assert_eq!((pump.stats().high_lost, pump.stats().stalled), (closed, 0));
        let books = room.stats();
        assert_eq!(u64::from(books.room.audience.sessions), 3 - closed);
        assert!(books.room.balances());
        if closed == 1 {
            assert!(pumped[0].closed().await.is_some());
        }
        // One that breaks has not been closed for that.
        wires[2].break_it();
        say(&room, Priority::High, &["gift 4"]).await;
        assert_eq!((wires[2].is_dropped(), pump.stats().high_lost), (true, closed));
    }
}

/// It is offered the gap between two messages of a batch that it has begun with.
#[tokio::test(start_paused = true)]
async fn d50_whoever_takes_a_batch_slowly_is_closed_too() {
    let (_hub, room) = room();
    let mut options = PumpOptions::default();
    options.when_high_lost = WhenHighLost::Close;
    let pump = room.pump(Lines, options).unwrap();
    let wire = Wire::with_room(2);
    let _pumped = pump.join(Join::guest(), wire.end()).unwrap();
    for text in ["three", "four"] {
        let _ = room.try_publish(Publish::new(Source::Host, text.to_owned())).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    say(&room, Priority::High, &["gift 1", "gift 2", "gift 3"]).await;
    assert!(!wire.is_dropped());
    wire.give(usize::MAX);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(wire.text(), "three\nmissed 1 High\ngift 2\ngift 3\nfour\n");
    assert_eq!((wire.is_dropped(), pump.stats().high_lost), (true, 1));
    assert!(room.stats().room.balances());
}

#[tokio::test(start_paused = true)]
async fn d50_forward_ends_where_it_is_told_to() {
    let encode = |batch: &Batch<String>| {
        batch.messages().iter().map(|message| message.payload.clone()).collect::<Vec<_>>()
    };
    for close in [WhenHighLost::Tell, WhenHighLost::Close] {
        let (_hub, room) = room();
        let options = ForwardOptions { when_high_lost: close, ..ForwardOptions::default() };
        let listener = room.join(Join::guest()).unwrap();
        say(&room, Priority::Normal, &["one", "two", "three"]).await;
        let sink = futures_util::sink::drain();
        let mut writing = tokio::spawn(forward_batches(listener, sink, encode, options));
        assert!(tokio::time::timeout(Duration::from_secs(1), &mut writing).await.is_err());
        writing.abort();

        let listener = room.join(Join::guest()).unwrap();
        say(&room, Priority::High, &["one", "two", "three"]).await;
        let sink = futures_util::sink::drain();
        let writing = forward_batches(listener, sink, encode, options);
        match tokio::time::timeout(Duration::from_secs(1), writing).await {
            Ok(done) => {
                assert!(matches!(done.end, ForwardEnd::HighLost) && done.token.is_some());
                assert_eq!((close, done.messages, done.unsent), (WhenHighLost::Close, 2, 0));
            }
            Err(_) => assert_eq!(close, WhenHighLost::Tell),
        }
    }
}
