//! What people send into the room.

use serde::{Deserialize, Serialize};

use crate::tip::Tip;

/// What a message holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub(crate) enum What {
    /// A line of chat.
    Text {
        /// Its words.
        text: String,
    },
    /// A number of gifts of one kind.
    Gift {
        /// The kind's name: one of [`GIFTS`](crate::gifts::GIFTS), or whatever a recording calls it.
        name: String,
        /// How many.
        count: u32,
    },
    /// A number of likes.
    Like {
        /// How many.
        count: u32,
    },
    /// A line of chat that was paid for.
    SuperChat {
        /// Its words.
        text: String,
        /// What it cost.
        price: u32,
    },
    /// Someone joined the streamer's guard.
    Guard {
        /// The guard's rank, 1 being the highest, if it is known.
        rank: Option<u32>,
    },
    /// Something happened in the room.
    Tip(Tip),
    /// The host speaks to everyone.
    Notice {
        /// The words.
        text: String,
    },
    /// Words that stay above the chat until they are unpinned; whoever comes gets them first.
    Pinned {
        /// Under which number.
        pin: u64,
        /// The words.
        text: String,
    },
    /// What is pinned now: nothing else is shown above the chat any more.
    Pins {
        /// The numbers.
        pins: Vec<u64>,
    },
    /// Messages were taken back: nobody shows them any more.
    Retracted {
        /// Their numbers.
        seqs: Vec<u64>,
    },
    /// How often the room was liked in all.
    Total {
        /// Every like that was offered by someone who may speak, shed or not.
        likes: u64,
    },
}
