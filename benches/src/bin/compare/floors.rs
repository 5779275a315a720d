//! What no fan-out can do without: keeping the message, and looking at 16 bytes of each session.

use crate::contender::{Fanout, count_handed};
use bytes::Bytes;
use roomcast_benches::payload;
use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;

/// Messages that a ring holds.
const RING: usize = 512;

/// Appends each message to a ring that nobody reads: the floor of a publish.
pub(crate) struct Append(VecDeque<Arc<Bytes>>);

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

    async fn with_members(_members: u32) -> Result<Self, String> {
        Ok(Self::new())
    }

    fn publish(&mut self) -> Result<(), String> {
        self.append();
        Ok(())
    }

    async fn deliver(&mut self, _handed: u64) -> Result<(), String> {
        Ok(())
    }
}

/// Compares each session's four cursors with where they should stand, moves them on and counts: the floor of a delivery.
pub(crate) struct Sweep {
    ring: Append,
    cursors: Vec<[u32; 4]>,
    here: u32,
}

impl Fanout for Sweep {
    async fn with_members(members: u32) -> Result<Self, String> {
        Ok(Self { ring: Append::new(), cursors: vec![[0; 4]; members as usize], here: 0 })
    }

    fn publish(&mut self) -> Result<(), String> {
        self.ring.append();
        Ok(())
    }

    async fn deliver(&mut self, _handed: u64) -> Result<(), String> {
        let (from, to) = ([0, self.here, 0, 0], [0, self.here + 1, 0, 0]);
        let mut handed = 0;
        for cursor in &mut self.cursors {
            if *cursor == from {
                *cursor = to;
                handed += 1;
            }
        }
        self.here += 1;
        count_handed(black_box(handed));
        Ok(())
    }
}
