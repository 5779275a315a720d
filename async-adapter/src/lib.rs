//! roomcast: an embeddable priority fan-out engine for live rooms.
//!
//! This crate drives [`roomcast_core`] from tokio tasks or from plain threads. It adds tasks,
//! wakers and a clock, and nothing of the rules: those are the core's, whose types it re-exports.
//!
//! A [`Hub`] holds rooms. A [`Room`] publishes and joins. A [`Subscription`] takes batches;
//! [`forward`] writes them to a sink. A [`Pump`] writes to very many connections without a task for
//! each.
//!
//! # Who waits for whom
//!
//! Publishing waits for nobody: it holds the admission's lock for one call of the core, whatever
//! the audience. Readers never hold that lock for longer than it takes to pick up what was
//! dispatched. A large room's audience is in several parts, each with a lock of its own, on several
//! workers. Hooks, wakers, encoders and transports run outside every lock. What that costs is told
//! in [`how_it_scales`].
//!
//! # Who drives
//!
//! - With tokio: [`HubBuilder::spawn`] starts a task for each worker in the current runtime. When
//!   the runtime ends, so do they: drain first.
//! - Without: [`HubBuilder::spawn_threads`] starts a thread for each worker;
//!   [`Subscription::next_batch_timeout`] and [`Hub::drain_blocking`] block.
//!
//! A server ends in this order: stop accepting connections, [`Hub::drain`], drop the hub.
//!
//! # Features
//!
//! - `tokio` (default): `HubBuilder::spawn`, `Hub::drain`, `Hub::review_with`, `forward`, the pump,
//!   and a clock that tests can pause. Without it the crate does not depend on tokio;
//!   `Room::publish` and `Subscription::next_batch` are plain futures and work on any executor.
//! - `net`: `TcpTransport`, for the pump.
//! - `websocket`: WebSocket connections for the pump, on the server side.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
// Places and keys are 32-bit numbers by design.
#![allow(clippy::cast_possible_truncation)]

mod broadcast_log;
mod outcome_waiters;
// Without tokio there are no pumps to ring for.
mod audience_shard;
mod clock;
mod drain;
#[cfg(feature = "tokio")]
mod forward;
#[cfg(feature = "tokio")]
mod frames;
mod hub;
#[cfg(feature = "tokio")]
mod pump;
#[cfg_attr(not(feature = "tokio"), allow(dead_code))]
mod pump_notify;
mod reader;
mod review;
mod room;
mod room_registry;
mod round_robin;
mod seeds;
mod shared_room;
mod signal;
mod subscription;
#[cfg(feature = "net")]
mod tcp;
#[cfg(feature = "tokio")]
mod transport;
mod waiters;
#[cfg(feature = "websocket")]
mod websocket;
mod worker;
mod worker_loop;

pub use bytes;
pub use bytes::Bytes;
#[cfg(feature = "tokio")]
pub use clock::TokioClock;
pub use clock::{Clock, SystemClock};
pub use drain::DrainReport;
#[cfg(feature = "tokio")]
pub use forward::{ForwardEnd, ForwardOptions, Forwarded, forward};
#[cfg(feature = "tokio")]
pub use frames::Encoder;
pub use hub::{Hub, HubBuilder};
#[cfg(feature = "tokio")]
pub use pump::{
    Control, ControlRefused, Pump, PumpJoinError, PumpOptions, PumpRefusal, PumpStats, Pumped,
    TooManyPumps,
};
pub use review::PendingReview;
pub use room::{AttributesSnapshot, LiveSnapshot, Room};
pub use roomcast_core;
pub use roomcast_core::*;
pub use subscription::Subscription;
#[cfg(feature = "net")]
pub use tcp::TcpTransport;
#[cfg(feature = "tokio")]
pub use transport::Transport;
#[cfg(feature = "websocket")]
pub use websocket::{FromPeer, WebSocketError, WebSocketFrames, WebSocketOptions, WebSocketReader};

#[doc = include_str!("../docs/how-it-scales.md")]
pub mod how_it_scales {}

/// The README's embedding, compiled and run as a doc test.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../../README.md")]
struct Readme;
