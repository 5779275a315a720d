//! What the processes of a siege tell each other.

use crate::attack::Attack;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// What the server's process is started with.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Serve {
    /// Messages a second that the room takes, and texts that it is offered.
    pub(crate) rate: u32,
}

/// What a process of hostile clients is started with.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Raid {
    pub(crate) attack: Attack,
    pub(crate) address: SocketAddr,
    pub(crate) seconds: u32,
}

/// The server's first words.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Listening {
    pub(crate) address: SocketAddr,
}

/// What the server is told.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Speak to the room from now on.
    Speak,
    /// Say how things stand.
    Count,
    /// Stop speaking, wait until nothing is left to go out, and say how things stand.
    Finish,
}

/// How things stand at the server.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Whether the room's books balance.
    pub(crate) balances: bool,
    /// Sessions that are in.
    pub(crate) sessions: u32,
    /// High messages that the server has offered itself.
    pub(crate) high: u64,
    /// Messages, by level, that went out to everyone.
    pub(crate) dispatched: [u64; 4],
    /// Messages that wait.
    pub(crate) queued: u64,
    /// Connections that the pump gave up because they took nothing.
    pub(crate) stalled: u64,
}

/// What hostile clients have done when their time is up.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Raided {
    pub(crate) count: u64,
}
