//! The wire: golden files of every version, and bytes that are none of it.

mod samples;

use proptest::prelude::*;
use roomcast_cluster::wire::{
    Change, Decided, EdgeSeen, Fate, Flight, Forward, Forwards, Found, HostIds, Lasting, MAX_BYTES,
    NodeLease, Numbers, Origin, PayloadError, READ_FACTOR, RoomKey, Sent, What, Wire, WireError,
};
use roomcast_core::admission::PersistedState;
use roomcast_core::ids::{MessageId, Seq};
use roomcast_core::message::{DedupKey, EdgeMessage, MessageParts, Sender};
use roomcast_core::time::Duration;
use roomcast_core::timed::Until;
use roomcast_core::{Instant, Kind, PerLevel, Priority, UserId};
use samples::{
    NOW, Text, empty_flight, flight_with_books, flight_with_end, flight_with_owner,
    flight_with_pins, flight_with_speech, flight_with_withdrawn, forwards, forwards_with_books,
    forwards_with_end, forwards_with_owner, forwards_with_pins, forwards_with_speech,
    forwards_with_withdrawn, full_flight, node_books,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

/// Counts what this thread holds.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

// SAFETY: it hands every call on to the system's, and counts beside.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.get() + layout.size().cast_signed();
        HELD.set(held);
        PEAK.set(PEAK.get().max(held));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.set(HELD.get() - layout.size().cast_signed());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The most that was held while this ran, beyond what was before.
fn peak<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let out = run();
    (out, (PEAK.get() - before).cast_unsigned())
}

fn read_flight(bytes: &[u8]) -> Result<Flight<Text>, WireError> {
    Flight::decode(bytes, &mut Numbers)
}

fn read_forwards(bytes: &[u8]) -> Result<Forwards<Text>, WireError> {
    Forwards::decode(bytes, NOW, &mut Numbers)
}

/// Each record with its golden file.
fn goldens() -> [(&'static str, Vec<u8>); 19] {
    let lease = NodeLease { node: 7, incarnation: 900, reads: 1, retires: false, sent_at: None };
    [
        ("flight.v1.cbor", full_flight().encode(&Numbers)),
        ("flight-empty.v1.cbor", empty_flight().encode(&Numbers)),
        ("flight-books.v1.cbor", flight_with_books().encode(&Numbers)),
        ("flight-speech.v1.cbor", flight_with_speech().encode(&Numbers)),
        ("flight-owner.v1.cbor", flight_with_owner().encode(&Numbers)),
        ("forwards-owner.v1.cbor", forwards_with_owner().encode(NOW, &Numbers)),
        ("flight-end.v1.cbor", flight_with_end().encode(&Numbers)),
        ("forwards-end.v1.cbor", forwards_with_end().encode(NOW, &Numbers)),
        ("flight-withdrawn.v1.cbor", flight_with_withdrawn().encode(&Numbers)),
        ("forwards-withdrawn.v1.cbor", forwards_with_withdrawn().encode(NOW, &Numbers)),
        ("flight-pins.v1.cbor", flight_with_pins().encode(&Numbers)),
        ("forwards-pins.v1.cbor", forwards_with_pins().encode(NOW, &Numbers)),
        ("forwards-speech.v1.cbor", forwards_with_speech().encode(NOW, &Numbers)),
        ("forwards-books.v1.cbor", forwards_with_books().encode(NOW, &Numbers)),
        ("lease-retires.v1.cbor", NodeLease { retires: true, ..lease }.encode()),
        ("forwards.v1.cbor", forwards().encode(NOW, &Numbers)),
        ("lease.v1.cbor", lease.encode()),
        ("lease-sent.v1.cbor", NodeLease { sent_at: Some(NOW), ..lease }.encode()),
        ("room.v1.cbor", RoomKey { owner: 7, incarnation: 900 }.encode()),
    ]
}

/// A change of a byte here is a change for every node of another version that is running: it takes
/// a new version and a new file. `ROOMCAST_BLESS=1` writes files that are not there.
#[test]
fn golden_files_are_written_and_read_to_the_byte() {
    for (name, bytes) in goldens() {
        let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("ROOMCAST_BLESS").is_some() && !std::path::Path::new(&path).exists() {
            std::fs::write(&path, &bytes).expect("a golden file can be written");
        }
        let golden = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(bytes, golden, "{name}: the wire writes something else than version 1 did");
        let again = match name.split(['.', '-']).next() {
            Some("flight") => read_flight(&golden).map(|flight| flight.encode(&Numbers)),
            Some("forwards") => read_forwards(&golden).map(|all| all.encode(NOW, &Numbers)),
            Some("lease") => NodeLease::decode(&golden).map(|lease| lease.encode()),
            _ => RoomKey::decode(&golden).map(|room| room.encode()),
        };
        assert_eq!(again, Ok(golden), "{name}");
    }
}

#[test]
fn what_was_written_is_read() {
    let (flight, read) = (full_flight(), read_flight(&full_flight().encode(&Numbers)).unwrap());
    assert_eq!(
        (read.incarnation, read.epoch, read.owner, read.number, read.sent_at),
        (flight.incarnation, flight.epoch, flight.owner, flight.number, flight.sent_at)
    );
    assert_eq!(read.continued, flight.continued);
    assert_eq!(read.messages, flight.messages);
    assert_eq!((read.fates, read.edges), (flight.fates, flight.edges));
    assert_eq!((read.change, read.state), (flight.change, flight.state));
    assert_eq!((read.checkpoint, read.books), (flight.checkpoint, flight.books));
    assert_eq!((read.handed_to, read.gathering), (flight.handed_to, flight.gathering));
    for flight in [
        flight_with_speech(),
        flight_with_owner(),
        flight_with_end(),
        flight_with_withdrawn(),
        flight_with_pins(),
    ] {
        let read = read_flight(&flight.encode(&Numbers)).unwrap();
        assert_eq!((read.change, read.state), (flight.change, flight.state));
        assert_eq!((read.directs, read.closed), (flight.directs, flight.closed));
        assert_eq!(read.withdrawn, flight.withdrawn);
    }
    for forwards in [
        forwards_with_speech(),
        forwards_with_owner(),
        forwards_with_end(),
        forwards_with_withdrawn(),
        forwards_with_pins(),
    ] {
        let read = read_forwards(&forwards.encode(NOW, &Numbers)).unwrap();
        assert_eq!(format!("{:?}", read.forwards), format!("{:?}", forwards.forwards));
    }
    assert_eq!(read_flight(&flight_with_books().encode(&Numbers)).unwrap().rows, [node_books()]);
    let read = read_forwards(&forwards_with_books().encode(NOW, &Numbers)).unwrap();
    assert_eq!(read.books, Some(node_books()));
    let read = read_forwards(&forwards().encode(NOW, &Numbers)).unwrap();
    assert_eq!(format!("{:?}", read.forwards.len()), forwards().forwards.len().to_string());
    let What::Message(message) = &read.forwards[0].what else { panic!("{:?}", read.forwards[0]) };
    let What::Message(sent) = &forwards().forwards[0].what else { panic!() };
    assert_eq!(
        (message.sender, message.session, message.priority, message.kind, message.urgency),
        (sent.sender, sent.session, sent.priority, sent.kind, sent.urgency)
    );
    assert_eq!(
        (message.merge_key, message.units, message.dedup_key, message.reviewed),
        (sent.merge_key, sent.units, sent.dedup_key, sent.reviewed)
    );
    assert_eq!((&message.payload, &message.profile), (&sent.payload, &sent.profile));
}

/// Ages cross, so a clock that is five seconds off makes no message older or younger.
#[test]
fn what_crosses_ends_by_the_clock_of_whoever_reads() {
    let there = Instant::from_secs(90);
    let sent = forwards().encode(NOW, &Numbers);
    let read = Forwards::<Text>::decode(&sent, there, &mut Numbers).unwrap();
    let What::Message(message) = &read.forwards[0].what else { panic!() };
    assert_eq!(message.admitted_at, Instant::from_secs(89));
    let flight = full_flight().arrived(there.saturating_sub(Duration::from_secs(2)), there);
    assert_eq!(flight.change.muted[0].1, Until::At(Instant::from_secs(150)));
    let full_at = there + Duration::from_millis(700);
    assert_eq!(flight.continued.rate, Some(roomcast_core::quota::LimitLeft::FullAt(full_at)));
    // It was two seconds on the way, so its messages are so much older.
    assert_eq!(flight.messages[0].parts.dispatched_at, Instant::from_secs(88));
    let left = |flight: &Flight<Text>, from: Instant| {
        let again = flight.fates.iter().filter_map(|fate| match fate.decided {
            Decided::Dropped { retry_at, .. } | Decided::Refused { retry_at, .. } => retry_at,
            _ => None,
        });
        again.map(|at| at.saturating_since(from)).collect::<Vec<_>>()
    };
    let sent = full_flight();
    assert!(!left(&sent, sent.sent_at).is_empty());
    assert_eq!(left(&flight, Instant::from_secs(88)), left(&sent, sent.sent_at));
}

/// A field and a record that a later version adds are passed over.
#[test]
fn a_reader_skips_what_it_does_not_know() {
    for (name, bytes) in goldens() {
        // One more field, whose value is a map of lists.
        let mut later = bytes.clone();
        match later[0] {
            // A map of up to 22 fields; one more is counted in the same byte.
            head @ 0xa0..=0xb6 => later[0] = head + 1,
            other => panic!("{name} begins with {other:x}"),
        }
        later.extend([0x18, 200, 0xa1, 0x01, 0x82, 0x61, b'x', 0xf6]);
        let again = match name.split(['.', '-']).next() {
            Some("flight") => read_flight(&later).map(|flight| flight.encode(&Numbers)),
            Some("forwards") => read_forwards(&later).map(|all| all.encode(NOW, &Numbers)),
            Some("lease") => NodeLease::decode(&later).map(|lease| lease.encode()),
            _ => RoomKey::decode(&later).map(|room| room.encode()),
        };
        assert_eq!(again, Ok(bytes), "{name}");
    }
    // A forward of a kind that this version has not heard of has to be told so.
    let one = Forward { number: 41, what: What::Unknown };
    let unknown: Forwards<Text> = Forwards { forwards: vec![one], ..forwards() };
    let read = read_forwards(&unknown.encode(NOW, &Numbers)).unwrap();
    assert!(matches!(read.forwards[0].what, What::Unknown));
}

#[test]
fn what_is_refused_says_which() {
    let flight = full_flight().encode(&Numbers);
    let forwards = forwards().encode(NOW, &Numbers);
    let foreign = |found| Some(WireError::Foreign { wanted: "flight", found });
    assert_eq!(read_flight(&forwards).err(), foreign(Found::Record(2)));
    assert_eq!(read_flight(b"{\"version\":1}").err(), foreign(Found::Other));
    assert_eq!(read_flight(&[0xa0]).err(), foreign(Found::Other));
    assert_eq!(read_flight(&[]).err(), Some(WireError::CutOff { size: 0 }));
    let size = flight.len() - 1;
    assert_eq!(read_flight(&flight[..size]).err(), Some(WireError::CutOff { size }));
    let mut other = flight.clone();
    assert_eq!(other[1..3], [0, 1]);
    other[2] = 2;
    assert_eq!(read_flight(&other).err(), Some(WireError::Version { found: 2 }));
    let large = vec![0; MAX_BYTES + 1];
    let wanted = WireError::TooLarge { size: MAX_BYTES + 1, max: MAX_BYTES };
    assert_eq!(read_flight(&large).err(), Some(wanted));
    let mut longer = flight.clone();
    longer.push(0);
    let told = read_flight(&longer).unwrap_err().to_string();
    assert!(told.ends_with("1 bytes after its end") && told.contains("flight"), "{told}");
    let mut flight = full_flight();
    flight.continued.heads = PerLevel([0, 12, 0, 0]);
    let told = read_flight(&flight.encode(&Numbers)).unwrap_err().to_string();
    assert_eq!(told, "flight record makes no sense: heads of [0, 12, 0, 0]");
    let mut twice = samples::forwards();
    twice.forwards[1].number = 42;
    let told = read_forwards(&twice.encode(NOW, &Numbers)).unwrap_err().to_string();
    assert_eq!(told, "forwards record makes no sense: forward 42 behind 42");
    let wrong = Flight::<Even>::decode(&full_flight().encode(&Numbers), &mut Numbers);
    let told = wrong.unwrap_err().to_string();
    assert_eq!(told, "flight record makes no sense: 5 bytes, want an even number");
    let wrong = Flight::<Text>::decode(&full_flight().encode(&Numbers), &mut Nobody);
    assert!(wrong.unwrap_err().to_string().ends_with("nobody is called [0, 0, 0, 0, 0, 0, 0, 7]"));
}

#[derive(Debug)]
struct Even(Vec<u8>);

impl Wire for Even {
    fn encode(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.0)
    }

    fn decode(bytes: &[u8]) -> Result<Self, PayloadError> {
        match bytes.len() % 2 {
            0 => Ok(Self(bytes.to_vec())),
            _ => Err(PayloadError(format!("{} bytes, want an even number", bytes.len()))),
        }
    }
}

/// A host that knows none of its users.
struct Nobody;

impl HostIds for Nobody {
    fn encode(&self, _: UserId) -> Cow<'_, [u8]> {
        Cow::Borrowed(b"?")
    }

    fn decode(&mut self, id: &[u8]) -> Result<UserId, PayloadError> {
        Err(PayloadError(format!("nobody is called {id:?}")))
    }
}

/// Reads it as everything, and looks at what is held meanwhile.
fn read_as_all(bytes: &[u8]) {
    let bound = READ_FACTOR * bytes.len() + 4_096;
    let ((), held) = peak(|| {
        let _ = read_flight(bytes).map(|flight| flight.arrived(NOW, NOW));
        let _ = read_forwards(bytes);
        let _ = NodeLease::decode(bytes);
        let _ = RoomKey::decode(bytes);
    });
    assert!(held <= bound, "{held} bytes held for {}: {bytes:x?}", bytes.len());
}

#[test]
fn records_that_are_cut_or_changed_never_panic() {
    for (_, bytes) in goldens() {
        for end in 0..=bytes.len() {
            read_as_all(&bytes[..end]);
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            for value in 0..=u8::MAX {
                changed[at] = value;
                read_as_all(&changed);
            }
        }
    }
}

/// A list that claims to be long, and one that is, of the shortest entries that there are.
#[test]
fn nothing_is_set_aside_for_a_claim() {
    let base = empty_flight().encode(&Numbers);
    for field in [9, 11, 12, 13, 14, 15, 20] {
        let mut bytes = base.clone();
        bytes[0] += 1;
        bytes.extend([field, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        read_as_all(&bytes);
        bytes.extend(vec![0xa0; 100_000]);
        read_as_all(&bytes);
    }
    let mut many = empty_flight();
    let edge = EdgeSeen { edge: 0, seen: 0, settled_below: 0 };
    many.edges = vec![edge; 60_000];
    let decided = Decided::Done;
    many.fates = vec![Fate { edge: 0, number: 0, decided }; 60_000];
    let bytes = many.encode(&Numbers);
    assert!(read_flight(&bytes).is_ok());
    read_as_all(&bytes);
    many.edges = vec![edge; 70_000];
    many.fates.clear();
    let told = read_flight(&many.encode(&Numbers)).unwrap_err().to_string();
    assert!(told.contains("more than 65536 entries"), "{told}");
}

#[test]
fn payloads_are_their_own_bytes() {
    fn there_and_back<T: Wire + PartialEq + std::fmt::Debug>(value: T, bytes: &[u8]) {
        assert_eq!(*value.encode(), *bytes);
        assert_eq!(T::decode(bytes), Ok(value));
    }
    there_and_back(String::from("ä"), "ä".as_bytes());
    there_and_back(Text::from("ä"), "ä".as_bytes());
    there_and_back(Box::<str>::from("ä"), "ä".as_bytes());
    there_and_back(vec![0, 255], &[0, 255]);
    there_and_back(Box::<[u8]>::from([0, 255]), &[0, 255]);
    there_and_back(Arc::<[u8]>::from([0, 255]), &[0, 255]);
    there_and_back(bytes::Bytes::from_static(&[0, 255]), &[0, 255]);
    assert!(Text::decode(&[0xff]).is_err() && String::decode(&[0xff]).is_err());
}

/// The whole state is the change that makes it out of nothing, and a change is made in its order.
#[test]
fn changes_make_up_the_state() {
    let change = full_flight().change;
    let mut state = PersistedState {
        admins: vec![UserId(2)],
        mutes: vec![(UserId(4), Until::Forever), (UserId(3), Until::Forever)],
        bans: vec![(UserId(6), Until::Forever)],
        attributes: vec![("old".into(), Arc::from(*b"x"))],
        counters: vec![("old".into(), 3)],
        ..PersistedState::default()
    };
    change.apply(&mut state);
    assert_eq!(state.admins, [UserId(1)]);
    assert_eq!(state.mutes, change.muted);
    assert_eq!(state.bans, change.banned);
    assert!(state.room_muted && state.attributes_version == 9);
    assert_eq!(state.attributes, [("topic".into(), Arc::from(*b"\x00\xff"))]);
    assert_eq!(state.counters, [("likes".into(), -3)]);
    assert_eq!(state.said, change.said);
    let mut again = PersistedState::default();
    Change::whole(state.clone(), &Lasting::default()).apply(&mut again);
    assert_eq!(again, state);
}

fn any_message() -> impl Strategy<Value = (Priority, u64, u32, String, Option<(u64, u64)>, u64)> {
    let level = prop::sample::select(&Priority::ALL[..]);
    (level, any::<u64>(), any::<u32>(), ".{0,40}", any::<Option<(u64, u64)>>(), any::<u64>())
}

proptest! {
    #[test]
    fn any_flight_comes_back(
        numbers in any::<[u64; 7]>(),
        heads in any::<[u32; 4]>(),
        drawn in prop::collection::vec(any_message(), 0..20),
        keys in any::<[Option<u64>; 2]>(),
        gathering in any::<bool>(),
    ) {
        let [incarnation, epoch, owner, number, sent_at, checkpoint, edge] = numbers;
        let mut next = PerLevel(heads.map(u64::from));
        let mut flight = Flight { incarnation, epoch, owner, number, checkpoint, ..empty_flight() };
        flight.sent_at = Instant::from_nanos(sent_at);
        flight.handed_to = keys[0];
        flight.gathering = gathering;
        for (priority, units, messages, payload, origin, at) in drawn {
            let parts = MessageParts {
                seq: Seq(next.values().sum::<u64>() + 1),
                position: next[priority],
                priority,
                kind: Kind::Notice,
                sender: Sender::User(UserId(units)),
                session: None,
                units,
                messages,
                admitted_at: Instant::from_nanos(at),
                dispatched_at: Instant::from_nanos(!at),
                profile: None,
                payload: Text::from(payload),
            };
            next[priority] += 1;
            let decided = Decided::Dispatched { seq: parts.seq };
            flight.fates.push(Fate { edge, number: at, decided });
            let origin = origin.map(|(edge, session)| Origin { edge, session });
            flight.messages.push(Sent { parts, origin, dedup_key: keys[1].map(DedupKey) });
        }
        flight.edges = vec![EdgeSeen { edge, seen: number, settled_below: epoch }];
        flight.continued.heads = next;
        let bytes = flight.encode(&Numbers);
        let read = read_flight(&bytes).unwrap();
        prop_assert_eq!(&read.messages, &flight.messages);
        prop_assert_eq!(&read.fates, &flight.fates);
        prop_assert_eq!(read.encode(&Numbers), bytes);
    }

    #[test]
    fn any_forwards_come_back(
        drawn in prop::collection::vec((any::<u32>(), any_message()), 0..20),
        epoch in any::<u64>(),
    ) {
        let mut number = 0;
        let forwards = drawn.into_iter().map(|(more, (level, user, units, payload, _, age))| {
            number += u64::from(more) + 1;
            let at = NOW.saturating_sub(Duration::from_nanos(age >> 8));
            let mut message =
                EdgeMessage::new(MessageId(number), Sender::User(UserId(user)), at, payload);
            message.priority = level;
            message.units = units.into();
            Forward { number, what: What::Message(message) }
        });
        let all = Forwards {
            edge: 3,
            epoch,
            after: 0,
            heads: PerLevel([1; 4]),
            forwards: forwards.collect(),
            books: None,
        };
        let bytes = all.encode(NOW, &Numbers);
        let read = Forwards::<String>::decode(&bytes, NOW, &mut Numbers).unwrap();
        prop_assert_eq!(read.forwards.len(), all.forwards.len());
        prop_assert_eq!(read.encode(NOW, &Numbers), bytes);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read_as_all(&bytes);
        let mut headed = vec![0xb4, 0, 1, 1, 1];
        headed.extend(&bytes);
        read_as_all(&headed);
    }
}
