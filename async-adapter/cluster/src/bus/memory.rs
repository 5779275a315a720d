//! A bus in memory: for simulation, and for a cluster within one process.

use super::{Answer, Bus, CallId, ClientId, FromBus, Key, Push, Record, Request};
use bytes::Bytes;
use roomcast_core::time::Duration;
use roomcast_core::{Instant, RoomId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A bus in memory. It keeps the last records of each room, and its keys, as long as it lives.
///
/// ```
/// use roomcast_cluster::bus::{Answer, Bus, CallId, ClientId, FromBus, MemoryBus, Request};
/// use roomcast_core::{Instant, RoomId};
///
/// let (now, client, room) = (Instant::from_secs(5), ClientId(1), RoomId(42));
/// let mut bus = MemoryBus::new(now);
/// let mut append = |expected| {
///     let bytes = b"x".to_vec().into();
///     bus.request(now, client, Some(CallId(0)), Request::Append { room, expected, bytes });
///     bus.poll().expect("it is answered at once").1
/// };
/// let answered = |answer| FromBus::Answer(CallId(0), answer);
/// assert_eq!(append(0), answered(Answer::Done(5_000_000)));
/// assert_eq!(append(0), answered(Answer::Refused), "there is one already");
/// assert_eq!(append(5_000_000), answered(Answer::Done(5_000_001)));
/// ```
#[derive(Debug)]
pub struct MemoryBus {
    logs: BTreeMap<RoomId, Log>,
    /// The place of the next record, of whatever room.
    next: u64,
    keys: BTreeMap<Key, Value>,
    revision: u64,
    lapses: BTreeSet<(Instant, Key)>,
    subscribers: BTreeSet<(RoomId, ClientId)>,
    listeners: BTreeSet<(RoomId, ClientId)>,
    watchers: BTreeSet<ClientId>,
    out: VecDeque<(ClientId, FromBus)>,
    kept: usize,
    late: Duration,
}

#[derive(Debug, Default)]
struct Log {
    records: VecDeque<Record>,
    /// The place of the last, which is known when it is kept no more.
    last: u64,
}

#[derive(Debug)]
struct Value {
    revision: u64,
    bytes: Bytes,
    lapses_at: Option<Instant>,
}

/// How many records of each room are kept.
const KEPT: usize = 1_024;

impl MemoryBus {
    /// A bus that is made at `now`: its first record has the place of that time.
    pub fn new(now: Instant) -> Self {
        Self::keeping(now, KEPT)
    }

    /// One that keeps so many records of each room, and at least one.
    pub fn keeping(now: Instant, records: usize) -> Self {
        Self {
            logs: BTreeMap::new(),
            next: first_place(now),
            keys: BTreeMap::new(),
            revision: 0,
            lapses: BTreeSet::new(),
            subscribers: BTreeSet::new(),
            listeners: BTreeSet::new(),
            watchers: BTreeSet::new(),
            out: VecDeque::new(),
            kept: records.max(1),
            late: Duration::ZERO,
        }
    }

    /// The same, but keys lapse so much later than they should: nats-server looks for those that have
    /// lapsed no sooner than 250 ms after it looked last.
    #[must_use]
    pub fn lapsing_late(self, late: Duration) -> Self {
        Self { late, ..self }
    }

    /// All logs are lost, as of a server without copies that dies, and made anew at `now`. The keys
    /// are elsewhere, and stay.
    pub fn lose_logs(&mut self, now: Instant) {
        self.logs.clear();
        self.next = self.next.max(first_place(now));
    }

    fn append(&mut self, room: RoomId, expected: u64, bytes: Bytes) -> Answer {
        let log = self.logs.entry(room).or_default();
        if log.last != expected {
            return Answer::Refused;
        }
        let record = Record { at: self.next, previous: log.last, bytes };
        self.next += 1;
        log.last = record.at;
        log.records.push_back(record.clone());
        while log.records.len() > self.kept {
            log.records.pop_front();
        }
        let at = record.at;
        for client in among(&self.subscribers, room) {
            let push = Push::Record { room, record: record.clone() };
            self.out.push_back((client, FromBus::Push(push)));
        }
        Answer::Done(at)
    }

    fn put(&mut self, now: Instant, key: Key, expected: u64, value: Option<Value>) -> Answer {
        self.handle_timeout(now);
        if self.keys.get(&key).map_or(0, |value| value.revision) != expected {
            return Answer::Refused;
        }
        if let Some(lapses_at) = self.keys.remove(&key).and_then(|value| value.lapses_at) {
            self.lapses.remove(&(lapses_at, key));
        }
        self.revision += 1;
        let revision = self.revision;
        let bytes = value.as_ref().map(|value| value.bytes.clone());
        if let Some(value) = value {
            self.lapses.extend(value.lapses_at.map(|at| (at, key)));
            self.keys.insert(key, Value { revision, ..value });
        }
        self.tell_key(key, revision, bytes.as_ref());
        Answer::Done(revision)
    }

    fn tell_key(&mut self, key: Key, revision: u64, value: Option<&Bytes>) {
        for &client in &self.watchers {
            let push = Push::Key { key, revision, value: value.cloned() };
            self.out.push_back((client, FromBus::Push(push)));
        }
    }
}

impl Bus for MemoryBus {
    fn request(&mut self, now: Instant, client: ClientId, call: Option<CallId>, request: Request) {
        let answer = match request {
            Request::Append { room, expected, bytes } => Some(self.append(room, expected, bytes)),
            Request::Last { room } => {
                let log = self.logs.get(&room);
                Some(Answer::Read(log.and_then(|log| log.records.back().cloned())))
            }
            Request::After { room, at } => {
                let records = self.logs.get(&room).into_iter().flat_map(|log| &log.records);
                let first = records.filter(|record| record.at > at).min_by_key(|record| record.at);
                Some(Answer::Read(first.cloned()))
            }
            Request::Put { key, expected, value, ttl } => {
                let lapses_at = ttl.map(|ttl| now + ttl + self.late);
                let value = Value { revision: 0, bytes: value, lapses_at };
                Some(self.put(now, key, expected, Some(value)))
            }
            Request::Delete { key, expected } => Some(self.put(now, key, expected, None)),
            Request::Subscribe { room } => {
                self.subscribers.insert((room, client));
                None
            }
            Request::Unsubscribe { room } => {
                self.subscribers.remove(&(room, client));
                None
            }
            Request::Listen { room } => {
                self.listeners.insert((room, client));
                None
            }
            Request::Unlisten { room } => {
                self.listeners.remove(&(room, client));
                None
            }
            Request::Send { room, bytes } => {
                for listener in among(&self.listeners, room) {
                    let push = Push::Sent { room, bytes: bytes.clone() };
                    self.out.push_back((listener, FromBus::Push(push)));
                }
                None
            }
            Request::Watch => {
                self.handle_timeout(now);
                for (&key, value) in &self.keys {
                    let (revision, value) = (value.revision, Some(value.bytes.clone()));
                    let push = Push::Key { key, revision, value };
                    self.out.push_back((client, FromBus::Push(push)));
                }
                self.watchers.insert(client);
                None
            }
        };
        if let (Some(call), Some(answer)) = (call, answer) {
            self.out.push_back((client, FromBus::Answer(call, answer)));
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(at, key)) = self.lapses.first().filter(|(at, _)| *at <= now) {
            self.lapses.remove(&(at, key));
            self.keys.remove(&key);
            self.revision += 1;
            self.tell_key(key, self.revision, None);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.lapses.first().map(|(at, _)| *at)
    }

    fn poll(&mut self) -> Option<(ClientId, FromBus)> {
        self.out.pop_front()
    }

    fn disconnect(&mut self, client: ClientId) {
        self.subscribers.retain(|(_, its)| *its != client);
        self.listeners.retain(|(_, its)| *its != client);
        self.watchers.remove(&client);
        self.out.retain(|(its, _)| *its != client);
    }
}

fn first_place(now: Instant) -> u64 {
    (now.as_nanos() / 1_000).max(1)
}

fn among(all: &BTreeSet<(RoomId, ClientId)>, room: RoomId) -> impl Iterator<Item = ClientId> + '_ {
    let range = (room, ClientId(0))..=(room, ClientId(u64::MAX));
    all.range(range).map(|(_, client)| *client)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: RoomId = RoomId(1);
    const ONE: ClientId = ClientId(1);
    const TWO: ClientId = ClientId(2);

    fn ask(bus: &mut MemoryBus, now: Instant, request: Request) -> Answer {
        bus.request(now, ONE, Some(CallId(9)), request);
        let mut pushes = Vec::new();
        while let Some((client, from)) = bus.poll() {
            if let FromBus::Answer(CallId(9), answer) = from {
                bus.out.extend(pushes);
                return answer;
            }
            pushes.push((client, from));
        }
        panic!("no answer");
    }

    fn append(bus: &mut MemoryBus, now: Instant, expected: u64, text: &'static str) -> Answer {
        let bytes = Bytes::from_static(text.as_bytes());
        ask(bus, now, Request::Append { room: ROOM, expected, bytes })
    }

    fn put(bus: &mut MemoryBus, now: Instant, expected: u64, ttl: Option<u64>) -> Answer {
        let value = Bytes::from_static(b"me");
        let ttl = ttl.map(Duration::from_secs);
        ask(bus, now, Request::Put { key: Key::Node(7), expected, value, ttl })
    }

    /// The first attempt at the number of the dead: it was accepted by coincidence once.
    #[test]
    fn a_number_from_before_the_loss_fits_nothing_after_it() {
        let secs = Instant::from_secs;
        let mut bus = MemoryBus::new(secs(10));
        let mut last = 0;
        for _ in 0..5 {
            let Answer::Done(at) = append(&mut bus, secs(11), last, "old") else { panic!() };
            last = at;
        }
        assert_eq!(last, 10_000_004);
        bus.lose_logs(secs(12));
        assert_eq!(append(&mut bus, secs(12), last, "stale"), Answer::Refused);
        assert_eq!(ask(&mut bus, secs(12), Request::Last { room: ROOM }), Answer::Read(None));
        for expected in [0, 12_000_000, 12_000_001, 12_000_002, 12_000_003] {
            assert_eq!(append(&mut bus, secs(12), last, "stale"), Answer::Refused);
            let Answer::Done(_) = append(&mut bus, secs(12), expected, "new") else { panic!() };
        }
    }

    #[test]
    fn only_what_was_accepted_is_handed_on_with_the_one_before() {
        let now = Instant::from_secs(1);
        let mut bus = MemoryBus::keeping(now, 2);
        bus.request(now, TWO, None, Request::Subscribe { room: ROOM });
        assert_eq!(append(&mut bus, now, 0, "a"), Answer::Done(1_000_000));
        assert_eq!(append(&mut bus, now, 0, "stale"), Answer::Refused);
        for expected in [1_000_000, 1_000_001] {
            assert_eq!(append(&mut bus, now, expected, "b"), Answer::Done(expected + 1));
        }
        let told = std::iter::from_fn(|| bus.poll()).map(|(client, from)| match from {
            FromBus::Push(Push::Record { record, .. }) => (client, record.at, record.previous),
            other => panic!("{other:?}"),
        });
        let wanted =
            [(TWO, 1_000_000, 0), (TWO, 1_000_001, 1_000_000), (TWO, 1_000_002, 1_000_001)];
        assert_eq!(told.collect::<Vec<_>>(), wanted);
        // Two are kept.
        let first = ask(&mut bus, now, Request::After { room: ROOM, at: 0 });
        let Answer::Read(Some(Record { at, previous, .. })) = first else { panic!("{first:?}") };
        assert_eq!((at, previous), (1_000_001, 1_000_000));
        let none = ask(&mut bus, now, Request::After { room: ROOM, at: 1_000_002 });
        assert_eq!(none, Answer::Read(None));
    }

    #[test]
    fn a_key_lapses_unless_it_is_put_again() {
        let secs = Instant::from_secs;
        let mut bus = MemoryBus::new(secs(0));
        bus.request(secs(0), TWO, None, Request::Watch);
        assert_eq!(put(&mut bus, secs(0), 0, Some(3)), Answer::Done(1));
        assert_eq!(put(&mut bus, secs(1), 0, Some(3)), Answer::Refused);
        assert_eq!(put(&mut bus, secs(2), 1, Some(3)), Answer::Done(2));
        assert_eq!(bus.poll_timeout(), Some(secs(5)));
        bus.handle_timeout(secs(4));
        assert_eq!(put(&mut bus, secs(4), 1, Some(3)), Answer::Refused);
        // Whoever comes too late is refused, and another one takes it.
        assert_eq!(put(&mut bus, secs(5), 2, Some(3)), Answer::Refused);
        assert_eq!(put(&mut bus, secs(5), 0, None), Answer::Done(4));
        let told = std::iter::from_fn(|| bus.poll()).map(|(_, from)| match from {
            FromBus::Push(Push::Key { revision, value, .. }) => (revision, value.is_some()),
            other => panic!("{other:?}"),
        });
        let wanted = [(1, true), (2, true), (3, false), (4, true)];
        assert_eq!(told.collect::<Vec<_>>(), wanted);
        let delete = |expected| Request::Delete { key: Key::Node(7), expected };
        assert_eq!(ask(&mut bus, secs(9), delete(3)), Answer::Refused);
        assert_eq!(ask(&mut bus, secs(9), delete(4)), Answer::Done(5));
        // Who comes later is told what there is, and who is gone nothing.
        assert_eq!(put(&mut bus, secs(9), 0, None), Answer::Done(6));
        bus.disconnect(TWO);
        bus.request(secs(9), ONE, None, Request::Watch);
        let told: Vec<_> = std::iter::from_fn(|| bus.poll()).map(|(client, _)| client).collect();
        assert_eq!(told, [ONE]);
    }

    #[test]
    fn what_is_sent_to_an_owner_comes_to_who_listens() {
        let now = Instant::from_secs(1);
        let mut bus = MemoryBus::new(now);
        let send = || Request::Send { room: ROOM, bytes: Bytes::from_static(b"x") };
        bus.request(now, ONE, None, send());
        bus.request(now, TWO, None, Request::Listen { room: ROOM });
        bus.request(now, ONE, None, Request::Listen { room: RoomId(2) });
        bus.request(now, ONE, None, send());
        bus.request(now, TWO, None, Request::Unlisten { room: ROOM });
        bus.request(now, ONE, None, send());
        assert!(matches!(bus.poll(), Some((TWO, FromBus::Push(Push::Sent { .. })))));
        assert_eq!(bus.poll(), None);
    }
}
