//! A connection in many rooms: one stream, in one order, with everything that each room was due (D35).
#![cfg(feature = "tokio")]

use proptest::prelude::*;
use roomcast::connection::{Connection, ConnectionItem, ItemKind, Order};
use roomcast::core::Admission;
use roomcast::error::{JoinError, SessionEnd};
use roomcast::event::EndReason;
use roomcast::time::Instant;
use roomcast::{
    Actor, Direct, Hub, Join, PerLevel, Priority, Publish, Recipient, Room, RoomConfig, RoomId,
    Source, UserId,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(60);
const ANN: UserId = UserId(7);

fn hub() -> Hub<String> {
    Hub::builder().workers(2).spawn()
}

fn rooms(hub: &Hub<String>, count: u64) -> Vec<Room<String>> {
    let config = RoomConfig::fan_out();
    (1..=count).map(|id| hub.create_room(RoomId(id), &config).unwrap()).collect()
}

fn say(room: &Room<String>, text: &str, priority: Priority) {
    let say = Publish::new(Source::Host, text.to_owned()).priority(priority);
    let _ = room.try_publish(say).unwrap();
}

fn text(item: &ConnectionItem<String>) -> String {
    match &item.what {
        ItemKind::Message { message, .. } => message.payload.clone(),
        ItemKind::Direct(direct) => format!("({})", direct.payload),
        ItemKind::Gap { count, .. } => format!("-{count}"),
        ItemKind::End(end) => end.to_string(),
        other => panic!("{other:?}"),
    }
}

async fn next(connection: &mut Connection<String>, least: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < least {
        let items = timeout(LONG, connection.next_items()).await.expect("something is due");
        assert!(!items.is_empty());
        texts.extend(items.iter().map(text));
    }
    texts
}

#[tokio::test(start_paused = true)]
async fn d35_what_several_rooms_have_comes_in_one_order() {
    for (order, expected) in [
        (Order::Priority, ["gift", "1", "2", "3", "like"]),
        (Order::Dispatch, ["like", "1", "2", "gift", "3"]),
    ] {
        let hub = hub();
        let rooms = rooms(&hub, 3);
        let mut connection = Connection::new(&hub, order);
        for room in &rooms {
            connection.join(room, Join::guest()).unwrap();
        }
        for (room, text, priority) in [
            (2, "like", Priority::Low),
            (0, "1", Priority::Normal),
            (1, "2", Priority::Normal),
            (2, "gift", Priority::High),
            (0, "3", Priority::Normal),
        ] {
            say(&rooms[room], text, priority);
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(next(&mut connection, 5).await, expected, "{order:?}");
        assert!(connection.try_next_items().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn d35_a_connection_joins_leaves_and_is_told_of_ends() {
    let hub = hub();
    let rooms = rooms(&hub, 3);
    let mut connection = Connection::new(&hub, Order::Priority);
    let session = connection.join(&rooms[0], Join::user(ANN)).unwrap();
    let twice = connection.join(&rooms[0], Join::user(ANN)).unwrap_err();
    assert_eq!(twice, JoinError::AlreadyJoined { session });
    connection.join(&rooms[1], Join::user(ANN)).unwrap();
    connection.join(&rooms[2], Join::user(ANN)).unwrap();
    assert_eq!(connection.rooms().len(), 3);
    assert_eq!(connection.room(RoomId(1)).unwrap().session(), session);

    // Who is shown out of one room stays in the others, and gets what was due first.
    say(&rooms[1], "last", Priority::Normal);
    rooms[1].moderation(Actor::Host).kick(&[ANN]).unwrap();
    let kicked = SessionEnd::Closed(EndReason::Kicked).to_string();
    assert_eq!(next(&mut connection, 2).await, ["last", &kicked]);
    assert_eq!(connection.rooms().len(), 2);
    say(&rooms[0], "here", Priority::Normal);
    assert_eq!(next(&mut connection, 1).await, ["here"]);
    // And may come back.
    connection.join(&rooms[1], Join::user(ANN)).unwrap();
    say(&rooms[1], "again", Priority::Normal);
    assert_eq!(next(&mut connection, 1).await, ["again"]);

    say(&rooms[2], "never read", Priority::Normal);
    assert!(connection.leave(RoomId(3)) && !connection.leave(RoomId(3)));
    assert!(connection.try_next_items().is_empty());
    drop(connection);
    timeout(LONG, async {
        while rooms.iter().any(|room| room.sessions() > 0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("it leaves all rooms");
    assert!(rooms.iter().all(|room| room.stats().balances()));
}

#[tokio::test(start_paused = true)]
async fn d37_what_is_for_the_connection_alone_has_its_place() {
    let hub = hub();
    let rooms = rooms(&hub, 2);
    let mut connection = Connection::with_directs(&hub, Order::Priority, 2);
    let sender = connection.sender();
    // In no room at all.
    sender.send(Direct::new("welcome".to_owned())).unwrap();
    assert_eq!(next(&mut connection, 1).await, ["(welcome)"]);
    for room in &rooms {
        connection.join(room, Join::user(ANN)).unwrap();
    }
    say(&rooms[0], "gift", Priority::High);
    say(&rooms[0], "text", Priority::Normal);
    let _ = rooms[1].send_direct(Recipient::User(ANN), Direct::new("by room".to_owned())).unwrap();
    say(&rooms[1], "like", Priority::Low);
    let own = |text: &str, priority| Direct::new(text.to_owned()).priority(priority);
    sender.send(own("urgent", Priority::High)).unwrap();
    sender.send(own("idle", Priority::Lowest)).unwrap();
    let refused = sender.send(own("too many", Priority::High)).unwrap_err();
    assert_eq!(refused.payload, "too many");
    let texts = next(&mut connection, 6).await;
    let place = |text: &str| texts.iter().position(|its| its == text).expect("it came");
    assert!(place("(urgent)") < place("text") && place("gift") < place("text"));
    assert!(place("text") < place("like") && place("(by room)") < place("like"));
    assert_eq!(place("(idle)"), 5, "{texts:?}");
    // It wakes who waits.
    let waiting = tokio::spawn(async move { next(&mut connection, 1).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    sender.send(own("now", Priority::Normal)).unwrap();
    assert_eq!(timeout(LONG, waiting).await.unwrap().unwrap(), ["(now)"]);
}

#[tokio::test(start_paused = true)]
async fn d35_gaps_are_by_room_and_stand_before_what_follows() {
    let hub = hub();
    let config = RoomConfig::fan_out().to_builder().log_messages(PerLevel([8; 4])).build().unwrap();
    let small = hub.create_room(RoomId(1), &config).unwrap();
    let other = hub.create_room(RoomId(2), &config).unwrap();
    let mut connection = Connection::new(&hub, Order::Dispatch);
    connection.join(&small, Join::guest()).unwrap();
    connection.join(&other, Join::guest()).unwrap();
    say(&other, "before", Priority::Normal);
    tokio::time::advance(Duration::from_millis(1)).await;
    for n in 0..20 {
        say(&small, &n.to_string(), Priority::Normal);
    }
    tokio::time::advance(Duration::from_millis(1)).await;
    say(&other, "after", Priority::Normal);
    let mut expected = vec!["before".to_owned(), "-12".to_owned()];
    expected.extend((12..20).map(|n: u32| n.to_string()));
    expected.push("after".to_owned());
    assert_eq!(next(&mut connection, 11).await, expected);
}

#[tokio::test(start_paused = true)]
async fn d35_what_does_not_fit_comes_next_and_gives_way() {
    let hub = hub();
    let rooms = rooms(&hub, 2);
    let mut connection = Connection::new(&hub, Order::Priority);
    for room in &rooms {
        connection.join(room, Join::guest()).unwrap();
    }
    let flood = |from: u32| {
        for n in from..from + 1_500 {
            say(&rooms[0], &n.to_string(), Priority::Normal);
        }
    };
    flood(0);
    let first = timeout(LONG, connection.next_items()).await.expect("a flood");
    assert_eq!(first.len(), 1_024);
    say(&rooms[1], "gift", Priority::High);
    let rest = next(&mut connection, 477).await;
    assert_eq!((&*rest[0], rest.len()), ("gift", 477));
    assert!(rest[1..].iter().zip(1_024..).all(|(text, n)| *text == n.to_string()));
    // Who leaves gets none of it any more.
    flood(2_000);
    assert_eq!(timeout(LONG, connection.next_items()).await.expect("another").len(), 1_024);
    say(&rooms[1], "still here", Priority::Normal);
    assert!(connection.leave(RoomId(1)));
    assert_eq!(next(&mut connection, 1).await, ["still here"]);
    assert!(connection.try_next_items().is_empty());
}

/// Whoever takes less than comes is told the gap: what waits in the connection does not grow, and a gift waits
/// for none of it.
#[tokio::test(start_paused = true)]
async fn d35_a_reader_that_is_too_slow_holds_no_more_than_the_logs() {
    const ROOMS: u32 = 40;
    const LOG: u32 = 64;
    let config = RoomConfig::fan_out().to_builder().log_messages(PerLevel([LOG; 4]));
    let config = config.build().unwrap();
    for order in [Order::Dispatch, Order::Priority] {
        let hub = hub();
        let rooms: Vec<_> =
            (1..=ROOMS).map(|id| hub.create_room(RoomId(id.into()), &config).unwrap()).collect();
        let mut connection = Connection::new(&hub, order);
        for room in &rooms {
            connection.join(room, Join::guest()).unwrap();
        }
        let (mut messages, mut missed, mut latest) = (0, 0, Instant::ZERO);
        let mut count = |items: &[ConnectionItem<String>]| {
            for item in items {
                match item.what {
                    ItemKind::Gap { count, .. } => missed += count,
                    _ => messages += 1,
                }
                assert!(order == Order::Priority || latest <= item.at);
                latest = item.at;
            }
            (messages, missed)
        };
        for _ in 0..30 {
            for room in &rooms {
                (0..LOG).for_each(|_| say(room, "text", Priority::Normal));
            }
            tokio::time::advance(Duration::from_millis(1)).await;
            let items = timeout(LONG, connection.next_items()).await.expect("a flood");
            assert!(items.len() <= 1_024, "{}", items.len());
            count(&items);
        }
        say(&rooms[7], "gift", Priority::High);
        tokio::time::advance(Duration::from_millis(1)).await;
        let mut left = Vec::new();
        loop {
            let items = connection.try_next_items();
            if items.is_empty() {
                break;
            }
            count(&items);
            left.extend(items.iter().map(text));
        }
        assert!(left.len() <= (3 * ROOMS * LOG) as usize, "{} were held", left.len());
        let gift = left.iter().position(|text| text == "gift").expect("it comes");
        if order == Order::Priority {
            assert!(gift <= 1_024, "behind {gift}");
        }
        let (messages, missed) = count(&[]);
        assert_eq!(messages + missed, u64::from(30 * ROOMS * LOG) + 1);
        assert!(missed > 0);
    }
}

/// An edge's messages carry the time of another machine, which may be ahead: they are not held back for it,
/// and nobody spins until then.
#[tokio::test(start_paused = true)]
async fn d35_a_clock_that_is_ahead_holds_nothing_back() {
    let hub = hub();
    let start = roomcast::edge::EdgeStart::at(PerLevel::default());
    let (edge, port) = hub.create_edge_room(RoomId(1), &RoomConfig::fan_out(), start).unwrap();
    let mut elsewhere = Admission::<String>::new(&RoomConfig::fan_out());
    let ahead = hub.now() + Duration::from_secs(5);
    let _ = elsewhere.publish(ahead, Publish::new(Source::Host, "hello".to_owned())).unwrap();
    let mut connection = Connection::new(&hub, Order::Dispatch);
    connection.join(&edge, Join::guest()).unwrap();
    let _ = port.receive(elsewhere.hand_over(roomcast::message::Seq(0)));
    let items = connection.try_next_items();
    assert_eq!(items.iter().map(text).collect::<Vec<_>>(), ["hello"]);
    assert!(items[0].at <= hub.now());
}

/// However it is read, in parts and with others who write at the same time: everything once, each room in its
/// own order, and nothing before what was dispatched earlier.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d35_nothing_is_seen_before_what_was_dispatched_earlier() {
    const ROOMS: u64 = 20;
    const WRITERS: u64 = 2;
    const EACH: u64 = 1_000;
    let hub = hub();
    let rooms = Arc::new(rooms(&hub, ROOMS));
    let mut connection = Connection::new(&hub, Order::Dispatch);
    for room in rooms.iter() {
        connection.join(room, Join::guest()).unwrap();
    }
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let rooms = Arc::clone(&rooms);
            std::thread::spawn(move || {
                for n in 0..EACH {
                    // Each room has one writer, so that its instants are in the order of its lock.
                    let room = (n * WRITERS + writer) % ROOMS;
                    say(&rooms[usize::try_from(room).unwrap()], &format!("{n}"), Priority::Normal);
                    if n % 50 == 0 {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
            })
        })
        .collect();
    let mut seen = 0;
    let mut last: BTreeMap<RoomId, u64> = BTreeMap::new();
    let mut latest = Instant::ZERO;
    while seen < EACH * WRITERS {
        for item in timeout(LONG, connection.next_items()).await.expect("all comes") {
            let ItemKind::Message { message, .. } = &item.what else { panic!("{item:?}") };
            let before = last.insert(item.room.unwrap(), message.seq.0).unwrap_or(0);
            assert_eq!(message.seq.0, before + 1, "each room in its own order, without a hole");
            // A writer reads the clock just before it has the room's lock: that much may be between.
            let slack = Duration::from_millis(50);
            assert!(item.at + slack >= latest, "{:?} behind {latest:?}", item.at);
            latest = latest.max(item.at);
            seen += 1;
        }
    }
    for writer in writers {
        writer.join().unwrap();
    }
    assert_eq!(last.values().sum::<u64>(), EACH * WRITERS);
}

/// What one task says in several rooms comes as it was said, whichever room is read first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d35_what_one_says_in_several_rooms_comes_as_it_was_said() {
    const ROOMS: usize = 5;
    const EACH: usize = 20_000;
    let hub = hub();
    let rooms = rooms(&hub, ROOMS as u64);
    let mut connection = Connection::new(&hub, Order::Dispatch);
    for room in &rooms {
        connection.join(room, Join::guest()).unwrap();
    }
    let writer = std::thread::spawn(move || {
        for n in 0..EACH {
            say(&rooms[n * 7 % ROOMS], &format!("{n}"), Priority::Normal);
            if n % 50 == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        rooms
    });
    let mut seen = 0;
    while seen < EACH {
        for item in timeout(LONG, connection.next_items()).await.expect("all comes") {
            let ItemKind::Message { message, .. } = &item.what else { panic!("{item:?}") };
            assert_eq!(message.payload, format!("{seen}"));
            seen += 1;
        }
    }
    drop(writer.join().unwrap());
}

/// What happens to a connection in three rooms.
#[derive(Clone, Copy, Debug)]
enum Op {
    Say { room: u8, level: u8 },
    Direct { room: u8, level: u8 },
    Own { level: u8 },
    Wait { millis: u8 },
    Take,
    Leave { room: u8 },
    Join { room: u8 },
}

fn op() -> impl Strategy<Value = Op> {
    let (room, level) = (0..3_u8, 0..4_u8);
    prop_oneof![
        8 => (room.clone(), level.clone()).prop_map(|(room, level)| Op::Say { room, level }),
        2 => (room.clone(), level.clone()).prop_map(|(room, level)| Op::Direct { room, level }),
        1 => level.prop_map(|level| Op::Own { level }),
        4 => (0..30_u8).prop_map(|millis| Op::Wait { millis }),
        3 => Just(Op::Take),
        1 => room.clone().prop_map(|room| Op::Leave { room }),
        1 => room.prop_map(|room| Op::Join { room }),
    ]
}

/// What the connection is due: by number, with the room, the level, and when it was said.
#[derive(Clone, Copy, Debug)]
struct Due {
    room: Option<u8>,
    level: usize,
    at: u64,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// By the words of D35 and D37: everything that is due comes once, in the order that was asked for.
    #[test]
    fn d35_every_take_has_all_that_is_due_in_order(
        ops in prop::collection::vec(op(), 1..60),
        by_dispatch in any::<bool>(),
    ) {
        let order = if by_dispatch { Order::Dispatch } else { Order::Priority };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let hub = Hub::<String>::builder().workers(2).spawn();
            let rooms = rooms(&hub, 3);
            let mut connection = Connection::with_directs(&hub, order, 1_000);
            let sender = connection.sender();
            let mut is_in = [false; 3];
            let mut due: BTreeMap<u64, Due> = BTreeMap::new();
            let (mut number, mut millis, began) = (0_u64, 0_u64, hub.now());
            for op in ops.into_iter().chain([Op::Wait { millis: 1 }, Op::Take]) {
                number += 1;
                match op {
                    Op::Say { room, level } => {
                        let at = usize::from(room);
                        say(&rooms[at], &number.to_string(), Priority::ALL[usize::from(level)]);
                        if is_in[at] {
                            let level = usize::from(level);
                            due.insert(number, Due { room: Some(room), level, at: millis });
                        }
                    }
                    Op::Direct { room, level } => {
                        let at = usize::from(room);
                        let direct = Direct::new(number.to_string());
                        let direct = direct.priority(Priority::ALL[usize::from(level)]);
                        if let Some(session) = connection.room(rooms[at].id()) {
                            let to = Recipient::Session(session.session());
                            let _ = rooms[at].send_direct(to, direct).unwrap();
                            let level = usize::from(level);
                            due.insert(number, Due { room: Some(room), level, at: millis });
                        }
                    }
                    Op::Own { level } => {
                        let direct = Direct::new(number.to_string());
                        sender.send(direct.priority(Priority::ALL[usize::from(level)])).unwrap();
                        let level = usize::from(level);
                        due.insert(number, Due { room: None, level, at: millis });
                    }
                    Op::Wait { millis: more } => {
                        tokio::time::sleep(Duration::from_millis(more.into())).await;
                        millis += u64::from(more);
                    }
                    Op::Leave { room } => {
                        let at = usize::from(room);
                        assert_eq!(connection.leave(rooms[at].id()), is_in[at]);
                        is_in[at] = false;
                        due.retain(|_, due| due.room != Some(room));
                    }
                    Op::Join { room } => {
                        let at = usize::from(room);
                        assert_eq!(connection.join(&rooms[at], Join::guest()).is_ok(), !is_in[at]);
                        is_in[at] = true;
                    }
                    Op::Take => {
                        let items = connection.try_next_items();
                        // All rooms that have something have said so by the end of the window, and sooner
                        // where the order is that of dispatch.
                        let is_all = items.len() == due.len();
                        assert!(is_all || !by_dispatch, "{} of {} came", items.len(), due.len());
                        let (mut level, mut latest) = (0, BTreeMap::<usize, u64>::new());
                        let mut last_of: BTreeMap<(Option<u8>, usize), u64> = BTreeMap::new();
                        for item in &items {
                            let number: u64 = text(item).trim_matches(['(', ')']).parse().unwrap();
                            let its = due.remove(&number).expect("it was due, and comes once");
                            assert_eq!(item.room, its.room.map(|room| rooms[usize::from(room)].id()));
                            // In one room and level, in the order in which they were said.
                            let last = last_of.insert((its.room, its.level), number);
                            assert!(last.is_none_or(|last| last < number));
                            if order == Order::Priority {
                                assert!(level <= its.level, "{its:?} behind level {level}");
                                level = its.level;
                            }
                            let group = if order == Order::Priority { its.level } else { 0 };
                            let before = latest.insert(group, its.at).unwrap_or(0);
                            assert!(before <= its.at, "{its:?} behind one of {before}");
                            if let ItemKind::Direct(direct) = &item.what {
                                assert_eq!(direct.sent_at, Some(item.at));
                                assert_eq!(item.at, began + Duration::from_millis(its.at));
                            }
                        }
                    }
                }
            }
            // With the window over, everything has come.
            tokio::time::sleep(Duration::from_secs(1)).await;
            while !due.is_empty() {
                let items = timeout(LONG, connection.next_items()).await.expect("what is due comes");
                for item in &items {
                    let number: u64 = text(item).trim_matches(['(', ')']).parse().unwrap();
                    due.remove(&number).expect("it was due, and comes once");
                }
            }
        });
    }
}
