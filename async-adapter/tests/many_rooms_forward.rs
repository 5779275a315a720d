//! A connection in many rooms that is written to a sink, in paused time (D35, D49, D50).
#![cfg(feature = "tokio")]

use futures_sink::Sink;
use roomcast::connection::{Connection, ConnectionItem, ItemKind, Order, forward_items};
use roomcast::error::JoinError;
use roomcast::session::{ForwardEnd, ForwardOptions, Forwarded};
use roomcast::{Actor, Direct, Hub, Priority, Publish, Room, RoomConfig, Source};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep};

type Seen = Arc<Mutex<Vec<(String, Instant)>>>;

/// A sink that takes a frame every so often, and nothing more after so many.
struct Slow {
    every: Duration,
    left: usize,
    busy: Option<Pin<Box<Sleep>>>,
    seen: Seen,
}

impl Slow {
    fn new(every: Duration, left: usize) -> Self {
        Self { every, left, busy: None, seen: Seen::default() }
    }

    fn poll_free(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        if let Some(busy) = &mut self.busy {
            ready!(busy.as_mut().poll(cx));
            self.busy = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl Sink<String> for Slow {
    type Error = &'static str;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if self.left == 0 { Poll::Pending } else { self.poll_free(cx) }
    }

    fn start_send(mut self: Pin<&mut Self>, frame: String) -> Result<(), Self::Error> {
        self.seen.lock().unwrap().push((frame, Instant::now()));
        self.left -= 1;
        self.busy = Some(Box::pin(sleep(self.every)));
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.poll_free(cx)
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }
}

fn encode(item: &ConnectionItem<String>) -> [String; 1] {
    [match &item.what {
        ItemKind::Message { message, .. } => message.payload.clone(),
        ItemKind::Direct(direct) => format!("to you: {}", direct.payload),
        ItemKind::Gap { count, .. } => format!("<{count}>"),
        ItemKind::End(end) => format!("end: {end}"),
        other => panic!("{other:?}"),
    }]
}

fn write(
    connection: Connection<String>,
    sink: Slow,
    options: ForwardOptions,
) -> (JoinHandle<Forwarded<&'static str>>, Seen) {
    let seen = Arc::clone(&sink.seen);
    (tokio::spawn(forward_items(connection, sink, encode, options)), seen)
}

fn frames(seen: &Seen) -> Vec<String> {
    std::mem::take(&mut *seen.lock().unwrap()).into_iter().map(|(frame, _)| frame).collect()
}

fn hub_and_rooms(names: &[&'static str]) -> (Hub<String>, Vec<Room<String>>) {
    let hub = Hub::<String>::builder().workers(2).spawn();
    let room = |name: &&'static str| hub.open_room(*name, &RoomConfig::fan_out()).unwrap();
    let rooms = names.iter().map(room).collect();
    (hub, rooms)
}

fn say(room: &Room<String>, text: &str, priority: Priority) {
    let say = Publish::new(Source::Host, text.to_owned()).priority(priority);
    let _ = room.try_publish(say).unwrap();
}

async fn a_while() {
    sleep(Duration::from_millis(50)).await;
}

#[tokio::test(start_paused = true)]
async fn d35_it_joins_and_leaves_while_it_is_written() {
    let (hub, rooms) = hub_and_rooms(&["rust", "birds"]);
    let (handle, connection) = Connection::new(&hub, Order::Dispatch).split();
    let fast = Slow::new(Duration::ZERO, usize::MAX);
    let (writing, seen) = write(connection, fast, ForwardOptions::default());
    handle.sender().send(Direct::new("welcome".to_owned())).unwrap();
    a_while().await;
    assert_eq!(frames(&seen), ["to you: welcome"], "in no room at all");
    for room in &rooms {
        let session = handle.join(room, "ann").unwrap();
        assert_eq!(handle.session(room.id()), Some(session));
        assert_eq!(handle.join(room, "ann"), Err(JoinError::AlreadyJoined { session }));
    }
    for (room, text) in [(0, "1"), (1, "2"), (0, "3")] {
        say(&rooms[room], text, Priority::Normal);
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    a_while().await;
    assert_eq!(frames(&seen), ["1", "2", "3"]);
    // Who leaves one room stays in the other, and may come back.
    assert!(handle.leave(rooms[1].id()) && !handle.leave(rooms[1].id()));
    a_while().await;
    assert_eq!((rooms[1].sessions(), handle.rooms()), (0, vec![rooms[0].id()]));
    for room in &rooms {
        say(room, room.name().unwrap(), Priority::Normal);
    }
    a_while().await;
    assert_eq!(frames(&seen), ["rust"]);
    handle.join(&rooms[1], "ann").unwrap();
    // Who is shown out of one, too.
    rooms[0].moderation(Actor::Host).kick(&[rooms[0].user_id("ann")]).unwrap();
    say(&rooms[1], "again", Priority::Normal);
    a_while().await;
    let mut told = frames(&seen);
    told.sort();
    assert_eq!(told, ["again", "end: the session has ended: the user was kicked"]);
    assert_eq!(handle.rooms(), [rooms[1].id()]);
    drop(handle);
    let done = writing.await.unwrap();
    assert!(matches!(done.end, ForwardEnd::Left), "{done:?}");
    assert_eq!((done.messages, done.unsent), (6, 0));
    a_while().await;
    assert!(rooms.iter().all(|room| room.sessions() == 0 && room.stats().balances()));
}

/// What it could not write is unsent in the rooms that it came from, and none of them has it any more.
#[tokio::test(start_paused = true)]
async fn d50_a_sink_that_takes_no_more_is_given_up() {
    let (hub, rooms) = hub_and_rooms(&["rust", "birds"]);
    let mut connection = Connection::new(&hub, Order::Dispatch);
    for room in &rooms {
        connection.join(room, "ann").unwrap();
    }
    for number in 0..5 {
        say(&rooms[number % 2], "text", Priority::Normal);
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    let began = Instant::now();
    // Slow, and not given up for it; then it takes nothing.
    let sink = Slow::new(Duration::from_millis(1_900), 3);
    let stalled_after = Duration::from_secs(2);
    let options = ForwardOptions { stalled_after, ..ForwardOptions::default() };
    let (writing, seen) = write(connection, sink, options);
    let done = writing.await.unwrap();
    assert!(matches!(done.end, ForwardEnd::Stalled), "{done:?}");
    assert_eq!((done.messages, done.unsent, done.taken, frames(&seen).len()), (0, 5, 3, 3));
    let took = began.elapsed().as_millis();
    assert!((5_800..5_900).contains(&took), "{took}");
    assert_eq!(rooms.iter().map(|room| room.stats().unsent).collect::<Vec<_>>(), [3, 2]);
    a_while().await;
    assert!(rooms.iter().all(|room| room.sessions() == 0));
}

/// A gift in one of twenty rooms waits for what the sink takes in a quarter of a second, and not for what
/// all of them have.
#[tokio::test(start_paused = true)]
async fn d49_a_gift_in_one_room_waits_for_what_a_sink_takes_in_reach() {
    let names: Vec<&'static str> = (b'a'..=b't')
        .map(|letter| &*Box::leak(char::from(letter).to_string().into_boxed_str()))
        .collect();
    let (hub, rooms) = hub_and_rooms(&names);
    let mut connection = Connection::new(&hub, Order::Priority);
    for room in &rooms {
        connection.join(room, "ann").unwrap();
        (0..100).for_each(|_| say(room, "text", Priority::Normal));
    }
    let slow = Slow::new(Duration::from_millis(4), usize::MAX);
    let (writing, seen) = write(connection, slow, ForwardOptions::default());
    sleep(Duration::from_secs(1)).await;
    let said = Instant::now();
    say(&rooms[13], "gift", Priority::High);
    sleep(Duration::from_secs(10)).await;
    let came = seen.lock().unwrap().iter().find(|(frame, _)| frame == "gift").expect("it comes").1;
    let waited = (came - said).as_millis();
    assert!(waited <= 500, "{waited} ms");
    assert!(!writing.is_finished());
    writing.abort();
    assert!(writing.await.unwrap_err().is_cancelled());
    a_while().await;
    assert!(rooms.iter().all(|room| room.sessions() == 0 && room.stats().unsent == 0));
}
