use crate::config::{
    AuditConfig, DefaultOutcomeSink, Heartbeat, LevelQuotas, ReviewConfig, RoomConfigBuilder,
};
use crate::dedup::DedupWindow;
use crate::quota::{Quota, Rate, RateLimit};
use crate::system_messages::SystemMessages;
use crate::time::Duration;
use crate::{PerLevel, RoomConfig, UserId};
use alloc::format;
use alloc::string::{String, ToString};
use core::num::NonZeroU32;
use proptest::prelude::*;

fn read(text: &str) -> Result<RoomConfig, String> {
    toml::from_str(text).map_err(|error| error.message().to_string())
}

/// One in which nothing is as by default that is on in no preset.
fn all_on() -> RoomConfig {
    let five = NonZeroU32::new(5).unwrap();
    let quota = Quota { rate: Rate::per_second(five), burst: NonZeroU32::MIN };
    let seconds = |n| Some(Duration::from_secs(n));
    RoomConfig::builder(UserId(7))
        .seed(u64::MAX)
        .min_share(Some(10))
        .reserve(PerLevel([5, 4, 3, 2]))
        .level_quotas(LevelQuotas {
            levels: PerLevel([
                None,
                Some(RateLimit::Unlimited),
                Some(RateLimit::Bucket(quota)),
                None,
            ]),
            ..LevelQuotas::HIGH_AND_STAFF_EXEMPT
        })
        .sender_quota(PerLevel([None, Some(quota), Some(Quota::per_second(five)), None]))
        .review(ReviewConfig::HIGH_AND_NORMAL)
        .system_messages(SystemMessages::ALL)
        .outcome_sink(PerLevel([DefaultOutcomeSink::Event; 4]))
        .audit(Some(AuditConfig::default()))
        .heartbeat(Some(Heartbeat { leave_after: seconds(90), ..Heartbeat::AV_CHAT_ROOM }))
        .coalesce(PerLevel([0, 5, 1_500, 90_000].map(Duration::from_millis)))
        .grace(Duration::from_nanos(1_234_567_890_123))
        .idle_timeout(seconds(100_000))
        .max_step(seconds(3_600))
        .log_age(seconds(61))
        .build()
        .unwrap()
}

#[test]
fn every_preset_is_read_as_it_was_written() {
    let owner = UserId(3);
    for config in [
        RoomConfig::default(),
        RoomConfig::fan_out(),
        RoomConfig::av_chat_room(owner),
        RoomConfig::av_chat_room_three_levels(None),
        RoomConfig::rong_cloud(owner),
        RoomConfig::net_ease(None),
        RoomConfig::easemob(owner),
        all_on(),
    ] {
        let text = toml::to_string(&config).unwrap();
        assert_eq!(read(&text), Ok(config.clone()), "{text}");
        // Whatever it is read over: it says everything.
        let over = all_on().deserialize_over(toml::Deserializer::parse(&text).unwrap());
        assert_eq!(over, Ok(config.clone()));
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<RoomConfig>(&text).unwrap(), config, "{text}");
    }
}

#[test]
fn a_file_says_only_what_is_other() {
    let text = r#"
        rate = "10/min"
        burst = 5
        queue_messages = 50
        fresh_within = { high = "off", low = "1m 30s" }
        sender_quota = "2/s burst 5"
        level_quotas = { low = "40/200ms window", exempt = "owner_and_admins" }
        heartbeat = { every = "10 s" }
        dedup_window = { keys = 7 }
        system_messages = { joined = "low", names = 2 }
        owner = 9
        "#;
    let default = RoomConfig::default();
    let quota = Quota {
        rate: Rate::per_second(NonZeroU32::new(2).unwrap()),
        burst: NonZeroU32::new(5).unwrap(),
    };
    let window = Rate::new(NonZeroU32::new(40).unwrap(), Duration::from_millis(200)).unwrap();
    let mut fresh_within = default.queue().fresh_within;
    fresh_within.0[0] = None;
    fresh_within.0[2] = Some(Duration::from_secs(90));
    let dedup_window = DedupWindow { keys: 7, ..DedupWindow::default() };
    let mut system_messages = SystemMessages::NONE
        .with(crate::system_messages::SystemMessageKind::Joined, Some(crate::Priority::Low));
    system_messages.names = 2;
    let expected = default
        .to_builder()
        .owner(UserId(9))
        .rate(10)
        .rate_period(Duration::from_secs(60))
        .burst(5)
        .queue_messages(50)
        .fresh_within(fresh_within)
        .sender_quota(PerLevel([Some(quota); 4]))
        .level_quotas(LevelQuotas {
            levels: PerLevel([None, None, Some(RateLimit::Window(window)), None]),
            exempt: crate::config::Exempt::OwnerAndAdmins,
        })
        .heartbeat(Some(Heartbeat { every: Duration::from_secs(10), ..Heartbeat::AV_CHAT_ROOM }))
        .dedup_window(dedup_window)
        .system_messages(system_messages);
    assert_eq!(read(text), Ok(expected.build().unwrap()));
    assert_eq!(read(""), Ok(default));
}

#[test]
fn an_error_names_the_key_the_value_and_what_it_may_be() {
    let duration =
        "expected a duration such as \"200 ms\", \"5 s\" or \"1m 30s\" (d, h, m, s, ms, us, ns)";
    for (text, message) in [
        (
            "grace = \"5 parsecs\"",
            format!("grace: invalid value: string \"5 parsecs\", {duration}"),
        ),
        ("grace = 5", format!("grace: invalid type: integer `5`, {duration}")),
        (
            "fresh_within = { low = \"soon\" }",
            format!("fresh_within: low: invalid value: string \"soon\", {duration}"),
        ),
        (
            "rate = \"0/s\"",
            "rate: invalid value: string \"0/s\", expected a rate such as \"40/s\", \"10/min\" or \
             \"40/200ms\", at least 1"
                .to_string(),
        ),
        (
            "burst = -1",
            "burst: invalid value: integer `-1`, expected a whole number from 0 to 4294967295"
                .to_string(),
        ),
        (
            "notices = 0",
            "notices: invalid value: integer `0`, expected a whole number from 1 to 4294967295"
                .to_string(),
        ),
        (
            "discipline = \"lifo\"",
            "discipline: unknown variant `lifo`, expected one of `fifo`, `round_robin`, `random`"
                .to_string(),
        ),
        (
            "review = { tikets = 5 }",
            "review: unknown field `tikets`, expected one of `levels`, `timeout`, `on_timeout`, \
             `tickets`"
                .to_string(),
        ),
        ("burst = 0", "burst must not be zero".to_string()),
        ("reserve = 10", "the sum of reserve must be at most 39, not 40".to_string()),
        ("idle_timeout = \"0\"", "idle_timeout must not be zero".to_string()),
        (
            "sessions = 2_000_000_000",
            "sessions must be at most 1073741824, not 2000000000".to_string(),
        ),
        (
            "queue_bytes = 100",
            "queue_bytes must be at least 12288, not 100: a payload may be that large".to_string(),
        ),
    ] {
        assert_eq!(read(text).unwrap_err(), message, "{text}");
    }
    let unknown = read("rtae = \"40/s\"").unwrap_err();
    assert!(
        unknown.starts_with("unknown field `rtae`, expected one of `rate`, `owner`"),
        "{unknown}"
    );
    let twice = serde_json::from_str::<RoomConfig>(r#"{ "burst": 1, "burst": 2 }"#);
    assert!(twice.unwrap_err().to_string().starts_with("duplicate field `burst`"));
}

#[test]
fn durations_and_rates_are_read_as_people_write_them() {
    let grace = |text: &str| {
        let config = read(&format!("grace = \"{text}\"")).ok()?;
        Some(config.settings.grace)
    };
    for (text, nanos) in [
        ("0", 0),
        ("200 ms", 200_000_000),
        ("200ms", 200_000_000),
        ("5 s", 5_000_000_000),
        (" 1m30s ", 90_000_000_000),
        ("1 min 30 sec", 90_000_000_000),
        ("1_000 us", 1_000_000),
        ("7µs", 7_000),
        ("2d 3h", 183_600_000_000_000),
        ("18446744073709551615ns", u64::MAX),
    ] {
        assert_eq!(grace(text), Some(Duration::from_nanos(nanos)), "{text}");
    }
    for text in ["", "5", "s", "5 x", "-5 s", "1.5 s", "_5 s", "18446744073709551616ns", "5 s,"] {
        assert_eq!(grace(text), None, "{text}");
    }
    let rate = |text: &str| read(&format!("rate = \"{text}\"")).ok()?.rate();
    let per =
        |count, millis| Rate::new(NonZeroU32::new(count).unwrap(), Duration::from_millis(millis));
    for (text, expected) in [
        ("40/s", per(40, 1_000)),
        ("10 / min", per(10, 60_000)),
        ("5/2s", per(5, 2_000)),
        ("1_000/h", per(1_000, 3_600_000)),
        ("40", None),
        ("40/", None),
        ("40 x/s", None),
        ("40/0s", None),
        ("4294967296/s", None),
    ] {
        assert_eq!(rate(text), expected, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_duration_and_quota_is_read_as_it_was_written(
        nanos in any::<u64>(),
        count in 1_u32..,
        period in 1_u64..,
        burst in 1_u32..,
    ) {
        let rate = Rate::new(NonZeroU32::new(count).unwrap(), Duration::from_nanos(period)).unwrap();
        let quota = Quota { rate, burst: NonZeroU32::new(burst).unwrap() };
        let builder = RoomConfig::builder(None).grace(Duration::from_nanos(nanos));
        let builder = builder.sender_quota(PerLevel([Some(quota); 4])).burst(burst);
        let builder: RoomConfigBuilder = builder.rate(count).rate_period(Duration::from_nanos(period));
        let config = builder.build().unwrap();
        prop_assert_eq!(read(&toml::to_string(&config).unwrap()), Ok(config));
    }

    /// Nothing that a file says makes the reader panic, and what is read is valid.
    #[test]
    fn any_value_of_any_key_is_read_or_refused(
        at in any::<prop::sample::Index>(),
        text in prop_oneof![
            ".*".prop_map(|text| format!("{text:?}")),
            "[0-9_]{0,21} ?(ms|s|m|/s|/ 5ms|s window|/s burst 9)?".prop_map(|text| format!("{text:?}")),
            any::<i64>().prop_map(|number| number.to_string()),
            any::<bool>().prop_map(|is| is.to_string()),
            ("[a-z_]{1,9}", any::<i32>()).prop_map(|(key, n)| format!("{{ {key} = {n}, high = {n} }}")),
        ],
    ) {
        let keys = <super::super::Settings as super::Table>::KEYS;
        if let Ok(config) = read(&format!("{} = {text}", keys[at.index(keys.len())])) {
            prop_assert_eq!(config.to_builder().build(), Ok(config));
        }
    }
}
