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
            if let Some(payload) = self.word(kind, &fold) {
                let profile = self.profile_of_tip(kind, &fold);
                self.speak(now, self.settings.levels.level(level), Kind::Tip, profile, payload);
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

    /// A tip of one user's travels with that user's profile (clause A18).
    fn profile_of_tip(&self, kind: TipKind, fold: &Fold) -> Option<Arc<M>> {
        match (kind, fold.count, &fold.first[..]) {
            (TipKind::AttributesChanged | TipKind::Counters, ..) => None,
            (_, 1, &[user]) => self.roster.profile(user).map(Arc::clone),
            _ => None,
        }
    }
}
