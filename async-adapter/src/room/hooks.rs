//! The hooks of the host that all rooms of a hub call.

use crate::sync::OnceLock;
use roomcast_core::ids::Ticket;

/// Has a message reviewed that waits for a decision. It runs outside every lock.
type Reviewer<R> = dyn Fn(&R, Ticket) + Send + Sync;

/// The hooks that all rooms of a hub share. `R` is a room, as they get it.
pub(crate) struct Hooks<R> {
    reviewer: OnceLock<Box<Reviewer<R>>>,
}

impl<R> Default for Hooks<R> {
    fn default() -> Self {
        Self { reviewer: OnceLock::new() }
    }
}

impl<R> std::fmt::Debug for Hooks<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks").field("reviews", &self.reviewer.get().is_some()).finish()
    }
}

impl<R> Hooks<R> {
    /// Returns whether there was no reviewer yet.
    #[cfg(feature = "tokio")]
    pub(crate) fn set_reviewer(&self, reviewer: Box<Reviewer<R>>) -> bool {
        self.reviewer.set(reviewer).is_ok()
    }

    /// Has a message reviewed, if anybody does.
    pub(crate) fn review(&self, room: &R, ticket: Ticket) {
        if let Some(reviewer) = self.reviewer.get() {
            reviewer(room, ticket);
        }
    }
}
