//! Messages in the log that were taken back: nobody reads them any more.
//! [Clause C1](crate::rulebook#c1-retract).

use super::Log;
use crate::message::{Message, Payload};
use crate::priority::{PerLevel, Priority};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::ops::Range;

/// The maximum number of positions of each level that are remembered as withdrawn.
pub(crate) const MAX_WITHDRAWN: usize = 4_096;

/// The withdrawn positions of each level, in order. Most rooms have none.
pub(super) type Withdrawn = Option<Box<PerLevel<VecDeque<u64>>>>;

impl<M: Payload> Log<M> {
    /// Nobody reads the message of a level at a position any more. Returns whether it is here and
    /// was not withdrawn before. O(log messages), and what is remembered behind it.
    pub(crate) fn withdraw(&mut self, level: Priority, position: u64) -> bool {
        let tail = self.tail(level);
        if position < tail || position >= self.head(level) {
            return false;
        }
        let positions = &mut self.withdrawn.get_or_insert_default()[level];
        // Nobody asks for one that has fallen out.
        let fallen = positions.partition_point(|&other| other < tail);
        drop(positions.drain(..fallen));
        match positions.binary_search(&position) {
            Ok(_) => false,
            Err(place) => {
                positions.insert(place, position);
                true
            }
        }
    }

    /// Returns the position below which a level has to be given up, so that no more are remembered
    /// than may be; `None` when there are few enough.
    pub(crate) fn withdrawn_too_many(&self, level: Priority) -> Option<u64> {
        let positions = &self.withdrawn.as_ref()?[level];
        let more = positions.len().checked_sub(MAX_WITHDRAWN + 1)?;
        positions.get(more).map(|oldest| oldest + 1)
    }

    /// Returns whether the message of a level at a position was taken back, if the log holds it.
    #[inline]
    pub(crate) fn is_withdrawn(&self, level: Priority, position: u64) -> bool {
        match &self.withdrawn {
            None => false,
            Some(withdrawn) => withdrawn[level].binary_search(&position).is_ok(),
        }
    }

    /// Returns the message with this sequence number, if the log holds it. O(log messages).
    pub(crate) fn find(&self, seq: crate::ids::Seq) -> Option<&Arc<Message<M>>> {
        Priority::ALL.into_iter().find_map(|level| {
            let position = self.first_where(level, |message| message.seq >= seq);
            self.get(level, position).filter(|message| message.seq == seq)
        })
    }

    /// Returns the positions of a level that the log holds, at most so many of the newest.
    pub(crate) fn newest_of(&self, level: Priority, most: u32) -> Range<u64> {
        let head = self.head(level);
        self.tail(level).max(head.saturating_sub(u64::from(most)))..head
    }
}
