//! Other rules while the room runs (clause B15): what the table of `RoomState::reconfigure` says.

use super::Oracle;
use super::quotas::Quotas;
use super::tokens::Tokens;
use super::turns::Turns;
use super::victims::Squeeze;
use crate::checked::Crossed;
use crate::rules::Rules;
use crate::violation::{Check, Law, same};
use roomcast_core::error::ReconfigureError;
use roomcast_core::ledger::DropReason;
use roomcast_core::{Instant, PerLevel, Priority};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;

const SECOND: u64 = 1_000_000_000;

/// What was seen of each bounded thing since the rules changed last: what is over its bound may
/// become less and not more.
#[derive(Clone, Debug, Default)]
pub(super) struct Eased {
    /// Nothing is over its bound that never had another.
    has_changed: bool,
    seen: RefCell<BTreeMap<String, u64>>,
}

impl Oracle {
    /// The rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The first setting that stays as it is for a room's life and that these rules change.
    fn fixed(&self, new: &Rules) -> Option<&'static str> {
        let old = &self.rules;
        let settings = [
            (old.owner != new.owner, "owner"),
            (old.seed != new.seed, "seed"),
            (old.echo != new.echo, "echo"),
            (old.levels != new.levels, "levels"),
            (old.heartbeat != new.heartbeat, "heartbeat"),
            (old.audit != new.audit, "audit"),
        ];
        settings.into_iter().find(|(changes, _)| *changes).map(|(_, setting)| setting)
    }

    /// `RoomState::reconfigure` answered this, and this went out.
    pub fn reconfigured(
        &mut self,
        now: Instant,
        rules: Rules,
        answer: Result<(), ReconfigureError>,
        crossed: &[Crossed],
    ) -> Check {
        let now = self.advance(now);
        let expected = match self.fixed(&rules) {
            _ if !self.is_open() => Err(ReconfigureError::RoomClosed),
            Some(setting) => Err(ReconfigureError::Fixed { setting }),
            None => Ok(()),
        };
        same(Law::Members, "whether a room takes other rules", expected, answer)?;
        let mut sent = crossed.iter();
        if expected.is_ok() {
            self.fall_due(now, &mut sent)?;
            self.dispatch(now, &mut sent, None)?;
        }
        self.no_more(now, sent)?;
        if expected.is_ok() {
            self.take_over(now, rules);
            self.shed()?;
        }
        self.check_held()
    }

    fn take_over(&mut self, now: Instant, new: Rules) {
        let old = std::mem::replace(&mut self.rules, new);
        let (new, nanos) = (&self.rules, now.as_nanos());
        self.eased = Eased { has_changed: true, ..Eased::default() };
        self.turns = Turns::become_of(&self.turns, nanos, &old, new);
        let tokens = |tokens: &Tokens, old: u32, new: u32| {
            if old == new { tokens.clone() } else { tokens.become_of(nanos, new, SECOND, new) }
        };
        self.notices = tokens(&self.notices, old.notices, new.notices);
        self.writes =
            tokens(&self.writes, old.data.attribute_writes.get(), new.data.attribute_writes.get());
        let quotas = PerLevel::from_fn(|level| {
            let mut quotas = match (self.quotas[level].take(), new.sender_quota[level]) {
                (Some(quotas), Some(quota)) if quotas.quota() == quota => quotas,
                (Some(quotas), Some(quota)) => quotas.become_of(nanos, quota),
                (_, quota) => Quotas::new(quota?, new.senders),
            };
            quotas.set_places(new.senders);
            Some(quotas)
        });
        self.quotas = quotas;
        self.line.reconfigure(new.queue);
        self.line.kept = new.kept_places();
        for level in Priority::ALL {
            self.listeners.trim(new, level, now);
        }
        let dispatched = self.listeners.order.len();
        let kept = dispatched.saturating_sub(old.replay_on_join as usize);
        self.listeners.reserved_above = self.listeners.reserved_above.max(kept);
        self.listeners.age(new, now);
        let kept =
            self.arrivals.len().saturating_sub(old.recent_users.min(new.recent_users) as usize);
        self.arrivals.drain(..kept);
        if old.idle_timeout.is_none()
            && new.idle_timeout.is_some()
            && self.listeners.here.is_empty()
        {
            self.vacancy.begin(now);
        }
        let tips = self.rules.tips;
        self.change_tips(&old.tips, &tips);
        self.forget_said(old.duplicates.window);
    }

    /// The queue is over a budget that has become smaller: whoever gives way is seen by whose
    /// payload is gone.
    fn shed(&mut self) -> Check {
        let victims = self.lost()?;
        let allowed = Squeeze::of_old(&self.line).may_shed(&victims);
        same(
            Law::L7Bounded,
            format_args!("whether {victims:?} may give way to a smaller queue"),
            true,
            allowed,
        )?;
        let limit = self.line.exceeded();
        self.inbox.decide();
        for id in victims {
            if let Some(entry) = self.line.remove(id) {
                self.drop_entry(&entry, DropReason::Evicted, limit);
            }
        }
        Ok(())
    }

    /// As `within`, for what stays where it is when its bound shrinks.
    pub(super) fn eased(
        &self,
        what: impl Display,
        most: impl Into<u64>,
        found: impl Into<u64>,
    ) -> Check {
        let (most, found) = (most.into(), found.into());
        let seen = self.eased.has_changed.then(|| {
            self.eased.seen.borrow_mut().insert(what.to_string(), found).unwrap_or(u64::MAX)
        });
        Self::within(what, most.max(seen.unwrap_or(0)), found)
    }
}
