//! Reading: a session's subscription, its speaker, and the loop to a sink.

#[cfg(feature = "tokio")]
pub(crate) mod forward;
mod reader;
pub(crate) mod speaker;
pub(crate) mod subscription;
