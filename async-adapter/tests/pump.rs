//! The pump: shared frames, connections that take nothing, ends, control frames, and the books.
#![cfg(feature = "tokio")]

mod lines;
mod wire;

use lines::Lines;
use roomcast::config::LevelSet;
use roomcast::error::JoinError;
use roomcast::event::StartPosition;
use roomcast::names::{Joining, RoomKey};
use roomcast::pump::{PumpOptions, PumpRefusal};
use roomcast::{
    Actor, Budget, Bytes, Direct, Hub, Join, PerLevel, Priority, Publish, Pump, Recipient, Room,
    RoomConfig, RoomId, Source, Transport, UserId,
};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use wire::{End, Wire};

fn room_of(config: &RoomConfig) -> (Hub<String>, Room<String>) {
    let hub = Hub::<String>::builder().workers(2).spawn();
    let room = hub.create_room(RoomId(1), config).unwrap();
    (hub, room)
}

fn av() -> RoomConfig {
    RoomConfig::builder(UserId(1)).rate(1_000).burst(1_000).build().unwrap()
}

fn say(room: &Room<String>, text: &str) {
    let receipt = room.try_publish(Publish::new(Source::Host, text.to_owned())).unwrap();
    assert!(receipt.outcome.is_some(), "a quiet room sends at once");
}

/// Lets the tasks work until nothing is left to do; with the time paused, it advances only then.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn pump_of(room: &Room<String>) -> Pump<String, End> {
    room.pump(Lines, PumpOptions::default()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_message_is_encoded_and_framed_once_for_all() {
    let (_hub, room) = room_of(&av());
    let pump = pump_of(&room);
    let wires: Vec<Wire> = (0..3_000).map(|_| Wire::open()).collect();
    let pumped: Vec<_> =
        wires.iter().map(|wire| pump.join(Join::guest(), wire.end()).unwrap()).collect();
    for text in ["one", "two"] {
        say(&room, text);
        settle().await;
    }
    assert!(wires.iter().all(|wire| wire.text() == "one\ntwo\n"));
    let stats = pump.stats();
    assert_eq!(
        (stats.connections, stats.messages, stats.writes, stats.blocked),
        (3_000, 6_000, 6_000, 0)
    );
    // Each shard's task encodes for itself.
    assert!(stats.encoded <= 4 && stats.framed <= 4, "{stats:?}");
    let books = room.stats();
    assert!(books.room.balances());
    assert_eq!(books.room.audience.deliveries[Priority::Normal].delivered, 6_000);
    drop(pumped);
    settle().await;
    assert!(wires.iter().all(Wire::is_dropped));
    assert_eq!(room.stats().room.audience.sessions, 0);
}

/// A connection that takes nothing leaves the fast path until then.
#[tokio::test(start_paused = true)]
async fn who_takes_nothing_returns_with_a_gap() {
    let config = RoomConfig::builder(UserId(1))
        .rate(1_000)
        .burst(1_000)
        .log_messages(PerLevel([2; 4]))
        .build()
        .unwrap();
    let (_hub, room) = room_of(&config);
    let pump = pump_of(&room);
    let (slow, fast) = (Wire::with_room(2), Wire::open());
    let _pumped = [
        pump.join(Join::guest(), slow.end()).unwrap(),
        pump.join(Join::guest(), fast.end()).unwrap(),
    ];
    for text in ["one", "two", "three", "four", "five"] {
        say(&room, text);
        settle().await;
    }
    assert_eq!(fast.text(), "one\ntwo\nthree\nfour\nfive\n");
    assert_eq!(slow.text(), "on");
    assert_eq!(pump.stats().blocked, 1);
    let writes = pump.stats().writes;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(pump.stats().writes, writes, "whoever takes nothing costs nothing");
    slow.give(usize::MAX);
    settle().await;
    // What was begun is ended, then the gap, then what the log still holds.
    assert_eq!(slow.text(), "one\nmissed 2 Normal\nfour\nfive\n");
    assert_eq!(pump.stats().blocked, 0);
    let row = room.stats().room.audience.deliveries[Priority::Normal];
    assert_eq!((row.delivered, row.skipped, row.pending), (8, 2, 0));
}

/// What it did not take is unsent.
#[tokio::test(start_paused = true)]
async fn who_takes_nothing_for_long_is_dropped() {
    let (_hub, room) = room_of(&av());
    let pump = pump_of(&room);
    let (stuck, alive) = (Wire::with_room(1), Wire::with_room(1));
    let _pumped = [
        pump.join(Join::guest(), stuck.end()).unwrap(),
        pump.join(Join::guest(), alive.end()).unwrap(),
    ];
    say(&room, "hello");
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(14)).await;
        alive.give(1);
    }
    settle().await;
    assert!(stuck.is_dropped() && !alive.is_dropped());
    assert_eq!(alive.text(), "hello\n");
    let stats = pump.stats();
    assert_eq!((stats.stalled, stats.unsent, stats.connections), (1, 1, 1));
    assert_eq!((room.stats().unsent, room.stats().room.audience.sessions), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_takes_its_session_along() {
    let (_hub, room) = room_of(&av());
    let pump = pump_of(&room);
    let (first, second) = (Wire::open(), Wire::with_room(3));
    let _pumped = [
        pump.join(Join::guest(), first.end()).unwrap(),
        pump.join(Join::guest(), second.end()).unwrap(),
    ];
    first.break_it();
    say(&room, "hello");
    settle().await;
    second.break_it();
    settle().await;
    assert!(first.is_dropped() && second.is_dropped());
    assert_eq!(pump.stats(), {
        let mut stats = pump.stats();
        stats.connections = 0;
        stats.unsent = 2;
        stats.blocked = 0;
        stats
    });
    assert_eq!(room.stats().room.audience.sessions, 0);
    assert!(room.stats().room.balances());
}

#[tokio::test(start_paused = true)]
async fn the_transport_goes_after_the_last_words() {
    let (_hub, room) = room_of(&av());
    let pump = pump_of(&room);
    let (ann, guest, slow) = (Wire::open(), Wire::open(), Wire::with_room(1));
    let _ann = pump.join(Join::user(UserId(7)), ann.end()).unwrap();
    let _others = [
        pump.join(Join::guest(), guest.end()).unwrap(),
        pump.join(Join::guest(), slow.end()).unwrap(),
    ];
    say(&room, "hello");
    room.leave(UserId(7)).unwrap();
    settle().await;
    assert_eq!(ann.text(), "hello\nend: the user left the room\n");
    assert!(ann.is_dropped() && !guest.is_dropped());
    say(&room, "bye");
    room.close(Actor::Host).unwrap();
    settle().await;
    assert_eq!(guest.text(), "hello\nbye\nend: the room was closed\n");
    slow.give(usize::MAX);
    settle().await;
    assert_eq!(slow.text(), "hello\nbye\nend: the room was closed\n");
    assert!(guest.is_dropped() && slow.is_dropped());
    assert_eq!(pump.stats().connections, 0);
    assert!(room.stats().room.balances());
}

/// They stand between frames.
#[tokio::test(start_paused = true)]
async fn control_frames_are_bounded_and_cut_no_frame() {
    let (_hub, room) = room_of(&av());
    let mut options = PumpOptions::default();
    options.control_frames = 8;
    let pump = room.pump(Lines, options).unwrap();
    let wire = Wire::with_room(2);
    let pumped = pump.join(Join::guest(), wire.end()).unwrap();
    say(&room, "hello");
    settle().await;
    let taken = (0..20).filter(|n| pumped.control(Bytes::from(format!("<{n}>"))).is_ok());
    assert_eq!(taken.count(), 8);
    settle().await;
    wire.give(usize::MAX);
    settle().await;
    assert_eq!(wire.text(), "hello\n<0><1><2><3><4><5><6><7>");
    assert_eq!(pump.stats().controls_dropped, 12);
    pumped.control(Bytes::from_static(b"<again>")).unwrap();
    settle().await;
    assert!(wire.text().ends_with("<7><again>"));
}

/// Somebody else closes it.
#[tokio::test(start_paused = true)]
async fn closing_a_session_takes_its_connection() {
    let (_hub, room) = room_of(&av());
    let pump = pump_of(&room);
    let wire = Wire::open();
    let pumped = pump.join(Join::guest(), wire.end()).unwrap();
    settle().await;
    assert!(room.session(pumped.session()).close());
    settle().await;
    assert!(wire.is_dropped());
    assert_eq!(pump.stats().connections, 0);
}

#[tokio::test(start_paused = true)]
async fn subscriptions_and_several_pumps_share_a_room() {
    let (_hub, room) = room_of(&av());
    let pumps = [pump_of(&room), pump_of(&room)];
    let wires = [Wire::open(), Wire::open()];
    let pumped = [0, 1].map(|n| pumps[n].join(Join::guest(), wires[n].end()).unwrap());
    let mut subscription = room.join(Join::guest()).unwrap();
    say(&room, "hello");
    assert_eq!(subscription.next_batch().await.unwrap().messages().len(), 1);
    settle().await;
    assert!(wires.iter().all(|wire| wire.text() == "hello\n"));
    // A dropped pump lets its connections go and leaves the others alone.
    let [first, second] = pumps;
    let [of_first, _of_second] = pumped;
    drop((first, of_first));
    settle().await;
    assert!(wires[0].is_dropped() && !wires[1].is_dropped());
    let more: Vec<_> = (0..62).map(|_| pump_of(&room)).collect();
    assert!(room.pump::<End, _>(Lines, PumpOptions::default()).is_err(), "63 pumps at the most");
    drop(more);
    say(&room, "again");
    settle().await;
    assert_eq!(second.stats().messages, 2);
}

#[tokio::test(start_paused = true)]
async fn a_window_shares_writes_and_high_bypasses_it() {
    let window = Duration::from_millis(250);
    let coalesce = PerLevel([Duration::ZERO, window, window, window]);
    let config =
        RoomConfig::builder(UserId(1)).rate(1_000).burst(1_000).coalesce(coalesce).build().unwrap();
    let (_hub, room) = room_of(&config);
    let pump = pump_of(&room);
    let wire = Wire::open();
    let _pumped = pump.join(Join::guest(), wire.end()).unwrap();
    settle().await;
    for n in 0..10 {
        say(&room, &n.to_string());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(wire.text(), "");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!((wire.text().lines().count(), pump.stats().writes), (10, 1));
    say(&room, "text");
    let gift = Publish::new(Source::Host, "gift".to_owned()).priority(Priority::High);
    assert!(room.try_publish(gift).is_ok());
    settle().await;
    assert!(
        wire.text().ends_with("gift\ntext\n"),
        "High is told at once, and takes along what waits"
    );
}

#[tokio::test(start_paused = true)]
async fn a_budget_cuts_writes_and_nothing_is_left() {
    let (_hub, room) = room_of(&av());
    let mut options = PumpOptions::default();
    options.budget = Budget { messages: 3, bytes: 1 << 20 };
    options.writes_a_turn = 2;
    let pump: Pump<String, End> = room.pump(Lines, options).unwrap();
    let wires: Vec<Wire> = (0..5).map(|_| Wire::open()).collect();
    let _pumped: Vec<_> =
        wires.iter().map(|wire| pump.join(Join::guest(), wire.end()).unwrap()).collect();
    for n in 0..10 {
        say(&room, &n.to_string());
    }
    settle().await;
    assert!(wires.iter().all(|wire| wire.text().lines().count() == 10));
    assert_eq!(pump.stats().writes, 5 * 4);
}

#[tokio::test(start_paused = true)]
async fn a_room_that_takes_nobody_returns_a_transport() {
    let (_hub, room) = room_of(&RoomConfig::builder(UserId(1)).sessions(1).build().unwrap());
    let pump = pump_of(&room);
    let wires = [Wire::open(), Wire::open()];
    let _pumped = pump.join(Join::guest(), wires[0].end()).unwrap();
    let refused = pump.join(Join::guest(), wires[1].end()).unwrap_err();
    assert_eq!(refused.to_string(), refused.error.to_string());
    assert!(!wires[1].is_dropped());
    drop(refused.transport);
    assert!(wires[1].is_dropped());
}

#[tokio::test(start_paused = true)]
async fn a_drain_writes_what_is_due_and_says_goodbye() {
    let (hub, room) = room_of(&av());
    let pump = pump_of(&room);
    let (wire, stuck) = (Wire::open(), Wire::with_room(1));
    let _pumped = [
        pump.join(Join::guest(), wire.end()).unwrap(),
        pump.join(Join::guest(), stuck.end()).unwrap(),
    ];
    settle().await;
    for text in ["one", "two"] {
        say(&room, text);
        settle().await;
    }
    say(&room, "three");
    let report = hub.drain(Duration::from_secs(5)).await;
    assert_eq!(wire.text(), "one\ntwo\nthree\nend: the room was closed\n");
    // The stuck one has begun the first and never took the others.
    assert_eq!((report.delivered, report.abandoned), (1, 2));
    assert!(room.stats().room.balances());
}

/// A connection at whose first write something more is said.
struct Speaker(Room<String>, End, bool);

impl Transport for Speaker {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !std::mem::replace(&mut self.2, true) {
            say(&self.0, "two");
        }
        self.1.try_write(bytes)
    }

    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.1.poll_writable(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn news_in_the_middle_of_a_sweep_reach_everyone() {
    // Wherever in the room the sweep is by then; its slices do not come out even.
    for speaker in [0, 100, 255, 256, 400, 511, 512, 699] {
        let hub = Hub::<String>::builder().workers(1).spawn();
        let room = hub.create_room(RoomId(1), &av()).unwrap();
        let mut options = PumpOptions::default();
        options.writes_a_turn = 1;
        let pump: Pump<String, Box<dyn Transport>> = room.pump(Lines, options).unwrap();
        let wires: Vec<Wire> = (0..700).map(|_| Wire::open()).collect();
        let transport = |n: usize, wire: &Wire| -> Box<dyn Transport> {
            if n == speaker {
                Box::new(Speaker(room.clone(), wire.end(), false))
            } else {
                Box::new(wire.end())
            }
        };
        let join = |(n, wire)| pump.join(Join::guest(), transport(n, wire)).unwrap();
        let _pumped: Vec<_> = wires.iter().enumerate().map(join).collect();
        settle().await;
        say(&room, "one");
        settle().await;
        let missing = wires.iter().filter(|wire| wire.text() != "one\ntwo\n").count();
        assert_eq!(missing, 0, "said at the write to {speaker}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_free_again_after_the_grace_is_let_go() {
    let config = RoomConfig::builder(UserId(1))
        .rate(1_000)
        .burst(1_000)
        .grace(Duration::from_secs(2))
        .build()
        .unwrap();
    let (_hub, room) = room_of(&config);
    let pump = pump_of(&room);
    let wire = Wire::with_room(1);
    let _pumped = pump.join(Join::guest(), wire.end()).unwrap();
    settle().await;
    say(&room, "one");
    settle().await;
    say(&room, "two");
    room.close(Actor::Host).unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(room.stats().room.audience.sessions, 0, "the grace is over");
    wire.give(usize::MAX);
    settle().await;
    assert_eq!(wire.text(), "one\n", "what was begun is ended");
    assert!(wire.is_dropped());
    assert_eq!(pump.stats().connections, 0);
}

/// It is closed before its connection has come.
#[tokio::test(start_paused = true)]
async fn a_session_closed_early_takes_its_connection() {
    let (_hub, room) = room_of(&av());
    let pump = pump_of(&room);
    let wire = Wire::open();
    let pumped = pump.join(Join::guest(), wire.end()).unwrap();
    // The pump's task has not run yet.
    assert!(room.session(pumped.session()).close());
    settle().await;
    assert!(wire.is_dropped());
    assert_eq!(pump.stats().connections, 0);
}

/// What is sent to one connection is written to that one, and masks hold at once.
#[tokio::test(start_paused = true)]
async fn masks_and_direct_messages_concern_one_alone() {
    let hub = Hub::<String>::builder().workers(1).spawn();
    let room = hub.create_room(RoomId(1), &RoomConfig::av_chat_room(UserId(1))).unwrap();
    let pump = room.pump(Lines, PumpOptions::default()).unwrap();
    let wires = [(); 3].map(|()| Wire::open());
    let joined = wires.each_ref().map(|wire| pump.join(Join::guest(), wire.end()).unwrap());
    assert!(joined[2].set_masked_levels(LevelSet::EMPTY.with(Priority::Normal)));
    let say = |text: &str| {
        room.try_publish(Publish::new(Source::Host, text.to_owned())).map(drop).unwrap();
    };
    say("a");
    let receipt = room
        .send_direct(Recipient::Session(joined[1].session()), Direct::new("psst".to_owned()))
        .unwrap();
    assert_eq!(receipt.sessions, 1);
    say("b");
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(wires.each_ref().map(Wire::text), ["a\nb\n", "a\nto you: psst\nb\n", ""]);
    let token = joined[0].resume_token().unwrap();
    assert_eq!(pump.stats().messages, 5);
    // It stands behind what was written.
    let [first, ..] = joined;
    drop(first);
    say("c");
    tokio::time::sleep(Duration::from_millis(5)).await;
    let wire = Wire::open();
    let back = pump.join(Join::guest().resume(token), wire.end()).unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!((back.start(), &*wire.text()), (StartPosition::Resumed, "c\n"));
}

/// Says that it can take more, and takes nothing.
#[derive(Debug)]
struct Liar(Arc<AtomicUsize>, ErrorKind);

impl Transport for Liar {
    fn try_write(&mut self, _: &[u8]) -> io::Result<usize> {
        // Whoever asks for ever is to fail the test, not to hang it.
        let asked = self.0.fetch_add(1, Ordering::Relaxed);
        Err(if asked < 1_000_000 { self.1 } else { ErrorKind::BrokenPipe }.into())
    }

    fn poll_writable(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_lies_is_asked_in_turns() {
    for (kind, most) in [(ErrorKind::WouldBlock, 3), (ErrorKind::Interrupted, 50)] {
        let (_hub, room) = room_of(&av());
        let mut options = PumpOptions::default();
        options.stalled_after = Duration::from_secs(10);
        let pump: Pump<String, Box<dyn Transport>> = room.pump(Lines, options).unwrap();
        let (asked, wire) = (Arc::new(AtomicUsize::new(0)), Wire::open());
        let _liar = pump.join(Join::guest(), Box::new(Liar(Arc::clone(&asked), kind))).unwrap();
        let _peer = pump.join(Join::guest(), Box::new(wire.end())).unwrap();
        settle().await;
        say(&room, "one");
        settle().await;
        assert_eq!(wire.text(), "one\n");
        let count = asked.load(Ordering::Relaxed);
        assert!(count <= most, "asked {count} times at once");
        tokio::time::sleep(Duration::from_secs(5)).await;
        say(&room, "two");
        settle().await;
        assert_eq!(wire.text(), "one\ntwo\n", "another one is served meanwhile");
        assert_eq!(pump.stats().connections, 2, "it is not given up yet");
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!((pump.stats().stalled, pump.stats().connections), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_a_pump_joins_by_name() {
    let hub = Hub::<String, u32>::builder().workers(1).spawn();
    let room = hub.open_room(RoomKey::Name(42), &RoomConfig::default()).unwrap();
    let pump: Pump<String, End, u32> = room.pump(Lines, PumpOptions::default()).unwrap();
    let wires = [Wire::open(), Wire::open()];
    let _ann = pump.join(Joining::named(7), wires[0].end()).unwrap();
    let _guest = pump.join(Join::guest(), wires[1].end()).unwrap();
    assert_eq!((room.recent_names(), room.recent_users()), (vec![7], vec![room.user_id(7_u32)]));
    room.moderation(Actor::Host).ban(&[room.user_id(7_u32)], None).unwrap();
    let refused = pump.join(Joining::named(7), wires[0].end()).unwrap_err();
    assert!(matches!(refused.error, PumpRefusal::Room(JoinError::Banned { .. })), "{refused}");
}
