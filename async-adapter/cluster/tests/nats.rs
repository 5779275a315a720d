//! The bus over NATS, with real servers: what `bus` promises, of the engine itself.

mod server;

use bytes::Bytes;
use roomcast_cluster::bus::{
    Answer, CallId, ConnectOptions, FromBus, Key, NatsBus, NatsError, NatsOptions, Push, Record,
    Request, Said, Storage,
};
use roomcast_core::RoomId;
use server::Server;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::timeout;

const ROOM: RoomId = RoomId(42);
/// For what has to come, however busy the machine.
const LONG: Duration = Duration::from_secs(30);
/// For what must not come.
const SHORT: Duration = Duration::from_millis(300);

/// A client of the bus, and what it was told unasked.
struct Client {
    bus: NatsBus,
    told: VecDeque<Said>,
    calls: u64,
}

impl Client {
    async fn new(server: &Server) -> Self {
        Self::with(server, NatsOptions::new()).await
    }

    async fn with(server: &Server, options: NatsOptions) -> Self {
        let bus = NatsBus::connect(&server.address(), options).await.expect("a server");
        Self { bus, told: VecDeque::new(), calls: 0 }
    }

    async fn call(&mut self, request: Request) -> Answer {
        self.calls += 1;
        let call = CallId(self.calls);
        self.bus.request(Some(call), request);
        loop {
            match timeout(LONG, self.bus.next()).await.expect("an answer").expect("a connection") {
                Said::Bus(FromBus::Answer(its, answer)) if its == call => return answer,
                other => self.told.push_back(other),
            }
        }
    }

    async fn append(&mut self, expected: u64, text: &'static str) -> Answer {
        let bytes = Bytes::from_static(text.as_bytes());
        self.call(Request::Append { room: ROOM, expected, bytes }).await
    }

    async fn appended(&mut self, expected: u64, text: &'static str) -> u64 {
        match self.append(expected, text).await {
            Answer::Done(at) => at,
            other => panic!("{text} behind {expected}: {other:?}"),
        }
    }

    async fn put(&mut self, key: Key, expected: u64, ttl: Option<Duration>) -> Answer {
        let value = Bytes::from_static(b"me");
        self.call(Request::Put { key, expected, value, ttl }).await
    }

    /// The next thing that is told, within this time.
    async fn told_within(&mut self, within: Duration) -> Option<Said> {
        if let Some(said) = self.told.pop_front() {
            return Some(said);
        }
        timeout(within, self.bus.next()).await.ok().flatten()
    }

    async fn push(&mut self) -> Push {
        match self.told_within(LONG).await {
            Some(Said::Bus(FromBus::Push(push))) => push,
            other => panic!("{other:?}"),
        }
    }

    async fn key(&mut self) -> (Key, u64, bool) {
        match self.push().await {
            Push::Key { key, revision, value } => (key, revision, value.is_some()),
            other => panic!("{other:?}"),
        }
    }

    /// Until what it has subscribed to is in force at the server: it is told what it sends itself.
    async fn settle(&mut self) {
        let (room, bytes) = (RoomId(u64::MAX), Bytes::from_static(b"settled"));
        self.bus.request(None, Request::Listen { room });
        // Until the subscription is there, nobody hears it.
        loop {
            self.bus.request(None, Request::Send { room, bytes: bytes.clone() });
            let heard = timeout(SHORT, self.bus.next()).await.ok().flatten();
            match heard {
                Some(Said::Bus(FromBus::Push(Push::Sent { room: its, .. }))) if its == room => {
                    break;
                }
                Some(other) => self.told.push_back(other),
                None => {}
            }
        }
        self.bus.request(None, Request::Unlisten { room });
    }
}

fn record(at: u64, previous: u64, text: &'static str) -> Record {
    Record { at, previous, bytes: Bytes::from_static(text.as_bytes()) }
}

#[tokio::test]
async fn an_append_is_behind_what_is_expected_or_refused_and_can_be_read() {
    let Some(server) = Server::start() else { return };
    let mut one = Client::new(&server).await;
    let mut two = Client::new(&server).await;
    assert_eq!(one.call(Request::Last { room: ROOM }).await, Answer::Read(None));
    let first = one.appended(0, "a").await;
    let micros = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_micros();
    let age = micros - u128::from(first);
    assert!(age < 600_000_000, "it begins with the time, {first} at {micros}");
    assert_eq!(two.append(0, "stale").await, Answer::Refused);
    assert_eq!(two.append(first - 1, "stale").await, Answer::Refused);
    let second = two.appended(first, "b").await;
    assert_eq!(one.append(first, "stale").await, Answer::Refused);
    // That of another room comes between.
    let other = Request::Append { room: RoomId(1), expected: 0, bytes: Bytes::new() };
    assert_eq!(one.call(other).await, Answer::Done(second + 1));
    let third = one.appended(second, "c").await;
    assert_eq!(third, second + 2);

    let last = two.call(Request::Last { room: ROOM }).await;
    assert_eq!(last, Answer::Read(Some(record(third, second, "c"))));
    let wanted = [(0, first, 0, "a"), (first, second, first, "b"), (second, third, second, "c")];
    for (behind, at, previous, text) in wanted {
        let read = two.call(Request::After { room: ROOM, at: behind }).await;
        assert_eq!(read, Answer::Read(Some(record(at, previous, text))));
    }
    for at in [third, u64::MAX] {
        assert_eq!(two.call(Request::After { room: ROOM, at }).await, Answer::Read(None));
    }
}

#[tokio::test]
async fn who_subscribes_hears_what_was_accepted_and_nothing_of_what_was_refused() {
    let Some(server) = Server::start() else { return };
    let mut stale = Client::new(&server).await;
    let mut owner = Client::new(&server).await;
    let mut hears = Client::new(&server).await;
    hears.bus.request(None, Request::Subscribe { room: ROOM });
    hears.settle().await;
    let first = stale.appended(0, "A1").await;
    let second = owner.appended(first, "B takes over").await;
    assert_eq!(stale.append(first, "A2, stale").await, Answer::Refused);
    let third = owner.appended(second, "B2").await;
    for wanted in
        [record(first, 0, "A1"), record(second, first, "B takes over"), record(third, second, "B2")]
    {
        assert_eq!(hears.push().await, Push::Record { room: ROOM, record: wanted });
    }
    hears.bus.request(None, Request::Unsubscribe { room: ROOM });
    hears.settle().await;
    owner.appended(third, "B3").await;
    assert_eq!(hears.told_within(SHORT).await, None);
}

#[tokio::test]
async fn what_is_sent_comes_to_who_listens_in_order() {
    let Some(server) = Server::start() else { return };
    let mut owner = Client::new(&server).await;
    let mut edge = Client::new(&server).await;
    owner.bus.request(None, Request::Listen { room: ROOM });
    owner.settle().await;
    for n in 0..100_u8 {
        edge.bus.request(None, Request::Send { room: ROOM, bytes: vec![n].into() });
        edge.bus.request(None, Request::Send { room: RoomId(1), bytes: Bytes::new() });
    }
    assert_eq!(edge.told_within(SHORT).await, None);
    for n in 0..100_u8 {
        assert_eq!(owner.push().await, Push::Sent { room: ROOM, bytes: vec![n].into() });
    }
}

#[tokio::test]
async fn a_key_is_put_by_its_revision_and_watched() {
    let Some(server) = Server::start() else { return };
    let mut one = Client::new(&server).await;
    let (room, node) = (Key::Room(ROOM), Key::Node(7));
    let Answer::Done(first) = one.put(room, 0, None).await else { panic!("it is the first") };
    assert_eq!(one.put(room, 0, None).await, Answer::Refused);
    assert_eq!(one.put(room, first + 1, None).await, Answer::Refused);
    assert_eq!(one.put(node, 0, Some(LONG)).await, Answer::Done(first + 1));
    assert_eq!(one.put(room, first, None).await, Answer::Done(first + 2));
    assert_eq!(one.put(node, first + 1, Some(LONG)).await, Answer::Done(first + 3));

    // Who begins to watch is told what there is, the nodes first, and then each change.
    let mut watcher = Client::new(&server).await;
    watcher.bus.request(None, Request::Watch);
    assert_eq!(watcher.key().await, (node, first + 3, true));
    assert_eq!(watcher.key().await, (room, first + 2, true));
    let delete = |expected| Request::Delete { key: room, expected };
    assert_eq!(one.call(delete(first)).await, Answer::Refused);
    assert_eq!(one.call(delete(first + 2)).await, Answer::Done(first + 4));
    assert_eq!(watcher.key().await, (room, first + 4, false));
    // It can be had again by whoever takes it for new, once.
    assert_eq!(one.put(room, first + 2, None).await, Answer::Refused);
    assert_eq!(one.put(room, 0, None).await, Answer::Done(first + 5));
    assert_eq!(one.put(room, 0, None).await, Answer::Refused);
    assert_eq!(watcher.key().await, (room, first + 5, true));
}

#[tokio::test]
async fn a_lease_that_is_not_renewed_lapses_and_a_watcher_is_told() {
    let Some(server) = Server::start() else { return };
    let mut dies = Client::new(&server).await;
    let mut other = Client::new(&server).await;
    other.bus.request(None, Request::Watch);
    let (key, ttl) = (Key::Node(7), Some(Duration::from_secs(2)));
    let Answer::Done(mut revision) = dies.put(key, 0, ttl).await else { panic!("it is free") };
    assert_eq!(other.key().await, (key, revision, true));
    // Longer than it lasts, because it is renewed.
    for _ in 0..3 {
        assert_eq!(other.told_within(Duration::from_secs(1)).await, None, "it lives");
        assert_eq!(dies.put(key, revision, ttl).await, Answer::Done(revision + 1));
        revision += 1;
        assert_eq!(other.key().await, (key, revision, true));
    }
    let (gone, lapsed, is_there) = other.key().await;
    assert_eq!((gone, is_there), (key, false));
    assert!(lapsed > revision);
    // Whoever wakes too late is refused, and one of those who want it has it.
    assert_eq!(dies.put(key, revision, ttl).await, Answer::Refused);
    let Answer::Done(taken) = other.put(key, 0, ttl).await else { panic!("it is free again") };
    assert!(taken > lapsed);
    assert_eq!(dies.put(key, 0, ttl).await, Answer::Refused);
    assert_eq!(other.key().await, (key, taken, true));
}

#[tokio::test]
async fn a_server_that_starts_again_has_what_it_had_on_disk() {
    let Some(mut server) = Server::start() else { return };
    let mut client = Client::new(&server).await;
    let last = client.appended(0, "a").await;
    server.down();
    server.up();
    while client.told_within(LONG).await != Some(Said::Reconnected) {}
    let read = client.call(Request::Last { room: ROOM }).await;
    assert_eq!(read, Answer::Read(Some(record(last, 0, "a"))));
    assert_eq!(client.append(last, "b").await, Answer::Done(last + 1));
}

/// One after the other, and so the leader as well. What was acknowledged is in the log, and once.
#[tokio::test]
async fn three_servers_go_on_when_any_of_them_dies() {
    let Some(mut servers) = Server::start_three() else { return };
    let addresses = servers.each_ref().map(Server::address).join(",");
    let options = NatsOptions::new().replicas(3);
    let refused = NatsBus::connect(&addresses, options.clone().log(Storage::Memory)).await;
    let Err(NatsError::Stream { why, .. }) = refused else { panic!("{refused:?}") };
    assert!(why.contains("Storage::File"), "{why}");
    let begun = std::time::Instant::now();
    let bus = loop {
        match NatsBus::connect(&addresses, options.clone()).await {
            Ok(bus) => break bus,
            // They have not found each other.
            Err(error) => assert!(begun.elapsed() < LONG, "{error}"),
        }
        tokio::time::sleep(SHORT).await;
    };
    let mut client = Client { bus, told: VecDeque::new(), calls: 0 };
    let (mut last, mut appended) = (0, Vec::new());
    for n in 0..30 {
        if n % 10 == 5 {
            servers[n / 10].down();
        }
        // As a node does: it asks until it knows.
        while appended.len() == n {
            match client.append(last, "x").await {
                Answer::Done(at) => appended.push(record(at, last, "x")),
                Answer::Refused | Answer::Unknown => {
                    let read = client.call(Request::Last { room: ROOM }).await;
                    match read {
                        Answer::Read(Some(read)) if read.at != last => {
                            assert_eq!(read.previous, last);
                            appended.push(read);
                        }
                        _ => assert!(begun.elapsed() < LONG * 4, "{n}: {read:?}"),
                    }
                }
                other @ Answer::Read(_) => panic!("{other:?}"),
            }
        }
        last = appended[n].at;
        if n % 10 == 9 {
            servers[n / 10].up();
            tokio::time::sleep(SHORT * 10).await;
        }
    }
    let mut behind = 0;
    for wanted in appended {
        let at = wanted.at;
        let read = client.call(Request::After { room: ROOM, at: behind }).await;
        assert_eq!(read, Answer::Read(Some(wanted)));
        behind = at;
    }
}

/// It has the logs in memory, and the keys on disk.
#[tokio::test]
async fn a_server_that_starts_again_has_the_keys_and_logs_that_fit_no_place_of_before() {
    let Some(mut server) = Server::start() else { return };
    let options = NatsOptions::new().log(Storage::Memory).answer(Duration::from_millis(300));
    let mut client = Client::with(&server, options).await;
    client.bus.request(None, Request::Watch);
    client.bus.request(None, Request::Subscribe { room: ROOM });
    client.settle().await;
    let Answer::Done(revision) = client.put(Key::Room(ROOM), 0, None).await else { panic!() };
    assert_eq!(client.key().await, (Key::Room(ROOM), revision, true));
    let mut last = 0;
    for text in ["a", "b", "c"] {
        last = client.appended(last, text).await;
        client.push().await;
    }
    server.down();
    assert_eq!(client.append(last, "to nobody").await, Answer::Unknown);
    server.up();
    loop {
        match client.told_within(LONG).await {
            Some(Said::Reconnected) => break,
            // What it was called while there was nobody.
            Some(Said::Bus(FromBus::Answer(_, Answer::Unknown))) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(client.call(Request::Last { room: ROOM }).await, Answer::Read(None));
    assert_eq!(client.append(last, "stale").await, Answer::Refused);
    client.bus.request(None, Request::Watch);
    client.bus.request(None, Request::Subscribe { room: ROOM });
    assert_eq!(client.key().await, (Key::Room(ROOM), revision, true));
    client.settle().await;
    let first = client.appended(0, "new").await;
    assert!(first > last, "{first} after {last}");
    let wanted = Push::Record { room: ROOM, record: record(first, 0, "new") };
    assert_eq!(client.push().await, wanted);
    for n in 0..10 {
        let expected = first + n;
        assert_eq!(client.append(last, "stale").await, Answer::Refused);
        client.appended(expected, "new").await;
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_said() {
    let Some(server) = Server::start() else { return };
    // A stream of this name that hands nothing on.
    let client = async_nats::connect(server.address()).await.expect("a server");
    let config = async_nats::jetstream::stream::Config {
        name: "other_log".into(),
        subjects: vec!["other.log.*".into()],
        ..Default::default()
    };
    async_nats::jetstream::new(client).create_stream(config).await.expect("a stream");
    let options = NatsOptions::new().prefix("other");
    let refused = NatsBus::connect(&server.address(), options).await;
    let Err(NatsError::Stream { name, why }) = refused else { panic!("{refused:?}") };
    assert_eq!(name, "other_log");
    assert!(why.contains("republish"), "{why}");
    let refused = NatsBus::connect("nats://127.0.0.1:1", NatsOptions::new()).await;
    assert!(matches!(refused, Err(NatsError::Connect(_))), "{refused:?}");
}

/// As the page on running it has it.
#[tokio::test]
async fn a_server_with_users_lets_nodes_do_what_they_do_and_nobody_else() {
    let page = include_str!("../docs/running.md");
    let (_, rest) = page.split_once("```text\n").expect("a configuration");
    let (configuration, _) = rest.split_once("```").expect("its end");
    let Some(server) = Server::start_with(configuration) else { return };
    let node = || ConnectOptions::with_user_and_password("roomcast".into(), "a secret".into());
    let options = || NatsOptions::new().connection(node());
    let mut first = Client::with(&server, options()).await;
    let mut second = Client::with(&server, options()).await;
    second.settle().await;
    second.bus.request(None, Request::Subscribe { room: ROOM });
    second.bus.request(None, Request::Listen { room: ROOM });
    second.bus.request(None, Request::Watch);
    second.settle().await;
    first.bus.request(None, Request::Send { room: ROOM, bytes: Bytes::from_static(b"forward") });
    let at = first.appended(0, "hello").await;
    assert!(matches!(first.put(Key::Node(7), 0, Some(LONG)).await, Answer::Done(_)));
    assert!(matches!(first.call(Request::Last { room: ROOM }).await, Answer::Read(Some(_))));
    let (mut record, mut key, mut sent) = (false, false, false);
    while !(record && key && sent) {
        match second.push().await {
            Push::Record { record: its, .. } => record |= its.at == at,
            Push::Key { key: its, .. } => key |= its == Key::Node(7),
            Push::Sent { room, .. } => sent |= room == ROOM,
        }
    }
    let refused = NatsBus::connect(&server.address(), NatsOptions::new()).await;
    assert!(matches!(refused, Err(NatsError::Connect(_))), "{refused:?}");
    // Nor may a node put words into a room past its log.
    let client = node().connect(server.address()).await.expect("a server");
    client.publish("rc.out.42", "forged".into()).await.expect("a connection");
    client.flush().await.expect("a connection");
    assert_eq!(second.told_within(SHORT).await, None);
}
