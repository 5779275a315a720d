//! What happens to a room with two edges, as data.

/// A room with two edges, of which one may be a room of a hub, and what happens to it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Sequence {
    /// Messages a second: 1 to 8; as many at once. From 128 on the second edge is a room of a hub.
    pub rate: u8,
    /// What happens.
    pub calls: Vec<Call>,
}

/// One call, in small numbers.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Call {
    /// Somebody at an edge says something.
    Say {
        /// At which edge, and below 128 by whoever sits at both.
        who: u8,
        /// The level.
        level: u8,
        /// Under which key: from 8 on none.
        key: u8,
    },
    /// The host says something at the room.
    Host {
        /// The level.
        level: u8,
    },
    /// The first that waits at an edge comes to the room.
    Forward {
        /// At which edge.
        edge: u8,
    },
    /// One of the flights, of those that an edge has received perhaps, comes there.
    Fly {
        /// At which edge.
        edge: u8,
        /// Which, counted back from the newest; from 64 on with those that follow it, as one.
        back: u8,
    },
    /// An edge gives up what is missing.
    GiveUp {
        /// At which edge.
        edge: u8,
    },
    /// Everyone at an edge reads something.
    Read {
        /// At which edge.
        edge: u8,
        /// How much.
        messages: u8,
    },
    /// The owner dies, and another one goes on.
    Takeover,
    /// So many milliseconds later.
    Wait {
        /// How many.
        millis: u8,
    },
}
