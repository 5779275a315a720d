//! Other bounds while the room runs: what an audience holds of them.

use super::Audience;
use super::heartbeat_wheel::HeartbeatWheel;
use super::replay::Replay;
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
        self.clock.advance(now);
        if self.closed.is_some() {
            return Err(ReconfigureError::RoomClosed);
        }
        if self.echo != settings.echo {
            return Err(ReconfigureError::Fixed { setting: "echo" });
        }
        if !HeartbeatWheel::is_as(self.wheel.as_deref(), settings) {
            return Err(ReconfigureError::Fixed { setting: "heartbeat" });
        }
        (self.grace, self.resume_within, self.coalesce) =
            (settings.grace, settings.resume_within, settings.coalesce);
        self.direct_limits = (settings.direct_messages, settings.direct_bytes);
        self.max_sessions = (settings.sessions, self.sessions.part().share(settings.sessions));
        self.replay = Replay::change(self.replay.take(), settings.replay_on_join);
        self.log.reconfigure(settings.log_messages, settings.log_bytes);
        self.trim();
        Ok(())
    }

    /// Lets go of what the log holds and may hold no more. Whoever had not read it has missed it.
    pub(super) fn trim(&mut self) {
        // What was taken last may have been longer than what is left.
        self.unshare();
        self.is_trimming = self.log.trim(&mut self.deferred);
        if let Some(replay) = &mut self.replay {
            replay.limit(|level| self.log.len(level));
        }
    }
}
