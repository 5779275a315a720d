use roomcast_replay::recording::Format;

use super::*;

fn read(arguments: &[&str]) -> Result<Options, Stop> {
    Options::read(["lab"].iter().chain(arguments))
}

fn wrong(arguments: &[&str]) -> String {
    match read(arguments) {
        Err(Stop::Wrong(line)) => {
            assert!(!line.contains('\n'), "{line:?} is not one line");
            line.strip_prefix("lab: ").map(str::to_owned).unwrap()
        }
        other => panic!("{arguments:?}: {other:?}"),
    }
}

#[test]
fn the_command_is_well_formed() {
    Options::command().debug_assert();
}

/// Without options there are gifts and likes as well.
#[test]
fn the_default_load_is_the_premiere() {
    let options = read(&[]).unwrap();
    let settings =
        Settings { speed: Speed::new(1.0).unwrap(), gifts: 5, likes: 100, flood: 0, seed: 1 };
    assert_eq!(options.settings(), settings);
    assert_eq!(
        (options.recording, options.merge_likes, options.json, options.plot),
        (ReplayOptions::default(), MergeLikes::Tuned, false, None)
    );
}

#[test]
fn all_options_are_read() {
    let line = "--replay a.xml --format danmaku --lenient --speed 2.5 --gifts=0 --likes 100000 --flood 7 --merge-likes always \
                --seed 18446744073709551615 --json --plot a.SVG";
    let options = read(&line.split_whitespace().collect::<Vec<_>>()).unwrap();
    let settings = Settings {
        speed: Speed::new(2.5).unwrap(),
        gifts: 0,
        likes: 100_000,
        flood: 7,
        seed: u64::MAX,
    };
    assert_eq!(options.settings(), settings);
    let replay = Some("a.xml".into());
    let recording = ReplayOptions { replay, format: Some(Format::Danmaku), lenient: true };
    assert_eq!((options.recording, options.plot), (recording, Some("a.SVG".into())));
    assert!(options.json && options.merge_likes == MergeLikes::Always);
}

#[test]
fn an_error_says_which_values_would_be_right() {
    assert_eq!(wrong(&["--gifts", "-5"]), r#"--gifts is "-5": want a whole number, 0 to 10000"#);
    assert_eq!(
        wrong(&["--likes", "100001"]),
        r#"--likes is "100001": want a whole number, 0 to 100000"#
    );
    assert_eq!(
        wrong(&["--flood", "many"]),
        r#"--flood is "many": want a whole number, 0 to 100000"#
    );
    for speed in ["0", "0.09", "101", "NaN", "inf", "-1", "fast", ""] {
        assert_eq!(
            wrong(&["--speed", speed]),
            format!(r#"--speed is "{speed}": want a number, 0.1 to 100"#)
        );
    }
    assert!(wrong(&["--seed", "-1"]).starts_with(r#"--seed is "-1": want a whole number, 0 to"#));
    assert_eq!(
        wrong(&["--merge-likes", "some"]),
        r#"--merge-likes is "some": want one of never, tuned, always"#
    );
}

#[test]
fn a_picture_is_an_svg() {
    for name in ["a.png", "svg", ".svg", "a.svg.gz", ""] {
        let want = format!(
            r#"--plot is "{name}": want a name that ends in .svg, the one format that is drawn"#
        );
        assert_eq!(wrong(&["--plot", name]), want);
    }
}

#[test]
fn what_is_no_option_is_named() {
    assert_eq!(wrong(&["--bogus"]), "--bogus is no option: --help lists them");
    assert_eq!(
        wrong(&["--gift", "5"]),
        "--gift is no option: did you mean --gifts? --help lists them"
    );
    assert_eq!(wrong(&["room.csv"]), r#""room.csv" belongs to no option: --help lists them"#);
    assert_eq!(wrong(&["--seed", "1", "--seed", "2"]), "--seed is given twice: want it once");
    assert!(wrong(&["--replay"]).starts_with("--replay has no value: want "));
    let without = "--format and --lenient say how to read a recording: want --replay FILE as well";
    assert_eq!(wrong(&["--lenient"]), without);
    assert_eq!(wrong(&["--format", "irc"]), without);
    let formats = "trace, csv, danmaku, niconico, twitch-downloader, chat-downloader, youtube, \
                   twitch-irc, irc";
    let want = format!(r#"--format is "xml": want one of {formats}"#);
    assert_eq!(wrong(&["--replay", "a", "--format", "xml"]), want);
    assert!(wrong(&["--merge-likes"]).starts_with("--merge-likes has no value: want "));
    assert_eq!(wrong(&["--json=yes"]), r#"--json takes no value, and was given "yes""#);
}

#[test]
fn the_help_says_what_every_column_and_room_is() {
    let Err(Stop::Shown(help)) = read(&["--help"]) else { panic!("no help") };
    for room in crate::preset::all(MergeLikes::Tuned, 1).unwrap() {
        assert!(help.contains(&format!("\n  {} ", room.name)), "{}", room.name);
    }
    for column in [
        "offered",
        "dispatched",
        "merged",
        "dropped",
        "refused",
        "through",
        "age",
        "told",
        "starved",
    ] {
        assert!(help.contains(&format!("\n  {column}")), "{column}");
    }
    for flag in ["-h", "--version", "-V"] {
        assert!(matches!(read(&[flag]), Err(Stop::Shown(_))));
    }
}
