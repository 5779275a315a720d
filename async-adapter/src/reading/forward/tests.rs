//! The loop in virtual time, polled by hand: it knows no executor, and its timers are the hub's.

use super::*;
use crate::hub::Hub;
use crate::hub::worker_loop::{Next, WorkerLoop};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::{Clock, Join, Publish, Room, RoomConfig, RoomId, Source};
use roomcast_core::Instant;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

/// Milliseconds that only the test moves.
#[derive(Clone, Default)]
struct Hands(Arc<AtomicU64>);

impl Clock for Hands {
    fn now(&self) -> Instant {
        Instant::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// A peer that takes so many items, and takes more when it is let.
#[derive(Clone, Default)]
struct Peer(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    left: usize,
    taken: Vec<&'static str>,
    error: Option<&'static str>,
}

impl Sink<&'static str> for Peer {
    type Error = &'static str;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let State { left, error, .. } = *self.0.lock().unwrap();
        match error {
            Some(error) => Poll::Ready(Err(error)),
            // Whoever lets it take more polls as well: nobody is woken but by the hub.
            None if left == 0 => Poll::Pending,
            None => Poll::Ready(Ok(())),
        }
    }

    fn start_send(self: Pin<&mut Self>, item: &'static str) -> Result<(), Self::Error> {
        let state = &mut *self.0.lock().unwrap();
        state.left -= 1;
        state.taken.push(item);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }
}

type Done = Forwarded<&'static str>;

/// A room, a peer, and the loop between them.
struct Stage {
    hands: Hands,
    _hub: Hub<&'static str>,
    workers: Vec<WorkerLoop<&'static str>>,
    room: Room<&'static str>,
    peer: Peer,
    forward: Pin<Box<dyn Future<Output = Done>>>,
    /// How often the task was woken.
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Woken(AtomicU64);

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Stage {
    fn new(options: ForwardOptions) -> Self {
        let hands = Hands::default();
        hands.0.store(1_000_000, Ordering::Relaxed);
        let builder = Hub::<&'static str>::builder().workers(1).clock(hands.clone());
        let (hub, workers) = builder.max_step(None).by_hand();
        let room = hub.create_room(RoomId(1), &RoomConfig::fan_out()).unwrap();
        let (peer, reader) = (Peer::default(), room.join(Join::guest()).unwrap());
        let encode =
            |batch: &Batch<&'static str>| batch.messages().iter().map(|m| m.payload).collect();
        let forward = forward_batches::<_, _, _, Vec<_>>(reader, peer.clone(), encode, options);
        let (forward, woken) = (Box::pin(forward), Arc::default());
        let mut stage = Self { hands, _hub: hub, workers, room, peer, forward, woken };
        assert!(stage.poll().is_none());
        stage
    }

    fn say(&self, texts: &[&'static str]) {
        for text in texts {
            let _ = self.room.try_publish(Publish::new(Source::Host, *text)).unwrap();
        }
    }

    fn poll(&mut self) -> Option<Done> {
        let waker = Waker::from(Arc::clone(&self.woken));
        match self.forward.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => Some(done),
            Poll::Pending => None,
        }
    }

    /// Lets time pass as the workers do, and polls whenever the task was woken, which is counted.
    /// What the loop did, if it ended, and how long that took.
    fn pass(&mut self, millis: u64) -> (Option<Done>, u64) {
        let began = self.hands.0.load(Ordering::Relaxed);
        loop {
            let woken = self.woken.0.load(Ordering::Relaxed);
            let next = self.workers[0].turn();
            let now = self.hands.0.load(Ordering::Relaxed);
            if self.woken.0.load(Ordering::Relaxed) > woken {
                match self.poll() {
                    Some(done) => return (Some(done), now - began),
                    // It may have started a timer.
                    None => continue,
                }
            }
            let at = match next {
                Next::Now => now,
                Next::After(pause) => now + pause.as_micros().div_ceil(1_000) as u64,
                Next::Idle | Next::Stop => u64::MAX,
            };
            if at > began + millis {
                self.hands.0.store(began + millis, Ordering::Relaxed);
                return (None, millis);
            }
            self.hands.0.store(at, Ordering::Relaxed);
        }
    }

    /// The peer takes so many more.
    fn take(&mut self, more: usize) -> Option<Done> {
        self.peer.0.lock().unwrap().left += more;
        self.poll()
    }

    fn taken(&self) -> String {
        self.peer.0.lock().unwrap().taken.concat()
    }
}

fn stalled_after(millis: u64) -> ForwardOptions {
    let stalled_after = Duration::from_millis(millis);
    ForwardOptions { stalled_after, reach: Duration::MAX, ..ForwardOptions::default() }
}

/// The time begins anew with every item.
#[test]
fn d50_a_sink_that_goes_on_is_kept_and_one_that_does_not_is_given_up() {
    let mut stage = Stage::new(stalled_after(1_000));
    stage.say(&["a", "b", "c", "d", "e"]);
    stage.pass(0);
    for taken in ["a", "ab", "abc"] {
        assert!(stage.pass(999).0.is_none());
        assert!(stage.take(1).is_none());
        assert_eq!(stage.taken(), taken);
    }
    let (done, after) = stage.pass(60_000);
    let done = done.expect("it takes nothing more");
    assert!(matches!(done.end, ForwardEnd::Stalled), "{done:?}");
    assert_eq!((after, done.batches, done.unsent, done.taken), (1_000, 0, 5, 3));
}

/// A task that waits for a quiet room is woken for the looks at its sink and for nothing else.
#[test]
fn a_quiet_sink_is_looked_at_by_the_hub_s_timers() {
    let mut stage = Stage::new(stalled_after(1_000));
    stage.take(9);
    let woken = |stage: &Stage| stage.woken.0.load(Ordering::Relaxed);
    let before = woken(&stage);
    assert!(stage.pass(9_999).0.is_none());
    assert_eq!(woken(&stage) - before, 0);
    assert!(stage.pass(30_001).0.is_none());
    assert_eq!(woken(&stage) - before, 4);
    stage.peer.0.lock().unwrap().error = Some("broken pipe");
    let (done, after) = stage.pass(60_000);
    let done = done.expect("the next look finds it");
    assert!(matches!(done.end, ForwardEnd::Sink("broken pipe")), "{done:?}");
    assert_eq!(after, 10_000);
}

/// Nobody is left to tell the time: the room closes, and who waits for a sink does not for ever.
#[test]
fn a_sink_is_given_up_where_the_workers_have_ended() {
    let mut stage = Stage::new(stalled_after(1_000));
    stage.say(&["a", "b"]);
    stage.pass(0);
    stage.workers.clear();
    let done = stage.poll().expect("it ends");
    assert!(matches!(done.end, ForwardEnd::Stalled), "{done:?}");
    // And one with nothing to write is told why.
    let mut stage = Stage::new(stalled_after(1_000));
    stage.workers.clear();
    let done = stage.poll().expect("it ends");
    assert!(matches!(done.end, ForwardEnd::Session(SessionEnd::Closed(_))), "{done:?}");
}
