//! At an edge, what goes out goes to the room (clause B17).

use super::Admission;
use super::waiting::{Extras, Waiting};
use crate::chunked::Deque;
use crate::config::RoomConfig;
use crate::message::{Forward, Payload};
use crate::queue::Popped;
use crate::tips::{Folds, Tips};
use alloc::boxed::Box;

/// What waits to be taken to the room.
pub(super) type Forwards<M> = Option<Box<Deque<Forward<M>>>>;

impl<M: Payload> Admission<M> {
    /// One whose messages are forwarded.
    pub(crate) fn at_edge(config: &RoomConfig) -> Self {
        Self { forwards: Some(Box::new(Deque::new())), tips: Folds::new(Tips::NONE), ..Self::new(config) }
    }

    pub(crate) fn pop_forward(&mut self) -> Option<Forward<M>> {
        self.forwards.as_mut()?.pop_front()
    }

    /// Whether the host has not taken what waits for the room: nothing more goes out until it does.
    #[inline]
    pub(super) fn is_backed_up(&self) -> bool {
        self.forwards.as_ref().is_some_and(|forwards| forwards.len() >= self.settings.feed_messages as usize)
    }

    /// A message that has left the queue waits for the host to take it to the room. Its outcome will be told there: here it needs no slot.
    pub(super) fn forward(&mut self, popped: Popped<Waiting<M>>) {
        let Popped { item, priority, sender, entered, .. } = popped;
        let Extras { units, merge, key, .. } = item.extras();
        let Waiting { id, kind, session, profile, report, payload, .. } = item;
        self.ledger.levels[priority].dispatch(units);
        self.release_slot(priority, report);
        let forward =
            Forward { id, sender, session, priority, kind, merge, units, key, report, admitted_at: entered, profile, payload };
        if let Some(forwards) = &mut self.forwards {
            forwards.push_back(forward);
        }
    }
}
