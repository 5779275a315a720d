//! A room without sessions closes by itself (clause B20).

use super::Room;
use crate::admission::{Actor, State};
use crate::message::Payload;
use crate::time::{Duration, Instant};

/// Since when nobody is in a room that may not stay so for long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vacancy {
    after: Duration,
    /// When the last session went. A fresh room knows no time: it counts from the first call of `handle_timeout`, and asks for it.
    since: Option<Instant>,
}

impl Vacancy {
    pub(super) const fn new(after: Duration) -> Self {
        Self::since(after, None)
    }

    /// As [`new`](Self::new), where nobody has been in since.
    pub(super) const fn since(after: Duration, since: Option<Instant>) -> Self {
        Self { after, since }
    }

    /// The same room, that may stay so for another time.
    pub(super) const fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }
}

impl<M: Payload> Room<M> {
    /// Sessions may have gone in this call, before which there were so many.
    #[inline]
    pub(super) fn note_gone(&mut self, now: Instant, before: u32) {
        if let Some(vacancy) = &mut self.vacancy
            && before > 0
            && self.audience.sessions() == 0
        {
            vacancy.since = Some(now);
        }
    }

    /// Closes the room if nobody has been in for so long.
    pub(super) fn expire_empty(&mut self, now: Instant) {
        if !self.may_expire() {
            return;
        }
        let Some(vacancy) = &mut self.vacancy else { return };
        let since = *vacancy.since.get_or_insert(now);
        if now >= since + vacancy.after {
            // The host may do that, and the room is open.
            let _ = self.close(now, Actor::Host);
        }
    }

    /// When the room closes by itself, if nobody comes.
    pub(super) fn expires_at(&self) -> Option<Instant> {
        let vacancy = self.vacancy.filter(|_| self.may_expire())?;
        Some(vacancy.since.map_or(self.clock.peek(Instant::ZERO), |since| since + vacancy.after))
    }

    fn may_expire(&self) -> bool {
        self.vacancy.is_some() && self.audience.sessions() == 0 && self.admission.state() == State::Open
    }
}
