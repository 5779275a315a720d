//! What must hold over machines, looked at from outside: at what the logs have accepted, what members
//! got, and what senders were told.

use super::Text;
use super::place::{Words, is_final};
use roomcast_cluster::bus::Record;
use roomcast_cluster::proto;
use roomcast_cluster::wire::{Decided, Flight, Numbers, Withdrawn};
use roomcast_core::ids::Seq;
use roomcast_core::ledger::RefusalReason;
use roomcast_core::message::{EdgeMessage, Sender};
use roomcast_core::time::Duration;
use roomcast_core::{Instant, Message, Outcome, PerLevel, Priority, UserId};
use std::collections::{BTreeMap, BTreeSet};

/// How old a message may be when it goes out.
pub(crate) const WITHIN: Duration = Duration::from_millis(1_500);

/// What became of a message, as its sender was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// By the edge: it was not let in, or went no further.
    AtEdge,
    /// By the room.
    Decided(Decided),
    /// That nobody knows.
    Lost,
}

/// The room's rate, over all owners where they have one clock, and for each by its own otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rate {
    per_second: u64,
    is_one_clock: bool,
    epoch: u64,
    at: Instant,
    /// Billionths of a message that may go out.
    left: u128,
}

impl Rate {
    pub(crate) fn new(per_second: u32, is_one_clock: bool) -> Self {
        Self { per_second: per_second.into(), is_one_clock, ..Self::default() }
    }

    /// Whether a message may go out.
    fn pass(&mut self, epoch: u64, at: Instant, is_known: bool) -> bool {
        const ONE: u128 = 1_000_000_000;
        let full = u128::from(self.per_second) * ONE;
        if self.epoch == 0 || (epoch != self.epoch && !(self.is_one_clock && is_known)) {
            (self.left, self.at) = (full, at);
        }
        self.epoch = epoch;
        let more = at.saturating_since(self.at).as_nanos() * u128::from(self.per_second);
        (self.left, self.at) = (full.min(self.left + more), self.at.max(at));
        let passes = self.left >= ONE;
        self.left = self.left.saturating_sub(ONE);
        passes
    }
}

/// What must hold.
#[derive(Default)]
pub(crate) struct Oracle {
    words: BTreeMap<u64, (Words, UserId)>,
    told: BTreeMap<u64, Told>,
    /// What has been dispatched, by number, and where each message was.
    sent: BTreeMap<u64, u64>,
    sent_as: BTreeMap<u64, u64>,
    /// The numbers of which the log says that their senders are told.
    fated: BTreeSet<u64>,
    /// What the logs say of each forward.
    fates: BTreeMap<(u64, u64), Decided>,
    keys: BTreeSet<(UserId, u64)>,
    rate: Rate,
    heads: PerLevel<u64>,
    last: Option<(u64, u64)>,
    pub(crate) flights: u64,
    /// Who has said what went out, and for how many messages it stands, by number.
    by: BTreeMap<u64, (Sender, u32)>,
    /// What the logs say to be taken back.
    withdrawn: BTreeSet<u64>,
    pub(crate) losses: u64,
    /// How often the room was closed.
    pub(crate) closes: u64,
    /// The first thing that was found in a call that returns nothing.
    wrong: Option<String>,
}

impl Oracle {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, ..Self::default() }
    }

    pub(crate) fn said(&mut self, words: Words, user: UserId) {
        self.words.insert(words.tag, (words, user));
    }

    pub(crate) fn refused(&mut self, tag: u64, _: RefusalReason) {
        self.tell(tag, Told::AtEdge);
    }

    pub(crate) fn told_at_edge(&mut self, tag: u64, outcome: &Outcome) {
        if is_final(outcome) {
            self.tell(tag, Told::AtEdge);
        }
    }

    pub(crate) fn told_by_room(&mut self, message: &EdgeMessage<Text>, outcome: proto::Outcome) {
        let Ok(tag) = message.payload.parse() else { return };
        let told = match outcome {
            proto::Outcome::Decided(decided) => Told::Decided(decided),
            proto::Outcome::Lost => Told::Lost,
        };
        self.tell(tag, told);
    }

    fn tell(&mut self, tag: u64, told: Told) {
        if let Some(before) = self.told.insert(tag, told) {
            self.fault(format!("L12: message {tag} has two fates: {before:?}, {told:?}"));
        }
        if let Told::Decided(Decided::Dispatched { seq }) = told
            && self.sent.get(&seq.0) != Some(&tag)
        {
            let found = self.sent.get(&seq.0);
            self.fault(format!("L14: message {tag} is told to be {seq}, which is {found:?}"));
        }
        if told == Told::Lost && self.losses == 0 {
            self.fault(format!("L12: message {tag} has no fate, and no log was lost"));
        }
    }

    fn fault(&mut self, fault: String) {
        self.wrong.get_or_insert(fault);
    }

    pub(crate) fn check(&mut self) -> Result<(), String> {
        self.wrong.take().map_or(Ok(()), Err)
    }

    /// A log has accepted a flight.
    pub(crate) fn accepted(&mut self, record: &Record) -> Result<(), String> {
        self.flights += 1;
        let flight = Flight::<Text>::decode(&record.bytes, &mut Numbers);
        let flight = flight.map_err(|error| format!("a flight that cannot be read: {error}"))?;
        let incarnation = flight.incarnation_at(record.at);
        let mut before = flight.continued.heads;
        for sent in &flight.messages {
            before[sent.parts.priority] -= 1;
        }
        let goes_on = self.last.is_some_and(|(its, _)| its == incarnation);
        if goes_on && self.last.is_some_and(|(_, epoch)| flight.epoch < epoch) {
            return Err(format!("the fence: epoch {} behind {:?}", flight.epoch, self.last));
        }
        // A log that was lost with its owner is gone on with behind all that anybody had.
        if !flight.gathering {
            let is_hole = Priority::ALL.iter().any(|&level| before[level] > self.heads[level]);
            let is_back = Priority::ALL.iter().any(|&level| before[level] < self.heads[level]);
            if (is_hole || is_back) && self.losses == 0 {
                let heads = self.heads;
                return Err(format!("L13: a flight from {before:?} behind {heads:?}"));
            }
            self.heads = flight.continued.heads;
        }
        self.last = Some((incarnation, flight.epoch));
        for sent in &flight.messages {
            let parts = &sent.parts;
            let tag: u64 = parts.payload.parse().map_err(|_| "not a text of ours".to_owned())?;
            let seq = parts.seq.0;
            if self.sent.insert(seq, tag).is_some_and(|other| other != tag) && self.losses == 0 {
                return Err(format!("L13: two messages are #{seq}"));
            }
            let before = self.sent_as.insert(tag, seq);
            if before.is_some_and(|other| other != seq) {
                return Err(format!("L12: message {tag} goes out twice"));
            }
            let is_known = self.losses == 0;
            let at = parts.dispatched_at;
            if before.is_none() && !self.rate.pass(flight.epoch, at, is_known) {
                return Err(format!(
                    "L5: #{seq} goes out beyond the rate, at {at}: {:?}",
                    self.rate
                ));
            }
            let Some((words, user)) = self.words.get(&tag) else {
                return Err(format!("nobody said {tag}"));
            };
            if parts.sender != Sender::User(*user) || parts.priority != words.level {
                return Err(format!("{tag} goes out as {parts:?}"));
            }
            if sent.dedup_key.map(|key| key.0) != words.key {
                return Err(format!("{tag} goes out with the key {:?}", sent.dedup_key));
            }
            let age = parts.dispatched_at.saturating_since(parts.admitted_at);
            if age >= WITHIN {
                return Err(format!("L11: {tag} goes out at an age of {age:?}"));
            }
        }
        for fate in &flight.fates {
            let before = self.fates.insert((fate.edge, fate.number), fate.decided);
            if before.is_some_and(|before| before != fate.decided) {
                return Err(format!("L12: two fates: {before:?}, {fate:?}"));
            }
            if let Decided::Dispatched { seq } = fate.decided {
                self.fated.insert(seq.0);
            }
        }
        for sent in &flight.messages {
            let (seq, parts) = (sent.parts.seq.0, &sent.parts);
            if !self.fated.contains(&seq) {
                return Err(format!("L14: #{seq} goes out, and nobody is told"));
            }
            let tag: u64 = parts.payload.parse().unwrap_or_default();
            let is_new = self.sent_as.get(&tag) == Some(&seq);
            if let (Some(key), Sender::User(user), true) = (sent.dedup_key, parts.sender, is_new)
                && !self.keys.insert((user, key.0))
                && self.losses == 0
            {
                return Err(format!("the key {} of {user} is said twice", key.0));
            }
        }
        for sent in &flight.messages {
            self.by.insert(sent.parts.seq.0, (sent.parts.sender, sent.parts.messages));
        }
        let through = flight.continued.heads.values().sum::<u64>();
        for &what in &flight.withdrawn {
            match what {
                Withdrawn::Sent(seq) if seq.0 <= through => drop(self.withdrawn.insert(seq.0)),
                Withdrawn::AllOf(user) => {
                    let of_user = self.by.range(..=through);
                    let of_user = of_user.filter(|(_, by)| **by == (Sender::User(user), 1));
                    self.withdrawn.extend(of_user.map(|(seq, _)| *seq));
                }
                _ => return Err(format!("C1: {what:?} is taken back behind #{through}")),
            }
        }
        if flight.closed {
            // Whoever goes on begins anew.
            self.closes += 1;
            self.keys.clear();
            self.rate.epoch = 0;
        }
        Ok(())
    }

    /// A member gets a message.
    pub(crate) fn a_member_gets(
        &mut self,
        user: UserId,
        message: &Message<Text>,
    ) -> Result<(), String> {
        let tag: u64 = message.payload.parse().map_err(|_| "not a text of ours".to_owned())?;
        let seq = message.seq.0;
        if self.sent_as.get(&tag) != Some(&seq) || !self.fated.contains(&seq) {
            return Err(format!("L14: {user} gets {tag} as {}, which no log has", message.seq));
        }
        Ok(())
    }

    /// In the end: what the log says to be taken back is so at an edge that had it.
    pub(crate) fn check_withdrawn(&self, opened_at: u64, at: &BTreeSet<Seq>) -> Result<(), String> {
        let mut missing =
            self.withdrawn.range(opened_at + 1..).filter(|seq| !at.contains(&Seq(**seq)));
        match missing.next() {
            Some(seq) if self.losses == 0 => {
                Err(format!("C1: an edge has #{seq}, which was taken back"))
            }
            _ => Ok(()),
        }
    }

    /// In the end: what was said at an edge that lives has its fate.
    pub(crate) fn check_fates(&self, lives: impl Fn(u64) -> bool) -> Result<(), String> {
        let open = self.words.keys().find(|&&tag| lives(tag) && !self.told.contains_key(&tag));
        if let Some(tag) = open {
            return Err(format!(
                "L12: message {tag} has no fate: sent as {:?}",
                self.sent_as.get(tag)
            ));
        }
        // Whoever was told that it went out has it in the log, and the other way round.
        for (tag, seq) in &self.sent_as {
            let told = self.told.get(tag);
            let is_told = matches!(told, Some(Told::Decided(Decided::Dispatched { .. })));
            let may_be_lost = matches!(told, Some(Told::Lost)) && self.losses > 0;
            if lives(*tag) && !is_told && !may_be_lost {
                return Err(format!("L14: {tag} went out as #{seq}, and was told to be {told:?}"));
            }
        }
        Ok(())
    }

    /// How many forwards of an edge the logs say the fates of.
    pub(crate) fn fates_of(&self, edge: u64) -> usize {
        self.fates.range((edge, 0)..=(edge, u64::MAX)).count()
    }

    /// Messages by what the logs say of them.
    pub(crate) fn decided(&self) -> [u64; 4] {
        let mut counts = [0; 4];
        for decided in self.fates.values() {
            match decided {
                Decided::Dispatched { .. } => counts[0] += 1,
                Decided::Dropped { .. } => counts[1] += 1,
                Decided::Refused { .. } => counts[2] += 1,
                Decided::Merged { .. } => counts[3] += 1,
                _ => {}
            }
        }
        counts
    }

    pub(crate) fn heads(&self) -> PerLevel<u64> {
        self.heads
    }

    /// How many messages of these were told by the room, and that nobody knows.
    pub(crate) fn told(&self, mine: impl Fn(u64) -> bool) -> (u64, u64) {
        let told = self.told.iter().filter(|(tag, _)| mine(**tag));
        let by_room = told.clone().filter(|(_, told)| matches!(told, Told::Decided(_))).count();
        let lost = told.filter(|(_, told)| **told == Told::Lost).count();
        (by_room as u64, lost as u64)
    }
}
