//! What drives a hub's rooms: the clock, and how a worker is told that it is wanted.

pub(crate) mod clock;
pub(crate) mod signal;
pub(crate) mod worker;
