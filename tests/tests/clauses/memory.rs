//! The memory that all rooms share: what gives way, and what is let in no more.

use super::scene::{ANN, BOB, OWNER, Scene};
use roomcast_core::data::DataError;
use roomcast_core::direct::DirectReason;
use roomcast_core::error::{JoinError, ProfileError};
use roomcast_core::ledger::{DropReason, RefusalReason};
use roomcast_core::message::{DedupKey, Limit};
use roomcast_core::time::Duration;
use roomcast_core::{
    Actor, Budget, Direct, Engine, GapCause, Instant, Item, Join, Memory, Outcome, PerLevel,
    Priority, Publish, Recipient, RoomConfig, RoomId, Source,
};

const TEN: &str = "ten bytes!";

/// A room that sends nothing for now; what is said waits.
fn crowded() -> Scene {
    let mut scene = Scene::busy(|builder| builder);
    scene.room.trim(u64::MAX, 0);
    for (level, texts) in [(Priority::High, 2), (Priority::Normal, 2), (Priority::Lowest, 2)] {
        for _ in 0..texts {
            assert!(scene.host(level, TEN).is_ok());
        }
    }
    scene
}

#[test]
fn b25_what_waits_gives_way_from_the_lowest() {
    let mut scene = crowded();
    assert_eq!(scene.room.bytes().queued, 60);
    // Half of a message is a whole one.
    let trimmed = scene.room.trim(15, 1_000);
    assert_eq!((trimmed.messages, trimmed.bytes), (2, 20));
    let queued = |scene: &Scene| scene.room.snapshot(scene.now).admission.queued.0;
    assert_eq!(queued(&scene), [2, 2, 0, 0]);
    scene.room.trim(30, 1_000);
    assert_eq!(queued(&scene), [1, 0, 0, 0], "High is last, and gives way all the same");
    let ledger = scene.room.snapshot(scene.now).admission.ledger;
    let dropped = ledger.levels.0.map(|row| row.dropped.count(DropReason::MemoryFull));
    assert_eq!((dropped, ledger.balances()), ([1, 2, 0, 2], true));
}

#[test]
fn b25_the_log_goes_before_what_waits() {
    let mut scene = Scene::with(|builder| builder.rate(2).burst(2));
    let reader = scene.guest();
    for text in ["first", "later"] {
        assert!(scene.host(Priority::Normal, text).is_ok());
    }
    assert!(scene.host(Priority::Lowest, TEN).is_ok());
    assert_eq!((scene.room.bytes().logged, scene.room.bytes().queued), (10, 10));
    scene.room.trim(6, 1_000);
    assert_eq!((scene.room.bytes().logged, scene.room.bytes().queued), (0, 10));
    let batch = scene.next(reader).unwrap().expect("a gap");
    let items: Vec<_> = batch.items().collect();
    let [Item::Gap { priority: Priority::Normal, count: 2, cause: GapCause::Overrun, .. }] =
        items[..]
    else {
        panic!("what was missed is told: {items:?}")
    };
    assert!(scene.room.snapshot(scene.now).balances());
}

#[test]
fn b25_the_log_of_high_goes_after_what_waits() {
    let mut scene = Scene::with(|builder| builder.rate(1).burst(1));
    assert!(scene.host(Priority::High, TEN).is_ok());
    assert!(scene.host(Priority::Normal, TEN).is_ok());
    scene.room.trim(1, 1_000);
    assert_eq!((scene.room.bytes().logged, scene.room.bytes().queued), (10, 0));
}

#[test]
fn b25_whose_message_gave_way_is_told() {
    let mut scene = Scene::busy(|builder| builder);
    let ann = scene.user(ANN);
    assert_eq!(scene.send(ann, Priority::Normal, TEN, 5), None);
    scene.room.trim(u64::MAX, 1_000);
    let outcome = Outcome::Dropped {
        reason: DropReason::MemoryFull,
        limit: Some(Limit::Memory { max: 1_000 }),
        retry_at: None,
    };
    assert_eq!(scene.outcomes(), [(5, outcome)]);
}

#[test]
fn b25_no_call_lets_more_than_4096_go() {
    let mut scene = Scene::busy(|builder| builder.queue_messages(10_000));
    for _ in 0..5_000 {
        assert!(scene.host(Priority::Low, TEN).is_ok());
    }
    assert_eq!(scene.room.trim(u64::MAX, 0).messages, 4_096);
    assert_eq!(scene.room.trim(u64::MAX, 0).messages, 905, "one was in the log");
    assert_eq!(scene.room.trim(u64::MAX, 0).messages, 0);
}

#[test]
fn b25_a_full_memory_lets_only_high_in() {
    let mut scene = Scene::new();
    let (ann, limit) = (scene.user(ANN), 1_000);
    scene.room.set_memory(Memory::Full { limit });
    for level in [Priority::Normal, Priority::Low, Priority::Lowest] {
        let refused = scene.host(level, TEN).unwrap_err();
        assert_eq!(
            (refused.reason, refused.limit, refused.retry_at, &*refused.payload),
            (RefusalReason::MemoryFull, Some(Limit::Memory { max: limit }), None, TEN)
        );
    }
    assert!(scene.host(Priority::High, TEN).is_ok());
    let high = Publish::new(Source::Session(ann), TEN.into()).priority(Priority::High);
    assert!(scene.publish(high.dedup_key(DedupKey(7))).is_ok(), "with a key as well");
    // Who is in may be dealt with, and whoever comes without a profile is let in.
    scene.user(BOB);
    scene.room.mute(scene.now, Actor::Host, &[ANN], None).unwrap();
    scene.room.kick(scene.now, Actor::Host, &[ANN]).unwrap();
    assert_eq!(scene.room.leave(scene.now, BOB), Ok(()));
    assert_eq!(scene.room.memory_refusals(), 3);
}

/// Whoever would be kept has to be kept out, while messages that give way are let in.
#[test]
fn b25_what_never_gives_way_is_kept_out() {
    let mut scene = Scene::new();
    let (ann, limit) = (scene.user(ANN), 1_000);
    scene.room.set_profile(ANN, Some("Ann".into())).unwrap();
    scene.room.write_attributes(scene.now, None, &[("topic", Some(b"cats"))]).unwrap();
    scene.room.set_memory(Memory::Tight { limit });
    assert!(scene.say(ann, TEN).is_ok());
    let keyed = Publish::new(Source::Session(ann), TEN.into()).dedup_key(DedupKey(1));
    assert_eq!(scene.publish(keyed).unwrap_err().reason, RefusalReason::MemoryFull);
    let again = scene.room.set_profile(ANN, Some("Anna".into()));
    let Err(ProfileError::MemoryFull { profile, .. }) = again else { panic!("{again:?}") };
    assert_eq!(profile, "Anna");
    let changes: &[(&str, Option<&[u8]>)] = &[("topic", Some(b"dogs"))];
    assert_eq!(
        scene.room.write_attributes(scene.now, None, changes),
        Err(DataError::MemoryFull { limit })
    );
    let join = Join::user(BOB).profile("Bob".into());
    assert_eq!(scene.room.join(scene.now, join), Err(JoinError::MemoryFull { limit }));
    let direct = |level| Direct::new(String::from(TEN)).priority(level);
    let to = Recipient::User(ANN);
    let refused = scene.room.send_direct(scene.now, to, direct(Priority::Normal)).unwrap_err();
    assert_eq!(refused.reason, DirectReason::MemoryFull { limit: Limit::Memory { max: limit } });
    assert!(scene.room.send_direct(scene.now, to, direct(Priority::High)).is_ok());
    // What is there can be taken away.
    scene.room.set_profile(ANN, None).unwrap();
    scene.room.write_attributes(scene.now, None, &[("topic", None)]).unwrap();
    let bytes = scene.room.bytes();
    assert_eq!((bytes.profiles, bytes.data, bytes.directs), (0, 0, 10));
}

const NOW: Instant = Instant::from_secs(100);

fn engine(limit: u64, rooms: u64) -> Engine<String> {
    let mut engine = Engine::new(100, 0).memory_limit(limit);
    let config = RoomConfig::builder(OWNER).build().expect("a valid configuration");
    (0..rooms).for_each(|id| engine.create_room(RoomId(id), &config).expect("a new room"));
    engine
}

fn publish(engine: &mut Engine<String>, room: u64, level: Priority, size: usize) -> bool {
    let publish = Publish::new(Source::Host, "x".repeat(size)).priority(level);
    engine.room_mut(RoomId(room)).expect("there is one").publish(NOW, publish).is_ok()
}

fn held(engine: &Engine<String>) -> Vec<u64> {
    let ids = (0..engine.len()).map(|id| RoomId(id.into()));
    ids.map(|id| engine.room(id).expect("there is one").bytes().total()).collect()
}

#[test]
fn b25_the_biggest_room_gives_way() {
    let mut engine = engine(100, 3);
    for (room, size) in [(0, 30), (1, 20), (1, 20), (2, 30)] {
        assert!(publish(&mut engine, room, Priority::Normal, size));
    }
    assert_eq!(held(&engine), [30, 40, 30]);
    assert!(publish(&mut engine, 2, Priority::Normal, 5));
    assert_eq!(held(&engine), [30, 20, 35], "the biggest, and not who is called");
    assert!(publish(&mut engine, 0, Priority::Normal, 20));
    assert_eq!(held(&engine), [20, 20, 35], "the oldest goes");
    assert!(publish(&mut engine, 1, Priority::Normal, 15));
    assert!(publish(&mut engine, 0, Priority::Normal, 15));
    assert_eq!(held(&engine), [15, 35, 35], "of equally big ones the lowest");
    let uses = engine.memory().expect("there is a limit");
    assert_eq!((uses.held, uses.trimmed_messages, uses.trimmed_bytes), (85, 3, 70));
    engine.remove_room(NOW, RoomId(1)).unwrap();
    assert_eq!(engine.memory().map(|uses| uses.held), Some(50));
}

/// The room that holds most has little but High: that stays while others have anything else.
#[test]
fn b25_high_goes_after_all_else_of_all_rooms() {
    let mut engine = engine(100, 2);
    for (room, level) in [(0, Priority::High), (0, Priority::Low), (1, Priority::Normal)] {
        assert!(publish(&mut engine, room, level, if room == 0 { 40 } else { 20 }));
    }
    assert_eq!(held(&engine), [80, 20]);
    assert!(publish(&mut engine, 1, Priority::High, 60));
    assert_eq!(held(&engine), [40, 60], "of both rooms nothing but High is left");
    assert!(publish(&mut engine, 0, Priority::High, 10));
    assert_eq!(held(&engine), [50, 0], "and then the biggest gives way");
}

/// A room that holds much and cannot give way is no reason to trim nobody.
#[test]
fn b25_who_cannot_give_way_is_passed_over() {
    let mut engine = engine(100, 2);
    engine.room_mut(RoomId(0)).unwrap().join(NOW, Join::user(ANN)).unwrap();
    engine.room_mut(RoomId(0)).unwrap().set_profile(ANN, Some("x".repeat(60))).unwrap();
    for _ in 0..9 {
        assert!(publish(&mut engine, 1, Priority::Low, 10));
    }
    assert_eq!(held(&engine), [60, 40]);
    // More than half does not give way: no more of that.
    let profile = engine.room_mut(RoomId(0)).unwrap().set_profile(ANN, Some("Ann".into()));
    assert!(matches!(profile, Err(ProfileError::MemoryFull { limit: 100, .. })));
    engine.room_mut(RoomId(0)).unwrap().set_profile(ANN, None).unwrap();
    engine.room_mut(RoomId(0)).unwrap().set_profile(ANN, Some("Ann".into())).unwrap();
}

/// A limit that comes when far more is held takes several calls; until then only High is let in.
#[test]
fn b25_above_110_percent_only_high_is_let_in() {
    let config = RoomConfig::builder(OWNER).rate(1).burst(1).queue_messages(20_000);
    let config = config.build().expect("a valid configuration");
    let mut engine = Engine::new(10, 0);
    engine.create_room(RoomId(0), &config).unwrap();
    for _ in 0..10_001 {
        assert!(publish(&mut engine, 0, Priority::Low, 10));
    }
    assert_eq!((engine.memory(), held(&engine)[0]), (None, 100_010));
    let mut engine = engine.memory_limit(10_000);
    assert_eq!(engine.poll_timeout(), Some(Instant::ZERO), "at once");
    assert!(!publish(&mut engine, 0, Priority::Normal, 10));
    assert!(publish(&mut engine, 0, Priority::High, 10));
    assert_eq!(engine.memory().map(|uses| uses.refused), Some(1));
    engine.handle_timeout(NOW);
    assert_eq!(held(&engine), [10_000]);
    assert!(publish(&mut engine, 0, Priority::Normal, 10));
    assert!(engine.poll_timeout() > Some(NOW), "there is nothing left to do at once");
    let books = engine.snapshot(NOW, RoomId(0)).unwrap();
    assert!(books.balances() && books.admission.queued[Priority::High] == 1);
}

/// What had become too old before it gave way was missed for its age, though nobody had called the
/// audience since.
#[test]
fn b25_what_was_stale_before_goes_by_age() {
    let within = Duration::from_secs(2);
    let mut scene = Scene::with(|builder| builder.deliver_within(PerLevel([Some(within); 4])));
    let reader = scene.guest();
    assert!(scene.host(Priority::Normal, TEN).is_ok());
    scene.now = scene.now + within;
    // The time moves on in the admission alone.
    scene.room.mute(scene.now, Actor::Host, &[ANN], None).unwrap();
    assert_eq!(scene.room.trim(10, 1_000).messages, 1);
    let batch = scene.next(reader).unwrap().expect("a gap");
    let items: Vec<_> = batch.items().collect();
    let [Item::Gap { count: 1, cause: GapCause::Age, .. }] = items[..] else {
        panic!("it was too old: {items:?}")
    };
}

#[test]
fn b25_a_read_log_goes_without_a_gap() {
    let mut engine = engine(10, 1);
    let reader = engine.join(NOW, RoomId(0), Join::guest()).unwrap().session;
    assert!(publish(&mut engine, 0, Priority::Normal, 10));
    let next = |engine: &mut Engine<String>| {
        engine.room_mut(RoomId(0)).unwrap().next_batch(NOW, reader, Budget::default())
    };
    assert_eq!(next(&mut engine).unwrap().map(|batch| batch.messages().len()), Some(1));
    assert!(publish(&mut engine, 0, Priority::Normal, 10));
    assert_eq!(next(&mut engine).unwrap().map(|batch| batch.messages().len()), Some(1));
    assert!(next(&mut engine).unwrap().is_none());
}

/// What gives way frees something: where the rest of what is too much cannot, a message without a
/// size stays.
#[test]
fn b25_what_frees_nothing_stays() {
    let mut engine = engine(20, 1);
    for (level, size) in [(Priority::High, 10), (Priority::High, 0)] {
        assert!(publish(&mut engine, 0, level, size));
    }
    engine.room_mut(RoomId(0)).unwrap().join(NOW, Join::user(ANN)).unwrap();
    engine.room_mut(RoomId(0)).unwrap().set_profile(ANN, Some("x".repeat(30))).unwrap();
    assert_eq!(held(&engine), [30]);
    let books = engine.snapshot(NOW, RoomId(0)).unwrap();
    let left = books.audience.log[Priority::High] + books.admission.queued[Priority::High];
    assert_eq!(left, 1, "the one of no size");
}
