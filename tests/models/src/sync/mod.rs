//! In place of the adapter's `sync`: the same names and calls, over a checker.

mod locks;
mod once_lock;
mod waker;

#[cfg(feature = "loom")]
pub(crate) use loom as checker;
#[cfg(feature = "shuttle")]
pub(crate) use shuttle as checker;

pub(crate) use locks::{Mutex, MutexGuard, RwLock};
pub(crate) use once_lock::OnceLock;
pub(crate) use waker::AtomicWaker;
// What is shared needs no checking: it is the references that `std` counts.
pub(crate) use std::sync::{Arc, Weak};

pub(crate) mod atomic {
    pub(crate) use super::checker::sync::atomic::{
        AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering,
    };
}

pub(crate) mod channel;
pub(crate) mod thread;
#[cfg(feature = "shuttle")]
pub(crate) mod time;
