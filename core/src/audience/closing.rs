//! How the audience closes, and who has gone since it was asked last.

use crate::event::EndReason;
use crate::ids::SessionKey;
use crate::time::{Duration, Instant};
use alloc::vec::Vec;

/// Whether the audience is closed, and the grace of all that ends.
#[derive(Debug)]
pub(super) struct Closing {
    /// Why, and until when sessions may take what they are due.
    closed: Option<(EndReason, Instant)>,
    grace: Duration,
    /// Whose grace was over in the last call.
    gone: Vec<SessionKey>,
    /// Where the last walk over the sessions stopped.
    pub(super) walked_to: u32,
}

impl Closing {
    /// Open, with such a grace.
    pub(super) fn new(grace: Duration) -> Self {
        Self { closed: None, grace, gone: Vec::new(), walked_to: 0 }
    }

    /// That of an audience that is opened beside this one's: closed where this one is.
    pub(super) fn beside(&self, grace: Duration) -> Self {
        Self { closed: self.closed, ..Self::new(grace) }
    }

    /// What ends from now on has such a grace.
    pub(super) fn reconfigure(&mut self, grace: Duration) {
        self.grace = grace;
    }

    /// Returns until when something may take what it is due that is closed at `now`.
    pub(super) fn until(&self, now: Instant) -> Instant {
        now + self.grace
    }

    /// Closes the audience. Returns whether it was open.
    pub(super) fn close(&mut self, now: Instant, reason: EndReason) -> bool {
        let is_open = self.closed.is_none();
        if is_open {
            self.closed = Some((reason, self.until(now)));
        }
        is_open
    }

    /// Ends the grace of a closed audience, if it is not over before.
    pub(super) fn end_grace(&mut self, now: Instant) {
        if let Some((_, until)) = &mut self.closed {
            *until = now.min(*until);
        }
    }

    /// Returns whether the audience is closed.
    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// Returns why the audience closed.
    #[inline]
    pub(super) fn reason(&self) -> Option<EndReason> {
        self.closed.map(|(reason, _)| reason)
    }

    /// Returns when the grace of a closed audience is over.
    pub(super) fn over_at(&self) -> Option<Instant> {
        self.closed.map(|(_, until)| until)
    }

    /// The grace of a session is over.
    pub(super) fn note_gone(&mut self, session: Option<SessionKey>) {
        self.gone.extend(session);
    }

    /// Returns a session that has gone and was not returned before.
    pub(super) fn poll_gone(&mut self) -> Option<SessionKey> {
        self.gone.pop()
    }

    /// Returns the sessions that have gone and were not returned before.
    pub(super) fn gone(&self) -> &[SessionKey] {
        &self.gone
    }

    /// Forgets those that nobody asked for.
    pub(super) fn forget_gone(&mut self) {
        self.gone = Vec::new();
    }
}
