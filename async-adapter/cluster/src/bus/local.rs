//! A bus for the nodes of one process, on tokio.

use super::{Bus, CallId, ClientId, Connection, FromBus, MemoryBus, Request, Said};
use roomcast_core::Instant;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::SystemTime;
use tokio::sync::watch;
use tokio::time::sleep_until;

/// What waits for a connection that nobody calls [`next`](Connection::next) on: with more it is cut off, as
/// a server does with a slow consumer.
const WAITING: usize = 65_536;

/// A bus for nodes that live in one process: for tests, for a try, and for a server that may grow over
/// several machines one day. It holds the last 1,024 records of each room as long as the process lives;
/// there is nothing behind it that would outlive that.
///
/// ```
/// use roomcast_cluster::bus::{Answer, CallId, Connection, FromBus, LocalBus, Request, Said};
/// use roomcast_core::RoomId;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let bus = LocalBus::new();
/// let mut node = bus.connect();
/// node.request(Some(CallId(1)), Request::Last { room: RoomId(42) });
/// let nothing = FromBus::Answer(CallId(1), Answer::Read(None));
/// assert_eq!(node.next().await, Some(Said::Bus(nothing)));
/// # }
/// ```
#[derive(Clone)]
pub struct LocalBus {
    shared: Arc<Shared>,
}

/// A node's connection to a [`LocalBus`]. To drop it ends what it has subscribed to.
pub struct LocalConnection {
    shared: Arc<Shared>,
    client: ClientId,
    lapses: watch::Receiver<()>,
}

struct Shared {
    state: Mutex<State>,
    start: tokio::time::Instant,
    at: Instant,
    /// Tells that the next key lapses at another time than before. Whoever waits for something from the bus
    /// waits for that key as well.
    lapses: watch::Sender<()>,
}

struct State {
    bus: MemoryBus,
    clients: BTreeMap<ClientId, Client>,
    next_client: u64,
}

/// What the bus has said to a connection, and who waits for more.
#[derive(Default)]
struct Client {
    waiting: VecDeque<FromBus>,
    waker: Option<Waker>,
    /// Too much waited: nothing comes behind what does.
    is_cut: bool,
}

impl LocalBus {
    /// Returns a bus that is made now, in the time since 1970: as the system says it now, and as nothing
    /// sets it afterwards.
    pub fn new() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let at = Instant::ZERO + since;
        let state = State { bus: MemoryBus::new(at), clients: BTreeMap::new(), next_client: 0 };
        let (lapses, _) = watch::channel(());
        let start = tokio::time::Instant::now();
        Self { shared: Arc::new(Shared { state: Mutex::new(state), start, at, lapses }) }
    }

    /// All logs are lost, as of a server without copies that dies, and made anew: for tests of what a
    /// cluster does then. The keys are elsewhere, and stay.
    pub fn lose_logs(&self) {
        self.shared.with(MemoryBus::lose_logs);
    }

    /// Returns a connection for one node.
    pub fn connect(&self) -> LocalConnection {
        let mut state = self.shared.lock();
        let client = ClientId(state.next_client);
        state.next_client += 1;
        state.clients.insert(client, Client::default());
        let lapses = self.shared.lapses.subscribe();
        drop(state);
        LocalConnection { shared: self.shared.clone(), client, lapses }
    }
}

impl Default for LocalBus {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing of the host's runs under the lock: wakers are called behind it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Instant {
        self.at + self.start.elapsed()
    }

    /// What a connection hears next; else its task is woken when there is something.
    fn poll(&self, client: ClientId, waker: &Waker) -> Poll<Option<FromBus>> {
        let mut waker = Some(waker.clone());
        let polled = self.lock().poll(client, &mut waker);
        drop(waker);
        polled
    }

    /// Does something with the bus, and hands out what comes of it.
    fn with(&self, act: impl FnOnce(&mut MemoryBus, Instant)) {
        let mut state = self.lock();
        let (now, before) = (self.now(), state.bus.poll_timeout());
        state.bus.handle_timeout(now);
        act(&mut state.bus, now);
        let wakers = state.hand_out();
        let is_another = state.bus.poll_timeout() != before;
        drop(state);
        for waker in wakers {
            // One that panics keeps nobody else from being woken, and whoever asked from going on.
            let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
        }
        if is_another {
            self.lapses.send_replace(());
        }
    }
}

impl State {
    /// Gives everyone what the bus says; returns whom to wake.
    fn hand_out(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        while let Some((name, said)) = self.bus.poll() {
            let Some(client) = self.clients.get_mut(&name) else { continue };
            if client.waiting.len() < WAITING {
                client.waiting.push_back(said);
            } else {
                client.is_cut = true;
                self.bus.disconnect(name);
            }
            wakers.extend(client.waker.take());
        }
        wakers
    }

    /// What a connection hears next; `None`, once: it has been cut off.
    /// `waker` changes places with the one that waited before: both are the host's, and neither is to be
    /// cloned or dropped under the lock.
    fn poll(&mut self, client: ClientId, waker: &mut Option<Waker>) -> Poll<Option<FromBus>> {
        let client = self.clients.entry(client).or_default();
        if let Some(said) = client.waiting.pop_front() {
            return Poll::Ready(Some(said));
        }
        if std::mem::take(&mut client.is_cut) {
            return Poll::Ready(None);
        }
        std::mem::swap(&mut client.waker, waker);
        Poll::Pending
    }
}

impl LocalConnection {
    /// What the bus says next; `None`: it has been cut off.
    async fn hear(&mut self) -> Option<FromBus> {
        loop {
            // In this order: what changes after the look is told.
            self.lapses.mark_unchanged();
            let due = self.shared.lock().bus.poll_timeout();
            let due = due.map(|at| self.shared.start + at.saturating_since(self.shared.at));
            tokio::select! {
                biased;
                said = poll_fn(|its| self.shared.poll(self.client, its.waker())) => return said,
                Ok(()) = self.lapses.changed() => {}
                () = async { sleep_until(due.unwrap_or_else(tokio::time::Instant::now)).await },
                    if due.is_some() => self.shared.with(|_, _| {}),
            }
        }
    }
}

impl Connection for LocalConnection {
    fn request(&mut self, call: Option<CallId>, request: Request) {
        let client = self.client;
        self.shared.with(|bus, now| bus.request(now, client, call, request));
    }

    async fn next(&mut self) -> Option<Said> {
        if let Some(said) = self.hear().await {
            return Some(Said::Bus(said));
        }
        Some(Said::Reconnected)
    }
}

impl Drop for LocalConnection {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let client = state.clients.remove(&self.client);
        state.bus.disconnect(self.client);
        drop(state);
        drop(client);
    }
}

impl fmt::Debug for LocalBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalBus").finish_non_exhaustive()
    }
}

impl fmt::Debug for LocalConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalConnection").field("client", &self.client).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::{Answer, Key, Push};
    use bytes::Bytes;
    use roomcast_core::RoomId;
    use std::time::Duration;

    /// Nobody asks anything at that time: who waits is woken by the key itself.
    #[tokio::test(start_paused = true)]
    async fn a_key_lapses_for_who_waits_though_its_owner_is_gone() {
        let bus = LocalBus::new();
        let (mut watcher, mut owner) = (bus.connect(), bus.connect());
        watcher.request(None, Request::Watch);
        let wait = tokio::spawn(async move {
            let mut told = Vec::new();
            for _ in 0..2 {
                told.push(watcher.next().await);
            }
            told
        });
        tokio::task::yield_now().await;
        let (key, value) = (Key::Node(7), Bytes::from_static(b"me"));
        let ttl = Some(Duration::from_secs(3));
        let start = tokio::time::Instant::now();
        owner
            .request(Some(CallId(1)), Request::Put { key, expected: 0, value: value.clone(), ttl });
        let done = FromBus::Answer(CallId(1), Answer::Done(1));
        assert_eq!(owner.next().await, Some(Said::Bus(done)));
        drop(owner);
        let told =
            |revision, value| Some(Said::Bus(FromBus::Push(Push::Key { key, revision, value })));
        assert_eq!(wait.await.unwrap(), [told(1, Some(value)), told(2, None)]);
        assert!(start.elapsed() >= Duration::from_secs(3));
    }

    /// A waker may do whatever its host wants, and so drop, ask, or look.
    #[test]
    fn who_is_woken_may_use_the_bus_at_once() {
        struct Asks(Mutex<LocalConnection>);
        impl std::task::Wake for Asks {
            fn wake(self: Arc<Self>) {
                let ask = Request::Last { room: RoomId(1) };
                self.0.lock().unwrap().request(Some(CallId(2)), ask);
            }
        }
        let bus = LocalBus::new();
        let (mut waits, speaks) = (bus.connect(), bus.connect());
        let asks = Arc::new(Asks(Mutex::new(bus.connect())));
        waits.request(None, Request::Listen { room: RoomId(1) });
        let waker = Waker::from(Arc::clone(&asks));
        let heard = |waits: &LocalConnection| waits.shared.poll(waits.client, &waker);
        assert_eq!(heard(&waits), Poll::Pending);
        let mut speaks = speaks;
        speaks.request(None, Request::Send { room: RoomId(1), bytes: Bytes::from_static(b"x") });
        assert!(matches!(heard(&waits), Poll::Ready(Some(FromBus::Push(Push::Sent { .. })))));
        let answer = FromBus::Answer(CallId(2), Answer::Read(None));
        assert_eq!(heard(&asks.0.lock().unwrap()), Poll::Ready(Some(answer)));
    }

    /// Neither is a waker's panic the matter of whoever asks.
    #[test]
    fn a_waker_that_panics_keeps_nobody_from_being_woken() {
        struct Panics;
        impl std::task::Wake for Panics {
            fn wake(self: Arc<Self>) {
                panic!("as wanted");
            }
        }
        struct Counts(std::sync::atomic::AtomicU32);
        impl std::task::Wake for Counts {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
        let bus = LocalBus::new();
        let [mut first, mut second, mut speaks] = [bus.connect(), bus.connect(), bus.connect()];
        let room = RoomId(1);
        for waits in [&mut first, &mut second] {
            waits.request(None, Request::Listen { room });
        }
        let counts = Arc::new(Counts(0.into()));
        assert!(first.shared.poll(first.client, &Waker::from(Arc::new(Panics))).is_pending());
        assert!(second.shared.poll(second.client, &Waker::from(Arc::clone(&counts))).is_pending());
        speaks.request(None, Request::Send { room, bytes: Bytes::from_static(b"x") });
        assert_eq!(counts.0.load(std::sync::atomic::Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn who_never_listens_is_cut_off_and_told() {
        let bus = LocalBus::new();
        let (mut slow, mut fast) = (bus.connect(), bus.connect());
        let room = RoomId(1);
        slow.request(None, Request::Listen { room });
        let send = || Request::Send { room, bytes: Bytes::from_static(b"x") };
        (0..=WAITING).for_each(|_| fast.request(None, send()));
        for _ in 0..WAITING {
            assert!(matches!(slow.next().await, Some(Said::Bus(FromBus::Push(Push::Sent { .. })))));
        }
        assert_eq!(slow.next().await, Some(Said::Reconnected));
        slow.request(None, Request::Listen { room });
        fast.request(None, send());
        assert!(matches!(slow.next().await, Some(Said::Bus(FromBus::Push(Push::Sent { .. })))));
    }
}
