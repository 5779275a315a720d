//! The gifts that this room sells: what may be sent, and what a crowd sends.

use serde::Serialize;

/// A kind of gift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Gift {
    /// The name it is sent by.
    pub(crate) name: &'static str,
    /// How the page shows it.
    pub(crate) glyph: &'static str,
    /// What it costs, in coins.
    pub(crate) price: u32,
}

/// All kinds, from the cheapest to the dearest.
pub(crate) const GIFTS: [Gift; 4] = [
    Gift { name: "rose", glyph: "🌹", price: 1 },
    Gift { name: "lantern", glyph: "🏮", price: 20 },
    Gift { name: "fireworks", glyph: "🎆", price: 200 },
    Gift { name: "rocket", glyph: "🚀", price: 1_000 },
];

/// The names of all kinds, as an error lists them.
pub(crate) fn names() -> String {
    GIFTS.map(|gift| gift.name).join(", ")
}
