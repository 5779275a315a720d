//! The sources of the adapter as they ship, over the locks, atomics, channels and threads of a
//! checker (`sync`), and the models of them: with the feature `loom` of each protocol, in all
//! interleavings and memory orders; with `shuttle` of a whole hub, in many.

// The adapter's own crate is linted; what is not modelled is not used here.
#![allow(dead_code, unused_imports)]
#![deny(unsafe_code)]

#[path = "../../../async-adapter/src/drive/mod.rs"]
mod drive;
#[path = "../../../async-adapter/src/encode/mod.rs"]
pub mod encode;
#[path = "../../../async-adapter/src/hub/mod.rs"]
mod hub;
#[path = "../../../async-adapter/src/measured.rs"]
mod measured;
#[path = "../../../async-adapter/src/pump/mod.rs"]
pub mod pump;
#[path = "../../../async-adapter/src/reading/mod.rs"]
mod reading;
#[path = "../../../async-adapter/src/room/mod.rs"]
mod room;
mod sync;
#[path = "../../../async-adapter/src/trace.rs"]
mod trace;

// The facades, as in the adapter's own `lib.rs`.
#[path = "../../../async-adapter/src/config.rs"]
pub mod config;
#[path = "../../../async-adapter/src/error.rs"]
pub mod error;
#[path = "../../../async-adapter/src/event.rs"]
pub mod event;
#[path = "../../../async-adapter/src/message.rs"]
pub mod message;
#[path = "../../../async-adapter/src/moderation.rs"]
pub mod moderation;
#[path = "../../../async-adapter/src/names.rs"]
pub mod names;
#[path = "../../../async-adapter/src/session.rs"]
pub mod session;
#[path = "../../../async-adapter/src/stats.rs"]
pub mod stats;
#[path = "../../../async-adapter/src/time.rs"]
pub mod time;

pub use bytes::Bytes;
pub use drive::clock::Clock;
pub use encode::Encoder;
pub use event::Event;
pub use hub::room::Room;
pub use hub::{Hub, HubBuilder};
pub use pump::Pump;
pub use pump::transport::Transport;
pub use reading::speaker::Speaker;
pub use reading::subscription::Subscription;
pub use roomcast_core as core;
pub use roomcast_core::{
    Actor, Batch, Budget, Direct, GapCause, Item, Kind, Message, Outcome, Payload, PerLevel,
    Priority, Publish, Receipt, Recipient, Refused, RoomConfig, RoomId, SessionId, Source, UserId,
};

/// As in the adapter.
pub type Join<M, T = session::ResumeToken> = roomcast_core::Join<M, T>;

#[cfg(feature = "shuttle")]
pub mod hubs;
#[cfg(feature = "loom")]
pub mod protocols;
