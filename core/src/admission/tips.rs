//! What happened in the room goes out to the room (clause A26).

use super::{Admission, State};
use crate::message::{Kind, Payload};
use crate::time::Instant;
use crate::tips::{Fold, Tip, TipKind};
use alloc::sync::Arc;
use smallvec::SmallVec;

impl<M: Payload> Admission<M> {
    /// Tells what is due to be told: of each kind one message, beside the room's rate. A room that takes nothing any more tells nothing.
    pub(super) fn tell(&mut self, now: Instant) {
        if self.state != State::Open {
            return;
        }
        while let Some((kind, level, fold)) = self.tips.take(now) {
            let (payload, profile) = (self.word(kind, &fold), self.profile_of_tip(kind, &fold));
            match payload {
                Some(payload) => self.speak(now, self.settings.levels.level(level), Kind::Tip, profile, payload),
                None => self.debris.add_profile(profile),
            }
        }
    }

    /// When the next tip is due.
    pub(super) fn next_tip(&self) -> Option<Instant> {
        self.tips.next().filter(|_| self.state == State::Open)
    }

    fn word(&mut self, kind: TipKind, fold: &Fold) -> Option<M> {
        match kind {
            TipKind::AttributesChanged => M::tip(&Tip::Attributes { count: fold.count, version: self.attributes.version() }),
            TipKind::Counters => {
                let changed: SmallVec<[(&str, i64); 8]> = self.counters.changed().collect();
                let payload = if changed.is_empty() { None } else { M::tip(&Tip::Counters { changed: &changed }) };
                drop(changed);
                self.counters.told();
                payload
            }
            _ => M::tip(&Tip::Users { kind, count: fold.count, first: &fold.first }),
        }
    }

    /// A tip of one user's travels with that user's profile (clause A18): the one that the user has now, or had when going.
    fn profile_of_tip(&mut self, kind: TipKind, fold: &Fold) -> Option<Arc<M>> {
        let kept = self.take_kept(kind);
        let profile = match (kind, fold.count, &fold.first[..]) {
            (TipKind::AttributesChanged | TipKind::Counters, ..) => None,
            (_, 1, &[user]) => self.roster.profile(user).or(kept.as_ref()).map(Arc::clone),
            _ => None,
        };
        self.debris.add_profile(kept);
        profile
    }

    /// The profile of a user who goes is kept for the tip that tells it, if that is to tell of nobody else so far.
    pub(super) fn keep_for_tip(&mut self, kind: TipKind, profile: Option<Arc<M>>) {
        if self.tips.count(kind) == 1 {
            // What is there was kept for a tip that was never given.
            let before = self.take_kept(kind);
            self.debris.add_profile(before);
            self.kept_profiles.extend(profile.map(|profile| (kind, profile)));
        } else {
            self.debris.add_profile(profile);
        }
    }

    fn take_kept(&mut self, kind: TipKind) -> Option<Arc<M>> {
        let place = self.kept_profiles.iter().position(|&(of, _)| of == kind)?;
        Some(self.kept_profiles.swap_remove(place).1)
    }
}
