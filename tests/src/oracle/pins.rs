//! Pinned messages (clause C4), as a list.

use super::Oracle;
use super::directs::Waits;
use super::listeners::Listener;
use crate::violation::{Check, Law, same};
use roomcast_core::error::ModerationError;
use roomcast_core::pins::{PinId, PinReason};
use roomcast_core::rights::Action;
use roomcast_core::system_messages::SystemMessageKind;
use roomcast_core::{Actor, Instant, Priority};

/// What is pinned: number, payload, size, and since when.
#[derive(Clone, Debug, Default)]
pub struct Pins(Vec<(PinId, u64, usize, Instant)>);

impl Pins {
    /// The numbers, in order.
    pub(super) fn ids(&self) -> Vec<PinId> {
        self.0.iter().map(|&(id, ..)| id).collect()
    }

    /// The bytes of all.
    pub(super) fn bytes(&self) -> u64 {
        self.0.iter().map(|&(_, _, size, _)| size as u64).sum()
    }
}

impl Oracle {
    /// `RoomState::pin` answered this, for a payload of this number and size.
    pub fn pinned(
        &mut self,
        now: Instant,
        actor: Actor,
        id: PinId,
        (payload, size): (u64, usize),
        answer: Result<(), PinReason>,
    ) -> Check {
        let place = self.pins.0.iter().position(|&(other, ..)| other == id);
        let max = self.rules.payload_bytes;
        let expected = match self.keeps_from_pinning(now, actor) {
            Some(error) => Err(PinReason::Moderation(error)),
            None if size > max as usize => Err(PinReason::TooLarge { size, max }),
            None if self.pins.0.len() == 3 && place.is_none() => Err(PinReason::Full { max: 3 }),
            None => match self.kept_out() {
                Some(limit) => Err(PinReason::MemoryFull { limit }),
                None => Ok(()),
            },
        };
        same(Law::Members, "pinning", expected, answer)?;
        if answer.is_ok() {
            let at = self.advance(now);
            match place {
                Some(place) => self.pins.0[place] = (id, payload, size, at),
                None => self.pins.0.push((id, payload, size, at)),
            }
            self.happens(SystemMessageKind::Pinned, None);
        }
        Ok(())
    }

    /// `RoomState::unpin` answered this.
    pub fn unpinned(
        &mut self,
        now: Instant,
        actor: Actor,
        id: PinId,
        answer: Result<bool, ModerationError>,
    ) -> Check {
        let was_pinned = self.pins.ids().contains(&id);
        let expected = self.keeps_from_pinning(now, actor).map_or(Ok(was_pinned), Err);
        same(Law::Members, "unpinning", expected, answer)?;
        if answer.is_ok() {
            self.advance(now);
        }
        if answer == Ok(true) {
            self.pins.0.retain(|&(other, ..)| other != id);
            self.happens(SystemMessageKind::Pinned, None);
        }
        Ok(())
    }

    fn keeps_from_pinning(&self, now: Instant, actor: Actor) -> Option<ModerationError> {
        if !self.is_open() {
            return Some(ModerationError::RoomClosed);
        }
        let mut then = self.clone();
        then.advance(now);
        then.rule(actor, Action::Pin, None).map(ModerationError::from)
    }

    /// Whoever joins gets what is pinned before all else.
    pub(super) fn welcome(&mut self, listener: &mut Listener) {
        let level = Priority::High;
        for &(_, id, size, at) in &self.pins.0 {
            self.listeners.directs[level].sent += 1;
            let bytes = size as u64;
            listener.directs[level].push_back(Waits { id, at, bytes, follows: 0, has_place: true });
        }
    }
}
