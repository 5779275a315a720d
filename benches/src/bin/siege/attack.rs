//! The attacks there are.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What hostile clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Attack {
    /// One client sends small pings as fast as it can, and reads
    Pings,
    /// One client sends small pings as fast as it can, and reads nothing
    DeafPings,
    /// Two clients send likes and texts as fast as they can, and read nothing
    LikeFlood,
    /// Connections that join and then read nothing, for good
    Stalled,
    /// Connections that never finish their handshake
    HalfOpen,
    /// Clients that connect, join and leave in a tight loop, politely and not
    Churn,
    /// Malformed handshakes and frames
    Garbage,
    /// Frames and messages that are larger than may be
    Big,
}

impl Attack {
    /// What the command line calls it.
    pub(crate) fn title(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Clients that attack at the same time.
    pub(crate) const fn clients(self) -> u32 {
        match self {
            Self::Pings | Self::DeafPings => 1,
            Self::LikeFlood => 2,
            Self::Churn | Self::Garbage | Self::Big => 4,
            Self::Stalled => 20,
            Self::HalfOpen => 200,
        }
    }

    /// Whether the clients stay until the server lets them go: it has to, by itself.
    pub(crate) const fn holds_on(self) -> bool {
        matches!(self, Self::Stalled | Self::HalfOpen)
    }

    /// What is counted.
    pub(crate) const fn unit(self) -> &'static str {
        match self {
            Self::Pings | Self::DeafPings => "pings",
            Self::LikeFlood => "messages",
            Self::Stalled | Self::HalfOpen | Self::Churn | Self::Garbage | Self::Big => {
                "connections"
            }
        }
    }
}
