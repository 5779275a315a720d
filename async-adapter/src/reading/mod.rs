//! How one session reads: a subscription, and from there to a sink.

#[cfg(feature = "tokio")]
pub(crate) mod forward;
mod reader;
pub(crate) mod speaker;
pub(crate) mod subscription;
