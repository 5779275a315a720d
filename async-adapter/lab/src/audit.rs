//! Whether what was counted from outcomes and refusals is what the room's own ledger says, to the
//! integer.

use roomcast::Priority;
use roomcast::error::{DropReason, RefusalReason};
use roomcast::stats::Reason;

use crate::preset::Preset;
use crate::tally::Tally;
use crate::trial::Trial;

/// Checks the books of a room that has nothing waiting any more. The error is one line that names
/// the first figure that is wrong.
pub(crate) fn check(preset: &Preset, trial: &Trial) -> Result<(), String> {
    if !trial.ledger.balances() {
        return Err(format!(
            "{}: the books of the room do not balance:\n{}",
            preset.name, trial.ledger
        ));
    }
    for (stream, tally) in trial.tallies.iter() {
        let fates = tally.dispatched + tally.merged + tally.dropped.total() + tally.refused.total();
        let name = format!("{} of the {}", "what became", stream.name());
        agree(preset, &name, ("offered", tally.offered), ("decided", fates))?;
        let merged = tally.carried + tally.merged_and_lost;
        agree(preset, &name, ("merged", tally.merged), ("decided with their carriers", merged))?;
    }
    Priority::ALL.into_iter().try_for_each(|level| check_level(preset, trial, level))
}

fn check_level(preset: &Preset, trial: &Trial, level: Priority) -> Result<(), String> {
    let row = &trial.ledger.levels[level];
    let sum = |of: &dyn Fn(&Tally) -> u64| {
        let of_level = trial.tallies.iter().filter(|(stream, _)| preset.levels[*stream] == level);
        of_level.map(|(_, tally)| of(tally)).sum::<u64>()
    };
    let compare = |what: &str, of_room: u64, of: &dyn Fn(&Tally) -> u64| {
        agree(
            preset,
            &format!("{what} at {level}"),
            ("in the room's ledger", of_room),
            ("counted by the lab", sum(of)),
        )
    };
    compare("submitted", row.submitted, &|tally| tally.offered)?;
    compare("merged", row.merged, &|tally| tally.merged)?;
    compare("dispatched", row.dispatched, &|tally| tally.dispatched)?;
    compare("units dispatched", row.units.dispatched, &Tally::through)?;
    compare("units dropped", row.units.dropped, &|tally| {
        tally.dropped.total() + tally.merged_and_lost
    })?;
    compare("units refused", row.units.refused, &|tally| tally.refused.total())?;
    compare("queued", row.queued + row.under_review, &|_| 0)?;
    for &reason in RefusalReason::ALL {
        compare(&format!("refused as {reason}"), row.refused.count(reason), &|tally| {
            tally.refused.of(reason)
        })?;
    }
    for &reason in DropReason::ALL {
        compare(&format!("dropped as {reason}"), row.dropped.count(reason), &|tally| {
            tally.dropped.of(reason)
        })?;
    }
    Ok(())
}

fn agree(preset: &Preset, what: &str, one: (&str, u64), other: (&str, u64)) -> Result<(), String> {
    if one.1 == other.1 {
        return Ok(());
    }
    Err(format!(
        "{}: {what}: {} {}, {} {}: want the same",
        preset.name, one.1, one.0, other.1, other.0
    ))
}

#[cfg(test)]
mod tests;
