//! The pump's connections in trouble: rooms that grow under a sweep.
#![cfg(feature = "tokio")]

use parking_lot::Mutex;
use roomcast::{
    Direct, Encoder, EndReason, Hub, Join, Message, Priority, Publish, Pump, PumpOptions, RoomConfig, RoomConfigBuilder,
    RoomHandle, RoomId, Source, Transport, UserId,
};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

#[derive(Clone)]
struct Lines;

impl Encoder<String> for Lines {
    fn message(&mut self, message: &Message<String>, frame: &mut Vec<u8>) {
        frame.extend_from_slice(format!("{}\n", message.payload).as_bytes());
    }

    fn direct(&mut self, direct: &Direct<String>, frame: &mut Vec<u8>) {
        frame.extend_from_slice(format!("to you: {}\n", direct.payload).as_bytes());
    }

    fn gap(&mut self, priority: Priority, count: u64, frame: &mut Vec<u8>) {
        frame.extend_from_slice(format!("missed {count} {priority:?}\n").as_bytes());
    }

    fn end(&mut self, reason: EndReason, frame: &mut Vec<u8>) {
        frame.extend_from_slice(format!("end: {reason}\n").as_bytes());
    }
}

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
}

struct End(Wire);

impl Wire {
    fn with_room(room: usize) -> Self {
        Self(Arc::new(Mutex::new(Inside { taken: String::new(), room, waker: None, is_dropped: false, act: None })))
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

    fn text(&self) -> String {
        self.0.lock().taken.clone()
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.0.0.lock().is_dropped = true;
    }
}

impl Transport for End {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let act = self.0.0.lock().act.take();
        act.into_iter().for_each(|act| act());
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
        let mut inside = self.0.0.lock();
        if inside.room > 0 {
            return Poll::Ready(Ok(()));
        }
        inside.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

fn config() -> RoomConfigBuilder {
    RoomConfig::builder(UserId(1)).rate(1_000).burst(1_000)
}

/// A room in one part, and a pump for it.
fn pump_of(config: RoomConfigBuilder, options: PumpOptions) -> (Hub<String>, RoomHandle<String>, Pump<String, End>) {
    let hub = Hub::<String>::builder().shards(1).spawn();
    let room = hub.create_room(RoomId(1), &config.build().unwrap()).unwrap();
    let pump = room.pump(Lines, options).unwrap();
    (hub, room, pump)
}

fn say(room: &RoomHandle<String>, text: &str) {
    let receipt = room.try_publish(Publish::new(Source::Host, text.to_owned())).unwrap();
    assert!(receipt.outcome.is_some(), "a quiet room sends at once");
}

/// Lets the tasks work until nothing is left to do; with the time paused, it advances only then.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn news_in_the_middle_of_a_sweep_reach_everyone_though_the_room_grows() {
    let mut options = PumpOptions::default();
    options.writes_a_turn = 1;
    let (_hub, room, pump) = pump_of(config(), options);
    let wires: Vec<Wire> = (0..700).map(|_| Wire::open()).collect();
    let _pumped: Vec<_> = wires.iter().map(|wire| pump.join(Join::guest(), wire.end()).unwrap()).collect();
    settle().await;
    wires[100].at_first_write({
        let room = room.clone();
        move || say(&room, "two")
    });
    let joined = Arc::new(Mutex::new(Vec::new()));
    wires[300].at_first_write({
        let (pump, joined) = (pump.clone(), Arc::clone(&joined));
        move || joined.lock().extend((0..600).map(|_| pump.join(Join::guest(), Wire::open().end()).unwrap()))
    });
    say(&room, "one");
    settle().await;
    assert_eq!(joined.lock().len(), 600);
    assert_eq!(wires.iter().filter(|wire| wire.text() != "one\ntwo\n").count(), 0);
}
