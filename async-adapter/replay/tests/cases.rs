//! A small recording of each dialect, and what is wanted of it: `cases/README.md`.

use std::path::Path;

use roomcast_replay::recording::{Content, Damage, Format, Reading, Recording};

fn path(file: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    folder.join(file).display().to_string()
}

fn strict(file: &str) -> Recording {
    let read = Recording::open(path(file).as_ref(), Reading::default());
    read.unwrap_or_else(|error| panic!("{error}"))
}

fn lenient(file: &str) -> Recording {
    let reading = Reading { damage: Damage::LeaveOut, ..Reading::default() };
    let read = Recording::open(path(file).as_ref(), reading);
    read.unwrap_or_else(|error| panic!("{error}"))
}

/// The error of a strict reading, without the folder.
fn error(file: &str) -> String {
    let error = Recording::open(path(file).as_ref(), Reading::default()).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error:?} is not one line");
    let at = error.strip_prefix(&path(file));
    at.unwrap_or_else(|| panic!("{error} does not name {file}")).to_owned()
}

/// Who sent what, at which millisecond.
fn said(recording: &Recording) -> Vec<(u64, &str, String)> {
    let entries = recording.entries().iter();
    let said = entries.map(|entry| {
        let sender = &*recording.senders()[entry.sender as usize];
        let content = match &entry.content {
            Content::Text(text) => text.clone(),
            Content::TextLength(bytes) => format!("[{bytes}]"),
            Content::Gift { name, count } => format!("[{count} {name}]"),
            Content::SuperChat { text, price } => format!("[{price}] {text}"),
            Content::Guard { .. } => "[guard]".to_owned(),
        };
        (entry.at_us / 1_000, sender, content)
    });
    said.collect()
}

#[track_caller]
fn check(recording: &Recording, expected: &[(u64, &str, &str)]) {
    let expected: Vec<_> =
        expected.iter().map(|(at, sender, text)| (*at, *sender, (*text).to_owned())).collect();
    assert_eq!(said(recording), expected);
}

#[test]
fn twitch_downloader_json_is_read() {
    let recording = strict("twitch-downloader.json");
    check(&recording, &[(278, "Viewer A", "<3"), (1_500, "Viewer B", "[100] Cheer100 nice")]);
    assert_eq!(recording.remarks(), [""; 0]);
}

#[test]
fn chat_downloader_json_is_read() {
    let recording = strict("chat-downloader.json");
    check(&recording, &[(0, "viewer a", "hello"), (4_200, "viewer b", "[5] hi")]);
    let moved = "the first message is 3.2 s before the recording begins: all are moved by so much";
    assert_eq!(recording.remarks(), [moved]);
}

#[test]
fn a_youtube_live_chat_is_read() {
    let recording = strict("youtube.live_chat.json");
    let expected = [
        (0, "early bird", "first"),
        (65_500, "viewer a", "hello :wave:"),
        (66_000, "viewer b", "[1234] take my money"),
        (66_000, "viewer b", "[1 sticker]"),
        (67_000, "viewer a", "[guard]"),
    ];
    check(&recording, &expected);
    let passed_over = "passed over, since they are no messages: addLiveChatTickerItemAction (1), \
                       liveChatViewerEngagementMessageRenderer (1)";
    assert_eq!(recording.remarks().last().map(String::as_str), Some(passed_over));
}

#[test]
fn twitch_irc_is_read() {
    let recording = strict("twitch-irc-raw.log");
    check(&recording, &[(0, "ViewerA", "hello"), (255, "ViewerB", "[100] Cheer100 nice")]);
}

#[test]
fn a_plain_irc_log_is_read() {
    let recording = strict("irc.log");
    check(&recording, &[(0, "viewer_a", "hello"), (1_000, "viewer_b", "hi there")]);
    let passed_over = "passed over, since they are no messages: notices (1)";
    assert_eq!(recording.remarks(), [passed_over]);
}

#[test]
fn a_csv_is_read_by_the_names_of_its_columns() {
    let recording = strict("generic.csv");
    check(&recording, &[(278, "Viewer A", "hello"), (1_500, "Viewer B", "hi, there")]);
}

/// Without a name, the author's hash tells one from another.
#[test]
fn a_video_has_as_many_senders_as_hashes() {
    let recording = strict("xml-vod-hash-senders.xml");
    let expected = [
        (479, "viewer aaaa0001", "one"),
        (3_159, "viewer bbbb0002", "two"),
        (3_200, "viewer aaaa0001", "three"),
    ];
    check(&recording, &expected);
}

#[test]
fn gifts_in_s_elements_are_read() {
    let recording = strict("xml-biliup-s-elements.xml");
    let expected = [
        (512, "viewer 1001", "hello"),
        (1_712, "viewer 1002", "hi"),
        (3_512, "viewer c", "[3 Rose]"),
        (4_512, "viewer d", "[30] well played"),
        (5_100, "viewer 1001", "bye"),
    ];
    check(&recording, &expected);
}

#[test]
fn niconico_xml_is_read() {
    let recording = strict("xml-niconico-packet.xml");
    check(&recording, &[(12_000, "viewer AbCd", "first"), (13_000, "viewer 12", "second")]);
}

#[test]
fn dates_count_from_the_start_that_is_named() {
    let recording = strict("xml-gift-ts-absolute-ms.xml");
    check(&recording, &[(2_000, "viewer a", "text"), (3_000, "viewer b", "[1 Castle]")]);
    let passed_over = "passed over, since they are no messages: <member> (1)";
    assert_eq!(recording.remarks(), [passed_over]);
}

#[test]
fn times_before_the_start_move_all_and_are_told() {
    let recording = strict("xml-negative-first.xml");
    let first = "sent while the file was being opened";
    check(&recording, &[(0, "viewer a", first), (3_213, "viewer c", "after")]);
    let moved =
        "the first message is 0.213 s before the recording begins: all are moved by so much";
    assert_eq!(recording.remarks(), [moved]);
}

#[test]
fn a_file_cut_off_costs_its_last_message() {
    assert_eq!(error("xml-cut-off-in-text.xml"), ":4: the file ends inside <d>: want </d>");
    let recording = lenient("xml-cut-off-in-text.xml");
    check(&recording, &[(1_000, "a", "ok")]);
    assert_eq!(recording.remarks(), ["left out 1: 1 cut off (the first at line 4)"]);
}

#[test]
fn unescaped_text_costs_its_message() {
    let want = "want &lt; for < and &amp; for &";
    let found = r#":3: the text of <d> is "I <3 this & that""#;
    assert_eq!(error("xml-unescaped.xml"), format!("{found}: {want}"));
    let recording = lenient("xml-unescaped.xml");
    check(&recording, &[(2_000, "viewer b", "a > b")]);
    assert_eq!(recording.remarks(), ["left out 1: 1 of broken XML (the first at line 3)"]);
}

#[test]
fn a_missing_time_costs_its_message() {
    let want = r#":3: the time in p is "": want seconds, -2592000 to 2592000"#;
    assert_eq!(error("xml-empty-p.xml"), want);
    let recording = lenient("xml-empty-p.xml");
    check(&recording, &[(2_000, "b", "ok")]);
    let left_out = "left out 1: 1 without a time that can be read (the first at line 3)";
    assert_eq!(recording.remarks(), [left_out]);
}

#[test]
fn an_entity_of_no_character_costs_its_message() {
    assert!(error("xml-control-char-ref.xml").starts_with(r#":4: entity is "&#x8;": want &lt;"#));
    let recording = lenient("xml-control-char-ref.xml");
    check(&recording, &[(1_000, "viewer a", "before"), (3_000, "viewer c", "after")]);
    let left_out = "left out 1: 1 with an entity that is no character (the first at line 4)";
    assert_eq!(recording.remarks(), [left_out]);
}

/// What is whole is read alike, however it is read.
#[test]
fn a_whole_file_is_the_same_when_read_leniently() {
    for file in [
        "twitch-downloader.json",
        "chat-downloader.json",
        "youtube.live_chat.json",
        "twitch-irc-raw.log",
        "irc.log",
        "generic.csv",
        "xml-vod-hash-senders.xml",
        "xml-biliup-s-elements.xml",
        "xml-niconico-packet.xml",
        "xml-gift-ts-absolute-ms.xml",
        "xml-negative-first.xml",
    ] {
        assert_eq!(lenient(file), strict(file), "{file}");
    }
}

/// Forced to another format, it says what it looked for and what it found.
#[test]
fn a_forced_format_says_what_it_looked_for() {
    let read = |file, format| {
        let reading = Reading { format: Some(format), ..Reading::default() };
        Recording::open(path(file).as_ref(), reading).map_err(|error| error.to_string())
    };
    assert_eq!(read("irc.log", Format::Irc), Ok(strict("irc.log")));
    for (file, format, want) in [
        ("irc.log", Format::TwitchIrc, "want @tags :nick PRIVMSG #channel :text"),
        ("generic.csv", Format::Irc, "want [2021-07-15 02:01:48] <nick> text"),
        ("generic.csv", Format::Trace, r#"want "offset_us,sender,bytes""#),
        (
            "irc.log",
            Format::Csv,
            "want a column for the time (time_in_seconds, time, timestamp, …)",
        ),
        ("irc.log", Format::TwitchDownloader, r#"want {"comments":[…]}"#),
        ("generic.csv", Format::ChatDownloader, "want […]"),
        ("generic.csv", Format::Youtube, "want JSON"),
        ("generic.csv", Format::Danmaku, "want at least one"),
        ("xml-empty-p.xml", Format::Niconico, "want at least one"),
    ] {
        let error = read(file, format).unwrap_err();
        assert!(error.starts_with(&path(file)) && error.contains(want), "{format}: {error}");
    }
}
