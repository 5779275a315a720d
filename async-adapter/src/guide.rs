//! The guide: what a host needs to know beside the documentation of each type.
//!
//! 1. [Concepts](concepts)
//! 2. [Linking in](linking_in): coming from `tokio::sync::broadcast`, from a map of mpsc senders, from
//!    socketioxide's rooms
//! 3. [Choosing limits](limits)
//! 4. [Operations](operations): what to watch; each reason, what it means, what to do
//! 5. [Many rooms](many_rooms)
//! 6. [Slow readers](slow_readers)
//! 7. [Without tokio](without_tokio)
//! 8. [Without std](without_std)

#[doc = include_str!("../docs/guide/concepts.md")]
pub mod concepts {}

#[doc = include_str!("../docs/guide/linking-in.md")]
pub mod linking_in {}

#[doc = include_str!("../docs/guide/limits.md")]
pub mod limits {}

#[doc = include_str!("../docs/guide/operations.md")]
pub mod operations {}

#[doc = include_str!("../docs/guide/many-rooms.md")]
pub mod many_rooms {}

#[doc = include_str!("../docs/guide/slow-readers.md")]
pub mod slow_readers {}

#[doc = include_str!("../docs/guide/without-tokio.md")]
pub mod without_tokio {}

#[doc = include_str!("../docs/guide/without-std.md")]
pub mod without_std {}
