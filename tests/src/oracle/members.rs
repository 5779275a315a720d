//! Who is in, as admission sees it: users, their sessions, their profiles.

use roomcast_core::{SessionId, UserId};
use std::collections::BTreeMap;

/// The users with their sessions and profiles.
#[derive(Clone, Debug, Default)]
pub struct Members {
    /// Each user's sessions.
    pub sessions: BTreeMap<UserId, Vec<SessionId>>,
    /// Each user's profile: the number and the size.
    pub profiles: BTreeMap<UserId, (u64, usize)>,
}

impl Members {
    /// Whom a session speaks for.
    pub fn user_of(&self, session: SessionId) -> Option<UserId> {
        self.sessions
            .iter()
            .find(|(_, sessions)| sessions.contains(&session))
            .map(|(&user, _)| user)
    }

    /// How many sessions a user has.
    pub fn count(&self, user: UserId) -> usize {
        self.sessions.get(&user).map_or(0, Vec::len)
    }

    /// A session of a user comes.
    pub fn come(&mut self, user: UserId, session: SessionId) {
        self.sessions.entry(user).or_default().push(session);
    }

    /// A session goes; harmless when it is no user's. With the last one goes the user.
    pub fn go(&mut self, session: SessionId) {
        let Some(user) = self.user_of(session) else { return };
        let left = self.sessions.entry(user).or_default();
        left.retain(|&other| other != session);
        if left.is_empty() {
            self.sessions.remove(&user);
            self.profiles.remove(&user);
        }
    }
}
