//! Who is measured.

use clap::ValueEnum;
use roomcast_benches::record::Wire;
use serde::{Deserialize, Serialize};

/// The servers, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Contender {
    /// A loop over the sockets: the floor.
    Bare,
    RoomcastTcp,
    RoomcastWs,
    /// roomcast's subscriptions in axum's tasks.
    RoomcastAxum,
    AxumBroadcast,
}

impl Contender {
    /// What the table calls it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Bare => "floor: bare loop, TCP",
            Self::RoomcastTcp => "roomcast: pump, TCP",
            Self::RoomcastWs => "roomcast: pump, WebSocket",
            Self::RoomcastAxum => "roomcast: axum, a task each",
            Self::AxumBroadcast => "tokio broadcast: axum, a task each",
        }
    }

    /// How its records follow each other.
    pub(crate) fn wire(self) -> Wire {
        match self {
            Self::Bare | Self::RoomcastTcp => Wire::Lengths,
            Self::RoomcastWs | Self::RoomcastAxum | Self::AxumBroadcast => Wire::WebSocket,
        }
    }

    /// Whether it is roomcast: then no High message is lost.
    pub(crate) fn has_a_room(self) -> bool {
        matches!(self, Self::RoomcastTcp | Self::RoomcastWs | Self::RoomcastAxum)
    }

    /// Whether a client that reads what it gets is never told a gap. A broadcast channel has no
    /// room that keeps to a rate.
    pub(crate) fn spares_the_fast(self) -> bool {
        self != Self::AxumBroadcast
    }
}
