//! Which room a handle stands for: its own, or the one that took its place after it expired.

use crate::room::SharedRoom;
use crate::sync::Arc;
use std::ops::Deref;

/// The room that a handle stands for.
#[derive(Debug)]
pub(super) enum Current<'a, M> {
    /// The one that it was made for.
    Own(&'a Arc<SharedRoom<M>>),
    /// That one has expired, and this one was opened in its place.
    Anew(Arc<SharedRoom<M>>),
}

impl<M> Deref for Current<'_, M> {
    type Target = Arc<SharedRoom<M>>;

    fn deref(&self) -> &Arc<SharedRoom<M>> {
        match self {
            Self::Own(shared) => shared,
            Self::Anew(shared) => shared,
        }
    }
}

/// What a handle does once its room has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhenExpired {
    /// It stands for the room that was opened in its place, and a join opens one.
    OpensAnew,
    /// It stands for the room that it was made for, which is closed.
    StaysClosed,
}
