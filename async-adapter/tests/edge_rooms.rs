//! Rooms of a hub that are edges of a room elsewhere: what goes there and what comes back (B17).
#![cfg(feature = "tokio")]

use roomcast::core::{Admission, RoomState};
use roomcast::edge::{EdgeMessage, EdgePort, EdgeStart, HandOver, MessageParts, Received};
use roomcast::error::{DropReason, RefusalReason, SessionEnd};
use roomcast::event::{EndReason, StartPosition};
use roomcast::message::{CorrelationId, DedupKey, OutcomeSink, Seq};
use roomcast::time::Instant;
use roomcast::{
    Actor, Direct, Event, GapCause, Hub, Item, Join, Message, Outcome, PerLevel, Priority, Publish,
    Room, RoomConfig, RoomId, SessionId, Source, Subscription, UserId,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{sleep, timeout};

const OWNER: UserId = UserId(1);
const ANN: UserId = UserId(7);
const BOB: UserId = UserId(8);

/// A room that is somewhere: it sends out at once.
struct Elsewhere {
    room: Admission<String>,
    now: Instant,
}

impl Elsewhere {
    fn new() -> Self {
        let config = RoomConfig::builder(OWNER).rate(10_000).burst(10_000).build().unwrap();
        Self { room: Admission::new(&config), now: Instant::from_secs(1_000) }
    }

    /// Offers what an edge let in; returns its fate, and the flight with what went out.
    fn offer(&mut self, message: EdgeMessage<String>) -> (Outcome, HandOver<String>) {
        let sent = self.room.dispatched();
        let outcome = match self.room.publish(self.now, message.into_publish()) {
            Ok(receipt) => receipt.outcome.expect("it sends out at once"),
            Err(refused) => Outcome::Dropped {
                reason: DropReason::RoomRefused,
                limit: refused.limit,
                retry_at: refused.retry_at,
            },
        };
        (outcome, self.room.hand_over(sent))
    }

    fn say(&mut self, text: &str, priority: Priority) -> HandOver<String> {
        let sent = self.room.dispatched();
        let publish = Publish::new(Source::Host, text.to_owned()).priority(priority);
        let _ = self.room.publish(self.now, publish).unwrap();
        self.room.hand_over(sent)
    }
}

fn config() -> RoomConfig {
    RoomConfig::builder(OWNER).rate(10_000).burst(10_000).build().unwrap()
}

fn edge(hub: &Hub<String>, config: &RoomConfig) -> (Room<String>, EdgePort<String>) {
    hub.create_edge_room(RoomId(1), config, PerLevel::default()).unwrap()
}

/// A hub, and what it tells its host.
fn telling() -> (Hub<String>, Arc<Mutex<Vec<Event>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let hook = Arc::clone(&told);
    let hear = move |_: RoomId, event: &Event| hook.lock().unwrap().push(*event);
    (Hub::builder().on_event(hear).workers(2).spawn(), told)
}

/// The texts that a session is due by now, and how many it is told that it missed on the bus.
async fn read(session: &mut Subscription<String>) -> (Vec<String>, u64) {
    let (mut texts, mut missed) = (Vec::new(), 0);
    while let Ok(batch) = timeout(Duration::from_secs(1), session.next_batch()).await {
        for item in batch.unwrap().items() {
            match item {
                Item::Message(message) => texts.push(message.payload.clone()),
                Item::Gap { count, cause, .. } => {
                    assert_eq!(cause, GapCause::Bus);
                    missed += count;
                }
                Item::Direct(direct) => texts.push(direct.payload.clone()),
            }
        }
    }
    (texts, missed)
}

#[tokio::test(start_paused = true)]
async fn b17_an_edge_of_a_hub_is_a_room_as_any() {
    let (hub, told) = telling();
    let (room, port) = edge(&hub, &config());
    let (mut ann, mut guest) =
        (room.join(Join::user(ANN)).unwrap(), room.join(Join::guest()).unwrap());
    let mut elsewhere = Elsewhere::new();
    let spoken = tokio::spawn({
        let (room, ann) = (room.clone(), ann.session());
        async move { room.publish(Publish::new(Source::Session(ann), "hello".to_owned())).await }
    });
    let message = port.next_message().await.unwrap();
    assert_eq!((message.session, port.in_flight()), (Some(ann.session()), 1));
    assert!(!spoken.is_finished(), "the fate is the room's");
    let (id, speaker) = (message.id, message.session);
    let (outcome, flight) = elsewhere.offer(message);
    assert!(matches!(outcome, Outcome::Dispatched { seq: Seq(1), .. }));
    assert!(port.resolve(id, outcome) && !port.resolve(id, outcome));
    assert_eq!(spoken.await.unwrap(), Ok(outcome));
    // The room does not know the sessions of this edge: its host does.
    let flight = as_said_by(&flight, speaker);
    assert_eq!(port.receive(flight.clone()), Received::Taken(1));
    assert_eq!(port.receive(flight), Received::Known);
    assert_eq!(read(&mut guest).await, (vec!["hello".to_owned()], 0));
    assert_eq!(read(&mut ann).await, (vec![], 0), "nobody is told what one said oneself");

    // By an event, with the tag of the publisher.
    let sink = OutcomeSink::Event(CorrelationId(5));
    let key = || Publish::new(Source::Host, "news".to_owned()).dedup_key(DedupKey(3));
    let _ = room.try_publish(key().outcome_sink(sink)).unwrap();
    let message = port.try_next_message().unwrap();
    assert_eq!(room.try_publish(key()).unwrap_err().reason, RefusalReason::Duplicate);
    let refused = Outcome::Dropped { reason: DropReason::RoomRefused, limit: None, retry_at: None };
    assert!(port.resolve(message.id, refused));
    let events = told.lock().unwrap().clone();
    assert!(events.iter().any(|event| matches!(
        event,
        Event::Outcome { outcome_sink, outcome, .. } if *outcome_sink == sink && *outcome == refused
    )));
    assert!(room.try_publish(key()).is_ok(), "it may be said again");
    let stats = room.stats().room;
    assert!(stats.balances());
    assert_eq!(stats.admission.ledger.total().dispatched, 3);
}

/// What comes back says which session said it, where that is one of this edge.
fn as_said_by(flight: &HandOver<String>, session: Option<SessionId>) -> HandOver<String> {
    let messages = flight.messages().iter().map(|message| {
        let session = session.map(SessionId::key);
        let parts = MessageParts { session, ..MessageParts::from(Message::clone(message)) };
        Arc::new(Message::assemble(parts))
    });
    HandOver::assemble(messages, flight.heads()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn b17_a_hub_s_edge_fills_holes_before_what_is_newer() {
    let hub = Hub::<String>::builder().workers(3).spawn();
    let (room, port) = edge(&hub, &config());
    let mut guest = room.join(Join::guest()).unwrap();
    let mut elsewhere = Elsewhere::new();
    let flights: Vec<_> =
        (1..=6).map(|n| elsewhere.say(&n.to_string(), Priority::Normal)).collect();
    let receive = |n: usize| port.receive(flights[n - 1].clone());
    assert_eq!(
        (receive(1), receive(3), receive(3)),
        (Received::Taken(1), Received::Held, Received::Held)
    );
    assert_eq!(port.missing(), Some(Seq(2)..=Seq(2)));
    assert_eq!(read(&mut guest).await.0, ["1"]);
    assert_eq!(receive(2), Received::Taken(2));
    assert_eq!(read(&mut guest).await.0, ["2", "3"]);
    // The last one is on its way for ever.
    assert_eq!(receive(6), Received::Held);
    assert_eq!((port.give_up_missing(), port.missing()), (2, None));
    assert_eq!(read(&mut guest).await, (vec!["6".to_owned()], 2));
    assert_eq!((port.lost(), port.heads()), (PerLevel([0, 2, 0, 0]), PerLevel([0, 6, 0, 0])));
    assert!(room.stats().room.balances());
}

/// However far off the clock of the room's machine is.
#[tokio::test(start_paused = true)]
async fn b17_who_waits_at_a_hub_s_edge_is_woken_by_its_own_clock() {
    for hours in [0, 500_000, 1_000_000] {
        let hub = Hub::<String>::builder().workers(2).spawn();
        let (room, port) = edge(&hub, &RoomConfig::av_chat_room(OWNER));
        let mut guest = room.join(Join::guest()).unwrap();
        let mut elsewhere = Elsewhere::new();
        elsewhere.now = Instant::from_secs(hours * 3_600);
        let heard = tokio::spawn(async move {
            let start = tokio::time::Instant::now();
            let batch = guest.next_batch().await.unwrap();
            (batch.messages()[0].payload.clone(), start.elapsed())
        });
        sleep(Duration::from_secs(1)).await;
        let _ = port.receive(elsewhere.say("gift", Priority::High));
        let (text, took) = heard.await.unwrap();
        assert_eq!((text.as_str(), took), ("gift", Duration::from_secs(1)));
    }
}

/// A bus that is down costs bounded memory, and tells nobody that something went out: 1,024 are on
/// their way, as many wait to be, and the queue is full.
#[tokio::test(start_paused = true)]
async fn b17_what_a_hub_s_edge_has_on_its_way_is_bounded() {
    let hub = Hub::<String>::builder().workers(2).spawn();
    let small = config().to_builder().queue_messages(10).fresh_within(PerLevel([None; 4]));
    let (room, port) = edge(&hub, &small.build().unwrap());
    let (mut taken, mut refused) = (Vec::new(), 0);
    for n in 0..3_000 {
        match room.try_publish(Publish::new(Source::Host, n.to_string())) {
            Ok(receipt) => assert_eq!(receipt.outcome, None),
            Err(no) => {
                assert_eq!(no.reason, RefusalReason::QueueFull);
                refused += 1;
            }
        }
        taken.extend(port.try_next_message());
    }
    assert_eq!((taken.len(), port.in_flight(), refused), (1_024, 1_024, 3_000 - 2 * 1_024 - 10));
    let port = Arc::new(port);
    let next = tokio::spawn({
        let port = Arc::clone(&port);
        async move { port.next_message().await.map(|message| message.payload) }
    });
    sleep(Duration::from_secs(1)).await;
    assert!(!next.is_finished());
    // One fate, one more message.
    let outcome = Outcome::Dispatched { seq: Seq(1), at: Instant::ZERO };
    assert!(port.resolve(taken[10].id, outcome));
    assert_eq!(next.await.unwrap().as_deref(), Some("1024"));
}

/// Whoever awaits a fate that nobody will tell is told so, and the sessions end.
#[tokio::test(start_paused = true)]
async fn b17_an_edge_that_is_taken_off_tells_everybody() {
    let hub = Hub::<String>::builder().workers(2).spawn();
    let (room, port) = edge(&hub, &config());
    let mut guest = room.join(Join::guest()).unwrap();
    let publish = |text: &'static str| {
        let room = room.clone();
        tokio::spawn(async move {
            room.publish(Publish::new(Source::Host, text.to_owned())).await.unwrap()
        })
    };
    let taken = publish("taken");
    assert_eq!(port.next_message().await.unwrap().payload, "taken");
    let waits = publish("waits");
    sleep(Duration::from_secs(1)).await;
    drop(port);
    let lost = Outcome::Dropped { reason: DropReason::EdgeLost, limit: None, retry_at: None };
    assert_eq!((taken.await.unwrap(), waits.await.unwrap()), (lost, lost));
    let end = loop {
        if let Err(end) = guest.next_batch().await {
            break end;
        }
    };
    assert_eq!(end, SessionEnd::Closed(EndReason::RoomClosed));
}

/// What an edge's room tells last is that it has ended.
#[tokio::test(start_paused = true)]
async fn b17_an_edge_that_is_closed_tells_each_fate_before_its_end() {
    let (hub, told) = telling();
    let (room, port) = edge(&hub, &config());
    let sink = |tag| OutcomeSink::Event(CorrelationId(tag));
    for tag in 0..3 {
        let publish = Publish::new(Source::Host, "text".to_owned()).outcome_sink(sink(tag));
        let _ = room.try_publish(publish).unwrap();
    }
    let first = port.try_next_message().unwrap();
    room.close(Actor::Host).unwrap();
    sleep(Duration::from_secs(60)).await;
    assert!(port.next_message().await.is_none());
    let outcome = Outcome::Dispatched { seq: Seq(1), at: Instant::ZERO };
    assert!(!port.resolve(first.id, outcome), "it has been told that nobody knows");
    let told = told.lock().unwrap();
    let fates = told.iter().filter(|event| matches!(event, Event::Outcome { .. })).count();
    assert_eq!((fates, told.last()), (3, Some(&Event::RoomEnded)));
}

/// Bans of the room come over the host's bus, and hold at the edge; what counts is handed on.
#[tokio::test(start_paused = true)]
async fn b17_moderation_and_counters_cross_by_the_host() {
    let hub = Hub::<String>::builder().workers(2).spawn();
    let (room, port) = edge(&hub, &config());
    let mut elsewhere: RoomState<String> = RoomState::new(&config());
    let now = Instant::from_secs(1_000);
    elsewhere.ban(now, Actor::Host, &[BOB], None).unwrap();
    room.data().import(elsewhere.export(now)).unwrap();
    assert!(room.banned_until(BOB).is_some());
    assert!(room.join(Join::user(BOB)).is_err());
    let _ = room.try_publish(Publish::like(Source::Host, "like".to_owned()).units(5)).unwrap();
    assert_eq!(port.next_count(), Some(("likes".into(), 5)));
    assert_eq!(port.next_count(), None);
}

/// What is on its way has the time of the drain to come to its fate.
#[tokio::test(start_paused = true)]
async fn b14_a_drain_waits_for_what_an_edge_has_on_its_way() {
    let (hub, told) = telling();
    let (room, port) = edge(&hub, &config());
    let sink = OutcomeSink::Event(CorrelationId(1));
    let publish = Publish::new(Source::Host, "last".to_owned()).outcome_sink(sink);
    let _ = room.try_publish(publish).unwrap();
    let drain = tokio::spawn(async move { hub.drain(Duration::from_secs(60)).await });
    sleep(Duration::from_secs(1)).await;
    let message = port.try_next_message().unwrap();
    sleep(Duration::from_secs(1)).await;
    assert!(!drain.is_finished());
    let outcome = Outcome::Dispatched { seq: Seq(1), at: Instant::ZERO };
    assert!(port.resolve(message.id, outcome), "it is still awaited");
    drain.await.unwrap();
    let told = told.lock().unwrap();
    let fate = told.iter().find_map(|event| match event {
        Event::Outcome { outcome, .. } => Some(*outcome),
        _ => None,
    });
    assert_eq!((fate, told.last()), (Some(outcome), Some(&Event::RoomEnded)));
}

/// Both sessions have the first slot of their edges; the hubs and the life of the room say whether a token
/// of one is anything at the other.
#[tokio::test(start_paused = true)]
async fn b23_a_token_of_one_edge_goes_on_at_another_and_names_nobody_there() {
    let mut room = Elsewhere::new();
    let at = |key: u8, life: u64| {
        let hub = Hub::<String>::builder().token_key(&[key; 32]).spawn();
        let start = EdgeStart::at(PerLevel::default()).of_life(life);
        let (edge, port) = hub.create_edge_room(RoomId(1), &RoomConfig::fan_out(), start).unwrap();
        (hub, edge, port)
    };
    let (hub, here, port) = at(1, 7);
    room.now = hub.now();
    let mut ann = here.join(Join::user(ANN)).unwrap();
    let flights: Vec<_> =
        ["one", "two", "three"].map(|text| room.say(text, Priority::Normal)).into();
    for flight in &flights[..2] {
        let _ = port.receive(flight.clone());
    }
    assert_eq!(read(&mut ann).await, (vec!["one".into(), "two".into()], 0));
    let token = ann.resume_token().unwrap();
    for (key, life, start) in [
        (1, 7, StartPosition::Resumed),
        (2, 7, StartPosition::Unknown),
        (1, 8, StartPosition::Unknown),
    ] {
        let (_hub, there, port) = at(key, life);
        let bob = there.join(Join::user(BOB)).unwrap();
        assert_eq!(bob.session().key(), ann.session().key());
        for flight in &flights {
            let _ = port.receive(flight.clone());
        }
        let mut again = there.join(Join::user(ANN).resume(token.clone())).unwrap();
        assert_eq!(again.start(), start, "key {key}, life {life}");
        let due = if start == StartPosition::Resumed { vec!["three".to_owned()] } else { vec![] };
        assert_eq!(read(&mut again).await, (due, 0));
        assert!(bob.touch(), "he is not taken for her");
    }
}

#[tokio::test(start_paused = true)]
async fn b14_sessions_are_moved_some_at_a_time_and_nobody_joins_any_more() {
    let hub = Hub::<String>::builder().workers(3).shards_per_room(3).spawn();
    let room = hub.create_room(RoomId(1), &RoomConfig::fan_out()).unwrap();
    let mut guests: Vec<_> = (0..100).map(|_| room.join(Join::guest()).unwrap()).collect();
    let _ = room.try_publish(Publish::new(Source::Host, "due".to_owned())).unwrap();
    room.refuse_joins();
    let refused = room.join(Join::guest()).unwrap_err();
    assert_eq!(refused.to_string(), "the server is shutting down: join at another");
    let mut moved = 0;
    for _ in 0..3 {
        let now = room.move_sessions(40, |_, token| Some(Direct::new(token.to_string())));
        moved += now.sessions;
        assert_eq!((now.sessions, now.unsaid), (40.min(100 - (moved - now.sessions)), 0));
        assert_eq!(room.sessions(), 100, "they take what they are due");
    }
    assert_eq!(room.move_sessions(40, |_, _| None).sessions, 0, "none twice");
    for guest in &mut guests {
        let mut texts = Vec::new();
        let end = loop {
            match guest.next_batch().await {
                Ok(batch) => texts.extend(batch.items().map(|item| match item {
                    Item::Message(message) => message.payload.clone(),
                    Item::Direct(words) => words.payload.clone(),
                    gap @ Item::Gap { .. } => panic!("{gap:?}"),
                })),
                Err(end) => break end,
            }
        };
        assert_eq!(end, SessionEnd::Closed(EndReason::Moved));
        assert_eq!((&*texts[0], texts.len()), ("due", 2));
    }
    assert_eq!(room.sessions(), 0);
    assert!(room.stats().room.balances());
}

#[tokio::test(start_paused = true)]
async fn b14_last_words_that_are_too_large_are_left_out_and_counted() {
    let hub = Hub::<String>::builder().spawn();
    let config = RoomConfig::builder(OWNER).payload_bytes(100).build().unwrap();
    let room = hub.create_room(RoomId(1), &config).unwrap();
    let mut guest = room.join(Join::guest()).unwrap();
    let moved = room.move_sessions(10, |_, _| Some(Direct::new("x".repeat(101))));
    assert_eq!((moved.sessions, moved.unsaid), (1, 1));
    assert_eq!(guest.next_batch().await.unwrap_err(), SessionEnd::Closed(EndReason::Moved));
}
