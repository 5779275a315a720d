//! Reading: a session's subscription, its speaker, and the loop to a sink.

pub(crate) mod forward;
pub(crate) mod forwarded;
mod reader;
pub(crate) mod sink_pace;
pub(crate) mod sink_writer;
pub(crate) mod speaker;
pub(crate) mod subscription;
pub(crate) mod when_high_lost;
