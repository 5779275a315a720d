//! What was asked of the room's owner, and what whoever asked was told.

use roomcast_cluster::proto::Outcome;
use roomcast_cluster::wire::{Command, Decided};
use std::collections::{BTreeMap, BTreeSet};

/// The counter to which commands add.
pub(crate) const VOTES: &str = "votes";

/// What was asked of the owner, by tag.
#[derive(Default)]
pub(crate) struct Orders {
    votes: BTreeMap<u64, i64>,
    /// Direct messages, and by which start of which machine, and which of its edges.
    directs: BTreeMap<u64, (u64, (usize, u64, u64))>,
    told: BTreeMap<u64, Outcome>,
}

impl Orders {
    /// Somebody asks for something.
    pub(crate) fn given(&mut self, tag: u64, command: &Command, by: (usize, u64, u64)) {
        if let Command::SendDirect(_, direct) = command {
            let number = str::from_utf8(&direct.payload).ok().and_then(|text| text.parse().ok());
            self.directs.insert(tag, (number.unwrap_or_default(), by));
        }
        if let Command::AddCounter { delta, .. } = command {
            self.votes.insert(tag, *delta);
        }
    }

    /// Whoever asked is told.
    pub(crate) fn told(&mut self, tag: u64, outcome: Outcome) -> Result<(), String> {
        match self.told.insert(tag, outcome) {
            Some(before) => {
                Err(format!("L12: command {tag} has two fates: {before:?}, {outcome:?}"))
            }
            None => Ok(()),
        }
    }

    /// In the end: whoever asks that a user gets something at an edge that lives, and is told that it is done,
    /// finds that it was had there. `had` is what was had at an edge.
    pub(crate) fn check_directs(
        &self,
        edge: (usize, u64, u64),
        had: &BTreeSet<u64>,
    ) -> Result<(), String> {
        for (tag, (number, by)) in &self.directs {
            let is_done = self.told.get(tag) == Some(&Outcome::Decided(Decided::Done));
            if is_done && *by == edge && !had.contains(number) {
                return Err(format!(
                    "L14: direct message {number} is told to be sent, and was not had"
                ));
            }
        }
        Ok(())
    }

    /// In the end: what was told to be done was done once, and what nobody was told of may have been.
    pub(crate) fn check_votes(&self, votes: i64, losses: u64) -> Result<(), String> {
        let sum = |may: &dyn Fn(Option<&Outcome>) -> bool| -> i64 {
            let counted = self.votes.iter().filter(|(tag, _)| may(self.told.get(tag)));
            counted.map(|(_, delta)| delta).sum()
        };
        let is_done = |told: Option<&Outcome>| told == Some(&Outcome::Decided(Decided::Done));
        let may_be =
            |told: Option<&Outcome>| is_done(told) || matches!(told, None | Some(Outcome::Lost));
        let (least, most) = (sum(&is_done), sum(&may_be));
        if votes > most || (votes < least && losses == 0) {
            return Err(format!("L12: {votes} votes of {least} to {most}"));
        }
        Ok(())
    }
}
