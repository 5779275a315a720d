//! Nodes over a bus in memory, one thing after the other: what each kind of trouble comes to.

mod clocks;
mod cluster;
mod retracting;

use cluster::{Cluster, MILLI, ROOM, Way, numbered, out};
use roomcast_cluster::bus::{Answer, Bus, CallId, ClientId, FromBus, Key, MemoryBus, Request};
use roomcast_cluster::proto::{Event, Follower, Input, Node, NodeOptions, Outcome, Output};
use roomcast_cluster::wire::{
    Command, Decided, EdgeBooks, Flight, Forwards, NodeBooks, NotDone, Numbers,
};
use roomcast_core::ids::MessageId;
use roomcast_core::ledger::RefusalReason;
use roomcast_core::message::{DedupKey, EdgeMessage, Sender};
use roomcast_core::speak_mode::{MaySpeak, SpeakMode};
use roomcast_core::time::Duration;
use roomcast_core::timed::Until;
use roomcast_core::{Actor, Instant, PerLevel, RoomConfig, RoomId, UserId};

#[test]
fn what_is_said_anywhere_comes_to_every_edge_and_has_its_fate_where_it_was_said() {
    let mut cluster = Cluster::new(3);
    for (at, text) in [(0, "a"), (1, "b"), (2, "c"), (1, "d")] {
        cluster.say(at, text);
    }
    for at in 0..3 {
        assert_eq!(cluster.texts(at), numbered(&["a", "b", "c", "d"]));
        assert_eq!(cluster.node(at).undecided(ROOM), 0);
    }
    let fates = [("b".to_owned(), out(2)), ("d".to_owned(), out(4))];
    assert_eq!(cluster.fates(1), fates);
}

/// However long the answer takes, and although the members of other nodes have it already.
#[test]
fn nobody_at_the_owners_node_is_told_before_the_log_has_it() {
    let mut cluster = Cluster::new(2);
    let owner = cluster.owner().expect("one owns it");
    cluster.ways[owner] = Way::Cut;
    cluster.say(owner, "a");
    cluster.wait(500);
    assert_eq!((cluster.texts(owner), cluster.fates(owner)), (vec![], vec![]));
    cluster.ways[owner] = Way::Open;
    cluster.wait(2_000);
    assert_eq!(cluster.texts(owner), numbered(&["a"]));
    assert_eq!(cluster.fates(owner), [("a".to_owned(), out(1))]);
}

/// It was accepted, and the answer lost: the log says so, and nothing is written twice.
#[test]
fn an_unknown_append_is_found_in_the_log() {
    let mut cluster = Cluster::new(2);
    let owner = cluster.owner().expect("one owns it");
    cluster.ways[owner] = Way::Deaf;
    cluster.say(owner, "a");
    let appends = cluster.appends;
    assert_eq!(cluster.fates(owner), [], "it does not know");
    cluster.wait(50);
    cluster.ways[owner] = Way::Open;
    cluster.wait(1_100);
    assert_eq!(cluster.fates(owner), [("a".to_owned(), out(1))]);
    assert_eq!(cluster.texts(1 - owner), numbered(&["a"]));
    cluster.say(1 - owner, "b");
    assert_eq!(cluster.texts(owner), numbered(&["a", "b"]));
    // That of "b", and one that says that the owner lives.
    assert!(cluster.appends <= appends + 2, "{} after {appends}", cluster.appends);
}

/// It hears its own flight as everyone does.
#[test]
fn an_owner_needs_no_answer_where_the_bus_hands_on_what_it_wrote() {
    let mut cluster = Cluster::new(2);
    let owner = cluster.owner().expect("one owns it");
    cluster.ways[owner] = Way::NoAnswers;
    for text in ["a", "b", "c"] {
        cluster.say(1 - owner, text);
    }
    assert_eq!(cluster.texts(owner), numbered(&["a", "b", "c"]));
    assert_eq!(cluster.fates(1 - owner).len(), 3);
}

/// Found by a life of the simulator: the answer to the flight before counted for the next one.
#[test]
fn an_answer_that_comes_after_the_log_was_asked_says_nothing_of_the_next_flight() {
    let mut node = Node::<String>::new(NodeOptions::new(1));
    let (mut now, mut bus) = (Instant::from_secs(1_000), MemoryBus::new(Instant::from_secs(1_000)));
    let (mut late, mut flights) = (Vec::new(), Vec::new());
    let config = Box::new(RoomConfig::default());
    node.handle(now, Input::Open { room: ROOM, config });
    let mut said = 0;
    for _ in 0..10_000 {
        now = now + MILLI;
        node.handle(now, Input::Timeout);
        while let Some(output) = node.poll_output() {
            let Output::Bus(call, request) = output else { continue };
            if let Request::Append { expected, bytes, .. } = &request {
                let flight = Flight::<String>::decode(bytes, &mut Numbers).expect("a flight");
                flights.push((*expected, flight.epoch, flight.number, flight.continued.heads));
            }
            bus.request(now, ClientId(1), call, request);
            while let Some((_, from)) = bus.poll() {
                // Each answer to an append comes only after the log was asked what became of it.
                match from {
                    FromBus::Answer(_, Answer::Done(at)) if at > 1_000_000 => late.push(from),
                    FromBus::Answer(_, Answer::Read(Some(_))) => {
                        node.handle(now, Input::Bus(from));
                        for from in late.drain(..) {
                            node.handle(now, Input::Bus(from));
                        }
                    }
                    from => node.handle(now, Input::Bus(from)),
                }
            }
        }
        if node.window(ROOM) > 0 && said < 5 {
            said += 1;
            let sender = Sender::User(UserId(7));
            let message = EdgeMessage::new(MessageId(0), sender, now, said.to_string());
            node.handle(now, Input::Forward { room: ROOM, message: Box::new(message) });
        }
    }
    assert!(flights.len() > 4, "{flights:?}");
    // One behind the other, but for those that were sent again as they were.
    for pair in flights.windows(2) {
        let [(behind, _, number, _), (next, _, later, _)] = pair else { continue };
        assert!(pair[0] == pair[1] || (next > behind && later > number) || later == &1, "{pair:?}");
    }
    assert_eq!(node.follower(ROOM).map(Follower::heads), Some(PerLevel([0, 5, 0, 0])));
}

#[test]
fn another_node_goes_on_when_the_owner_dies_and_nothing_is_lost_or_repeated() {
    let mut cluster = Cluster::new(3);
    cluster.say(0, "a");
    cluster.wait(10);
    let owner = cluster.owner().expect("one owns it");
    let others: Vec<usize> = (0..3).filter(|at| *at != owner).collect();
    cluster.kill(owner);
    cluster.say(others[0], "b");
    let died = cluster.now;
    while cluster.owner().is_none() {
        cluster.wait(1);
    }
    let silence = cluster.now.saturating_since(died);
    assert!(silence <= Duration::from_millis(3_200), "{silence:?}");
    cluster.wait(10);
    cluster.say(others[1], "c");
    for at in others {
        assert_eq!(cluster.texts(at), numbered(&["a", "b", "c"]), "node {at}");
        assert_eq!(cluster.node(at).undecided(ROOM), 0);
    }
}

/// It wakes up, and takes itself for the owner still: its append is refused.
#[test]
fn an_owner_that_was_cut_off_tells_nobody_what_nobody_gets() {
    let mut cluster = Cluster::new(2);
    let owner = cluster.owner().expect("one owns it");
    let other = 1 - owner;
    cluster.ways[owner] = Way::Cut;
    cluster.say(owner, "a");
    cluster.wait(2_000);
    cluster.say(owner, "b");
    cluster.wait(3_000);
    assert_eq!(cluster.owner(), Some(other));
    assert_eq!(cluster.node(owner).window(ROOM), 0, "the edge keeps what comes now");
    cluster.say(other, "c");
    cluster.ways[owner] = Way::Open;
    cluster.handle(owner, Input::Reconnected);
    cluster.wait(3_000);
    assert_eq!(cluster.owner(), Some(other));
    for at in [owner, other] {
        assert_eq!(cluster.texts(at), numbered(&["c", "a", "b"]), "node {at}");
    }
    assert_eq!(cluster.fates(owner), [("a".to_owned(), out(2)), ("b".to_owned(), out(3))]);
    let deposed = |event: &Event| matches!(event, Event::Deposed { .. });
    assert!(cluster.events(owner).iter().any(deposed));
}

#[test]
fn a_room_is_handed_over_without_a_pause() {
    let mut cluster = Cluster::new(3);
    cluster.say(0, "a");
    let owner = cluster.owner().expect("one owns it");
    let to = (owner + 1) % 3;
    let key = cluster.node(0).keys().room(ROOM);
    cluster.handle(owner, Input::HandOver { room: ROOM, to: to as u64 + 1 });
    cluster.wait(2);
    assert_eq!(cluster.owner(), Some(to));
    assert_ne!(cluster.node(0).keys().room(ROOM), key);
    cluster.say(owner, "b");
    for at in 0..3 {
        assert_eq!(cluster.texts(at), numbered(&["a", "b"]), "node {at}");
    }
    cluster.wait(5_000);
    assert_eq!(cluster.owner(), Some(to), "and there it stays");
}

/// A hole is filled before anything newer is told.
#[test]
fn a_node_that_retires_hands_its_rooms_over_and_takes_none() {
    let mut cluster = Cluster::new(3);
    cluster.say(0, "a");
    let first = cluster.owner().expect("one owns it");
    cluster.handle(first, Input::Retire);
    cluster.wait(2);
    let second = cluster.owner().expect("another owns it");
    assert!(first != second && cluster.node(first).is_retired());
    // The next to go does not give it back.
    cluster.handle(second, Input::Retire);
    cluster.wait(2);
    let third = cluster.owner().expect("the third owns it");
    assert!(third != first && third != second && cluster.node(second).is_retired());
    cluster.say(first, "b");
    // The last keeps it, and is not waited for.
    cluster.handle(third, Input::Retire);
    cluster.wait(5_000);
    assert_eq!(cluster.owner(), Some(third));
    assert!(cluster.node(third).is_retired());
    for at in 0..3 {
        assert_eq!(cluster.texts(at), numbered(&["a", "b"]), "node {at}");
    }
    // It stops. Those that are left, though they retire, are all there is.
    cluster.handle(third, Input::Close { room: ROOM });
    cluster.handle(third, Input::Leave);
    cluster.wait(2);
    assert!(cluster.node(third).has_left());
    assert_eq!(cluster.node(first).keys().node(third as u64 + 1), None, "nobody waits for it");
    cluster.wait(1_000);
    assert!(cluster.owner().is_some_and(|owner| owner != third));
}

/// With the bus away each attempt fails at once, and a node that stops does not spin on that.
#[test]
fn a_lease_that_the_bus_does_not_take_back_is_offered_again_and_not_at_once() {
    let (mut now, options) = (Instant::from_secs(1_000), NodeOptions::new(1));
    let mut node = Node::<String>::new(options);
    let call = |node: &mut Node<String>, is_wanted: fn(&Request) -> bool| {
        std::iter::from_fn(|| node.poll_output()).find_map(|output| match output {
            Output::Bus(call, request) if is_wanted(&request) => call,
            _ => None,
        })
    };
    let answer = |node: &mut Node<String>, now, call, answer| {
        node.handle(now, Input::Bus(FromBus::Answer(call, answer)));
    };
    node.handle(now, Input::Timeout);
    let put = call(&mut node, |request| matches!(request, Request::Put { .. })).expect("a lease");
    answer(&mut node, now, put, Answer::Done(5));
    node.handle(now, Input::Leave);
    let is_delete = |request: &Request| matches!(request, Request::Delete { expected: 5, .. });
    for _ in 0..3 {
        let delete = call(&mut node, is_delete).expect("it is given back");
        answer(&mut node, now, delete, Answer::Unknown);
        assert_eq!(call(&mut node, is_delete), None);
        assert!(!node.has_left());
        let next = node.poll_timeout().expect("it is tried again");
        assert!(next > now && next <= now + options.lease / 30, "{:?}", next.saturating_since(now));
        now = next;
        node.handle(now, Input::Timeout);
    }
    let delete = call(&mut node, is_delete).expect("again");
    answer(&mut node, now, delete, Answer::Done(6));
    assert!(node.has_left());
    let told = std::iter::from_fn(|| node.poll_output())
        .any(|output| matches!(output, Output::Event(Event::Left)));
    assert!(told);
}

/// Somebody makes up the books of many nodes, and fills them: the room goes on.
#[test]
fn books_that_are_made_up_stop_no_room() {
    let mut cluster = Cluster::new(2);
    let owner = cluster.owner().expect("one owns it");
    let epoch = cluster.node(owner).follower(ROOM).expect("its log").epoch();
    for edge in 1..=2_000 {
        let mut books = EdgeBooks::default();
        for reason in 0..200 {
            let name = format!("{reason:060}").into();
            books.refused.insert(name, PerLevel([u64::MAX; 4]));
        }
        let books = NodeBooks { edge, node: 9, as_of: cluster.now, books };
        let forwards = Forwards::<String> {
            edge,
            epoch,
            after: 0,
            heads: PerLevel::default(),
            forwards: Vec::new(),
            books: Some(books),
        };
        let bytes = forwards.encode(cluster.now, &Numbers).into();
        let (now, room) = (cluster.now, ROOM);
        cluster.bus.request(now, ClientId(99), None, Request::Send { room, bytes });
        cluster.settle();
    }
    // Past the next flight that has all that is known.
    for text in ["a", "b"] {
        cluster.say(owner, text);
        cluster.wait(70_000);
    }
    let other = 1 - owner;
    assert_eq!(cluster.texts(other), numbered(&["a", "b"]));
    assert_eq!(cluster.owner(), Some(owner), "and its owner is who it was");
    let follower = cluster.node(other).follower(ROOM).expect("its log");
    assert!(follower.rows().count() <= 67, "{}", follower.rows().count());
    let events = cluster.events(other);
    assert!(!events.iter().any(|event| matches!(event, Event::Unreadable { .. })), "{events:?}");
}

#[test]
fn what_an_edge_has_not_heard_it_reads_in_the_log() {
    let mut cluster = Cluster::new(3);
    let owner = cluster.owner().expect("one owns it");
    let edge = (owner + 1) % 3;
    cluster.ways[edge] = Way::NoPushes;
    for text in ["a", "b", "c"] {
        cluster.say(owner, text);
    }
    assert_eq!(cluster.texts(edge), []);
    cluster.ways[edge] = Way::Open;
    cluster.say(owner, "d");
    assert_eq!(cluster.texts(edge), numbered(&["a", "b", "c", "d"]));
    // The last one is missed, and nothing follows but word that the owner lives.
    cluster.ways[edge] = Way::NoPushes;
    cluster.say(owner, "e");
    cluster.ways[edge] = Way::Open;
    cluster.wait(1_100);
    assert_eq!(cluster.texts(edge), numbered(&["a", "b", "c", "d", "e"]));
}

/// The owner knows everything that was lost, and begins the new log with it.
#[test]
fn an_edge_that_hears_nothing_says_so_and_what_it_had_to_read() {
    let mut cluster = Cluster::new(3);
    let owner = cluster.owner().expect("one owns it");
    let edge = (owner + 1) % 3;
    let of_silence = |cluster: &mut Cluster| {
        let events = cluster.events(edge);
        let told = events
            .into_iter()
            .filter(|event| matches!(event, Event::Stale { .. } | Event::Caught { .. }));
        told.collect::<Vec<_>>()
    };
    cluster.wait(10_000);
    assert_eq!(of_silence(&mut cluster), [], "it is quiet, and nobody is missing");
    cluster.ways[edge] = Way::Cut;
    cluster.say(owner, "a");
    cluster.wait(1_900);
    cluster.say(owner, "b");
    assert_eq!(of_silence(&mut cluster), []);
    cluster.wait(3_000);
    assert_eq!(of_silence(&mut cluster), [Event::Stale { room: ROOM }], "once");
    cluster.ways[edge] = Way::Open;
    cluster.wait(3_000);
    let told = of_silence(&mut cluster);
    let [_, Event::Caught { silence, filled, .. }] = told[..] else { panic!("{told:?}") };
    assert!(silence >= 4_900 * MILLI && filled >= 3, "{silence:?}, {filled}");
    assert_eq!(cluster.texts(edge), numbered(&["a", "b"]));
}

#[test]
fn a_log_that_is_lost_under_its_owner_costs_nothing() {
    let mut cluster = Cluster::new(2);
    cluster.say(0, "a");
    cluster.bus.lose_logs(cluster.now);
    cluster.say(1, "b");
    cluster.wait(1_500);
    for at in 0..2 {
        assert_eq!(cluster.texts(at), numbered(&["a", "b"]));
        assert!(cluster.events(at).contains(&Event::Incarnation { room: ROOM }));
    }
    assert_eq!(cluster.fates(1), [("b".to_owned(), out(2))]);
}

/// The owner had dispatched it, and no flight had said so: it never went out, and is no repetition.
#[test]
fn a_key_that_is_in_no_flight_may_be_said_to_the_next_owner() {
    let mut cluster = Cluster::new(2);
    let owner = cluster.owner().expect("one owns it");
    let other = 1 - owner;
    cluster.ways[owner] = Way::Deaf;
    cluster.say(owner, "a");
    let mut keyed = cluster.message("once");
    (keyed.sender, keyed.dedup_key) = (Sender::User(UserId(8)), Some(DedupKey(5)));
    cluster.forward(other, keyed);
    // The log is lost while the owner does not know whether it has "a", and begins anew with that.
    cluster.bus.lose_logs(cluster.now);
    cluster.wait(1_500);
    assert_eq!(cluster.texts(other), numbered(&["a"]));
    assert!(cluster.events(other).contains(&Event::Incarnation { room: ROOM }));
    cluster.kill(owner);
    cluster.wait(4_000);
    assert_eq!(cluster.owner(), Some(other));
    assert_eq!(cluster.fates(other), [("once".to_owned(), out(2))]);
    assert_eq!(cluster.texts(other), numbered(&["a", "once"]));
}

/// Nobody knows what there was: one message is missing for everybody, and what may have gone out is
/// not sent again.
#[test]
fn a_log_that_is_lost_with_its_owner_is_one_gap() {
    let mut cluster = Cluster::new(3);
    cluster.say(0, "a");
    cluster.command(1, 1, Actor::Host, Command::Mute(UserId(50), None));
    let owner = cluster.owner().expect("one owns it");
    let (one, two) = ((owner + 1) % 3, (owner + 2) % 3);
    cluster.kill(owner);
    // It is sent to nobody.
    cluster.say(one, "b");
    cluster.bus.lose_logs(cluster.now);
    cluster.wait(6_000);
    cluster.say(two, "c");
    for at in [one, two] {
        let wanted = [(1, "a".to_owned()), (3, "c".to_owned())];
        assert_eq!(cluster.texts(at), wanted, "node {at}");
        let state = cluster.node(at).follower(ROOM).expect("it is read").state().clone();
        assert_eq!(state.mutes, [(UserId(50), Until::Forever)]);
    }
    assert_eq!(cluster.fates(one), [("b".to_owned(), Outcome::Lost)]);
}

#[test]
fn what_is_known_of_people_and_data_outlives_the_owner() {
    let mut cluster = Cluster::new(2);
    let (host, user) = (Actor::Host, UserId(50));
    let mode = SpeakMode::new(MaySpeak::Marked);
    let attribute = Command::WriteAttribute {
        key: "topic".into(),
        value: Some(std::sync::Arc::from(*b"x")),
        based_on: None,
    };
    for (tag, command) in (1..).zip([
        Command::Mute(UserId(7), Some(Duration::from_secs(60))),
        Command::Ban(user, None),
        Command::AddAdmin(UserId(3)),
        attribute.clone(),
        Command::Mark(UserId(8)),
        Command::Mark(UserId(9)),
        Command::Unmark(UserId(9)),
        Command::SetSpeakMode(mode),
    ]) {
        cluster.command(1, tag, host, command);
    }
    // Not by a user who may not, and not over what somebody else wrote.
    cluster.command(0, 19, Actor::User(UserId(4)), Command::Unban(user));
    let Command::WriteAttribute { key, value, .. } = attribute else { panic!() };
    let stale = Command::WriteAttribute { key, value, based_on: Some(0) };
    cluster.command(0, 20, host, stale);
    for gained in [3, 4] {
        let key = "likes".into();
        cluster.handle(0, Input::Count { room: ROOM, key, gained });
    }
    let mut keyed = cluster.message("once");
    (keyed.sender, keyed.dedup_key) = (Sender::User(UserId(8)), Some(DedupKey(5)));
    cluster.forward(1, keyed.clone());
    let done = Outcome::Decided(Decided::Done);
    assert_eq!(cluster.commanded(1), [1, 2, 3, 4, 5, 6, 7, 8].map(|tag| (tag, done)));
    let not = |why| Outcome::Decided(Decided::NotDone(why));
    assert_eq!(
        cluster.commanded(0),
        [(19, not(NotDone::NotAllowed)), (20, not(NotDone::Conflict))]
    );
    let owner = cluster.owner().expect("one owns it");
    let other = 1 - owner;
    cluster.kill(owner);
    cluster.wait(4_000);
    assert_eq!(cluster.owner(), Some(other));
    cluster.told[other].clear();
    keyed.admitted_at = cluster.now;
    cluster.forward(other, keyed);
    cluster.say(other, "muted");
    let mut unmarked = cluster.message("not marked");
    unmarked.sender = Sender::User(UserId(9));
    cluster.forward(other, unmarked);
    let now = cluster.now;
    let room = cluster.node(other).owner(ROOM).expect("it owns it");
    assert_eq!(room.banned_until(now, user), Some(Until::Forever));
    assert_eq!((room.counter("likes"), room.attribute("topic").is_some()), (Some(7), true));
    assert!(room.muted_until(now, UserId(7)).is_some());
    assert_eq!((room.speak_mode(), room.is_marked(UserId(8))), (mode, true));
    let refused = |fate: &(String, Outcome)| match fate.1 {
        Outcome::Decided(Decided::Refused { reason, .. }) => reason,
        _ => None,
    };
    let reasons: Vec<_> = cluster.fates(other).iter().map(refused).collect();
    let wanted = [RefusalReason::Duplicate, RefusalReason::Muted, RefusalReason::NotMarked];
    assert_eq!(reasons, wanted.map(Some));
    // The edges know it, too.
    let state = cluster.node(other).follower(ROOM).expect("it is read").state().clone();
    assert_eq!((state.speak_mode, &state.marks[..]), (mode, &[UserId(8)][..]));
}

#[test]
fn two_nodes_of_one_name_do_not_live_together() {
    let mut cluster = Cluster::new(1);
    let second = cluster.start(1);
    cluster.wait(5_000);
    assert_eq!(
        (cluster.events(second), cluster.node(second).incarnation()),
        (vec![Event::NameTaken], 0)
    );
    // The first is gone, and its name is free when its lease has lapsed.
    cluster.kill(0);
    cluster.wait(4_000);
    assert_ne!(cluster.node(second).incarnation(), 0);
    assert_eq!(cluster.owner(), Some(second));
}

/// Whatever comes on any subject: it is refused, told, and the room goes on.
#[test]
fn what_is_none_of_the_wire_changes_nothing() {
    let mut cluster = Cluster::new(2);
    let owner = cluster.owner().expect("one owns it");
    let other = 1 - owner;
    let stranger = ClientId(9);
    for junk in [&b""[..], b"\x00", b"{}", &[0xbf; 64], &[0x9b; 9], &vec![7; 2 << 20]] {
        let bytes = bytes::Bytes::copy_from_slice(junk);
        cluster.bus.request(cluster.now, stranger, None, Request::Send { room: ROOM, bytes });
        cluster.settle();
        for key in [Key::Node(77), Key::Room(RoomId(77))] {
            let value = bytes::Bytes::copy_from_slice(junk);
            let put = Request::Put { key, expected: 0, value, ttl: None };
            cluster.bus.request(cluster.now, stranger, Some(CallId(1)), put);
        }
        for (client, from) in std::iter::from_fn(|| cluster.bus.poll()).collect::<Vec<_>>() {
            if client != stranger {
                let at = usize::try_from(client.0).expect("small");
                cluster.handle(at, Input::Bus(from));
            }
        }
    }
    assert!(cluster.events(owner).contains(&Event::Unreadable { room: ROOM }));
    cluster.say(other, "a");
    assert_eq!(cluster.texts(owner), numbered(&["a"]));
    // Even if it is in the log: it counts as lost, and the owner, whose number was taken, goes on.
    let last = cluster.node(other).follower(ROOM).expect("it is read").applied();
    let bytes = bytes::Bytes::from_static(b"junk");
    let append = Request::Append { room: ROOM, expected: last, bytes };
    cluster.bus.request(cluster.now, stranger, Some(CallId(1)), append);
    let pushed: Vec<_> = std::iter::from_fn(|| cluster.bus.poll()).collect();
    assert!(pushed.contains(&(stranger, FromBus::Answer(CallId(1), Answer::Done(last + 1)))));
    for (client, from) in pushed.into_iter().filter(|(client, _)| *client != stranger) {
        cluster.handle(usize::try_from(client.0).expect("small"), Input::Bus(from));
    }
    cluster.say(other, "b");
    cluster.wait(8_000);
    cluster.say(other, "c");
    // Whatever the record was: perhaps it said that "b" went out.
    assert_eq!(
        cluster.fates(other)[1..],
        [("b".to_owned(), Outcome::Lost), ("c".to_owned(), out(2))]
    );
    for at in 0..2 {
        assert_eq!(cluster.texts(at), numbered(&["a", "c"]), "node {at}");
        assert!(cluster.events(at).contains(&Event::Unreadable { room: ROOM }));
    }
}
