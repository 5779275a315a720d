//! The locks, atomics, channels and threads of this crate, behind one name, so that a model checker
//! can take their place: the crate of models in this repository compiles all other files over a
//! module of its own.

pub(crate) use atomic_waker::AtomicWaker;
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

pub(crate) mod thread {
    pub(crate) use std::thread::{Thread, current, park, park_timeout, sleep, yield_now};
}
