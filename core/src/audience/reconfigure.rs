//! Other bounds while the room runs: what an audience holds of them.

use super::Audience;
use super::heartbeat_wheel::HeartbeatWheel;
use crate::config::RoomConfig;
use crate::error::ReconfigureError;
use crate::message::Payload;
use crate::time::Instant;

impl<M: Payload> Audience<M> {
    /// Goes on under another configuration: what
    /// [`RoomState::reconfigure`](crate::RoomState::reconfigure) says of logs and sessions. It is
    /// for the audiences of a room whose [`Admission::reconfigure`](crate::Admission::reconfigure)
    /// has agreed and whose dispatched messages have been applied. Costs what the log lets go of:
    /// at most 4,096 messages in this call, and as many in each following
    /// [`handle_timeout`](Self::handle_timeout), for which [`poll_timeout`](Self::poll_timeout)
    /// asks at once.
    ///
    /// A part of a room takes in up to its own share of the sessions. After these have become
    /// fewer, other parts may have more than theirs: a host with several parts asks for all of them
    /// before a join.
    ///
    /// # Errors
    /// The audience is closed, or its echo or its heartbeat would change. Nothing has changed then.
    pub fn reconfigure(
        &mut self,
        now: Instant,
        config: &RoomConfig,
    ) -> Result<(), ReconfigureError> {
        let settings = &config.settings;
        let now = self.clock.advance(now);
        if self.closing.is_closed() {
            return Err(ReconfigureError::RoomClosed);
        }
        if self.crowd.echo() != settings.echo {
            return Err(ReconfigureError::Fixed { setting: "echo" });
        }
        if !HeartbeatWheel::is_as(self.wheel.as_deref(), config) {
            return Err(ReconfigureError::Fixed { setting: "heartbeat" });
        }
        self.clock.set_max_step(settings.max_step);
        self.closing.reconfigure(settings.grace);
        self.wakeups.reconfigure(settings.coalesce);
        self.crowd.reconfigure(settings);
        self.feed.reconfigure(settings);
        self.trim(now);
        Ok(())
    }

    /// Lets go of what the log holds and may hold no more. Whoever had not read it has missed it.
    pub(super) fn trim(&mut self, now: Instant) {
        // What was taken last may have been longer than what is left.
        self.shared.forget(&mut self.deferred);
        self.feed.trim(now, &mut self.deferred);
    }

    /// Lets go of what the log of an audience that is closed and that everyone has left still
    /// holds, at most 4,096 messages in one call: to be dropped by
    /// [`take_deferred_drops`](Self::take_deferred_drops), one after the other, where a panic of
    /// one does no harm. Returns whether more are left.
    pub fn release_log(&mut self) -> bool {
        let is_over = self.closing.is_closed() && self.crowd.sessions().len() == 0;
        if is_over {
            self.feed.hold_nothing();
            self.trim(self.clock.at());
        }
        is_over && self.feed.is_trimming()
    }
}
