//! The fence around code of the host's: wakers, hooks, payloads that are dropped.
//! [Decision D45](roomcast_core::design#d45-foreign-code-is-fenced).

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::trace;
use roomcast_core::deferred_drops::DeferredDrops;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Counts the panics that it keeps from what called.
#[derive(Debug, Default)]
pub(crate) struct Fence(AtomicU64);

impl Fence {
    /// Panics so far.
    pub(crate) fn caught(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Calls; `None` if that panics. What the call can reach of ours has to be whole where it calls
    /// foreign code.
    #[inline]
    pub(crate) fn call<R>(&self, call: impl FnOnce() -> R) -> Option<R> {
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(answer) => Some(answer),
            Err(panic) => {
                self.note(&*panic);
                None
            }
        }
    }

    #[cold]
    fn note(&self, panic: &(dyn Any + Send)) {
        let panics = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        // A subscriber is foreign, too.
        let _ = catch_unwind(AssertUnwindSafe(|| trace::panic_caught(panics, panic)));
    }

    /// Drops what a half of a room is done with. One that panics keeps none of the others.
    pub(crate) fn drop_deferred<M>(&self, deferred: impl IntoIterator<Item = DeferredDrops<M>>) {
        for mut deferred in deferred {
            while self.call(|| while deferred.drop_one() {}).is_none() {}
        }
    }

    /// Drops what may be the last of a payload, one after the other.
    #[cfg(any(feature = "tokio", feature = "metrics", feature = "tracing", test))]
    pub(crate) fn drop_each<T>(&self, things: impl IntoIterator<Item = T>) {
        for thing in things {
            self.call(|| drop(thing));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::Arc;

    /// Panics when it is dropped, and counts.
    struct Bomb(Arc<AtomicU64>);

    impl Drop for Bomb {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
            panic!("as wanted");
        }
    }

    /// Two of them dropped as one would end the process.
    #[test]
    fn each_of_several_bombs_goes_off_alone() {
        let (fence, dropped) = (Fence::default(), Arc::new(AtomicU64::new(0)));
        fence.drop_each((0..3).map(|_| Bomb(Arc::clone(&dropped))));
        assert_eq!((fence.caught(), dropped.load(Ordering::Relaxed)), (3, 3));
        assert_eq!(fence.call(|| 5), Some(5));
        assert_eq!(fence.caught(), 3);
    }
}
