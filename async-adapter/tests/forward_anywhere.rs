//! `forward` on an executor that is not tokio's, over a hub of threads. Runs with and without the feature.

use futures_sink::Sink;
use roomcast::encode::Text;
use roomcast::error::SessionEnd;
use roomcast::event::EndReason;
use roomcast::session::{ForwardEnd, ForwardOptions, Forwarded};
use roomcast::{
    Actor, Hub, Join, PerLevel, Priority, Publish, Room, RoomConfig, RoomId, Source, UserId,
    forward,
};
use smol::channel::{Receiver, Sender, bounded};
use smol::stream::StreamExt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// A room of a hub of threads, which keeps few messages.
fn room() -> (Hub<String>, Room<String>) {
    let hub = Hub::<String>::builder().workers(1).spawn_threads().unwrap();
    let config = RoomConfig::builder(UserId(1)).rate(1_000).log_messages(PerLevel([4; 4]));
    let room = hub.create_room(RoomId(1), &config.build().unwrap()).unwrap();
    (hub, room)
}

fn say(room: &Room<String>, texts: impl IntoIterator<Item = &'static str>) {
    for text in texts {
        let _ = room.try_publish(Publish::new(Source::Host, text.to_owned())).unwrap();
    }
}

/// A sink that takes one frame each time that it is allowed to, and fails when nobody allows any more.
struct Allowed {
    permits: Pin<Box<Receiver<()>>>,
    may_take: bool,
    taken: Sender<String>,
}

impl Allowed {
    fn new() -> (Self, Sender<()>, Receiver<String>) {
        let ((allow, permits), (taken, seen)) = (bounded(64), smol::channel::unbounded());
        (Self { permits: Box::pin(permits), may_take: false, taken }, allow, seen)
    }
}

impl Sink<String> for Allowed {
    type Error = &'static str;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if !self.may_take {
            let allowed = ready!(self.permits.as_mut().poll_next(cx));
            if allowed.is_none() {
                return Poll::Ready(Err("nobody allows it"));
            }
            self.may_take = true;
        }
        Poll::Ready(Ok(()))
    }

    fn start_send(mut self: Pin<&mut Self>, frame: String) -> Result<(), Self::Error> {
        self.may_take = false;
        self.taken.try_send(frame).map_err(|_| "nobody looks")
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }
}

fn options(stalled_after: Duration) -> ForwardOptions {
    ForwardOptions { stalled_after, ..ForwardOptions::default() }
}

/// While the sink is busy nothing is taken; what falls out of the log meanwhile is told, and the end, too.
#[test]
fn what_a_busy_sink_misses_is_a_gap_under_smol() {
    let (_hub, room) = room();
    let (sink, allow, seen) = Allowed::new();
    let hear = room.join(Join::guest()).unwrap();
    let writing = smol::spawn(forward(hear, sink, Text, options(Duration::from_secs(600))));
    let done: Forwarded<_> = smol::block_on(async {
        say(&room, ["a"]);
        allow.send(()).await.unwrap();
        assert_eq!(seen.recv().await.unwrap(), "a");
        say(&room, ["b"]);
        // It has taken the next batch once it waits to write it.
        while room.stats().room.audience.deliveries[Priority::Normal].delivered < 2 {
            smol::Timer::after(Duration::from_millis(1)).await;
        }
        say(&room, ["c", "d", "e", "f", "g", "h"]);
        room.close(Actor::Host).unwrap();
        for _ in 0..7 {
            allow.send(()).await.unwrap();
        }
        writing.await
    });
    let ForwardEnd::Session(SessionEnd::Closed(EndReason::RoomClosed)) = done.end else {
        panic!("{done:?}")
    };
    assert_eq!((done.batches, done.messages, done.unsent), (3, 6, 0));
    let mut frames = Vec::new();
    while let Ok(frame) = seen.try_recv() {
        frames.push(frame);
    }
    let goodbye = format!("(goodbye: {})", EndReason::RoomClosed);
    assert_eq!(frames, ["b", "(2 normal missed: overrun)", "e", "f", "g", "h", &goodbye]);
}

#[test]
fn a_stuck_sink_is_given_up_and_a_failed_one_noticed_under_smol() {
    let (_hub, room) = room();
    let (sink, _allow, _seen) = Allowed::new();
    let hear = room.join(Join::guest()).unwrap();
    let writing = forward(hear, sink, Text, options(Duration::from_millis(20)));
    say(&room, ["c"]);
    let done = smol::block_on(writing);
    assert!(matches!(done.end, ForwardEnd::Stalled), "{done:?}");
    assert_eq!((done.messages, done.unsent, room.stats().unsent), (0, 1, 1));

    // Nobody says anything in the room, and nothing wakes the task but the sink.
    let (sink, allow, _seen) = Allowed::new();
    let hear = room.join(Join::guest()).unwrap();
    let writing = smol::spawn(forward(hear, sink, Text, options(Duration::from_secs(600))));
    drop(allow);
    let done = smol::block_on(writing);
    assert!(matches!(done.end, ForwardEnd::Sink("nobody allows it")), "{done:?}");
}
