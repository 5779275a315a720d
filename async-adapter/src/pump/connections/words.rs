//! What is written to a connection beside the room's messages: what the host says, and last words.

use super::Connections;
use crate::pump::PumpStats;
use crate::pump::connection::Written;
use crate::pump::frames::Frame;
use crate::pump::transport::Transport;
use bytes::Bytes;
use roomcast_core::SessionId;
use std::time::Instant;

impl<T: Transport> Connections<T> {
    /// Writes the next of the control frames that wait for a connection; `None` when none does.
    /// Those of a blocked one go between two messages of the rest.
    pub(in crate::pump) fn write_control(
        &mut self,
        place: u32,
        now: Instant,
        stats: &mut PumpStats,
    ) -> Option<Written> {
        let connection = self.table.get(place as usize).and_then(Option::as_ref)?;
        if connection.blocked.is_some() {
            return Some(Written::Blocked);
        }
        let bytes = connection.inbox.take()?;
        Some(self.write(place, &Frame::of_bytes(bytes), false, now, stats))
    }

    /// Writes what waits for a connection if a close is among it: nothing follows that. `None` if
    /// there is none.
    pub(in crate::pump) fn write_close(
        &mut self,
        place: u32,
        session: SessionId,
        now: Instant,
        stats: &mut PumpStats,
    ) -> Option<Written> {
        if !self.holds(place, session) {
            return None;
        }
        let connection = self.table[place as usize].as_mut()?;
        let ending = connection.inbox.take_ending()?;
        if let Some(blocked) = &mut connection.blocked {
            // Nothing follows it, and it waits for nothing but what has begun.
            let (messages, rewind) = blocked.rest.drop_waiting();
            stats.unsent += messages;
            connection.lost = connection.lost.and(rewind);
        }
        let written = self.write_to_end(place, *ending, now, stats);
        if let Some(blocked) =
            self.find(place, session).and_then(|connection| connection.blocked.as_mut())
        {
            blocked.closing = true;
        }
        Some(written)
    }

    /// Whether a close is on its way to a session's connection.
    pub(in crate::pump) fn is_closing(&mut self, place: u32, session: SessionId) -> bool {
        let connection = self.find(place, session);
        connection
            .and_then(|connection| connection.blocked.as_ref())
            .is_some_and(|blocked| blocked.closing)
    }

    /// Writes the control frames that wait for a connection that is about to be dropped, as far as
    /// it takes them at once.
    pub(in crate::pump) fn write_waiting(
        &mut self,
        place: u32,
        session: SessionId,
        now: Instant,
        stats: &mut PumpStats,
    ) {
        if !self.is_free(place, session) {
            return;
        }
        let waiting =
            self.table[place as usize].as_ref().and_then(|connection| connection.inbox.close());
        for bytes in waiting.into_iter().flatten() {
            if self.write(place, &Frame::of_bytes(bytes), false, now, stats) != Written::All {
                return;
            }
        }
    }

    /// Writes the last words of a connection's session, behind the control frames that wait. It
    /// takes no further ones; nothing follows a close.
    pub(in crate::pump) fn write_last(
        &mut self,
        place: u32,
        last: Bytes,
        now: Instant,
        stats: &mut PumpStats,
    ) -> Written {
        let Some(connection) = self.table.get(place as usize).and_then(Option::as_ref) else {
            return Written::Gone;
        };
        if connection.blocked.as_ref().is_some_and(|blocked| blocked.closing) {
            return Written::Blocked;
        }
        let waiting = connection.inbox.close();
        let last = if waiting.as_ref().is_some_and(|waiting| waiting.is_ending()) {
            None
        } else {
            Some(last)
        };
        self.write_to_end(place, waiting.into_iter().flatten().chain(last), now, stats)
    }

    /// Writes the last that a connection gets.
    fn write_to_end(
        &mut self,
        place: u32,
        frames: impl Iterator<Item = Bytes>,
        now: Instant,
        stats: &mut PumpStats,
    ) -> Written {
        let (mut frames, mut written) = (frames.peekable(), Written::Gone);
        while let Some(bytes) = frames.next() {
            let last = frames.peek().is_none();
            written = self.write(place, &Frame::of_bytes(bytes), last, now, stats);
            if written == Written::Gone {
                break;
            }
        }
        written
    }
}
