//! Operations for proptest, weighted so that a room lives: more is said than left.

use proptest::prelude::*;
use roomcast_tests::ops::{Limits, Op, Setup};

pub(crate) fn setup() -> impl Strategy<Value = Setup> {
    let queue = (
        any::<u8>(),
        any::<u8>(),
        (any::<[u8; 3]>(), any::<(u8, u8)>(), any::<([u8; 4], u8)>()),
        any::<u8>(),
        any::<u8>(),
        any::<u8>(),
        any::<u8>(),
        any::<[u8; 4]>(),
    );
    let log = (
        any::<[u8; 4]>(),
        any::<u8>(),
        any::<(([u8; 4], u8), bool, u8, u8, (u8, u8))>(),
        (any::<u8>(), any::<u8>()),
        any::<u8>(),
    );
    let events = (any::<[u8; 4]>(), any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>());
    let quotas = prop_oneof![2 => Just([0; 4]), 1 => any::<[u8; 4]>()];
    let review = prop_oneof![1 => Just((0, 0)), 1 => any::<(u8, u8)>()];
    let tips = prop_oneof![2 => Just((0, 0)), 1 => any::<(u16, u8)>()];
    let audit = prop_oneof![3 => Just(0), 2 => any::<u8>()];
    let duplicates = (any::<u8>(), audit);
    let limits = (any::<u8>(), any::<u8>(), quotas, any::<bool>(), duplicates, review, tips)
        .prop_map(|(rate_algorithm, levels, quotas, exempt, (duplicates, audit), review, tips)| {
            Limits { rate_algorithm, levels, quotas, exempt, duplicates, review, tips, audit }
        });
    let place =
        (any::<u8>(), prop_oneof![4 => Just(0), 1 => 1_u8..3], any::<[u8; 3]>(), any::<u8>());
    let people = (any::<(u8, u8)>(), any::<u8>(), any::<u8>());
    (queue, log, events, limits, place, people).prop_map(
        |(
            queue,
            log,
            events,
            limits,
            (heads, start, coalesce, shards),
            (heartbeat, expire, step),
        )| {
            let (
                rate,
                burst,
                (reserve, min_share, sender_quota),
                queue,
                queue_bytes,
                discipline,
                eviction,
                wait,
            ) = queue;
            let (log, log_bytes, (ages, echo, late, resume, directs), sessions, moderation) = log;
            let (outcomes, outcome_sink, presence, grace, seed) = events;
            Setup {
                rate,
                burst,
                reserve,
                limits,
                min_share,
                sender_quota,
                queue,
                queue_bytes,
                discipline,
                eviction,
                wait,
                log,
                log_bytes,
                ages,
                echo,
                late,
                resume,
                directs,
                sessions,
                moderation,
                outcomes,
                outcome_sink,
                presence,
                grace,
                coalesce,
                heartbeat,
                expire,
                step,
                shards,
                seed,
                heads,
                start,
                size: 0,
            }
        },
    )
}

/// Rooms that hold hundreds, and of each bound most.
pub(crate) fn big() -> impl Strategy<Value = Setup> {
    (setup(), 208_u8.., any::<bool>()).prop_map(|(setup, size, is_open)| {
        let rate_algorithm = if is_open { 255 } else { setup.limits.rate_algorithm };
        let limits = Limits { rate_algorithm, quotas: [0; 4], ..setup.limits };
        Setup { size, limits, expire: 0, step: 0, ..setup }
    })
}

/// Operations of which some are hundreds of calls.
pub(crate) fn ops_at_once(most: usize) -> impl Strategy<Value = Vec<Op>> {
    let n = any::<u8>;
    let at_once = prop_oneof![
        2 => (n(), n()).prop_map(|(user, count)| Op::Throng { user, count }),
        3 => (n(), n(), 0_u8..8, n(), n()).prop_map(|(who, level, size, outcome_sink, quarter)| {
            Op::Burst { who, level, size, outcome_sink, quarter }
        }),
        2 => (n(), n(), n(), n()).prop_map(|(first, messages, bytes, busy)| {
            Op::SweepAll { first, messages, bytes, busy }
        }),
    ];
    prop::collection::vec(prop_oneof![2 => at_once, 3 => op()], 1..most)
}

pub(crate) fn ops(most: usize) -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(op(), 1..most)
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let n = any::<u8>;
    prop_oneof![
        24 => (n(), n(), n(), n(), (n(), n()))
            .prop_map(|(who, level, size, outcome_sink, more)| {
                Op::Speak { who, level, size, outcome_sink, more }
            }),
        6 => (n(), n()).prop_map(|(which, verdict)| Op::Decide { which, verdict }),
        8 => (n(), prop::option::of(n()), (n(), n(), n()), (n(), n()), (n(), n()))
            .prop_map(|(user, who, what, more, hop)| Op::Forward { user, who, what, more, hop }),
        3 => (n(), n(), n()).prop_map(|(level, size, times)| Op::Broadcast { level, size, times }),
        8 => (n(), n(), n(), (n(), n())).prop_map(|(level, size, outcome_sink, more)| {
            Op::Host { level, size, outcome_sink, more }
        }),
        10 => (
            n(),
            prop::option::weighted(0.2, n()),
            prop_oneof![4 => Just(0), 1 => n()],
            prop::option::weighted(0.4, (n(), n())),
            prop::option::weighted(0.5, n()),
        )
            .prop_map(|(user, known, mask, resume, profile)| {
                Op::Join { user, known, mask, resume, profile }
            }),
        6 => (n(), n()).prop_map(|(who, at)| Op::Token { who, at }),
        8 => (n(), n(), n()).prop_map(|(who, level, back)| Op::Ack { who, level, back }),
        8 => (n(), n(), prop_oneof![4 => Just(0), 1 => n()])
            .prop_map(|(who, at, twist)| Op::Return { who, at, twist }),
        12 => (n(), n(), n()).prop_map(|(to, level, size)| Op::Direct { to, level, size }),
        4 => (n(), n()).prop_map(|(who, levels)| Op::LevelSet { who, levels }),
        16 => (n(), n(), n()).prop_map(|(who, messages, bytes)| Op::Batch { who, messages, bytes }),
        6 => ((n(), n()), n(), n(), n()).prop_map(|(slots, messages, bytes, busy)| {
            Op::Sweep { slots, messages, bytes, busy }
        }),
        2 => n().prop_map(|user| Op::Leave { user }),
        2 => n().prop_map(|who| Op::Gone { who }),
        2 => (n(), n()).prop_map(|(who, farewell)| Op::End { who, farewell }),
        8 => n().prop_map(|who| Op::Touch { who }),
        8 => (n(), n(), n(), n()).prop_map(|(act, actor, user, time)| {
            Op::Moderate { act, actor, user, time }
        }),
        8 => (n(), n(), n()).prop_map(|(what, of, actor)| Op::Retract { what, of, actor }),
        4 => (n(), n(), n()).prop_map(|(id, size, actor)| Op::Pin { id, size, actor }),
        4 => ((n(), n()), (prop::option::weighted(0.8, n()), prop::option::weighted(0.8, n())), n())
            .prop_map(|(keys, sizes, behind)| Op::Attribute { keys, sizes, behind }),
        4 => (n(), n()).prop_map(|(key, act)| Op::Count { key, act }),
        3 => (n(), prop::option::weighted(0.8, n())).prop_map(|(user, size)| Op::Profile { user, size }),
        6 => n().prop_map(|times| Op::Poll { times }),
        1 => Just(Op::Restart),
        6 => n().prop_map(|times| Op::Audit { times }),
        5 => Just(Op::Wake),
        3 => n().prop_map(|bytes| Op::Trim { bytes }),
        2 => n().prop_map(|left| Op::Memory { left }),
        5 => Just(Op::Tick),
        6 => Just(Op::OnTime),
        12 => (n(), 0_u8..3).prop_map(|(count, unit)| Op::Wait { count, unit }),
        1 => (n(), n()).prop_map(|(count, unit)| Op::Wait { count, unit }),
        2 => n().prop_map(|millis| Op::Back { millis }),
        2 => (n(), n()).prop_map(|(call, far)| Op::Astray { call, far }),
        1 => n().prop_map(|by| Op::Close { by }),
        6 => (
            prop_oneof![3 => (0..28_u32).prop_map(|group| 1 << group), 1 => any::<u32>()],
            0_u8..60,
            any::<[u8; 4]>(),
        )
            .prop_map(|(what, fixed, to)| Op::Reconfigure { what: (what, fixed), to }),
        2 => (n(), (n(), prop_oneof![0_u32..4, (1_u32 << 31)..((1 << 31) + 3), any::<u32>()]))
            .prop_map(|(call, bits)| Op::Stranger { call, bits }),
    ]
}
