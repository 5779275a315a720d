//! How the workers let every room hear a broadcast: each walks round its share of the hub's rooms.
//! [Decision D24](roomcast_core::design#d24-a-broadcast-is-one-log).

use super::registry::RoomRegistry;
use crate::drive::fence::Fence;
use roomcast_core::Payload;

/// The walk of one worker. There is one however many broadcasts come while it is under way: it goes
/// on from where it is until it has been round since the newest. A room that it passes hears all
/// that has been broadcast so far, so no room waits for more than one round.
#[derive(Debug)]
pub(crate) struct Spread {
    /// The slices of the registry that are this worker's: every `workers`-th from its own number
    /// on.
    worker: usize,
    workers: usize,
    /// The next slice.
    next: usize,
    /// Slices that are left of this round.
    left: usize,
    /// Broadcasts that the round is for.
    count: u64,
}

impl Spread {
    pub(crate) fn new(worker: usize, workers: usize) -> Self {
        Self { worker, workers: workers.max(1), next: worker, left: 0, count: 0 }
    }

    /// Returns whether some rooms have yet to be passed.
    pub(crate) fn is_under_way(&self) -> bool {
        self.left > 0
    }

    /// Lets the next rooms hear what has been broadcast, of which there are `count` by now. Returns
    /// how many rooms those were.
    pub(crate) fn step<M: Payload + Send + Sync + 'static>(
        &mut self,
        registry: &RoomRegistry<M>,
        count: u64,
        fence: &Fence,
    ) -> usize {
        if count != self.count {
            self.count = count;
            self.left = registry.slices().saturating_sub(self.worker).div_ceil(self.workers);
        }
        if self.left == 0 {
            return 0;
        }
        self.left -= 1;
        if self.next >= registry.slices() {
            self.next = self.worker;
        }
        let rooms = registry.slice(self.next);
        self.next += self.workers;
        for shared in &rooms {
            // Every call takes it over first.
            fence.call(|| shared.admit(|_, _| ()));
        }
        rooms.len()
    }
}

#[cfg(test)]
mod tests {
    use crate::hub::Hub;
    use crate::hub::worker_loop::WorkerLoop;
    use roomcast_core::broadcasts::{Broadcast, BroadcastLimits};
    use roomcast_core::message::DedupKey;
    use roomcast_core::quota::Quota;
    use roomcast_core::{RoomConfig, RoomId};
    use std::num::NonZeroU32;

    fn turn(workers: &mut [WorkerLoop<&'static str>]) {
        for worker in workers {
            worker.turn();
        }
    }

    /// Two broadcasts come for each turn of a worker, so that none is round before the next.
    #[test]
    fn a16_broadcasts_in_a_row_reach_the_last_room() {
        const BROADCASTS: u64 = 200;
        let mut limits = BroadcastLimits::default();
        limits.quota = Quota::per_second(NonZeroU32::MAX);
        let hub = Hub::<&'static str>::builder().workers(2).broadcasts(limits);
        let (hub, mut workers) = hub.by_hand();
        let rooms: Vec<_> = (0..1_500)
            .map(|id| hub.create_room(RoomId(id), &RoomConfig::default()).unwrap())
            .collect();
        // What a new room has to be visited for is done with.
        for _ in 0..100 {
            turn(&mut workers);
        }
        let broadcast = |key| hub.broadcast(Broadcast::new(DedupKey(key), "to all"));
        for key in 0..BROADCASTS / 2 {
            broadcast(2 * key).unwrap();
            broadcast(2 * key + 1).unwrap();
            turn(&mut workers);
        }
        let heard = || {
            let books = rooms.iter().map(|room| room.stats().room.admission.ledger.total());
            books.map(|books| books.dispatched).min()
        };
        // A round is fewer broadcasts than are kept: nobody has missed any of those before it.
        assert!(heard() >= Some(BROADCASTS - 64), "{:?} of {BROADCASTS}", heard());
        for _ in 0..100 {
            turn(&mut workers);
        }
        assert_eq!(heard(), Some(BROADCASTS));
    }
}
