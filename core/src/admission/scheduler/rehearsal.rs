//! What can go out in time, by going through the turns one after the other: where a sum would be
//! too rough. [Clause B21](crate::rulebook#b21-freshness).

use super::Scheduler;
use crate::priority::{PerLevel, Priority};
use crate::time::Instant;
use crate::work::MAX_WORK;

impl Scheduler {
    /// Whether a sum of turns may tell fewer places of a level than there are: another level's own
    /// quota leaves it turns that the sum counts as that level's, or a window lets a higher level
    /// have what is kept back from this one.
    pub(super) fn is_rough(&self, level: Priority) -> bool {
        self.by_level || (self.kept[level] > 0 && self.room.is_window())
    }

    /// How many messages of a level go out up to and with `last` if it always has another one and
    /// at the other levels only those go that wait; of the next 1,024 turns. A level's own quota
    /// binds all that wait there, unless it is taken away. O(turns).
    pub(super) fn rehearse(
        &self,
        (now, last): (Instant, Instant),
        level: Priority,
        is_exempt: bool,
        waiting: PerLevel<u32>,
    ) -> u32 {
        let (mut rehearsed, mut waiting) = (self.clone(), waiting);
        if is_exempt {
            rehearsed.levels[level] = None;
        }
        waiting[level] = u32::MAX;
        let (mut at, mut gone) = (now, 0);
        for _ in 0..MAX_WORK {
            let occupied = || Priority::ALL.into_iter().filter(|&level| waiting[level] > 0);
            let is_open = |at, level| rehearsed.is_open(at, level);
            let pick = |at| rehearsed.pick_among(|| occupied().filter(|&level| is_open(at, level)));
            let blocked = || occupied().filter(|&level| !is_open(at, level));
            let turn = rehearsed.turn_after(at, pick, blocked).filter(|&turn| turn <= last);
            let Some((turn, pick)) = turn.and_then(|turn| Some((turn, pick(turn)?))) else { break };
            at = turn;
            if !rehearsed.take(at, pick) {
                break;
            }
            rehearsed.take_own(at, pick.level);
            if pick.level == level {
                gone += 1;
            } else {
                waiting[pick.level] -= 1;
            }
        }
        gone
    }
}
