//! One encoder for whoever writes: `forward`, a pump, or a loop of the host's own.
#![cfg(feature = "tokio")]

use futures_util::SinkExt;
use roomcast::encode::Text;
use roomcast::event::EndReason;
use roomcast::pump::PumpOptions;
use roomcast::session::{ForwardEnd, ForwardOptions};
use roomcast::{
    Actor, Batch, Direct, Encoder, GapCause, Hub, Join, Kind, Message, Priority, Publish,
    Recipient, Room, RoomConfig, RoomId, Source, Transport, UserId, forward,
};
use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

/// Says of each thing which method was asked.
#[derive(Clone)]
struct Named;

impl Encoder<String> for Named {
    type Frame = String;

    fn message(&mut self, message: &Message<String>) -> String {
        format!("message {};", message.payload)
    }

    fn direct(&mut self, direct: &Direct<String>) -> String {
        format!("direct {};", direct.payload)
    }

    fn gap(&mut self, priority: Priority, count: u64, cause: GapCause) -> Option<String> {
        Some(format!("gap of {count} {priority} {cause};"))
    }

    fn tip(&mut self, message: &Message<String>) -> String {
        format!("tip {};", message.payload)
    }

    fn history(&mut self, message: &Message<String>) -> String {
        format!("history {};", message.payload)
    }

    fn end(&mut self, reason: EndReason) -> Option<String> {
        Some(format!("end: {reason};"))
    }
}

/// A room that hands the last message to whoever comes, and keeps three.
fn room() -> (Hub<String>, Room<String>) {
    let hub = Hub::<String>::builder().workers(1).spawn();
    let config = RoomConfig::builder(UserId(1))
        .replay_on_join(1)
        .log_messages(roomcast::PerLevel([4, 4, 4, 4]))
        .build()
        .unwrap();
    let room = hub.create_room(RoomId(1), &config).unwrap();
    (hub, room)
}

fn say(room: &Room<String>, kind: Kind, text: &str) {
    let publish = Publish::new(Source::Host, text.to_owned()).kind(kind);
    assert!(room.try_publish(publish).unwrap().outcome.is_some());
}

/// What a session gets that joined after the first message: the history, a direct message, more
/// than the log holds, a tip, and the end.
fn happen(room: &Room<String>, session: roomcast::SessionId) {
    let _ = room.send_direct(Recipient::Session(session), Direct::new("hi".to_owned())).unwrap();
    for text in ["a", "b", "c", "d", "e"] {
        say(room, Kind::Text, text);
    }
    say(room, Kind::System, "f");
    room.close(Actor::Host).unwrap();
}

const FRAMES: &str = "gap of 3 normal overrun;direct hi;message c;message d;message e;tip f;\
                      end: the room was closed;";

fn collects(into: &Arc<Mutex<String>>) -> impl futures_sink::Sink<String, Error = &'static str> {
    let into = Arc::clone(into);
    futures_util::sink::unfold((), move |(), frame: String| {
        let into = Arc::clone(&into);
        async move {
            into.lock().unwrap().push_str(&frame);
            Ok(())
        }
    })
}

/// A connection that takes all it is offered.
struct Takes(Arc<Mutex<String>>);

impl Transport for Takes {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().push_str(std::str::from_utf8(bytes).unwrap());
        Ok(bytes.len())
    }

    fn poll_writable(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Lends it.
fn by_reference(
    encoder: impl Encoder<String, Frame = String>,
    batch: &Batch<String>,
) -> Vec<String> {
    let mut encoder = encoder;
    encoder.batch(batch)
}

#[tokio::test(start_paused = true)]
async fn forward_and_a_pump_write_the_same() {
    let (_hub, first) = room();
    say(&first, Kind::Text, "before");
    let guest = first.join(Join::guest()).unwrap();
    happen(&first, guest.session());
    let seen = Arc::default();
    let done = forward(guest, Box::pin(collects(&seen)), Named, ForwardOptions::default()).await;
    assert!(matches!(done.end, ForwardEnd::Session(_)));
    assert_eq!(*seen.lock().unwrap(), FRAMES);
    assert_eq!((done.messages, done.unsent), (5, 0));

    let (_hub, second) = room();
    let pump = second.pump(Named, PumpOptions::default()).unwrap();
    say(&second, Kind::Text, "before");
    let seen = Arc::default();
    let pumped = pump.join(Join::guest(), Takes(Arc::clone(&seen))).unwrap();
    happen(&second, pumped.session());
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(*seen.lock().unwrap(), FRAMES);
}

#[tokio::test(start_paused = true)]
async fn an_encoder_serves_a_loop_of_the_hosts_own() {
    let (_hub, room) = room();
    say(&room, Kind::System, "before");
    let mut guest = room.join(Join::guest()).unwrap();
    say(&room, Kind::Text, "a");
    let batch = guest.next_batch().await.unwrap();
    // Lent, and history first.
    assert_eq!(by_reference(&mut Named, &batch), ["history before;", "message a;"]);
    assert_eq!(Text.batch(&batch), ["before", "a"]);
}

/// The last words are what a kicked user reads last; a sink that takes nothing does not hold the
/// task for longer than any other write.
#[tokio::test(start_paused = true)]
async fn the_last_words_are_offered_once() {
    let (_hub, room) = room();
    let ann = room.join(Join::user(UserId(7))).unwrap();
    room.moderation(Actor::Host).ban(&[UserId(7)], None).unwrap();
    let seen = Arc::default();
    let done = forward(ann, Box::pin(collects(&seen)), Text, ForwardOptions::default()).await;
    assert!(matches!(done.end, ForwardEnd::Session(_)));
    assert_eq!(*seen.lock().unwrap(), "(goodbye: the user was banned)");

    let full = Box::pin(
        futures_util::sink::drain::<String>()
            .with(|_: String| std::future::pending::<Result<String, std::convert::Infallible>>()),
    );
    let bob = room.join(Join::user(UserId(8))).unwrap();
    room.moderation(Actor::Host).ban(&[UserId(8)], None).unwrap();
    let options =
        ForwardOptions { stalled_after: Duration::from_secs(3), ..ForwardOptions::default() };
    let before = tokio::time::Instant::now();
    let done = forward(bob, full, Text, options).await;
    assert!(matches!(done.end, ForwardEnd::Session(_)));
    assert_eq!(before.elapsed(), Duration::from_secs(3));
}

/// Both ways to write tell the last words, and then the end.
#[tokio::test(start_paused = true)]
async fn a6_a_session_that_is_ended_hears_the_last_words() {
    let (_hub, room) = room();
    let farewell = || Direct::new("come again".to_owned()).priority(Priority::High);
    let expected = "direct 0;direct 1;message a;direct come again;end: the session was ended;";
    let greet = |session| {
        for n in 0..2 {
            let greeting = Direct::new(n.to_string()).priority(Priority::High);
            let _ = room.send_direct(Recipient::Session(session), greeting).unwrap();
        }
        say(&room, Kind::Text, "a");
    };

    let (said, seen) = (Arc::default(), Arc::default());
    let (say_ann, hear) = room.join(Join::user(UserId(7))).unwrap().split();
    greet(say_ann.session());
    say_ann.end(farewell()).unwrap();
    forward(hear, Box::pin(collects(&said)), Named, ForwardOptions::default()).await;
    assert_eq!(*said.lock().unwrap(), expected);

    let pump = room.pump(Named, PumpOptions::default()).unwrap();
    let pumped = pump.join(Join::guest(), Takes(Arc::clone(&seen))).unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    seen.lock().unwrap().clear();
    greet(pumped.session());
    room.session(pumped.session()).end(farewell()).unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(*seen.lock().unwrap(), expected);
    assert!(room.end_session(pumped.session(), None).is_err(), "it has ended");
}
