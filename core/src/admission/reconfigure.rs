//! Other quotas and bounds while the room runs.

use super::{Admission, RoomStatus};
use crate::config::{RoomConfig, Settings};
use crate::error::ReconfigureError;
use crate::keyed::KeyedLimit;
use crate::ledger::DropReason;
use crate::message::Payload;
use crate::priority::Priority;
use crate::quota::Quota;
use crate::system_messages::SystemMessages;
use crate::time::Instant;
use crate::work::WorkLimit;
use alloc::boxed::Box;

impl<M: Payload> Admission<M> {
    /// Goes on under another configuration: first what is due at `now` is done under the old one,
    /// then the new one holds. What it does to each setting stands at
    /// [`RoomState::reconfigure`](crate::RoomState::reconfigure). The audiences are told with
    /// [`Audience::reconfigure`](crate::Audience::reconfigure), once they have applied what was
    /// dispatched. Costs what falls due, and what the tables let go of: at most 1,024 messages, and
    /// 4,096 entries of a table.
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
        if self.state == RoomStatus::Closed {
            return Err(ReconfigureError::RoomClosed);
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
        self.scheduler.reconfigure(now, config);
        self.notices.change(now, Quota::per_second(new.notices));
        self.change_sender_quotas(new);
        self.duplicates.reconfigure(now, new.dedup_window);
        self.queue.reconfigure(&new.queue);
        self.moderation.reconfigure(new);
        // At an edge tips are the room's to give.
        let system_messages =
            if self.edge_outbox.is_some() { SystemMessages::NONE } else { new.system_messages };
        self.data.reconfigure(now, new, system_messages);
        self.people.reconfigure(now, new);
        self.events.reconfigure(new.outcomes, new.presence_events);
        // A configuration without a seed leaves the room its own.
        self.settings = Settings { seed: self.settings.seed, ..new.clone() };
    }

    /// A level whose quota is another one starts anew.
    fn change_sender_quotas(&mut self, new: &Settings) {
        for level in Priority::ALL {
            let (quota, limit) = (new.sender_quota[level], &mut self.sender_quotas[level]);
            match limit {
                Some(limit) if Some(limit.quota()) == quota => {
                    limit.set_max_keys(new.sender_table_size)
                }
                _ => {
                    *limit = quota.map(|quota| {
                        Box::new(KeyedLimit::new(
                            quota,
                            new.sender_table_size,
                            self.settings.seed(),
                        ))
                    })
                }
            }
        }
    }

    /// Drops what the queue holds beyond its budget, as far as there is work left.
    pub(super) fn shed(&mut self, now: Instant, work: &mut WorkLimit) {
        let Some(limit) = self.queue.exceeds() else { return };
        while !work.is_spent() {
            let Some(popped) = self.queue.shed() else { break };
            self.drop_one(now, popped, DropReason::Evicted, Some(limit));
            work.take();
        }
    }
}
