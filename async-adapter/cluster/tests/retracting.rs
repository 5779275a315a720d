//! Messages are taken back over machines (clause C1): nobody who has not got them gets them, at any node.

mod place;

use place::{LONG, OWNER, Place, ROOM, hears, owned};
use roomcast::config::SystemMessages;
use roomcast::error::DropReason;
use roomcast::event::SystemMessage;
use roomcast::message::Seq;
use roomcast::moderation::Retraction;
use roomcast::{
    Actor, Hub, Join, Outcome, Payload, PerLevel, Priority, Publish, RoomConfig, Source,
    Subscription, UserId,
};
use roomcast_cluster::ClusterHub;
use roomcast_cluster::bus::LocalBus;
use roomcast_cluster::hub::CommandError;
use roomcast_cluster::proto::NodeOptions;
use roomcast_cluster::wire::{NotDone, PayloadError, Wire};
use std::borrow::Cow;
use std::time::Duration;
use tokio::time::timeout;

const ANN: UserId = UserId(7);
const BOB: UserId = UserId(8);

/// Says something by a session, which waits until it has gone out.
async fn says(place: &Place, session: &Subscription<String>, text: &str) -> Seq {
    let publish = Publish::new(Source::Session(session.session()), text.to_owned());
    match timeout(LONG, place.room.publish(publish)).await.unwrap().unwrap() {
        Outcome::Dispatched { seq, .. } => seq,
        other => panic!("{other:?}"),
    }
}

async fn retracts(place: &Place, actor: Actor, what: Retraction) -> Result<(), CommandError> {
    timeout(LONG, place.room.moderation(actor).retract(what)).await.expect("an owner decides")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_back_nobody_gets_at_any_node_and_by_any_owner() {
    let bus = LocalBus::new();
    let config = RoomConfig::builder(OWNER)
        .rate(1_000)
        .burst(1_000)
        .fresh_within(PerLevel([None; 4]))
        .replay_on_join(100)
        .build()
        .unwrap();
    let place = async |name| Place::of(Hub::start(), &config, name, bus.connect()).await;
    let places = [place(1).await, place(2).await];
    let mut readers = Vec::new();
    for place in &places {
        readers.push(place.room.join(Join::guest()).unwrap());
    }
    let ann = places[0].room.join(Join::user(ANN)).unwrap();
    let bob = places[1].room.join(Join::user(BOB)).unwrap();
    let first = says(&places[0], &ann, "first").await;
    let slip = says(&places[0], &ann, "a slip").await;
    let spam = says(&places[1], &bob, "spam").await;
    // By whoever has said it and by the staff, and by nobody else.
    let refused = retracts(&places[1], Actor::User(BOB), Retraction::Sent(slip)).await;
    assert_eq!(refused, Err(CommandError::NotDone(NotDone::NotAllowed)));
    let gone = retracts(&places[1], Actor::Host, Retraction::Sent(Seq(99))).await;
    assert_eq!(gone, Err(CommandError::NotDone(NotDone::Gone)), "it has not gone out yet");
    retracts(&places[1], Actor::User(ANN), Retraction::Sent(slip)).await.unwrap();
    retracts(&places[0], Actor::User(OWNER), Retraction::AllOf(BOB)).await.unwrap();
    // Once more is no error.
    retracts(&places[0], Actor::Host, Retraction::Sent(spam)).await.unwrap();
    let last = says(&places[1], &bob, "sorry").await;
    assert_eq!((first, last), (Seq(1), Seq(4)), "the numbers go on");
    for (place, reader) in places.iter().zip(&mut readers) {
        assert_eq!(hears(reader, 2).await, ["first", "sorry"]);
        let mut late = place.room.join(Join::guest()).unwrap();
        assert_eq!(hears(&mut late, 2).await, ["first", "sorry"]);
        assert!(late.try_next_batch().unwrap().is_none());
        let books = place.room.stats().room;
        assert!(books.balances());
        let excluded = books.audience.deliveries[Priority::Normal].excluded;
        // The slip and the spam, for the reader and for whoever of the two sat here, and what these said.
        assert!(excluded >= 4, "{excluded}");
    }
    // Whoever goes on with the room knows who has said what, and what was taken back.
    let unread = places.each_ref().map(|place| place.room.join(Join::guest()).unwrap());
    let owner = places.iter().position(Place::owns).expect("one of them");
    let [one, two] = places;
    let [unread_one, unread_two] = unread;
    let (dies, lives, _unread) =
        if owner == 0 { (one, two, unread_two) } else { (two, one, unread_one) };
    drop(dies);
    retracts(&lives, Actor::User(ANN), Retraction::Sent(slip)).await.unwrap();
    let refused = retracts(&lives, Actor::User(BOB), Retraction::Sent(first)).await;
    assert_eq!(refused, Err(CommandError::NotDone(NotDone::NotAllowed)));
    retracts(&lives, Actor::User(ANN), Retraction::Sent(first)).await.unwrap();
    let mut late = lives.room.join(Join::guest()).unwrap();
    assert_eq!(hears(&mut late, 1).await, ["sorry"]);
    assert!(late.try_next_batch().unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_at_the_owner_is_dropped_and_its_sender_told() {
    let bus = LocalBus::new();
    let config = |rate| {
        let builder = RoomConfig::builder(OWNER).rate(rate).burst(rate);
        builder.fresh_within(PerLevel([None; 4])).build().unwrap()
    };
    // One goes out in a second: whatever passes the edge waits at the owner.
    let owner = Place::of(Hub::start(), &config(1), 1, bus.connect()).await;
    let edge = Place::of(Hub::start(), &config(1_000), 2, bus.connect()).await;
    let [owner, edge] = owned([owner, edge]).await;
    assert!(owner.owns());
    let ann = edge.room.join(Join::user(ANN)).unwrap();
    says(&edge, &ann, "goes out").await;
    let waiting: Vec<_> = (0..60)
        .map(|n| {
            let room = edge.room.clone();
            let publish = Publish::new(Source::Session(ann.session()), n.to_string());
            tokio::spawn(async move { room.publish(publish).await.unwrap() })
        })
        .collect();
    let is_open = || waiting.iter().any(|waits| !waits.is_finished());
    timeout(LONG, async {
        while is_open() {
            retracts(&edge, Actor::User(ANN), Retraction::AllOf(ANN)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    let mut dropped = 0;
    for waits in waiting {
        match waits.await.unwrap() {
            Outcome::Dropped { reason: DropReason::Retracted, .. } => dropped += 1,
            Outcome::Dispatched { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(dropped > 0);
    assert!(edge.room.stats().room.balances());
}

/// A payload that has words for what is taken back.
#[derive(Clone, Debug, PartialEq)]
struct Words(String);

impl Payload for Words {
    fn size(&self) -> usize {
        self.0.len()
    }

    fn system_message(tip: &SystemMessage<'_>) -> Option<Self> {
        let SystemMessage::Retracted { seqs } = tip else { return None };
        Some(Self(format!("taken back: {seqs:?}")))
    }
}

impl Wire for Words {
    fn encode(&self) -> Cow<'_, [u8]> {
        self.0.as_bytes().into()
    }

    fn decode(bytes: &[u8]) -> Result<Self, PayloadError> {
        String::decode(bytes).map(Self)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_got_what_is_taken_back_is_told_at_every_node() {
    let bus = LocalBus::new();
    let config = RoomConfig::builder(OWNER).system_messages(SystemMessages::ALL).build().unwrap();
    let node =
        |name| ClusterHub::<Words>::join(Hub::start(), bus.connect(), NodeOptions::new(name));
    let (here, there) = (node(1), node(2));
    let open = async |hub: &ClusterHub<Words>| hub.open_room(ROOM, &config).await.unwrap();
    let (here_room, there_room) =
        (timeout(LONG, open(&here)).await.unwrap(), timeout(LONG, open(&there)).await.unwrap());
    let mut readers = [&here_room, &there_room].map(|room| room.join(Join::guest()).unwrap());
    let said = Publish::new(Source::Host, Words("oh no".into()));
    let said = timeout(LONG, there_room.publish(said)).await.unwrap().unwrap();
    let Outcome::Dispatched { seq, .. } = said else { panic!("{said:?}") };
    let next = async |reader: &mut Subscription<Words>| {
        let batch = timeout(LONG, reader.next_batch()).await.unwrap().unwrap();
        batch.messages()[0].payload.0.clone()
    };
    for reader in &mut readers {
        assert_eq!(next(reader).await, "oh no");
    }
    let host = there_room.moderation(Actor::Host);
    timeout(LONG, host.retract(Retraction::Sent(seq))).await.unwrap().unwrap();
    for reader in &mut readers {
        assert_eq!(next(reader).await, format!("taken back: [{seq:?}]"));
    }
}
