//! What can go out in time, by going through the turns one after the other: where a sum would be
//! too rough. [Clause B21](crate::rulebook#b21-freshness).

use super::Scheduler;
use crate::priority::{PerLevel, Priority};
use crate::time::Instant;
use crate::work::MAX_WORK;

/// What was rehearsed of a level: in a flood, whoever comes next finds the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rehearsed {
    asked: (Priority, bool, u32, PerLevel<u32>),
    gone: Option<u32>,
    /// It is the same for who comes up to this instant, the first turn.
    first: Instant,
    /// And who may wait from here to before there, the next turn.
    last: Instant,
    next: Instant,
}

impl Rehearsed {
    fn is_of(&self, now: Instant, last: Instant) -> bool {
        now <= self.first && self.last <= last && (last < self.next || self.next == Instant::MAX)
    }
}

impl Scheduler {
    /// Whether a sum of turns may be wrong: another level's own quota leaves it turns that the sum
    /// counts as that level's, a floor gives it turns that wait for others to be passed over, or a
    /// window lets a higher level have what is kept back from this one.
    pub(super) fn is_rough(&self, level: Priority) -> bool {
        self.by_level()
            || self.min_share.is_some()
            || (self.kept[level] > 0 && self.room.is_window())
    }

    /// How many messages of a level go out up to and with `last` if it always has another one and
    /// at the other levels only those go that wait, or `enough` of them; `None` when more turns than
    /// one call does would have to be gone through. A level's own quota binds all that wait there,
    /// and this level's only if it `is_bound`. O(turns).
    pub(super) fn rehearse(
        &mut self,
        (now, last): (Instant, Instant),
        level: Priority,
        is_bound: bool,
        enough: u32,
        waiting: PerLevel<u32>,
    ) -> Option<u32> {
        let asked = (level, is_bound, enough, waiting);
        // Taken out, it is not cloned with the rest.
        let mut known = self.rehearsed.take().unwrap_or_default();
        let is_known = |known: &&Rehearsed| known.asked == asked && known.is_of(now, last);
        let rehearsed = match known[level].as_ref().filter(is_known) {
            Some(&rehearsed) => rehearsed,
            None => self.go_through((now, last), asked),
        };
        known[level] = Some(rehearsed);
        self.rehearsed = Some(known);
        rehearsed.gone
    }

    /// A token is taken, or the limits change.
    #[inline]
    pub(super) fn forget_rehearsed(&mut self) {
        if let Some(known) = &mut self.rehearsed {
            **known = PerLevel::default();
        }
    }

    fn go_through(
        &self,
        (now, last): (Instant, Instant),
        asked: (Priority, bool, u32, PerLevel<u32>),
    ) -> Rehearsed {
        let (level, is_bound, enough, mut waiting) = asked;
        let mut rehearsed = self.clone();
        if let Some(levels) = rehearsed.levels.as_mut().filter(|_| !is_bound) {
            levels[level] = None;
        }
        waiting[level] = u32::MAX;
        let (mut at, mut gone, mut first) = (now, 0, Instant::MAX);
        for number in 0..MAX_WORK {
            let found =
                |gone, first, next| Rehearsed { asked, gone: Some(gone), first, last, next };
            if gone >= enough {
                return found(gone, first, Instant::MAX);
            }
            let occupied = || Priority::ALL.into_iter().filter(|&level| waiting[level] > 0);
            let is_open = |at, level| rehearsed.is_open(at, level);
            let pick = |at| rehearsed.pick_among(|| occupied().filter(|&level| is_open(at, level)));
            let blocked = || occupied().filter(|&level| !is_open(at, level));
            let turn = rehearsed.turn_after(at, pick, blocked);
            if number == 0 {
                first = turn.unwrap_or(Instant::MAX);
            }
            let Some((turn, pick)) =
                turn.filter(|&turn| turn <= last).and_then(|turn| Some((turn, pick(turn)?)))
            else {
                return found(gone, first, turn.unwrap_or(Instant::MAX));
            };
            at = turn;
            if !rehearsed.take(at, pick) {
                // No turn is foretold that is not granted.
                return found(gone, now, last);
            }
            rehearsed.take_own(at, pick.level);
            if pick.level == level {
                gone += 1;
            } else {
                waiting[pick.level] -= 1;
            }
        }
        Rehearsed { asked, gone: None, first, last, next: Instant::MAX }
    }
}
