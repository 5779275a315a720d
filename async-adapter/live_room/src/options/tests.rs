use super::*;

fn read(arguments: &[&str]) -> Result<Options, Stop> {
    Options::read(["live_room"].iter().chain(arguments))
}

fn wrong(arguments: &[&str]) -> String {
    match read(arguments) {
        Err(Stop::Wrong(line)) => {
            assert!(!line.contains('\n'), "{line:?} is not one line");
            line.strip_prefix("live_room: ").map(str::to_owned).unwrap()
        }
        other => panic!("{arguments:?}: {other:?}"),
    }
}

#[test]
fn the_command_is_well_formed() {
    Options::command().debug_assert();
}

/// Without options it runs at its own pace.
#[test]
fn the_default_room_is_the_premiere() {
    let options = read(&[]).unwrap();
    assert_eq!(options.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(
        options.settings(),
        Settings { speed: Speed::MIN, likes_per_second: 0, gifts_per_minute: 6 }
    );
    assert_eq!(
        (options.rate, options.recording, options.headless, options.duration),
        (40, ReplayOptions::default(), false, None)
    );
}

#[test]
fn all_options_are_read() {
    let line = "--listen [::1]:9 --replay a.xml --speed 2.5 --likes 100000 --gifts=0 --slow-viewers 5% --viewers 7 \
                --headless --virtual --duration 90s --seed 18446744073709551615 --rate 1 --queue 2";
    let options = read(&line.split_whitespace().collect::<Vec<_>>()).unwrap();
    assert_eq!(options.speed, Speed::new(2.5).unwrap());
    assert_eq!(options.slow_viewers, SlowViewers::Percent(5));
    assert_eq!(options.duration, Some(Duration::from_secs(90)));
    assert_eq!((options.seed, options.rate, options.queue, options.viewers), (u64::MAX, 1, 2, 7));
    assert!(options.headless && options.virtual_time);
}

#[test]
fn an_error_says_which_values_would_be_right() {
    assert_eq!(wrong(&["--rate", "-5"]), r#"--rate is "-5": want a whole number, 1 to 1000000"#);
    assert_eq!(wrong(&["--rate=-5"]), r#"--rate is "-5": want a whole number, 1 to 1000000"#);
    assert_eq!(wrong(&["--rate", "0"]), r#"--rate is "0": want a whole number, 1 to 1000000"#);
    assert_eq!(
        wrong(&["--likes", "100001"]),
        r#"--likes is "100001": want a whole number, 0 to 100000"#
    );
    assert_eq!(wrong(&["--gifts", "many"]), r#"--gifts is "many": want a whole number, 0 to 6000"#);
    for speed in ["0", "101", "NaN", "inf", "-1", "fast", "1e9", ""] {
        assert_eq!(
            wrong(&["--speed", speed]),
            format!(r#"--speed is "{speed}": want a number, 1 to 100"#)
        );
    }
    assert_eq!(
        wrong(&["--listen", "here"]),
        r#"--listen is "here": want an address and a port, such as 127.0.0.1:8080"#
    );
    assert!(wrong(&["--slow-viewers", "101%"]).starts_with(r#"--slow-viewers is "101%": want"#));
    assert!(wrong(&["--seed", "-1"]).starts_with(r#"--seed is "-1": want a whole number, 0 to"#));
}

#[test]
fn a_duration_has_a_unit_and_an_end() {
    for (text, milliseconds) in
        [("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000)]
    {
        assert_eq!(
            read(&["--duration", text]).unwrap().duration,
            Some(Duration::from_millis(milliseconds))
        );
    }
    for text in [
        "",
        "30",
        "s",
        "-5s",
        "1.5s",
        "0s",
        "1d",
        "99999999999999999999h",
        "18446744073709551615h",
        "30 s",
    ] {
        let want = format!(
            r#"--duration is "{text}": want a whole number and a unit, 1ms to 720h, such as 500ms, 30s, 5m or 1h"#
        );
        assert_eq!(wrong(&["--duration", text]), want);
    }
}

#[test]
fn what_is_no_option_is_named() {
    assert_eq!(wrong(&["--bogus"]), "--bogus is no option: --help lists them");
    assert_eq!(
        wrong(&["--like", "5"]),
        "--like is no option: did you mean --likes? --help lists them"
    );
    assert_eq!(wrong(&["room.csv"]), r#""room.csv" belongs to no option: --help lists them"#);
    assert_eq!(wrong(&["-x"]), "-x is no option: --help lists them");
}

#[test]
fn options_that_do_not_fit_together_are_named() {
    assert_eq!(wrong(&["--virtual"]), "--virtual needs --headless: give both, or neither");
    let without = "--format and --lenient say how to read a recording: want --replay FILE as well";
    assert_eq!(wrong(&["--lenient"]), without);
    assert_eq!(wrong(&["--format", "irc"]), without);
    assert_eq!(wrong(&["--rate", "1", "--rate", "2"]), "--rate is given twice: want it once");
    assert_eq!(wrong(&["--headless=yes"]), r#"--headless takes no value, and was given "yes""#);
    assert!(wrong(&["--rate"]).starts_with("--rate has no value: want "));
    assert!(wrong(&["--replay"]).starts_with("--replay has no value: want "));
}

#[test]
fn help_and_version_are_shown() {
    for flag in ["--help", "-h", "--version", "-V"] {
        assert!(
            matches!(read(&[flag]), Err(Stop::Shown(text)) if text.contains("live_room") || text.contains("live room"))
        );
    }
}

#[test]
fn slow_viewers_are_a_number_or_a_share() {
    assert_eq!(SlowViewers::Count(20).of(5), 5);
    assert_eq!(SlowViewers::Percent(5).of(1_000), 50);
    assert_eq!(SlowViewers::Percent(100).of(u32::MAX), u32::MAX);
}
