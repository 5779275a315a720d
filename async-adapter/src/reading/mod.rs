//! Reading: a session's subscription, its speaker, and the loop to a sink.

#[cfg(feature = "tokio")]
pub(crate) mod forward;
mod reader;
#[cfg(feature = "tokio")]
mod sink_pace;
pub(crate) mod speaker;
pub(crate) mod subscription;
#[cfg(feature = "tokio")]
pub(crate) mod when_high_lost;
