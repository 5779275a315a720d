//! What happened in the room goes out to the room.

use super::{Admission, RoomStatus};
use crate::message::{Kind, Payload};
use crate::system_messages::{Fold, SystemMessage, SystemMessageKind};
use crate::time::Instant;
use alloc::sync::Arc;
use smallvec::SmallVec;

impl<M: Payload> Admission<M> {
    /// Tells what is due to be told: of each kind one message, beside the room's rate. A room that
    /// takes nothing any more tells nothing.
    pub(super) fn flush_system_messages(&mut self, now: Instant) {
        if self.state != RoomStatus::Open {
            return;
        }
        while let Some((kind, level, fold)) = self.system_messages.take(now) {
            let (payload, profile) =
                (self.system_payload(kind, &fold), self.profile_of_system_message(kind, &fold));
            match payload {
                Some(payload) => self.emit(
                    now,
                    self.settings.levels.level(level),
                    Kind::System,
                    profile,
                    payload,
                ),
                None => self.deferred.add_profile(profile),
            }
        }
    }

    /// When the next tip is due.
    pub(super) fn next_system_message(&self) -> Option<Instant> {
        self.system_messages.next().filter(|_| self.state == RoomStatus::Open)
    }

    fn system_payload(&mut self, kind: SystemMessageKind, fold: &Fold) -> Option<M> {
        match kind {
            SystemMessageKind::AttributesChanged => M::system_message(&SystemMessage::Attributes {
                count: fold.count,
                version: self.attributes.version(),
            }),
            SystemMessageKind::Counters => {
                let changed: SmallVec<[(&str, i64); 8]> = self.counters.changed().collect();
                let payload = if changed.is_empty() {
                    None
                } else {
                    M::system_message(&SystemMessage::Counters { changed: &changed })
                };
                drop(changed);
                self.counters.told();
                payload
            }
            _ => M::system_message(&SystemMessage::Users {
                kind,
                count: fold.count,
                first: &fold.first,
            }),
        }
    }

    /// A tip of one user's travels with that user's profile: the one that the user has now, or had
    /// when going.
    fn profile_of_system_message(
        &mut self,
        kind: SystemMessageKind,
        fold: &Fold,
    ) -> Option<Arc<M>> {
        let kept = self.take_kept(kind);
        let profile = match (kind, fold.count, &fold.first[..]) {
            (SystemMessageKind::AttributesChanged | SystemMessageKind::Counters, ..) => None,
            (_, 1, &[user]) => self.roster.profile(user).or(kept.as_ref()).map(Arc::clone),
            _ => None,
        };
        self.deferred.add_profile(kept);
        profile
    }

    /// The profile of a user who goes is kept for the tip that tells it, if that is to tell of
    /// nobody else so far.
    pub(super) fn keep_for_system_message(
        &mut self,
        kind: SystemMessageKind,
        profile: Option<Arc<M>>,
    ) {
        if self.system_messages.count(kind) == 1 {
            // What is there was kept for a tip that was never given.
            let before = self.take_kept(kind);
            self.deferred.add_profile(before);
            self.kept_profiles.extend(profile.map(|profile| (kind, profile)));
        } else {
            self.deferred.add_profile(profile);
        }
    }

    fn take_kept(&mut self, kind: SystemMessageKind) -> Option<Arc<M>> {
        let place = self.kept_profiles.iter().position(|&(of, _)| of == kind)?;
        Some(self.kept_profiles.swap_remove(place).1)
    }
}
