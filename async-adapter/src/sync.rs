//! The locks, atomics and channels of this crate, behind one name, so that a model checker can take
//! their place.

pub(crate) use parking_lot::{Mutex, MutexGuard, RwLock};
pub(crate) use std::sync::{Arc, OnceLock, Weak};

pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{
        AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering,
    };
}

pub(crate) mod channel {
    pub(crate) use crossbeam_channel::{Receiver, Sender, unbounded};
    // The pump's.
    #[cfg(feature = "tokio")]
    pub(crate) use crossbeam_channel::{SendError, TryRecvError};
}
