//! Edges in front of a room (clause B17): every message has one outcome, at its edge or at the
//! room, and the ledgers add up.

use proptest::prelude::*;
use roomcast_core::ids::{CorrelationId, Seq, SessionKind};
use roomcast_core::ledger::{DropReason, RefusalReason};
use roomcast_core::message::{DedupKey, Limit, MergeKey, MessageParts, OutcomeSink, Urgency};
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
        let whole = room.merged_with_edges(snapshots.iter().copied());
        assert!(whole.balances());
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
    let mut publish = edge.poll_message().expect("it goes on").into_publish();
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
    assert_eq!(publish.profile.as_deref().map(String::as_str), Some("ann, 31"));
    publish.profile = Some(Arc::new("ann, 31, likes rockets".into()));
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
    let mut publish = Publish::gift_combo(
        Source::Edge { user: UserId(7), session: Some(SessionId::from_bits(1 << 40 | 1)) },
        UserId(7),
        3,
        5,
        "a rocket".to_owned(),
    );
    publish.profile = Some(Arc::new("ann, 31".into()));
    let _ = room.publish(now, publish).unwrap();
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
