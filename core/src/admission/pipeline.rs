//! The messages that wait in the queue, whose turn it is, and what has gone out.

mod merging;
mod sending;

use super::edge_outbox::EdgeOutbox;
use super::merge_index::MergeIndex;
use super::outbox::Outbox;
use super::queued::{Lane, Queued};
use super::scheduler::Scheduler;
use crate::config::{Checked, QueueConfig, RoomConfig, Settings, WhenLate};
use crate::deferred_drops::DeferredDrops;
use crate::ids::{MessageId, Seq};
use crate::index::Hasher;
use crate::message::{Limit, Sender, Urgency};
use crate::priority::{PerLevel, Priority};
use crate::queue::{Full, Popped, Queue, Space, Victims};
use crate::quota::LimitLeft;
use crate::time::{Duration, Instant, saturating_nanos};
use crate::work::WorkLimit;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// From the queue to the seam. Whatever leaves the queue leaves the merge index with it: a message
/// that others may be merged into is found by its key only while it waits.
#[derive(Debug)]
pub(super) struct Pipeline<M> {
    /// None while no message has come that did not go out past the queue.
    waiting: Option<Box<Waiting<M>>>,
    settings: Arc<Checked>,
    seed: u64,
    scheduler: Scheduler,
    outbox: Outbox<M>,
    /// At an edge, what waits to be taken to the room; nothing goes into the outbox there.
    edge_outbox: Option<Box<EdgeOutbox<M>>>,
    /// How many messages of each level have gone out.
    heads: PerLevel<u64>,
}

/// The messages that wait, and those of them that others may be merged into.
#[derive(Debug)]
struct Waiting<M> {
    queue: Queue<Queued<M>>,
    merge_index: MergeIndex,
}

impl<M> Waiting<M> {
    #[cold]
    #[inline(never)]
    fn new(settings: &Settings, seed: u64) -> Box<Self> {
        let mut queue = Queue::new(settings.queue, seed);
        queue.set_kept(kept(settings));
        Box::new(Self { queue, merge_index: MergeIndex::new(Hasher::new(seed)) })
    }
}

/// A message that has left the queue.
pub(super) type Left<M> = Popped<Queued<M>>;

impl<M> Pipeline<M> {
    /// Returns the pipeline of a new room, as if so many messages of each level had gone out.
    pub(super) fn new(config: &RoomConfig, heads: PerLevel<u64>) -> Self {
        let settings = &config.settings;
        Self {
            waiting: None,
            settings: Arc::clone(settings),
            seed: config.own_seed(),
            scheduler: Scheduler::new(config),
            outbox: Outbox::new(Seq(heads.values().sum()), settings.outbox_capacity),
            edge_outbox: None,
            heads,
        }
    }

    /// Returns this pipeline, from now on of an edge that holds so many messages for the room.
    pub(super) fn at_edge(self, capacity: u32) -> Self {
        Self { edge_outbox: Some(Box::new(EdgeOutbox::new(capacity))), ..self }
    }

    /// The room is in this life.
    pub(super) fn set_life(&mut self, life: u64) {
        if let Some(outbox) = &mut self.edge_outbox {
            outbox.set_life(life);
        }
    }

    /// Goes on at `now` with what another one's limits had left, where that is known.
    pub(super) fn go_on(
        &mut self,
        now: Instant,
        rate: Option<LimitLeft>,
        level_quotas: &PerLevel<Option<LimitLeft>>,
    ) {
        self.scheduler.go_on(now, rate, level_quotas);
    }

    /// Returns what the room's rate has left, and each level's own quota.
    pub(super) fn limits_left(&self) -> (Option<LimitLeft>, PerLevel<Option<LimitLeft>>) {
        self.scheduler.left()
    }

    /// From now on other quotas and bounds, for what waits as well.
    pub(super) fn reconfigure(&mut self, now: Instant, config: &RoomConfig) {
        self.scheduler.reconfigure(now, config);
        self.settings = Arc::clone(&config.settings);
        if let Some(queue) = self.queue_mut() {
            queue.reconfigure(&config.settings.queue);
            queue.set_kept(kept(&config.settings));
        }
    }

    #[inline]
    fn queue(&self) -> Option<&Queue<Queued<M>>> {
        self.waiting.as_ref().map(|waiting| &waiting.queue)
    }

    #[inline]
    fn queue_mut(&mut self) -> Option<&mut Queue<Queued<M>>> {
        self.waiting.as_mut().map(|waiting| &mut waiting.queue)
    }

    /// A call begins: what nobody has picked up in time goes.
    #[inline]
    pub(super) fn begin_call(&mut self, drops: &mut DeferredDrops<M>) {
        self.outbox.begin_call(drops);
    }

    /// Returns whether nothing waits in the queue.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.queue().is_none_or(Queue::is_empty)
    }

    /// Returns whether messages go to a room, not to an audience.
    #[inline]
    pub(super) fn is_at_edge(&self) -> bool {
        self.edge_outbox.is_some()
    }

    /// Returns whether the host has not taken what waits for the room: nothing more goes out until
    /// it does.
    #[inline]
    pub(super) fn is_backed_up(&self) -> bool {
        self.edge_outbox.as_ref().is_some_and(|outbox| outbox.is_full())
    }

    /// Returns whether a message of a level that comes now goes out past the queue, since nothing
    /// waits there; the room's token, and the work of one message, are taken with it. Where levels
    /// have quotas of their own, or a floor, it never does.
    #[inline]
    pub(super) fn goes_past(
        &mut self,
        now: Instant,
        level: Priority,
        work: &mut WorkLimit,
    ) -> bool {
        self.is_empty()
            && !self.is_backed_up()
            && !work.is_spent()
            && self.scheduler.take_alone(now, level)
            && work.take()
    }

    /// Returns whether a message that comes to a level now waits there alone.
    #[inline]
    pub(super) fn is_alone(&self, level: Priority) -> bool {
        self.queue().is_none_or(|queue| queue.level_len(level) == 0)
    }

    /// Puts a message into the queue, over the budget if need be, and returns its slot. Unless it
    /// goes out at once, [`settle`](Self::settle) must follow.
    #[inline]
    pub(super) fn insert(
        &mut self,
        now: Instant,
        lane: Lane,
        waiting: Queued<M>,
        is_urgent: impl FnOnce() -> bool,
    ) -> u32 {
        let Lane { level, sender } = lane;
        // Where nobody waits, nobody goes before anybody.
        let urgency = if self.is_alone(level) {
            waiting.urgency()
        } else {
            self.stands(lane, waiting.urgency(), is_urgent)
        };
        let size = u64::from(waiting.size);
        let fresh = || Waiting::new(&self.settings, self.seed);
        let queue = &mut self.waiting.get_or_insert_with(fresh).queue;
        queue.insert(now, (level, urgency), sender, size, waiting)
    }

    /// Returns how a message of a lane stands that comes now and was marked so.
    pub(super) fn stands(
        &self,
        lane: Lane,
        marked: Urgency,
        is_urgent: impl FnOnce() -> bool,
    ) -> Urgency {
        let Lane { level, sender } = lane;
        let asked = if is_urgent() { Urgency::Urgent } else { marked };
        self.queue().map_or(asked, |queue| queue.stands(level, sender, asked))
    }

    /// The message in a slot that was put in by the running call is urgent, unless others of its
    /// sender's wait that are not.
    #[cold]
    pub(super) fn make_urgent(&mut self, slot: u32, lane: Lane) {
        if self.stands(lane, Urgency::Urgent, || true) == Urgency::Urgent
            && let Some(queue) = self.queue_mut()
        {
            queue.make_urgent(slot);
        }
    }

    /// Puts a message into the queue that waits there, over the budget if need be, and returns its
    /// slot. [`pop_excess`](Self::pop_excess) brings the queue back under it.
    pub(super) fn insert_due(
        &mut self,
        now: Instant,
        lane: Lane,
        waiting: Queued<M>,
        is_urgent: bool,
    ) -> u32 {
        let slot = self.insert(now, lane, waiting, || is_urgent);
        if is_urgent {
            self.make_urgent(slot, lane);
        }
        if let Some(queue) = self.queue_mut() {
            queue.enter();
        }
        slot
    }

    /// The message in a slot, which has just come there, was so old already: it stands where it
    /// would if it had come then.
    #[cold]
    pub(super) fn backdate(&mut self, now: Instant, slot: u32, age: u64) {
        let Some(queue) = self.queue_mut() else { return };
        queue.backdate(slot, now.saturating_sub(Duration::from_nanos(age)));
        if let Some(waiting) = queue.get_mut(slot) {
            waiting.ext_mut().age = 0;
        }
    }

    /// Returns whether a message still waits in the slot it was given.
    #[inline]
    pub(super) fn waits_at(&mut self, slot: u32, id: MessageId) -> bool {
        let waiting = self.queue().and_then(|queue| queue.get(slot));
        waiting.is_some_and(|waiting| waiting.id == id)
    }

    /// Brings the queue back under its budget after [`insert`](Self::insert) answered `slot` for a
    /// message of this lane: of messages, bytes, and time where the room looks ahead. The victims
    /// wait no longer; [`release`](Self::release) hands each out. If none may give way, the
    /// newcomer comes back.
    #[inline]
    pub(super) fn settle(
        &mut self,
        now: Instant,
        slot: u32,
        lane: Lane,
        config: &QueueConfig,
        is_staff: impl Fn(Sender) -> bool,
    ) -> Result<Victims, Full<Queued<M>>> {
        let Some(waiting) = &mut self.waiting else {
            unreachable!("slot {slot} is of a queue that is there")
        };
        let queue = &mut waiting.queue;
        let places = match (config.when_late, config.fresh_within[lane.level]) {
            (WhenLate::RefuseAtOnce, Some(within)) => {
                let urgency = queue.urgency(slot);
                let within = saturating_nanos(within);
                self.scheduler.places(now, (lane, urgency), within, queue, is_staff)
            }
            _ => u32::MAX,
        };
        queue.settle(slot, places)
    }

    /// Returns the first instant at which one more message of a lane could go out within so long,
    /// if nothing else comes.
    #[cold]
    pub(super) fn has_place_at(
        &self,
        now: Instant,
        lane: (Lane, Urgency),
        within: Duration,
        is_staff: impl Fn(Sender) -> bool,
    ) -> Option<Instant> {
        let within = saturating_nanos(within);
        self.scheduler.has_place_at(now, lane, within, self.queue()?, is_staff)
    }

    /// Hands a victim out.
    pub(super) fn release(&mut self, victim: u32) -> Option<Left<M>> {
        let popped = self.queue_mut()?.release(victim)?;
        self.forget_carrier(&popped);
        Some(popped)
    }

    /// Takes out the message whose turn it is, if it may go now; the room's tokens and its level's
    /// are taken with it.
    #[inline]
    pub(super) fn pop_due(
        &mut self,
        now: Instant,
        is_staff: impl Fn(Sender) -> bool + Copy,
    ) -> Option<Left<M>> {
        let queue = &mut self.waiting.as_mut()?.queue;
        let pick = self.scheduler.pick(now, queue, is_staff)?;
        if !self.scheduler.take(now, pick) {
            return None;
        }
        let popped = if self.scheduler.is_open(now, pick.level) {
            queue.pop(pick.level)?
        } else {
            let is_exempt = |head| self.scheduler.is_exempt(head, is_staff);
            queue.pop_head(pick.level, is_exempt)?
        };
        self.scheduler.take_of_level(now, pick.level, popped.sender, is_staff);
        self.forget_carrier(&popped);
        Some(popped)
    }

    /// The time moves on.
    #[inline]
    pub(super) fn advance(&mut self, now: Instant) {
        if let Some(queue) = self.queue_mut() {
            queue.advance(now);
        }
    }

    /// Returns whether a message has waited too long.
    #[inline]
    pub(super) fn has_expired(&self, now: Instant) -> bool {
        self.queue().is_some_and(|queue| queue.has_expired(now))
    }

    /// Takes out a message that has waited too long.
    pub(super) fn pop_expired(&mut self, now: Instant) -> Option<Left<M>> {
        let popped = self.queue_mut()?.pop_expired(now)?;
        self.forget_carrier(&popped);
        Some(popped)
    }

    /// Takes out a message of the highest level that has one.
    pub(super) fn pop_highest(&mut self) -> Option<Left<M>> {
        let popped = self.queue_mut()?.pop_highest()?;
        self.forget_carrier(&popped);
        Some(popped)
    }

    /// Returns the limit that what waits exceeds: only after a change of configuration.
    #[inline]
    pub(super) fn exceeds(&self) -> Option<Limit> {
        self.queue()?.exceeds()
    }

    /// Takes out one that gives way, if there is more than the budget allows.
    pub(super) fn pop_excess(&mut self) -> Option<Left<M>> {
        let popped = self.queue_mut()?.shed()?;
        self.forget_carrier(&popped);
        Some(popped)
    }

    /// Takes out one of a level that gives way, whatever the budget.
    pub(super) fn give_way(&mut self, level: Priority) -> Option<Left<M>> {
        let popped = self.queue_mut()?.give_way(level)?;
        self.forget_carrier(&popped);
        Some(popped)
    }

    /// Returns the payload bytes in the queue.
    pub(super) fn bytes(&self) -> u64 {
        self.queue().map_or(0, Queue::bytes)
    }

    /// Returns those of one level.
    pub(super) fn level_bytes(&self, level: Priority) -> u64 {
        self.queue().map_or(0, |queue| queue.level_bytes(level))
    }

    /// Returns the slots of the messages of some senders, each with its sender's place in the list.
    pub(super) fn all_of(&mut self, senders: &[Sender]) -> Vec<(usize, u32)> {
        self.queue_mut().map_or_else(Vec::new, |queue| queue.all_of(senders))
    }

    /// Returns the slot of the message with this number, its sender, and how many it is.
    pub(super) fn find(&self, id: MessageId) -> Option<(u32, Sender, u32)> {
        let queue = self.queue()?;
        let slot = queue.find(|waiting| waiting.id == id)?;
        Some((slot, queue.sender(slot)?, queue.get(slot)?.messages()))
    }

    /// Takes out the message in a slot.
    pub(super) fn take(&mut self, slot: u32) -> Option<Left<M>> {
        let popped = self.queue_mut()?.take(slot)?;
        self.forget_carrier(&popped);
        Some(popped)
    }

    /// Returns when the next message may go out, or expires.
    pub(super) fn next_due(
        &self,
        now: Instant,
        is_staff: impl Fn(Sender) -> bool,
    ) -> Option<Instant> {
        let queue = self.queue()?;
        let turn =
            if self.is_backed_up() { None } else { self.scheduler.next_turn(now, queue, is_staff) };
        turn.into_iter().chain(queue.next_deadline()).min()
    }

    /// Returns the earliest instant at which a message could go out if nothing else wanted to.
    pub(super) fn next_for(
        &self,
        now: Instant,
        lane: Lane,
        is_staff: impl Fn(Sender) -> bool,
    ) -> Option<Instant> {
        self.scheduler.next_for(now, lane.level, lane.sender, is_staff)
    }

    /// Returns the whole tokens of the room.
    pub(super) fn tokens(&self, now: Instant) -> u32 {
        self.scheduler.available(now)
    }

    /// Returns how many turns were forgotten before their time.
    pub(super) fn forgotten_turns(&self) -> u64 {
        self.queue().map_or(0, Queue::forgotten_turns)
    }

    /// Returns the messages in the queue, by level.
    pub(super) fn queued(&self) -> PerLevel<u32> {
        let len = |level| self.queue().map_or(0, |queue| queue.level_len(level));
        PerLevel::from_fn(len)
    }

    /// Returns the payload bytes in the queue, by level.
    pub(super) fn queued_bytes(&self) -> PerLevel<u64> {
        PerLevel::from_fn(|level| self.level_bytes(level))
    }

    /// Writes what waits and whose turn it is at `now`.
    #[cfg(feature = "internals")]
    pub(super) fn digest(&self, now: Instant, to: &mut alloc::string::String) {
        self.scheduler.digest(now, to);
        let name = |waiting: &Queued<M>| (waiting.id, waiting.messages(), waiting.units());
        match &self.waiting {
            Some(waiting) => waiting.queue.digest(name, to),
            None => Waiting::new(&self.settings, self.seed).queue.digest(name, to),
        }
    }

    /// The messages that wait, in the queue or at an edge for the room, and have a key or carry
    /// some that may.
    pub(super) fn keyed(&self) -> impl Iterator<Item = MessageId> + '_ {
        let queued =
            self.queue().into_iter().flat_map(Queue::items).filter(|waiting| waiting.ext.is_some());
        let at_edge = self.edge_outbox.iter().flat_map(|outbox| outbox.ids());
        queued.map(|waiting| waiting.id).chain(at_edge)
    }
}

/// What each level keeps of the queue where there is a floor: a level below High a third of one
/// part in so many, of messages and of bytes.
fn kept(settings: &Settings) -> PerLevel<Space> {
    let QueueConfig { messages, bytes, .. } = settings.queue;
    PerLevel::from_fn(|level| match settings.min_share {
        Some(min_share) if level < Priority::MAX && settings.levels.has(level) => Space {
            messages: messages / min_share.saturating_mul(3),
            bytes: bytes / u64::from(min_share).saturating_mul(3),
        },
        _ => Space::default(),
    })
}
