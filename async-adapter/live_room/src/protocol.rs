//! What page and server say to each other: JSON text frames over the WebSocket `/ws`.
//!
//! A page joins with `/ws?name=kim&key=…`, or with `/ws?guest` to read only; [`Visitor`] reads that. The key is the browser's own
//! secret: a name belongs to the key with which it came first. With `&token=…` it goes on where it was when its connection broke. It
//! then sends [`Request`]s and is sent [`Reply`]s, the first of them `hello`. In all of them the field `type` says which it is.

mod client;
mod orders;
mod server;

use roomcast::Priority;
use serde::{Deserialize, Serialize};

pub(crate) use client::{ControlsChange, MAX_FRAME_BYTES, Rejection, Request, Visitor, token_of};
pub(crate) use orders::{Act, Order};
pub(crate) use server::{
    Controls, CrowdState, DeliveryRow, Fate, Hello, Item, LedgerRow, Reply, Standing, Stats,
    batch_frame,
};

/// One value for each priority.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Levels<T> {
    /// Gifts, and what was paid for.
    pub(crate) high: T,
    /// Chat.
    pub(crate) normal: T,
    /// Likes.
    pub(crate) low: T,
    /// Nothing in this room, so far.
    pub(crate) lowest: T,
}

/// A priority by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// Gifts, and what was paid for.
    High,
    /// Chat.
    Normal,
    /// Likes.
    Low,
    /// Nothing in this room, so far.
    Lowest,
}

impl From<Priority> for Level {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::High => Self::High,
            Priority::Normal => Self::Normal,
            Priority::Low => Self::Low,
            Priority::Lowest => Self::Lowest,
        }
    }
}

#[cfg(test)]
mod tests;
