//! Operations that lean to one thing: sessions that come back again and again, and rooms over
//! several audiences. Each is one that a room gets anyway.

use super::{Op, Setup};

/// What somebody does who comes and goes: most often comes back with a token, sometimes with one
/// that was tampered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Journey {
    /// What, by a table.
    pub what: u8,
    /// Who.
    pub who: u8,
    /// Three numbers for it.
    pub numbers: [u8; 3],
}

impl From<Journey> for Op {
    fn from(Journey { what, who, numbers: [a, b, c] }: Journey) -> Self {
        match what % 32 {
            0..6 => {
                Self::Speak { who, level: a, size: b % 24, outcome_sink: 0, more: (c % 16, c / 16) }
            }
            6 => Self::Host { level: a, size: b % 24, outcome_sink: 0, more: (0, 0) },
            7 => Self::Forward {
                user: who,
                who: Some(a),
                what: (b, c % 24, 0),
                more: (0, 0),
                hop: (c, a),
            },
            8..10 => Self::Token { who, at: a },
            10..16 => Self::Return { who, at: a, twist: b },
            16..19 => Self::Join {
                user: who,
                known: (c < 64).then_some(c),
                mask: if c < 224 { 0 } else { c },
                resume: Some((a, b)),
                profile: None,
            },
            19 => Self::Join { user: who, known: None, mask: 0, resume: None, profile: None },
            20..23 => Self::Batch { who, messages: a, bytes: b },
            23..25 => Self::Ack { who, level: a, back: b },
            25 => Self::Direct { to: who, level: a, size: b % 24 },
            26 => Self::LevelSet { who, levels: a },
            27 if a < 64 => Self::End { who, farewell: b },
            27 => Self::Gone { who },
            28 => Self::Leave { user: who },
            29 if c < 128 => Self::Retract { what: a, of: b, actor: 6 },
            29 => Self::Moderate { act: a, actor: b, user: who, time: c },
            30 if a < 128 => Self::OnTime,
            30 => Self::Audit { times: b },
            _ => Self::Wait { count: a, unit: b % 3 },
        }
    }
}

/// The same settings for a room in which many come back: nothing that keeps them out.
pub fn journey_setup(setup: Setup) -> Setup {
    Setup { sessions: (11, 2), expire: 0, ..setup }
}

/// What happens in a room over several audiences: most often somebody comes, and all that are in
/// are swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Crowd {
    /// Somebody comes and goes.
    Journey(Journey),
    /// Somebody comes: a guest from 192 on.
    Join {
        /// Who.
        user: u8,
    },
    /// All are swept.
    Sweep {
        /// From which of the slots on, and of which group.
        first: u8,
        /// Messages and bytes at the most.
        budget: (u8, u8),
        /// Who takes nothing.
        busy: u8,
    },
    /// Anything else.
    Any(Op),
}

impl From<Crowd> for Op {
    fn from(crowd: Crowd) -> Self {
        match crowd {
            Crowd::Journey(journey) => journey.into(),
            Crowd::Join { user } => {
                Self::Join { user, known: None, mask: 0, resume: None, profile: None }
            }
            Crowd::Sweep { first, budget: (messages, bytes), busy } => {
                Self::Sweep { slots: (first, 15), messages, bytes, busy }
            }
            Crowd::Any(op) => op,
        }
    }
}

/// The same settings for a room over two or four audiences, each of which has room.
pub fn shards_setup(setup: Setup) -> Setup {
    Setup { shards: 1 + setup.shards % 2, sessions: (11, setup.sessions.1), ..setup }
}

/// What is said in a rush: much at once at all levels, and little time between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Rush {
    /// What, by a table.
    pub what: u8,
    /// Who.
    pub who: u8,
    /// Two numbers for it.
    pub numbers: [u8; 2],
}

impl From<Rush> for Op {
    fn from(Rush { what, who, numbers: [a, b] }: Rush) -> Self {
        let more = (b % 16, b / 16);
        match what % 32 {
            // A few say most.
            0..10 => Self::Speak { who: who % 2, level: a, size: b % 8, outcome_sink: 1, more },
            10..18 => Self::Speak { who, level: a, size: b % 8, outcome_sink: b & 0xf8, more },
            18..21 => Self::Host { level: a, size: b % 8, outcome_sink: b | 7, more: (0, 0) },
            21..24 => Self::Join { user: who, known: None, mask: 0, resume: None, profile: None },
            24..28 => Self::Wait { count: a % 32, unit: 2 },
            28 => Self::OnTime,
            29 => Self::Moderate { act: a, actor: 0, user: who, time: b },
            30 => Self::Decide { which: a, verdict: b },
            _ => Self::Poll { times: a },
        }
    }
}

/// The same settings for a room that looks ahead, and whose bounds on age let a few through: most
/// often without what makes it reckon less exactly.
pub fn rush_setup(setup: Setup) -> Setup {
    let Setup { rate, wait, .. } = setup;
    // 3 a second within a second, 40 within 100 ms, 7 in 10 ms within 5 ms, 1,000 within 5 ms; or
    // whatever it is.
    let (rate, bounds) = match rate % 8 {
        0 | 1 => (1, [4, 4, 4, 4]),
        2 | 3 => (2, [6, 6, 6, 4]),
        4 | 5 => (3, [7, 7, 6, 6]),
        6 => (4, [7, 7, 7, 7]),
        _ => (rate, wait),
    };
    let mut limits = setup.limits;
    if wait[0] % 4 > 0 {
        limits.quotas = [0; 4];
    }
    let min_share = if wait[1] % 4 > 0 { 0 } else { setup.min_share.0 };
    Setup {
        rate,
        wait: bounds,
        limits,
        min_share: (min_share, setup.min_share.1),
        queue: setup.queue | 0x87,
        queue_bytes: setup.queue_bytes | 0x7f,
        sender_quota: ([0; 4], 3),
        outcomes: [3; 4],
        expire: 0,
        step: 0,
        ..setup
    }
}
