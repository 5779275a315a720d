//! Everyone who is in: the sessions, what some of them have aside, and the books over all.
//!
//! What happens to a session is done here, in one place, because it concerns all three: a cursor
//! that moves moves a sum, and a session with cold state is marked as such.

mod accounting;
mod departure;
mod directs;
mod masks;
mod reading;
mod resuming;

use super::accounts::Accounts;
use super::cold_state::{ColdState, ColdStates, Ending};
use super::inbox::InboxLimits;
use super::life_counters::LifeCounters;
use super::lineage::Lineage;
use super::session::Sessions;
use crate::config::{Echo, Settings};
use crate::gap::Skips;
use crate::ids::{Group, SessionKey, SessionKind};
use crate::log::Log;
use crate::message::Payload;
use crate::priority::{PerLevel, Priority};
use crate::shard_index::ShardIndex;
use alloc::collections::BTreeMap;

/// The sessions of an audience. The log is not among its parts: each method is shown it.
#[derive(Debug)]
pub(super) struct Crowd<M> {
    sessions: Sessions,
    cold_states: ColdStates<M>,
    life_counters: LifeCounters,
    accounts: Accounts,
    lineage: Lineage,
    /// Up to where the clients of sessions have acknowledged what they got, by slot, of those that
    /// have.
    acks: BTreeMap<u32, PerLevel<u64>>,
    /// Whether a session gets what it sent itself.
    echo: Echo,
    /// The next slot that the hand looks at.
    hand: u32,
}

impl<M: Payload> Crowd<M> {
    /// That of a part of a room that nobody is in yet.
    pub(super) fn new(settings: &Settings, part: ShardIndex) -> Self {
        Self {
            sessions: Sessions::new(part, settings.sessions),
            cold_states: ColdStates::new(inbox_limits(settings)),
            life_counters: LifeCounters::new(),
            accounts: Accounts::default(),
            lineage: Lineage::default(),
            acks: BTreeMap::new(),
            echo: settings.echo,
            hand: 0,
        }
    }

    /// From now on other bounds.
    pub(super) fn reconfigure(&mut self, settings: &Settings) {
        self.sessions.set_max(settings.sessions);
        self.cold_states.set_inbox_limits(inbox_limits(settings));
    }

    /// Returns whether a session gets what it sent itself.
    pub(super) fn echo(&self) -> Echo {
        self.echo
    }

    /// Returns the sessions, to look at.
    #[inline]
    pub(super) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Returns what sessions have aside, to look at.
    #[inline]
    pub(super) fn cold_states(&self) -> &ColdStates<M> {
        &self.cold_states
    }

    /// A session comes that reads from these positions on.
    #[inline]
    pub(super) fn enter(
        &mut self,
        kind: SessionKind,
        group: Group,
        starts: &PerLevel<u64>,
    ) -> SessionKey {
        self.accounts.come(starts);
        self.sessions.insert(kind, group, starts.0.map(|start| start as u32))
    }

    /// A session that has just come has yet to read what was there before: it gets that however old,
    /// and is told that it is history.
    pub(super) fn begin_with_history(&mut self, log: &Log<M>, session: SessionKey) {
        let Some(slot) = self.sessions.slot_of(session) else { return };
        let below = PerLevel::from_fn(|level| {
            let head = log.head(level);
            if self.sessions.cursor(slot, level, head) < head { head } else { 0 }
        });
        if below.values().any(|&below| below > 0) {
            self.cold_mut(slot).begin_with_history(below);
        }
    }

    /// Returns the slot of a session that is in and does not end.
    pub(super) fn live_slot(&self, session: SessionKey) -> Option<u32> {
        self.sessions.slot_of(session).filter(|&slot| self.ending(slot).is_none())
    }

    /// Returns up to where a session reads, and why, if it ends.
    pub(super) fn ending(&self, slot: u32) -> Option<Ending> {
        self.cold(slot)?.ending()
    }

    /// Returns the former sessions that one went on from, the oldest first.
    pub(super) fn formers(&self, slot: u32) -> &[SessionKey] {
        self.lineage.formers(slot)
    }

    /// A message is not meant for the session that sent it, nor for those that went on from it.
    #[inline]
    pub(super) fn exclude_sender(
        &mut self,
        log: &Log<M>,
        level: Priority,
        position: u64,
        sender: Option<SessionKey>,
    ) {
        let Some(sender) = sender.filter(|_| self.echo == Echo::Off) else { return };
        if let Some(slot) = self.sessions.slot_of(sender) {
            self.exclude_own(log, slot, level, position);
        }
        if !self.lineage.is_empty() {
            self.exclude_heirs(log, level, position, sender);
        }
    }

    #[cold]
    fn exclude_heirs(&mut self, log: &Log<M>, level: Priority, position: u64, sender: SessionKey) {
        let mut heir = self.lineage.next_heir(sender, None);
        while let Some(slot) = heir {
            self.exclude_own(log, slot, level, position);
            heir = self.lineage.next_heir(sender, Some(slot));
        }
    }

    /// A message is a session's own. Where nothing that it is due, or is to be told, stands before,
    /// it passes it at once.
    fn exclude_own(&mut self, log: &Log<M>, slot: u32, level: Priority, position: u64) {
        let is_next = self.sessions.cursors(slot)[level.index()] == position as u32;
        match self.existing_cold_mut(slot) {
            // What is masked is excluded anyhow.
            Some(cold) if cold.ending().is_some() || cold.mask().contains(level) => return,
            None if is_next => self.pass_own(slot, level, position),
            Some(cold) if is_next && cold.level(level).untold() == Skips::NONE => {
                self.pass_own(slot, level, position);
            }
            _ => {
                let (tail, overrun) = (log.tail(level), log.overrun(level));
                self.cold_mut(slot).level_mut(level).add_own(position, tail, overrun);
                self.accounts.exclude_own(level);
            }
        }
        self.life_counters.exclude(slot, level, 1);
    }

    #[inline]
    fn pass_own(&mut self, slot: u32, level: Priority, position: u64) {
        self.sessions.set_cursor(slot, level, position + 1);
        self.accounts.pass_own(level);
    }

    fn cold(&self, slot: u32) -> Option<&ColdState<M>> {
        if self.sessions.is_cold(slot) { self.cold_states.get(slot) } else { None }
    }

    fn cold_mut(&mut self, slot: u32) -> &mut ColdState<M> {
        self.sessions.mark_aside(slot);
        self.cold_states.get_or_insert(slot)
    }

    fn existing_cold_mut(&mut self, slot: u32) -> Option<&mut ColdState<M>> {
        if self.sessions.is_cold(slot) { self.cold_states.get_mut(slot) } else { None }
    }

    /// Whoever needs no cold state any more is read on the fast path again. Returns which path that
    /// is from here on.
    #[inline]
    fn drop_blank_aside(&mut self, slot: u32) -> Path {
        if self.sessions.is_cold(slot) { self.drop_blank_cold(slot) } else { Path::Fast }
    }

    fn drop_blank_cold(&mut self, slot: u32) -> Path {
        if !self.cold_states.get(slot).is_none_or(ColdState::is_blank) {
            return Path::Slow;
        }
        self.cold_states.remove(slot);
        self.sessions.unmark_aside(slot);
        Path::Fast
    }
}

/// How a session is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// By its cursors alone, with all that stand where it stands.
    Fast,
    /// By itself, because it has cold state.
    Slow,
}

fn inbox_limits(settings: &Settings) -> InboxLimits {
    InboxLimits { messages: settings.direct_messages, bytes: settings.direct_bytes }
}
