//! An embeddable priority fan-out engine for live rooms: who is in the room, which messages get
//! through when the room is too hot, in which order, and what every member is still due.
//!
//! ```no_run
//! # #[cfg(feature = "tokio")] mod embedding {
//! # use futures_util::{Sink, Stream, StreamExt};
//! # use roomcast::encode::Text;
//! # use roomcast::{Hub, Room, RoomConfig};
//! # async fn open() -> Result<(), Box<dyn std::error::Error>> {
//! let hub = Hub::<String>::start(); // one worker for each processor
//! let room = hub.open_room("stream-42", &RoomConfig::default())?; // makes it, or returns it
//! # Ok(()) }
//!
//! // For each connection, in a task of its own.
//! async fn serve<S, I>(room: Room<String>, name: &str, out: S, mut inp: I)
//! # where
//! #     S: Sink<String> + Send + 'static,
//! #     S::Error: Send,
//! #     I: Stream<Item = String> + Unpin,
//! {
//!     let Ok(member) = room.join(name) else { return };
//!     let (say, hear) = member.split(); // either dropped: the session has left
//!     tokio::spawn(hear.forward(out, Text)); // ends with the sink, or when `say` is dropped
//!     while let Some(frame) = inp.next().await {
//!         if let Err(refused) = say.send(frame) {
//!             let _ = say.reply(refused.to_string()); // to this session only, in order
//!         }
//!     }
//! }
//! # }
//! ```
//!
//! A [`Hub`] holds rooms. A [`Room`] is joined and published to. A [`Subscription`] takes batches,
//! High first, and tells what the session was too slow for as a gap; a [`Speaker`] offers messages;
//! [`forward`] writes to a sink what an [`Encoder`] makes of them, and a [`Pump`] writes to very many connections without a
//! task for each. Every message that is let in ends in exactly one [`Outcome`]; one that is not
//! comes back in [`Refused`]. [`Room::stats`] is the books.
//!
//! Users and rooms go by names of the host's own: strings, or with `Hub<M, U>` any other key; or by
//! numbers, with [`RoomId`] and [`Join::user`]. [`names`] tells how long a name is kept.
//!
//! This crate adds tasks, wakers and a clock to [`roomcast_core`], and nothing of the rules.
//!
//! The [`guide`] leads from the first room to running many: linking in, limits, operations, slow readers.
//!
//! # Layout
//!
//! The root has what most hosts need; [`audit`], [`config`], [`edge`], [`encode`], [`error`], [`event`], [`message`],
//! [`moderation`], [`names`], [`session`], [`stats`] and [`time`] have the rest, [`core`]
//! everything of the core.
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
//! - `tokio` (default): `HubBuilder::spawn`, `Hub::drain`, `Hub::review_with`, the pump, and a
//!   clock that tests can pause. Without it the crate does not depend on tokio;
//!   `Room::publish`, `Subscription::next_batch` and `forward` are plain futures and work on any
//!   executor.
//! - `axum`: an extractor that hands a connection to the pump once axum has done the handshake.
//! - `json`: [`encode`] has an encoder for whatever serde serializes.
//! - `serde`: `RoomConfig` is `Serialize` and `Deserialize`, with durations and rates as people
//!   write them; so are books ([`stats`]), outcomes and refusals, and what a room carries over a
//!   restart ([`NamedState`](names::NamedState)), with a version.
//! - `metrics`: what the rooms count, for the recorder that the host installs: `observe`.
//! - `net`: `TcpTransport`, for the pump.
//! - `tracing`: rare events, such as a room that starts or stops to shed messages, for the host's log:
//!   `observe`.
//! - `websocket`: WebSocket connections for the pump, on the server side.

#![cfg_attr(docsrs, feature(doc_cfg))]
// But for one leaf module, which asks the kernel what a connection has in flight.
#![deny(unsafe_code)]
#![deny(missing_docs)]
// Places and keys are 32-bit numbers by design.
#![allow(clippy::cast_possible_truncation)]

mod drive;
mod hub;
mod measured;
#[cfg(feature = "net")]
pub mod net;
mod reading;
mod room;
mod sync;
mod trace;

pub use bytes::Bytes;
pub use drive::clock::Clock;
pub use encode::Encoder;
pub use event::Event;
pub use hub::room::Room;
pub use hub::{Hub, HubBuilder};
#[cfg(feature = "tokio")]
pub use pump::Pump;
#[cfg(feature = "tokio")]
pub use pump::transport::Transport;
pub use reading::forward::forward;
pub use reading::speaker::Speaker;
pub use reading::subscription::Subscription;
pub use roomcast_core as core;
pub use roomcast_core::{
    Actor, Batch, Budget, Direct, GapCause, Item, Kind, Message, Outcome, Payload, PerLevel,
    Priority, Publish, Receipt, Recipient, Refused, RoomConfig, RoomId, SessionId, Source, UserId,
};

/// Who joins: [`roomcast_core::Join`], with a token of the hub's where a session comes back.
pub type Join<M, T = session::ResumeToken> = roomcast_core::Join<M, T>;

pub mod audit;
pub mod config;
pub mod connection;
pub mod edge;
pub mod encode;
pub mod error;
pub mod event;
#[cfg(feature = "tokio")]
pub mod guide;
pub mod message;
pub mod moderation;
pub mod names;
#[cfg(any(feature = "metrics", feature = "tracing"))]
pub mod observe;
#[cfg(feature = "tokio")]
pub mod pump;
pub mod session;
pub mod stats;
pub mod time;

/// For this workspace's tests; promises nothing.
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals {
    pub use crate::hub::by_hand::{ByHand, by_hand};
}

#[doc = include_str!("../docs/how-it-scales.md")]
pub mod how_it_scales {}

#[doc = include_str!("../docs/how-old.md")]
pub mod how_old {}

#[doc = include_str!("../docs/promises.md")]
pub mod promises {}

/// The README's embedding, compiled and run as a doc test.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../../README.md")]
struct Readme;
