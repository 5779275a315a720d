//! What drives a hub's rooms: the clock, the workers, and the signals that call them.

pub(crate) mod clock;
pub(crate) mod fence;
pub(crate) mod hub_clock;
pub(crate) mod signal;
pub(crate) mod worker;
