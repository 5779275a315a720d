//! Messages that are taken back, and such as are pinned, through a loop to a sink and through a pump alike.
#![cfg(feature = "tokio")]

use roomcast::config::SystemMessages;
use roomcast::event::{SystemMessage, SystemMessageKind};
use roomcast::moderation::{PinId, Retraction};
use roomcast::pump::PumpOptions;
use roomcast::session::ForwardOptions;
use roomcast::{
    Actor, Direct, Encoder, GapCause, Hub, Join, Message, Outcome, Payload, Priority, Publish,
    Room, RoomConfig, Source, Transport, UserId, forward,
};
use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

#[derive(Clone, Debug)]
struct Line(String);

impl Payload for Line {
    fn size(&self) -> usize {
        self.0.len()
    }

    fn system_message(tip: &SystemMessage<'_>) -> Option<Self> {
        let SystemMessage::Retracted { seqs } = tip else { return None };
        Some(Self(format!("{seqs:?}")))
    }
}

/// A word for each thing; a message with its number.
#[derive(Clone)]
struct Lines;

impl Encoder<Line> for Lines {
    type Frame = String;

    fn message(&mut self, message: &Message<Line>) -> String {
        format!("{}: {};", message.seq.0, message.payload.0)
    }

    fn direct(&mut self, direct: &Direct<Line>) -> String {
        format!("direct {};", direct.payload.0)
    }

    fn pinned(&mut self, direct: &Direct<Line>) -> String {
        format!("pinned {};", direct.payload.0)
    }

    fn gap(&mut self, _: Priority, count: u64, cause: GapCause) -> Option<String> {
        Some(format!("gap of {count} {cause};"))
    }

    fn tip(&mut self, message: &Message<Line>) -> String {
        format!("retracted {};", message.payload.0)
    }
}

type Seen = Arc<Mutex<String>>;

fn collects(into: &Seen) -> impl futures_sink::Sink<String, Error = &'static str> + use<> {
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
struct Takes(Seen);

impl Transport for Takes {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().push_str(std::str::from_utf8(bytes).unwrap());
        Ok(bytes.len())
    }

    fn poll_writable(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn open(shards: usize) -> (Hub<Line>, Room<Line>) {
    let hub = Hub::<Line>::builder().workers(shards).shards_per_room(shards).spawn();
    let tips = SystemMessages::NONE.with(SystemMessageKind::Retracted, Some(Priority::High));
    let config = RoomConfig::builder(UserId(1)).system_messages(tips).build().unwrap();
    let room = hub.open_room("room", &config).unwrap();
    (hub, room)
}

fn say(room: &Room<Line>, text: &str) -> roomcast::message::Seq {
    let publish = Publish::new(Source::Host, Line(text.to_owned()));
    match room.try_publish(publish).unwrap().outcome {
        Some(Outcome::Dispatched { seq, .. }) => seq,
        other => panic!("{text} did not go out: {other:?}"),
    }
}

async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test(start_paused = true)]
async fn c1_whoever_has_got_it_is_told_and_nobody_else_gets_it() {
    // Over several shards, each of which has a log of its own.
    let (_hub, room) = open(2);
    let pump = room.pump(Lines, PumpOptions::default()).unwrap();
    let (by_pump, by_forward) = (Seen::default(), Seen::default());
    let _pumped = pump.join(Join::guest(), Takes(Arc::clone(&by_pump))).unwrap();
    let guest = room.join(Join::guest()).unwrap();
    let sink = Box::pin(collects(&by_forward));
    let forwarding = tokio::spawn(forward(guest, sink, Lines, ForwardOptions::default()));
    let slow: Vec<_> = (0..5).map(|_| room.join(Join::guest()).unwrap()).collect();

    let (_, second) = (say(&room, "one"), say(&room, "two"));
    a_moment().await;
    let by_host = room.moderation(Actor::Host);
    assert_eq!(by_host.retract(Retraction::Sent(second)).unwrap().seqs, [second]);
    say(&room, "three");
    a_moment().await;

    let told = format!("1: one;2: two;retracted [{second:?}];");
    for seen in [&by_pump, &by_forward] {
        let seen = seen.lock().unwrap();
        // The tip is High, and may come in one batch with what follows.
        assert!(seen.starts_with(&told) && seen.contains(": three;"), "{seen}");
    }
    for mut session in slow {
        let batch = session.try_next_batch().unwrap().unwrap();
        let texts = batch.messages().iter().map(|message| message.payload.0.as_str());
        let texts: Vec<&str> = texts.filter(|text| !text.starts_with('[')).collect();
        assert_eq!(texts, ["one", "three"]);
    }
    assert!(room.stats().room.balances());
    forwarding.abort();
}

/// Nothing is left for whoever waits for it: no wake-up finds anything.
#[tokio::test(start_paused = true)]
async fn c1_who_was_to_get_nothing_else_waits_on() {
    let (_hub, room) = open(1);
    let mut guest = room.join(Join::guest()).unwrap();
    let seq = say(&room, "one");
    let by_host = room.moderation(Actor::Host);
    let retracted = by_host.retract(Retraction::Sent(seq)).unwrap();
    assert_eq!((retracted.dropped, &retracted.seqs[..]), (0, &[seq][..]));
    let batch = guest.next_batch().await.unwrap();
    let texts: Vec<_> = batch.messages().iter().map(|message| &message.payload.0[..]).collect();
    assert_eq!(texts, [format!("[{seq:?}]")]);
    let waits = tokio::time::timeout(Duration::from_secs(5), guest.next_batch()).await;
    assert!(waits.is_err());
}

/// Nothing else is due to them: still they get it at once.
#[tokio::test(start_paused = true)]
async fn c4_whoever_joins_gets_first_what_is_pinned() {
    let (_hub, room) = open(2);
    let pump = room.pump(Lines, PumpOptions::default()).unwrap();
    let by_host = room.moderation(Actor::Host);
    for (id, text) in [(1, "one"), (2, "two")] {
        by_host.pin(PinId(id), Direct::new(Line(text.to_owned()))).unwrap();
    }
    assert_eq!(room.pinned(), [PinId(1), PinId(2)]);
    let (by_pump, by_forward) = (Seen::default(), Seen::default());
    let _pumped = pump.join(Join::guest(), Takes(Arc::clone(&by_pump))).unwrap();
    let guest = room.join(Join::guest()).unwrap();
    let sink = Box::pin(collects(&by_forward));
    let forwarding = tokio::spawn(forward(guest, sink, Lines, ForwardOptions::default()));
    a_moment().await;
    for seen in [&by_pump, &by_forward] {
        assert_eq!(*seen.lock().unwrap(), "pinned one;pinned two;");
    }
    say(&room, "three");
    a_moment().await;
    for seen in [&by_pump, &by_forward] {
        assert_eq!(*seen.lock().unwrap(), "pinned one;pinned two;1: three;");
    }
    assert_eq!(by_host.unpin(PinId(1)), Ok(true));
    assert!(room.stats().room.balances());
    forwarding.abort();
}
