//! How far a claim to a room is.

use roomcast_core::Instant;

/// How far a claim to a room is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// There is none, before this instant.
    None(Instant),
    /// The room is free; those who come first have until then.
    Waiting(Instant),
    /// The key is to be this node's.
    Claiming {
        /// No key was there before.
        is_first: bool,
    },
    /// The key is this node's; the log is to be read to its end.
    Reading {
        /// The key's revision.
        epoch: u64,
        /// No key was there before.
        is_first: bool,
        /// Where the log ended when it was asked; `None`: that is not known.
        end: Option<u64>,
    },
    /// The room was closed for all nodes, and there will be none.
    Over,
}

impl Default for Claim {
    fn default() -> Self {
        Self::None(Instant::ZERO)
    }
}

impl Claim {
    pub(super) fn due(self) -> Option<Instant> {
        match self {
            Self::Waiting(until) => Some(until),
            Self::None(_) | Self::Claiming { .. } | Self::Reading { .. } | Self::Over => None,
        }
    }
}
