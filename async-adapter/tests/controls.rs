//! What a host says to one connection of a pump beside the room: bounded for that connection,
//! whatever its peer asks for.
#![cfg(feature = "tokio")]

mod lines;

use lines::Lines;
use parking_lot::Mutex;
use roomcast::error::ControlRefused;
use roomcast::pump::{Control, PumpOptions};
use roomcast::{
    Actor, Bytes, Hub, Join, Publish, Pump, Room, RoomConfig, RoomId, Source, Transport, UserId,
};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// As many as a peer sends in a second or two.
const MANY: usize = 100_000;

/// A connection in memory: takes so many bytes, then nothing until it is given room.
#[derive(Clone, Default)]
struct Wire(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    taken: Vec<u8>,
    room: usize,
    waker: Option<Waker>,
}

impl Wire {
    fn with_room(room: usize) -> Self {
        let wire = Self::default();
        wire.0.lock().room = room;
        wire
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

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().taken).into_owned()
    }
}

impl Transport for Wire {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inside = self.0.lock();
        let count = bytes.len().min(inside.room);
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        inside.room -= count;
        inside.taken.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inside = self.0.lock();
        if inside.room > 0 {
            return Poll::Ready(Ok(()));
        }
        inside.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Counts what is kept of the bytes that it made, wherever that is.
#[derive(Clone, Default)]
struct Kept {
    frames: Arc<AtomicUsize>,
    bytes: Arc<AtomicUsize>,
}

struct Counted(Kept, Vec<u8>);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.1
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.frames.fetch_sub(1, Ordering::Relaxed);
        self.0.bytes.fetch_sub(self.1.len(), Ordering::Relaxed);
    }
}

impl Kept {
    fn frame(&self, bytes: impl Into<Vec<u8>>) -> Bytes {
        let bytes = bytes.into();
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes.len(), Ordering::Relaxed);
        Bytes::from_owner(Counted(self.clone(), bytes))
    }

    fn pong(&self, bytes: impl Into<Vec<u8>>) -> Control {
        Control::Pong(self.frame(bytes))
    }

    fn now(&self) -> (usize, usize) {
        (self.frames.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

fn pump() -> (Hub<String>, Room<String>, Pump<String, Wire>) {
    let hub = Hub::<String>::builder().workers(1).spawn();
    let room = hub.create_room(RoomId(1), &RoomConfig::av_chat_room(UserId(1))).unwrap();
    let pump = room.pump(Lines, PumpOptions::default()).unwrap();
    (hub, room, pump)
}

fn say(room: &Room<String>, text: &str) {
    assert!(room.try_publish(Publish::new(Source::Host, text.to_owned())).is_ok());
}

/// Lets the tasks work until nothing is left to do; with the time paused, it advances only then.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Whether or not the pump comes by.
#[tokio::test(start_paused = true)]
async fn only_the_newest_pong_is_kept_and_written() {
    let (_hub, room, pump) = pump();
    let (wire, kept) = (Wire::with_room(2), Kept::default());
    let pumped = pump.join(Join::guest(), wire.clone()).unwrap();
    // The pump's task has not run yet, and does not until this one waits.
    for n in 0..MANY {
        pumped.control(kept.pong(format!("<early {n:05}>"))).unwrap();
        assert_eq!(kept.now(), (1, 13), "after {n} pings");
    }
    settle().await;
    // Now the connection takes nothing, and the pump's task runs between the pings.
    assert_eq!(wire.text(), "<e");
    say(&room, "hello");
    for n in 0..MANY {
        pumped.control(kept.pong(format!("<late {n:05}>"))).unwrap();
        assert!(
            kept.now() <= (2, 13 + 12),
            "the one that is being written and the newest: {:?} after {n} pings",
            kept.now()
        );
        if n % 1_000 == 0 {
            settle().await;
        }
    }
    wire.give(usize::MAX);
    settle().await;
    assert_eq!(wire.text(), "<early 99999><late 99999>hello\n");
    assert_eq!(kept.now(), (0, 0));
    let stats = pump.stats();
    assert_eq!((stats.controls_replaced, stats.controls_dropped), (2 * (MANY as u64 - 1), 0));
}

/// The close still has its place.
#[tokio::test(start_paused = true)]
async fn frames_a_peer_never_reads_are_refused() {
    let (_hub, room, pump) = pump();
    let (wire, kept) = (Wire::with_room(1), Kept::default());
    let pumped = pump.join(Join::guest(), wire.clone()).unwrap();
    say(&room, "hello");
    settle().await;
    let taken = (0..MANY).filter(|n| pumped.control(kept.frame(format!("<{n:05}>"))).is_ok());
    assert_eq!(taken.count(), 16);
    assert_eq!(kept.now(), (16, 16 * 7));
    let full = ControlRefused::Full {
        frames: 16,
        bytes: 112,
        size: 1,
        max_frames: 16,
        max_bytes: 64 << 10,
    };
    assert_eq!(pumped.control(Bytes::from_static(b"x")), Err(full));
    pumped.control(kept.pong("<pong>")).unwrap();
    assert_eq!(pump.stats().controls_dropped, MANY as u64 - 16 + 1);
    wire.give(usize::MAX);
    settle().await;
    let frames = (0..16).map(|n| format!("<{n:05}>")).collect::<Vec<_>>().concat();
    assert_eq!(wire.text(), format!("hello\n{frames}<pong>"));
    // By bytes.
    wire.give(1);
    pumped.control(kept.frame(vec![b'.'; 2])).unwrap();
    settle().await;
    pumped.control(kept.frame(vec![b'.'; 40 << 10])).unwrap();
    let full = pumped.control(kept.frame(vec![b'.'; 30 << 10])).unwrap_err();
    assert!(
        matches!(full, ControlRefused::Full { frames: 1, bytes: 40_960, size: 30_720, .. }),
        "{full}"
    );
    let too_large = pumped.control(kept.frame(vec![b'.'; (64 << 10) + 1])).unwrap_err();
    assert_eq!(too_large, ControlRefused::TooLarge { size: 65_537, max: 65_536 });
}

fn close() -> Control {
    Control::Close(Bytes::from_static(b"<close>"))
}

/// Neither of the room's nor of the host's, though more was said before the pump came by.
#[tokio::test(start_paused = true)]
async fn nothing_follows_a_close() {
    let (_hub, room, pump) = pump();
    let wire = Wire::with_room(usize::MAX);
    let pumped = pump.join(Join::guest(), wire.clone()).unwrap();
    say(&room, "hello");
    settle().await;
    pumped.control(Bytes::from_static(b"<frame>")).unwrap();
    say(&room, "taken along");
    pumped.control(close()).unwrap();
    say(&room, "late");
    for late in [Control::from(Bytes::from_static(b"late")), close()] {
        assert_eq!(pumped.control(late), Err(ControlRefused::Ended));
    }
    settle().await;
    assert_eq!(wire.text(), "hello\n<frame><close>");
    assert_eq!(pump.stats().connections, 0);
    assert_eq!(room.stats().room.audience.sessions, 0, "who said goodbye has left");
    assert!(pumped.closed().await.is_some(), "the host is told where its client goes on");
}

/// Nor the last words of a session that ends meanwhile.
#[tokio::test(start_paused = true)]
async fn no_last_words_follow_a_close() {
    let (_hub, room, pump) = pump();
    let wires = [Wire::with_room(usize::MAX), Wire::with_room(2)];
    let users = [UserId(7), UserId(8)];
    let pumped: Vec<_> = std::iter::zip(users, &wires)
        .map(|(user, wire)| pump.join(Join::user(user), wire.clone()).unwrap())
        .collect();
    say(&room, "hello");
    settle().await;
    pumped[1].control(close()).unwrap();
    settle().await;
    pumped[0].control(close()).unwrap();
    room.moderation(Actor::Host).kick(&users).unwrap();
    settle().await;
    wires[1].give(usize::MAX);
    settle().await;
    assert_eq!(wires.each_ref().map(Wire::text), ["hello\n<close>"; 2]);
    assert_eq!(pump.stats().connections, 0);
}

/// Its session is gone at once, and its slot another's.
#[tokio::test(start_paused = true)]
async fn a_close_goes_out_though_the_host_lets_go() {
    let (_hub, room, pump) = pump();
    let wires = [Wire::with_room(2), Wire::with_room(2)];
    let mut pumped: Vec<_> =
        wires.iter().map(|wire| pump.join(Join::guest(), wire.clone()).unwrap()).collect();
    say(&room, "hello");
    settle().await;
    for pumped in pumped.drain(..) {
        pumped.control(close()).unwrap();
    }
    say(&room, "late");
    settle().await;
    let _next = pump.join(Join::guest(), Wire::with_room(usize::MAX)).unwrap();
    settle().await;
    assert_eq!((pump.stats().connections, room.stats().room.audience.sessions), (3, 1));
    wires[0].give(usize::MAX);
    settle().await;
    assert_eq!(wires[0].text(), "hello\n<close>");
    assert_eq!(pump.stats().connections, 2);
    // The other is given up.
    tokio::time::sleep(PumpOptions::default().stalled_after).await;
    settle().await;
    assert_eq!((wires[1].text().as_str(), pump.stats().connections), ("he", 1));
    assert!(room.stats().room.balances());
}

/// Nothing is taken after them.
#[tokio::test(start_paused = true)]
async fn what_waits_precedes_the_last_words() {
    let (_hub, room, pump) = pump();
    let (slow, kept) = (Wire::with_room(1), Kept::default());
    let pumped = pump.join(Join::user(UserId(7)), slow.clone()).unwrap();
    say(&room, "hello");
    settle().await;
    pumped.control(kept.frame("<note>")).unwrap();
    pumped.control(kept.pong("<pong>")).unwrap();
    room.moderation(Actor::Host).kick(&[UserId(7)]).unwrap();
    settle().await;
    assert_eq!(pumped.control(kept.pong("<unheard>")), Err(ControlRefused::Ended));
    slow.give(usize::MAX);
    settle().await;
    assert_eq!(slow.text(), "hello\n<note><pong>end: the user was kicked\n");
    assert_eq!(kept.now(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_connection_takes_along_what_waits_for_it() {
    let (_hub, room, pump) = pump();
    let kept = Kept::default();
    let pumped = pump.join(Join::guest(), Wire::with_room(1)).unwrap();
    say(&room, "hello");
    settle().await;
    pumped.control(kept.frame("<note>")).unwrap();
    assert!(room.session(pumped.session()).close());
    settle().await;
    assert_eq!(kept.now(), (0, 0));
    assert_eq!(pumped.control(kept.frame("<note>")), Err(ControlRefused::Ended));
}

#[tokio::test(start_paused = true)]
async fn what_is_said_before_letting_go_is_written() {
    let (_hub, room, pump) = pump();
    let wires = [(); 2].map(|()| Wire::with_room(usize::MAX));
    let [first, second] =
        wires.each_ref().map(|wire| pump.join(Join::guest(), wire.clone()).unwrap());
    settle().await;
    for pumped in [&first, &second] {
        pumped.control(Bytes::from_static(b"<goodbye>")).unwrap();
        pumped.control(Control::Close(Bytes::from_static(b"<close>"))).unwrap();
    }
    drop(first);
    assert!(room.session(second.session()).close());
    settle().await;
    assert_eq!(wires.each_ref().map(Wire::text), ["<goodbye><close>"; 2]);
    assert_eq!(pump.stats().connections, 0);
}

/// Many connections ask all the time.
#[tokio::test(start_paused = true)]
async fn answering_many_holds_up_no_message() {
    let (_hub, room, pump) = {
        let hub = Hub::<String>::builder().workers(1).spawn();
        let room = hub.create_room(RoomId(1), &RoomConfig::av_chat_room(UserId(1))).unwrap();
        let mut options = PumpOptions::default();
        options.writes_a_turn = 2;
        let pump: Pump<String, Wire> = room.pump(Lines, options).unwrap();
        (hub, room, pump)
    };
    let wires: Vec<Wire> = (0..20).map(|_| Wire::with_room(usize::MAX)).collect();
    let pumped: Vec<_> =
        wires.iter().map(|wire| pump.join(Join::guest(), wire.clone()).unwrap()).collect();
    settle().await;
    say(&room, "hello");
    for _ in 0..200 {
        for one in &pumped {
            one.control(Control::Pong(Bytes::from_static(b"."))).unwrap();
        }
        // One turn of the pump's task, or a few.
        tokio::task::yield_now().await;
    }
    let missing = wires.iter().filter(|wire| !wire.text().contains("hello\n")).count();
    assert_eq!(missing, 0);
}

#[cfg(feature = "websocket")]
mod websocket {
    use super::*;
    use roomcast::net::{WebSocketOptions, WebSocketReader};
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    /// A ping as a client sends it, masked with zeros.
    fn ping(payload: [u8; 5], frames: &mut Vec<u8>) {
        frames.extend_from_slice(&[0x89, 0x80 | 5, 0, 0, 0, 0]);
        frames.extend_from_slice(&payload);
    }

    /// All are there at once, and other connections get their turns.
    #[tokio::test]
    async fn the_newest_of_many_pings_is_answered() {
        let (_hub, _room, pump) = pump();
        let (wire, kept) = (Wire::default(), Kept::default());
        let pumped = pump.join(Join::guest(), wire.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (client, server) =
            tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let mut pings = Vec::new();
        for n in 0..MANY {
            ping(format!("{n:05}").as_bytes().try_into().unwrap(), &mut pings);
        }
        pings.extend_from_slice(&[0x88, 0x80, 0, 0, 0, 0]);
        let mut options = WebSocketOptions::default();
        // The transport is the test's, and stays.
        options.close_timeout = Duration::from_millis(50);
        let (mut reader, transport) =
            WebSocketReader::upgraded(server.unwrap().0, pings.into(), options).await.unwrap();
        let turns = Arc::new(AtomicUsize::new(0));
        let other = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move {
                loop {
                    turns.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            }
        });
        let mut answers = 0;
        let answer = |control| {
            answers += 1;
            let counted = match control {
                Control::Pong(bytes) => Control::Pong(kept.frame(bytes)),
                Control::Close(bytes) => Control::Close(kept.frame(bytes)),
                other => panic!("{other:?}"),
            };
            pumped.control(counted).unwrap();
            assert!(kept.now() <= (3, 7 + 7 + 2), "{:?}", kept.now());
        };
        assert!(reader.next(answer).await.is_none());
        assert_eq!(answers, MANY + 1);
        let turns = turns.load(Ordering::Relaxed);
        assert!(turns >= MANY / 100, "{turns} turns");
        other.abort();
        tokio::time::sleep(Duration::from_millis(50)).await;
        wire.give(usize::MAX);
        tokio::time::sleep(Duration::from_millis(50)).await;
        // One whose writing had begun, the newest, and the close.
        let written = wire.0.lock().taken.clone();
        assert!(written.ends_with(b"\x8a\x0599999\x88\x00"), "{written:?}");
        assert!(written.len() <= 7 + 7 + 2, "{written:?}");
        drop((transport, pumped));
        assert_eq!(client.unwrap().read_to_end(&mut Vec::new()).await.unwrap(), 0);
    }
}
