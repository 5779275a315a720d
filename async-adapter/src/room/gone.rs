//! Sessions whose subscription was dropped. They have left at once for whoever counts or looks up
//! sessions, though dropping takes none of the room's locks:
//! [decision D6](roomcast_core::design#d6-nothing-foreign-is-dropped-under-a-lock).

use super::{Job, SharedRoom};
use crate::drive::called::Called;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::channel::{Receiver, Sender, unbounded};
use crate::sync::{Arc, Mutex, OnceLock};
use roomcast_core::{Payload, SessionId};

/// Sessions that are taken out before any of it is told.
const SOME: usize = 64;

/// Both ends of a channel.
type Queue = (Sender<SessionId>, Mutex<Receiver<SessionId>>);

/// The sessions that were dropped and have yet to be taken out.
#[derive(Debug, Default)]
pub(crate) struct Gone {
    /// Made when the first is dropped.
    queue: OnceLock<Box<Queue>>,
    /// How many there may be.
    waiting: AtomicUsize,
    /// Whether the worker has been asked to take them out.
    called: Called,
}

impl Gone {
    /// Puts a session down. Returns whether the worker has to be told.
    pub(crate) fn put(&self, session: SessionId) -> bool {
        let queue = self.queue.get_or_init(|| {
            let (sender, receiver) = unbounded();
            Box::new((sender, Mutex::new(receiver)))
        });
        self.waiting.fetch_add(1, Ordering::AcqRel);
        // The other end is here, too.
        let _ = queue.0.send(session);
        self.called.call()
    }

    /// The worker is here, to take all out.
    pub(crate) fn answer(&self) {
        self.called.answer();
    }

    /// Whether there may be some.
    #[inline]
    pub(crate) fn may_be_some(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// Takes some, and `take` takes each out. Another thread that does so is waited for. `None`
    /// when there is none.
    pub(crate) fn take_some<T>(&self, take: impl FnMut(SessionId) -> Option<T>) -> Option<Vec<T>> {
        let (_, receiver) = &**self.queue.get()?;
        let receiver = receiver.lock();
        let some: Vec<SessionId> = receiver.try_iter().take(SOME).collect();
        let count = some.len();
        let out = some.into_iter().filter_map(take).collect();
        self.waiting.fetch_sub(count, Ordering::AcqRel);
        (count > 0).then_some(out)
    }
}

impl<M: Payload + Send + Sync + 'static> SharedRoom<M> {
    /// A subscription was dropped: its session is put down as gone. Takes none of the room's locks.
    pub(crate) fn abandon(self: &Arc<Self>, session: SessionId) {
        if self.gone.put(session) {
            let index = self.shard_number(session);
            self.workers[index as usize].send(Job::Gone(Arc::clone(self)));
        }
    }

    /// The worker comes to take out who has gone.
    pub(crate) fn visit_gone(self: &Arc<Self>) {
        self.gone.answer();
        self.settle_gone();
    }

    /// Takes out who has gone, before a call that counts sessions or looks them up. Another thread
    /// that does so is waited for. Not under any lock.
    #[inline]
    pub(crate) fn settle_gone(self: &Arc<Self>) {
        if self.gone.may_be_some() {
            self.take_out_gone();
        }
    }

    #[cold]
    fn take_out_gone(self: &Arc<Self>) {
        // Events are told, and readers woken, once nobody is kept from settling any more.
        while let Some(some) = self.gone.take_some(|session| self.take_out(session)) {
            for taken in some {
                self.finish_taking_out(taken);
            }
        }
    }
}
