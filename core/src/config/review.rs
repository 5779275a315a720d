//! The settings of review: which messages wait for the host's decision.
//! [Clause A19](crate::rulebook#a19-review-before-sending).

use crate::priority::PerLevel;
use crate::time::Duration;

/// What becomes of a message for which no verdict comes in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReviewTimeout {
    /// It goes on, as if it had been allowed.
    #[default]
    Open,
    /// It is dropped.
    Closed,
}

/// The review of a room: what users say at these levels waits for the host's verdict before it
/// enters the queue. What the host itself says does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReviewConfig {
    /// Which levels are reviewed.
    pub levels: PerLevel<bool>,
    /// How long a verdict may take. At the deadline itself it is too late.
    pub timeout: Duration,
    /// What happens then.
    pub on_timeout: ReviewTimeout,
    /// The maximum number of messages that may wait for a verdict. When there are as many, the
    /// newest of whoever has most of the lowest level there is dropped for one that comes; unless
    /// that is the sender of the one that comes, or it is of a lower level still: then it is
    /// refused as [`ReviewsFull`](crate::ledger::RefusalReason::ReviewsFull). None goes on
    /// before its time because of others.
    pub tickets: u32,
}

impl ReviewConfig {
    /// No level is reviewed.
    pub const NONE: Self = Self {
        levels: PerLevel([false; 4]),
        timeout: Duration::from_secs(2),
        on_timeout: ReviewTimeout::Open,
        tickets: 1_024,
    };
    /// High and Normal are; likes skip it.
    pub const HIGH_AND_NORMAL: Self =
        Self { levels: PerLevel([true, true, false, false]), ..Self::NONE };
}

impl Default for ReviewConfig {
    /// No level is reviewed; 2 s, then a message goes on; 1,024 tickets.
    fn default() -> Self {
        Self::NONE
    }
}
