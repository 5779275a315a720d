//! An engine whose rooms share a limit on memory, beside as many rooms that nobody joins together
//! and that are trimmed by hand, by the words of clause B25.

use proptest::prelude::*;
use roomcast_core::message::DedupKey;
use roomcast_core::{
    Budget, Direct, Engine, Instant, Join, Memory, Priority, Publish, Recipient, RoomConfig,
    RoomId, RoomState, SessionId, Source, UserId,
};

const OWNER: UserId = UserId(1);
const ANN: UserId = UserId(7);
const ROOMS: usize = 4;
const LIMIT: u64 = 400;

#[derive(Clone, Copy, Debug)]
enum Call {
    Say { level: u8, size: u8, key: Option<u8> },
    Direct { level: u8, size: u8 },
    Profile { size: Option<u8> },
    Attribute { size: u8 },
    Read,
    Wait { millis: u16 },
}

fn call() -> impl Strategy<Value = Call> {
    let n = any::<u8>;
    prop_oneof![
        12 => (n(), n(), prop::option::weighted(0.2, n()))
            .prop_map(|(level, size, key)| Call::Say { level, size, key }),
        2 => (n(), n()).prop_map(|(level, size)| Call::Direct { level, size }),
        2 => prop::option::weighted(0.7, n()).prop_map(|size| Call::Profile { size }),
        1 => n().prop_map(|size| Call::Attribute { size }),
        2 => Just(Call::Read),
        2 => any::<u16>().prop_map(|millis| Call::Wait { millis }),
    ]
}

fn level(at: u8) -> Priority {
    Priority::ALL[usize::from(at) % 4]
}

fn text(size: u8) -> String {
    "x".repeat(usize::from(size % 100))
}

/// Returns what the room answered.
fn play(room: &mut RoomState<String>, now: Instant, session: SessionId, call: Call) -> String {
    match call {
        Call::Say { level: at, size, key } => {
            let mut publish =
                Publish::new(Source::Session(session), text(size)).priority(level(at));
            publish.dedup_key = key.map(|key| DedupKey(key.into()));
            format!("{:?}", room.publish(now, publish))
        }
        Call::Direct { level: at, size } => {
            let direct = Direct::new(text(size)).priority(level(at));
            format!("{:?}", room.send_direct(now, Recipient::User(ANN), direct))
        }
        Call::Profile { size } => format!("{:?}", room.set_profile(ANN, size.map(text))),
        Call::Attribute { size } => {
            let value = text(size);
            let changes: &[(&str, Option<&[u8]>)] = &[("topic", Some(value.as_bytes()))];
            format!("{:?}", room.write_attributes(now, None, changes))
        }
        Call::Read => {
            let batch = room.next_batch(now, session, Budget::default());
            format!("{:?}", batch.map(|batch| batch.map(|batch| batch.messages().len())))
        }
        Call::Wait { .. } => {
            room.handle_timeout(now);
            String::new()
        }
    }
}

/// How it is, by the words.
fn memory(rooms: &[RoomState<String>]) -> (Memory, u64) {
    let held: u64 = rooms.iter().map(|room| room.bytes().total()).sum();
    let kept = |room: &RoomState<String>| {
        let bytes = room.bytes();
        bytes.directs + bytes.profiles + bytes.data + bytes.keys
    };
    let kept: u64 = rooms.iter().map(kept).sum();
    let memory = if held * 10 > LIMIT * 11 {
        Memory::Full { limit: LIMIT }
    } else if kept * 2 > LIMIT {
        Memory::Tight { limit: LIMIT }
    } else {
        Memory::Free
    };
    (memory, held)
}

/// What of a room gives way.
fn gives(room: &RoomState<String>) -> u64 {
    let bytes = room.bytes();
    bytes.queued + bytes.under_review + bytes.waiting_profiles + bytes.logged
}

/// What of that is High.
fn high(room: &RoomState<String>) -> u64 {
    room.bytes().high_waiting + room.bytes().high_logged
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn an_engine_trims_as_the_words_say(
        calls in prop::collection::vec((0..ROOMS, call()), 1..200),
    ) {
        let config = RoomConfig::builder(OWNER).rate(2).burst(2).queue_messages(20).build();
        let config = config.expect("a valid configuration");
        let mut engine: Engine<String> = Engine::new(10, 0).memory_limit(LIMIT);
        let (mut now, mut sessions) = (Instant::from_secs(1), Vec::new());
        let mut rooms: Vec<_> = (0..ROOMS).map(|_| RoomState::new(&config)).collect();
        for (id, room) in (0..).zip(&mut rooms) {
            engine.create_room(RoomId(id), &config).unwrap();
            let joined = engine.join(now, RoomId(id), Join::user(ANN)).unwrap().session;
            let beside = room.join(now, Join::user(ANN)).unwrap().session;
            sessions.push((joined, beside));
        }
        for (at, call) in calls {
            if let Call::Wait { millis } = call {
                now = now + roomcast_core::time::Duration::from_millis(millis.into());
            }
            let (id, (session, beside)) = (RoomId(at as u64), sessions[at]);
            let (left, _) = memory(&rooms);
            rooms[at].set_memory(left);
            let expected = play(&mut rooms[at], now, beside, call);
            let found = play(&mut engine.room_mut(id).unwrap(), now, session, call);
            prop_assert_eq!(expected, found);
            loop {
                let (_, held) = memory(&rooms);
                // Nothing of High while there is anything else anywhere.
                let lower = rooms.iter().any(|room| gives(room) > high(room));
                let gives = |room: &RoomState<String>| {
                    if lower { gives(room) - high(room) } else { gives(room) }
                };
                let most = rooms.iter().map(gives).max().unwrap_or(0);
                if held <= LIMIT || most == 0 {
                    break;
                }
                let biggest = rooms.iter_mut().find(|room| gives(room) == most).unwrap();
                let keys = biggest.bytes().keys;
                let trimmed = biggest.trim((held - LIMIT).min(most), LIMIT);
                prop_assert_eq!(most - trimmed.bytes, gives(biggest));
                // With a message goes its key.
                prop_assert!(biggest.bytes().keys <= keys);
            }
            for (id, room) in (0..).zip(&rooms) {
                let of_engine = engine.room(RoomId(id)).unwrap();
                prop_assert_eq!(room.bytes(), of_engine.bytes());
                let (mut expected, mut found) = (room.snapshot(now), of_engine.snapshot(now));
                (expected.admission.life, found.admission.life) = (0, 0);
                prop_assert_eq!(expected, found);
                prop_assert!(found.balances());
            }
            let (left, held) = memory(&rooms);
            let uses = engine.memory().unwrap();
            prop_assert_eq!((uses.held, uses.memory()), (held, left));
            prop_assert!(held <= LIMIT || rooms.iter().all(|room| gives(room) == 0));
        }
    }
}

#[test]
fn a_room_is_asked_for_no_more_than_it_has() {
    let config =
        RoomConfig::builder(OWNER).rate(1).burst(1).build().expect("a valid configuration");
    let (mut engine, now) = (Engine::new(10, 0).memory_limit(10), Instant::from_secs(1));
    engine.create_room(RoomId(1), &config).unwrap();
    let mut room = engine.room_mut(RoomId(1)).unwrap();
    let changes: &[(&str, Option<&[u8]>)] = &[("topic", Some(&[0; 20]))];
    room.write_attributes(now, None, changes).unwrap();
    drop(room);
    // The first goes out; the others wait, and only the last has anything to give.
    for size in [0, 0, 0, 0, 4] {
        let publish = Publish::new(Source::Host, text(size)).priority(Priority::High);
        let _ = engine.room_mut(RoomId(1)).unwrap().publish(now, publish).unwrap();
    }
    let room = engine.room(RoomId(1)).unwrap();
    assert_eq!(room.snapshot(now).admission.queued[Priority::High], 3);
}
