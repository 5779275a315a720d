//! Joining under the room's locks: which shard, and opening another one.

use super::SharedRoom;
use crate::room::audience_shard::AudienceShard;
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use roomcast_core::admission::RoomStatus;
use roomcast_core::error::JoinError;
use roomcast_core::rules::NotJoined;
use roomcast_core::{Audience, Join, Joined, Payload, UserId};
use smallvec::SmallVec;

impl<M: Payload + Send + Sync + 'static> SharedRoom<M> {
    /// Lets a session in. Of a user who is let in, `note` is told under the admission's lock.
    pub(crate) fn join(
        self: &Arc<Self>,
        join: &mut Join<M>,
        note: &mut impl FnMut(UserId),
    ) -> Result<Joined, JoinError> {
        if self.refuses_joins.load(Ordering::Relaxed) {
            return Err(JoinError::ShuttingDown);
        }
        self.settle_gone();
        let loads = |shared: &Arc<Self>| {
            shared.shards().map(|shard| shard.sessions.load(Ordering::Relaxed)).collect()
        };
        let joined = self
            .sharding
            .place(&mut Arc::clone(self), loads, |shared, index| shared.join_in(index, join, note));
        if let Some(user) = join.as_user() {
            self.look_at_names(user);
        }
        joined
    }

    fn join_in(
        self: &Arc<Self>,
        index: u32,
        join: &mut Join<M>,
        note: &mut impl FnMut(UserId),
    ) -> Result<Joined, NotJoined> {
        let index = self.open_shard(index).part.index();
        let mut numbers: SmallVec<[u32; 4]> =
            join.former().map(|session| self.shard_number(session)).collect();
        numbers.push(index);
        numbers.sort_unstable();
        numbers.dedup();
        let answer = self.join_holding(&numbers, index, join, note);
        let is_full = matches!(answer, Err(NotJoined::Refused(JoinError::RoomFull { .. })));
        if is_full && self.shards().count() > numbers.len() {
            // In another shard one may have ended that gives its place up.
            let all: SmallVec<[u32; 4]> = self.shards().map(|shard| shard.part.index()).collect();
            return self.join_holding(&all, index, join, note);
        }
        answer
    }

    /// Lets a session into the shard `index`, with the locks of these.
    fn join_holding(
        self: &Arc<Self>,
        numbers: &[u32],
        index: u32,
        join: &mut Join<M>,
        note: &mut impl FnMut(UserId),
    ) -> Result<Joined, NotJoined> {
        let (answer, displaced) = self.in_shards(numbers, |halves, now| {
            let answer = halves.join(now, join, index);
            if let (Ok(_), Some(user)) = (answer, join.as_user()) {
                self.mention(now, user);
                note(user);
            }
            // Its slot may be that of a session that has ended and whose reader has yet to be
            // woken.
            let displaced = answer.ok().zip(halves.audiences.shard(index)).and_then(
                |(joined, (shard, state))| {
                    let place = shard.place(joined.session)?;
                    state.waiters.clear(place)
                },
            );
            (answer, displaced)
        });
        if let Some(waker) = displaced {
            waker.settle(self.fence());
        }
        answer
    }

    /// Opens the shard with this number, if it is the next; harmless when it is open. A room that
    /// takes nobody any more opens none, and answers its first.
    ///
    /// It takes over what the first shard's log holds, for late joiners and for those who resume;
    /// publishers wait only for what came since.
    pub(super) fn open_shard(&self, index: u32) -> &AudienceShard<M> {
        let body = self.body();
        if let Some(shard) = body.shards[index as usize].get() {
            return shard;
        }
        let first = self.shard(0);
        first.enter(|state| {
            // No other is opened while the first shard is locked.
            let index = body.open.load(Ordering::Acquire).min(index);
            if let Some(shard) = body.shards[index as usize].get() {
                return shard;
            }
            self.catch_up(first, &mut state.audience);
            let part = self.sharding.part(index);
            let mut audience = Audience::new_shard(&self.settings.lock(), part, &state.audience);
            let guarded = body.admission.lock();
            if guarded.admission.state() != RoomStatus::Open {
                return first;
            }
            // The first shard holds back at the seam what it has not picked up itself.
            let handed = guarded.admission.hand_over(audience.applied());
            self.take_over(&mut audience, handed);
            let shard = body.shards[index as usize]
                .get_or_init(|| Arc::new(AudienceShard::new(part, audience, self.fence())));
            body.open.fetch_max(index + 1, Ordering::AcqRel);
            shard
        })
    }
}
