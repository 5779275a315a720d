//! Calls that only look: they import nothing, and hold the admission's lock for no longer than a
//! copy or a few look-ups. Who counts or looks up sessions first takes out who has gone.

use super::SharedRoom;
use crate::sync::Arc;
use roomcast_core::member::{Member, MemberList};
use roomcast_core::{Admission, Payload, UserId};
use std::collections::HashSet;

/// Users who are looked up under one lock.
const LOOKED_UP: usize = 256;

impl<M: Payload + Send + Sync + 'static> SharedRoom<M> {
    /// Looks at the admission, changing nothing.
    /// Returns the users who came online last by a join and are online, the newest first, nobody
    /// twice.
    pub(crate) fn recent_users(self: &Arc<Self>) -> Vec<UserId> {
        self.settle_gone();
        let mut users = self.peek(Admission::recent_arrivals);
        let mut seen = HashSet::with_capacity(users.len());
        users.retain(|&user| seen.insert(user));
        let online = users.chunks(LOOKED_UP).map(|some| {
            self.peek(|admission| {
                let is_online = |user: &&UserId| admission.is_online(**user);
                some.iter().filter(is_online).copied().collect::<Vec<_>>()
            })
        });
        online.flatten().collect()
    }

    /// Returns the members of a list who are online.
    pub(crate) fn members(self: &Arc<Self>, list: MemberList) -> Vec<Member<M>> {
        self.settle_gone();
        let candidates = self.peek(|admission| admission.member_candidates(list));
        let members = candidates.chunks(LOOKED_UP).map(|some| {
            self.peek(|admission| {
                let member = |&(user, came)| admission.member(list, user, came);
                some.iter().filter_map(member).collect::<Vec<_>>()
            })
        });
        members.flatten().collect()
    }
}
