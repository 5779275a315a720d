//! The roster: which user a session speaks for, which sessions a user has, and the profiles.
//! [Clause A6](crate::rulebook#a6-several-sessions-for-one-user).
//!
//! Guests are not here: their session ids say by themselves what they are.

use crate::chunked::{Chunked, Slab};
use crate::ids::{SessionId, SessionKey, UserId};
use crate::index::{Hasher, Index};
use crate::profile::Profile;
use smallvec::SmallVec;

/// The sessions of one user.
pub type UserSessions = SmallVec<[SessionId; 2]>;

/// The same, within the life of the room.
pub(crate) type UserKeys = SmallVec<[SessionKey; 2]>;

/// The sessions with these keys in one life of a room.
pub(crate) fn in_life(keys: &[SessionKey], life: u64) -> UserSessions {
    keys.iter().map(|key| key.in_life(life)).collect()
}

#[derive(Debug)]
pub(crate) struct Roster<M> {
    /// By the slot of the session.
    members: Chunked<Member>,
    /// From a user to the slot of one of the sessions; the others are in a ring with it.
    users: Index,
    /// Users who have gone and whom the index still knows.
    gone: GoneUsers,
    sessions: u32,
    profiles: Slab<(UserId, Profile<M>)>,
    /// What the profiles hold.
    profile_bytes: u64,
    profile_of: Index,
    hasher: Hasher,
}

/// What a slot says about its session; 16 bytes.
#[derive(Clone, Copy, Debug)]
struct Member {
    user: UserId,
    /// Zero when no user's session holds the slot.
    generation: u32,
    /// The slot of the user's next session, round to the first; its own when there is no other.
    next: u32,
}

const NOBODY: Member = Member { user: UserId(0), generation: 0, next: 0 };

/// Users who have gone at once are taken out of the index together: for each of them memory has to
/// be waited for, and so the waits overlap. Until then the index may return a slot that nobody
/// holds, or somebody else; whoever asks it compares the user anyway.
#[derive(Debug, Default)]
struct GoneUsers {
    /// Their hashes, which differ as the users do.
    hashes: [u64; Self::MAX],
    /// The slots of their last sessions.
    slots: [u32; Self::MAX],
    len: usize,
}

impl GoneUsers {
    /// Taken out in one call at the most.
    const MAX: usize = 16;

    /// Takes all of them out.
    fn settle(&mut self, users: &mut Index) {
        let (hashes, slots) = (&self.hashes[..self.len], &self.slots[..self.len]);
        core::hint::black_box(hashes.iter().fold(0, |all, &hash| all ^ users.touch(hash)));
        for (&hash, &slot) in hashes.iter().zip(slots) {
            users.remove(hash, slot);
        }
        self.len = 0;
    }

    /// Takes one of them out if he is among them: he comes back.
    #[inline]
    fn settle_one(&mut self, hash: u64, users: &mut Index) {
        if let Some(at) = self.hashes[..self.len].iter().position(|&gone| gone == hash) {
            users.remove(hash, self.slots[at]);
            self.len -= 1;
            (self.hashes[at], self.slots[at]) = (self.hashes[self.len], self.slots[self.len]);
        }
    }

    #[inline]
    fn push(&mut self, hash: u64, slot: u32, users: &mut Index) {
        if self.len == Self::MAX {
            self.settle(users);
        }
        (self.hashes[self.len], self.slots[self.len]) = (hash, slot);
        self.len += 1;
    }
}

/// What the going of a session means for its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// It was the last one.
    Last(UserId),
    /// This user has others left.
    OneOf(UserId),
}

impl<M> Roster<M> {
    pub(crate) fn new(hasher: Hasher) -> Self {
        Self {
            members: Chunked::new(),
            users: Index::new(),
            gone: GoneUsers::default(),
            sessions: 0,
            profiles: Slab::new(),
            profile_bytes: 0,
            profile_of: Index::new(),
            hasher,
        }
    }

    /// Users with at least one session.
    pub(crate) fn users(&self) -> u32 {
        (self.users.len() - self.gone.len) as u32
    }

    /// Sessions of users.
    pub(crate) fn sessions(&self) -> u32 {
        self.sessions
    }

    /// The user whom a session speaks for. O(1), without hashing.
    #[inline]
    pub(crate) fn user_of(&self, session: SessionKey) -> Option<UserId> {
        let member = self.members.get(session.slot())?;
        // A made-up id may name generation 0, which no session has and an empty slot shows.
        (member.generation != 0 && member.generation == session.generation()).then_some(member.user)
    }

    /// The user's session that holds a slot.
    pub(crate) fn holder(&self, slot: u32) -> Option<SessionKey> {
        let member = self.members.get(slot)?;
        (member.generation != 0).then_some(SessionKey::new(slot, member.generation))
    }

    /// The sessions of a user.
    pub(crate) fn sessions_of(&self, user: UserId) -> UserKeys {
        let mut sessions = UserKeys::new();
        if let Some(first) = self.first(user, self.hasher.hash(user.0)) {
            let mut slot = first;
            loop {
                let Member { generation, next, .. } = self.members[slot];
                sessions.push(SessionKey::new(slot, generation));
                if next == first {
                    break;
                }
                slot = next;
            }
        }
        sessions
    }

    pub(crate) fn is_in(&self, user: UserId) -> bool {
        self.first(user, self.hasher.hash(user.0)).is_some()
    }

    /// Adds a session of a user in a slot that nobody holds. Returns whether it is the user's
    /// first.
    pub(crate) fn add(&mut self, user: UserId, session: SessionKey) -> bool {
        let slot = session.slot();
        self.members.touch(slot, NOBODY);
        let hash = self.hasher.hash(user.0);
        self.gone.settle_one(hash, &mut self.users);
        let first = self.first(user, hash);
        let next = match first {
            // The newcomer goes second, so that the index need not change. It must not show this
            // slot under another name, either.
            Some(first) => {
                self.gone.settle(&mut self.users);
                core::mem::replace(&mut self.members[first].next, slot)
            }
            None => slot,
        };
        self.members[slot] = Member { user, generation: session.generation(), next };
        self.sessions += 1;
        if first.is_none() {
            if self.users.splits_next() {
                // Those who have gone cannot be asked where they belong.
                self.gone.settle(&mut self.users);
            }
            let (members, hasher) = (&self.members, self.hasher);
            self.users.insert(hash, slot, |slot| hasher.hash(members[slot].user.0));
        }
        first.is_none()
    }

    /// Takes a session out; `None` when it is not here. The user's profile stays. O(sessions of the
    /// user).
    pub(crate) fn remove(&mut self, session: SessionKey) -> Option<Gone> {
        if session.is_guest() {
            return None;
        }
        let user = self.user_of(session)?;
        let slot = session.slot();
        let next = core::mem::replace(&mut self.members[slot], NOBODY).next;
        self.sessions -= 1;
        let hash = self.hasher.hash(user.0);
        if next == slot {
            self.gone.push(hash, slot, &mut self.users);
            return Some(Gone::Last(user));
        }
        let mut before = next;
        while self.members[before].next != slot {
            before = self.members[before].next;
        }
        self.members[before].next = next;
        self.gone.settle(&mut self.users);
        // If it was the first.
        self.users.replace(hash, slot, next);
        Some(Gone::OneOf(user))
    }

    /// What the profiles hold, in bytes.
    pub(crate) fn profile_bytes(&self) -> u64 {
        self.profile_bytes
    }

    #[inline]
    pub(crate) fn profile(&self, user: UserId) -> Option<&Profile<M>> {
        self.profile_slot(user).map(|slot| &self.profiles[slot].1)
    }

    /// Returns the profile that the user had.
    pub(crate) fn set_profile(&mut self, user: UserId, profile: Profile<M>) -> Option<Profile<M>> {
        self.profile_bytes += u64::from(profile.size);
        if let Some(slot) = self.profile_slot(user) {
            self.profile_bytes -= u64::from(self.profiles[slot].1.size);
            return Some(core::mem::replace(&mut self.profiles[slot].1, profile));
        }
        let slot = self.profiles.insert((user, profile));
        let (profiles, hasher) = (&self.profiles, self.hasher);
        self.profile_of.insert(hasher.hash(user.0), slot, |slot| hasher.hash(profiles[slot].0.0));
        None
    }

    pub(crate) fn take_profile(&mut self, user: UserId) -> Option<Profile<M>> {
        let slot = self.profile_slot(user)?;
        self.profile_of.remove(self.hasher.hash(user.0), slot);
        self.profile_bytes -= u64::from(self.profiles[slot].1.size);
        self.profiles.remove(slot).map(|(_, profile)| profile)
    }

    fn profile_slot(&self, user: UserId) -> Option<u32> {
        // Most rooms have none, and pay nothing.
        if self.profiles.len() == 0 {
            return None;
        }
        self.profile_of.find(self.hasher.hash(user.0), |slot| self.profiles[slot].0 == user)
    }

    #[inline]
    fn first(&self, user: UserId, hash: u64) -> Option<u32> {
        self.users.find(hash, |slot| {
            let member = &self.members[slot];
            // A slot that nobody holds says user 0.
            member.user == user && member.generation != 0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Rng;
    use alloc::sync::Arc;
    use alloc::vec;
    use alloc::vec::Vec;

    fn sorted(roster: &Roster<()>, user: u64) -> Vec<u32> {
        let mut slots: Vec<u32> =
            roster.sessions_of(UserId(user)).iter().map(|session| session.slot()).collect();
        slots.sort_unstable();
        slots
    }

    #[test]
    fn users_are_online_from_first_to_last_session() {
        let mut roster: Roster<()> = Roster::new(Hasher::new(0));
        let session = |slot| SessionKey::new(slot, 1);
        assert!(roster.add(UserId(5), session(3)));
        assert!(!roster.add(UserId(5), session(0)));
        assert!(!roster.add(UserId(5), session(9)));
        assert!(roster.add(UserId(6), session(1)));
        assert_eq!(sorted(&roster, 5), [0, 3, 9]);
        assert_eq!(roster.user_of(session(0)), Some(UserId(5)));
        assert_eq!(roster.user_of(SessionKey::new(0, 2)), None);
        assert_eq!(roster.user_of(session(2)), None);
        // Slot 2 is empty; generation 0 was never given out.
        assert_eq!(roster.user_of(SessionKey::new(2, 0)), None);
        assert_eq!(roster.remove(SessionKey::new(2, 0)), None);
        // The first, a middle one, the last.
        assert_eq!(roster.remove(session(3)), Some(Gone::OneOf(UserId(5))));
        assert_eq!(roster.remove(session(3)), None);
        assert_eq!(roster.remove(session(0)), Some(Gone::OneOf(UserId(5))));
        assert_eq!(sorted(&roster, 5), vec![9]);
        assert_eq!(roster.remove(session(9)), Some(Gone::Last(UserId(5))));
        assert!(!roster.is_in(UserId(5)));
        assert_eq!((roster.users(), roster.sessions()), (1, 1));
    }

    #[test]
    fn a_profile_is_replaced_and_taken() {
        let mut roster = Roster::new(Hasher::new(0));
        roster.add(UserId(1), SessionKey::new(0, 1));
        assert!(roster.profile(UserId(1)).is_none());
        let profile = |content: &'static str| Profile::from((Arc::new(content), content.len()));
        assert_eq!(roster.set_profile(UserId(1), profile("old")), None);
        assert_eq!(roster.set_profile(UserId(1), profile("newer")), Some(profile("old")));
        assert_eq!(roster.take_profile(UserId(1)), Some(profile("newer")));
        assert!(roster.profile(UserId(1)).is_none());
    }

    #[test]
    fn users_are_known_as_a_plain_list_knows_them() {
        let mut rng = Rng::new(11);
        for users in [3, 40, 3_000] {
            let mut roster: Roster<()> = Roster::new(Hasher::new(7));
            // User 0 is a user like others. The slots are few, so that they are soon held by
            // others.
            let mut list: Vec<(u64, u32)> = Vec::new();
            for step in 1..20_000_u32 {
                let (user, slot) = (u64::from(rng.below(users)), rng.below(2 * users));
                let held = list.iter().position(|&(_, other)| other == slot);
                let fills = step / 2_000 % 2 == 0;
                if let Some(at) = held.filter(|_| rng.below(3) > u32::from(fills)) {
                    let (user, slot) = list.swap_remove(at);
                    let left = list.iter().any(|&(other, _)| other == user);
                    let session = roster.holder(slot).unwrap();
                    assert_eq!(roster.user_of(session), Some(UserId(user)));
                    assert_eq!(
                        roster.remove(session),
                        Some(if left {
                            Gone::OneOf(UserId(user))
                        } else {
                            Gone::Last(UserId(user))
                        })
                    );
                } else if held.is_none() && rng.below(3) > u32::from(!fills) {
                    let is_first = list.iter().all(|&(other, _)| other != user);
                    assert_eq!(roster.add(UserId(user), SessionKey::new(slot, step)), is_first);
                    list.push((user, slot));
                }
                let mut slots: Vec<u32> = list
                    .iter()
                    .filter(|&&(other, _)| other == user)
                    .map(|&(_, slot)| slot)
                    .collect();
                slots.sort_unstable();
                assert_eq!(
                    (sorted(&roster, user), roster.is_in(UserId(user))),
                    (slots.clone(), !slots.is_empty())
                );
                if step % 100 == 0 {
                    let online: alloc::collections::BTreeSet<u64> =
                        list.iter().map(|&(user, _)| user).collect();
                    assert_eq!(
                        (roster.users() as usize, roster.sessions() as usize),
                        (online.len(), list.len())
                    );
                }
            }
        }
    }
}
