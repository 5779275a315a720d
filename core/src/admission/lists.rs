//! Lists of the members who are online: [clause A12](crate::rulebook#a12-who-is-online).

use super::Admission;
use crate::ids::UserId;
use crate::member::{Member, MemberList};
use crate::message::Payload;
use crate::rights::Role;
use crate::time::Instant;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

impl<M: Payload> Admission<M> {
    /// The members of a list who are online, with what is known of each. O(n log n) of the arrivals
    /// that the room remembers, and of the marks where they are asked for.
    pub fn members(&self, list: MemberList) -> Vec<Member<M>> {
        let candidates = self.member_candidates(list).into_iter();
        candidates.filter_map(|(user, came)| self.member(list, user, came)).collect()
    }

    /// Who may be on a list, nobody twice, and when each came by the last arrival that the room
    /// remembers. For who holds a lock for no longer than a copy, and asks for each
    /// [`member`](Self::member) afterwards. It costs what [`members`](Self::members) does.
    pub fn member_candidates(&self, list: MemberList) -> Vec<(UserId, Option<Instant>)> {
        let named: Vec<UserId> = match list {
            MemberList::Newest | MemberList::Role(Role::Member) => {
                let mut seen = BTreeSet::new();
                let arrivals = self.people.recent_arrivals();
                let newest = arrivals.filter(|&(user, _)| seen.insert(user));
                return newest.map(|(user, at)| (user, Some(at))).collect();
            }
            MemberList::Role(Role::Owner) => self.settings.owner.into_iter().collect(),
            MemberList::Role(Role::Admin) => self.moderation.admins().to_vec(),
            MemberList::Marked => self.moderation.marked().collect(),
        };
        let mut came = BTreeMap::new();
        for (user, at) in self.people.recent_arrivals() {
            came.entry(user).or_insert(at);
        }
        named.into_iter().map(|user| (user, came.get(&user).copied())).collect()
    }

    /// What is known of a user; `None` for one who is not on the list: offline by now, of another
    /// role, or not marked. O(sessions of the user).
    pub fn member(
        &self,
        list: MemberList,
        user: UserId,
        joined_at: Option<Instant>,
    ) -> Option<Member<M>> {
        let (role, is_marked) = (self.role_of(user), self.is_marked(user));
        let is_listed = match list {
            MemberList::Newest => true,
            MemberList::Role(wanted) => role == wanted,
            MemberList::Marked => is_marked,
        };
        if !is_listed || !self.is_online(user) {
            return None;
        }
        let profile = self.people.profile(user).map(|profile| Arc::clone(&profile.content));
        Some(Member { user, joined_at, role, profile, is_marked })
    }
}
