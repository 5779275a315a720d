//! What drives a hub's rooms: the clock, the workers, and the signals that call them.

pub(crate) mod called;
pub(crate) mod clock;
pub(crate) mod fence;
pub(crate) mod hub_clock;
#[cfg(feature = "tokio")]
pub(crate) mod latch;
pub(crate) mod memory;
pub(crate) mod signal;
pub(crate) mod timer;
pub(crate) mod timers;
pub(crate) mod worker;
