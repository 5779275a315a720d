//! Reconfiguring a running room, with what happens to each setting:
//! [clause B15](crate::rulebook#b15-reconfiguring-a-running-room).

use super::RoomState;
use crate::config::RoomConfig;
use crate::error::ReconfigureError;
use crate::message::Payload;
use crate::time::Instant;

impl<M: Payload> RoomState<M> {
    /// Goes on under another configuration: quotas, bounds, whose turn it is and who gives way
    /// change. Nobody is put out, and what a shrunken table holds stays, unless this list says
    /// otherwise.
    ///
    /// What is due at `now` is done first, under the old configuration; what falls due by the new
    /// one alone is done in the next [`handle_timeout`](Self::handle_timeout), for which
    /// [`poll_timeout`](Self::poll_timeout) asks at once.
    ///
    /// - `owner`, `seed`, `echo`, `levels`, `heartbeat`, `audit`, `outbox_capacity`: fixed for the
    ///   room's life; where `seed` is not set, the room keeps its own.
    /// - `rate`, `rate_period`, `burst`, level quotas, `notices`, `attribute_writes` as buckets:
    ///   what was gained up to `now` counts, as far as the new burst holds it; then it goes on at
    ///   the new rate. A fraction of a token is rounded down where the new period cannot say it. So
    ///   in every span at most what was there, or the burst at its beginning, and what each rate
    ///   brings.
    /// - the same as windows: of the same period: what has passed in the running window counts. Of
    ///   another period: the running window of the new kind counts as used up.
    /// - `rate_algorithm`, or a level quota of the other kind: nothing is there: an empty bucket, a
    ///   used-up window.
    /// - a level quota that is new, or gone: starts unused; no longer asked.
    /// - `reserve`, who is exempt: from now on.
    /// - `min_share`: a new one counts from zero.
    /// - `sender_quota`: what each sender has left counts on, as far as the new burst holds it, as
    ///   in every bucket; a level that had none starts with everybody's full.
    /// - `sender_table_size`: a sender keeps a place until the quota is full again; those who find
    ///   none share.
    /// - `dedup_window`: what has lapsed is forgotten; the new window counts for what is remembered
    ///   as well; too many: the oldest are forgotten.
    /// - `queue_messages`, `queue_bytes`: what is over is evicted, by the victim policy from the
    ///   lowest level, with the limit that was exceeded: at most 1,024 messages in this call, the
    ///   others in the next calls of `handle_timeout`, and until then the queue is full.
    /// - `discipline`: what waits keeps its order of entry and takes its turn by the new rule. The
    ///   round begins anew, in order of each sender's oldest message that waits, and no turn had
    ///   before is remembered.
    /// - `eviction`: from now on, what waits included, also for what is over a smaller budget.
    ///   Turns go on, and what is remembered of them stays; from first come, first served with a
    ///   policy that does not ask who sent what, nothing is.
    /// - `turn_memory`: for turns had before as well.
    /// - `fresh_within`: for what waits as well, counted from its entry.
    /// - `payload_bytes`, `profile_bytes`: for what comes from now on.
    /// - `review`: the time and what happens then for what waits as well; what waits at a level
    ///   that is reviewed no more waits on; where more wait than there are tickets, nobody takes a
    ///   place and new ones find the table full.
    /// - `log_messages`, `log_bytes`: the oldest go, and who had not read them has skipped them: at
    ///   most 4,096 messages in this call and in each next one of `handle_timeout`. A larger log
    ///   fills from now on.
    /// - `log_age`, `deliver_within`: for what the log holds as well: what is too old for it goes
    ///   as above, and what is not too old any more is handed over to whoever has not passed it.
    /// - `replay_on_join`: fewer at once; more as they are dispatched.
    /// - `sessions`, `sessions_per_user`, `admins`, `mutes`, `bans`, `marks`, `direct_messages`,
    ///   `direct_bytes`, the other data limits, `outcomes`, `presence_events`: what is there stays;
    ///   new ones are refused until there is room, and changes of presence counted as lost.
    /// - `recent_users`: the oldest are forgotten; at most 4,096 are carried over.
    /// - `system_messages`: what is not told yet is told as the new ones say; of a kind that is
    ///   off, never.
    /// - `outcome_sink`, `grace`, `resume_within`, `resume_skew`, `resume_messages`, `coalesce`:
    ///   for what comes, and for who ends, from now on.
    /// - `max_step`: from the next call on.
    /// - `idle_timeout`: from now on; where it was not set, a room that nobody is in counts from
    ///   `now`.
    ///
    /// Costs what falls due and what is let go of; with another `discipline` or `eviction`, O(what
    /// waits) besides.
    ///
    /// # Errors
    /// The room is closed, or the new configuration changes what is fixed. Nothing has changed
    /// then.
    ///
    /// ```
    /// use roomcast_core::{Instant, RoomState, RoomConfig, UserId};
    /// use roomcast_core::error::ReconfigureError;
    ///
    /// let config = RoomConfig::av_chat_room(UserId(1));
    /// let (mut room, now) = (RoomState::<&str>::new(&config), Instant::from_secs(1));
    /// room.reconfigure(now, &config.to_builder().rate(10).burst(10).build()?)?;
    /// assert_eq!(room.snapshot(now).admission.tokens, 10);
    ///
    /// let other = config.to_builder().seed(5).build()?;
    /// assert_eq!(room.reconfigure(now, &other), Err(ReconfigureError::Fixed { setting: "seed" }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reconfigure(
        &mut self,
        now: Instant,
        config: &RoomConfig,
    ) -> Result<(), ReconfigureError> {
        let answer = self.halves().reconfigure(now, config);
        if answer.is_ok() {
            self.shards.reconfigure(config);
        }
        self.clear_deferred_drops();
        answer
    }
}
