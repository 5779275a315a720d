//! Opening rooms and looking them up, by name or by number.

use super::keys::RoomKey;
use super::name::Name;
use super::registry::{Beginning, Changed, Looked, Opened};
use super::room_names::Sought;
use super::seeds::{Use, next_life};
use super::{FIRST_NAMED, Inner};
use crate::room::SharedRoom;
use crate::room::gate::Stands;
use crate::room::mentions::Mentions;
use crate::sync::Arc;
use crate::trace;
use roomcast_core::engine::CreateRoomError;
use roomcast_core::{Payload, RoomConfig, RoomId};

impl<M: Payload + Send + Sync + 'static, U: Name> Inner<M, U> {
    /// Makes the room that a key stands for, or returns the one that there is. Its note is its
    /// name.
    pub(super) fn open(
        &self,
        key: RoomKey<U>,
        config: &RoomConfig,
        stands: Stands,
    ) -> Result<Opened<M, Option<Arc<U>>>, CreateRoomError> {
        let names = self.names.rooms();
        let opened = self.settled(key, |sought| {
            self.registry.open(
                || names.find(sought),
                || names.begin(sought),
                |id, beginning| self.make(id, beginning, config, stands),
                |id| names.name_of(id),
            )
        })?;
        if opened.is_new {
            trace::room_opened(opened.shared.id());
            opened.shared.begin();
        }
        Ok(opened)
    }

    fn make(
        &self,
        id: RoomId,
        Beginning { made, worker }: Beginning,
        config: &RoomConfig,
        stands: Stands,
    ) -> Arc<SharedRoom<M>> {
        let workers = Arc::clone(&self.workers_from[worker]);
        let config = self.share(config).or_seed(self.seeds.of(Use::Room(seeded_by(id, made))));
        let (log, hooks) = (Arc::clone(&self.broadcast_log), Arc::clone(&self.hooks));
        let mentions = Arc::clone(&self.names) as Arc<dyn Mentions>;
        let (life, key) = (next_life(), Arc::clone(&self.token_key));
        let spread = (self.sharding, workers);
        let shared =
            SharedRoom::new((id, life), &config, stands, spread, log, hooks, mentions, key);
        if let Some(copy) = self.audit_copy {
            shared.keep_audit_payloads(copy);
        }
        shared
    }

    /// Rooms that are configured alike one after the other share what says so.
    fn share(&self, config: &RoomConfig) -> RoomConfig {
        let mut last = self.last_config.lock();
        let config = match &*last {
            Some(last) => config.clone().sharing(last),
            None => config.clone(),
        };
        *last = Some(config.clone());
        config
    }

    /// Returns the room that a key stands for, if there is one, and its name.
    pub(super) fn look_up(&self, key: RoomKey<U>) -> Looked<M, Option<Arc<U>>> {
        let names = self.names.rooms();
        self.settled(key, |sought| {
            self.registry.find(|| names.find(sought), |id| names.name_of(id))
        })
    }

    /// Forgets the room that a key stands for, and returns it with its name.
    pub(super) fn remove(&self, key: RoomKey<U>) -> Looked<M, Option<Arc<U>>> {
        let names = self.names.rooms();
        self.settled(key, |sought| {
            self.registry.remove(|| names.find(sought), |id| names.name_of(id))
        })
    }

    /// Looks a key up with nothing locked, and calls; again, if it stands for another room by then.
    fn settled<R>(&self, key: RoomKey<U>, call: impl Fn(&Sought<U>) -> Result<R, Changed>) -> R {
        let names = self.names.rooms();
        let mut sought = names.seek(key);
        loop {
            match call(&sought) {
                Ok(answer) => return answer,
                Err(Changed) => sought = names.seek_again(sought),
            }
        }
    }
}

/// The id by which a room's seed is drawn: a named room's own is another in each process.
fn seeded_by(id: RoomId, made: usize) -> RoomId {
    if id.0 < FIRST_NAMED { id } else { RoomId(FIRST_NAMED | made as u64) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Hub;
    use roomcast_core::Actor;
    use std::cell::{Cell, RefCell};
    use std::hash::{Hash, Hasher};

    type Looking = RefCell<Option<Box<dyn Fn() -> bool>>>;

    thread_local! {
        /// Whether the registry is locked.
        static IS_LOCKED: Looking = RefCell::default();
        static CALLS: Cell<(u32, u32)> = Cell::default();
    }

    /// A name that looks, in all that is asked of it, whether the registry is locked.
    struct Nosy(u8);

    impl Nosy {
        fn look() {
            let is_locked = IS_LOCKED.with_borrow(|look| look.as_ref().is_some_and(|look| look()));
            let (calls, locked) = CALLS.get();
            CALLS.set((calls + 1, locked + u32::from(is_locked)));
        }
    }

    impl PartialEq for Nosy {
        fn eq(&self, other: &Self) -> bool {
            Self::look();
            self.0 == other.0
        }
    }

    impl Eq for Nosy {}

    impl Hash for Nosy {
        fn hash<H: Hasher>(&self, state: &mut H) {
            Self::look();
            state.write_u8(self.0);
        }
    }

    impl Clone for Nosy {
        fn clone(&self) -> Self {
            Self::look();
            Self(self.0)
        }
    }

    impl Drop for Nosy {
        fn drop(&mut self) {
            Self::look();
        }
    }

    /// However rooms come and go: here each eighth stays for long.
    #[test]
    fn rooms_that_are_replaced_stay_spread_over_the_workers() {
        let (hub, _drivers) = Hub::<&str>::builder().workers(8).by_hand();
        let config = RoomConfig::default();
        let mut rooms: Vec<_> =
            (0..800).map(|id| hub.create_room(RoomId(id), &config).unwrap()).collect();
        for round in 1..4 {
            for id in (0..800).filter(|id| id % 8 != 0) {
                hub.remove_room(RoomId(800 * (round - 1) + id));
            }
            rooms.retain(|room| hub.room(room.id()).is_some());
            // As many as two workers had.
            let ids = (0..200).map(|id| RoomId(800 * round + id));
            rooms.extend(ids.map(|id| hub.create_room(id, &config).unwrap()));
            let begin_at = |worker: &Arc<_>| {
                rooms
                    .iter()
                    .filter(|room| Arc::ptr_eq(room.shared().first_worker(), worker))
                    .count()
            };
            let counts: Vec<_> = hub.inner.workers.0.iter().map(begin_at).collect();
            assert!(counts.iter().all(|&count| count <= 100), "{counts:?}");
        }
    }

    #[test]
    fn no_code_of_a_rooms_name_runs_under_the_registry() {
        let (hub, mut drivers) = Hub::<&str, Nosy>::builder().workers(1).max_rooms(2).by_hand();
        let registry = Arc::clone(&hub.inner.registry);
        IS_LOCKED.with_borrow_mut(|look| *look = Some(Box::new(move || registry.is_locked())));
        let config = RoomConfig::default();
        let open = |name| hub.open_room(RoomKey::Name(Nosy(name)), &config);
        let first = open(1).unwrap();
        assert!(!open(1).unwrap().is_new());
        open(2).unwrap();
        assert!(open(3).is_err());
        hub.remove_room(RoomKey::Name(Nosy(2))).unwrap();
        first.close(Actor::Host).unwrap();
        assert!(open(1).unwrap().is_new());
        assert!(hub.open_room(first.id(), &config).unwrap().name().is_none());
        open(1).unwrap().close(Actor::Host).unwrap();
        drivers[0].turn();
        assert_eq!(hub.rooms().len(), 1);
        let (calls, locked) = CALLS.get();
        assert!(calls > 10);
        assert_eq!(locked, 0, "of {calls} calls");
        IS_LOCKED.with_borrow_mut(|look| *look = None);
    }
}
