//! Sessions whose subscription was dropped. They have left at once for whoever counts or looks up
//! sessions, though dropping takes none of the room's locks:
//! [decision D6](roomcast_core::design#d6-nothing-foreign-is-dropped-under-a-lock).

use super::{Job, SharedRoom, TakenOut};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::channel::{Receiver, Sender, unbounded};
use crate::sync::{Arc, Mutex, OnceLock};
use roomcast_core::{Payload, SessionId};

/// Sessions that are taken out before any of it is told.
const SOME: usize = 64;

/// The sessions that were dropped and have yet to be taken out.
#[derive(Debug, Default)]
pub(super) struct Gone {
    /// Made when the first is dropped.
    queue: OnceLock<(Sender<SessionId>, Mutex<Receiver<SessionId>>)>,
    /// How many there may be.
    waiting: AtomicUsize,
    /// Whether the worker has been asked to take them out.
    called: AtomicBool,
}

impl<M: Payload + Send + Sync + 'static> SharedRoom<M> {
    /// A subscription was dropped: its session is put down as gone. Takes none of the room's locks.
    pub(crate) fn abandon(self: &Arc<Self>, session: SessionId) {
        let (sender, _) = self.gone.queue.get_or_init(|| {
            let (sender, receiver) = unbounded();
            (sender, Mutex::new(receiver))
        });
        self.gone.waiting.fetch_add(1, Ordering::AcqRel);
        // The room holds the other end.
        let _ = sender.send(session);
        if !self.gone.called.swap(true, Ordering::AcqRel) {
            let index = self.shard_number(session);
            self.workers[index as usize].send(Job::Gone(Arc::clone(self)));
        }
    }

    /// The worker comes to take out who has gone.
    pub(crate) fn visit_gone(self: &Arc<Self>) {
        self.gone.called.store(false, Ordering::Release);
        self.settle_gone();
    }

    /// Takes out who has gone, before a call that counts sessions or looks them up. Another thread
    /// that does so is waited for. Not under any lock.
    #[inline]
    pub(crate) fn settle_gone(self: &Arc<Self>) {
        if self.gone.waiting.load(Ordering::Acquire) > 0 {
            self.take_out_gone();
        }
    }

    #[cold]
    fn take_out_gone(self: &Arc<Self>) {
        let Some((_, receiver)) = self.gone.queue.get() else { return };
        loop {
            // Events are told, and readers woken, once nobody is kept from settling any more.
            let some: Vec<TakenOut<M>> = {
                let receiver = receiver.lock();
                let some: Vec<SessionId> = receiver.try_iter().take(SOME).collect();
                let out = some.iter().filter_map(|&session| self.take_out(session)).collect();
                self.gone.waiting.fetch_sub(some.len(), Ordering::AcqRel);
                out
            };
            if some.is_empty() {
                return;
            }
            for taken in some {
                self.finish_taking_out(taken);
            }
        }
    }
}
