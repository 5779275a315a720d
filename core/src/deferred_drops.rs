//! Values that are dropped later, where no lock is held:
//! [decision D6](crate::design#d6-nothing-foreign-is-dropped-under-a-lock).

use crate::direct::Direct;
use crate::message::Message;
use crate::profile::Profile;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use smallvec::SmallVec;

/// What a half of a room is done with: payloads, profiles, messages that fell out of the log,
/// direct messages that were read.
///
/// Dropping a payload may run code of the host's. Who calls a half under a lock takes the deferred
/// drops out and drops it once the lock is free. Who does not need not ask: the next publish,
/// verdict or [`handle_timeout`](crate::Admission::handle_timeout) clears away what an admission is
/// done with, and of what nobody takes there is never more than 8,192 things.
#[derive(Debug)]
#[must_use = "take it to drop it outside the lock"]
pub struct DeferredDrops<M> {
    payloads: SmallVec<[M; 1]>,
    messages: SmallVec<[Arc<Message<M>>; 2]>,
    rare: Option<Box<Rare<M>>>,
    /// How many there are: every call asks.
    things: u32,
}

/// What few calls leave.
#[derive(Debug)]
struct Rare<M> {
    profiles: Vec<Arc<M>>,
    directs: Vec<Arc<Direct<M>>>,
}

impl<M> Default for Rare<M> {
    fn default() -> Self {
        Self { profiles: Vec::new(), directs: Vec::new() }
    }
}

/// The maximum number of things that wait to be taken; more are dropped where they come up. No call
/// of a room in its default configuration leaves as many.
const MOST: u32 = 8_192;

impl<M> Default for DeferredDrops<M> {
    fn default() -> Self {
        Self { payloads: SmallVec::new(), messages: SmallVec::new(), rare: None, things: 0 }
    }
}

impl<M> DeferredDrops<M> {
    /// Whether there is nothing in it.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.things == 0
    }

    /// One more comes.
    #[inline]
    fn count(&mut self) {
        if self.things == MOST {
            self.empty();
        }
        self.things += 1;
    }

    pub(crate) fn add_payload(&mut self, payload: M) {
        self.count();
        self.payloads.push(payload);
    }

    pub(crate) fn add_profile(&mut self, profile: Option<Profile<M>>) {
        if let Some(profile) = profile {
            self.count();
            self.rare.get_or_insert_default().profiles.push(profile.content);
        }
    }

    #[inline]
    pub(crate) fn add_message(&mut self, message: Arc<Message<M>>) {
        self.count();
        self.messages.push(message);
    }

    pub(crate) fn add_messages(&mut self, messages: impl IntoIterator<Item = Arc<Message<M>>>) {
        for message in messages {
            self.count();
            self.messages.push(message);
        }
    }

    pub(crate) fn add_directs(&mut self, directs: impl IntoIterator<Item = Arc<Direct<M>>>) {
        for direct in directs {
            self.count();
            self.rare.get_or_insert_default().directs.push(direct);
        }
    }

    /// Drops one thing; returns whether there was one. A host whose payloads may panic as they are
    /// dropped calls this until it returns `false`, and again where it panics: each thing is taken
    /// out before it is dropped.
    pub fn drop_one(&mut self) -> bool {
        self.things = self.things.saturating_sub(1);
        if let Some(payload) = self.payloads.pop() {
            drop(payload);
        } else if let Some(message) = self.messages.pop() {
            drop(message);
        } else if let Some(profile) = self.rare.as_mut().and_then(|rare| rare.profiles.pop()) {
            drop(profile);
        } else if let Some(direct) = self.rare.as_mut().and_then(|rare| rare.directs.pop()) {
            drop(direct);
        } else {
            return false;
        }
        true
    }

    /// Takes it out, if there is any.
    pub(crate) fn take(&mut self) -> Option<Self> {
        (self.things > 0).then(|| core::mem::take(self))
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        if self.things > 0 {
            self.empty();
        }
    }

    fn empty(&mut self) {
        self.things = 0;
        self.payloads.clear();
        self.messages.clear();
        self.rare = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_takes_does_not_pile_up() {
        let mut deferred = DeferredDrops::default();
        let profile = Arc::new("profile");
        for _ in 0..3 * MOST {
            deferred.add_profile(Some(Profile::from((Arc::clone(&profile), 2))));
        }
        assert_eq!(Arc::strong_count(&profile), 1 + MOST as usize);
        assert_eq!(
            deferred.take().map(|taken| taken.rare.unwrap().profiles.len()),
            Some(MOST as usize)
        );
        assert!(deferred.is_empty());
    }
}
