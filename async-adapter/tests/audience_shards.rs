//! A room over several shards, on several threads: nobody misses a wake-up, everyone gets every message once and in order, and the books
//! add up over all parts.
#![cfg(feature = "tokio")]

use parking_lot::Mutex;
use roomcast::error::SessionEnd;
use roomcast::event::EndReason;
use roomcast::pump::PumpOptions;
use roomcast::{
    Actor, Direct, Encoder, GapCause, Hub, Item, Join, Message, Priority, Publish, Room,
    RoomConfig, RoomId, Source, Subscription, Transport, UserId,
};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::timeout;

/// A message is its number.
type Word = Box<[u8]>;

const MESSAGES: u64 = 1_000;
const LONG: Duration = Duration::from_secs(120);

/// The next number that a reader expects, and how many it got and missed.
#[derive(Debug, Default)]
struct Reader {
    next: u64,
    got: u64,
    missed: u64,
}

impl Reader {
    fn gap(&mut self, count: u64) {
        self.missed += count;
        self.next += count;
    }

    fn message(&mut self, number: u64) {
        assert_eq!(number, self.next, "each once, in order");
        self.got += 1;
        self.next += 1;
    }
}

fn room(log: u32, shards_per_room: usize) -> (Hub<Word>, Room<Word>) {
    let hub = Hub::<Word>::builder().workers(4).shards_per_room(shards_per_room).spawn();
    let config = RoomConfig::builder(UserId(1))
        .rate(1_000_000)
        .burst(1_000_000)
        .log_messages(roomcast::PerLevel([log; 4]));
    let room = hub.create_room(RoomId(1), &config.build().unwrap()).unwrap();
    (hub, room)
}

fn payload(number: u64) -> Publish<Word> {
    Publish::new(Source::Host, Word::from(number.to_be_bytes()))
}

fn number(payload: &[u8]) -> u64 {
    u64::from_be_bytes(payload.try_into().unwrap())
}

/// Reads until the session ends, some of the time slowly.
async fn read(mut subscription: Subscription<Word>, first: u64, slow: bool) -> Reader {
    let mut reader = Reader { next: first, ..Reader::default() };
    let mut batches = 0_u32;
    loop {
        match subscription.next_batch().await {
            Ok(batch) => {
                for item in batch.items() {
                    match item {
                        Item::Gap { count, .. } => reader.gap(count),
                        Item::Message(message) => reader.message(number(&message.payload)),
                        Item::Direct(_) => unreachable!("nobody sends any"),
                    }
                }
            }
            Err(end) => {
                assert_eq!(end, SessionEnd::Closed(EndReason::RoomClosed));
                return reader;
            }
        }
        batches += 1;
        if slow && batches.is_multiple_of(8) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Publishes all, now and then leaving the readers time to catch up.
async fn publish_all(room: &Room<Word>) {
    for n in 0..MESSAGES {
        let receipt = room.try_publish(payload(n)).unwrap();
        assert!(receipt.outcome.is_some());
        if n % 16 == 0 {
            tokio::task::yield_now().await;
        }
        if n % 128 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_shards_get_everything_once_and_in_order() {
    let (hub, room) = room(1 << 11, 4);
    let readers: Vec<_> = (0..2_000)
        .map(|n| tokio::spawn(read(room.join(Join::guest()).unwrap(), 0, n % 7 == 0)))
        .collect();
    // Others come and go in all shards meanwhile.
    let churn = tokio::spawn({
        let room = room.clone();
        async move {
            for n in 0..300 {
                let join = if n % 2 == 0 { Join::guest() } else { Join::user(UserId(1_000 + n)) };
                let mut subscription = room.join(join).unwrap();
                let _ = timeout(Duration::from_micros(300), subscription.next_batch()).await;
                if n % 3 == 1 {
                    room.leave(UserId(1_000 + n)).ok();
                }
            }
        }
    });
    publish_all(&room).await;
    churn.await.unwrap();
    let report = timeout(LONG, hub.drain(LONG)).await.expect("nobody hangs");
    assert_eq!(report.rooms, 1);
    let mut got = 0;
    for reader in readers {
        let reader = timeout(LONG, reader).await.expect("nobody hangs").unwrap();
        assert_eq!((reader.next, reader.missed), (MESSAGES, 0), "the log held all");
        got += reader.got;
    }
    let snapshot = room.stats().room;
    assert!(snapshot.balances(), "{snapshot:?}");
    let row = snapshot.audience.deliveries[Priority::Normal];
    assert!(row.delivered >= got && row.skipped == 0 && row.pending == 0, "{row:?}");
    assert_eq!(snapshot.audience.sessions, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn those_who_fall_behind_hear_the_exact_gap() {
    let (hub, room) = room(16, 4);
    let readers: Vec<_> = (0..1_500)
        .map(|n| tokio::spawn(read(room.join(Join::guest()).unwrap(), 0, n % 2 == 0)))
        .collect();
    publish_all(&room).await;
    timeout(LONG, hub.drain(LONG)).await.expect("nobody hangs");
    let (mut got, mut missed) = (0, 0);
    for reader in readers {
        let reader = timeout(LONG, reader).await.expect("nobody hangs").unwrap();
        assert_eq!(reader.next, MESSAGES);
        (got, missed) = (got + reader.got, missed + reader.missed);
    }
    let row = room.stats().room.audience.deliveries[Priority::Normal];
    assert_eq!((row.delivered, row.skipped, row.pending), (got, missed, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_segments_of_one_shard_are_all_woken() {
    let (hub, room) = room(1 << 11, 1);
    let readers: Vec<_> = (0..3_000)
        .map(|_| tokio::spawn(read(room.join(Join::guest()).unwrap(), 0, false)))
        .collect();
    // Everyone waits before each message.
    for n in 0..5 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(room.try_publish(payload(n)).is_ok());
    }
    let all_read = async {
        while room.stats().room.audience.deliveries[Priority::Normal].pending > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, all_read).await.expect("everyone is woken");
    hub.drain(LONG).await;
    for reader in readers {
        assert_eq!(timeout(LONG, reader).await.expect("nobody hangs").unwrap().got, 5);
    }
}

#[derive(Clone)]
struct Raw;

impl Encoder<Word> for Raw {
    type Frame = Vec<u8>;

    fn message(&mut self, message: &Message<Word>) -> Vec<u8> {
        message.payload.to_vec()
    }

    fn direct(&mut self, direct: &Direct<Word>) -> Vec<u8> {
        direct.payload.to_vec()
    }

    fn gap(&mut self, _: Priority, count: u64, _: GapCause) -> Option<Vec<u8>> {
        // The top bit marks a gap.
        Some((count | 1 << 63).to_be_bytes().into())
    }
}

/// A connection that is busy now and then and becomes free a moment later, from another thread.
struct Moody {
    seen: Arc<Mutex<Vec<u8>>>,
    writes: u64,
    open: AtomicU64,
    waker: Arc<Mutex<Option<Waker>>>,
}

impl Transport for Moody {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writes += 1;
        if self.writes.is_multiple_of(5) && self.open.swap(0, Ordering::Relaxed) != 1 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count =
            if self.writes.is_multiple_of(3) { bytes.len().div_ceil(2) } else { bytes.len() };
        self.seen.lock().extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.open.load(Ordering::Relaxed) == 1 || !self.writes.is_multiple_of(5) {
            return Poll::Ready(Ok(()));
        }
        self.open.store(1, Ordering::Relaxed);
        *self.waker.lock() = Some(cx.waker().clone());
        let waker = Arc::clone(&self.waker);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if let Some(waker) = waker.lock().take() {
                waker.wake();
            }
        });
        Poll::Pending
    }
}

/// Everything is written once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pump_in_all_shards_writes_all_in_order() {
    let (_hub, room) = room(64, 4);
    let pump = room.pump(Raw, PumpOptions::default()).unwrap();
    let seen: Vec<_> = (0..1_500).map(|_| Arc::new(Mutex::new(Vec::new()))).collect();
    let pumped: Vec<_> = seen
        .iter()
        .map(|seen| {
            let seen = Arc::clone(seen);
            let moody = Moody { seen, writes: 0, open: AtomicU64::new(0), waker: Arc::default() };
            pump.join(Join::guest(), moody).unwrap()
        })
        .collect();
    let readers: Vec<_> =
        (0..500).map(|_| tokio::spawn(read(room.join(Join::guest()).unwrap(), 0, false))).collect();
    publish_all(&room).await;
    room.close(Actor::Host).unwrap();
    let emptied = async {
        while pump.stats().connections > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, emptied).await.expect("every connection is served to the end");
    let (mut got, mut missed) = (0, 0);
    for reader in readers {
        let reader = timeout(LONG, reader).await.expect("nobody hangs").unwrap();
        assert_eq!(reader.next, MESSAGES);
        (got, missed) = (got + reader.got, missed + reader.missed);
    }
    for seen in &seen {
        let mut reader = Reader::default();
        for word in seen.lock().chunks(8) {
            match number(word) {
                gap if gap >> 63 == 1 => reader.gap(gap & !(1 << 63)),
                number => reader.message(number),
            }
        }
        assert_eq!(reader.next, MESSAGES, "{reader:?}");
        (got, missed) = (got + reader.got, missed + reader.missed);
    }
    let snapshot = room.stats();
    let row = snapshot.room.audience.deliveries[Priority::Normal];
    assert_eq!((row.delivered, row.skipped, row.pending, snapshot.unsent), (got, missed, 0, 0));
    assert!(snapshot.room.balances());
    drop(pumped);
}
