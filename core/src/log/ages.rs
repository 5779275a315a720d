//! How old messages may become in the log: for sessions that were in all the time, and at all.
//! [Clause B21](crate::rulebook#b21-freshness).

use super::{Log, Ring};
use crate::config::Settings;
use crate::deferred_drops::DeferredDrops;
use crate::message::{Message, Payload};
use crate::priority::{PerLevel, Priority};
use crate::time::{Duration, Instant, saturating_nanos};

/// An age in nanoseconds that a message reaches, or never does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Age(u64);

impl Age {
    const NEVER: Self = Self(u64::MAX);

    fn new(age: Option<Duration>) -> Self {
        age.map_or(Self::NEVER, |age| Self(saturating_nanos(age)))
    }

    /// Whether what was dispatched then has reached it at `now`.
    #[inline]
    fn is_reached(self, dispatched_at: Instant, now: Instant) -> bool {
        self != Self::NEVER && now.as_nanos().saturating_sub(dispatched_at.as_nanos()) >= self.0
    }

    /// When what was dispatched then reaches it, or the end of time.
    #[inline]
    fn after(self, dispatched_at: Instant) -> Instant {
        Instant::from_nanos(dispatched_at.as_nanos().saturating_add(self.0))
    }
}

/// The ages that all rings share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ages {
    /// At what age messages go.
    log: Age,
    /// Not before this does a floor move on; never where no level has one.
    next_floor: Instant,
    /// Not before this does a message go for its age, unless late joiners get it no more.
    next_expiry: Instant,
}

/// The ages of one level.
#[derive(Clone, Copy, Debug)]
pub(super) struct RingAges {
    /// At what age messages are handed over no more to a session that was in all the time.
    within: Age,
    /// Below this position all messages are that old, as of the last look.
    floor: u64,
    /// A message is fresh until it has reached this.
    fresh_for: Age,
    /// Behind the last message that was given up while it was fresh, or never seen here.
    overrun: u64,
}

impl Ages {
    pub(super) fn new(settings: &Settings) -> Self {
        let log = Age::new(settings.effective_log_age());
        Self { log, next_floor: Instant::MAX, next_expiry: Instant::MAX }
    }

    /// A message that was dispatched at `now` has come to a ring.
    #[inline]
    pub(super) fn note<M: Payload>(&mut self, ring: &Ring<M>, now: Instant) {
        let RingAges { within, .. } = ring.ages;
        if within != Age::NEVER && ring.floor() + 1 == ring.head {
            self.next_floor = self.next_floor.min(within.after(now));
        }
        if self.log != Age::NEVER && ring.messages.len() == 1 {
            self.next_expiry = self.next_expiry.min(self.log.after(now));
        }
    }
}

impl RingAges {
    pub(super) fn new(settings: &Settings, level: Priority) -> Self {
        let within = settings.deliver_within[level];
        let fresh_for = Age::new(within.or(settings.effective_log_age()));
        Self { within: Age::new(within), floor: 0, fresh_for, overrun: 0 }
    }

    /// What stands below this position was given up while it was fresh, or was never seen here.
    #[inline]
    pub(super) fn overrun(&mut self, position: u64) {
        self.overrun = position;
    }

    /// The message at a position, which was dispatched then, is given up at `now`.
    #[inline]
    pub(super) fn give_up(&mut self, now: Instant, position: u64, dispatched_at: Instant) {
        if !self.fresh_for.is_reached(dispatched_at, now) {
            self.overrun(position + 1);
        }
    }
}

impl<M: Payload> Ring<M> {
    /// The position of the first message that is not too old for a session that was in all the
    /// time, as of the last look; the head when all are.
    #[inline]
    fn floor(&self) -> u64 {
        self.ages.floor.max(self.tail())
    }

    fn at(&self, position: u64) -> Option<&Message<M>> {
        let place = position.checked_sub(self.tail())?;
        self.messages.get(usize::try_from(place).ok()?).map(|message| &**message)
    }

    /// Moves the floor on as far as it is at `now`. Returns whether it has moved, and when it moves
    /// on next. O(log moved).
    fn move_floor(&mut self, now: Instant) -> (bool, Instant) {
        let within = self.ages.within;
        if within == Age::NEVER {
            return (false, Instant::MAX);
        }
        let before = self.floor();
        let is_old = |position| {
            self.at(position).is_some_and(|message| within.is_reached(message.dispatched_at, now))
        };
        // In steps that grow, then between the last two: mostly there is one.
        let (mut low, mut step) = (before, 1);
        while is_old(low + step - 1) {
            low += step;
            step *= 2;
        }
        let mut high = (low + step - 1).min(self.head);
        while low < high {
            let middle = low + (high - low) / 2;
            if is_old(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.ages.floor = low;
        let next = self.at(low).map_or(Instant::MAX, |message| within.after(message.dispatched_at));
        (low > before, next)
    }
}

impl<M: Payload> Log<M> {
    /// Other ages from now on. What had become too old to be handed over is looked at anew.
    pub(super) fn change_ages(&mut self, settings: &Settings) {
        for level in Priority::ALL {
            let ages = &mut self.rings[level].ages;
            *ages = RingAges { overrun: ages.overrun, ..RingAges::new(settings, level) };
        }
        self.ages =
            Ages { next_floor: Instant::ZERO, next_expiry: Instant::ZERO, ..Ages::new(settings) };
    }

    /// Whether any level has an age at which messages are handed over no more.
    pub(crate) fn bounds_deliveries(&self) -> bool {
        self.rings.values().any(|ring| ring.ages.within != Age::NEVER)
    }

    /// Whether a message may have become too old for whoever was in all the time.
    #[inline]
    pub(crate) fn may_move_floors(&self, now: Instant) -> bool {
        now >= self.ages.next_floor
    }

    /// Passes what has become too old by `now` for whoever was in all the time. Returns whether
    /// there was any.
    pub(crate) fn move_floors(&mut self, now: Instant) -> bool {
        let mut has_moved = false;
        self.ages.next_floor = Instant::MAX;
        for ring in &mut self.rings.0 {
            let (moved, next) = ring.move_floor(now);
            has_moved |= moved;
            self.ages.next_floor = self.ages.next_floor.min(next);
        }
        has_moved
    }

    /// The position of the first message of a level that a session reads that was in all the time,
    /// as of the last look; the head when there is none.
    #[inline]
    pub(crate) fn floor(&self, level: Priority) -> u64 {
        self.rings[level].floor()
    }

    /// The position behind the last message of a level that was given up while it was fresh, or
    /// was never seen here. Of what is not there any more, the rest had become too old.
    #[inline]
    pub(crate) fn overrun(&self, level: Priority) -> u64 {
        self.rings[level].ages.overrun
    }

    /// Whether a message may have become so old that it goes.
    #[inline]
    pub(crate) fn may_expire(&self, now: Instant) -> bool {
        now >= self.ages.next_expiry
    }

    /// Messages may go that were kept for late joiners: the next look is at all.
    #[inline]
    pub(crate) fn keep_less(&mut self) {
        if self.ages.log != Age::NEVER {
            self.ages.next_expiry = Instant::ZERO;
        }
    }

    /// Lets go of what has become too old by `now`, but for so many of each level that late joiners
    /// get; as much as the call may. Returns whether there is more.
    pub(crate) fn expire(
        &mut self,
        now: Instant,
        kept: &PerLevel<u32>,
        left: &mut u32,
        deferred: &mut DeferredDrops<M>,
    ) -> bool {
        self.ages.next_expiry = Instant::MAX;
        let age = self.ages.log;
        if age == Age::NEVER {
            return false;
        }
        let mut more = false;
        for level in Priority::ALL {
            let ring = &mut self.rings[level];
            loop {
                let oldest =
                    ring.messages.front().filter(|_| ring.messages.len() as u32 > kept[level]);
                let Some(oldest) = oldest else { break };
                if !age.is_reached(oldest.dispatched_at, now) {
                    self.ages.next_expiry =
                        self.ages.next_expiry.min(age.after(oldest.dispatched_at));
                    break;
                }
                if *left == 0 {
                    more = true;
                    break;
                }
                *left -= 1;
                ring.pop(now, deferred);
            }
        }
        if more {
            self.ages.next_expiry = Instant::ZERO;
        }
        more
    }

    /// When all that the log holds will be too old, where the last message was dispatched then; but
    /// for so many of each level that late joiners get. `None` when nothing goes by its age.
    pub(crate) fn all_old_at(&self, last: Instant, kept: &PerLevel<u32>) -> Option<Instant> {
        let (age, due) = (self.ages.log, self.ages.log.after(last));
        let is_more = |level| self.len(level) > kept[level];
        (age.is_reached(last, due) && Priority::ALL.into_iter().any(is_more)).then_some(due)
    }

    /// Gives back memory that is not needed for what is left.
    pub(crate) fn shrink(&mut self) {
        self.rings.0.iter_mut().for_each(|ring| ring.messages.shrink());
    }
}
