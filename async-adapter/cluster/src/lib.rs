//! Rooms of [roomcast](roomcast_core) on several machines: members of one room sit at many nodes, one
//! of which owns it, and when that one dies another goes on with the next sequence number.
//!
//! It stands on an engine that can append to a log by compare and set, and hands on what it accepted:
//! the append is the fence, a lease says only when somebody else may try. Without its default
//! features this crate is the part without I/O:
//!
//! - [`wire`]: what nodes say to each other, in CBOR with numbered fields and a version.
//! - [`bus`]: what is wanted of the engine, as calls and answers, and one in memory.
//! - [`proto`]: a [node](proto::Node) as a synchronous state machine in the host's time. The rules of a
//!   room are those of [`roomcast_core`], at the owner and at each edge.
//!
//! The feature `tokio` adds what drives a node, and a bus for nodes of one process; the feature `nats` a bus
//! over NATS with `JetStream`; and the feature `hub` what a server links in: a `ClusterHub`, whose rooms are
//! those of a hub. The page `running` is for whoever runs it: servers, streams, replicas, permissions, deploys.
//!
//! # What holds, whatever goes wrong
//!
//! Looked at in hundreds of lives in each `cargo test`, and in any number by the example `faults`:
//!
//! - **One fate a message** over owners: nothing goes out twice, and every sender whose node lives is
//!   told. If the log is lost by the engine, that nobody knows is a fate as well
//!   ([`Outcome::Lost`](proto::Outcome::Lost)).
//! - **No hole over owners**: sequence numbers and positions go on. What was lost with a log is a gap,
//!   and named as the bus's ([`GapCause::Bus`](roomcast_core::GapCause::Bus)).
//! - **Nobody gets what its sender was not told** as dispatched: everyone is told when the log has it.
//! - **Nobody gets what was taken back**, at any node, who had not got it when the log said so.
//! - Mutes, bans, admins, attributes, counters and the keys of what was said outlive an owner, and so do whose
//!   the room is, what it was reconfigured to and what is pinned. The room's rate goes on with what was left.
//!
//! # What does not
//!
//! What an edge's node had not handed on dies with it; its publishers, if they live, are told so. The age of a message counts from its edge, without
//! the time that it is on its way to the owner. What a sender's own quota had left is the edge's and the
//! owner's, and begins anew at another one.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod bus;
#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
pub mod drive;
#[cfg(feature = "hub")]
#[cfg_attr(docsrs, doc(cfg(feature = "hub")))]
pub mod hub;
#[cfg(all(feature = "hub", feature = "nats"))]
#[cfg_attr(docsrs, doc(cfg(all(feature = "hub", feature = "nats"))))]
#[doc = include_str!("../docs/running.md")]
pub mod running {}
pub mod proto;
pub mod wire;

#[cfg(feature = "hub")]
#[cfg_attr(docsrs, doc(cfg(feature = "hub")))]
pub use hub::{ClusterHub, ClusterRoom};
