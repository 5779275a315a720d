//! Reconfiguring the admission of a running room:
//! [clause B15](crate::rulebook#b15-reconfiguring-a-running-room).

use super::{Admission, RoomStatus};
use crate::config::RoomConfig;
use crate::error::ReconfigureError;
use crate::message::Payload;
use crate::system_messages::SystemMessages;
use crate::time::Instant;
use crate::work::WorkLimit;
use alloc::sync::Arc;

impl<M: Payload> Admission<M> {
    /// Goes on under another configuration: first what is due at `now` is done under the old one,
    /// then the new one holds. What it does to each setting stands at
    /// [`RoomState::reconfigure`](crate::RoomState::reconfigure). The audiences are told with
    /// [`Audience::reconfigure`](crate::Audience::reconfigure), once they have applied what was
    /// dispatched. Costs what falls due, and what the tables let go of: at most 1,024 messages, and
    /// 4,096 entries of a table; with another discipline or eviction, O(what waits) besides.
    ///
    /// # Errors
    /// The room is closed, or the new configuration changes what is fixed for a room's life.
    /// Nothing has changed then.
    pub fn reconfigure(
        &mut self,
        now: Instant,
        config: &RoomConfig,
    ) -> Result<(), ReconfigureError> {
        let now = self.begin_call(now);
        if self.status == RoomStatus::Closed {
            return Err(ReconfigureError::RoomClosed);
        }
        // One without a seed leaves the room its own.
        if config.seed.is_some_and(|seed| seed != self.seed) {
            return Err(ReconfigureError::Fixed { setting: "seed" });
        }
        self.settings.may_become(&config.settings)?;
        let mut work = WorkLimit::per_call();
        self.fall_due(now, &mut work);
        self.shed(now, &mut work);
        self.dispatch(now, &mut work, None);
        self.take_over(now, config);
        // What is over the new bounds is work of its own.
        self.shed(now, &mut WorkLimit::per_call());
        Ok(())
    }

    fn take_over(&mut self, now: Instant, config: &RoomConfig) {
        let new = &config.settings;
        // At an edge tips are the room's to give.
        let system_messages =
            if self.pipeline.is_at_edge() { SystemMessages::NONE } else { new.system_messages };
        self.people.reconfigure(now, new);
        self.moderation.reconfigure(new);
        self.data.reconfigure(now, new, system_messages);
        self.intake.reconfigure(now, new, self.seed);
        self.reviews.reconfigure(new.review);
        self.pipeline.reconfigure(now, config);
        self.accounts.reconfigure(new);
        self.clock.set_max_step(new.max_step);
        self.settings = Arc::clone(new);
    }
}
