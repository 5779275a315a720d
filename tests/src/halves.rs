//! The two halves of a room under the calls of a whole one: what a host does that gives each half a lock of its own.
//!
//! Beside a real room it shows two things. The same calls give the same answers (law L9). And each dispatched message is seen at the
//! seam, so that the oracle knows what went out even when nobody is told and no log holds it for long.

use crate::moderation::Act;
use crate::oracle::data::Count;
use crate::parts::{Crossed, Parts};
use crate::payload::Probe;
use crate::rules::Rules;
use roomcast_core::{
    Actor, Admission, Batch, Broadcasts, Budget, Carried, CloseError, ConfigError, DataError, Direct, DirectReason, DirectReceipt,
    DirectRefused, Due, Duration, EndReason, Event, Group, ImportError, Instant, Join, JoinError, Joined, LeaveError, Mask,
    ModerationError, ProfileError, Publish, Receipt, Recipient, ReconfigureError, Refused, ResumeToken, ReviewVerdict, Room,
    RoomConfig, RoomSnapshot, SessionEnd, SessionId, Source, State, Ticket, UserId, Verdict, VerdictError,
};
use std::ops::Range;
use std::sync::Arc;

/// An admission and an audience in one part or in several, and what went over the seam in the last call. Sessions are named as the
/// whole room names them.
#[derive(Debug)]
pub struct Halves {
    /// The half that messages enter by.
    pub admission: Admission<Probe>,
    /// The half that members take them from.
    pub audience: Parts,
    /// What the last call dispatched.
    pub crossed: Vec<Crossed>,
    clock: Instant,
    /// How long nobody may be in, sessions after the last call, and since when there are none.
    expire_empty: Option<Duration>,
    sessions: u32,
    empty_since: Option<Instant>,
    end_told: bool,
}

impl Halves {
    /// Takes a fresh room under these rules apart; the audience into as many parts as they say.
    pub fn new(rules: &Rules) -> Result<Self, ConfigError> {
        let config = rules.config()?;
        let (admission, audience) = Room::starting_at(&config, rules.heads).into_halves();
        let audience = Parts::new(audience, config, rules.heads, rules.parts);
        let (expire_empty, clock) = (rules.expire_empty, Instant::ZERO);
        Ok(Self { admission, audience, crossed: Vec::new(), clock, expire_empty, sessions: 0, empty_since: None, end_told: false })
    }

    /// Starts a call: time that runs backwards counts as standing still.
    fn call(&mut self, now: Instant) -> Instant {
        self.crossed.clear();
        self.clock = self.clock.max(now);
        self.clock
    }

    /// As `Room::join`, which answered `whole`.
    pub fn join(&mut self, now: Instant, join: Join, whole: &Result<Joined, JoinError>) -> Result<Joined, JoinError> {
        let now = self.call(now);
        let checked = self.admission.check_join(now, join.as_user());
        if let Ok(()) | Err(JoinError::TooManySessions { .. }) = checked {
            self.audience.check_former(join)?;
        }
        checked?;
        let mut joined = self.audience.join(now, join)?;
        if let Some(user) = join.as_user() {
            self.admission.add_session(now, user, joined.session);
        }
        self.audience.part_mut(joined.session).touch(now, joined.session);
        if let Ok(whole) = whole {
            self.audience.name(joined.session, whole.session);
            joined.session = self.audience.whole(joined.session);
        }
        self.note_sessions();
        Ok(joined)
    }

    /// As `Room::leave`, and for the reason that an engine may have.
    pub fn leave(&mut self, now: Instant, user: UserId, reason: EndReason) -> Result<(), LeaveError> {
        let now = self.call(now);
        for session in self.admission.leave(now, user)? {
            self.audience.part_mut(session).end(now, session, reason);
        }
        Ok(())
    }

    /// As `Room::close_session`.
    pub fn close_session(&mut self, now: Instant, session: SessionId) -> bool {
        let now = self.call(now);
        let session = self.audience.here(session);
        self.admission.remove_session(now, session);
        let was_in = self.audience.part_mut(session).leave(session);
        self.note_sessions();
        was_in
    }

    /// As `Room::publish`.
    pub fn publish(&mut self, now: Instant, publish: Publish<Probe>) -> Result<Receipt, Refused<Probe>> {
        let now = self.call(now);
        let mut publish = publish;
        if let Source::Forwarded { session: Some(session), .. } = &mut publish.source {
            *session = self.audience.here(*session);
        }
        if let Source::Session(session) = &mut publish.source {
            *session = self.audience.here(*session);
            self.audience.part_mut(*session).touch(now, *session);
            self.note_liveness(now);
        }
        let answer = self.admission.publish(now, publish);
        self.hand_over();
        self.clear();
        answer
    }

    /// As `Room::hear`.
    pub fn hear(&mut self, now: Instant, broadcasts: &Broadcasts<Probe>) {
        let now = self.call(now);
        self.admission.hear(now, broadcasts);
        self.hand_over();
        self.clear();
    }

    /// As `Room::review`.
    pub fn review(&mut self, now: Instant, ticket: Ticket, verdict: ReviewVerdict<Probe>) -> Result<(), VerdictError<Probe>> {
        let now = self.call(now);
        let answer = self.admission.review(now, ticket, verdict);
        self.hand_over();
        self.clear();
        answer
    }

    /// As `Room::next_batch`.
    pub fn next_batch(&mut self, now: Instant, session: SessionId, budget: Budget) -> Result<Option<Batch<Probe>>, SessionEnd> {
        let now = self.call(now);
        let answer = self.audience.next_batch(session, budget);
        if answer.is_err() {
            self.admission.remove_session(now, self.audience.here(session));
        }
        self.note_sessions();
        answer
    }

    /// As `Room::send_direct`.
    pub fn send_direct(
        &mut self,
        now: Instant,
        to: Recipient,
        direct: Direct<Probe>,
    ) -> Result<DirectReceipt, DirectRefused<Probe>> {
        let now = self.call(now);
        let here = match to {
            Recipient::Session(session) => Recipient::Session(self.audience.here(session)),
            user @ Recipient::User(_) => user,
        };
        let audience = &mut self.audience;
        let answer = self
            .admission
            .send_direct(here, direct, |session, direct| audience.part_mut(session).send_direct(now, session, direct));
        answer.map_err(|mut refused| {
            if let DirectReason::NoRecipient { to: named } = &mut refused.reason {
                // Whom it was for is said in the words of the whole room.
                *named = to;
            }
            refused
        })
    }

    /// As `Room::resume_token`.
    pub fn resume_token(&mut self, now: Instant, session: SessionId) -> Option<ResumeToken> {
        let (now, here) = (self.clock.max(now), self.audience.here(session));
        let token = self.audience.part_mut(here).resume_token(now, here)?;
        Some(ResumeToken { session, ..token })
    }

    /// As `Room::set_mask`.
    pub fn set_mask(&mut self, now: Instant, session: SessionId, mask: Mask) -> bool {
        self.call(now);
        let here = self.audience.here(session);
        self.audience.part_mut(here).set_mask(here, mask)
    }

    /// As `Room::sweep`.
    pub fn sweep(
        &mut self,
        now: Instant,
        group: Group,
        slots: Range<u32>,
        budget: Budget,
        mut sink: impl FnMut(SessionId, Due<'_, Probe>) -> Verdict,
    ) -> u32 {
        let now = self.call(now);
        let admission = &mut self.admission;
        let handed = self.audience.sweep(group, slots, budget, |whole, here, due| {
            if let Due::End(_) = due {
                admission.remove_session(now, here);
            }
            sink(whole, due)
        });
        self.note_sessions();
        handed
    }

    /// As `Room::touch`.
    pub fn touch(&mut self, now: Instant, session: SessionId) -> bool {
        let now = self.call(now);
        let session = self.audience.here(session);
        let is_live = self.audience.part_mut(session).touch(now, session);
        self.note_liveness(now);
        is_live
    }

    /// What the parts found out goes back over the seam; whom they found in one call in the order of the whole room.
    fn note_liveness(&mut self, now: Instant) {
        let mut found: Vec<_> = self.audience.all().flat_map(|part| std::iter::from_fn(|| part.poll_liveness())).collect();
        found.sort_by_key(|&(session, _)| self.audience.whole(session));
        for (session, liveness) in found {
            self.admission.note_liveness(now, session, liveness);
        }
    }

    /// As `Room::handle_timeout`.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.call(now);
        self.admission.handle_timeout(now);
        self.hand_over();
        self.audience.all().for_each(|part| part.handle_timeout(now));
        self.note_liveness(now);
        let gone: Vec<_> = self.audience.all().flat_map(|part| std::iter::from_fn(|| part.poll_gone())).collect();
        for session in gone {
            self.admission.remove_session(now, session);
        }
        self.clear();
        self.note_sessions();
        if let Some(after) = self.may_expire()
            && now >= *self.empty_since.get_or_insert(now) + after
        {
            // What went out in this call still counts.
            let _ = self.shut(now, Actor::Host);
        }
    }

    /// Counts the sessions of all parts, and notes when there are none any more.
    fn note_sessions(&mut self) {
        let before = std::mem::replace(&mut self.sessions, self.audience.all().map(|part| part.sessions()).sum());
        if before > 0 && self.sessions == 0 {
            self.empty_since = Some(self.clock);
        }
    }

    /// How long the room stays that nobody is in.
    fn may_expire(&self) -> Option<Duration> {
        self.expire_empty.filter(|_| self.sessions == 0 && self.admission.state() == State::Open)
    }

    /// As `Room::poll_timeout`.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let expiry = self.may_expire().map(|after| self.empty_since.map_or(self.clock, |since| since + after));
        [self.admission.poll_timeout(), self.audience.poll_timeout(), expiry].into_iter().flatten().min()
    }

    /// As `Room::poll_wake`.
    pub fn poll_wake(&self) -> Option<Instant> {
        self.audience.poll_wake()
    }

    /// As `Room::wake`.
    pub fn wake(&mut self, now: Instant) -> bool {
        let now = self.call(now);
        // Each part's own waiters are told.
        self.audience.all().map(|part| part.wake(now)).fold(false, |any, woken| any | woken)
    }

    /// As `Room::poll_event`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.crossed.clear();
        self.admission.poll_event().or_else(|| {
            let ended = self.audience.is_ended() && self.admission.is_idle() && !self.end_told;
            self.end_told |= ended;
            ended.then_some(Event::RoomEnded)
        })
    }

    /// As `Room::reconfigure`.
    pub fn reconfigure(&mut self, now: Instant, config: &RoomConfig) -> Result<(), ReconfigureError> {
        let now = self.call(now);
        self.admission.reconfigure(now, config)?;
        self.hand_over();
        self.audience.reconfigure(now, config)?;
        self.clear();
        let had = std::mem::replace(&mut self.expire_empty, config.expire_empty());
        if had.is_none() && self.sessions == 0 {
            self.empty_since = Some(now);
        }
        Ok(())
    }

    /// As `Room::close`.
    pub fn close(&mut self, now: Instant, actor: Actor) -> Result<(), CloseError> {
        let now = self.call(now);
        self.shut(now, actor)
    }

    fn shut(&mut self, now: Instant, actor: Actor) -> Result<(), CloseError> {
        self.admission.close(now, actor)?;
        self.hand_over();
        self.audience.all().for_each(|part| part.close(now, EndReason::RoomClosed));
        self.clear();
        Ok(())
    }

    /// As the calls of `Room` that deal with users.
    pub fn moderate(&mut self, now: Instant, actor: Actor, act: &Act) -> Result<bool, ModerationError> {
        let now = self.call(now);
        let (sessions, reason) = match act {
            Act::SetAdmin(user, is_admin) => return self.admission.set_admin(now, actor, *user, *is_admin),
            Act::Mute(users, time) => return self.admission.mute(now, actor, users, *time).map(|()| true),
            Act::Unmute(users) => return self.admission.unmute(now, actor, users).map(|()| true),
            Act::MuteRoom(muted) => return self.admission.mute_room(now, actor, *muted).map(|()| true),
            Act::Unban(users) => return self.admission.unban(now, actor, users).map(|()| true),
            Act::Kick(users) => (self.admission.kick(now, actor, users)?, EndReason::Kicked),
            Act::Ban(users, time) => (self.admission.ban(now, actor, users, *time)?, EndReason::Banned),
        };
        for session in sessions {
            self.audience.part_mut(session).end(now, session, reason);
        }
        self.clear();
        Ok(true)
    }

    /// As `Room::write_attributes`.
    pub fn write_attributes(
        &mut self,
        now: Instant,
        based_on: Option<u64>,
        changes: &[(&str, Option<&[u8]>)],
    ) -> Result<u64, DataError> {
        let now = self.call(now);
        self.admission.write_attributes(now, based_on, changes)
    }

    /// As `Room::export`.
    pub fn export(&self, now: Instant) -> Carried {
        self.admission.export(self.clock.max(now))
    }

    /// As `Room::import`.
    pub fn import(&mut self, now: Instant, carried: Carried) -> Result<(), ImportError> {
        let now = self.call(now);
        self.admission.import(now, carried)
    }

    /// As the calls of `Room` that count.
    pub fn count(&mut self, key: &str, count: Count) -> Result<Option<i64>, DataError> {
        match count {
            Count::Set(value) => self.admission.set_counter(key, value),
            Count::Add(delta) => self.admission.add_counter(key, delta).map(Some),
            Count::Remove => Ok(self.admission.remove_counter(key)),
        }
    }

    /// As `Room::set_profile`.
    pub fn set_profile(&mut self, user: UserId, profile: Option<Probe>) -> Result<(), ProfileError<Probe>> {
        self.crossed.clear();
        self.admission.set_profile(user, profile)
    }

    /// As `Room::snapshot`.
    pub fn snapshot(&self, now: Instant) -> RoomSnapshot {
        RoomSnapshot::new(self.admission.snapshot(self.clock.max(now)), self.audience.snapshot())
    }

    /// Here a host with locks would drop, once they are free, what the halves are done with.
    fn clear(&mut self) {
        drop(self.admission.take_debris());
        self.audience.all().for_each(|part| drop(part.take_debris()));
    }

    fn hand_over(&mut self) {
        let applied = self.audience.first().applied();
        let handed = self.admission.hand_over(applied);
        let named = handed.messages().iter().map(|message| Crossed {
            session: message.session.map(|session| self.audience.whole(session)),
            message: Arc::clone(message),
        });
        self.crossed.extend(named);
        self.audience.take_over(&handed);
        self.admission.release_through(applied.max(self.audience.first().applied()));
    }
}
