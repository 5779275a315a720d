use serde_json::{Value, json};

use super::*;
use crate::message::What;
use crate::tip::{Speak, Speakers, Tip};

fn value(reply: &Reply) -> Value {
    serde_json::from_str(&reply.to_json()).unwrap()
}

fn invalid(frame: &str) -> (Option<u64>, String) {
    match Request::parse(frame) {
        Err(Rejection::Invalid { id, reason }) => (id, reason),
        other => panic!("{frame}: {other:?}"),
    }
}

#[test]
fn requests_are_read() {
    let read = |frame: Value| Request::parse(&frame.to_string()).unwrap();
    assert_eq!(
        read(json!({"type": "say", "id": 1, "text": "hi"})),
        Request::Say { id: 1, text: "hi".into() }
    );
    assert_eq!(
        read(json!({"type": "gift", "id": 2, "name": "rocket", "count": 3})),
        Request::Gift { id: 2, name: "rocket".into(), count: 3 }
    );
    assert_eq!(
        read(json!({"type": "like", "id": 3, "count": 100})),
        Request::Like { id: 3, count: 100 }
    );
    assert_eq!(
        read(json!({"type": "controls", "speed": 10, "slow": 5})),
        Request::Controls(ControlsChange {
            speed: Some(10.0),
            slow: Some(5),
            ..ControlsChange::default()
        })
    );
    assert_eq!(read(json!({"type": "reset"})), Request::Reset);
}

#[test]
fn orders_are_read() {
    let read = |frame: Value| Request::parse(&frame.to_string()).unwrap();
    let order = |act, seconds| Request::Moderate(Order { id: 1, act, name: "ann".into(), seconds });
    assert_eq!(
        read(json!({"type": "moderate", "id": 1, "act": "mute", "name": "ann", "seconds": 60})),
        order(Act::Mute, Some(60))
    );
    for (word, act) in [
        ("unmute", Act::Unmute),
        ("kick", Act::Kick),
        ("ban", Act::Ban),
        ("unban", Act::Unban),
        ("set-admin", Act::SetAdmin),
        ("remove-admin", Act::RemoveAdmin),
        ("retract", Act::Retract),
        ("mark", Act::Mark),
        ("unmark", Act::Unmark),
    ] {
        assert_eq!(
            read(json!({"type": "moderate", "id": 1, "act": word, "name": "ann"})),
            order(act, None)
        );
    }
    assert_eq!(
        read(json!({"type": "mute-room", "id": 2, "muted": true})),
        Request::MuteRoom { id: 2, muted: true }
    );
    assert_eq!(
        read(json!({"type": "notice", "id": 3, "text": "hi"})),
        Request::Notice { id: 3, text: "hi".into() }
    );
    assert_eq!(
        read(json!({"type": "retract", "id": 4, "seq": 17})),
        Request::Retract { id: 4, seq: 17 }
    );
    assert_eq!(
        read(json!({"type": "pin", "id": 5, "text": "hi"})),
        Request::Pin { id: 5, text: "hi".into() }
    );
    assert_eq!(read(json!({"type": "unpin", "id": 6, "pin": 2})), Request::Unpin { id: 6, pin: 2 });
    let mode = |mode: Value| json!({"type": "speak-mode", "id": 7, "mode": mode});
    assert_eq!(
        read(mode(json!({"who": "members", "seconds": 60, "unique": true}))),
        Request::SpeakMode {
            id: 7,
            mode: Speak { who: Speakers::Members, seconds: Some(60), unique: true }
        }
    );
    assert_eq!(
        read(mode(json!({"who": "admins"}))),
        Request::SpeakMode {
            id: 7,
            mode: Speak { who: Speakers::Admins, seconds: None, unique: false }
        }
    );
    assert_eq!(
        invalid(&mode(json!({"who": "members"})).to_string()).1,
        "the seconds: 0 is not in 1 to 86400"
    );
    assert_eq!(
        invalid(&mode(json!({"who": "marked", "seconds": 5})).to_string()).1,
        "only members have seconds: leave them out"
    );
    assert_eq!(
        invalid(r#"{"type":"pin","id":3,"text":" "}"#),
        (Some(3), "the text is empty: say something".into())
    );

    let invalid_order = |act, seconds| {
        invalid(
            &json!({"type": "moderate", "id": 9, "act": act, "name": "ann", "seconds": seconds})
                .to_string(),
        )
    };
    assert_eq!(invalid_order("mute", 0), (Some(9), "the seconds: 0 is not in 1 to 86400".into()));
    assert_eq!(invalid_order("ban", 86_401).1, "the seconds: 86401 is not in 1 to 86400");
    assert_eq!(invalid_order("kick", 5).1, "only a mute or a ban has seconds: leave them out");
    assert_eq!(
        invalid(r#"{"type":"notice","id":3,"text":" "}"#),
        (Some(3), "the text is empty: say something".into())
    );
    for frame in [
        r#"{"type":"moderate","id":1,"act":"sing","name":"ann"}"#,
        r#"{"type":"mute-room","id":1}"#,
    ] {
        assert!(matches!(Request::parse(frame), Err(Rejection::Malformed(_))), "{frame}");
    }
}

#[test]
fn tips_have_the_shape_that_the_page_reads() {
    let tip = |tip| {
        let item = Item::Message {
            seq: 1,
            level: Level::High,
            nick: "kim".into(),
            history: false,
            what: What::Tip(tip),
        };
        serde_json::from_str::<Value>(&item.to_json()).unwrap()
    };
    assert_eq!(
        tip(Tip::Muted { name: "ann".into(), seconds: Some(60) }),
        json!({"kind": "message", "seq": 1, "level": "high", "nick": "kim", "what": "tip", "tip": "muted", "name": "ann", "seconds": 60})
    );
    assert_eq!(
        tip(Tip::SpeakMode(Speak { who: Speakers::Marked, seconds: None, unique: false })),
        json!({"kind": "message", "seq": 1, "level": "high", "nick": "kim", "what": "tip", "tip": "speak-mode", "who": "marked", "unique": false})
    );
    assert_eq!(
        (&tip(Tip::RoomMuted)["tip"], &tip(Tip::AdminSet { name: "ann".into() })["tip"]),
        (&json!("room-muted"), &json!("admin-set"))
    );
}

#[test]
fn what_is_no_request_is_malformed() {
    for frame in [
        "",
        "hi",
        "[]",
        "{}",
        r#"{"type":"sing"}"#,
        r#"{"type":"say","id":-1,"text":"x"}"#,
        r#"{"type":"say","id":1}"#,
        r#"{"type":"say","id":1,"text":"x","admin":true}"#,
        r#"{"type":"controls","speed":"fast"}"#,
        r#"{"type":"like","id":1,"count":99999999999}"#,
    ] {
        assert!(matches!(Request::parse(frame), Err(Rejection::Malformed(_))), "{frame}");
    }
    assert!(matches!(Request::parse(&"[".repeat(8_000)), Err(Rejection::Malformed(_))));
}

#[test]
fn what_cannot_be_is_said_with_the_id() {
    assert_eq!(
        invalid(r#"{"type":"say","id":4,"text":" \t"}"#),
        (Some(4), "the text is empty: say something".into())
    );
    let long = json!({"type": "say", "id": 5, "text": "ä".repeat(501)}).to_string();
    assert_eq!(invalid(&long), (Some(5), "the text has 501 characters: want at most 500".into()));
    assert_eq!(
        invalid(r#"{"type":"gift","id":6,"name":"yacht","count":1}"#),
        (
            Some(6),
            r#"no gift is called "yacht": want one of rose, lantern, fireworks, rocket"#.into()
        )
    );
    assert_eq!(
        invalid(r#"{"type":"gift","id":6,"name":"rose","count":0}"#),
        (Some(6), "the number of gifts: 0 is not in 1 to 99".into())
    );
    assert_eq!(
        invalid(r#"{"type":"like","id":7,"count":101}"#).1,
        "the number of likes: 101 is not in 1 to 100"
    );
    assert_eq!(
        invalid(r#"{"type":"controls","speed":101}"#),
        (None, "the speed is 101: want 1 to 100".into())
    );
    assert_eq!(
        invalid(r#"{"type":"controls","likes":100001}"#).1,
        "likes a second: 100001 is not in 0 to 100000"
    );
    assert_eq!(
        invalid(r#"{"type":"controls","slow":101}"#).1,
        "the percentage of slow viewers: 101 is not in 0 to 100"
    );
}

#[test]
fn the_longest_text_fits_a_frame_when_escaped() {
    let text = "\\ud83d\\ude80".repeat(500);
    let frame = format!(r#"{{"type":"say","id":{},"text":"{text}"}}"#, u64::MAX);
    assert!(frame.len() <= MAX_FRAME_BYTES);
    assert!(Request::parse(&frame).is_ok());
}

#[test]
fn a_visitor_is_a_guest_or_has_a_name() {
    let visit = |query: &str| Visitor::from_query(query);
    assert_eq!(visit("guest"), Ok(Visitor::Guest));
    let named = |nick: &str, key: &str| Ok(Visitor::Named { nick: nick.into(), key: key.into() });
    assert_eq!(visit("name=kim"), named("kim", ""));
    assert_eq!(visit("key=s%2Bcret&name=kim"), named("kim", "s+cret"));
    assert_eq!(visit("v=1&name=%E5%B0%8F+%f0%9F%9A%80%"), named("小 🚀%", ""));
    let long = visit(&format!("name=kim&key={}", "x".repeat(65)));
    assert_eq!(long, Err("the key has 65 characters: want at most 64".into()));
    assert_eq!(visit(""), Err("nobody is named: want /ws?name=… or /ws?guest".into()));
    assert_eq!(visit("name=%20"), Err("the name is empty: want 1 to 20 characters".into()));
    assert_eq!(
        visit("name=abcdefghijklmnopqrstu"),
        Err("the name has 21 characters: want at most 20".into())
    );
    assert_eq!(
        visit("name=a%00b"),
        Err("the name has a control character: want letters, digits, signs".into())
    );
}

#[test]
fn items_go_around() {
    let items = [
        What::Text { text: "<b>hi</b>".into() },
        What::Gift { name: "rocket".into(), count: 2 },
        What::Like { count: 9 },
        What::SuperChat { text: "wow".into(), price: 30 },
        What::Guard { rank: None },
        What::Notice { text: "five minutes to go".into() },
        What::Total { likes: 1 << 40 },
        What::Tip(Tip::Joined { count: 5, first: Some("kim".into()) }),
        What::Tip(Tip::Muted { name: "ann".into(), seconds: Some(60) }),
        What::Tip(Tip::RoomMuted),
        What::Tip(Tip::SpeakMode(Speak {
            who: Speakers::Members,
            seconds: Some(60),
            unique: true,
        })),
        What::Pinned { pin: 3, text: "welcome".into() },
        What::Pins { pins: vec![3] },
    ]
    .map(|what| Item::Message {
        seq: u64::MAX,
        level: Level::High,
        nick: "kim".into(),
        history: true,
        what,
    });
    let gap = Item::Gap { level: Level::Low, count: 5, cause: "age".into() };
    for item in items.into_iter().chain([gap]) {
        let text = serde_json::to_string(&item).unwrap();
        assert_eq!(serde_json::from_str::<Item>(&text).unwrap(), item, "{text}");
    }
}

#[test]
fn replies_have_the_shape_that_the_page_reads() {
    let what = What::Gift { name: "rose".into(), count: 3 };
    let text = What::Text { text: "hi".into() };
    let items = [
        Item::Message {
            seq: 6,
            level: Level::Normal,
            nick: "lee".into(),
            history: true,
            what: text,
        },
        Item::Message { seq: 7, level: Level::High, nick: "kim".into(), history: false, what },
        Item::Gap { level: Level::Low, count: 2, cause: "overrun".into() },
    ];
    let frame = batch_frame(items.iter().map(Item::to_json), Some("a-token_1"));
    assert_eq!(
        serde_json::from_str::<Value>(&frame).unwrap(),
        json!({"type": "batch", "token": "a-token_1", "items": [
            {"kind": "message", "seq": 6, "level": "normal", "nick": "lee", "history": true, "what": "text", "text": "hi"},
            {"kind": "message", "seq": 7, "level": "high", "nick": "kim", "what": "gift", "name": "rose", "count": 3},
            {"kind": "gap", "level": "low", "count": 2, "cause": "overrun"},
        ]})
    );
    assert_eq!(
        value(&Reply::Outcome { id: 1, fate: Fate::Dispatched { seq: 9, waited_ms: 0.5 } }),
        json!({"type": "outcome", "id": 1, "state": "dispatched", "seq": 9, "waited_ms": 0.5})
    );
    assert_eq!(
        value(&Reply::Outcome {
            id: 2,
            fate: Fate::Refused { reason: "queue full".into(), code: None, retry_ms: None }
        }),
        json!({"type": "outcome", "id": 2, "state": "refused", "reason": "queue full"})
    );
    assert_eq!(
        value(&Reply::Outcome { id: 3, fate: Fate::Merged }),
        json!({"type": "outcome", "id": 3, "state": "merged"})
    );
    let hello = Reply::Hello(Hello::to(
        None,
        (0xbeef, true),
        Standing::from(None),
        12,
        "premiere",
        (40, 400),
    ));
    assert_eq!(value(&hello)["gifts"][3], json!({"name": "rocket", "glyph": "🚀", "price": 1000}));
    assert_eq!(value(&hello)["nick"], Value::Null);
    assert_eq!((&value(&hello)["role"], &value(&hello)["likes"]), (&json!("guest"), &json!(12)));
    assert_eq!(
        value(&Reply::Bye { reason: "the server stops".into(), retry: true, until_ms: None }),
        json!({"type": "bye", "reason": "the server stops", "retry": true})
    );
    assert_eq!(
        value(&Reply::Bye {
            reason: "you are banned".into(),
            retry: false,
            until_ms: Some(60_000)
        }),
        json!({"type": "bye", "reason": "you are banned", "retry": false, "until_ms": 60_000})
    );
    let muted = Fate::Refused {
        reason: "the sender is muted".into(),
        code: Some("muted".into()),
        retry_ms: Some(9),
    };
    assert_eq!(
        value(&Reply::Outcome { id: 4, fate: muted }),
        json!({"type": "outcome", "id": 4, "state": "refused", "reason": "the sender is muted", "code": "muted", "retry_ms": 9})
    );
    assert_eq!(
        value(&Reply::Outcome { id: 5, fate: Fate::Done }),
        json!({"type": "outcome", "id": 5, "state": "done"})
    );
}

#[test]
fn stats_go_around() {
    let mut stats = Stats { audience: 3, tokens: 1, ..Stats::default() };
    stats.ledger.low = LedgerRow { submitted: 5, dispatched: 2, ..LedgerRow::default() };
    stats.ledger.low.dropped.insert("expired".into(), 3);
    stats.deliveries.high = DeliveryRow { due: 6, delivered: 6, ..DeliveryRow::default() };
    let text = serde_json::to_string(&stats).unwrap();
    assert_eq!(serde_json::from_str::<Stats>(&text).unwrap(), stats);
    let shown = value(&Reply::Stats(Box::new(stats)));
    assert_eq!(shown["type"], "stats");
    assert_eq!(shown["ledger"]["low"]["dropped"]["expired"], 3);
    assert_eq!(shown["deliveries"]["high"]["due"], 6);
}
