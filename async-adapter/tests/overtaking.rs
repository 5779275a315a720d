//! What goes first where a connection takes little at a time: the message that has begun, then what
//! the host says to it, then what is High.
//! [Decision D49](roomcast_core::design#d49-no-more-in-flight-than-drains-in-a-short-time).
#![cfg(feature = "tokio")]

mod lines;
mod wire;

use lines::Lines;
use roomcast::event::StartPosition;
use roomcast::pump::{Control, PumpEncoder, PumpOptions};
use roomcast::{
    Actor, Bytes, Hub, Join, Priority, Publish, Pump, Room, RoomConfig, RoomId, Source, UserId,
};
use std::time::Duration;
use wire::{End, Wire};

fn pump_of(
    encoder: impl PumpEncoder<String> + Sync,
) -> (Hub<String>, Room<String>, Pump<String, End>) {
    let hub = Hub::<String>::builder().workers(1).spawn();
    let config = RoomConfig::builder(UserId(1)).rate(1_000).burst(1_000).build().unwrap();
    let room = hub.create_room(RoomId(1), &config).unwrap();
    let pump = room.pump(encoder, PumpOptions::default()).unwrap();
    (hub, room, pump)
}

fn say(room: &Room<String>, priority: Priority, text: &str) {
    let publish = Publish::new(Source::Host, text.to_owned()).priority(priority);
    assert!(room.try_publish(publish).unwrap().outcome.is_some());
}

fn say_three(room: &Room<String>) {
    for text in ["text1", "text2", "text3"] {
        say(room, Priority::Normal, text);
    }
}

/// Lets the tasks work until nothing is left to do; with the time paused, it advances only then.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// What is written of four texts, of which the first has begun, when two gifts and a pong come.
async fn written(
    encoder: impl PumpEncoder<String> + Sync,
    pong: &'static [u8],
    a_time: usize,
) -> Vec<u8> {
    let (_hub, room, pump) = pump_of(encoder);
    let wire = Wire::with_room(2);
    let pumped = pump.join(Join::guest(), wire.end()).unwrap();
    for text in ["text1", "text2", "text3", "text4"] {
        say(&room, Priority::Normal, text);
    }
    settle().await;
    say(&room, Priority::High, "gift1");
    say(&room, Priority::Normal, "text5");
    pumped.control(Control::Pong(Bytes::from_static(pong))).unwrap();
    say(&room, Priority::High, "gift2");
    settle().await;
    let before = wire.bytes().len();
    assert_eq!(before, 2, "it takes nothing");
    for _ in 0..100 {
        wire.give(a_time);
        settle().await;
    }
    let stats = pump.stats();
    assert_eq!((stats.messages, stats.unsent, stats.blocked), (7, 0, 0));
    assert!(room.stats().room.balances());
    wire.bytes()
}

#[tokio::test(start_paused = true)]
async fn d49_a_gift_goes_next_but_for_what_has_begun() {
    let right = "text1\n<pong>gift1\ngift2\ntext2\ntext3\ntext4\ntext5\n";
    for a_time in [1, 2, 5, 7, 100] {
        let written = written(Lines, b"<pong>", a_time).await;
        assert_eq!(String::from_utf8(written).unwrap(), right, "{a_time} bytes at a time");
    }
}

#[cfg(feature = "websocket")]
#[tokio::test(start_paused = true)]
async fn d49_control_frames_and_gifts_go_between_frames() {
    use roomcast::net::WebSocketFrames;
    let text = |text: &str| [b"\x81\x06", text.as_bytes(), b"\n"].concat();
    let [gifts, texts] = [&["gift1", "gift2"][..], &["text2", "text3", "text4", "text5"]];
    let mut right = text("text1");
    right.extend_from_slice(b"\x8a\x02hi");
    gifts.iter().chain(texts).for_each(|line| right.extend(text(line)));
    for a_time in [1, 3, 8, 100] {
        let written = written(WebSocketFrames::text(Lines), b"\x8a\x02hi", a_time).await;
        assert_eq!(written, right, "{a_time} bytes at a time");
    }
}

/// Of what is High the order stays.
#[tokio::test(start_paused = true)]
async fn d49_a_gift_does_not_overtake_gifts() {
    let (_hub, room, pump) = pump_of(Lines);
    let wire = Wire::with_room(1);
    let _pumped = pump.join(Join::guest(), wire.end()).unwrap();
    for (priority, text) in [
        (Priority::Normal, "text1"),
        (Priority::High, "gift1"),
        (Priority::High, "gift2"),
        (Priority::Normal, "text2"),
    ] {
        say(&room, priority, text);
    }
    settle().await;
    for n in 3..=20 {
        say(&room, Priority::High, &format!("gift{n}"));
        wire.give(1);
        settle().await;
    }
    for _ in 0..300 {
        wire.give(1);
        settle().await;
    }
    let written = wire.text();
    let lines: Vec<&str> = written.lines().collect();
    let gifts = (1..=20).map(|n| format!("gift{n}"));
    let right: Vec<String> = gifts.chain(["text1", "text2"].map(str::to_owned)).collect();
    assert_eq!(lines, right);
    assert_eq!(pump.stats().messages, 22);
}

/// Texts that a close goes before are not lost: its client reads on with them.
#[tokio::test(start_paused = true)]
async fn a_close_waits_for_what_has_begun_alone() {
    let (_hub, room, pump) = pump_of(Lines);
    let wire = Wire::with_room(2);
    let pumped = pump.join(Join::guest(), wire.end()).unwrap();
    say_three(&room);
    settle().await;
    say(&room, Priority::High, "gift");
    wire.give(1);
    settle().await;
    pumped.control(Control::Pong(Bytes::from_static(b"<pong>"))).unwrap();
    pumped.control(Control::Close(Bytes::from_static(b"<close>"))).unwrap();
    settle().await;
    wire.give(100);
    settle().await;
    assert_eq!(wire.text(), "text1\n<pong><close>");
    assert_eq!((pump.stats().connections, pump.stats().unsent), (0, 4));
    let token = pumped.closed().await.unwrap();
    let mut back = room.join(Join::guest().resume(token)).unwrap();
    assert_eq!(back.start(), StartPosition::Resumed);
    let batch = back.try_next_batch().unwrap().unwrap();
    let texts: Vec<&str> =
        batch.messages().iter().map(|message| message.payload.as_str()).collect();
    assert_eq!(texts, ["gift", "text1", "text2", "text3"]);
    assert!(room.stats().room.balances());
}

/// What had not begun is unsent when the connection breaks, and comes again.
#[tokio::test(start_paused = true)]
async fn what_was_overtaken_is_not_lost() {
    let (_hub, room, pump) = pump_of(Lines);
    let wires = [Wire::with_room(2), Wire::open()];
    let [pumped, _other] =
        wires.each_ref().map(|wire| pump.join(Join::guest(), wire.end()).unwrap());
    say_three(&room);
    settle().await;
    say(&room, Priority::High, "gift");
    wires[0].give(1);
    settle().await;
    wires[0].break_it();
    settle().await;
    assert_eq!((pump.stats().connections, pump.stats().unsent), (1, 4));
    let token = pumped.closed().await.unwrap();
    let mut back = room.join(Join::guest().resume(token)).unwrap();
    let batch = back.try_next_batch().unwrap().unwrap();
    assert_eq!((batch.messages().len(), batch.gap(Priority::Normal)), (4, 0));
    assert_eq!(wires[1].text(), "text1\ntext2\ntext3\ngift\n");
    assert!(room.stats().room.balances());
}

/// The last words are behind all that is due, though much of it waits.
#[tokio::test(start_paused = true)]
async fn last_words_follow_what_is_due() {
    let (_hub, room, pump) = pump_of(Lines);
    let wire = Wire::with_room(2);
    let _pumped = pump.join(Join::user(UserId(7)), wire.end()).unwrap();
    say_three(&room);
    settle().await;
    say(&room, Priority::High, "gift");
    room.moderation(Actor::Host).kick(&[UserId(7)]).unwrap();
    for _ in 0..100 {
        wire.give(1);
        settle().await;
    }
    assert_eq!(wire.text(), "text1\ngift\ntext2\ntext3\nend: the user was kicked\n");
    assert_eq!((pump.stats().connections, pump.stats().unsent), (0, 0));
    assert!(wire.is_dropped());
}
