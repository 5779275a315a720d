//! The rules of a live room as a synchronous state machine: who is in, which messages get through when the room is too hot, in which
//! order, and what every member is still due.
//!
//! This crate has no clock, does no I/O, starts no thread and draws no random number that was not seeded by its host. It is `no_std`
//! (with `alloc`) and contains no unsafe code. The crate `roomcast` drives it from tokio or from plain threads; a host with a
//! runtime of its own drives it directly.
//!
//! # A message on its way
//!
//! `publish` ─► gate ─► review ─► queue ─► dispatch ─► log ─► cursors ─► batch
//!
//! - **Refused**: not let in. `publish` answers an error that hands the payload back ([`Refused`]).
//! - **Dropped**: let in, never dispatched: evicted, expired, denied by the host, or the room was closed ([`Outcome::Dropped`]).
//! - **Merged**: it became one with a message that waits under the same [`MergeKey`] and shares its fate ([`Outcome::Merged`]).
//! - **Dispatched**: it left the queue under the room's rate and got a sequence number. From here on it belongs to the audience.
//! - **Skipped**: dispatched, but one session was too slow. Counted for the session and told in-band as a gap ([`Item::Gap`]);
//!   the session stays.
//! - **Excluded**: dispatched, but not meant for one session: its own message, or a level that it has masked ([`Mask`]).
//!
//! Beside this flow the host may send something to one session or one user: it comes in its place among the messages ([`Direct`]).
//!
//! The host's notices, what is broadcast to every room ([`Broadcasts`]) and tips ([`Tips`]) go out beside the room's rate, each by a limit of its
//! own. In front of the room's admission there may be the same at an edge ([`Edge`]).
//!
//! Every message that is let in has exactly one [`Outcome`]. The books ([`Ledger`], [`Deliveries`]) balance to the integer at any
//! instant.
//!
//! # Calls in, polls out
//!
//! Methods take `now`, an [`Instant`] of the host's own making. [`Room::poll_event`] gives outcomes and presence,
//! [`Room::poll_timeout`] says when [`Room::handle_timeout`] is due, and [`Room::next_batch`] is pulled by each session. A late or a
//! spurious call is harmless.
//!
//! # Cost
//!
//! Publish, dispatch, join and leave are O(1), whatever the audience. Reading costs what is read. No call stalls: no table moves
//! more than a few thousand entries at once.
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
mod debris;
mod direct;
mod duplicates;
mod edge;
mod engine;
mod error;
mod event;
mod handover;
mod homes;
mod ids;
mod index;
mod keyed;
mod ledger;
mod list;
mod log;
mod mask;
mod message;
mod newest;
mod part;
mod priority;
mod queue;
mod quota;
mod resume;
mod rights;
mod room;
mod roster;
mod rules;
mod time;
mod timed;
mod tips;

pub use admission::{
    Actor, Admission, AdmissionSnapshot, Carried, ImportError, ModerationCounts, ReviewVerdict, State, UnderReview, VerdictError,
};
pub use audience::{Audience, AudienceSnapshot, Batch, Budget, Due, Item, RangeKey, Reading, Verdict};
pub use broadcasts::{Broadcast, BroadcastLimits, BroadcastReason, BroadcastRefused, Broadcasts};
pub use config::{
    ConfigError, Counting, DefaultReport, Echo, Exempt, Heartbeat, LevelQuotas, Levels, QueueConfig, ReviewConfig, ReviewTimeout,
    RoomConfig, RoomConfigBuilder, TieBreak, VictimPolicy,
};
pub use data::{DataError, DataLimits};
pub use debris::Debris;
pub use direct::{Direct, DirectReason, DirectReceipt, DirectRefused, Directs, Recipient};
pub use duplicates::DuplicateWindow;
pub use edge::Edge;
pub use engine::{CreateRoomError, Engine, EngineJoinError, NoSuchRoom, RoomMut};
pub use error::{CloseError, JoinError, LeaveError, ModerationError, ProfileError, ReconfigureError, SessionEnd};
pub use event::{EndReason, Event, Joined, Liveness, Presence, PresenceCause, Start};
pub use handover::HandOver;
pub use homes::Homes;
pub use ids::{Group, MessageId, RoomId, Seq, SessionId, Tag, Ticket, UserId};
pub use keyed::KeyedLimit;
pub use ledger::{Deliveries, DropReason, Ledger, LevelLedger, Reason, RefusalReason, Tally, Units};
pub use mask::Mask;
pub use message::{
    DuplicateKey, Forward, Kind, Limit, MergeKey, Message, Outcome, Payload, Publish, Receipt, Refused, Report, Sender, Source,
};
pub use part::Part;
pub use priority::{PerLevel, Priority};
pub use queue::{Evicted, Full, Popped, Queue};
pub use quota::{Allowance, NotYet, Quota, Rate, TokenBucket};
pub use resume::ResumeToken;
pub use rights::{Action, NotAllowed, Role, Rule};
pub use room::{Room, RoomSnapshot};
pub use roster::UserSessions;
pub use rules::{Audiences, Halves, Join, NotJoined, Sharding};
pub use time::{Duration, Instant};
pub use timed::Until;
pub use tips::{Tip, TipKind, Tips};

#[doc = include_str!("../docs/design.md")]
pub mod design {}

#[doc = include_str!("../docs/rulebook.md")]
pub mod rulebook {}
