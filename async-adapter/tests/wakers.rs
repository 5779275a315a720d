//! Whoever waits for a session that ends is woken, whatever other wakers do meanwhile.
#![cfg(feature = "tokio")]

use parking_lot::Mutex;
use roomcast::{
    Actor, Direct, Hub, Join, Publish, Recipient, Room, RoomConfig, RoomId, Source, Subscription,
    UserId,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Does something when it is woken for the first time.
struct Act(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for Act {
    fn wake(self: Arc<Self>) {
        let act = self.0.lock().take();
        if let Some(act) = act {
            act();
        }
    }
}

fn act(act: impl FnOnce() + Send + 'static) -> Waker {
    Waker::from(Arc::new(Act(Mutex::new(Some(Box::new(act))))))
}

fn room_of(config: &RoomConfig) -> (Hub<String>, Room<String>) {
    let hub = Hub::<String>::builder().workers(1).spawn();
    let room = hub.create_room(RoomId(1), config).unwrap();
    (hub, room)
}

/// Lets a session wait with a waker.
fn park(subscription: &mut Subscription<String>, waker: &Waker) {
    assert!(subscription.poll_next_batch(&mut Context::from_waker(waker)).is_pending());
}

async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// The session is closed while others are woken.
#[tokio::test(start_paused = true)]
async fn a_close_amid_wakes_reaches_its_reader() {
    let (_hub, room) = room_of(&RoomConfig::av_chat_room(UserId(1)));
    let (mut closed, mut other) =
        (room.join(Join::guest()).unwrap(), room.join(Join::guest()).unwrap());
    let count = Arc::new(Count::default());
    park(&mut closed, &Waker::from(Arc::clone(&count)));
    // Only the other one is ready, and the segment of both is out while it is woken.
    let closes = act({
        let (room, session) = (room.clone(), closed.session());
        move || assert!(room.session(session).close())
    });
    park(&mut other, &closes);
    settle().await;
    let _ = room
        .send_direct(Recipient::Session(other.session()), Direct::new("psst".to_owned()))
        .unwrap();
    settle().await;
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(closed.poll_next_batch(&mut cx), Poll::Ready(Err(_))));
}

/// Another has the slot before the reader is woken.
#[tokio::test(start_paused = true)]
async fn a_reader_learns_of_its_end_in_a_reused_slot() {
    for parks in [false, true] {
        let config = RoomConfig::builder(UserId(1)).grace(Duration::ZERO).build().unwrap();
        let (_hub, room) = room_of(&config);
        let mut first = room.join(Join::user(UserId(2))).unwrap();
        // The last one is woken a good while after the first one.
        let _between: Vec<_> = (0..1_100).map(|_| room.join(Join::guest()).unwrap()).collect();
        let mut last = room.join(Join::user(UserId(3))).unwrap();
        let (count, joined) = (Arc::new(Count::default()), Arc::new(Mutex::new(Vec::new())));
        park(&mut last, &Waker::from(Arc::clone(&count)));
        let joins = act({
            let (room, joined) = (room.clone(), Arc::clone(&joined));
            move || {
                for _ in 0..2 {
                    let mut subscription = room.join(Join::guest()).unwrap();
                    if parks {
                        park(&mut subscription, Waker::noop());
                    }
                    joined.lock().push(subscription);
                }
            }
        });
        park(&mut first, &joins);
        settle().await;
        room.moderation(Actor::Host).kick(&[UserId(2), UserId(3)]).unwrap();
        settle().await;
        let slots: Vec<u32> =
            joined.lock().iter().map(|subscription| subscription.session().slot()).collect();
        assert!(slots.contains(&last.session().slot()), "its slot is another's by then");
        assert_eq!(count.0.load(Ordering::Relaxed), 1, "the new one waits: {parks}");
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(last.poll_next_batch(&mut cx), Poll::Ready(Err(_))));
    }
}

/// The news come while others are woken and the room grows.
#[tokio::test(start_paused = true)]
async fn who_waits_is_woken_for_news_amid_wakes() {
    let (_hub, room) =
        room_of(&RoomConfig::builder(UserId(1)).rate(1_000).burst(1_000).build().unwrap());
    let say = |room: &Room<String>| {
        assert!(room.try_publish(Publish::new(Source::Host, "hello".to_owned())).is_ok());
    };
    // In three segments, each is woken by itself.
    let mut waiting: Vec<_> = (0..3 * 1_024).map(|_| room.join(Join::guest()).unwrap()).collect();
    settle().await;
    let count = Arc::new(Count::default());
    // One of the first segment takes the first message and waits again.
    let first = Arc::new(Mutex::new(waiting.swap_remove(0)));
    let waits_again = act({
        let (first, waker) = (Arc::clone(&first), Waker::from(Arc::clone(&count)));
        move || {
            assert!(first.lock().try_next_batch().unwrap().is_some());
            park(&mut first.lock(), &waker);
        }
    });
    park(&mut first.lock(), &waits_again);
    // At one of the second, something more is said.
    let says = act({
        let room = room.clone();
        move || say(&room)
    });
    park(&mut waiting[1_500], &says);
    // At one of the third, the room grows.
    let joined = Arc::new(Mutex::new(Vec::new()));
    let joins = act({
        let (room, joined) = (room.clone(), Arc::clone(&joined));
        move || {
            for _ in 0..2 * 1_024 {
                let mut subscription = room.join(Join::guest()).unwrap();
                park(&mut subscription, Waker::noop());
                joined.lock().push(subscription);
            }
        }
    });
    park(&mut waiting[2_500], &joins);
    say(&room);
    settle().await;
    assert_eq!(joined.lock().len(), 2 * 1_024);
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
}
