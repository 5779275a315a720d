//! The pump's connections in trouble: rooms that grow under a sweep, last words to slow ones, transports that panic.
#![cfg(feature = "tokio")]

mod lines;

use lines::Lines;
use parking_lot::Mutex;
use roomcast::config::RoomConfigBuilder;
use roomcast::core::Group;
use roomcast::error::SessionEnd;
use roomcast::event::EndReason;
use roomcast::pump::{PumpOptions, Pumped};
use roomcast::{
    Actor, Hub, Join, Publish, Pump, Room, RoomConfig, RoomId, Source, Transport, UserId,
};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// What a connection does at its first write.
type Act = Box<dyn FnOnce() + Send>;

/// A connection in memory: takes so many bytes, then nothing until it is given room. The pump holds its other end.
#[derive(Clone)]
struct Wire(Arc<Mutex<Inside>>);

struct Inside {
    taken: String,
    room: usize,
    waker: Option<Waker>,
    is_dropped: bool,
    act: Option<Act>,
    /// What its transport panics at.
    panics_at: Option<At>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Write,
    Look,
    Drop,
}

struct End(Wire);

impl Wire {
    fn with_room(room: usize) -> Self {
        Self(Arc::new(Mutex::new(Inside {
            taken: String::new(),
            room,
            waker: None,
            is_dropped: false,
            act: None,
            panics_at: None,
        })))
    }

    fn that_panics(at: At) -> Self {
        // Full at once, so that it is asked whether it takes more.
        let wire = Self::with_room(if at == At::Look { 1 } else { usize::MAX });
        wire.0.lock().panics_at = Some(at);
        wire
    }

    fn may_panic(&self, at: At) {
        let panics_at = self.0.lock().panics_at;
        assert!(panics_at != Some(at), "as wanted");
    }

    fn open() -> Self {
        Self::with_room(usize::MAX)
    }

    fn at_first_write(&self, act: impl FnOnce() + Send + 'static) {
        self.0.lock().act = Some(Box::new(act));
    }

    fn end(&self) -> End {
        End(self.clone())
    }

    fn give(&self, room: usize) {
        let mut inside = self.0.lock();
        inside.room = room;
        let waker = inside.waker.take();
        drop(inside);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn is_dropped(&self) -> bool {
        self.0.lock().is_dropped
    }

    fn text(&self) -> String {
        self.0.lock().taken.clone()
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.0.0.lock().is_dropped = true;
        self.0.may_panic(At::Drop);
    }
}

impl Transport for End {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.may_panic(At::Write);
        let act = self.0.0.lock().act.take();
        if let Some(act) = act {
            act();
        }
        let mut inside = self.0.0.lock();
        let count = bytes.len().min(inside.room);
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        inside.room -= if inside.room == usize::MAX { 0 } else { count };
        inside.taken.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        Ok(count)
    }

    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.may_panic(At::Look);
        let mut inside = self.0.0.lock();
        if inside.room > 0 {
            return Poll::Ready(Ok(()));
        }
        inside.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

fn config() -> RoomConfigBuilder {
    RoomConfig::builder(UserId(1)).rate(1_000).burst(1_000).sessions_per_user(64)
}

/// A room in one part, and a pump for it.
fn pump_of(
    config: RoomConfigBuilder,
    options: PumpOptions,
) -> (Hub<String>, Room<String>, Pump<String, End>) {
    let hub = Hub::<String>::builder().workers(1).spawn();
    let room = hub.create_room(RoomId(1), &config.build().unwrap()).unwrap();
    let pump = room.pump(Lines, options).unwrap();
    (hub, room, pump)
}

fn say(room: &Room<String>, text: &str) {
    let receipt = room.try_publish(Publish::new(Source::Host, text.to_owned())).unwrap();
    assert!(receipt.outcome.is_some(), "a quiet room sends at once");
}

/// Lets the tasks work until nothing is left to do; with the time paused, it advances only then.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// The room grows meanwhile.
#[tokio::test(start_paused = true)]
async fn news_during_a_sweep_reach_everyone() {
    let mut options = PumpOptions::default();
    options.writes_a_turn = 1;
    let (_hub, room, pump) = pump_of(config(), options);
    let wires: Vec<Wire> = (0..700).map(|_| Wire::open()).collect();
    let _pumped: Vec<_> =
        wires.iter().map(|wire| pump.join(Join::guest(), wire.end()).unwrap()).collect();
    settle().await;
    wires[100].at_first_write({
        let room = room.clone();
        move || say(&room, "two")
    });
    let joined = Arc::new(Mutex::new(Vec::new()));
    wires[300].at_first_write({
        let (pump, joined) = (pump.clone(), Arc::clone(&joined));
        move || {
            joined
                .lock()
                .extend((0..600).map(|_| pump.join(Join::guest(), Wire::open().end()).unwrap()));
        }
    });
    say(&room, "one");
    settle().await;
    assert_eq!(joined.lock().len(), 600);
    assert_eq!(wires.iter().filter(|wire| wire.text() != "one\ntwo\n").count(), 0);
}

/// Kicks a user whose connection has begun to take a message and takes no more, and lets another session in, in the same slot.
async fn kick_and_join(
    room: &Room<String>,
    pump: &Pump<String, End>,
    slow: &Wire,
) -> [Pumped<String, End>; 2] {
    let kicked = pump.join(Join::user(UserId(7)), slow.end()).unwrap();
    say(room, "hello");
    settle().await;
    assert_eq!(slow.text(), "he");
    room.moderation(Actor::Host).kick(&[UserId(7)]).unwrap();
    settle().await;
    let next = pump.join(Join::guest(), Wire::open().end()).unwrap();
    assert_eq!(next.session().slot(), kicked.session().slot());
    settle().await;
    [kicked, next]
}

/// Whoever has the slot by then.
#[tokio::test(start_paused = true)]
async fn last_words_are_taken_to_the_end() {
    let (_hub, room, pump) = pump_of(config(), PumpOptions::default());
    let slow = Wire::with_room(2);
    let _pumped = kick_and_join(&room, &pump, &slow).await;
    assert!(!slow.is_dropped());
    assert_eq!((pump.stats().connections, pump.stats().blocked), (2, 1));
    for room in [1, usize::MAX] {
        slow.give(room);
        settle().await;
    }
    assert_eq!(slow.text(), "hello\nend: the user was kicked\n");
    assert!(slow.is_dropped());
    assert_eq!((pump.stats().connections, pump.stats().blocked, pump.stats().unsent), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn slow_takers_of_last_words_are_dropped() {
    let (_hub, room, pump) = pump_of(config(), PumpOptions::default());
    let slow = Wire::with_room(2);
    let _pumped = kick_and_join(&room, &pump, &slow).await;
    // A little now and then is not enough: all of it has to be taken by then.
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_secs(16)).await;
        slow.give(1);
    }
    settle().await;
    assert!(slow.is_dropped());
    assert_eq!(slow.text(), "hello");
    let stats = pump.stats();
    assert_eq!((stats.connections, stats.blocked, stats.stalled, stats.unsent), (1, 0, 1, 1));
    assert_eq!(room.stats().room.audience.sessions, 1);
}

/// Whoever has the slot by then.
#[tokio::test(start_paused = true)]
async fn letting_go_of_a_session_drops_its_connection() {
    let (_hub, room, pump) = pump_of(config(), PumpOptions::default());
    let slow = Wire::with_room(2);
    let [kicked, _next] = kick_and_join(&room, &pump, &slow).await;
    drop(kicked);
    settle().await;
    assert!(slow.is_dropped());
    assert_eq!((pump.stats().connections, pump.stats().blocked, pump.stats().unsent), (1, 0, 1));
}

/// Who is gone before the pump comes by has no connection left.
#[tokio::test(start_paused = true)]
async fn who_goes_before_the_pump_looks_is_let_go() {
    let (_hub, room, pump) = pump_of(config().grace(Duration::ZERO), PumpOptions::default());
    let wire = Wire::open();
    let _pumped = pump.join(Join::user(UserId(7)), wire.end()).unwrap();
    settle().await;
    room.moderation(Actor::Host).kick(&[UserId(7)]).unwrap();
    settle().await;
    assert!(wire.is_dropped());
    assert_eq!((pump.stats().connections, room.stats().room.audience.sessions), (0, 0));
}

/// However often the transport says that it takes more.
#[tokio::test(start_paused = true)]
async fn last_words_end_though_told_to_go_on() {
    let (_hub, room, pump) = pump_of(config(), PumpOptions::default());
    let slow = Wire::with_room(2);
    let _kicked = pump.join(Join::user(UserId(7)), slow.end()).unwrap();
    say(&room, "hello");
    settle().await;
    room.moderation(Actor::Host).kick(&[UserId(7)]).unwrap();
    let waker = slow.0.lock().waker.clone().expect("it is waited for");
    // It takes the rest of the message and a few letters more; and its waker is woken twice.
    say(&room, "unheard");
    slow.give(8);
    waker.wake();
    settle().await;
    assert_eq!((slow.text().as_str(), slow.is_dropped()), ("hello\nend:", false));
    slow.give(usize::MAX);
    settle().await;
    assert_eq!(slow.text(), "hello\nend: the user was kicked\n");
    assert!(slow.is_dropped());
}

/// No other connection ends.
#[tokio::test(start_paused = true)]
async fn a_panic_in_a_transport_ends_only_its_own() {
    for (panics_at, unsent) in [(At::Write, 1), (At::Look, 1), (At::Drop, 0)] {
        let (_hub, room, pump) = pump_of(config(), PumpOptions::default());
        let wires = [Wire::open(), Wire::that_panics(panics_at), Wire::open()];
        let pumped = wires.each_ref().map(|wire| pump.join(Join::guest(), wire.end()).unwrap());
        settle().await;
        say(&room, "one");
        settle().await;
        if panics_at == At::Drop {
            assert!(room.session(pumped[1].session()).close());
            settle().await;
        }
        assert!(wires[1].is_dropped() && !wires[0].is_dropped() && !wires[2].is_dropped());
        assert_eq!(room.stats().room.audience.sessions, 2);
        let late = Wire::open();
        let _late = pump.join(Join::guest(), late.end()).unwrap();
        say(&room, "two");
        settle().await;
        assert_eq!(
            [&wires[0], &wires[2], &late].map(Wire::text),
            ["one\ntwo\n", "one\ntwo\n", "two\n"]
        );
        let stats = pump.stats();
        assert_eq!(
            (stats.connections, stats.blocked, stats.unsent, stats.panics),
            (3, 0, unsent, 1)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_is_told_its_end_in_any_group() {
    let (_hub, room, pump) = pump_of(config(), PumpOptions::default());
    let _pumped = pump.join(Join::guest(), Wire::open().end()).unwrap();
    let groups = (0..=Group::MAX).filter_map(Group::new);
    let mut subscriptions: Vec<_> =
        groups.map(|group| room.join(Join::user(UserId(7)).group(group)).unwrap()).collect();
    settle().await;
    room.moderation(Actor::Host).kick(&[UserId(7)]).unwrap();
    settle().await;
    for (group, subscription) in subscriptions.iter_mut().enumerate() {
        let end = subscription.next_batch().await.unwrap_err();
        assert_eq!(end, SessionEnd::Closed(EndReason::Kicked), "in group {group}");
    }
}
