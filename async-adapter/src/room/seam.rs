//! The seam between a room's admission and its shards, and the calls that hold their locks
//! together: take the locks, call the rules, then, outside, wake and drop.

use super::gate::{EdgeNews, Gate};
use super::{AdmissionState, After, Events, MAX_EVENTS, SharedRoom};
use crate::room::audience_shard::{AudienceShard, ShardState};
use crate::sync::Arc;
use crate::sync::MutexGuard;
use crate::sync::atomic::Ordering;
use roomcast_core::deferred_drops::DeferredDrops;
use roomcast_core::handover::HandOver;
use roomcast_core::ids::Seq;
use roomcast_core::room::RoomSnapshot;
use roomcast_core::rules::Audiences;
use roomcast_core::shard_index::ShardIndex;
use roomcast_core::{Admission, Audience, Halves, Instant, Payload};
use smallvec::SmallVec;

/// A shard and its lock, taken.
type HeldShard<'a, M> = (&'a Arc<AudienceShard<M>>, MutexGuard<'a, ShardState<M>>);

/// The shards that a call holds, in the order of their numbers.
pub(crate) struct Held<'a, M> {
    shared: &'a SharedRoom<M>,
    shards: SmallVec<[HeldShard<'a, M>; 2]>,
}

/// What a call leaves in the shards that it held.
struct Left<M> {
    /// Shards that their workers have to look after.
    calls: SmallVec<[u32; 4]>,
    deferred: SmallVec<[DeferredDrops<M>; 2]>,
}

/// What a call leaves to be done once its locks are free.
pub(super) struct Aftermath<M> {
    after: After<M>,
    left: Left<M>,
}

impl<M: Payload> Held<'_, M> {
    /// A shard that is held, and what its lock guards.
    pub(super) fn shard(&mut self, number: u32) -> Option<(&AudienceShard<M>, &mut ShardState<M>)> {
        let held = self.shards.iter_mut().find(|(shard, _)| shard.part.index() == number)?;
        Some((held.0, &mut held.1))
    }

    /// Puts down what readers and the workers look at without the lock, and lets go of the locks.
    fn let_go(mut self) -> Left<M> {
        let mut left = Left { calls: SmallVec::new(), deferred: SmallVec::new() };
        for (shard, state) in &mut self.shards {
            if shard.note(state) {
                left.calls.push(shard.part.index());
            }
            left.deferred.extend(state.audience.take_deferred_drops());
        }
        left
    }
}

impl<M: Payload + Send + Sync + 'static> Audiences<M> for Held<'_, M> {
    fn part(&self) -> ShardIndex {
        self.shared.shard(0).part
    }

    fn at(&mut self, index: u32) -> Option<&mut Audience<M>> {
        self.shard(index).map(|(_, state)| &mut state.audience)
    }

    fn held<'a>(&'a mut self) -> impl Iterator<Item = &'a mut Audience<M>>
    where
        M: 'a,
    {
        self.shards.iter_mut().map(|(_, state)| &mut state.audience)
    }

    fn are_all_held(&self) -> bool {
        self.shards.len() == self.shared.shards().count()
    }

    fn catch_up(&mut self, admission: &mut Admission<M>) {
        for (shard, state) in &mut self.shards {
            if admission.dispatched() != state.audience.applied() {
                let handed = self.shared.pick_up(shard, admission, state.audience.applied());
                self.shared.take_over(&mut state.audience, handed);
            }
        }
    }
}

impl<M: Payload + Send + Sync + 'static> SharedRoom<M> {
    /// Brings a shard up to date with what was dispatched. The admission's lock is held for picking
    /// it up, not for applying it.
    #[inline]
    pub(crate) fn catch_up(&self, shard: &AudienceShard<M>, audience: &mut Audience<M>) {
        if self.dispatched.load(Ordering::Acquire) != audience.applied().0 {
            self.bring_up(shard, audience);
        }
    }

    #[inline(never)]
    fn bring_up(&self, shard: &AudienceShard<M>, audience: &mut Audience<M>) {
        let handed =
            self.pick_up(shard, &mut self.body().admission.lock().admission, audience.applied());
        self.take_over(audience, handed);
    }

    /// An audience takes over what was picked up for it: at an edge by this machine's clock, since
    /// another one's has dispatched it.
    pub(super) fn take_over(&self, audience: &mut Audience<M>, handed: HandOver<M>) {
        if self.edge_news.is_some() {
            audience.take_over_at(self.now(), handed);
        } else {
            audience.take_over(handed);
        }
    }

    /// Takes what was dispatched after `applied` from the seam, and lets go there of what every
    /// shard has.
    pub(super) fn pick_up(
        &self,
        shard: &AudienceShard<M>,
        admission: &mut Admission<M>,
        applied: Seq,
    ) -> HandOver<M> {
        let handed = admission.hand_over(applied);
        shard.picked.store(admission.dispatched().0, Ordering::Relaxed);
        if self.weight.is_some() {
            shard.half.announce(handed.bytes());
        }
        // Written and read under the admission's lock, and so is the number of open shards.
        let all_have = self.shards().map(|shard| shard.picked.load(Ordering::Relaxed)).min();
        admission.release_through(Seq(all_have.unwrap_or(0)));
        if let Some(weight) = &self.weight {
            weight.take_over(admission);
        }
        handed
    }

    /// Runs a call of the admission under its lock. What is to be done outside comes back, for
    /// [`finish`](Self::finish).
    #[inline]
    pub(super) fn in_admission<R>(
        &self,
        call: impl FnOnce(&mut Admission<M>) -> R,
    ) -> (R, After<M>) {
        self.in_gate(|gate| call(gate))
    }

    /// The same, wherever the admission stands.
    pub(super) fn in_gate<R>(&self, call: impl FnOnce(&mut Gate<M>) -> R) -> (R, After<M>) {
        let mut guarded = self.body().admission.lock();
        let imported = if guarded.imported == self.broadcast_log.count() {
            None
        } else {
            self.import_broadcasts(&mut guarded)
        };
        if let Some(weight) = &self.weight {
            weight.tell(&mut guarded.admission);
        }
        let answer = call(&mut guarded.admission);
        if let Some(news) = &self.edge_news {
            look_at_edge(&mut guarded.admission, news);
        }
        let dispatched = guarded.admission.dispatched().0;
        let news = self.dispatched.load(Ordering::Relaxed) != dispatched;
        if news {
            self.dispatched.store(dispatched, Ordering::Release);
            self.shards().for_each(|shard| shard.advance());
        }
        let mut events: Events =
            std::iter::from_fn(|| guarded.admission.poll_event()).take(MAX_EVENTS).collect();
        self.telling.begin(&mut events);
        let timeout = guarded.admission.poll_timeout();
        let earlier =
            timeout.is_some_and(|timeout| guarded.armed.is_none_or(|armed| timeout < armed));
        if earlier {
            guarded.armed = timeout;
        }
        let has_grown =
            self.weight.as_ref().is_some_and(|weight| weight.put_down(&guarded.admission));
        if has_grown {
            self.weigh();
        }
        let home = earlier || has_grown || guarded.admission.has_events();
        (
            answer,
            After {
                events,
                news,
                home,
                imported,
                deferred: guarded.admission.take_deferred_drops(),
            },
        )
    }

    /// The room takes over what was broadcast since it was called last. Returns what is to be
    /// dropped outside the locks.
    #[inline(never)]
    fn import_broadcasts(&self, guarded: &mut AdmissionState<M>) -> Option<Box<DeferredDrops<M>>> {
        let now = self.now();
        guarded.imported = self.broadcast_log.with(|broadcasts| {
            // One that panics is missed; the call goes on behind it.
            let mut import = || guarded.admission.import_broadcasts(now, broadcasts);
            while self.fence().call(&mut import).is_none() {}
            broadcasts.count()
        });
        guarded.admission.take_deferred_drops().map(Box::new)
    }

    /// Runs a call under the rules that needs the admission and these shards, whose numbers rise;
    /// then wakes and drops.
    pub(crate) fn in_shards<R>(
        self: &Arc<Self>,
        numbers: &[u32],
        call: impl FnOnce(&mut Halves<'_, M, Held<'_, M>>, Instant) -> R,
    ) -> R {
        let (answer, aftermath) = self.in_shards_untold(numbers, call);
        self.settle_aftermath(aftermath);
        answer
    }

    /// As [`in_shards`](Self::in_shards), with all of them.
    pub(crate) fn in_all<R>(
        self: &Arc<Self>,
        call: impl FnOnce(&mut Halves<'_, M, Held<'_, M>>, Instant) -> R,
    ) -> R {
        self.settle_gone();
        let (answer, aftermath) = self.in_held(self.hold_all(), call);
        self.settle_aftermath(aftermath);
        answer
    }

    /// As [`in_shards`](Self::in_shards), but for what is to be done outside:
    /// [`settle_aftermath`](Self::settle_aftermath) has to follow.
    pub(super) fn in_shards_untold<R>(
        &self,
        numbers: &[u32],
        call: impl FnOnce(&mut Halves<'_, M, Held<'_, M>>, Instant) -> R,
    ) -> (R, Aftermath<M>) {
        let body = self.body();
        let shards = numbers.iter().filter_map(|&number| body.shards.get(number as usize)?.get());
        let shards = shards.map(|shard| (shard, shard.lock())).collect();
        self.in_held(Held { shared: self, shards }, call)
    }

    /// Takes the locks of all shards.
    pub(super) fn hold_all(&self) -> Held<'_, M> {
        let first = self.shard(0);
        let mut shards = SmallVec::new();
        shards.push((first, first.lock()));
        // Shards are opened under the first one's lock: from here on there are as many as there
        // are.
        shards.extend(self.shards().skip(1).map(|shard| (shard, shard.lock())));
        Held { shared: self, shards }
    }

    fn in_held<R>(
        &self,
        mut held: Held<'_, M>,
        call: impl FnOnce(&mut Halves<'_, M, Held<'_, M>>, Instant) -> R,
    ) -> (R, Aftermath<M>) {
        let now = self.now();
        // What has piled up is applied before publishers have to wait; under both locks only what
        // came since.
        for (shard, state) in &mut held.shards {
            self.catch_up(shard, &mut state.audience);
        }
        let (answer, after) =
            self.in_admission(|admission| call(&mut Halves::new(admission, &mut held), now));
        (answer, Aftermath { after, left: held.let_go() })
    }

    /// Does outside the locks what a call has left: drops, tells events, calls workers.
    pub(super) fn settle_aftermath(self: &Arc<Self>, aftermath: Aftermath<M>) {
        let Aftermath { after, left } = aftermath;
        self.settle_left(left);
        self.finish(after);
    }

    fn settle_left(self: &Arc<Self>, left: Left<M>) {
        let Left { calls, deferred } = left;
        self.fence().drop_deferred(deferred);
        for number in calls {
            self.call(self.shard(number));
        }
    }

    /// The books of both halves at one instant. Publishers wait while the admission's books are
    /// copied and what the shards have yet to apply is picked up; readers of this room wait until
    /// the shards' books are added up.
    pub(crate) fn snapshot(self: &Arc<Self>) -> RoomSnapshot {
        if self.body.get().is_none() {
            return self.fresh_snapshot();
        }
        self.settle_gone();
        let mut held = self.hold_all();
        let (admission, handed) = {
            let mut guarded = self.body().admission.lock();
            let picked = held.shards.iter().map(|(shard, state)| {
                self.pick_up(shard, &mut guarded.admission, state.audience.applied())
            });
            let handed: SmallVec<[_; 2]> = picked.collect();
            let mut books = guarded.admission.snapshot(self.now());
            let broadcasts = self.broadcast_log.count();
            books.broadcasts_pending = guarded.admission.broadcasts_pending(broadcasts);
            (books, handed)
        };
        for ((_, state), handed) in held.shards.iter_mut().zip(handed) {
            self.take_over(&mut state.audience, handed);
        }
        let audiences = held.shards.iter().map(|(_, state)| state.audience.snapshot());
        let audience = audiences
            .reduce(|sum, one| sum.and(&one))
            .unwrap_or_else(|| unreachable!("the first shard is held"));
        self.settle_left(held.let_go());
        RoomSnapshot::new(admission, audience)
    }
}

/// What a call has left to be done for the host of an edge.
fn look_at_edge<M: Payload>(gate: &mut Gate<M>, news: &EdgeNews) {
    let Some(at) = gate.edge() else { return };
    if at.has_messages() {
        news.note();
    }
    // The room's end is told last, so every fate before.
    if at.edge.is_ended() {
        at.give_up();
    }
}
