//! Who is who: which user a session speaks for, which sessions a user has, and the profiles.
//!
//! Guests are not here: their session ids say by themselves what they are.

use crate::chunked::{Chunked, NIL, Slab};
use crate::ids::{SessionId, UserId};
use crate::index::{Hasher, Index};
use alloc::sync::Arc;
use smallvec::SmallVec;

/// The sessions of one user.
pub type UserSessions = SmallVec<[SessionId; 2]>;

#[derive(Debug)]
pub(crate) struct Roster<M> {
    /// By the slot of the session.
    members: Chunked<Member>,
    /// From a user to the slot of one of the sessions; the others are chained behind it.
    users: Index,
    sessions: u32,
    profiles: Slab<(UserId, Arc<M>)>,
    profile_of: Index,
    hasher: Hasher,
}

/// What a slot says about its session; 16 bytes.
#[derive(Clone, Copy, Debug)]
struct Member {
    user: UserId,
    /// Zero when no user's session holds the slot.
    generation: u32,
    /// The slot of the user's next session.
    next: u32,
}

const NOBODY: Member = Member { user: UserId(0), generation: 0, next: NIL };

/// What the going of a session means for its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// It was the last one.
    Last(UserId),
    /// Others are left.
    OneOf,
}

impl<M> Roster<M> {
    pub(crate) fn new(hasher: Hasher) -> Self {
        Self { members: Chunked::new(), users: Index::new(), sessions: 0, profiles: Slab::new(), profile_of: Index::new(), hasher }
    }

    /// Users with at least one session.
    pub(crate) fn online(&self) -> u32 {
        self.users.len() as u32
    }

    /// Sessions of users.
    pub(crate) fn sessions(&self) -> u32 {
        self.sessions
    }

    /// The user whom a session speaks for. O(1), without hashing (decision D3).
    #[inline]
    pub(crate) fn user_of(&self, session: SessionId) -> Option<UserId> {
        let member = self.members.get(session.slot())?;
        // A made-up id may name generation 0, which no session has and an empty slot shows.
        (member.generation != 0 && member.generation == session.generation()).then_some(member.user)
    }

    /// The user's session that holds a slot.
    pub(crate) fn holder(&self, slot: u32) -> Option<SessionId> {
        let member = self.members.get(slot)?;
        (member.generation != 0).then_some(SessionId::new(slot, member.generation))
    }

    /// The sessions of a user.
    pub(crate) fn sessions_of(&self, user: UserId) -> UserSessions {
        let mut slot = self.first(user).unwrap_or(NIL);
        core::iter::from_fn(|| {
            let member = self.members.get(slot)?;
            let session = SessionId::new(slot, member.generation);
            slot = member.next;
            Some(session)
        })
        .collect()
    }

    pub(crate) fn is_online(&self, user: UserId) -> bool {
        self.first(user).is_some()
    }

    /// Adds a session of a user in a slot that nobody holds. Answers whether it is the user's first.
    pub(crate) fn add(&mut self, user: UserId, session: SessionId) -> bool {
        let slot = session.slot();
        self.members.touch(slot, NOBODY);
        let first = self.first(user);
        let next = match first {
            // The newcomer goes second, so that the index need not change.
            Some(first) => core::mem::replace(&mut self.members[first].next, slot),
            None => NIL,
        };
        self.members[slot] = Member { user, generation: session.generation(), next };
        self.sessions += 1;
        if first.is_none() {
            let (members, hasher) = (&self.members, self.hasher);
            self.users.insert(hasher.hash(user.0), slot, |slot| hasher.hash(members[slot].user.0));
        }
        first.is_none()
    }

    /// Takes a session out; `None` when it is not here. The user's profile stays. O(sessions of the user).
    pub(crate) fn remove(&mut self, session: SessionId) -> Option<Gone> {
        let user = self.user_of(session)?;
        let slot = session.slot();
        let next = self.members[slot].next;
        let first = self.first(user)?;
        let hash = self.hasher.hash(user.0);
        if first == slot {
            if next == NIL {
                self.users.remove(hash, slot);
            } else {
                self.users.replace(hash, slot, next);
            }
        } else {
            let mut before = first;
            while self.members[before].next != slot {
                before = self.members[before].next;
            }
            self.members[before].next = next;
        }
        self.members[slot] = NOBODY;
        self.sessions -= 1;
        Some(if self.is_online(user) { Gone::OneOf } else { Gone::Last(user) })
    }

    #[inline]
    pub(crate) fn profile(&self, user: UserId) -> Option<&Arc<M>> {
        self.profile_slot(user).map(|slot| &self.profiles[slot].1)
    }

    /// Answers the profile that the user had.
    pub(crate) fn set_profile(&mut self, user: UserId, profile: Arc<M>) -> Option<Arc<M>> {
        if let Some(slot) = self.profile_slot(user) {
            return Some(core::mem::replace(&mut self.profiles[slot].1, profile));
        }
        let slot = self.profiles.insert((user, profile));
        let (profiles, hasher) = (&self.profiles, self.hasher);
        self.profile_of.insert(hasher.hash(user.0), slot, |slot| hasher.hash(profiles[slot].0.0));
        None
    }

    pub(crate) fn take_profile(&mut self, user: UserId) -> Option<Arc<M>> {
        let slot = self.profile_slot(user)?;
        self.profile_of.remove(self.hasher.hash(user.0), slot);
        self.profiles.remove(slot).map(|(_, profile)| profile)
    }

    fn profile_slot(&self, user: UserId) -> Option<u32> {
        // Most rooms have none, and pay nothing.
        if self.profiles.len() == 0 {
            return None;
        }
        self.profile_of.find(self.hasher.hash(user.0), |slot| self.profiles[slot].0 == user)
    }

    fn first(&self, user: UserId) -> Option<u32> {
        self.users.find(self.hasher.hash(user.0), |slot| self.members[slot].user == user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    fn sorted(roster: &Roster<()>, user: u64) -> Vec<u32> {
        let mut slots: Vec<u32> = roster.sessions_of(UserId(user)).iter().map(|session| session.slot()).collect();
        slots.sort_unstable();
        slots
    }

    #[test]
    fn a_user_is_online_from_the_first_session_to_the_last() {
        let mut roster: Roster<()> = Roster::new(Hasher::new(0));
        let session = |slot| SessionId::new(slot, 1);
        assert!(roster.add(UserId(5), session(3)));
        assert!(!roster.add(UserId(5), session(0)));
        assert!(!roster.add(UserId(5), session(9)));
        assert!(roster.add(UserId(6), session(1)));
        assert_eq!(sorted(&roster, 5), [0, 3, 9]);
        assert_eq!(roster.user_of(session(0)), Some(UserId(5)));
        assert_eq!(roster.user_of(SessionId::new(0, 2)), None);
        assert_eq!(roster.user_of(session(2)), None);
        // Slot 2 is empty; generation 0 was never given out.
        assert_eq!(roster.user_of(SessionId::new(2, 0)), None);
        assert_eq!(roster.remove(SessionId::new(2, 0)), None);
        // The first, a middle one, the last.
        assert_eq!(roster.remove(session(3)), Some(Gone::OneOf));
        assert_eq!(roster.remove(session(3)), None);
        assert_eq!(roster.remove(session(0)), Some(Gone::OneOf));
        assert_eq!(sorted(&roster, 5), vec![9]);
        assert_eq!(roster.remove(session(9)), Some(Gone::Last(UserId(5))));
        assert!(!roster.is_online(UserId(5)));
        assert_eq!((roster.online(), roster.sessions()), (1, 1));
    }

    #[test]
    fn a_profile_is_replaced_and_taken() {
        let mut roster = Roster::new(Hasher::new(0));
        roster.add(UserId(1), SessionId::new(0, 1));
        assert!(roster.profile(UserId(1)).is_none());
        assert_eq!(roster.set_profile(UserId(1), Arc::new("old")), None);
        assert_eq!(roster.set_profile(UserId(1), Arc::new("new")), Some(Arc::new("old")));
        assert_eq!(roster.take_profile(UserId(1)), Some(Arc::new("new")));
        assert!(roster.profile(UserId(1)).is_none());
    }
}
