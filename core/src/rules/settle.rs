//! Settling what the audiences find out with the admission: who is silent, who shows life, who has
//! gone. [Clause A7](crate::rulebook#a7-heartbeats).

use super::{Audiences, Halves};
use crate::admission::Actor;
use crate::audience::Audience;
use crate::ids::SessionId;
use crate::message::Payload;
use crate::time::Instant;

impl<M: Payload, A: Audiences<M>> Halves<'_, M, A> {
    /// A session shows life. Returns whether it is in and nothing has closed it. One that is not in
    /// moves no clock. O(1).
    pub fn touch(&mut self, now: Instant, session: SessionId) -> bool {
        if !self.audiences.of(session).is_some_and(|audience| audience.is_in(session)) {
            return false;
        }
        let now = self.advance(now);
        let is_live =
            self.audiences.of(session).is_some_and(|audience| audience.touch(now, session));
        self.settle(now, usize::MAX);
        is_live
    }

    /// Tells the admission what the held audiences have found out, at most so many things. Returns
    /// whether there may be more.
    pub fn settle(&mut self, now: Instant, most: usize) -> bool {
        let has_news =
            |audience: &mut Audience<M>| audience.has_liveness() || audience.gone().len() > 0;
        if !self.audiences.held().any(has_news) {
            return most == 0;
        }
        let (now, mut left) = (self.advance(now), most);
        for audience in self.audiences.held() {
            while left > 0 {
                let Some((session, liveness)) = audience.poll_liveness() else { break };
                self.admission.note_liveness(now, session, liveness);
                left -= 1;
            }
            while left > 0 {
                let Some(session) = audience.poll_gone() else { break };
                self.admission.gone(now, session);
                left -= 1;
            }
        }
        left == 0
    }

    /// Does what is due at `now`. All audiences of the room have to be held. One call does a
    /// bounded amount of work.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.advance(now);
        self.admission.handle_timeout(now);
        self.audiences.catch_up(self.admission);
        self.audiences.held().for_each(|audience| audience.handle_timeout(now));
        self.settle(now, usize::MAX);
        self.close_vacant(now);
    }

    /// Closes the room if nobody has been in for as long as it may be empty. All audiences of the
    /// room have to be held. Returns whether it closed.
    pub fn close_vacant(&mut self, now: Instant) -> bool {
        let now = self.advance(now);
        // The host may close it, and it is open.
        self.admission.is_vacant(now) && self.close(now, Actor::Host).is_ok()
    }
}
