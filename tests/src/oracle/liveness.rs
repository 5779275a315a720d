//! Who shows life (clause A7), by the documented rule: whole instants, and a walk over everybody at
//! each look.

use super::Oracle;
use crate::rules::Rules;
use crate::violation::{Check, Law, same};
use roomcast_core::event::{EndReason, Presence, PresenceCause};
use roomcast_core::room::RoomSnapshot;
use roomcast_core::{Instant, SessionId, UserId};
use std::collections::BTreeMap;

/// Looks that the byte can count.
const MOST: u128 = 253;

/// A session's last sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    At(Instant),
    /// So late after the last look that it counts as given at the next.
    Fresh,
    /// Since that look.
    Silent(u128),
}

/// The signs of life of all sessions; nothing in a room without heartbeat.
#[derive(Clone, Debug, Default)]
pub struct Lives {
    last: BTreeMap<SessionId, Life>,
    /// Looks made so far, those that were missed included.
    looks: u128,
}

impl Lives {
    fn is_silent(&self, session: SessionId) -> bool {
        matches!(self.last.get(&session), Some(Life::Silent(_)))
    }

    /// A session has gone or begins to end.
    pub(super) fn forget(&mut self, session: SessionId) {
        self.last.remove(&session);
    }
}

/// When a room looks.
#[derive(Clone, Copy, Debug)]
struct Looks {
    first: u128,
    every: u128,
    silence: u128,
    leave_after: Option<u128>,
}

impl Looks {
    /// Those of a room that was made for this owner, whoever owns it by now.
    fn of(rules: &Rules, first_owner: UserId) -> Option<Self> {
        let heartbeat = rules.heartbeat?;
        let config = rules.config().ok()?.with_owner(Some(first_owner));
        let first = config.first_scan()?;
        let (every, silence) = (heartbeat.every.as_nanos(), heartbeat.silence.as_nanos());
        let leave_after = heartbeat.leave_after.map(|time| time.as_nanos());
        Some(Self { first: first.as_nanos().into(), every, silence, leave_after })
    }

    /// The instant of a look, from number 1 on.
    fn at(self, number: u128) -> u128 {
        self.first + (number - 1) * self.every
    }

    /// The last look at or before an instant; 0 when there is none.
    fn last(self, now: Instant) -> u128 {
        let now = u128::from(now.as_nanos());
        if now < self.first { 0 } else { (now - self.first) / self.every + 1 }
    }

    /// The first look that finds a sign of life too old.
    fn finds(self, life: Instant) -> u128 {
        let old = u128::from(life.as_nanos()) + self.silence;
        let mut number = if old < self.first { 1 } else { (old - self.first) / self.every + 1 };
        while self.at(number) < old {
            number += 1;
        }
        number
    }
}

impl Oracle {
    /// Whether a session is in, and nothing has closed it or the room.
    fn is_live(&self, session: SessionId) -> bool {
        self.is_open()
            && self.listeners.here.get(&session).is_some_and(|listener| listener.end.is_none())
    }

    /// Whether a user has a session that is not silent.
    pub(super) fn is_online(&self, user: UserId) -> bool {
        self.members
            .sessions
            .get(&user)
            .is_some_and(|all| all.iter().any(|&session| !self.lives.is_silent(session)))
    }

    /// A session shows life: it joins, publishes, or is touched. Who comes online by it is told
    /// why.
    pub(super) fn shows_life(&mut self, session: SessionId) {
        let Some(looks) =
            Looks::of(&self.rules, self.first_owner).filter(|_| self.is_live(session))
        else {
            return;
        };
        let user = self.members.user_of(session);
        let was_online = user.is_some_and(|user| self.is_online(user));
        let is_late = looks.finds(self.clock) - self.lives.looks > MOST;
        self.lives.last.insert(session, if is_late { Life::Fresh } else { Life::At(self.clock) });
        if let Some(user) = user.filter(|_| !was_online) {
            self.inbox.presence(
                &self.rules,
                user,
                Presence::Online,
                PresenceCause::HeartbeatRecover,
            );
        }
    }

    /// `RoomState::touch` answered this.
    pub fn touched(&mut self, now: Instant, session: SessionId, answer: bool) -> Check {
        self.advance_if(self.is_in(session), now);
        self.shows_life(session);
        same(
            Law::Members,
            "whether the session that shows life is in",
            self.is_live(session),
            answer,
        )
    }

    /// Makes the look that is due, if one is.
    pub(super) fn look(&mut self, now: Instant) {
        let Some(looks) = Looks::of(&self.rules, self.first_owner).filter(|_| self.is_open())
        else {
            return;
        };
        let number = looks.last(now);
        if number <= self.lives.looks {
            return;
        }
        self.lives.looks = number;
        let live: Vec<SessionId> =
            self.listeners.here.keys().copied().filter(|&session| self.is_live(session)).collect();
        for session in live {
            match self.lives.last.get(&session).copied() {
                Some(Life::Silent(since)) => {
                    let silent_for = looks.at(number) - looks.at(since);
                    if looks.leave_after.is_some_and(|most| silent_for >= most) {
                        self.leaves_silently(now, session);
                    }
                }
                Some(Life::Fresh) => _ = self.lives.last.insert(session, Life::At(now)),
                Some(Life::At(life))
                    if u128::from(life.as_nanos()) + looks.silence <= looks.at(number) =>
                {
                    let user = self.members.user_of(session);
                    self.lives.last.insert(session, Life::Silent(number));
                    if let Some(user) = user.filter(|&user| !self.is_online(user)) {
                        self.inbox.presence(
                            &self.rules,
                            user,
                            Presence::Offline,
                            PresenceCause::HeartbeatInterrupt,
                        );
                    }
                }
                _ => {}
            }
        }
    }

    /// A session was silent for too long: it may take what it is due, then the reason.
    fn leaves_silently(&mut self, now: Instant, session: SessionId) {
        self.go(session);
        if let Some(listener) = self.listeners.here.get_mut(&session) {
            listener.end = Some((EndReason::Silent, now + self.rules.grace));
        }
        self.listeners.news.push(now);
    }

    /// When the next look is due: only where somebody could be found silent, or leaves for it.
    pub(super) fn next_look(&self) -> Option<Instant> {
        let looks = Looks::of(&self.rules, self.first_owner)?;
        let could_fall_silent = |&session: &SessionId| {
            let leaves = looks.leave_after.is_some();
            self.is_live(session) && (leaves || !self.lives.is_silent(session))
        };
        self.listeners.here.keys().copied().find(could_fall_silent)?;
        u64::try_from(looks.at(self.lives.looks + 1)).ok().map(Instant::from_nanos)
    }

    /// Who is online, counted one by one.
    pub(super) fn inspect_lives(&self, snapshot: &RoomSnapshot) -> Check {
        let users = self.members.sessions.keys().filter(|&&user| self.is_online(user)).count();
        same(Law::Members, "users online", users, snapshot.admission.online as usize)?;
        // One that ends is no longer watched.
        let here = self.listeners.here.iter();
        let sessions = here.filter(|&(&session, listener)| {
            listener.end.is_some() || !self.lives.is_silent(session)
        });
        same(Law::Members, "sessions online", sessions.count(), snapshot.audience.online as usize)
    }

    /// The last arrivals, the newest first.
    pub(super) fn remembered(&self) -> impl Iterator<Item = (UserId, Instant)> {
        self.arrivals.iter().rev().take(self.rules.recent_users as usize).copied().flatten()
    }

    /// Of the last arrivals, those who are online, the newest first and once.
    pub(super) fn recent_users(&self) -> Vec<UserId> {
        let mut newest = Vec::new();
        for (user, _) in self.remembered().filter(|&(user, _)| self.is_online(user)) {
            if !newest.contains(&user) {
                newest.push(user);
            }
        }
        newest
    }
}
