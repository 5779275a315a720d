//! What a hub tells the log of its host (feature `tracing`).

use roomcast::core::Instant;
use roomcast::encode::Text;
use roomcast::observe::ObserveOptions;
use roomcast::pump::PumpOptions;
use roomcast::session::ForwardOptions;
use roomcast::{
    Actor, Clock, Direct, Hub, Join, Priority, Publish, Recipient, Room, RoomConfig, RoomId,
    Source, Subscription, Transport, UserId, forward,
};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::sleep;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Level, Metadata, Subscriber};

type Word = &'static str;

/// One event, with its fields in words.
#[derive(Clone, Debug)]
struct Event {
    level: Level,
    fields: BTreeMap<&'static str, String>,
}

impl Event {
    fn says(&self) -> &str {
        &self.fields["message"]
    }

    fn number(&self, field: &str) -> u64 {
        self.fields[field].parse().unwrap()
    }
}

impl Visit for Event {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }
}

/// A subscriber that keeps what this crate says.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Event>>>);

impl Log {
    fn install(&self) -> DefaultGuard {
        tracing::subscriber::set_default(self.clone())
    }

    fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// What was said, without what is for debugging.
    fn take_said(&self) -> Vec<(Level, String)> {
        let events = self.take().into_iter().filter(|event| event.level < Level::DEBUG);
        events.map(|event| (event.level, event.says().to_owned())).collect()
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "roomcast"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut kept = Event { level: *event.metadata().level(), fields: BTreeMap::new() };
        event.record(&mut kept);
        self.0.lock().unwrap().push(kept);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn observed() -> Hub<Word> {
    Hub::<Word>::builder().workers(2).observe(ObserveOptions::default()).spawn()
}

/// Four a second, and a queue of eight.
fn config() -> RoomConfig {
    let builder = RoomConfig::builder(UserId(1)).rate(4).burst(4).queue_messages(8);
    builder.build().unwrap()
}

fn say(room: &Room<Word>, messages: usize) {
    for _ in 0..messages {
        let publish = Publish::new(Source::Host, "hello").priority(Priority::Low);
        let _ = room.try_publish(publish);
    }
}

fn lost(room: &Room<Word>) -> u64 {
    let ledger = room.stats().room.admission.ledger.total();
    ledger.refused.total() + ledger.dropped.total()
}

/// A storm of a minute, with pauses that are shorter than it takes to count as calm.
#[tokio::test(start_paused = true)]
async fn a_room_tells_when_it_starts_and_stops_to_shed() {
    let log = Log::default();
    let _installed = log.install();
    let hub = observed();
    let [hot, calm] = [1, 2].map(|id| hub.open_room(RoomId(id), &config()).unwrap());
    log.take();
    // Between two looks.
    sleep(Duration::from_millis(500)).await;
    for second in 0..60 {
        say(&hot, if second % 9 == 0 { 40 } else { 1 });
        say(&calm, 4);
        sleep(Duration::from_secs(1)).await;
    }
    let events = log.take();
    assert_eq!(events.len(), 1, "{events:?}");
    let started = &events[0];
    assert_eq!((started.level, started.says()), (Level::WARN, "a room sheds messages"));
    assert_eq!(started.number("room"), 1);
    assert_eq!(started.number("refused") + started.number("dropped"), 40 - 4 - 8);
    assert_eq!(started.fields["mostly"], "queue_full");
    // The last that was lost expired in the 57th second.
    sleep(Duration::from_secs(6)).await;
    assert!(log.take().is_empty());
    sleep(Duration::from_secs(2)).await;
    let events = log.take();
    assert_eq!(events.len(), 1, "{events:?}");
    let stopped = &events[0];
    assert_eq!((stopped.level, stopped.says()), (Level::INFO, "a room sheds no more"));
    assert_eq!(stopped.number("refused") + stopped.number("dropped"), lost(&hot));
    assert_eq!((stopped.number("room"), stopped.number("lasted_ms")), (1, 56_000));
    sleep(Duration::from_secs(100)).await;
    assert!(log.take().is_empty());
    assert_eq!(lost(&calm), 0);
}

#[tokio::test(start_paused = true)]
async fn a_room_that_goes_while_it_sheds_has_stopped() {
    let log = Log::default();
    let _installed = log.install();
    let hub = observed();
    let room = hub.open_room(RoomId(1), &config()).unwrap();
    say(&room, 40);
    sleep(Duration::from_secs(2)).await;
    say(&room, 40);
    room.close(Actor::Host).unwrap();
    // What waited was dropped because the room closed, which is no shedding.
    let shed = lost(&room) - 8;
    drop(room);
    sleep(Duration::from_secs(2)).await;
    let events = log.take();
    let said: Vec<_> = events.iter().map(Event::says).collect();
    let said_of_it =
        ["a room is opened", "a room sheds messages", "a room has ended", "a room sheds no more"];
    assert_eq!(said, said_of_it);
    assert_eq!(events[3].number("refused") + events[3].number("dropped"), shed);
}

#[tokio::test(start_paused = true)]
async fn what_ends_is_told() {
    let log = Log::default();
    let _installed = log.install();
    let hub = Hub::<Word>::builder().workers(2).spawn();
    let rooms = [1, 2].map(|id| hub.open_room(RoomId(id), &config()).unwrap());
    say(&rooms[0], 4);
    let report = hub.drain(Duration::from_secs(5)).await;
    let events = log.take();
    let said: Vec<_> = events.iter().map(Event::says).collect();
    let drained = ["a room has ended"; 2];
    let opened = ["a room is opened"; 2];
    assert_eq!(said, [&opened[..], &["a drain begins"], &drained, &["a drain ends"]].concat());
    assert_eq!(events[2].number("rooms"), 2);
    assert_eq!(events[5].number("dispatched"), report.dispatched);
}

/// Panics of the host's code are told, but no flood of them.
#[tokio::test(start_paused = true)]
async fn panics_are_told_ever_more_seldom() {
    let log = Log::default();
    let _installed = log.install();
    let hub = Hub::<Word>::builder().workers(1).on_event(|_, event| panic!("{event:?}")).spawn();
    for id in 0..100 {
        hub.open_room(RoomId(id), &config()).unwrap().close(Actor::Host).unwrap();
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(hub.caught_panics(), 200);
    let events = log.take();
    let panics: Vec<_> = events.iter().filter(|event| event.level == Level::ERROR).collect();
    let counts: Vec<_> = panics.iter().map(|event| event.number("panics")).collect();
    assert_eq!(counts, [1, 2, 4, 8, 16, 32, 64, 128]);
    assert_eq!(panics[0].says(), "code of the host's has panicked");
    assert_eq!(panics[0].fields["text"], "RoomClosed");
}

/// A clock that a test sets.
#[derive(Clone)]
struct Hands(Arc<AtomicU64>);

impl Clock for Hands {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_astray_is_told() {
    let log = Log::default();
    let _installed = log.install();
    let hands = Hands(Arc::new(AtomicU64::new(1_000_000_000)));
    let hub = Hub::<Word>::builder().workers(1).clock(hands.clone()).spawn();
    hub.now();
    hands.0.store(10 * 3_600 * 1_000_000_000, Ordering::Relaxed);
    (0..20).for_each(|_| _ = hub.now());
    let events = log.take();
    let cut: Vec<_> = events.iter().map(|event| event.number("steps_cut")).collect();
    assert_eq!((cut.as_slice(), hub.clock_steps_cut()), (&[1, 2, 4, 8][..], 9));
    assert_eq!((events[0].level, events[0].says()), (Level::WARN, "the clock was too far ahead"));
    assert_eq!(events[0].number("ahead_ms"), 9 * 3_600_000 - 1_000);
}

#[tokio::test(start_paused = true)]
async fn memory_that_is_short_is_told() {
    let log = Log::default();
    let _installed = log.install();
    let hub = Hub::<String>::builder().workers(1).memory_limit(100_000);
    let hub = hub.observe(ObserveOptions::default()).spawn();
    let room = hub.open_room(RoomId(1), &RoomConfig::default()).unwrap();
    let mut guest = room.join(Join::guest()).unwrap();
    log.take();
    let to = Recipient::Session(guest.session());
    (0..60).for_each(|_| _ = room.send_direct(to, Direct::new("x".repeat(1_000))).unwrap());
    sleep(Duration::from_secs(5)).await;
    assert_eq!(log.take_said(), [(Level::WARN, "memory is tight".to_owned())]);
    while let Ok(Some(_)) = guest.try_next_batch() {}
    // The worker looks after the room, and finds that it holds less.
    let _ = room.try_publish(Publish::new(Source::Host, String::new())).unwrap();
    sleep(Duration::from_secs(5)).await;
    assert_eq!(log.take_said(), [(Level::INFO, "memory is free again".to_owned())]);
}

/// A connection that takes nothing, or is broken.
struct Wire(io::ErrorKind);

impl Transport for Wire {
    fn try_write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn poll_writable(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_pump_tells_why_it_lets_connections_go() {
    let log = Log::default();
    let _installed = log.install();
    let hub = Hub::<String>::builder().workers(1).spawn();
    let room = hub.open_room(RoomId(1), &RoomConfig::fan_out()).unwrap();
    let pump = room.pump::<Wire, _>(Text, PumpOptions::default()).unwrap();
    let wires = [io::ErrorKind::BrokenPipe, io::ErrorKind::WouldBlock];
    let peers = wires.map(|kind| pump.join(Join::guest(), Wire(kind)).unwrap());
    log.take();
    let _ = room.try_publish(Publish::new(Source::Host, "hello".to_owned())).unwrap();
    sleep(Duration::from_secs(100)).await;
    let events = log.take();
    let reasons: Vec<_> = events.iter().map(|event| event.fields["reason"].as_str()).collect();
    assert_eq!(reasons, ["failed", "stalled"]);
    for (event, peer) in events.iter().zip(&peers) {
        assert_eq!((event.level, event.says()), (Level::DEBUG, "a pump lets a connection go"));
        assert_eq!(event.number("room"), 1);
        assert_eq!(event.fields["session"], peer.session().to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn a_forward_tells_why_it_has_ended() {
    let log = Log::default();
    let _installed = log.install();
    let hub = Hub::<String>::builder().workers(1).spawn();
    let room = hub.open_room(RoomId(1), &RoomConfig::fan_out()).unwrap();
    log.take();
    let guests = [0; 2].map(|_| room.join(Join::guest()).unwrap());
    let (sessions, options) =
        (guests.each_ref().map(Subscription::session), ForwardOptions::default());
    let [first, second] = guests;
    let broken = futures_util::sink::unfold((), |(), _: String| async { Err::<(), _>("broken") });
    let first = forward(first, Box::pin(broken), Text, options);
    let second = forward(second, futures_util::sink::drain::<String>(), Text, options);
    let _ = room.try_publish(Publish::new(Source::Host, "hello".to_owned())).unwrap();
    let close = async {
        sleep(Duration::from_secs(1)).await;
        room.close(Actor::Host).unwrap();
    };
    tokio::join!(first, second, close);
    let events = log.take().into_iter();
    let events: Vec<_> = events.filter(|event| event.says() == "a forward has ended").collect();
    for ((event, session), said) in
        events.iter().zip(sessions).zip([("failed", 0, 1), ("the session ended", 1, 0)])
    {
        let fields = &event.fields;
        let told = (&*fields["reason"], event.number("messages"), event.number("unsent"));
        assert_eq!((told, &fields["session"]), (said, &session.to_string()));
    }
    assert_eq!(events.len(), 2);
}

/// A hub outlives the runtime that drove it.
#[test]
fn a_worker_that_ends_with_its_runtime_is_told() {
    let log = Log::default();
    let _installed = log.install();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let hub = runtime.block_on(async { Hub::<Word>::builder().workers(1).spawn() });
    let rooms = [1, 2].map(|id| hub.open_room(RoomId(id), &config()).unwrap());
    let _peers = runtime.block_on(async {
        let pump = rooms[1].pump::<Wire, _>(Text, PumpOptions::default()).unwrap();
        let join = |_| pump.join(Join::guest(), Wire(io::ErrorKind::WouldBlock)).unwrap();
        let peers = [0; 3].map(join);
        tokio::task::yield_now().await;
        peers
    });
    drop(runtime);
    let events = log.take();
    let ended = events.iter().find(|event| event.fields.contains_key("connections"));
    let ended = ended.expect("the pump has ended");
    assert_eq!((ended.number("room"), ended.number("connections")), (2, 3));
    assert_eq!(
        (ended.level, ended.says()),
        (Level::WARN, "a pump's task has ended with connections")
    );
    let errors: Vec<_> = events.iter().filter(|event| event.level == Level::ERROR).collect();
    assert_eq!(errors.len(), 1, "{events:?}");
    assert_eq!(errors[0].says(), "a worker has ended with its runtime or thread; its rooms close");
    assert_eq!(errors[0].number("rooms"), rooms.len() as u64);
}
