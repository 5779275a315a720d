//! `forward`: from a subscription to a sink, in paused time.
#![cfg(feature = "tokio")]

use futures_sink::Sink;
use roomcast::error::SessionEnd;
use roomcast::event::{EndReason, StartPosition};
use roomcast::session::{ForwardEnd, ForwardOptions, forward_batches};
use roomcast::{
    Actor, Batch, Budget, Direct, Hub, Item, Join, PerLevel, Priority, Publish, Recipient, Room,
    RoomConfig, RoomId, Source, UserId,
};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// What a sink does when it is asked whether it is ready.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Ready,
    Stuck,
    Broken,
    /// Ready for more, and what it has cannot be flushed.
    Unflushed,
}

#[derive(Clone)]
struct Peer {
    mood: Arc<Mutex<Mood>>,
    waiting: Arc<Mutex<Option<Waker>>>,
    /// Frames, and a `|` for each flush.
    seen: Arc<Mutex<String>>,
}

impl Peer {
    fn new(mood: Mood) -> Self {
        Self { mood: Arc::new(Mutex::new(mood)), waiting: Arc::default(), seen: Arc::default() }
    }

    fn becomes(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
        if let Some(waker) = self.waiting.lock().unwrap().take() {
            waker.wake();
        }
    }

    fn seen(&self) -> String {
        self.seen.lock().unwrap().clone()
    }
}

impl Sink<String> for Peer {
    type Error = &'static str;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match *self.mood.lock().unwrap() {
            Mood::Ready | Mood::Unflushed => Poll::Ready(Ok(())),
            Mood::Stuck => {
                *self.waiting.lock().unwrap() = Some(cx.waker().clone());
                Poll::Pending
            }
            Mood::Broken => Poll::Ready(Err("broken pipe")),
        }
    }

    fn start_send(self: Pin<&mut Self>, frame: String) -> Result<(), Self::Error> {
        self.seen.lock().unwrap().push_str(&frame);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.seen.lock().unwrap().push('|');
        let is_broken = *self.mood.lock().unwrap() == Mood::Unflushed;
        Poll::Ready(if is_broken { Err("cannot be flushed") } else { Ok(()) })
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }
}

fn encode(batch: &Batch<&'static str>) -> Vec<String> {
    batch
        .items()
        .map(|item| match item {
            Item::Gap { count, .. } => format!("<{count}>"),
            Item::Message(message) => message.payload.to_owned(),
            Item::Direct(direct) => format!("to you: {}", direct.payload),
        })
        .collect()
}

fn room(config: &RoomConfig) -> (Hub<&'static str>, Room<&'static str>) {
    let hub = Hub::<&'static str>::builder().workers(1).spawn();
    let room = hub.create_room(RoomId(1), config).unwrap();
    (hub, room)
}

fn publish(room: &Room<&'static str>, texts: &[&'static str]) {
    for &text in texts {
        let _ = room.try_publish(Publish::new(Source::Host, text)).unwrap();
    }
}

fn within(seconds: u64) -> ForwardOptions {
    ForwardOptions { stalled_after: Duration::from_secs(seconds), ..ForwardOptions::default() }
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_flushed_once_and_the_end_is_told() {
    let (_hub, room) = room(&RoomConfig::av_chat_room(UserId(1)));
    let reader =
        room.join(Join::guest()).unwrap().with_budget(Budget { messages: 2, bytes: 1_000 });
    let peer = Peer::new(Mood::Ready);
    publish(&room, &["a", "b", "c"]);
    room.close(Actor::Host).unwrap();
    let done = forward_batches(reader, peer.clone(), encode, within(1)).await;
    assert!(matches!(done.end, ForwardEnd::Session(SessionEnd::Closed(EndReason::RoomClosed))));
    assert_eq!((done.batches, done.messages, done.unsent), (2, 3, 0));
    assert_eq!(peer.seen(), "ab|c|");
}

/// The peer is given up.
#[tokio::test(start_paused = true)]
async fn messages_of_a_stuck_peer_count_as_unsent() {
    let (_hub, room) = room(&RoomConfig::av_chat_room(UserId(1)));
    let reader = room.join(Join::guest()).unwrap();
    publish(&room, &["a", "b"]);
    let done = forward_batches(reader, Peer::new(Mood::Stuck), encode, within(1)).await;
    assert!(matches!(done.end, ForwardEnd::Stalled));
    assert_eq!(done.unsent, 2);
    sleep(Duration::from_millis(1)).await;
    let books = room.stats();
    assert_eq!((books.unsent, books.room.audience.sessions), (2, 0));
    assert!(books.room.balances());
}

/// Takes so many items and no more.
fn stuck_after<T>(items: usize) -> impl Sink<T, Error = &'static str> {
    futures_util::sink::unfold(1, move |taken, _: T| async move {
        if taken == items { std::future::pending().await } else { Ok(taken + 1) }
    })
}

/// A gap is an item as well, and no message; what is joined is not known to have been taken.
#[tokio::test(start_paused = true)]
async fn what_a_sink_took_before_it_stuck_is_told() {
    let config = RoomConfig::builder(UserId(1)).log_messages(PerLevel([4; 4])).build().unwrap();
    let (_hub, room) = room(&config);
    let items = |batch: &Batch<&'static str>| batch.items().map(drop).collect::<Vec<_>>();
    let joined = |_: &Batch<&'static str>| [(); 2];
    let hear = || {
        let reader = room.join(Join::guest()).unwrap();
        publish(&room, &["a", "b", "c", "d", "e", "f"]);
        reader
    };
    let done = forward_batches(hear(), stuck_after(3), items, within(1)).await;
    assert!(matches!(done.end, ForwardEnd::Stalled));
    assert_eq!((done.messages, done.unsent, done.taken), (0, 4, 2));
    let done = forward_batches(hear(), stuck_after(2), joined, within(1)).await;
    assert_eq!((done.messages, done.unsent, done.taken), (0, 4, 0));
}

#[tokio::test(start_paused = true)]
async fn a_broken_peer_ends_it_with_the_sinks_error() {
    let (_hub, room) = room(&RoomConfig::av_chat_room(UserId(1)));
    let reader = room.join(Join::guest()).unwrap();
    publish(&room, &["a"]);
    let done = forward_batches(reader, Peer::new(Mood::Broken), encode, within(1)).await;
    assert!(matches!(done.end, ForwardEnd::Sink("broken pipe")));
    assert_eq!(room.stats().unsent, 1);
}

/// What was being written then is counted.
#[tokio::test(start_paused = true)]
async fn dropping_the_future_counts_what_is_underway() {
    let (_hub, room) = room(&RoomConfig::av_chat_room(UserId(1)));
    let reader = room.join(Join::guest()).unwrap();
    publish(&room, &["a", "b", "c"]);
    let writing = forward_batches(reader, Peer::new(Mood::Stuck), encode, within(60));
    assert!(tokio::time::timeout(Duration::from_secs(1), writing).await.is_err());
    assert_eq!(room.stats().unsent, 3);
}

/// While the peer is busy, nothing is taken.
#[tokio::test(start_paused = true)]
async fn what_a_busy_peer_misses_is_a_gap() {
    let config = RoomConfig::builder(UserId(1)).log_messages(PerLevel([2; 4])).build().unwrap();
    let (_hub, room) = room(&config);
    let reader = room.join(Join::guest()).unwrap();
    let peer = Peer::new(Mood::Stuck);
    publish(&room, &["a"]);
    let writing = tokio::spawn(forward_batches(reader, peer.clone(), encode, within(60)));
    sleep(Duration::from_millis(10)).await;
    publish(&room, &["b", "c", "d", "e"]);
    peer.becomes(Mood::Ready);
    sleep(Duration::from_millis(10)).await;
    room.close(Actor::Host).unwrap();
    let done = writing.await.unwrap();
    assert_eq!((done.messages, done.unsent), (3, 0));
    assert_eq!(peer.seen(), "a|<2>de|");
}

/// What the host has to say to one who is kicked goes out behind what the room has, however slow
/// the sink; then the end is told, and the sink is there for last words.
#[tokio::test(start_paused = true)]
async fn d50_a_kick_is_told_behind_what_is_due() {
    let (_hub, room) = room(&RoomConfig::av_chat_room(UserId(1)));
    let reader = room.join(Join::user(UserId(7))).unwrap();
    let mut slow = Slow::new(Duration::from_millis(150));
    let seen = Arc::clone(&slow.seen);
    publish(&room, &["a", "b", "c", "d", "e", "f"]);
    let said = async {
        sleep(Duration::from_millis(400)).await;
        let _ = room.send_direct(Recipient::User(UserId(7)), Direct::new("be nice")).unwrap();
        room.moderation(Actor::Host).kick(&[UserId(7)]).unwrap();
        publish(&room, &["too late"]);
    };
    let (done, ()) =
        tokio::join!(forward_batches(reader, &mut slow, encode, ForwardOptions::default()), said);
    let ForwardEnd::Session(end) = done.end else { panic!("{:?}", done.end) };
    assert_eq!(end, SessionEnd::Closed(EndReason::Kicked));
    assert_eq!((done.messages, done.unsent, done.token), (7, 0, None));
    futures_util::SinkExt::send(&mut slow, format!("end: {end}")).await.unwrap();
    let seen: Vec<_> = seen.lock().unwrap().iter().map(|(frame, _)| frame.clone()).collect();
    let words = ["a", "b", "c", "d", "e", "f", "to you: be nice"].map(str::to_owned);
    assert_eq!(seen[..7], words);
    assert_eq!(seen[7], format!("end: {end}"));
}

/// Whoever comes back gets what was on its way, and what it cannot get any more is a gap.
#[tokio::test(start_paused = true)]
async fn d50_who_was_given_up_is_told_what_it_missed() {
    let config = RoomConfig::builder(UserId(1)).log_messages(PerLevel([3; 4])).build().unwrap();
    for (later, right) in [(&["c"][..], "abc|"), (&["c", "d", "e", "f"], "<3>def|")] {
        let (_hub, room) = room(&config);
        let reader = room.join(Join::user(UserId(7))).unwrap();
        publish(&room, &["a", "b"]);
        let done = forward_batches(reader, Peer::new(Mood::Stuck), encode, within(1)).await;
        assert!(matches!(done.end, ForwardEnd::Stalled));
        publish(&room, later);
        let back = room.join(Join::user(UserId(7)).resume(done.token.unwrap())).unwrap();
        assert_eq!(back.start(), StartPosition::Resumed);
        room.close(Actor::Host).unwrap();
        let peer = Peer::new(Mood::Ready);
        let done = forward_batches(back, peer.clone(), encode, within(1)).await;
        assert!(matches!(done.end, ForwardEnd::Session(SessionEnd::Closed(EndReason::RoomClosed))));
        assert_eq!(peer.seen(), right);
    }
}

/// A sink that takes a frame every so often, and puts down when.
struct Slow {
    every: Duration,
    busy: Option<Pin<Box<Sleep>>>,
    began: Instant,
    seen: Arc<Mutex<Vec<(String, Duration)>>>,
}

impl Slow {
    fn new(every: Duration) -> Self {
        Self { every, busy: None, began: Instant::now(), seen: Arc::default() }
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
        self.poll_free(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, frame: String) -> Result<(), Self::Error> {
        let at = self.began.elapsed();
        self.seen.lock().unwrap().push((frame, at));
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

/// Four hundred texts wait, and the sink takes one in 4 ms: a gift waits for no more of them than
/// the sink takes in a quarter of a second.
#[tokio::test(start_paused = true)]
async fn d49_a_gift_waits_for_what_a_sink_takes_in_reach() {
    for (reach, least, most) in [(250, 0, 300), (u64::MAX, 900, 1_100)] {
        let config = RoomConfig::builder(UserId(1)).rate(1_000).burst(1_000).build().unwrap();
        let (_hub, room) = room(&config);
        let reader = room.join(Join::guest()).unwrap();
        let slow = Slow::new(Duration::from_millis(4));
        let (seen, began) = (Arc::clone(&slow.seen), slow.began);
        publish(&room, &["text"; 400]);
        let reach = if reach == u64::MAX { Duration::MAX } else { Duration::from_millis(reach) };
        let options = ForwardOptions { reach, ..ForwardOptions::default() };
        let writing = tokio::spawn(forward_batches(reader, slow, encode, options));
        sleep(Duration::from_millis(100)).await;
        let said = began.elapsed();
        let gift = Publish::new(Source::Host, "gift").priority(Priority::High);
        let _ = room.try_publish(gift).unwrap();
        sleep(Duration::from_secs(5)).await;
        let seen = seen.lock().unwrap().clone();
        let came = seen.iter().find(|(frame, _)| frame == "gift").expect("it comes").1;
        let came = came.saturating_sub(said);
        assert!((least..=most).contains(&came.as_millis()), "{reach:?}: {came:?}");
        assert_eq!(seen.len(), 401);
        drop(writing);
    }
}

/// One that takes a frame every second is slow, and is not given up.
#[tokio::test(start_paused = true)]
async fn d50_a_sink_that_goes_on_is_not_given_up() {
    let (_hub, room) = room(&RoomConfig::av_chat_room(UserId(1)));
    let reader = room.join(Join::guest()).unwrap();
    publish(&room, &["text"; 40]);
    let slow = Slow::new(Duration::from_secs(1));
    let seen = Arc::clone(&slow.seen);
    let options = ForwardOptions { reach: Duration::MAX, ..within(2) };
    let writing = tokio::spawn(forward_batches(reader, slow, encode, options));
    sleep(Duration::from_secs(60)).await;
    assert_eq!(seen.lock().unwrap().len(), 40);
    assert!(!writing.is_finished());
    room.close(Actor::Host).unwrap();
    let done = writing.await.unwrap();
    assert_eq!((done.messages, done.unsent), (40, 0));
}

/// After 3 s in a quiet room the peer, which was so until then, becomes another. What ended the
/// writing, and when.
async fn in_a_quiet_room(
    peer: Peer,
    becomes: Mood,
    options: ForwardOptions,
) -> (ForwardEnd<&'static str>, Duration) {
    let (_hub, room) = room(&RoomConfig::av_chat_room(UserId(1)));
    let reader = room.join(Join::guest()).unwrap();
    let start = Instant::now();
    let writing = tokio::spawn(forward_batches(reader, peer.clone(), encode, options));
    sleep(Duration::from_secs(3)).await;
    peer.becomes(becomes);
    let done =
        tokio::time::timeout(Duration::from_secs(100), writing).await.expect("it ends").unwrap();
    assert_eq!((done.batches, done.messages, done.unsent), (0, 0, 0));
    let time = start.elapsed();
    sleep(Duration::from_millis(1)).await;
    let books = room.stats();
    assert_eq!((books.unsent, books.room.audience.sessions), (0, 0));
    (done.end, time)
}

/// It ends at the next look or when the sink wakes.
#[tokio::test(start_paused = true)]
async fn a_failed_sink_ends_it_even_in_a_quiet_room() {
    let options = ForwardOptions::default();
    let seconds = |time: Duration| time.as_millis() / 1_000;
    let (end, time) = in_a_quiet_room(Peer::new(Mood::Ready), Mood::Broken, options).await;
    assert!(matches!(end, ForwardEnd::Sink("broken pipe")), "{end:?}");
    assert_eq!(seconds(time), 10, "it woke nobody");
    let (end, time) = in_a_quiet_room(Peer::new(Mood::Ready), Mood::Unflushed, options).await;
    assert!(matches!(end, ForwardEnd::Sink("cannot be flushed")), "{end:?}");
    assert_eq!(seconds(time), 10);
    let (end, time) = in_a_quiet_room(Peer::new(Mood::Stuck), Mood::Broken, options).await;
    assert!(matches!(end, ForwardEnd::Sink("broken pipe")), "{end:?}");
    assert_eq!(seconds(time), 3, "it woke whoever waited for it");
    let often = ForwardOptions { check_sink_every: Some(Duration::ZERO), ..options };
    let (_, time) = in_a_quiet_room(Peer::new(Mood::Ready), Mood::Broken, often).await;
    assert!((3_000..3_010).contains(&time.as_millis()), "{time:?}");
}

/// One that is well is looked at now and then.
#[tokio::test(start_paused = true)]
async fn a_sink_is_looked_at_only_if_it_may_be_asked() {
    for (every, looks, end) in [(Some(10), 10, "Session"), (None, 0, "Sink")] {
        let (_hub, room) = room(&RoomConfig::av_chat_room(UserId(1)));
        let reader = room.join(Join::guest()).unwrap();
        let options = ForwardOptions {
            check_sink_every: every.map(Duration::from_secs),
            ..ForwardOptions::default()
        };
        let peer = Peer::new(Mood::Ready);
        let writing = tokio::spawn(forward_batches(reader, peer.clone(), encode, options));
        sleep(Duration::from_secs(105)).await;
        assert_eq!(peer.seen(), "|".repeat(looks));
        if every.is_none() {
            peer.becomes(Mood::Broken);
            sleep(Duration::from_secs(1_000)).await;
        }
        assert!(!writing.is_finished());
        publish(&room, &["a"]);
        sleep(Duration::from_millis(1)).await;
        room.close(Actor::Host).unwrap();
        let done = writing.await.unwrap();
        assert!(format!("{:?}", done.end).starts_with(end), "{done:?}");
        assert_eq!(done.messages + done.unsent, 1);
    }
}
