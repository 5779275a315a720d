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
    assert_eq!(refuse(""), "room: is empty: want a CSV trace or the XML of a danmaku recorder");
    assert_eq!(refuse("offset_us,sender,bytes\n"), "room: has no messages: want at least one");
    assert_eq!(refuse("<i></i>"), "room: has no messages: want at least one");
    assert_eq!(
        refuse("time,user\n1,2\n"),
        r#"room:1: header is "time,user": want "offset_us,sender,bytes", or the XML of a danmaku recorder"#
    );
    let not_utf8 = Recording::parse("room", b"offset_us,sender,bytes\n1,\xff,3").unwrap_err();
    assert_eq!(not_utf8.to_string(), "room:2: byte 0xff is not UTF-8: want a text file in UTF-8");
    let missing = Recording::open(Path::new("/no/such/room.xml")).unwrap_err().to_string();
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
    for seconds in ["-1", "NaN", "inf", "1e300", "abc", ""] {
        let want = format!("room:3: the time in p is \"{seconds}\": want seconds, 0 to 2592000");
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
