//! Sequences that broke a law once, or that random ones seldom reach.

use roomcast_tests::ops::{Limits, Op, Setup};

const CALM: Setup = Setup::CALM;

const fn speak(who: u8, level: u8, size: u8) -> Op {
    Op::Speak { who, level, size, outcome_sink: 0, more: (0, 0) }
}

const fn join(user: u8) -> Op {
    Op::Join { user, known: None, mask: 0, resume: None, profile: None }
}

const fn take(who: u8) -> Op {
    Op::Batch { who, messages: 7, bytes: 255 }
}

/// Four times so many, by users at an edge.
const fn burst(quarter: u8) -> Op {
    Op::Burst { who: 128, level: 0, size: 0, outcome_sink: 8, quarter }
}

type Kept = (&'static str, Setup, Vec<Op>);

pub(crate) fn sequences() -> Vec<Kept> {
    [once_failed(), once_failed_at_large(), seldom_reached()].concat()
}

fn once_failed() -> Vec<Kept> {
    vec![
        (
            "generation 0 of an empty slot is nobody, not user 0",
            CALM,
            vec![
                join(7),
                join(0),
                Op::Gone { who: 0 },
                Op::Stranger { call: 0, bits: (0, 0) },
                Op::Stranger { call: 1, bits: (0, 0) },
                Op::Stranger { call: 2, bits: (0, 0) },
            ],
        ),
        (
            "a leave on a clock that ran backwards keeps its whole grace",
            CALM,
            vec![
                join(1),
                join(2),
                Op::Wait { count: 200, unit: 2 },
                speak(0, 1, 5),
                Op::Back { millis: 200 },
                Op::Leave { user: 2 },
                Op::Tick,
            ],
        ),
        (
            "one message evicts two of one sender, who had no more",
            Setup { queue_bytes: 0, burst: 0, ..CALM },
            vec![
                join(1),
                join(2),
                speak(0, 1, 1),
                speak(0, 2, 30),
                speak(0, 2, 30),
                speak(1, 1, 64),
                Op::OnTime,
            ],
        ),
        (
            "a room that expires still sends what a late call grants first",
            Setup { rate: 2, burst: 0, expire: 1, ..CALM },
            vec![
                join(1),
                speak(0, 0, 1),
                speak(0, 0, 1),
                Op::Leave { user: 1 },
                take(0),
                take(0),
                Op::Wait { count: 100, unit: 2 },
                Op::Tick,
            ],
        ),
        (
            "own messages alone are not more to come",
            CALM,
            vec![
                join(1),
                Op::Host { level: 0, size: 1, outcome_sink: 0, more: (0, 0) },
                Op::Wait { count: 100, unit: 2 },
                speak(0, 1, 1),
                Op::Batch { who: 0, messages: 1, bytes: 255 },
            ],
        ),
        (
            "who ends after the grace became shorter goes before who ended earlier",
            Setup { grace: 2, ..CALM },
            vec![
                join(1),
                join(2),
                Op::Leave { user: 1 },
                Op::Reconfigure { what: (1 << 18, 7), to: [0; 4] },
                Op::Leave { user: 2 },
                Op::OnTime,
            ],
        ),
        (
            "a newcomer that is refused gives the floor no turn",
            Setup {
                rate: 37,
                reserve: [190, 20, 5],
                limits: Limits { levels: 60, duplicates: 0, ..CALM.limits },
                min_share: (0, 0),
                sender_quota: ([0; 4], 52),
                queue: 0,
                queue_bytes: 0,
                log: [0; 4],
                log_bytes: 0,
                directs: (0, 0),
                sessions: (254, 0),
                moderation: 0,
                outcomes: [0; 4],
                outcome_sink: 0,
                presence: 0,
                heartbeat: (168, 0),
                ..CALM
            },
            vec![
                Op::Reconfigure { what: (1_885_024_810, 7), to: [23, 51, 171, 0] },
                join(51),
                join(52),
                Op::Stranger { call: 0, bits: (0, 0) },
                Op::Reconfigure { what: (2_266_224_560, 7), to: [29, 142, 6, 0] },
                Op::Speak { who: 0, level: 53, size: 72, outcome_sink: 60, more: (0, 0) },
                Op::OnTime,
                Op::Host { level: 105, size: 0, outcome_sink: 0, more: (0, 0) },
                join(48),
                Op::Wait { count: 50, unit: 2 },
                Op::Reconfigure { what: (1, 7), to: [0; 4] },
                Op::Speak { who: 0, level: 27, size: 72, outcome_sink: 116, more: (0, 0) },
                speak(0, 32, 0),
                speak(24, 173, 177),
                Op::Host { level: 26, size: 182, outcome_sink: 0, more: (0, 0) },
            ],
        ),
        (
            "a level that is alone when its own quota lets it go again has no floor's turn",
            Setup {
                rate: 0,
                burst: 2,
                reserve: [0, 0, 2],
                min_share: (1, 0),
                limits: Limits { quotas: [2; 4], ..CALM.limits },
                ..CALM
            },
            vec![
                Op::Host { level: 1, size: 1, outcome_sink: 0, more: (0, 0) },
                Op::Host { level: 3, size: 1, outcome_sink: 0, more: (0, 0) },
                Op::Host { level: 0, size: 1, outcome_sink: 0, more: (0, 0) },
                Op::Reconfigure { what: (1 << 4, 7), to: [2, 0, 0, 29] },
                Op::Wait { count: 2, unit: 2 },
                Op::Touch { who: 0 },
            ],
        ),
    ]
}

/// The same of rooms past what one call does.
fn once_failed_at_large() -> Vec<Kept> {
    vec![
        (
            "a room of many who go one after the other says that it has ended",
            Setup { sessions: (52, 0), size: 208, ..CALM },
            vec![Op::Throng { user: 0, count: 64 }, Op::Close { by: 0 }, Op::Poll { times: 15 }],
        ),
        (
            "who has no grace goes with the call that drops the rest of what waits",
            Setup { rate: 0, burst: 0, queue: 3, outcome_sink: 0, grace: 105, size: 240, ..CALM },
            vec![Op::Throng { user: 0, count: 1 }, burst(178), burst(79)],
        ),
    ]
}

fn seldom_reached() -> Vec<Kept> {
    vec![
        (
            "sessions that stand at one place share a batch until something is dispatched",
            Setup { rate: 4, burst: 7, ..CALM },
            vec![
                join(7),
                join(7),
                join(7),
                Op::Host { level: 1, size: 5, outcome_sink: 0, more: (0, 0) },
                take(0),
                take(1),
                Op::Host { level: 0, size: 6, outcome_sink: 0, more: (0, 0) },
                // One that shared and one that did not: they no longer stand at one place.
                take(2),
                take(1),
                take(0),
                Op::Host { level: 1, size: 7, outcome_sink: 0, more: (0, 0) },
                take(1),
                Op::Host { level: 1, size: 8, outcome_sink: 0, more: (0, 0) },
                take(0),
                take(2),
            ],
        ),
        (
            "the log turns over within one read, across the wrap of the low halves",
            Setup { heads: 1, log: [0; 4], burst: 7, ..CALM },
            vec![
                join(1),
                join(7),
                speak(0, 1, 1),
                speak(0, 1, 1),
                take(1),
                speak(0, 1, 1),
                speak(0, 0, 1),
                speak(0, 1, 1),
                speak(0, 1, 1),
                take(0),
                take(1),
            ],
        ),
        (
            "nobody polls: slots run out, and every outcome is told in the end",
            Setup { burst: 0, rate: 0, outcomes: [1; 4], wait: [2; 4], ..CALM },
            vec![
                join(1),
                speak(0, 1, 1),
                speak(0, 1, 1),
                speak(0, 1, 1),
                Op::Wait { count: 255, unit: 2 },
                Op::Tick,
                speak(0, 1, 1),
            ],
        ),
        (
            "a closed room hands out what is due and drops what waits, in each order of turns",
            Setup { discipline: 1, ..CALM },
            vec![
                join(1),
                join(2),
                speak(0, 1, 1),
                speak(0, 1, 2),
                speak(0, 2, 3),
                speak(1, 1, 4),
                Op::Close { by: 16 },
                take(1),
                take(1),
                Op::OnTime,
            ],
        ),
        (
            "at the end of time nothing overflows and nothing comes back",
            Setup { start: 2, rate: 0, wait: [3; 4], ..CALM },
            vec![
                join(1),
                speak(0, 1, 1),
                speak(0, 1, 1),
                Op::Wait { count: 255, unit: 3 },
                speak(0, 2, 1),
                Op::Leave { user: 1 },
                Op::Tick,
                take(0),
                Op::OnTime,
            ],
        ),
    ]
}
