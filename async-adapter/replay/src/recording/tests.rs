use super::*;

fn read(text: &str) -> Recording {
    Recording::parse("room", text.as_bytes()).unwrap()
}

fn refuse(text: &str) -> String {
    let line = Recording::parse("room", text.as_bytes()).unwrap_err().to_string();
    assert!(!line.contains('\n'), "{line:?} is not one line");
    line
}

fn times(recording: &Recording) -> Vec<u64> {
    recording.entries().iter().map(|entry| entry.at_us).collect()
}

fn contents(recording: &Recording) -> Vec<Content> {
    recording.entries().iter().map(|entry| entry.content.clone()).collect()
}

#[test]
fn the_premiere_is_embedded() {
    let premiere = Recording::premiere().unwrap();
    assert_eq!(premiere.entries().len(), 7_460);
    assert_eq!(premiere.length_us(), 981_927_975);
    assert_eq!(&*premiere.senders()[0], "viewer 0");
}

/// A trace may have carriage returns and no newline at its end.
#[test]
fn odd_line_ends_and_a_byte_order_mark_are_read() {
    let recording = read("\u{feff}offset_us,sender,bytes\r\n5,1,10\r\n\r\n9, 2 ,0");
    assert_eq!(times(&recording), [5, 9]);
    assert_eq!(contents(&recording), [Content::TextLength(10), Content::TextLength(0)]);
}

/// Entries of one time stay in the order that they were read in.
#[test]
fn entries_are_sorted_by_time_and_stay_in_order() {
    let recording = read("offset_us,sender,bytes\n7,1,1\n3,2,2\n7,3,3\n3,2,4\n");
    assert_eq!(times(&recording), [3, 3, 7, 7]);
    let [a, b, c, d] = [2, 4, 1, 3].map(Content::TextLength);
    assert_eq!(contents(&recording), [a, b, c, d]);
    assert_eq!(recording.entries()[0].sender, recording.entries()[1].sender);
}

#[test]
fn a_broken_line_of_a_trace_is_named() {
    let broken = |line: &str| refuse(&format!("offset_us,sender,bytes\n1,1,1\n{line}\n"));
    assert_eq!(
        broken("abc,1,1"),
        r#"room:3: offset_us is "abc": want a whole number of microseconds"#
    );
    assert_eq!(
        broken("-1,1,1"),
        r#"room:3: offset_us is "-1": want a whole number of microseconds"#
    );
    assert_eq!(
        broken("1700000000000000,1,1"),
        r#"room:3: offset_us is "1700000000000000": want at most 2592000000000 microseconds"#
    );
    assert_eq!(
        broken("1,bob,1"),
        r#"room:3: sender is "bob": want a whole number that stands for one viewer"#
    );
    assert_eq!(broken("1,1,-5"), r#"room:3: bytes is "-5": want a whole number of bytes"#);
    assert_eq!(
        broken("1,1,99999999"),
        r#"room:3: bytes is "99999999": want at most 1048576 bytes"#
    );
    assert_eq!(broken("1,1"), r#"room:3: "1,1" has 2 values: want 3, offset_us,sender,bytes"#);
    assert!(broken("\"1\n2\",1,1").starts_with(r#"room:3: offset_us is "1\n2""#));
}

#[test]
fn what_is_no_recording_is_refused() {
    let formats = "trace, csv, danmaku, niconico, twitch-downloader, chat-downloader, youtube, \
                   twitch-irc, irc";
    assert_eq!(refuse(""), format!("room: is empty: want a recording, one of {formats}"));
    assert_eq!(refuse("offset_us,sender,bytes\n"), "room: has no messages: want at least one");
    assert_eq!(refuse("<i></i>"), "room: has no messages: want at least one");
    let found = r#"room: is of no known format, it begins with "time,user""#;
    let want = format!("{found}: want one of {formats}; --format says which");
    assert_eq!(refuse("time,user\n1,2\n"), want);
    let not_utf8 = Recording::parse("room", b"offset_us,sender,bytes\n1,\xff,3").unwrap_err();
    assert_eq!(not_utf8.to_string(), "room:2: byte 0xff is not UTF-8: want a text file in UTF-8");
    let missing = Recording::open(Path::new("/no/such/room.xml"), Reading::default())
        .unwrap_err()
        .to_string();
    assert!(missing.starts_with("/no/such/room.xml: cannot be read: "), "{missing}");
}

#[test]
fn the_xml_of_a_recorder_is_read() {
    let recording = read(concat!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<!-- recorded -->\r\n<i><chatid>7</chatid>\r\n",
        "<BililiveRecorderXmlStyle><z:stylesheet id=\"s\"><td>&nbsp;</td></z:stylesheet></BililiveRecorderXmlStyle>\r\n",
        "<d p=\"2.5,1,25,16777215,1610000000000,0,1a2b,0\" user=\"小&amp;明\" raw=\"{&quot;a&quot;:1}\">a &lt; b &#x1f680;</d>\r\n",
        "<gift ts=\"1.25\" user=\"kim\" giftname=\"小心心\" giftcount=\"3\"/>\r\n",
        "<sc ts=\"3\" user=\"kim\" price=\"30.0\"><![CDATA[<hello>]]></sc>\r\n",
        "<guard ts=\"4.000001\" user=\"lee\" level=\"3\" count=\"1\"></guard>\r\n",
        "<d p=\"5\"/></i>",
    ));
    assert_eq!(times(&recording), [1_250_000, 2_500_000, 3_000_000, 4_000_001, 5_000_000]);
    let expected = [
        Content::Gift { name: "小心心".into(), count: 3 },
        Content::Text("a < b 🚀".into()),
        Content::SuperChat { text: "<hello>".into(), price: 30 },
        Content::Guard { rank: Some(3) },
        Content::Text(String::new()),
    ];
    assert_eq!(contents(&recording), expected);
    let names: Vec<_> = recording.senders().iter().map(AsRef::as_ref).collect();
    assert_eq!(names, ["小&明", "kim", "lee", "someone"]);
}

/// A recorder may leave the root open and gifts plain.
#[test]
fn an_open_root_and_plain_gifts_are_read() {
    let recording = read("<i>\n<gift ts='1' user=''/>\n<d p='2,1' user='a'>hi</d>\n");
    assert_eq!(contents(&recording)[0], Content::Gift { name: "gift".into(), count: 1 });
    assert_eq!(recording.entries().len(), 2);
}

#[test]
fn a_broken_line_of_an_xml_is_named() {
    let broken = |line: &str| refuse(&format!("<i>\n<d p=\"1,1\">ok</d>\n{line}\n</i>"));
    for seconds in ["-2592001", "NaN", "inf", "1e300", "abc", ""] {
        let found = format!("room:3: the time in p is \"{seconds}\"");
        let want = format!("{found}: want seconds, -2592000 to 2592000");
        assert_eq!(broken(&format!("<d p=\"{seconds},1,25\">x</d>")), want);
    }
    assert_eq!(
        broken("<d user=\"a\">x</d>"),
        "room:3: <d> has no p: want p=\"seconds,mode,size,color,…\""
    );
    assert_eq!(broken("<gift user=\"a\"/>"), "room:3: <gift> has no ts: want ts=\"seconds\"");
    assert_eq!(
        broken("<gift ts=\"1\" giftcount=\"0\"/>"),
        r#"room:3: giftcount is "0": want a whole number, 1 to 4294967295"#
    );
    assert_eq!(
        broken("<sc ts=\"1\" price=\"-3\">x</sc>"),
        r#"room:3: price is "-3": want a number, 0 to 1000000000"#
    );
    assert!(broken("<d p=\"1\">&bogus;</d>").starts_with(r#"room:3: entity is "&bogus;": want"#));
    assert!(broken("<d p=\"1\" user=a\">x</d>").starts_with("room:3: "));
    assert!(broken("<d p=\"1\">x</e>").starts_with("room:3: "));
}

#[test]
fn a_file_cut_inside_a_message_is_named() {
    assert_eq!(refuse("<i>\n<d p=\"1\">x"), "room:2: the file ends inside <d>: want </d>");
    assert!(refuse("<i>\n<d p=\"1\">x</d>\n<d p=\"2").starts_with("room:3: "));
}

#[test]
fn a_long_value_is_cut_in_the_error() {
    let line = refuse(&format!("offset_us,sender,bytes\n{},1,1", "x".repeat(10_000)));
    assert!(line.len() < 200 && line.contains('…'), "{line}");
}

#[test]
fn no_prefix_of_a_recording_panics() {
    let xml = "<?xml version=\"1.0\"?><i><d p=\"1\" user=\"a\">&lt;x&#65;</d><![CDATA[y]]><gift ts=\"1\"/></i>";
    for end in 0..xml.len() {
        let _ = Recording::parse("room", &xml.as_bytes()[..end]);
        let _ = Recording::parse("room", &xml.as_bytes()[end..]);
    }
}

#[test]
fn long_silences_are_cut_down_and_all_else_stays() {
    let recording =
        Recording::parse("test", b"offset_us,sender,bytes\n10,1,1\n400,1,1\n450,1,1\n900,1,1\n")
            .unwrap();
    let at = |recording: &Recording| {
        recording.entries().iter().map(|entry| entry.at_us).collect::<Vec<_>>()
    };
    assert_eq!(at(&recording.clone().without_silences(100)), [10, 110, 160, 260]);
    assert_eq!(at(&recording.clone().without_silences(1_000)), at(&recording));
}

fn lenient(text: &str) -> Recording {
    let reading = Reading { damage: Damage::LeaveOut, ..Reading::default() };
    Recording::read("room", text.as_bytes(), reading).unwrap()
}

fn names(recording: &Recording) -> Vec<&str> {
    recording.senders().iter().map(AsRef::as_ref).collect()
}

/// The id tells them apart, and the names do too.
#[test]
fn two_of_one_name_stay_two() {
    let recording = read(concat!(
        "<i><d p=\"1,1,25,1,1,0,11,0\" user=\"kim\">a</d>",
        "<d p=\"2,1,25,1,1,0,12,0\" user=\"kim\">b</d>",
        "<d p=\"3,1,25,1,1,0,11,0\" user=\"kim\">c</d></i>",
    ));
    assert_eq!(names(&recording), ["kim", "kim (12)"]);
    let senders: Vec<_> = recording.entries().iter().map(|entry| entry.sender).collect();
    assert_eq!(senders, [0, 1, 0]);
}

/// A gift that only names its sender is of the one who has this name, whichever comes first.
#[test]
fn a_name_without_an_id_is_who_has_the_name() {
    let text = "<d p=\"1,1,25,1,1,0,11,0\" user=\"kim\">a</d>";
    let gift = "<gift ts=\"2\" user=\"kim\"/>";
    for xml in [[text, gift], [gift, text]] {
        assert_eq!(names(&read(&xml.concat())), ["kim"]);
    }
}

#[test]
fn what_names_no_sender_is_told() {
    let recording = read("<i><d p=\"1\">a</d><d p=\"2,1,25,1,1,0,0,0\">b</d></i>");
    assert_eq!(names(&recording), ["someone"]);
    assert_eq!(recording.remarks(), ["without a sender: 2, which count as of one, \"someone\""]);
}

/// A text whose quote was lost ends at its line.
#[test]
fn a_broken_record_of_json_costs_itself_alone() {
    let message = |at: u32| format!("{{\"time_in_seconds\":{at},\"message\":\"a\"}}");
    let broken = "{\"time_in_seconds\":2,\"message\":\"b";
    let text = format!("[{},\n{broken}\n,\n{},\n7,\n{}]", message(1), message(3), message(4));
    let recording = lenient(&text);
    assert_eq!(times(&recording), [1_000_000, 3_000_000, 4_000_000]);
    let left_out = "left out 2: 2 of broken JSON (the first at line 2)";
    assert_eq!(recording.remarks()[0], left_out);
    let error = refuse(&text);
    assert!(error.starts_with("room:2: record 2: \"{\\\"time_in_seconds"), "{error}");
    let half = lenient(&format!("[{},{},", message(1), message(2)));
    assert_eq!((half.entries().len(), half.remarks().len()), (2, 2));
    assert_eq!(half.remarks()[0], "the file ends inside the array: want ]");
    let two = format!("[{}]\n[{}]", message(1), message(2));
    assert!(refuse(&two).starts_with("room:2: after the array comes \"[{"), "{}", refuse(&two));
    assert_eq!(lenient(&two).entries().len(), 2);
}

/// One says what it looked for, and where.
#[test]
fn a_value_that_is_missing_in_json_is_named() {
    let comment = "{\"comments\":[{\"content_offset_seconds\":1,\"message\":{\"body\":\"a\"}},";
    let broken = |record: &str| refuse(&format!("{comment}\n{record}]}}"));
    assert_eq!(
        broken("{\"message\":{\"body\":\"a\"}}"),
        "room:2: record 2: there is no content_offset_seconds: want seconds since the video began"
    );
    assert_eq!(
        broken("{\"content_offset_seconds\":\"soon\",\"message\":{\"body\":\"a\"}}"),
        "room:2: record 2: content_offset_seconds is \"soon\": want seconds, -2592000 to 2592000, \
         or a date"
    );
    assert_eq!(
        broken("{\"content_offset_seconds\":1}"),
        "room:2: record 2: there is no message: want an object with a body"
    );
}

#[test]
fn dates_need_a_start_beside_seconds() {
    let xml = "<i>\n<d p=\"1\">a</d>\n<gift ts=\"1700000000\"/>\n</i>";
    let error = refuse(xml);
    assert!(error.starts_with("room:3: the time is 2023-11-14T22:13:20Z, others are"), "{error}");
    assert_eq!(lenient(xml).entries().len(), 1);
    let start = "<BililiveRecorderRecordInfo start_time=\"2023-11-15T06:13:10+08:00\"/>";
    assert_eq!(times(&read(&[xml, start].concat())), [1_000_000, 10_000_000]);
    let far = "<video_start_time>1800000000</video_start_time>";
    assert!(refuse(&[xml, far].concat()).contains("is over 30 days from 2027-01-15T08:00:00Z"));
    // Where all are dates, the first of them is the start.
    let irc = "[2021-07-15 02:01:48] <a> b\n[2021-09-15 02:01:48] <a> c\n";
    let want = "want at most 30 days from 2021-07-15T02:01:48Z";
    assert!(refuse(irc).ends_with(want), "{}", refuse(irc));
}
