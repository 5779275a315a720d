//! Edges in front of a room (clause B17): every message has one outcome, at its edge or at the
//! room, and the ledgers add up.

use proptest::prelude::*;
use roomcast_core::admission::ReviewDecision;
use roomcast_core::config::{ReviewConfig, WhenLate};
use roomcast_core::ids::{CorrelationId, MessageId, Seq, SessionKey, SessionKind};
use roomcast_core::ledger::{DropReason, RefusalReason};
use roomcast_core::message::{
    DedupKey, EdgeMessage, Limit, MergeKey, MessageParts, OutcomeSink, Relayed, Reviewed, Sender,
    Urgency,
};
use roomcast_core::shard_index::ShardIndex;
use roomcast_core::time::Duration;
use roomcast_core::{
    Actor, Admission, Audience, Budget, Edge, Event, Group, Instant, Kind, Message, Outcome,
    PerLevel, Priority, Publish, RoomConfig, SessionId, Source, UserId,
};
use std::collections::BTreeMap;
use std::sync::Arc;

const OWNER: UserId = UserId(1);
/// The room's own part comes last.
const EDGES: u32 = 3;

struct World {
    edges: Vec<(Edge<String>, Audience<String>)>,
    room: Admission<String>,
    now: Instant,
    /// The fates of what asked for one, by tag.
    fates: BTreeMap<u64, Vec<Outcome>>,
    forwarded: Vec<u64>,
}

impl World {
    fn new(edge: &RoomConfig, room: &RoomConfig) -> Self {
        let edges = (0..EDGES).map(|index| {
            let part = ShardIndex::new(index, 4).expect("one of four");
            (Edge::new(edge), Audience::shard(room, part, PerLevel::default()))
        });
        Self {
            edges: edges.collect(),
            room: Admission::new(room),
            now: Instant::from_secs(100),
            fates: BTreeMap::new(),
            forwarded: Vec::new(),
        }
    }

    fn join(&mut self, edge: usize, user: UserId) -> SessionId {
        let (edge, audience) = &mut self.edges[edge];
        edge.check_join(self.now, Some(user)).expect("not banned");
        let session = audience
            .join(SessionKind::User, Group::default(), None)
            .expect("there is room")
            .session;
        edge.add_session(self.now, user, session);
        session
    }

    fn note(fates: &mut BTreeMap<u64, Vec<Outcome>>, tag: u64, outcome: Outcome) {
        fates.entry(tag).or_default().push(outcome);
    }

    fn publish(
        &mut self,
        edge: usize,
        publish: Publish<String>,
        tag: u64,
    ) -> Result<(), RefusalReason> {
        let receipt = self.edges[edge]
            .0
            .publish(self.now, publish.outcome_sink(OutcomeSink::Event(CorrelationId(tag))))
            .map_err(|refused| refused.reason)?;
        self.fates.entry(tag).or_default();
        if let Some(outcome) = receipt.outcome {
            Self::note(&mut self.fates, tag, outcome);
        }
        self.carry();
        Ok(())
    }

    /// What the edges let through goes to the room, what the room sends goes to the edges'
    /// audiences, events are polled.
    fn carry(&mut self) {
        for (edge, _) in &mut self.edges {
            edge.handle_timeout(self.now);
            while let Some(forward) = edge.poll_message() {
                let OutcomeSink::Event(CorrelationId(tag)) = forward.outcome_sink else {
                    panic!("all ask for their outcome")
                };
                self.forwarded.push(tag);
                match self.room.publish(self.now, forward.into_publish()) {
                    Ok(receipt) => receipt
                        .outcome
                        .into_iter()
                        .for_each(|outcome| Self::note(&mut self.fates, tag, outcome)),
                    Err(refused) => {
                        let reason = DropReason::Evicted;
                        let outcome = Outcome::Dropped {
                            reason,
                            limit: refused.limit,
                            retry_at: refused.retry_at,
                        };
                        Self::note(&mut self.fates, tag, outcome);
                    }
                }
            }
            while let Some(event) = edge.poll_event() {
                if let Event::Outcome {
                    outcome_sink: OutcomeSink::Event(CorrelationId(tag)),
                    outcome,
                    ..
                } = event
                {
                    assert!(
                        !matches!(outcome, Outcome::Dispatched { .. }),
                        "that is for the room to say"
                    );
                    Self::note(&mut self.fates, tag, outcome);
                }
            }
        }
        self.room.handle_timeout(self.now);
        while let Some(event) = self.room.poll_event() {
            if let Event::Outcome {
                outcome_sink: OutcomeSink::Event(CorrelationId(tag)),
                outcome,
                ..
            } = event
            {
                Self::note(&mut self.fates, tag, outcome);
            }
        }
        let applied = self.edges[0].1.applied();
        let handed = self.room.hand_over(applied);
        for (_, audience) in &mut self.edges {
            audience.take_over(handed.clone());
        }
        self.room.release_through(self.room.dispatched());
        self.check();
    }

    fn check(&self) {
        let snapshots: Vec<_> =
            self.edges.iter().map(|(edge, _)| edge.snapshot(self.now).ledger).collect();
        let room = self.room.snapshot(self.now).ledger;
        assert!(snapshots.iter().all(roomcast_core::ledger::Ledger::balances) && room.balances());
        let forwarded: u64 = snapshots.iter().map(|ledger| ledger.total().dispatched).sum();
        assert_eq!(
            (forwarded, self.forwarded.len() as u64),
            (room.total().submitted, room.total().submitted)
        );
        let whole = room.with_edges(snapshots.iter().copied());
        assert!(whole.balances());
        let whole = whole.ledger;
        let submitted: u64 = snapshots.iter().map(|ledger| ledger.total().submitted).sum();
        let units: u64 = snapshots.iter().map(|ledger| ledger.total().units.submitted).sum();
        assert_eq!((whole.total().submitted, whole.total().units.submitted), (submitted, units));
        assert_eq!(whole.total().dispatched, room.total().dispatched);
    }

    fn wait(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
        self.carry();
    }
}

fn config(rate: u32, wait: Option<u64>) -> RoomConfig {
    let builder = RoomConfig::builder(OWNER).rate(rate).burst(rate).queue_messages(8);
    builder
        .fresh_within(PerLevel([
            None,
            wait.map(Duration::from_millis),
            wait.map(Duration::from_millis),
            Some(Duration::ZERO),
        ]))
        .build()
        .unwrap()
}

/// The ledgers add up.
#[test]
fn b17_a_flood_ends_at_its_edge() {
    let config = config(10, Some(1_000));
    let mut world = World::new(&config, &config);
    let ann = world.join(0, UserId(7));
    let bob = world.join(1, UserId(8));
    let device = world.join(1, UserId(7));
    for tag in 0..1_000 {
        let _ = world.publish(0, Publish::new(Source::Session(ann), "flood".into()), tag);
    }
    assert_eq!(
        world.room.snapshot(world.now).ledger.total().submitted,
        10,
        "no more than the room could send"
    );
    world.publish(1, Publish::gift(Source::Session(bob), "gift".into()), 5_000).unwrap();
    for _ in 0..40 {
        world.wait(100);
    }
    assert!(world.fates.values().all(|fates| fates.len() == 1), "one outcome each");
    assert!(matches!(world.fates[&5_000][..], [Outcome::Dispatched { .. }]));
    // The very session that sent it gets no echo, whatever edge it is at; the user's other device
    // does.
    let mut heard = |edge: usize, session| {
        let budget = Budget { messages: 10_000, bytes: 1 << 20 };
        let batch = world.edges[edge].1.next_batch(Instant::ZERO, session, budget).unwrap();
        batch.map_or(0, |batch| {
            batch.messages().iter().filter(|message| message.payload == "flood").count()
        })
    };
    assert_eq!(heard(0, ann), 0);
    assert!(heard(1, device) >= 10);
}

/// The profile goes along, within the room's limit.
#[test]
fn b17_all_that_was_published_is_forwarded() {
    let config = RoomConfig::builder(OWNER).profile_bytes(8).build().unwrap();
    let (mut edge, mut room) = (Edge::<String>::new(&config), Admission::<String>::new(&config));
    let (now, ann) = (Instant::from_secs(100), UserId(7));
    let part = ShardIndex::new(0, 4).expect("one of four");
    let mut audience: Audience<String> = Audience::shard(&config, part, PerLevel::default());
    let session = audience.join(SessionKind::User, Group::default(), None).unwrap().session;
    edge.add_session(now, ann, session);
    edge.set_profile(ann, Some("ann, 31".into())).unwrap();
    let publish = Publish::new(Source::Session(session), "a rocket".to_owned())
        .kind(Kind::Custom)
        .priority(Priority::High);
    let publish = publish
        .urgent()
        .merge_key(MergeKey::Number(4))
        .units(3)
        .dedup_key(DedupKey(5))
        .outcome_sink(OutcomeSink::Event(CorrelationId(6)));
    let _ = edge.publish(now, publish).unwrap();
    let message = edge.poll_message().expect("it goes on");
    assert_eq!((message.admitted_at, message.reviewed), (now, Reviewed::NotYet));
    let mut publish = message.into_publish();
    assert_eq!(publish.source, Source::Edge { user: ann, session: Some(session) });
    assert_eq!((publish.kind, publish.priority, publish.units), (Kind::Custom, Priority::High, 3));
    assert_eq!(publish.urgency, Urgency::Urgent);
    assert_eq!(
        (publish.merge_key, publish.dedup_key),
        (Some(MergeKey::Number(4)), Some(DedupKey(5)))
    );
    assert_eq!(
        (publish.outcome_sink, &*publish.payload),
        (Some(OutcomeSink::Event(CorrelationId(6))), "a rocket")
    );
    let relayed = publish.relayed.as_deref_mut().expect("it comes from an edge");
    assert_eq!(relayed.admitted_at, Some(now));
    assert_eq!(relayed.profile.as_deref().map(String::as_str), Some("ann, 31"));
    relayed.profile = Some(Arc::new("ann, 31, likes rockets".into()));
    let refused = room.publish(now, publish).unwrap_err();
    assert_eq!(
        (refused.reason, refused.limit),
        (RefusalReason::TooLarge, Some(Limit::ProfileBytes { size: 22, max: 8 }))
    );
    assert_eq!(refused.to_string(), "refused: profile too large: 22 bytes (limit 8)");
}

/// With its size, by which logs are bounded; whoever reads it cannot tell.
#[test]
fn b17_a_message_from_a_wire_is_the_very_message() {
    let config = RoomConfig::builder(OWNER).build().unwrap();
    let mut room = Admission::<String>::new(&config);
    let now = Instant::from_secs(100);
    let publish = Publish::gift_combo(
        Source::Edge { user: UserId(7), session: Some(SessionId::from_bits(1 << 40 | 1)) },
        UserId(7),
        3,
        5,
        "a rocket".to_owned(),
    );
    let mut relayed = Relayed::default();
    relayed.profile = Some(Arc::new("ann, 31".into()));
    let _ = room.publish(now, publish.relayed(relayed)).unwrap();
    let handed = room.hand_over(Seq::default());
    let [message] = handed.messages() else { panic!("one went out") };
    let parts = MessageParts::from((**message).clone());
    assert_eq!(parts.clone(), MessageParts { units: 5, ..parts.clone() });
    assert_eq!(Message::assemble(parts), **message);
}

#[test]
fn b17_the_rooms_bans_and_mutes_stop_edge_users() {
    let config = config(10, None);
    let mut world = World::new(&config, &config);
    let (ann, bob) = (world.join(0, UserId(7)), world.join(1, UserId(8)));
    world.room.ban(world.now, Actor::Host, &[UserId(7)], None).unwrap();
    world.room.mute(world.now, Actor::Host, &[UserId(8)], None).unwrap();
    for (edge, session) in [(0, ann), (1, bob)] {
        world
            .publish(edge, Publish::new(Source::Session(session), "hello".into()), edge as u64)
            .unwrap();
    }
    let refused = world.room.snapshot(world.now).ledger.total().refused;
    assert_eq!((refused.count(RefusalReason::Banned), refused.count(RefusalReason::Muted)), (1, 1));
}

/// A user's text that an edge let in then.
fn aged(at: Instant, text: &str) -> EdgeMessage<String> {
    EdgeMessage::new(MessageId(1), Sender::User(UserId(7)), at, text.to_owned())
}

/// A text that may wait for two seconds has waited for one and a half at its edge.
#[test]
fn b17_a_deadline_counts_from_the_edge() {
    let secs = Duration::from_secs;
    let config = RoomConfig::builder(OWNER).rate(1).burst(1);
    let config = config.fresh_within(PerLevel([None, Some(secs(2)), None, None])).build().unwrap();
    let start = Instant::from_secs(100);
    let mut room = Admission::<String>::new(&config);
    let _ =
        room.publish(start, Publish::new(Source::Host, "the one of this second".into())).unwrap();
    let waits = aged(start.saturating_sub(Duration::from_millis(1_500)), "waits").into_publish();
    let young = room.publish(start, Publish::new(Source::Host, "young".into())).unwrap();
    let receipt = room.publish(start, waits).unwrap();
    assert_eq!((young.outcome, receipt.outcome), (None, None));
    // It stands before what came to the room first, and is let in, since then it would have.
    let deadline = start + Duration::from_millis(500);
    assert_eq!(room.poll_timeout(), Some(deadline));
    room.handle_timeout(deadline);
    assert_eq!(room.snapshot(deadline).ledger.total().dropped.count(DropReason::Expired), 1);
    room.handle_timeout(start + secs(1));
    let handed = room.hand_over(Seq(1));
    let payloads: Vec<_> = handed.messages().iter().map(|message| &*message.payload).collect();
    assert_eq!(payloads, ["young"]);
    // The message's own time is that of the edge.
    let (now, at) = (start + secs(3), start + Duration::from_millis(2_500));
    let receipt = room.publish(now, aged(at, "on time").into_publish()).unwrap();
    assert!(matches!(receipt.outcome, Some(Outcome::Dispatched { .. })));
    let handed = room.hand_over(Seq(2));
    assert_eq!((handed.messages()[0].admitted_at, handed.messages()[0].dispatched_at), (at, now));
}

/// Its sender was told that it is in, so it is not refused.
#[test]
fn b17_what_the_room_finds_too_late_is_dropped() {
    let within = Duration::from_millis(200);
    let config = RoomConfig::builder(OWNER).rate(1).burst(1).when_late(WhenLate::RefuseAtOnce);
    let config = config.fresh_within(PerLevel([Some(within); 4])).build().unwrap();
    let now = Instant::from_secs(100);
    let mut room = Admission::<String>::new(&config);
    let expired = room.publish(now, aged(now.saturating_sub(within), "old").into_publish());
    let dropped = |reason| {
        let limit = Some(Limit::FreshWithin { max: within });
        Some(Outcome::Dropped { reason, limit, retry_at: None })
    };
    assert_eq!(expired.unwrap().outcome, dropped(DropReason::Expired));
    let fresh = || aged(now.saturating_sub(Duration::from_millis(100)), "fresh").into_publish();
    let receipt = room.publish(now, fresh()).unwrap();
    assert!(matches!(receipt.outcome, Some(Outcome::Dispatched { .. })));
    assert_eq!(room.publish(now, fresh()).unwrap().outcome, dropped(DropReason::Congested));
    // What comes here first is asked to come again.
    let here = room.publish(now, Publish::new(Source::Host, "here".into())).unwrap_err();
    assert_eq!(here.reason, RefusalReason::Congested);
    let books = room.snapshot(now).ledger;
    assert_eq!((books.total().submitted, books.total().from_edges), (4, 3));
    assert!(books.balances());
}

/// What an edge has had reviewed goes on; what another one has not is reviewed at the room.
#[test]
fn b17_what_an_edge_reviewed_is_reviewed_once() {
    let mut review = ReviewConfig::default();
    review.levels = PerLevel([true; 4]);
    let builder = RoomConfig::builder(OWNER).rate(10).burst(10);
    let (open, reviewed) =
        (builder.clone().build().unwrap(), builder.review(review).build().unwrap());
    let now = Instant::from_secs(100);
    for (config, reviews) in [(&reviewed, 0), (&open, 1)] {
        let mut edge = Edge::<String>::new(config);
        let mut room = Admission::<String>::new(&reviewed);
        let session = SessionKey::from_bits(1).in_life(0);
        edge.add_session(now, UserId(7), session);
        let receipt = edge.publish(now, Publish::new(Source::Session(session), "text".into()));
        if let Some(ticket) = receipt.unwrap().review {
            assert!(edge.poll_message().is_none(), "it waits for a verdict");
            edge.review(now, ticket, ReviewDecision::Allow).unwrap();
        }
        let message = edge.poll_message().expect("it goes on");
        assert_eq!(message.reviewed == Reviewed::AtEdge, reviews == 0);
        let receipt = room.publish(now, message.into_publish()).unwrap();
        assert_eq!(
            (receipt.review.is_some(), receipt.outcome.is_some()),
            (reviews == 1, reviews == 0)
        );
    }
}

/// Likes count once, at the edge, whatever becomes of them; the room's counter gains as much.
#[test]
fn b17_what_counts_at_an_edge_counts_at_the_room() {
    let config = RoomConfig::builder(OWNER).rate(1).burst(1).queue_messages(1);
    let config = config.build().unwrap();
    let (mut edge, mut room) = (Edge::<String>::new(&config), Admission::<String>::new(&config));
    let now = Instant::from_secs(100);
    let vote = |key| Publish::new(Source::Host, "vote".to_owned()).units(3).counted(key);
    for key in ["a", "b", "a", "b", "a"] {
        let _ = edge.publish(now, vote(key)).unwrap();
    }
    assert!(edge.snapshot(now).ledger.total().dropped.total() > 0, "some are shed");
    let hand_on = |edge: &mut Edge<String>, room: &mut Admission<String>| {
        while let Some((key, gained)) = edge.poll_count() {
            room.add_counter(&key, gained).unwrap();
        }
    };
    hand_on(&mut edge, &mut room);
    while let Some(message) = edge.poll_message() {
        let _ = room.publish(now, message.into_publish()).unwrap();
    }
    assert_eq!((room.counter("a"), room.counter("b")), (Some(9), Some(6)));
    let _ = edge.publish(now, vote("a")).unwrap();
    hand_on(&mut edge, &mut room);
    assert_eq!((room.counter("a"), edge.poll_count()), (Some(12), None));
    // What the room carried is no gain.
    edge.import(now, room.export(now)).unwrap();
    assert_eq!((edge.counter("a"), edge.poll_count()), (Some(12), None));
}

/// A seam that loses some and repeats others: each shows.
#[test]
fn b17_the_books_see_what_the_seam_loses() {
    let config = RoomConfig::builder(OWNER).rate(100).burst(100).build().unwrap();
    let now = Instant::from_secs(100);
    for (lost, twice) in [(0, 0), (4, 0), (0, 5), (10, 0)] {
        let (mut edge, mut room) =
            (Edge::<String>::new(&config), Admission::<String>::new(&config));
        let _ = room.publish(now, Publish::new(Source::Host, "its own".into())).unwrap();
        for n in 0..10 {
            let _ = edge.publish(now, Publish::new(Source::Host, n.to_string()).units(2)).unwrap();
        }
        let mut forwards: Vec<_> = std::iter::from_fn(|| edge.poll_message()).skip(lost).collect();
        forwards.extend_from_within(..twice);
        for forward in forwards {
            let _ = room.publish(now, forward.into_publish()).unwrap();
        }
        let whole = room.snapshot(now).ledger.with_edges([edge.snapshot(now).ledger]);
        assert_eq!(whole.ledger.total().submitted, 11, "what was published");
        assert_eq!(whole.ledger.total().units.submitted, 21);
        assert_eq!(whole.missing.values().sum::<u64>(), lost as u64);
        assert_eq!(whole.surplus.values().sum::<u64>(), twice as u64);
        assert_eq!(whole.balances(), lost + twice == 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    /// The books add up.
    #[test]
    fn b17_every_message_has_one_outcome(
        (edge_rate, room_rate) in (1_u32..20, 1_u32..20),
        wait in prop::option::of(0_u64..3_000),
        steps in prop::collection::vec((0_usize..3, 0_u64..4, 0_usize..4, any::<u8>()), 1..120),
    ) {
        let mut world = World::new(&config(edge_rate, wait), &config(room_rate, wait));
        let sessions: Vec<Vec<SessionId>> =
            (0..3).map(|edge| (0..4).map(|user| world.join(edge, UserId(10 + user))).collect()).collect();
        for (tag, (edge, user, level, what)) in (0_u64..).zip(steps) {
            let source = Source::Session(sessions[edge][usize::try_from(user).unwrap_or(0)]);
            let mut publish = Publish::new(source, tag.to_string()).priority(Priority::ALL[level]).units(u64::from(what % 5));
            publish.merge_key = (what & 1 == 0).then_some(MergeKey::Number(1));
            let _ = world.publish(edge, publish, tag);
            world.wait(u64::from(what / 8) * 7);
        }
        for _ in 0..200 {
            world.wait(1_000);
        }
        prop_assert!(world.fates.values().all(|fates| fates.len() == 1));
        // What one sender says at one level at one edge stays in order, as far as it gets through.
        for (edge, audience) in world.edges.iter_mut().map(|(_, audience)| audience).enumerate() {
            let listener = sessions[edge][0];
            let budget = Budget { messages: 10_000, bytes: 1 << 20 };
            let mut last: BTreeMap<_, u64> = BTreeMap::new();
            while let Ok(Some(batch)) = audience.next_batch(Instant::ZERO, listener, budget) {
                for message in batch.messages() {
                    let key = (message.sender, message.priority, message.session);
                    let tag: u64 = message.payload.parse().expect("a number");
                    prop_assert!(message.session.is_none() || last.insert(key, tag).is_none_or(|last| last < tag));
                }
            }
        }
    }
}
