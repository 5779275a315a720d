//! What no fan-out can do without: keeping the message, looking at 16 bytes of each session, and,
//! with a task for each, waking and polling it.

use super::Fanout;
use super::tally::{count_handed, count_waiting};
use crate::payload;
use bytes::Bytes;
use std::collections::VecDeque;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Messages that a ring holds.
const RING: usize = 512;

/// Appends each message to a ring that nobody reads: the floor of a publish.
#[derive(Debug)]
pub struct Append(VecDeque<Arc<Bytes>>);

impl Append {
    fn new() -> Self {
        Self(VecDeque::with_capacity(RING))
    }

    fn append(&mut self) {
        if self.0.len() == RING {
            self.0.pop_front();
        }
        self.0.push_back(black_box(Arc::new(payload())));
    }
}

impl Fanout for Append {
    const DELIVERS: bool = false;

    fn with_members(_members: u32) -> Result<Self, String> {
        Ok(Self::new())
    }

    fn publish(&mut self) -> Result<(), String> {
        self.append();
        Ok(())
    }
}

/// Compares each session's four cursors with where they should stand, moves them on and counts: the
/// floor of a delivery. A session is moved once for a burst.
#[derive(Debug)]
pub struct BareSweep {
    ring: Append,
    cursors: Vec<[u32; 4]>,
    swept: u32,
    published: u32,
}

impl Fanout for BareSweep {
    fn with_members(members: u32) -> Result<Self, String> {
        Ok(Self {
            ring: Append::new(),
            cursors: vec![[0; 4]; members as usize],
            swept: 0,
            published: 0,
        })
    }

    fn publish(&mut self) -> Result<(), String> {
        self.ring.append();
        self.published = self.published.wrapping_add(1);
        Ok(())
    }

    fn deliver(&mut self) {
        let (from, to) = ([0, self.swept, 0, 0], [0, self.published, 0, 0]);
        let messages = u64::from(self.published.wrapping_sub(self.swept));
        let mut handed = 0;
        for cursor in &mut self.cursors {
            if *cursor == from {
                *cursor = to;
                handed += messages;
            }
        }
        self.swept = self.published;
        count_handed(black_box(handed));
    }
}

/// A task for each member that is woken once for a burst and does nothing but count: the least that
/// any design with a task for each receiver costs.
#[derive(Debug)]
pub struct WakeAndPoll {
    ring: Append,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Messages published, modulo 2³².
    head: AtomicU32,
    /// In the order in which the tasks began to wait. They serve for good: a task's waker stays
    /// the same.
    wakers: Mutex<Vec<Waker>>,
}

struct Member {
    shared: Arc<Shared>,
    /// How far it has read; `None` before it waits.
    read: Option<u32>,
}

impl Future for Member {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let head = self.shared.head.load(Ordering::Acquire);
        if let Some(read) = self.read.replace(head) {
            count_handed(head.wrapping_sub(read).into());
        } else {
            self.shared
                .wakers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(cx.waker().clone());
            count_waiting();
        }
        Poll::Pending
    }
}

impl Fanout for WakeAndPoll {
    const TASKS: bool = true;

    fn with_members(members: u32) -> Result<Self, String> {
        let wakers = Mutex::new(Vec::with_capacity(members as usize));
        let shared = Arc::new(Shared { head: AtomicU32::new(0), wakers });
        for _ in 0..members {
            tokio::spawn(Member { shared: Arc::clone(&shared), read: None });
        }
        Ok(Self { ring: Append::new(), shared })
    }

    fn publish(&mut self) -> Result<(), String> {
        self.ring.append();
        self.shared.head.fetch_add(1, Ordering::Release);
        Ok(())
    }

    fn deliver(&mut self) {
        let wakers = self.shared.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        wakers.iter().for_each(Waker::wake_by_ref);
    }
}
