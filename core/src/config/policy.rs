//! The policies that a configuration chooses from.

use crate::message::OutcomeSink;
use crate::priority::{PerLevel, Priority};
use crate::quota::{Quota, RateLimit};
use crate::time::Duration;
use core::num::NonZeroU32;

/// Whose turn it is among the messages of one level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueDiscipline {
    /// First come, first served.
    #[default]
    Fifo,
    /// The senders in turn, each with its oldest: a flooder gets no more turns than anybody else.
    /// Among senders who have one message each it is first come, first served.
    RoundRobin,
    /// At random among the messages; the drawn one's sender sends the oldest. Drawn from the room's
    /// seed.
    Random,
}

/// Which message of the lowest waiting level gives way when the queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum EvictionPolicy {
    /// The newest of the sender who holds most of that level, so that a flooder evicts himself.
    #[default]
    BiggestSender,
    /// The one that came last.
    Newest,
    /// The one that came first.
    Oldest,
    /// Any, drawn from the room's seed.
    Random,
}

/// Whether a message comes back to the session that sent it. The user's other sessions always get
/// it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Echo {
    /// It does not.
    #[default]
    Off,
    /// It does.
    On,
}

/// What a queue of four levels may hold and how it chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueConfig {
    /// The maximum number of messages, over all levels.
    pub messages: u32,
    /// The maximum number of payload bytes, over all levels.
    pub bytes: u64,
    /// Whose turn it is inside a level.
    pub discipline: QueueDiscipline,
    /// How long a sender's turns are remembered; zero is not at all. Turns of the
    /// [round](QueueDiscipline::RoundRobin) go to who has had the fewest, and the
    /// [biggest sender](EvictionPolicy::BiggestSender) is who holds and has had most. In a queue
    /// that holds little, whoever fills each free place at once would have more turns than others
    /// without it.
    pub turn_memory: Duration,
    /// Who gives way when it is full.
    pub eviction: EvictionPolicy,
    /// The age at which a message of each level is dispatched no more; `None` is never. At that age
    /// itself it has expired.
    pub fresh_within: PerLevel<Option<Duration>>,
    /// What a room does with a message that could not go out within `fresh_within`.
    pub when_late: WhenLate,
}

impl Default for QueueConfig {
    /// 1,024 messages, 4 MiB, first come first served, the biggest sender gives way; High waits as
    /// long as it takes, Normal 5 s, Low 2 s, Lowest 1 s.
    fn default() -> Self {
        let seconds = |n| Some(Duration::from_secs(n));
        Self {
            messages: 1_024,
            bytes: 4 << 20,
            discipline: QueueDiscipline::Fifo,
            turn_memory: Duration::ZERO,
            eviction: EvictionPolicy::BiggestSender,
            fresh_within: PerLevel([None, seconds(5), seconds(2), seconds(1)]),
            when_late: WhenLate::Wait,
        }
    }
}

/// What a room does with a message that comes when more waits at its level than can go out within
/// the level's bound on age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenLate {
    /// It waits, and expires if its turn has not come by then. So do the services that drop what is
    /// over their rate.
    #[default]
    Wait,
    /// The call that offers it decides: by the [`EvictionPolicy`], among those of its level, until
    /// the others can go in time. A newcomer that would have to give way itself is refused as
    /// [`Congested`](crate::ledger::RefusalReason::Congested); of senders who hold equally much, it
    /// is the newcomer. What can go in time is reckoned as if nothing more came: behind all that
    /// waits at higher levels, by the room's rate, the reserves, the level's own quota and the
    /// floor.
    RefuseAtOnce,
}

/// How outcomes are reported when a publisher does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DefaultOutcomeSink {
    /// In the ledger only.
    CountedOnly,
    /// As an event with tag 0.
    Event,
}

impl From<DefaultOutcomeSink> for OutcomeSink {
    fn from(default: DefaultOutcomeSink) -> Self {
        match default {
            DefaultOutcomeSink::CountedOnly => Self::CountedOnly,
            DefaultOutcomeSink::Event => Self::Event(crate::ids::CorrelationId(0)),
        }
    }
}

/// How the room's rate is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RateAlgorithm {
    /// By a token bucket: in every span of time T at most `burst + rate × T`.
    #[default]
    TokenBucket,
    /// By aligned windows: at most the rate's count in each of its periods, which begin at whole
    /// multiples of the period on the host's clock. The burst is not asked for.
    FixedWindow,
    /// Not at all: what is let in goes out at once, unless its level has a quota of its own. Neither
    /// the rate nor the burst is asked for, and the reserves hold nothing back. So is a room that
    /// only fans out: [`RoomConfig::fan_out`](crate::RoomConfig::fan_out).
    Unlimited,
}

/// How many priorities the room tells apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Levels {
    /// All four.
    #[default]
    Four,
    /// Three: what is offered as `Lowest` counts as `Low`.
    Three,
    /// Two: what is not `High` counts as `Normal`.
    Two,
}

impl Levels {
    /// Whether there is such a level.
    pub(crate) fn has(self, level: Priority) -> bool {
        self.level(level) == level
    }

    /// What a priority counts as.
    #[inline]
    pub(crate) fn level(self, priority: Priority) -> Priority {
        match self {
            Self::Three if priority == Priority::Lowest => Priority::Low,
            Self::Two if priority != Priority::High => Priority::Normal,
            Self::Two | Self::Three | Self::Four => priority,
        }
    }
}

/// Whose messages a level's own quota does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exempt {
    /// Nobody's.
    #[default]
    Nobody,
    /// Those of the host, the owner and the admins.
    OwnerAndAdmins,
}

/// The second limit of a room: what each level may take beside the room's own rate.
///
/// A message needs a token of the room and one of its level; both are looked at, then both are
/// taken. A level that has used up its own is passed over. Whose message it is, is judged when it
/// has its turn: whoever was an admin when it was let in and is none any more is not exempt. A
/// level that is used up still lets an exempt message go that is at its head: the one whose turn it
/// is, and where turns are drawn at random, the oldest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LevelQuotas {
    /// What each level may take; `None` is without limit.
    pub levels: PerLevel<Option<RateLimit>>,
    /// Whose messages it does not count.
    pub exempt: Exempt,
}

impl LevelQuotas {
    /// No second limit.
    pub const NONE: Self = Self { levels: PerLevel([None; 4]), exempt: Exempt::Nobody };
    /// 40 a second for each level but High; the owner's and the admins' messages are exempt.
    pub const HIGH_AND_STAFF_EXEMPT: Self = Self {
        levels: PerLevel([None, Some(FORTY), Some(FORTY), Some(FORTY)]),
        exempt: Exempt::OwnerAndAdmins,
    };
    /// 40 a second for each level; nobody is exempt.
    pub const NOBODY_EXEMPT: Self =
        Self { levels: PerLevel([Some(FORTY); 4]), exempt: Exempt::Nobody };

    /// Whether any level has a quota.
    pub(crate) fn any(&self) -> bool {
        self.levels.values().any(Option::is_some)
    }
}

/// The second limit of an `AVChatRoom`.
const FORTY: RateLimit = RateLimit::Bucket(Quota::per_second(NonZeroU32::new(40).unwrap()));
