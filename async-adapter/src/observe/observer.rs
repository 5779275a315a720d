//! Looks at the books of all rooms, some in each turn of one worker, and tells what has changed.

use super::ObserveOptions;
use super::counted::Counted;
use super::shedding::{Edge, Shed, Shedding};
use crate::drive::clock::Clock;
use crate::drive::worker::Common;
use crate::hub::registry::RoomRegistry;
use crate::room::SharedRoom;
use crate::stats::RoomStats;
use crate::sync::atomic::Ordering;
use crate::sync::{Arc, Mutex, Weak};
use crate::trace;
use roomcast_core::{Instant, Memory, Payload, RoomId};
use std::cell::Cell;
use std::collections::HashMap;
use std::time::Duration;

/// The shortest time from one look to the next.
const LEAST: Duration = Duration::from_millis(10);

thread_local! {
    /// Whether this thread is in a look: a recorder or a subscriber may call the hub.
    static IS_LOOKING: Cell<bool> = const { Cell::new(false) };
}

/// Whoever looks at the rooms of a hub.
pub(crate) struct Observer<M: Payload + Send + Sync + 'static> {
    every: Duration,
    common: Arc<Common>,
    /// The rooms of the hub, which lives as long as its handles do.
    registry: Weak<RoomRegistry<M>>,
    /// No room is locked where this is taken.
    looks: Mutex<Looks>,
}

impl<M: Payload + Send + Sync + 'static> std::fmt::Debug for Observer<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observer").field("every", &self.every).finish_non_exhaustive()
    }
}

/// The look under way, and what those before have found.
struct Looks {
    /// When the next one begins.
    next: Instant,
    /// The slice of the registry that the one under way comes to next.
    slice: Option<usize>,
    /// The number of the last one that began.
    number: u64,
    counted: Counted,
    sheds: Sheds,
    memory: Memory,
}

impl<M: Payload + Send + Sync + 'static> Observer<M> {
    pub(crate) fn new(
        options: &ObserveOptions,
        common: Arc<Common>,
        registry: Weak<RoomRegistry<M>>,
    ) -> Self {
        let looks = Looks {
            next: common.clock.now() + options.every.max(LEAST),
            slice: None,
            number: 0,
            counted: Counted::new(options.hub.as_deref()),
            sheds: Sheds { calm_after: options.calm_after, ..Sheds::default() },
            memory: Memory::Free,
        };
        Self { every: options.every.max(LEAST), common, registry, looks: Mutex::new(looks) }
    }

    /// Looks at some rooms, if it is time to; returns how long until there is more to do.
    pub(crate) fn step(&self, now: Instant) -> Duration {
        let mut looks = self.looks.lock();
        // The clock may have been wrong, and be right again.
        looks.next = looks.next.min(now + self.every);
        let rest = looks.next.saturating_since(now);
        if looks.slice.is_none() && !rest.is_zero() {
            return rest;
        }
        if self.go_on(&mut looks, now) { self.every } else { Duration::ZERO }
    }

    /// Looks at all rooms now. Returns whether it did: not from within a look.
    pub(crate) fn look(&self, now: Instant) -> bool {
        if IS_LOOKING.get() {
            return false;
        }
        let mut looks = self.looks.lock();
        // What one under way has seen is older than this call.
        looks.slice = None;
        while !self.go_on(&mut looks, now) {}
        true
    }

    /// Goes on with a look, or begins one; returns whether it is done.
    fn go_on(&self, looks: &mut Looks, now: Instant) -> bool {
        let Some(registry) = self.registry.upgrade() else { return true };
        IS_LOOKING.set(true);
        // What the host has installed may panic; then the next look tells.
        let is_done = self.common.fence.call(|| self.look_at_some(looks, &registry, now));
        IS_LOOKING.set(false);
        let is_done = is_done.unwrap_or(true);
        if is_done {
            (looks.slice, looks.next) = (None, now + self.every);
        }
        is_done
    }

    fn look_at_some(&self, looks: &mut Looks, registry: &RoomRegistry<M>, now: Instant) -> bool {
        let slice = looks.slice.unwrap_or_else(|| {
            looks.number += 1;
            looks.counted.begin();
            0
        });
        looks.slice = Some(slice + 1);
        if slice < registry.slices() {
            for shared in registry.slice(slice) {
                looks.see(&shared, &stats(&shared), now);
                looks.counted.add_one_room();
            }
            return false;
        }
        self.look_at_removed(looks, registry, now);
        self.tell(looks, registry);
        true
    }

    /// Rooms that the hub has let go of count for as long as anybody has them, and what they have
    /// counted stays.
    fn look_at_removed(&self, looks: &mut Looks, registry: &RoomRegistry<M>, now: Instant) {
        let (mut kept, mut over) = (Vec::new(), Vec::new());
        for shared in registry.take_removed() {
            if shared.looked_at.load(Ordering::Relaxed) == looks.number {
                // Seen before it went. It is in the next look.
                kept.push(shared);
            } else if Arc::strong_count(&shared) > 1 {
                looks.see(&shared, &stats(&shared), now);
                kept.push(shared);
            } else {
                // Nobody else can call it any more.
                looks.see_last(&shared, &stats(&shared), now);
                over.push(shared);
            }
        }
        registry.keep_removed(kept);
        self.common.fence.drop_each(over);
    }

    /// Tells what the look has found.
    fn tell(&self, looks: &mut Looks, registry: &RoomRegistry<M>) {
        let fence = &self.common.fence;
        for (room, edge) in looks.sheds.take_edges(looks.number) {
            fence.call(|| match edge {
                Edge::Started(shed) => trace::shedding_started(room, &shed),
                Edge::Stopped(shedded) => trace::shedding_stopped(room, &shedded),
            });
        }
        let uses = self.common.memory.as_ref().map(|memory| memory.uses()).unwrap_or_default();
        let before = std::mem::replace(&mut looks.memory, uses.memory());
        if before != looks.memory {
            fence.call(|| trace::memory_changed(&uses));
        }
        looks.counted.add_memory(&uses);
        looks.counted.add_hub(registry.made(), fence.caught(), self.common.clock.cut());
        looks.counted.add_sheds(looks.sheds.count(), looks.sheds.started);
        #[cfg(all(feature = "metrics", feature = "tokio"))]
        if let Some(pumps) = &self.common.pumps {
            looks.counted.add_pumps(&pumps.stats());
        }
        looks.counted.tell();
    }
}

fn stats<M: Payload + Send + Sync + 'static>(shared: &Arc<SharedRoom<M>>) -> RoomStats {
    RoomStats { room: shared.snapshot(), unsent: shared.unsent() }
}

impl Looks {
    /// A room that is there.
    fn see<M: Payload + Send + Sync + 'static>(
        &mut self,
        shared: &Arc<SharedRoom<M>>,
        stats: &RoomStats,
        now: Instant,
    ) {
        shared.looked_at.store(self.number, Ordering::Relaxed);
        self.counted.add_room(stats);
        self.sheds.see(shared, stats, now, self.number);
    }

    /// A room that is there no more.
    fn see_last<M: Payload + Send + Sync + 'static>(
        &mut self,
        shared: &Arc<SharedRoom<M>>,
        stats: &RoomStats,
        now: Instant,
    ) {
        self.counted.add_gone(stats);
        // It is in no later look, so it has stopped.
        self.sheds.see(shared, stats, now, self.number - 1);
    }
}

/// The rooms that have shed at some time.
#[derive(Default)]
struct Sheds {
    calm_after: Duration,
    /// By their addresses, which nobody else has while they are kept.
    rooms: HashMap<usize, Seen>,
    /// What the look under way has found.
    edges: Vec<(RoomId, Edge)>,
    /// How often a room began.
    started: u64,
}

struct Seen {
    id: RoomId,
    shedding: Shedding,
    /// The look that it was in last.
    number: u64,
}

impl Sheds {
    fn see<M: Payload + Send + Sync + 'static>(
        &mut self,
        shared: &Arc<SharedRoom<M>>,
        stats: &RoomStats,
        now: Instant,
        number: u64,
    ) {
        let shed = Shed::of(&stats.room.admission.ledger);
        if shed.is_none() {
            return;
        }
        let id = shared.id();
        let fresh = || Seen { id, shedding: Shedding::default(), number };
        let seen = self.rooms.entry(Arc::as_ptr(shared) as usize).or_insert_with(fresh);
        seen.number = number;
        let edge = seen.shedding.look(now, shed, self.calm_after);
        self.started += u64::from(matches!(edge, Some(Edge::Started(_))));
        self.edges.extend(edge.map(|edge| (id, edge)));
    }

    /// What the look with this number has found. Rooms that it has not seen are gone.
    fn take_edges(&mut self, number: u64) -> Vec<(RoomId, Edge)> {
        let edges = &mut self.edges;
        self.rooms.retain(|_, seen| {
            let is_there = seen.number == number;
            if !is_there && let Some(shedded) = seen.shedding.stop() {
                edges.push((seen.id, Edge::Stopped(shedded)));
            }
            is_there
        });
        std::mem::take(edges)
    }

    /// How many shed now.
    fn count(&self) -> usize {
        self.rooms.values().filter(|seen| seen.shedding.is_shedding()).count()
    }
}

#[cfg(all(test, feature = "metrics"))]
mod tests {
    use super::*;
    use crate::hub::Hub;
    use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
    use roomcast_core::{Publish, RoomConfig, Source};

    /// What was dispatched since this was asked last, as the recorder knows it.
    fn dispatched(recorder: &Snapshotter) -> u64 {
        let counts = recorder.snapshot().into_vec().into_iter();
        let counts = counts
            .filter(|(key, ..)| key.key().name() == "roomcast_messages_dispatched_total")
            .map(|(.., value)| match value {
                DebugValue::Counter(more) => more,
                other => panic!("{other:?} is no counter"),
            });
        counts.sum()
    }

    /// While a look is under way some rooms have been seen, and others have yet to be.
    #[test]
    fn a_room_that_is_removed_meanwhile_counts_once() {
        const ROOMS: u64 = 300;
        let recorder = DebuggingRecorder::new();
        let told = recorder.snapshotter();
        let _installed = metrics::set_default_local_recorder(&recorder);
        let options = ObserveOptions { every: Duration::ZERO, ..ObserveOptions::default() };
        let (hub, mut workers) = Hub::<&str>::builder().workers(1).observe(options).by_hand();
        let rooms = (0..ROOMS).map(RoomId);
        for id in rooms.clone() {
            let room = hub.create_room(id, &RoomConfig::fan_out()).unwrap();
            let _ = room.try_publish(Publish::new(Source::Host, "hello")).unwrap();
        }
        let observer = Arc::clone(workers[0].observer().unwrap());
        let later = hub.now() + Duration::from_secs(1);
        // The first slice.
        assert!(observer.step(later).is_zero());
        for id in rooms.filter(|id| id.0 % 3 == 0) {
            hub.remove_room(id).unwrap();
        }
        while observer.step(later).is_zero() {}
        let (seen, number) = (dispatched(&told), observer.looks.lock().number);
        assert_eq!((seen, number), (ROOMS, 1));
        // Nobody has them any more, when the worker has let go of them.
        while matches!(workers[0].turn(), crate::hub::worker_loop::Next::Now) {}
        for _ in 0..3 {
            assert!(hub.observe_now());
            assert_eq!(dispatched(&told), 0);
        }
    }
}
