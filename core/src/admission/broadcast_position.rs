//! How far a room has heard what is broadcast to every room.

use crate::broadcasts::{Broadcasts, Entry};
use crate::message::Payload;

/// A room's place in the log of broadcasts.
#[derive(Debug, Default)]
pub(super) struct BroadcastPosition {
    /// Broadcasts that the room has heard, missed ones included.
    heard: u64,
    missed: u64,
}

impl BroadcastPosition {
    /// Passes on to the next broadcast that the room has not heard, if there is one. What the log
    /// no longer holds is counted as missed, and so is this one until [`hear`](Self::hear): what
    /// the host's code does on the way may panic.
    pub(super) fn next<'a, M: Payload>(
        &mut self,
        broadcasts: &'a Broadcasts<M>,
    ) -> Option<&'a Entry<M>> {
        let (missed, entry) = broadcasts.next(self.heard)?;
        self.heard += missed + 1;
        self.missed += missed + 1;
        Some(entry)
    }

    /// The room has heard that one.
    pub(super) fn hear(&mut self) {
        self.missed -= 1;
    }

    /// Goes on where another one stood.
    pub(super) fn go_on(&mut self, heard: u64) {
        self.heard = heard;
    }

    /// Returns how many broadcasts the room has heard, missed ones included.
    pub(super) fn heard(&self) -> u64 {
        self.heard
    }

    /// Passes over what has been broadcast so far.
    pub(super) fn skip_all<M: Payload>(&mut self, broadcasts: &Broadcasts<M>) {
        self.heard = broadcasts.count();
    }

    /// Returns how many of so many broadcasts the room has not heard.
    pub(super) fn behind(&self, count: u64) -> u64 {
        count.saturating_sub(self.heard)
    }

    /// Returns how many broadcasts the room has missed.
    pub(super) fn missed(&self) -> u64 {
        self.missed
    }
}
