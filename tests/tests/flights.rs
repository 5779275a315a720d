//! What a room dispatches on its way to an edge (B17): it may come late, twice and in any order.

use roomcast_core::admission::Received;
use roomcast_core::handover::HandOver;
use roomcast_core::ids::{Seq, SessionKind};
use roomcast_core::message::MessageParts;
use roomcast_core::{
    Admission, Audience, Budget, Edge, GapCause, Group, Instant, Item, Message, PerLevel, Priority,
    Publish, RoomConfig, SessionId, Source, UserId,
};
use std::sync::Arc;

const OWNER: UserId = UserId(1);

/// What a session has yet to read, and how much it is told that it missed: lost on the way.
fn read(audience: &mut Audience<String>, session: SessionId) -> (Vec<String>, u64) {
    let (mut texts, mut missed) = (Vec::new(), 0);
    while let Ok(Some(batch)) = audience.next_batch(Instant::ZERO, session, Budget::default()) {
        for item in batch.items() {
            match item {
                Item::Message(message) => texts.push(message.payload.clone()),
                Item::Gap { count, cause, .. } => {
                    assert_eq!((cause, cause.name()), (GapCause::Bus, "bus"));
                    missed += count;
                }
                Item::Direct(_) => {}
            }
        }
    }
    (texts, missed)
}

/// A room's flights, one for each text; of a level by turns.
fn flights(count: usize) -> Vec<HandOver<String>> {
    let config = RoomConfig::builder(OWNER).rate(10_000).burst(10_000).build().unwrap();
    let mut room = Admission::<String>::new(&config);
    let publish = |n: usize| {
        let sent = room.dispatched();
        let level = [Priority::High, Priority::Normal][n % 2];
        let publish = Publish::new(Source::Host, n.to_string()).priority(level);
        let _ = room.publish(Instant::from_secs(100), publish).unwrap();
        room.hand_over(sent)
    };
    (0..count).map(publish).collect()
}

/// An edge, its audience, and somebody who listens there.
fn listening(config: &RoomConfig) -> (Edge<String>, Audience<String>, SessionId) {
    let mut audience = Audience::new(config);
    let session = audience.join(SessionKind::Guest, Group::default(), None).unwrap().session;
    (Edge::new(config), audience, session)
}

#[test]
fn b17_a_filled_hole_comes_before_what_is_newer() {
    let now = Instant::from_secs(7);
    let config = RoomConfig::builder(OWNER).build().unwrap();
    let (mut edge, mut audience, session) = listening(&config);
    let flights = flights(6);
    for (flight, received) in [
        (0, Received::Taken(1)),
        (3, Received::Held),
        (0, Received::Known),
        (5, Received::Held),
        (3, Received::Held),
        (2, Received::Held),
        (1, Received::Taken(3)),
        (4, Received::Taken(2)),
        (5, Received::Known),
    ] {
        let missing = edge.missing();
        assert_eq!(
            edge.receive(flights[flight].clone()),
            received,
            "{flight}, missing {missing:?}"
        );
        audience.take_over_at(now, edge.hand_over(audience.applied()));
    }
    assert_eq!((edge.missing(), edge.heads()), (None, flights[5].heads()));
    let (texts, missed) = read(&mut audience, session);
    assert_eq!((texts.join(" "), missed), ("0 2 4 1 3 5".into(), 0));
}

/// Told as a gap, and counted, with what is known only from the heads.
#[test]
fn b17_what_is_given_up_is_a_gap() {
    let now = Instant::from_secs(7);
    let config = RoomConfig::builder(OWNER).build().unwrap();
    let (mut edge, mut audience, session) = listening(&config);
    let flights = flights(7);
    assert_eq!(edge.receive(flights[0].clone()), Received::Taken(1));
    audience.take_over_at(now, edge.hand_over(audience.applied()));
    assert_eq!(read(&mut audience, session), (vec!["0".into()], 0));
    assert_eq!(edge.receive(flights[4].clone()), Received::Held);
    assert_eq!(edge.missing(), Some(Seq(2)..=Seq(4)));
    assert_eq!((edge.give_up_missing(), edge.give_up_missing()), (3, 0));
    assert_eq!(edge.lost(), PerLevel([1, 2, 0, 0]));
    assert_eq!(edge.receive(flights[2].clone()), Received::Known, "it is too late");
    // The last ones are lost, and nothing follows but word of how far the room has come.
    let word = HandOver::assemble([], flights[6].heads()).unwrap();
    assert_eq!(edge.receive(word), Received::Held);
    assert_eq!(edge.missing(), Some(Seq(6)..=Seq(7)));
    audience.take_over_at(now, edge.hand_over(audience.applied()));
    assert_eq!(read(&mut audience, session), (vec!["4".into()], 3));
    assert_eq!(edge.give_up_missing(), 2);
    audience.take_over_at(now, edge.hand_over(audience.applied()));
    assert_eq!(read(&mut audience, session), (vec![], 2));
    assert_eq!(audience.snapshot().heads, flights[6].heads());
    let skips = audience.snapshot().skips;
    assert_eq!(PerLevel(skips.0.map(|skips| skips.bus)), edge.lost());
    assert_eq!(audience.skips(session), Some(skips));
}

/// As many messages as the outbox holds; then the oldest hole is given up.
#[test]
fn b17_what_is_held_is_bounded() {
    let config = RoomConfig::builder(OWNER).outbox_capacity(1_024).build().unwrap();
    let (mut edge, ..) = listening(&config);
    let flights = flights(2_051);
    for held in 1..=1_024 {
        assert_eq!(edge.receive(flights[2 * held].clone()), Received::Held);
    }
    assert_eq!(edge.receive(flights[2_050].clone()), Received::Taken(1));
    assert_eq!((edge.dispatched(), edge.missing()), (Seq(3), Some(Seq(4)..=Seq(4))));
    assert_eq!(edge.lost().values().sum::<u64>(), 2);
}

/// What contradicts itself is no hand-over, and what contradicts what came before is foreign.
#[test]
fn b17_held_flights_without_messages_are_bounded() {
    let config = RoomConfig::builder(OWNER).build().unwrap();
    let (mut edge, _, _) = listening(&config);
    let empty = |n: u64| HandOver::assemble([], PerLevel([n, 0, 0, 0])).unwrap();
    for n in 1..=1_024 {
        assert_eq!(edge.receive(empty(2 * n)), Received::Held);
    }
    assert_eq!(edge.missing(), Some(Seq(1)..=Seq(2)));
    let _ = edge.receive(empty(2 * 1_025));
    assert_eq!(edge.dispatched(), Seq(2), "the first hole is given up");
    assert_eq!(edge.missing(), Some(Seq(3)..=Seq(4)));
}

#[test]
fn b17_what_a_wire_makes_up_changes_nothing() {
    let flights = flights(4);
    let messages = |range: std::ops::Range<usize>| {
        flights[range].iter().flat_map(HandOver::messages).cloned().collect::<Vec<_>>()
    };
    let heads = flights[3].heads();
    assert!(HandOver::assemble(messages(0..4), heads).is_ok());
    assert!(HandOver::assemble(messages(2..4), heads).is_ok());
    for (messages, heads) in [
        (messages(0..3), heads),
        (messages(0..4), PerLevel([2, 3, 0, 0])),
        (messages(0..4), PerLevel([3, 2, 0, 0])),
        (messages(0..4), PerLevel([1, 2, 0, 0])),
        (messages(0..4).into_iter().rev().collect(), heads),
        (vec![], PerLevel([u64::MAX, 1, 0, 0])),
        (messages(0..4), PerLevel([u64::MAX; 4])),
    ] {
        assert!(HandOver::assemble(messages.clone(), heads).is_err(), "{messages:?} {heads:?}");
    }
    let refused = HandOver::assemble(messages(0..3), heads).unwrap_err();
    let told = "message 1 at position 0 is out of place (next is 2 at 0)";
    assert_eq!(refused.to_string(), told);
    let config = RoomConfig::builder(OWNER).build().unwrap();
    let (mut edge, ..) = listening(&config);
    assert_eq!(edge.receive(flights[0].clone()), Received::Taken(1));
    // One High message has been dispatched, so at no time can all have been Low.
    let word = HandOver::assemble([], PerLevel([0, 0, 9, 0])).unwrap();
    assert_eq!(edge.receive(word), Received::Foreign);
    let mut parts = MessageParts::from((*messages(1..2)[0]).clone());
    (parts.priority, parts.position) = (Priority::Low, 0);
    let other = Arc::new(Message::assemble(parts));
    let other = HandOver::assemble([other], PerLevel([0, 1, 1, 0])).unwrap();
    assert_eq!(edge.receive(other), Received::Foreign);
    assert_eq!((edge.missing(), edge.dispatched()), (None, Seq(1)));
    assert_eq!(edge.receive(flights[1].clone()), Received::Taken(1));
}

/// An owner whose clock is ahead, or behind, delays nobody at another machine.
#[test]
fn b17_readers_are_woken_by_their_own_clock() {
    let flights = flights(1);
    let config = RoomConfig::builder(OWNER).build().unwrap();
    for now in [1, 50, 5_000] {
        let now = Instant::from_secs(now);
        let (mut edge, mut audience, _) = listening(&config);
        assert_eq!(edge.receive(flights[0].clone()), Received::Taken(1));
        audience.take_over_at(now, edge.hand_over(audience.applied()));
        assert_eq!((audience.poll_wake(), audience.wake(now)), (Some(now), true));
    }
}
