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
//! `publish` ─► gate ─► review ─► queue ─► dispatch ─► log ─► cursors ─► batch
//!
//! - **Refused**: not let in. `publish` returns an error that hands the payload back ([`Refused`]).
//! - **Dropped**: let in, never dispatched: evicted, expired, denied by the host, or the room was
//!   closed ([`Outcome::Dropped`]).
//! - **Merged**: it became one with a message that waits under the same [`MergeKey`] and shares its
//!   fate ([`Outcome::Merged`]).
//! - **Dispatched**: it left the queue under the room's rate and got a sequence number. From here
//!   on it belongs to the audience.
//! - **Skipped**: dispatched, but one session was too slow. Counted for the session and told
//!   in-band as a gap ([`Item::Gap`]); the session stays.
//! - **Excluded**: dispatched, but not meant for one session: its own message, or a level that it
//!   has masked ([`LevelSet`]).
//!
//! Beside this flow the host may send something to one session or one user: it comes in its place
//! among the messages ([`Direct`]).
//!
//! The host's notices, what is broadcast to every room ([`Broadcasts`]) and tips
//! ([`SystemMessages`]) go out beside the room's rate, each by a limit of its own. In front of the
//! room's admission there may be the same at an edge ([`Edge`]).
//!
//! Every message that is let in has exactly one [`Outcome`]. The books ([`Ledger`], [`Deliveries`])
//! balance to the integer at any instant.
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

mod admission;
mod audience;
mod broadcasts;
mod chunked;
mod config;
mod data;
mod dedup;
mod deferred_drops;
mod direct;
mod edge;
mod engine;
mod error;
mod event;
mod handover;
mod ids;
mod index;
mod keyed;
mod ledger;
mod level_set;
mod list;
mod log;
mod message;
mod priority;
mod queue;
mod quota;
mod recent_users;
mod resume;
mod rights;
mod room;
mod roster;
mod rules;
mod shard_index;
mod system_messages;
mod time;
mod timed;
mod user_rooms;
mod work;

pub use admission::{
    Actor, Admission, AdmissionSnapshot, ImportError, ModerationCounts, PendingReview,
    PersistedState, ReviewDecision, ReviewError, RoomStatus,
};
pub use audience::{
    Audience, AudienceSnapshot, Batch, BatchKey, BatchRef, Budget, Delivery, Handoff, Item,
};
pub use broadcasts::{Broadcast, BroadcastLimits, BroadcastReason, BroadcastRefused, Broadcasts};
pub use config::{
    ConfigError, DefaultOutcomeSink, Echo, EvictionPolicy, Exempt, Heartbeat, LevelQuotas, Levels,
    QueueConfig, QueueDiscipline, RateAlgorithm, ReviewConfig, ReviewTimeout, RoomConfig,
    RoomConfigBuilder,
};
pub use data::{DataError, DataLimits};
pub use dedup::DedupWindow;
pub use deferred_drops::DeferredDrops;
pub use direct::{Direct, DirectReason, DirectReceipt, DirectRefused, Directs, Recipient};
pub use edge::Edge;
pub use engine::{CreateRoomError, Engine, EngineJoinError, NoSuchRoom, RoomMut};
pub use error::{
    CloseError, JoinError, LeaveError, ModerationError, ProfileError, ReconfigureError, SessionEnd,
};
pub use event::{EndReason, Event, Joined, Liveness, Presence, PresenceCause, StartPosition};
pub use handover::HandOver;
pub use ids::{
    CorrelationId, Group, MessageId, RoomId, Seq, SessionId, SessionKey, Ticket, UserId,
};
pub use keyed::KeyedLimit;
pub use ledger::{
    Deliveries, DropReason, Ledger, LevelLedger, Reason, RefusalReason, Tally, Units,
};
pub use level_set::LevelSet;
pub use message::{
    DedupKey, EdgeMessage, Kind, Limit, MergeKey, Message, Outcome, OutcomeSink, Payload, Publish,
    Receipt, Refused, Sender, Source,
};
pub use priority::{PerLevel, Priority};
pub use queue::{Evicted, Full, Popped, Queue};
pub use quota::{NotYet, Quota, Rate, RateLimit, TokenBucket};
pub use resume::ResumeToken;
pub use rights::{Action, NotAllowed, Role, Rule};
pub use room::{RoomSnapshot, RoomState};
pub use roster::UserSessions;
pub use rules::{Audiences, Halves, Join, NotJoined, Sharding};
pub use shard_index::ShardIndex;
pub use system_messages::{SystemMessage, SystemMessageKind, SystemMessages};
pub use time::{Duration, Instant};
pub use timed::Until;
pub use user_rooms::UserRooms;

#[doc = include_str!("../docs/design.md")]
pub mod design {}

#[doc = include_str!("../docs/driving.md")]
pub mod driving_the_halves {}

#[doc = include_str!("../docs/rulebook.md")]
pub mod rulebook {}
