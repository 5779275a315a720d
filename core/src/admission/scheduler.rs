//! The scheduler: which level has its turn, by the room's rate, the levels' own, the reserves and
//! the floor. [Decision D15](crate::design#d15-reserve-floor-level-quota).

mod look_ahead;
mod rehearsal;

use crate::config::{Exempt, RoomConfig};
use crate::message::Sender;
use crate::priority::{PerLevel, Priority};
use crate::queue::Queue;
use crate::quota::{LimitLeft, Limiter, RateLimit};
use crate::time::Instant;
use alloc::boxed::Box;
use core::cmp::Reverse;
use rehearsal::Rehearsed;

#[derive(Clone, Debug)]
pub(super) struct Scheduler {
    room: Limiter,
    /// Tokens that a message of each level must leave behind.
    kept: PerLevel<u32>,
    /// The second limit, where any level has one.
    levels: Option<Box<PerLevel<Option<Limiter>>>>,
    exempt: Exempt,
    /// One dispatch in so many goes to a level that the highest passes over.
    min_share: Option<u32>,
    /// Dispatches since the floor's last that passed a lower level over.
    passed_over: u32,
    /// With a floor: dispatches so far.
    dispatches: u64,
    /// At which of them each level was served last.
    served: PerLevel<u64>,
    /// What was rehearsed since a token was taken; nothing before the first time.
    rehearsed: Option<Box<PerLevel<Option<Rehearsed>>>>,
}

/// Which level is served next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pick {
    pub(super) level: Priority,
    /// Tokens that its message must leave behind.
    kept: u32,
    /// Of the levels that could be served.
    highest: Priority,
    lowest: Priority,
}

impl Scheduler {
    pub(super) fn new(config: &RoomConfig) -> Self {
        let settings = &config.settings;
        Self {
            room: config.rate_limit().limiter(),
            kept: PerLevel::from_fn(|level| config.reserved_above(level)),
            levels: settings.level_quotas.any().then(|| {
                let quotas = settings.level_quotas.levels.0;
                Box::new(PerLevel(quotas.map(|quota| quota.map(RateLimit::limiter))))
            }),
            exempt: settings.level_quotas.exempt,
            min_share: settings.min_share,
            passed_over: 0,
            dispatches: 0,
            served: PerLevel::default(),
            rehearsed: None,
        }
    }

    /// Goes on under other settings. A level's quota that is new starts unused.
    pub(super) fn reconfigure(&mut self, now: Instant, config: &RoomConfig) {
        let new = Self::new(config);
        self.forget_rehearsed();
        self.room.change(now, config.rate_limit());
        let mut levels = new.levels;
        let fresh = levels.iter_mut().flat_map(|levels| &mut levels.0);
        for (level, fresh) in Priority::ALL.into_iter().zip(fresh) {
            let quota = config.settings.level_quotas.levels[level];
            if let (Some(mut meter), Some(quota)) = (self.own(level).copied(), quota) {
                meter.change(now, quota);
                *fresh = Some(meter);
            }
        }
        self.levels = levels;
        if self.min_share != new.min_share {
            (self.passed_over, self.dispatches, self.served) = (0, 0, new.served);
        }
        (self.kept, self.exempt, self.min_share) = (new.kept, new.exempt, new.min_share);
    }

    /// Whether any level has a limit of its own.
    #[inline]
    fn by_level(&self) -> bool {
        self.levels.is_some()
    }

    /// A level's own limit, if it has one.
    #[inline]
    fn own(&self, level: Priority) -> Option<&Limiter> {
        self.levels.as_ref()?[level].as_ref()
    }

    /// Goes on at `now` with what another one's limits had left, where that is known.
    pub(super) fn go_on(
        &mut self,
        now: Instant,
        rate: Option<LimitLeft>,
        level_quotas: &PerLevel<Option<LimitLeft>>,
    ) {
        self.forget_rehearsed();
        if let Some(left) = rate {
            self.room.go_on(now, left);
        }
        let levels = self.levels.iter_mut().flat_map(|levels| &mut levels.0);
        for (limiter, left) in levels.zip(&level_quotas.0) {
            if let (Some(limiter), &Some(left)) = (limiter, left) {
                limiter.go_on(now, left);
            }
        }
    }

    /// Returns what the room's rate has left, and each level's own quota.
    pub(super) fn left(&self) -> (Option<LimitLeft>, PerLevel<Option<LimitLeft>>) {
        let of_level = |level| self.own(level).and_then(Limiter::left);
        (self.room.left(), PerLevel::from_fn(of_level))
    }

    /// Which level has its turn, of those that wait and have not used up their own quota or have
    /// somebody at their head whom it does not bind. `None` when there is none.
    ///
    /// That is the highest: a lower one needs no fewer tokens. But one dispatch in so many, if the
    /// room is configured so, goes to the one of the others that was served the longest ago, and
    /// the reserves do not bind it.
    ///
    /// A newcomer that may still be turned away changes nobody else's turn: unless it goes itself,
    /// its level counts as empty where it waits alone.
    #[inline]
    pub(super) fn pick<T>(
        &self,
        now: Instant,
        queue: &Queue<T>,
        is_staff: impl Fn(Sender) -> bool,
    ) -> Option<Pick> {
        if !self.by_level() && self.min_share.is_none() {
            let level = queue.highest()?;
            return Some(Pick { level, kept: self.kept[level], highest: level, lowest: level });
        }
        let pick = self.pick_of(now, queue, None, &is_staff)?;
        match queue.newcomers_own() {
            Some(newcomers) if newcomers != pick.level => {
                self.pick_of(now, queue, Some(newcomers), is_staff)
            }
            _ => Some(pick),
        }
    }

    fn pick_of<T>(
        &self,
        now: Instant,
        queue: &Queue<T>,
        without: Option<Priority>,
        is_staff: impl Fn(Sender) -> bool,
    ) -> Option<Pick> {
        let occupied = || queue.occupied().filter(|&level| Some(level) != without);
        self.pick_among(|| occupied().filter(|&level| self.may_go(now, level, queue, &is_staff)))
    }

    /// Which of the levels that may go is served next.
    fn pick_among<I: Iterator<Item = Priority>>(&self, open: impl Fn() -> I) -> Option<Pick> {
        let highest = open().next()?;
        Some(self.between(highest, open().last().unwrap_or(highest), || {
            self.longest_ago(open(), highest)
        }))
    }

    #[inline]
    fn between(
        &self,
        highest: Priority,
        lowest: Priority,
        floors: impl FnOnce() -> Priority,
    ) -> Pick {
        let is_floors = lowest != highest && self.is_floors_turn();
        let (level, kept) = if is_floors { (floors(), 0) } else { (highest, self.kept[highest]) };
        Pick { level, kept, highest, lowest }
    }

    /// The level below the highest that was served the longest ago; of several, the lowest.
    #[inline(never)]
    fn longest_ago(&self, open: impl Iterator<Item = Priority>, highest: Priority) -> Priority {
        let others = open.filter(|&level| level != highest);
        others.min_by_key(|&level| (self.served[level], Reverse(level.index()))).unwrap_or(highest)
    }

    fn is_floors_turn(&self) -> bool {
        self.min_share.is_some_and(|min_share| self.passed_over + 1 >= min_share)
    }

    /// Takes the room's token for a message of a level where nothing else waits, if it is there and
    /// is all that decides.
    #[inline]
    pub(super) fn take_alone(&mut self, now: Instant, level: Priority) -> bool {
        // A window may have been rehearsed.
        let may = !self.by_level() && self.min_share.is_none();
        let is_taken = may && self.room.take_keeping(now, self.kept[level]);
        if is_taken {
            self.forget_rehearsed();
        }
        is_taken
    }

    /// Takes the room's token for a turn, if it is there.
    #[inline]
    pub(super) fn take(&mut self, now: Instant, pick: Pick) -> bool {
        if !self.room.take_keeping(now, pick.kept) {
            return false;
        }
        self.forget_rehearsed();
        if self.min_share.is_some() {
            self.dispatches += 1;
            self.served[pick.level] = self.dispatches;
            if pick.level != pick.highest {
                self.passed_over = 0;
            } else if pick.lowest != pick.level {
                self.passed_over += 1;
            }
        }
        true
    }

    /// Whether a level has a token of its own left, or needs none.
    #[inline]
    pub(super) fn is_open(&self, now: Instant, level: Priority) -> bool {
        !self.by_level() || self.own(level).is_none_or(|meter| meter.available(now) > 0)
    }

    /// Takes the level's own token for a message that goes out, unless its sender is exempt.
    #[inline]
    pub(super) fn take_of_level(
        &mut self,
        now: Instant,
        level: Priority,
        sender: Sender,
        is_staff: impl Fn(Sender) -> bool,
    ) {
        if self.by_level() && !self.is_exempt(sender, is_staff) {
            self.take_own(now, level);
        }
    }

    fn take_own(&mut self, now: Instant, level: Priority) {
        self.forget_rehearsed();
        if let Some(meter) = self.levels.as_mut().and_then(|levels| levels[level].as_mut()) {
            meter.take_keeping(now, 0);
        }
    }

    pub(super) fn is_exempt(&self, sender: Sender, is_staff: impl Fn(Sender) -> bool) -> bool {
        self.exempt == Exempt::OwnerAndAdmins && is_staff(sender)
    }

    fn may_go<T>(
        &self,
        now: Instant,
        level: Priority,
        queue: &Queue<T>,
        is_staff: impl Fn(Sender) -> bool,
    ) -> bool {
        let is_exempt = |head| self.is_exempt(head, &is_staff);
        self.is_open(now, level) || queue.has_head(level, is_exempt)
    }

    /// When the next turn comes, as far as tokens decide; `None` when nothing that waits can ever
    /// go.
    pub(super) fn next_turn<T>(
        &self,
        now: Instant,
        queue: &Queue<T>,
        is_staff: impl Fn(Sender) -> bool,
    ) -> Option<Instant> {
        let pick = |at| self.pick(at, queue, &is_staff);
        self.turn_after(now, pick, || {
            queue.occupied().filter(|&level| !self.may_go(now, level, queue, &is_staff))
        })
    }

    /// When the next turn comes, of those that can be picked and of those that are blocked by their
    /// level's own quota.
    fn turn_after<I: Iterator<Item = Priority>>(
        &self,
        now: Instant,
        pick: impl Fn(Instant) -> Option<Pick>,
        blocked: impl FnOnce() -> I,
    ) -> Option<Instant> {
        let at_once = pick(now).and_then(|pick| self.room.next_at(now, pick.kept));
        if !self.by_level() {
            return at_once;
        }
        let opens = blocked().filter_map(|level| {
            let at = self.own(level)?.next_at(now, 0)?;
            // Whose turn it will be when this level may go again is not said by whether it may go
            // alone.
            self.room.next_at(at, pick(at)?.kept)
        });
        opens.chain(at_once).min()
    }

    /// The earliest instant at which a message could go out if nothing else wanted to.
    pub(super) fn next_for(
        &self,
        now: Instant,
        level: Priority,
        sender: Sender,
        is_staff: impl Fn(Sender) -> bool,
    ) -> Option<Instant> {
        let room = self.room.next_at(now, self.kept[level])?;
        match self.own(level) {
            Some(meter) if !self.is_exempt(sender, is_staff) => {
                meter.next_at(now, 0).map(|own| own.max(room))
            }
            _ => Some(room),
        }
    }

    /// Writes what decides whose turn it is, at `now`.
    #[cfg(feature = "internals")]
    pub(super) fn digest(&self, now: Instant, to: &mut alloc::string::String) {
        use core::fmt::Write;
        let left = |limiter: &Limiter| (limiter.available(now), limiter.next_at(now, 0));
        let levels = PerLevel::from_fn(|level| self.own(level).map(left));
        let floor = (self.passed_over, self.dispatches, self.served);
        let _ = writeln!(to, "tokens {:?} {levels:?}, floor {floor:?}", left(&self.room));
    }

    /// Whole tokens of the room.
    pub(super) fn available(&self, now: Instant) -> u32 {
        self.room.available(now)
    }
}
