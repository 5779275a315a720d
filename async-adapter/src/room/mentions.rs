//! What a room tells the hub's table of names, and what that asks of a room.
//!
//! A room notes users under the lock of its admission, in the call that gives it a reason to
//! remember them; the table has no more to do then than to lock one of its stripes, a leaf. It asks
//! rooms with none of its own locks held.

use super::SharedRoom;
use crate::sync::{Arc, Weak};
use roomcast_core::admission::{ImportError, PersistedState};
use roomcast_core::error::ModerationError;
use roomcast_core::time::Duration;
use roomcast_core::{Actor, Instant, Payload};
use roomcast_core::{RoomId, UserId};

/// The name of a room that was taken out of the table, to be dropped with nothing locked.
pub(crate) type DisplacedName = Option<Arc<dyn Send + Sync>>;

/// A room, as the table of names sees it.
pub(crate) trait Knows: Send + Sync {
    /// Returns whether the room has anything to remember a user for. Takes the admission's lock.
    fn knows(&self, user: UserId) -> bool;
}

/// The table of names, as the rooms see it.
pub(crate) trait Mentions: std::fmt::Debug + Send + Sync {
    /// A room has a reason to remember this user from now on. Called under the admission's lock.
    fn note(&self, now: Instant, user: UserId, room: Weak<dyn Knows>);

    /// Looks whether some names are still needed, and those of the rooms that this user was in.
    /// Called with nothing locked.
    fn look(&self, now: Instant, user: UserId);

    /// Returns what stays the same of a user for as long as the hub lives: the number, or of a user
    /// of a name, whose number may be another one when he or she comes back, a hash of the name.
    fn lasting(&self, user: UserId) -> u64;

    /// A room leaves the registry, which is locked. Returns what is to be dropped when it is not.
    fn forget_room(&self, id: RoomId) -> DisplacedName;
}

/// Numbers from here on stand for names; those below are the host's own.
pub(crate) const FIRST_NAMED: u64 = 1 << 63;

impl<M: Payload + Send + Sync + 'static> Knows for SharedRoom<M> {
    fn knows(&self, user: UserId) -> bool {
        if self.is_ended() {
            // Whoever holds a handle may open it anew, for its owner.
            return self.has_expired() && self.settings.lock().owner() == Some(user);
        }
        let now = self.now();
        self.peek(|admission| admission.knows(now, user))
    }
}

impl<M: Payload + Send + Sync + 'static> SharedRoom<M> {
    /// Notes a user whom the room has a reason to remember, under the admission's lock.
    pub(super) fn mention(self: &Arc<Self>, now: Instant, user: UserId) {
        if user.0 >= FIRST_NAMED {
            let this: Weak<Self> = Arc::downgrade(self);
            self.mentions.note(now, user, this);
        }
    }

    /// Looks whether some names are still needed, when a user of a name joins. Nothing is locked.
    pub(super) fn look_at_names(&self, user: UserId) {
        if user.0 >= FIRST_NAMED {
            self.mentions.look(self.now(), user);
        }
    }

    /// Notes each of several, if the call went well.
    fn mention_all<T, E>(
        self: &Arc<Self>,
        now: Instant,
        answer: Result<T, E>,
        users: &[UserId],
    ) -> Result<T, E> {
        if answer.is_ok() {
            for &user in users {
                self.mention(now, user);
            }
        }
        answer
    }

    /// Names a user admin.
    pub(crate) fn add_admin(
        self: &Arc<Self>,
        actor: Actor,
        user: UserId,
    ) -> Result<bool, ModerationError> {
        self.admit(|admission, now| {
            let answer = admission.add_admin(now, actor, user);
            self.mention_all(now, answer, &[user])
        })
    }

    /// Hands the room over to another owner; it opens anew for that one, too.
    pub(crate) fn set_owner(
        self: &Arc<Self>,
        actor: Actor,
        user: UserId,
    ) -> Result<(), ModerationError> {
        self.admit(|admission, now| {
            admission.set_owner(now, actor, user)?;
            let mut settings = self.settings.lock();
            *settings = settings.clone().with_owner(Some(user));
            drop(settings);
            self.mention(now, user);
            Ok(())
        })
    }

    /// Keeps users from speaking.
    pub(crate) fn mute(
        self: &Arc<Self>,
        actor: Actor,
        users: &[UserId],
        time: Option<Duration>,
    ) -> Result<(), ModerationError> {
        self.admit(|admission, now| {
            let answer = admission.mute(now, actor, users, time);
            self.mention_all(now, answer, users)
        })
    }

    /// Marks users.
    pub(crate) fn mark(
        self: &Arc<Self>,
        actor: Actor,
        users: &[UserId],
    ) -> Result<(), ModerationError> {
        self.admit(|admission, now| {
            let answer = admission.mark(now, actor, users);
            self.mention_all(now, answer, users)
        })
    }

    /// Takes users out and keeps them out.
    pub(crate) fn ban(
        self: &Arc<Self>,
        actor: Actor,
        users: &[UserId],
        time: Option<Duration>,
    ) -> Result<(), ModerationError> {
        self.in_all(|halves, now| {
            let answer = halves.ban(now, actor, users, time);
            self.mention_all(now, answer, users)
        })
    }

    /// Takes over what a room carried.
    pub(crate) fn import(self: &Arc<Self>, carried: PersistedState) -> Result<(), ImportError> {
        let timed = carried.mutes.iter().chain(&carried.bans).map(|&(user, _)| user);
        let users: Vec<UserId> =
            carried.admins.iter().chain(&carried.marks).copied().chain(timed).collect();
        self.admit(|admission, now| {
            let answer = admission.import(now, carried);
            self.mention_all(now, answer, &users)
        })
    }
}
