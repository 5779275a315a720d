//! Instants, and the clocks that tell them.

pub use crate::Clock;
pub use crate::drive::clock::SystemClock;
#[cfg(feature = "tokio")]
pub use crate::drive::clock::TokioClock;
pub use roomcast_core::Instant;
pub use roomcast_core::time::Duration;
