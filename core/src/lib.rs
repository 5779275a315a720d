//! The rules of a live room as a synchronous state machine: who is in, which messages get through
//! when the room is too hot, in which order, and what every member is still due.
//!
//! This crate has no clock, does no I/O, starts no thread and draws no random number that was not
//! seeded by its host. It is `no_std` (with `alloc`) and contains no unsafe code. The crate
//! `roomcast` drives it from tokio or from plain threads; a host with a runtime of its own drives
//! it directly.
//!
//! # A message on its way
//!
//! `publish` ─► checks ─► review ─► queue ─► dispatch ─► log ─► cursors ─► batch
//!
//! - **Refused**: not let in. `publish` returns an error that hands the payload back ([`Refused`]).
//! - **Dropped**: let in, never dispatched: evicted, expired, denied by the host, or the room was
//!   closed ([`Outcome::Dropped`]).
//! - **Merged**: it became one with a message that waits under the same
//!   [`MergeKey`](message::MergeKey) and shares its fate ([`Outcome::Merged`]).
//! - **Dispatched**: it left the queue under the room's rate and got a sequence number. From here
//!   on it belongs to the audience.
//! - **Skipped**: dispatched, but one session was too slow. Counted for the session and told
//!   in-band as a gap ([`Item::Gap`]); the session stays.
//! - **Excluded**: dispatched, but not meant for one session: its own message, or a level that it
//!   has masked ([`LevelSet`](level_set::LevelSet)).
//!
//! Beside this flow the host may send something to one session or one user: it comes in its place
//! among the messages ([`Direct`]).
//!
//! The host's notices, what is broadcast to every room ([`Broadcasts`](broadcasts::Broadcasts)) and
//! what the room itself tells ([`SystemMessages`](system_messages::SystemMessages)) go out beside
//! the room's rate, each by a limit of its own. In front of the room's admission there may be the
//! same at an edge ([`Edge`]).
//!
//! Every message that is let in has exactly one [`Outcome`]. The books
//! ([`Ledger`](ledger::Ledger), [`Deliveries`](ledger::Deliveries)) balance to the integer at any
//! instant.
//!
//! # Calls in, polls out
//!
//! Methods take `now`, an [`Instant`] of the host's own making. [`RoomState::poll_event`] gives
//! outcomes and presence, [`RoomState::poll_timeout`] says when [`RoomState::handle_timeout`] is
//! due, and [`RoomState::next_batch`] is pulled by each session. A late or a spurious call is
//! harmless. Whoever puts each half of a room behind a lock of its own reads
//! [`driving_the_halves`].
//!
//! # Cost
//!
//! Publish, dispatch, join and leave are O(1), whatever the audience. Reading costs what is read.
//! No call stalls: no table moves more than a few thousand entries at once.
//!
//! # Features
//!
//! - `bytes`: [`Payload`] for `bytes::Bytes`.
//! - `serde`: configurations as people write them in files ([`RoomConfig`]), books, outcomes, and
//!   what a room carries over a restart ([`PersistedState`](admission::PersistedState)).
//! - `internals`: for this workspace's tests and benches; promises nothing.

#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
// Slots are 32-bit numbers by design, and sizes on every supported target are at least that wide.
#![allow(clippy::cast_possible_truncation)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod admission;
pub mod audience;
pub mod audit;
pub mod broadcasts;
mod chunked;
pub mod config;
pub mod data;
pub mod dedup;
pub mod deferred_drops;
pub mod direct;
mod edge;
pub mod engine;
pub mod error;
pub mod event;
mod gap;
pub mod handover;
pub mod ids;
mod index;
mod keyed;
pub mod ledger;
pub mod level_set;
mod list;
mod log;
pub mod member;
pub mod memory;
pub mod message;
pub mod pins;
mod priority;
mod profile;
pub mod queue;
pub mod quota;
mod recent_users;
pub mod resume;
pub mod retraction;
pub mod rights;
pub mod room;
pub mod roster;
pub mod rules;
pub mod shard_index;
pub mod speak_mode;
pub mod system_messages;
#[cfg(feature = "serde")]
mod text;
pub mod time;
pub mod timed;
pub mod user_rooms;
mod work;

pub use admission::{Actor, Admission};
pub use audience::{Audience, Batch, Budget, Handoff, Item};
pub use config::RoomConfig;
pub use direct::{Direct, Recipient};
pub use edge::Edge;
pub use engine::Engine;
pub use event::{Event, Joined};
pub use gap::GapCause;
pub use ids::{Group, RoomId, SessionId, UserId};
pub use keyed::KeyedLimit;
pub use memory::{Memory, RoomBytes};
pub use message::{Kind, Message, Outcome, Payload, Publish, Receipt, Refused, Source};
pub use priority::{PerLevel, Priority};
pub use queue::Queue;
pub use quota::TokenBucket;
pub use room::RoomState;
pub use rules::{Halves, Join, Sharding};
pub use time::Instant;

#[doc = include_str!("../docs/design.md")]
pub mod design {}

#[doc = include_str!("../docs/driving.md")]
pub mod driving_the_halves {}

#[doc = include_str!("../docs/rulebook.md")]
pub mod rulebook {}
