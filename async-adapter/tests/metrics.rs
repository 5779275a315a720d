//! What a hub tells the recorder that its host has installed (feature `metrics`).
// What is counted is whole, and never below zero.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]

use metrics::Unit;
use metrics_util::MetricKind as Kind;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use roomcast::encode::Text;
use roomcast::observe::{METRICS, MetricKind, ObserveOptions};
use roomcast::pump::PumpOptions;
use roomcast::stats::{Deliveries, DropReason, Reason, RefusalReason, RoomStats, Skips};
use roomcast::{
    Actor, Direct, GapCause, Hub, HubBuilder, Join, PerLevel, Priority, Publish, Recipient, Room,
    RoomConfig, Source, Subscription, Transport, UserId,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::sleep;

type Word = &'static str;

/// A metric, and the values of its labels.
type Series = (String, Vec<(String, String)>);

/// What a recorder was told in all.
struct Told {
    snapshotter: Snapshotter,
    values: BTreeMap<Series, f64>,
}

impl Told {
    fn new(recorder: &DebuggingRecorder) -> Self {
        Self { snapshotter: recorder.snapshotter(), values: BTreeMap::new() }
    }

    /// Adds what came since to the counters; gauges are as they were told last.
    fn take(&mut self) {
        for (key, _, _, value) in self.snapshotter.snapshot().into_vec() {
            let labels = key.key().labels();
            let labels = labels.map(|label| (label.key().to_owned(), label.value().to_owned()));
            let value_now = self.values.entry((key.key().name().to_owned(), labels.collect()));
            match value {
                DebugValue::Counter(more) => *value_now.or_default() += more as f64,
                DebugValue::Gauge(now) => *value_now.or_default() = now.0,
                DebugValue::Histogram(_) => panic!("there are no histograms"),
            }
        }
    }

    fn get(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let labels = labels.iter().map(|&(key, value)| (key.to_owned(), value.to_owned()));
        let series = (format!("roomcast_{name}"), labels.collect());
        let value = self.values.get(&series).unwrap_or_else(|| panic!("there is no {series:?}"));
        *value as u64
    }
}

fn observed() -> HubBuilder<Word> {
    Hub::<Word>::builder().workers(2).observe(ObserveOptions::default())
}

/// Four a second, a queue of eight, and a log of four.
fn config() -> RoomConfig {
    RoomConfig::builder(UserId(1))
        .rate(4)
        .burst(4)
        .queue_messages(8)
        .log_messages(PerLevel([4; 4]))
        .build()
        .unwrap()
}

fn say(room: &Room<Word>, priority: Priority) {
    let _ = room.try_publish(Publish::new(Source::Host, "hello").priority(priority));
}

/// Takes all that is due.
fn read(guest: &mut Subscription<Word>) {
    while let Ok(Some(_)) = guest.try_next_batch() {}
}

#[tokio::test(start_paused = true)]
async fn every_metric_is_told_as_the_list_has_it() {
    let recorder = DebuggingRecorder::new();
    let _installed = metrics::set_default_local_recorder(&recorder);
    let mut told = Told::new(&recorder);
    let mut options = ObserveOptions::default();
    options.hub = Some("chat".into());
    let hub = Hub::<Word>::builder().observe(options).spawn();
    assert!(hub.observe_now());
    let mut names = BTreeSet::new();
    for (key, unit, description, _) in told.snapshotter.snapshot().into_vec() {
        let name = key.key().name().to_owned();
        let metric = METRICS.iter().find(|metric| metric.name == name);
        let metric = metric.unwrap_or_else(|| panic!("{name} is not in the list"));
        let kind = if metric.kind == MetricKind::Counter { Kind::Counter } else { Kind::Gauge };
        assert_eq!(key.kind(), kind, "{name}");
        let of_bytes = metric.unit == "bytes";
        assert_eq!(unit, Some(if of_bytes { Unit::Bytes } else { Unit::Count }), "{name}");
        let meaning = format!("{}: {}", metric.unit, metric.meaning);
        assert_eq!(&*description.unwrap(), meaning);
        let labels: Vec<_> = key.key().labels().map(metrics::Label::key).collect();
        assert_eq!(labels, [metric.labels, &["hub"]].concat(), "{name}");
        names.insert(name);
    }
    assert_eq!(names.len(), METRICS.len(), "some are never told");
    // Each reason and cause at each level, and nothing that grows with rooms or users.
    let series = |told: &mut Told| {
        told.take();
        told.values.len()
    };
    let first = series(&mut told);
    let room = hub.open_room("stream-42", &config()).unwrap();
    let _ann = room.join("ann").unwrap();
    assert!(hub.observe_now());
    assert_eq!(series(&mut told), first);
    let pairs = RefusalReason::ALL.len() + DropReason::ALL.len() + GapCause::ALL.len();
    assert!(first > 4 * pairs && first < 4 * pairs + 4 * METRICS.len(), "{first}");
}

/// Of some rooms, the sum of a count.
fn sum(stats: &[RoomStats], count: impl Fn(&RoomStats) -> u64) -> u64 {
    stats.iter().map(count).sum()
}

/// Whether each series is the sum over the rooms.
fn assert_told(told: &mut Told, stats: &[RoomStats]) {
    told.take();
    for level in Priority::ALL {
        let levels = [("level", level.name())];
        let ledger = |stats: &RoomStats| stats.room.admission.ledger.levels[level];
        let submitted = told.get("messages_submitted_total", &levels);
        assert_eq!(submitted, sum(stats, |stats| stats.submitted(level)));
        let dispatched = told.get("messages_dispatched_total", &levels);
        assert_eq!(dispatched, sum(stats, |stats| stats.dispatched(level)));
        assert_eq!(
            told.get("messages_merged_total", &levels),
            sum(stats, |stats| ledger(stats).merged)
        );
        assert_eq!(told.get("messages_queued", &levels), sum(stats, |stats| stats.queued(level)));
        for &reason in RefusalReason::ALL {
            let refused = [("level", level.name()), ("reason", reason.name())];
            let refused = told.get("messages_refused_total", &refused);
            assert_eq!(refused, sum(stats, |stats| stats.refused(level, reason)), "{reason}");
        }
        for &reason in DropReason::ALL {
            let dropped = [("level", level.name()), ("reason", reason.name())];
            let dropped = told.get("messages_dropped_total", &dropped);
            assert_eq!(dropped, sum(stats, |stats| stats.dropped(level, reason)), "{reason}");
        }
        for cause in GapCause::ALL {
            let skipped = [("level", level.name()), ("cause", cause.name())];
            let skips = |stats: &RoomStats| -> Skips { stats.room.audience.skips[level] };
            let skipped = told.get("deliveries_skipped_total", &skipped);
            assert_eq!(skipped, sum(stats, |stats| skips(stats).of(cause)), "{cause}");
        }
        let deliveries = |stats: &RoomStats| stats.deliveries(level);
        let of = |name: &str| told.get(name, &levels);
        assert_eq!(of("deliveries_due_total"), sum(stats, |stats| deliveries(stats).due));
        assert_eq!(
            of("deliveries_delivered_total"),
            sum(stats, |stats| deliveries(stats).delivered)
        );
        assert_eq!(of("deliveries_excluded_total"), sum(stats, |stats| deliveries(stats).excluded));
        assert_eq!(
            of("deliveries_abandoned_total"),
            sum(stats, |stats| deliveries(stats).abandoned)
        );
        assert_eq!(of("deliveries_pending"), sum(stats, |stats| deliveries(stats).pending));
        let directs = |stats: &RoomStats| stats.room.audience.directs[level];
        assert_eq!(of("directs_sent_total"), sum(stats, |stats| directs(stats).sent));
        assert_eq!(of("directs_delivered_total"), sum(stats, |stats| directs(stats).delivered));
        assert_eq!(of("directs_pending"), sum(stats, |stats| directs(stats).pending));
    }
    assert_eq!(told.get("sessions", &[]), sum(stats, |stats| stats.sessions().into()));
    assert_eq!(told.get("users_online", &[]), sum(stats, |stats| stats.users_online().into()));
    assert_eq!(told.get("held_bytes", &[]), sum(stats, |stats| stats.room.bytes().total()));
    assert_eq!(told.get("unsent_total", &[]), sum(stats, |stats| stats.unsent));
}

#[tokio::test(start_paused = true)]
async fn counts_are_those_of_the_books() {
    let recorder = DebuggingRecorder::new();
    let _installed = metrics::set_default_local_recorder(&recorder);
    let mut told = Told::new(&recorder);
    let hub = observed().spawn();
    let rooms = ["red", "green"].map(|name| hub.open_room(name, &config()).unwrap());
    let [red, _] = &rooms;
    let mut guests: Vec<_> =
        rooms.iter().flat_map(|room| [0; 3].map(|_| room.join(Join::guest()).unwrap())).collect();
    let ann = red.join("ann").unwrap();
    let mut leaver = Some(red.join(Join::guest()).unwrap());
    let direct = |text| red.send_direct(Recipient::Session(guests[0].session()), Direct::new(text));
    let sent = [direct("first"), direct("second")];
    assert!(sent.iter().all(Result::is_ok));
    for round in 0..8 {
        for (room, messages) in rooms.iter().zip([20, 3]) {
            for number in 0..messages {
                say(room, Priority::ALL[number % 4]);
            }
        }
        let own = Publish::new(Source::Session(ann.session()), "mine").priority(Priority::High);
        let _ = red.try_publish(own);
        sleep(Duration::from_secs(1)).await;
        // One leaves with all that it was due.
        drop(leaver.take());
        // The second of each room is too slow, and the third never reads.
        for guest in guests.iter_mut().step_by(3) {
            read(guest);
        }
        if round % 4 == 3 {
            read(&mut guests[1]);
        }
        assert!(hub.observe_now());
        let stats = rooms.each_ref().map(Room::stats);
        assert_told(&mut told, &stats);
    }
    let stats = rooms.each_ref().map(Room::stats);
    // There is something of each kind.
    let kinds: [fn(Deliveries) -> u64; 3] =
        [|row| row.excluded, |row| row.abandoned, |row| row.pending];
    for kind in kinds {
        let count = |stats: &RoomStats| kind(stats.deliveries(Priority::High));
        assert!(
            sum(&stats, count) > 0,
            "{:?}",
            stats.map(|stats| stats.deliveries(Priority::High))
        );
    }
    assert!(sum(&stats, |stats| stats.dropped(Priority::Lowest, DropReason::Evicted)) > 0);
    let skipped = |stats: &RoomStats| stats.deliveries(Priority::High).skipped;
    assert!(sum(&stats, skipped) > 0, "{:?}", stats.map(|stats| stats.deliveries(Priority::High)));
    assert_eq!((told.get("rooms", &[]), told.get("rooms_opened_total", &[])), (2, 2));
}

/// A room that is removed counts for as long as somebody has it; and what it has counted stays.
#[tokio::test(start_paused = true)]
async fn what_rooms_counted_that_are_gone_stays() {
    let recorder = DebuggingRecorder::new();
    let _installed = metrics::set_default_local_recorder(&recorder);
    let mut told = Told::new(&recorder);
    let hub = observed().spawn();
    let opened = |hub: &Hub<Word>| hub.open_room("stream-42", &RoomConfig::default()).unwrap();
    let dispatched = |told: &mut Told| {
        told.take();
        told.get("messages_dispatched_total", &[("level", "normal")])
    };
    let rooms = |told: &Told| told.get("rooms", &[]);

    // Made and gone between two looks.
    let room = opened(&hub);
    say(&room, Priority::Normal);
    room.close(Actor::Host).unwrap();
    drop(room);
    sleep(Duration::from_millis(10)).await;
    assert!(hub.rooms().is_empty());
    assert!(hub.observe_now());
    assert_eq!((dispatched(&mut told), rooms(&told)), (1, 0));

    let room = opened(&hub);
    say(&room, Priority::Normal);
    assert!(hub.observe_now());
    assert_eq!((dispatched(&mut told), rooms(&told)), (2, 1));
    // Removed, and still in use.
    let guest = room.join(Join::guest()).unwrap();
    hub.remove_room("stream-42").unwrap();
    for number in 3..6 {
        say(&room, Priority::Normal);
        assert!(hub.observe_now());
        let sessions = told.get("sessions", &[]);
        assert_eq!(
            (dispatched(&mut told), rooms(&told), sessions),
            (number, 0, (number > 3).into())
        );
    }
    say(&room, Priority::Normal);
    drop((room, guest));
    sleep(Duration::from_secs(5)).await;
    for _ in 0..3 {
        assert!(hub.observe_now());
        assert_eq!(dispatched(&mut told), 6);
    }
    assert_eq!((told.get("sessions", &[]), told.get("rooms_opened_total", &[])), (0, 2));
    // More rooms than one turn looks at.
    let many: Vec<_> =
        (0..1_000).map(|id| hub.open_room(roomcast::RoomId(id), &config()).unwrap()).collect();
    for room in &many {
        say(room, Priority::Normal);
    }
    sleep(Duration::from_secs(3)).await;
    assert_eq!((dispatched(&mut told), rooms(&told)), (1_006, 1_000));
}

/// By the hub's clock, and no more often than is asked for.
#[tokio::test(start_paused = true)]
async fn a_hub_looks_by_itself() {
    let recorder = DebuggingRecorder::new();
    let _installed = metrics::set_default_local_recorder(&recorder);
    let mut told = Told::new(&recorder);
    let mut options = ObserveOptions::default();
    options.every = Duration::from_secs(5);
    let hub = Hub::<Word>::builder().workers(2).observe(options).spawn();
    let room = hub.open_room("stream-42", &RoomConfig::default()).unwrap();
    let mut seen = Vec::new();
    sleep(Duration::from_millis(500)).await;
    for _ in 0..12 {
        say(&room, Priority::Normal);
        sleep(Duration::from_secs(1)).await;
        told.take();
        let key = ("roomcast_messages_submitted_total", "normal");
        let of = |series: &Series| series.0 == key.0 && series.1[0].1 == key.1;
        seen.push(
            told.values.iter().find(|(series, _)| of(series)).map(|(_, &count)| count as u64),
        );
    }
    let none = [None; 4];
    let five = [Some(5); 5];
    let ten = [Some(10); 3];
    assert_eq!(seen, [&none[..], &five[..], &ten[..]].concat());
    assert!(!Hub::<Word>::builder().spawn().observe_now(), "nobody asked for it");
}

/// In a storm, and again when it is over.
#[tokio::test(start_paused = true)]
async fn rooms_that_shed_are_counted() {
    let recorder = DebuggingRecorder::new();
    let _installed = metrics::set_default_local_recorder(&recorder);
    let mut told = Told::new(&recorder);
    let hub = observed().spawn();
    let room = hub.open_room("hot", &config()).unwrap();
    let calm = hub.open_room("calm", &config()).unwrap();
    let now = |told: &mut Told| {
        told.take();
        (told.get("rooms_shedding", &[]), told.get("shedding_started_total", &[]))
    };
    for storm in 1..=2 {
        for _ in 0..20 {
            (0..40).for_each(|_| say(&room, Priority::Low));
            say(&calm, Priority::Low);
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(now(&mut told), (1, storm));
        sleep(Duration::from_secs(60)).await;
        assert_eq!(now(&mut told), (0, storm));
    }
}

/// A connection that takes all.
struct Wire;

impl Transport for Wire {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn poll_writable(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn pumps_are_counted_also_when_they_are_gone() {
    let recorder = DebuggingRecorder::new();
    let _installed = metrics::set_default_local_recorder(&recorder);
    let mut told = Told::new(&recorder);
    let hub = Hub::<String>::builder().workers(1).observe(ObserveOptions::default()).spawn();
    let room = hub.open_room("stream-42", &RoomConfig::fan_out()).unwrap();
    let now = |told: &mut Told| {
        assert!(hub.observe_now());
        told.take();
        ["connections", "messages_total", "encoded_total", "sent_bytes_total"]
            .map(|name| told.get(&format!("pump_{name}"), &[]))
    };
    assert_eq!(now(&mut told), [0; 4]);
    for (round, messages, encoded, bytes) in [(1, 5, 1, 25), (2, 10, 2, 50)] {
        let pump = room.pump::<Wire, _>(Text, PumpOptions::default()).unwrap();
        let peers = [0; 5].map(|_| pump.join(Join::guest(), Wire).unwrap());
        let say = |text: &str| room.try_publish(Publish::new(Source::Host, text.to_owned()));
        assert!(say("hello").is_ok());
        sleep(Duration::from_secs(1)).await;
        assert_eq!(now(&mut told), [5, messages, encoded, bytes], "{round}");
        drop(peers);
        drop(pump);
        sleep(Duration::from_secs(1)).await;
        for _ in 0..2 {
            assert_eq!(now(&mut told), [0, messages, encoded, bytes], "{round}");
        }
    }
}

/// A recorder that asks for a look whenever it is told something.
struct Asks {
    hub: std::sync::OnceLock<Hub<Word>>,
    answers: std::sync::Mutex<Vec<bool>>,
}

impl metrics::Recorder for Asks {
    fn describe_counter(&self, _: metrics::KeyName, _: Option<Unit>, _: metrics::SharedString) {}

    fn describe_gauge(&self, _: metrics::KeyName, _: Option<Unit>, _: metrics::SharedString) {}

    fn describe_histogram(&self, _: metrics::KeyName, _: Option<Unit>, _: metrics::SharedString) {}

    fn register_counter(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Counter {
        let answer = self.hub.get().map(Hub::observe_now);
        self.answers.lock().unwrap().extend(answer);
        metrics::Counter::noop()
    }

    fn register_gauge(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Gauge {
        panic!("as wanted")
    }

    fn register_histogram(
        &self,
        _: &metrics::Key,
        _: &metrics::Metadata<'_>,
    ) -> metrics::Histogram {
        metrics::Histogram::noop()
    }
}

/// Neither one that calls the hub nor one that panics does any harm.
#[tokio::test(start_paused = true)]
async fn a_recorder_is_foreign_code() {
    let asks = Asks { hub: std::sync::OnceLock::new(), answers: std::sync::Mutex::default() };
    let installed = metrics::set_default_local_recorder(&asks);
    let hub = observed().spawn();
    asks.hub.set(hub.clone()).unwrap_or_else(|_| unreachable!("it is set once"));
    assert!(hub.observe_now());
    assert!(hub.caught_panics() > 0);
    let answers = std::mem::take(&mut *asks.answers.lock().unwrap());
    assert!(!answers.is_empty() && answers.iter().all(|answer| !answer));
    drop(installed);

    // Another one gets all that was not told.
    let recorder = DebuggingRecorder::new();
    let _installed = metrics::set_default_local_recorder(&recorder);
    let mut told = Told::new(&recorder);
    let room = hub.open_room("stream-42", &RoomConfig::default()).unwrap();
    say(&room, Priority::High);
    assert!(hub.observe_now());
    told.take();
    assert_eq!(told.get("messages_submitted_total", &[("level", "high")]), 1);
    assert_eq!(told.get("panics_caught_total", &[]), hub.caught_panics());
}
