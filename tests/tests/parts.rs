//! Parts by themselves, each beside a model of its own; the fuzz targets of the same names run the
//! same.

use proptest::prelude::*;
use roomcast_tests::ops::{
    self, Crowd, Journey, Op, Rush, journey_setup, rush_setup, shards_setup,
};
use roomcast_tests::parts::{
    bucket, configs, duplicates, edges, engine, exports, frames, keyed, queue, recordings,
    sharding, tokens,
};
use std::num::{NonZeroU32, NonZeroU64};

// `laws` uses the rest.
#[allow(dead_code)]
#[path = "laws/strategies.rs"]
mod strategies;

/// `PROPTEST_CASES` asks for more, or for fewer; of what takes longer it is one in so many.
fn settings(one_in: u32) -> ProptestConfig {
    let cases =
        std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400);
    ProptestConfig {
        cases: u32::div_ceil(cases, one_in),
        max_shrink_iters: ProptestConfig::default().max_shrink_iters.min(20_000),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn n() -> impl Strategy<Value = u8> {
    any::<u8>()
}

fn bucket() -> impl Strategy<Value = bucket::Sequence> {
    use bucket::{Call, Clock, Sequence};
    let clock = prop_oneof![
        3 => Just(Clock::Stays),
        3 => n().prop_map(Clock::Nanos),
        2 => any::<u32>().prop_map(Clock::Later),
        6 => (prop_oneof![3 => Just(0_u8), 1 => n()], any::<bool>())
            .prop_map(|(keep, early)| Clock::Next { keep, early }),
        1 => any::<u64>().prop_map(Clock::Jumps),
    ];
    let call = prop_oneof![
        6 => Just(Call::Take),
        2 => n().prop_map(Call::TakeKeeping),
        1 => any::<u32>().prop_map(Call::TakeKeepingMany),
    ];
    // From one in all time to a billion in a nanosecond, and most often between 1 ns and 1 µs a token.
    let rate = prop_oneof![
        3 => (1_u32..2_000, 1_u64..1_000_000),
        2 => (1_u32..2_000, Just(1_000_000_000)),
        1 => (1_u32.., 1_u64..),
    ];
    let burst = prop_oneof![4 => 1_u32..8, 1 => 1_u32..];
    (rate, burst, prop::collection::vec((clock, call), 1..120)).prop_map(
        |((rate, period), burst, calls)| {
            let least = NonZeroU32::MIN;
            let [rate, burst] = [rate, burst].map(|n| NonZeroU32::new(n).unwrap_or(least));
            let period = NonZeroU64::new(period).unwrap_or(NonZeroU64::MIN);
            Sequence { rate, period, smaller: (0, 0), burst, calls }
        },
    )
}

fn queue() -> impl Strategy<Value = queue::Sequence> {
    use queue::{Call, Sequence};
    let call = prop_oneof![
        12 => (n(), n(), n(), prop::bool::weighted(0.2)).prop_map(|(level, sender, size, is_urgent)| {
            Call::Push { level, sender, size, is_urgent }
        }),
        3 => (n(), n(), n()).prop_map(|(level, sender, count)| Call::Flood { level, sender, count }),
        4 => n().prop_map(|level| Call::Pop { level }),
        4 => Just(Call::PopHighest),
        1 => Just(Call::PopExpired),
        3 => n().prop_map(|millis| Call::Wait { millis }),
        1 => n().prop_map(|millis| Call::Back { millis }),
    ];
    let wait = prop_oneof![2 => Just([None; 4]), 3 => any::<[Option<u8>; 4]>()];
    (n(), n(), (n(), n()), wait, n(), any::<u64>(), prop::collection::vec(call, 1..120)).prop_map(
        |(messages, bytes, (discipline, eviction), wait, memory, seed, calls)| Sequence {
            messages,
            bytes,
            discipline,
            eviction,
            wait,
            memory,
            seed,
            calls,
        },
    )
}

fn keyed() -> impl Strategy<Value = keyed::Sequence> {
    use keyed::{Call, Sequence};
    let call = prop_oneof![
        8 => n().prop_map(|key| Call::Take { key }),
        1 => (n(), n()).prop_map(|(first, count)| Call::Flood { first, count }),
        3 => (n(), n()).prop_map(|(count, unit)| Call::Wait { count, unit }),
        3 => (n(), any::<bool>()).prop_map(|(key, early)| Call::Until { key, early }),
    ];
    (
        n(),
        n(),
        prop_oneof![8 => n(), 1 => Just(255)],
        any::<u64>(),
        prop::collection::vec(call, 1..80),
    )
        .prop_map(|(rate, burst, places, seed, calls)| Sequence {
            rate,
            burst,
            places,
            seed,
            calls,
        })
}

fn duplicates() -> impl Strategy<Value = duplicates::Sequence> {
    use duplicates::{Call, Sequence};
    let call = prop_oneof![
        12 => (n(), n(), n(), prop::option::weighted(0.3, 0_u8..6))
            .prop_map(|(sender, key, level, carrier)| Call::Say { sender, key, level, carrier }),
        1 => (n(), n()).prop_map(|(count, level)| Call::Flood { count, level }),
        4 => (0_u8..12).prop_map(|back| Call::Drop { back }),
        4 => prop_oneof![3 => 0_u16..600, 1 => any::<u16>()].prop_map(|millis| Call::Wait { millis }),
        1 => (n(), n()).prop_map(|(window, keys)| Call::Become { window, keys }),
        1 => (n(), n()).prop_map(|(before, level)| Call::Move { before, level }),
    ];
    (n(), prop_oneof![4 => n(), 1 => Just(255)], any::<u64>(), prop::collection::vec(call, 1..120))
        .prop_map(|(window, keys, seed, calls)| Sequence { window, keys, seed, calls })
}

fn tokens() -> impl Strategy<Value = tokens::Sequence> {
    use tokens::{Edit, Sequence};
    let at = || 0_u16..160;
    let edit = prop_oneof![
        6 => (at(), n()).prop_map(|(at, bits)| Edit::Change { at, bits }),
        2 => (at(), at()).prop_map(|(from, to)| Edit::Swap { from, to }),
        2 => (at(), prop_oneof![Just(8), n()]).prop_map(|(at, count)| Edit::Cut { at, count }),
        2 => (at(), prop_oneof![Just(8), n()], n())
            .prop_map(|(at, count, byte)| Edit::Insert { at, count, byte }),
    ];
    let bytes = prop_oneof![
        2 => prop::collection::vec(n(), 0..700),
        // With the right version, and of a right length.
        3 => (0_usize..70, n()).prop_map(|(formers, byte)| {
            let mut bytes = vec![byte; 73 + formers * 8];
            bytes[0] = 1;
            bytes
        }),
    ];
    let text = prop_oneof![any::<String>(), "[A-Za-z0-9_-]{0,120}", "AQ[A-Za-z0-9_-]{96}"];
    (n(), n(), bytes, text, prop::collection::vec(edit, 0..4)).prop_map(
        |(user, returns, bytes, text, edits)| Sequence { user, returns, bytes, text, edits },
    )
}

fn sharding() -> impl Strategy<Value = sharding::Sequence> {
    let shares = prop::collection::vec(n(), 0..6);
    let calls = prop::collection::vec(n(), 0..60);
    let slots = prop::collection::vec(prop_oneof![0_u32..20_000, any::<u32>()], 0..4);
    (n(), n(), shares, calls, slots).prop_map(|(shards, open_at, shares, calls, slots)| {
        sharding::Sequence { shards, open_at, shares, calls, slots }
    })
}

fn frames() -> impl Strategy<Value = frames::Sequence> {
    use frames::{Piece, Sequence};
    let bytes = |most| prop::collection::vec(any::<u8>(), 0..most);
    let text = || prop::collection::vec(prop_oneof![4 => 32_u8..127, 1 => any::<u8>()], 0..12);
    let mask = any::<[u8; 4]>;
    let odd = || prop_oneof![12 => Just(9_u8), 1 => 0_u8..6];
    let piece = prop_oneof![
        8 => (0_u8..192, prop::bool::weighted(0.7), odd(), mask(), text())
            .prop_map(|(kind, is_last, odd, mask, payload)| Piece::Frame { kind, is_last, odd, mask, payload }),
        1 => (n(), any::<bool>(), odd(), mask(), bytes(400))
            .prop_map(|(kind, is_last, odd, mask, payload)| Piece::Frame { kind, is_last, odd, mask, payload }),
        4 => (any::<String>(), n(), mask()).prop_map(|(text, cut, mask)| Piece::Text { text, cut, mask }),
        2 => (any::<bool>(), any::<u16>()).prop_map(|(is_text, size)| Piece::Large { is_text, size }),
        1 => (prop_oneof![995_u16..1_020, 2_998_u16..3_002, any::<u16>()], text(), mask())
            .prop_map(|(code, reason, mask)| Piece::Close { code, reason, mask }),
        1 => bytes(300).prop_map(Piece::Raw),
    ];
    let cuts = prop::collection::vec(prop_oneof![0_u8..9, any::<u8>()], 0..8);
    (prop::collection::vec(piece, 0..12), cuts).prop_map(|(pieces, cuts)| Sequence { pieces, cuts })
}

fn edges() -> impl Strategy<Value = edges::Sequence> {
    use edges::{Call, Sequence};
    let call = prop_oneof![
        8 => (n(), n(), prop_oneof![1 => 0_u8..8, 3 => 8_u8..]).prop_map(|(who, level, key)| Call::Say { who, level, key }),
        2 => n().prop_map(|level| Call::Host { level }),
        8 => n().prop_map(|edge| Call::Forward { edge }),
        8 => (n(), 0_u8..6).prop_map(|(edge, back)| Call::Fly { edge, back }),
        3 => (n(), n()).prop_map(|(edge, back)| Call::Fly { edge, back: back % 4 + back / 64 * 64 }),
        1 => n().prop_map(|edge| Call::GiveUp { edge }),
        4 => (n(), n()).prop_map(|(edge, messages)| Call::Read { edge, messages }),
        1 => Just(Call::Takeover),
        5 => n().prop_map(|millis| Call::Wait { millis }),
    ];
    (n(), prop::collection::vec(call, 1..160)).prop_map(|(rate, calls)| Sequence { rate, calls })
}

fn engine() -> impl Strategy<Value = engine::Sequence> {
    use engine::{Call, Sequence};
    let call = prop_oneof![
        4 => (n(), n()).prop_map(|(room, rules)| Call::Create { room, rules }),
        1 => n().prop_map(|room| Call::Remove { room }),
        8 => (n(), n()).prop_map(|(room, user)| Call::Join { room, user }),
        10 => (n(), n(), n()).prop_map(|(room, who, level)| Call::Say { room, who, level }),
        5 => (n(), n()).prop_map(|(room, who)| Call::Read { room, who }),
        2 => (n(), n()).prop_map(|(room, user)| Call::Leave { room, user }),
        1 => n().prop_map(|room| Call::Close { room }),
        3 => n().prop_map(|key| Call::Broadcast { key }),
        4 => n().prop_map(|times| Call::Poll { times }),
        3 => Just(Call::Tick),
        4 => Just(Call::OnTime),
        4 => (0_u16..2_000).prop_map(|millis| Call::Wait { millis }),
    ];
    (n(), any::<bool>(), any::<u64>(), any::<u64>(), prop::collection::vec(call, 1..150)).prop_map(
        |(rooms, one_room, life, seed, calls)| Sequence { rooms, one_room, life, seed, calls },
    )
}

fn recordings() -> impl Strategy<Value = recordings::Sequence> {
    use recordings::{Said, Sequence};
    let text = prop::collection::vec(n(), 0..12);
    let wait = prop_oneof![0_u16..2_000, any::<u16>()];
    let said = (wait, n(), text).prop_map(|(wait, who, text)| Said { wait, who, text });
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "[\\[{<@\\]}>/!0-9a-z:,.\"' \n-]{0,200}".prop_map(String::into_bytes),
    ];
    let edits = prop::collection::vec((any::<u16>(), n()), 0..4);
    let said = prop::collection::vec(said, 0..12);
    (n(), said, any::<u16>(), any::<u16>(), edits, n(), bytes).prop_map(
        |(format, said, broken, cut, edits, chunk, bytes)| Sequence {
            format,
            said,
            broken,
            cut,
            edits,
            chunk,
            bytes,
        },
    )
}

fn exports() -> impl Strategy<Value = exports::Sequence> {
    use exports::{Call, Sequence};
    let user = || 0_u8..6;
    let actor = || prop_oneof![0_u8..6, Just(128)];
    let time = || prop::option::of(any::<u16>());
    let key = || prop_oneof![3 => "[ab]", 1 => any::<String>()];
    let value = prop_oneof![
        2 => any::<String>().prop_map(String::into_bytes),
        2 => prop::collection::vec(any::<u8>(), 0..6),
    ];
    let call = prop_oneof![
        1 => user().prop_map(Call::Appoint),
        3 => (actor(), user(), time()).prop_map(|(actor, user, millis)| Call::Mute { actor, user, millis }),
        2 => (user(), time()).prop_map(|(user, millis)| Call::Ban { user, millis }),
        1 => user().prop_map(Call::Mark),
        1 => any::<bool>().prop_map(Call::MuteRoom),
        1 => (n(), prop::option::of(n())).prop_map(|(who, unique)| Call::SpeakMode { who, unique }),
        2 => (key(), prop::option::weighted(0.8, value))
            .prop_map(|(key, value)| Call::Attribute { key, value }),
        2 => (key(), prop_oneof![-9_i64..9, any::<i64>()])
            .prop_map(|(key, delta)| Call::Count { key, delta }),
        6 => (actor(), n(), prop::option::weighted(0.7, n()))
            .prop_map(|(who, level, key)| Call::Say { who, level, key }),
        3 => prop_oneof![0_u16..3_000, any::<u16>()].prop_map(Call::Wait),
    ];
    let calls = || prop::collection::vec(call.clone(), 0..40);
    let edits = prop::collection::vec((any::<u16>(), n()), 0..4);
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..100),
        "[\\[{}\\]\":,a-z0-9 ]{0,100}".prop_map(String::into_bytes),
    ];
    (calls(), calls(), edits, bytes).prop_map(|(before, after, edits, bytes)| Sequence {
        before,
        after,
        edits,
        bytes,
    })
}

/// A file that says something, and then anything.
fn configs() -> impl Strategy<Value = Vec<u8>> {
    let key = prop_oneof![
        6 => prop::sample::select(vec![
            "rate", "burst", "owner", "reserve", "level_quotas", "sender_quota", "review", "grace",
            "queue_bytes", "log_age", "heartbeat", "audit", "data", "echo", "seed", "discipline",
        ]).prop_map(str::to_owned),
        1 => "[a-z_]{1,9}",
    ];
    let value = prop_oneof![
        2 => any::<i64>().prop_map(|n| n.to_string()),
        2 => (0_u32..9, prop::sample::select(vec!["s", "ms", "/s", "/s burst 2", "/s window", ""]))
            .prop_map(|(n, unit)| format!("\"{n} {unit}\"")),
        1 => prop::sample::select(vec!["off", "on", "fifo", "unlimited"]).prop_map(|it| format!("\"{it}\"")),
        1 => (0_u32..9).prop_map(|n| format!("{{ high = {n}, low = \"{n} s\" }}")),
        1 => "[ -~]{0,12}",
    ];
    let line = (key, value).prop_map(|(key, value)| format!("{key} = {value}\n"));
    let lines = prop::collection::vec(line, 0..6).prop_map(|lines| lines.concat().into_bytes());
    prop_oneof![8 => lines, 1 => prop::collection::vec(any::<u8>(), 0..60)]
}

fn journeys() -> impl Strategy<Value = Journey> {
    (n(), n(), any::<[u8; 3]>()).prop_map(|(what, who, mut numbers)| {
        // Most come with a token as it was given out.
        numbers[1] = if numbers[2] < 192 { numbers[1] % 160 } else { numbers[1] };
        Journey { what, who, numbers }
    })
}

fn rushes() -> impl Strategy<Value = Rush> {
    (n(), n(), any::<[u8; 2]>()).prop_map(|(what, who, numbers)| Rush { what, who, numbers })
}

fn crowds() -> impl Strategy<Value = Crowd> {
    prop_oneof![
        3 => journeys().prop_map(Crowd::Journey),
        2 => n().prop_map(|user| Crowd::Join { user }),
        2 => (n(), (n(), n()), n())
            .prop_map(|(first, budget, busy)| Crowd::Sweep { first, budget, busy }),
        3 => strategies::op().prop_map(Crowd::Any),
    ]
}

fn ops<T: Into<Op>>(of: Vec<T>) -> Vec<Op> {
    of.into_iter().map(Into::into).collect()
}

proptest! {
    // Each of these fills audiences.
    #![proptest_config(settings(8))]

    #[test]
    fn whoever_joins_goes_where_the_fewest_are(sequence in sharding()) {
        sharding::run(&sequence)?;
    }
}

proptest! {
    #![proptest_config(settings(1))]

    #[test]
    fn a14_a_bucket_is_as_the_law_says(sequence in bucket()) {
        bucket::run(&sequence)?;
    }

    #[test]
    fn b8_the_queue_is_as_the_line_says(sequence in queue()) {
        queue::run(&sequence)?;
    }

    #[test]
    fn a8_a_room_of_an_engine_answers_as_one_by_itself(sequence in engine()) {
        engine::run(&sequence)?;
    }

    #[test]
    fn b16_a_keyed_limit_is_as_the_quotas_say(sequence in keyed()) {
        keyed::run(&sequence)?;
    }

    #[test]
    fn b11_the_table_of_keys_is_as_the_list_says(sequence in duplicates()) {
        duplicates::run(&sequence)?;
    }

    #[test]
    fn b17_edges_and_owners_lose_nothing_in_silence(sequence in edges()) {
        edges::run(&sequence)?;
    }

    #[test]
    fn b23_a_token_is_what_it_was_or_void(sequence in tokens()) {
        tokens::run(&sequence)?;
    }

    #[test]
    fn a_recording_is_read_as_it_was_written(sequence in recordings()) {
        recordings::run(&sequence)?;
    }

    #[test]
    fn b20_a_room_goes_on_with_what_was_written(sequence in exports()) {
        exports::run(&sequence)?;
    }

    #[test]
    fn a_configuration_is_read_as_it_is_written_or_refused_in_words(bytes in configs()) {
        configs::run(&bytes)?;
    }

    #[test]
    fn what_a_peer_says_does_not_depend_on_how_it_comes(sequence in frames()) {
        frames::run(&sequence)?;
    }
}

proptest! {
    #![proptest_config(settings(2))]

    #[test]
    fn b18_whoever_comes_back_again_and_again_goes_on(
        setup in strategies::setup(),
        journeys in prop::collection::vec(journeys(), 1..150),
    ) {
        ops::run(&journey_setup(setup), &ops(journeys))?;
    }

    #[test]
    fn b21_a_room_in_a_rush_lets_in_what_can_go_in_time(
        setup in strategies::setup(),
        rushes in prop::collection::vec(rushes(), 1..200),
    ) {
        ops::run(&rush_setup(setup), &ops(rushes))?;
    }

    #[test]
    fn a_room_over_several_audiences_is_one_room(
        setup in strategies::setup(),
        crowds in prop::collection::vec(crowds(), 1..150),
    ) {
        ops::run(&shards_setup(setup), &ops(crowds))?;
    }
}

/// A user was in a room that is gone: one that is made anew under its id is not called, whether or not
/// the engine has found out by then.
#[test]
fn a8_a_room_under_an_id_of_before_is_another() {
    use engine::{Call, Sequence};
    let calls = vec![
        Call::Create { room: 4, rules: 0 },
        Call::Join { room: 4, user: 3 },
        Call::Remove { room: 4 },
        Call::Create { room: 3, rules: 0 },
        Call::Create { room: 4, rules: 0 },
        Call::Broadcast { key: 0 },
        Call::Join { room: 3, user: 3 },
    ];
    let run = |calls| {
        engine::run(&Sequence { rooms: 1, one_room: true, life: 0, seed: 0, calls }).unwrap();
    };
    run(calls.clone());
    let mut found_out = calls;
    found_out.insert(4, Call::Join { room: 3, user: 0 });
    run(found_out);
}
