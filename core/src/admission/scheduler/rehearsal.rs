//! What can go out in time, by going through the turns one after the other: where a sum would be
//! too rough. [Clause B21](crate::rulebook#b21-freshness).

use super::Scheduler;
use crate::priority::{PerLevel, Priority};
use crate::time::Instant;
use crate::work::MAX_WORK;

impl Scheduler {
    /// Whether a sum of turns may be wrong: another level's own quota leaves it turns that the sum
    /// counts as that level's, a floor gives it turns that wait for others to be passed over, or a
    /// window lets a higher level have what is kept back from this one.
    pub(super) fn is_rough(&self, level: Priority) -> bool {
        self.by_level || self.min_share.is_some() || (self.kept[level] > 0 && self.room.is_window())
    }

    /// How many messages of a level go out up to and with `last` if it always has another one and
    /// at the other levels only those go that wait, or `enough` of them; `None` when more turns than
    /// one call does would have to be gone through. A level's own quota binds all that wait there,
    /// and this level's only if it `is_bound`. O(turns).
    pub(super) fn rehearse(
        &self,
        (now, last): (Instant, Instant),
        level: Priority,
        is_bound: bool,
        enough: u32,
        waiting: PerLevel<u32>,
    ) -> Option<u32> {
        let (mut rehearsed, mut waiting) = (self.clone(), waiting);
        if !is_bound {
            rehearsed.levels[level] = None;
        }
        waiting[level] = u32::MAX;
        let (mut at, mut gone) = (now, 0);
        for _ in 0..MAX_WORK {
            if gone >= enough {
                return Some(gone);
            }
            let occupied = || Priority::ALL.into_iter().filter(|&level| waiting[level] > 0);
            let is_open = |at, level| rehearsed.is_open(at, level);
            let pick = |at| rehearsed.pick_among(|| occupied().filter(|&level| is_open(at, level)));
            let blocked = || occupied().filter(|&level| !is_open(at, level));
            let turn = rehearsed.turn_after(at, pick, blocked).filter(|&turn| turn <= last);
            let Some((turn, pick)) = turn.and_then(|turn| Some((turn, pick(turn)?))) else {
                return Some(gone);
            };
            at = turn;
            if !rehearsed.take(at, pick) {
                return Some(gone);
            }
            rehearsed.take_own(at, pick.level);
            if pick.level == level {
                gone += 1;
            } else {
                waiting[pick.level] -= 1;
            }
        }
        None
    }
}
