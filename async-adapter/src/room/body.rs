//! The halves of a room and their locks. A room that nobody has called yet has none: what it would
//! say is what a fresh one says.

use super::gate::{Gate, Stands};
use super::{AdmissionState, SharedRoom};
use crate::room::audience_shard::AudienceShard;
use crate::sync::atomic::AtomicU32;
use crate::sync::{Arc, Mutex, OnceLock};
use roomcast_core::room::RoomSnapshot;
use roomcast_core::{Admission, Audience, Payload};

/// What of a room is made when it is first called.
#[derive(Debug)]
pub(super) struct Body<M> {
    pub(super) admission: Mutex<AdmissionState<M>>,
    /// One for each worker that the room may use; opened in order, as the audience grows.
    pub(super) shards: Box<[OnceLock<Arc<AudienceShard<M>>>]>,
    pub(super) open: AtomicU32,
}

impl<M: Payload + Send + Sync + 'static> SharedRoom<M> {
    /// The halves, made now if the room has not been called yet.
    #[inline]
    pub(super) fn body(&self) -> &Body<M> {
        match self.body.get() {
            Some(body) => body,
            None => self.make_body(),
        }
    }

    #[cold]
    fn make_body(&self) -> &Body<M> {
        self.body.get_or_init(|| self.fresh_body(Stands::AtRoom))
    }

    /// The halves of a room that nobody has called yet.
    pub(super) fn fresh_body(&self, stands: Stands) -> Box<Body<M>> {
        let (admission, audience) = self.fresh_halves(stands);
        let part = self.sharding.part(0);
        let first = Arc::new(AudienceShard::new(part, audience, self.fence()));
        let others = (1..self.sharding.shards()).map(|_| OnceLock::new());
        let shards = std::iter::once(OnceLock::from(first)).chain(others).collect();
        let state = AdmissionState { admission, armed: None, imported: self.first_broadcast };
        Box::new(Body { admission: Mutex::new(state), shards, open: AtomicU32::new(1) })
    }

    fn fresh_halves(&self, stands: Stands) -> (Gate<M>, Audience<M>) {
        let config = self.settings();
        let mut admission = Gate::new(stands, &config, self.life);
        admission.skip_first_broadcasts(self.first_broadcast);
        let part = self.sharding.part(0);
        let audience = Audience::shard(&config, part, admission.heads()).with_life(self.life);
        (admission, audience)
    }

    /// Looks at the admission. A room that nobody has called yet stays so.
    pub(crate) fn peek<R>(&self, look: impl FnOnce(&Admission<M>) -> R) -> R {
        match self.body.get() {
            Some(body) => look(&body.admission.lock().admission),
            None => look(&self.fresh_halves(Stands::AtRoom).0),
        }
    }

    /// The books of a room that nobody has called yet.
    pub(super) fn fresh_snapshot(&self) -> RoomSnapshot {
        let (admission, audience) = self.fresh_halves(Stands::AtRoom);
        let mut books = admission.snapshot(self.now());
        books.broadcasts_pending = admission.broadcasts_pending(self.broadcast_log.count());
        RoomSnapshot::new(books, audience.snapshot())
    }
}
