//! What a connection gets, and in which order.

use crate::sync::Arc;
use roomcast_core::error::SessionEnd;
use roomcast_core::{Batch, Direct, GapCause, Instant, Item, Message, Priority, RoomId};
use std::cmp::Ordering;

/// How what came from several rooms follows each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// By priority, the highest first, and within one by the time of dispatch: as within a room.
    /// Where more is due than a take returns, each room has a share of it, so that what is High
    /// anywhere waits for one take at most.
    #[default]
    Priority,
    /// By the time of dispatch alone, whatever the priority: for protocols whose clients count on
    /// what was said first being seen first, as IRC's do: what one room said after another did is
    /// never seen before it. A take reads every room, or, where more was due than a take returns,
    /// the rest of what it was at one instant.
    Dispatch,
}

/// Something that a connection gets.
#[derive(Debug)]
pub struct ConnectionItem<M> {
    /// The room that it is of; `None`: it is for the connection alone.
    pub room: Option<RoomId>,
    /// When it was dispatched, by the hub's clock, and no later than it was read. Of a direct
    /// message, when it was sent, but no earlier than what stands before it at its priority, and no
    /// later than what stands behind; of a gap, when what stands behind it was dispatched, or when
    /// it was told.
    pub at: Instant,
    /// What it is.
    pub what: ItemKind<M>,
    /// Its place: what stands before or behind a message goes by that one's number.
    place: (Priority, u64, u8),
}

/// What a connection gets.
#[derive(Debug)]
#[non_exhaustive]
pub enum ItemKind<M> {
    /// A message of the room.
    Message {
        /// The message.
        message: Arc<Message<M>>,
        /// It was there before the session came, and a resume or a late join asked for it.
        is_history: bool,
    },
    /// A message to this session, this user or this connection alone.
    Direct(Arc<Direct<M>>),
    /// So many messages of this priority of the room were missed, just before those that follow.
    Gap {
        /// Their priority.
        priority: Priority,
        /// How many; never zero.
        count: u64,
        /// Why they were missed.
        cause: GapCause,
    },
    /// The session in this room has ended, and the connection is in it no more. Everything that was
    /// due comes before.
    End(SessionEnd),
}

impl<M> ConnectionItem<M> {
    /// The items of a room's batch that was read at `read_at`, in its order; `now` is for those
    /// that stand alone.
    pub(super) fn of_batch(
        room: RoomId,
        now: Instant,
        read_at: Instant,
        batch: &Batch<M>,
    ) -> Vec<Self> {
        let mut items: Vec<Self> = Vec::new();
        // What stands before the first message of its level, and waits for that.
        let mut before: Vec<Self> = Vec::new();
        let mut last: Option<(Priority, u64, Instant)> = None;
        for item in batch.items() {
            let level = match item {
                Item::Gap { priority, .. } => priority,
                Item::Message(message) => message.priority,
                Item::Direct(direct) => direct.priority,
            };
            if before.first().is_some_and(|first| first.place.0 != level) {
                items.append(&mut before);
            }
            let alone = |what, part| Self {
                room: Some(room),
                at: now,
                what,
                place: (level, u64::MAX, part),
            };
            match item {
                Item::Gap { priority, count, cause } => {
                    before.push(alone(ItemKind::Gap { priority, count, cause }, 0));
                }
                Item::Message(message) => {
                    let (seq, at) = (message.seq.0, message.dispatched_at.min(read_at));
                    // Another machine's clock may have dispatched it before what was sent here.
                    let behind = items.iter_mut().rev().take_while(|item| item.is_direct_of(level));
                    behind.for_each(|item| item.at = item.at.min(at));
                    items.extend(before.drain(..).map(|item| Self {
                        at: item.at.min(at),
                        place: (level, seq, 0),
                        ..item
                    }));
                    let is_history = batch.is_history(message);
                    let what = ItemKind::Message { message: Arc::clone(message), is_history };
                    items.push(Self { room: Some(room), at, what, place: (level, seq, 1) });
                    last = Some((level, seq, at));
                }
                Item::Direct(direct) => {
                    let what = ItemKind::Direct(Arc::clone(direct));
                    let sent_at = direct.sent_at.map_or(read_at, |at| at.min(read_at));
                    let item = alone(what, 2);
                    match last.filter(|(of, ..)| *of == level) {
                        Some((_, seq, at)) => {
                            items.push(Self {
                                at: at.max(sent_at),
                                place: (level, seq, 2),
                                ..item
                            });
                        }
                        None => before.push(Self { at: sent_at, ..item }),
                    }
                }
            }
        }
        items.append(&mut before);
        items
    }

    /// A message for the connection alone.
    pub(super) fn own(now: Instant, direct: Direct<M>) -> Self {
        let place = (direct.priority, u64::MAX, 2);
        let at = direct.sent_at.map_or(now, |at| at.min(now));
        Self { room: None, at, what: ItemKind::Direct(Arc::new(direct)), place }
    }

    /// Whether it is a direct message of this priority.
    fn is_direct_of(&self, level: Priority) -> bool {
        self.place.0 == level && matches!(self.what, ItemKind::Direct(_))
    }

    /// The end of a room's session: behind all that it was due.
    pub(super) fn end(room: RoomId, now: Instant, end: SessionEnd) -> Self {
        let place = (Priority::Lowest, u64::MAX, 3);
        Self { room: Some(room), at: now, what: ItemKind::End(end), place }
    }

    /// Which of two comes first. Equal ones stay as they came.
    pub(super) fn compare(&self, other: &Self, order: Order) -> Ordering {
        let (level, seq, part) = self.place;
        let (other_level, other_seq, other_part) = other.place;
        let by_level = match order {
            Order::Priority => level.index().cmp(&other_level.index()),
            Order::Dispatch => Ordering::Equal,
        };
        by_level
            .then(self.at.cmp(&other.at))
            .then(self.room.cmp(&other.room))
            .then(seq.cmp(&other_seq))
            .then(part.cmp(&other_part))
    }
}
