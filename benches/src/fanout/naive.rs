//! The fan-out with priorities that one writes first: four queues for each member, and publishing
//! fills one of every member.

use super::Fanout;
use super::tally::count_handed;
use crate::payload;
use bytes::Bytes;
use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;

/// The level that every contender with levels publishes at: the second of four.
const NORMAL: usize = 1;

/// Four queues of each member.
#[derive(Debug)]
pub struct VecDeques(Vec<[VecDeque<Arc<Bytes>>; 4]>);

impl Fanout for VecDeques {
    fn with_members(members: u32) -> Result<Self, String> {
        Ok(Self((0..members).map(|_| <[VecDeque<Arc<Bytes>>; 4]>::default()).collect()))
    }

    fn publish(&mut self) -> Result<(), String> {
        let message = Arc::new(payload());
        for levels in &mut self.0 {
            levels[NORMAL].push_back(Arc::clone(&message));
        }
        Ok(())
    }

    fn deliver(&mut self) {
        for levels in &mut self.0 {
            for level in levels {
                while let Some(message) = level.pop_front() {
                    drop(black_box(message));
                    count_handed(1);
                }
            }
        }
    }
}
