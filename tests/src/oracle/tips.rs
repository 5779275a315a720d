//! What happened and has yet to be told, by kind: a list of what happened, and when the kind was
//! told last.

use super::Oracle;
use super::at_once::AtOnce;
use super::going::Sent;
use crate::payload::Probe;
use crate::violation::{Check, Law, same};
use roomcast_core::ids::Seq;
use roomcast_core::system_messages::{SystemMessage, SystemMessageKind, SystemMessages};
use roomcast_core::{Instant, Kind, Payload, UserId};
use std::collections::BTreeMap;

/// What has happened, by kind.
#[derive(Clone, Debug, Default)]
pub struct Happened {
    waiting: BTreeMap<SystemMessageKind, Vec<(Instant, Option<UserId>)>>,
    /// What users had when they went, by what is to tell it.
    profiles: BTreeMap<(SystemMessageKind, UserId), (u64, usize)>,
    told: BTreeMap<SystemMessageKind, Instant>,
    /// Counters that changed since they were told.
    pub(super) counters: Vec<String>,
    /// Numbers of messages that were taken back.
    pub(super) retracted: Vec<Seq>,
}

impl Oracle {
    /// Something happened.
    pub(super) fn happens(&mut self, kind: SystemMessageKind, user: Option<UserId>) {
        if self.rules.tips.level(kind).is_some() {
            self.happened.waiting.entry(kind).or_default().push((self.clock, user));
        }
    }

    /// A user goes, who had this profile.
    pub(super) fn goes_with(
        &mut self,
        kind: SystemMessageKind,
        user: UserId,
        profile: Option<(u64, usize)>,
    ) {
        self.happens(kind, Some(user));
        match profile {
            Some(profile) => self.happened.profiles.insert((kind, user), profile),
            None => self.happened.profiles.remove(&(kind, user)),
        };
    }

    /// A counter changed.
    pub(super) fn counter_changes(&mut self, key: &str) {
        if !self.happened.counters.iter().any(|other| other == key) {
            self.happened.counters.push(key.to_owned());
        }
        self.happens(SystemMessageKind::Counters, None);
    }

    /// From now on other tips. Who is to be named is settled so far: those who have been left out
    /// by now stay so, and all who come after them.
    pub(super) fn change_tips(&mut self, old: &SystemMessages, new: &SystemMessages) {
        self.happened.waiting.retain(|&kind, _| new.level(kind).is_some());
        if new.level(SystemMessageKind::Retracted).is_none() {
            self.happened.retracted.clear();
        }
        self.happened.profiles.retain(|&(kind, _), _| new.level(kind).is_some());
        for all in self.happened.waiting.values_mut() {
            let named = old.names.min(new.names) as usize;
            all.iter_mut().skip(named).for_each(|(_, user)| *user = None);
        }
    }

    fn tip_due(&self, kind: SystemMessageKind) -> Option<Instant> {
        let (since, _) = self.happened.waiting.get(&kind)?.first()?;
        let window = if kind == SystemMessageKind::Counters {
            self.rules.tips.counters_every
        } else {
            self.rules.tips.window
        };
        let told = self.happened.told.get(&kind).map(|&told| told + window);
        Some(told.map_or(*since, |told| told.max(*since)))
    }

    /// When the first is due, while the room is open.
    pub(super) fn next_system_message(&self) -> Option<Instant> {
        SystemMessageKind::ALL
            .into_iter()
            .filter_map(|kind| self.tip_due(kind))
            .min()
            .filter(|_| self.is_open())
    }

    /// What is due is told, kind by kind, beside the room's rate.
    pub(super) fn tell(&mut self, now: Instant, sent: &mut Sent<'_>) -> Check {
        for kind in SystemMessageKind::ALL {
            if self.tip_due(kind).is_some_and(|due| due <= now) {
                self.tell_one(now, kind, sent)?;
            }
        }
        Ok(())
    }

    fn tell_one(&mut self, now: Instant, kind: SystemMessageKind, sent: &mut Sent<'_>) -> Check {
        let Some(all) = self.happened.waiting.remove(&kind) else { return Ok(()) };
        self.happened.told.insert(kind, now);
        let count = all.len() as u64;
        let first: Vec<UserId> =
            all.iter().map_while(|(_, user)| *user).take(self.rules.tips.names as usize).collect();
        let mut keys = if kind == SystemMessageKind::Counters {
            std::mem::take(&mut self.happened.counters)
        } else {
            Vec::new()
        };
        keys.sort_unstable();
        let changed: Vec<(&str, i64)> =
            keys.iter().filter_map(|key| Some((key.as_str(), self.data.counter(key)?))).collect();
        let (mut seqs, pinned) = (Vec::new(), self.pins.ids());
        if kind == SystemMessageKind::Retracted {
            seqs = std::mem::take(&mut self.happened.retracted);
            // What is more is told a window later.
            self.happened.retracted = seqs.split_off(seqs.len().min(256));
            if !self.happened.retracted.is_empty() {
                self.happens(kind, None);
            }
        }
        let tip = match kind {
            SystemMessageKind::Retracted => SystemMessage::Retracted { seqs: &seqs },
            SystemMessageKind::Pinned => SystemMessage::Pinned { count, pinned: &pinned },
            SystemMessageKind::AttributesChanged => {
                SystemMessage::Attributes { count, version: self.data.version() }
            }
            SystemMessageKind::Counters if changed.is_empty() => return Ok(()),
            SystemMessageKind::Counters => SystemMessage::Counters { changed: &changed },
            SystemMessageKind::SpeakModeSet => {
                SystemMessage::SpeakMode { count, mode: self.speaking.mode }
            }
            _ => SystemMessage::Users { kind, count, first: &first },
        };
        // The payload that anybody would make of it.
        let Some(payload) = Probe::system_message(&tip) else { return Ok(()) };
        let Some(level) = self.rules.tips.level(kind).map(|level| self.counts_as(level)) else {
            return Ok(());
        };
        if !self.host_offers(level, Kind::System, payload.size()) {
            return Ok(());
        }
        let told =
            AtOnce { payload: payload.id(), level, kind: Kind::System, units: 1, admitted_at: now };
        let (message, _) = self.goes_at_once(now, &format!("the tip {tip:?}"), told, sent)?;
        let is_of_one = count == 1 && matches!(tip, SystemMessage::Users { .. });
        let had = |user: &UserId| self.happened.profiles.get(&(kind, *user));
        let profile = first
            .first()
            .filter(|_| is_of_one)
            .and_then(|user| self.members.profiles.get(user).or_else(|| had(user)))
            .copied();
        self.happened.profiles.retain(|&(of, _), _| of != kind);
        let found = message.profile.as_ref().map(|profile| profile.id());
        same(Law::Members, "the profile of a tip", profile.map(|(id, _)| id), found)?;
        let bytes = payload.size() as u64 + profile.map_or(0, |(_, size)| size as u64);
        self.listeners.dispatched(&self.rules, message, bytes);
        Ok(())
    }
}
