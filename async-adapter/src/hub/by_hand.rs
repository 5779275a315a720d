//! A hub that one thread drives, in virtual time: for the oracle of this workspace's tests.

use super::name::Name;
use super::worker_loop::{Next, WorkerLoop};
use super::{Hub, HubBuilder};
use roomcast_core::Payload;

/// The workers of a hub, which nobody turns but who holds them.
#[derive(Debug)]
pub struct ByHand<M: Payload + Send + Sync + 'static>(Vec<WorkerLoop<M>>);

/// A hub and its workers. A room opens another shard once each that it has holds
/// `sessions_per_shard`.
pub fn by_hand<M: Payload + Send + Sync + 'static, U: Name>(
    builder: HubBuilder<M, U>,
    sessions_per_shard: u32,
) -> (Hub<M, U>, ByHand<M>) {
    let (hub, workers) = builder.sessions_per_shard(sessions_per_shard).by_hand();
    (hub, ByHand(workers))
}

impl<M: Payload + Send + Sync + 'static> ByHand<M> {
    /// Turns each worker once, and returns whether there is more to do before time goes on.
    pub fn turn(&mut self) -> bool {
        let mut more = false;
        for worker in &mut self.0 {
            more |= matches!(worker.turn(), Next::Now);
        }
        // A later worker may have asked an earlier one.
        more || self.0.iter().any(WorkerLoop::is_called)
    }
}
