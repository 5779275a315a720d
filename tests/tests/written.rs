//! What is written is as it was: files that earlier versions have written are read as what they were
//! written from, and the same is written again to the byte. Where a form is to change,
//! `ROOMCAST_GOLDEN=write cargo test -p roomcast-tests --test written` writes the files anew.

use roomcast::names::NamedState;
use roomcast::{Hub, RoomId};
use roomcast_core::admission::{AdmissionSnapshot, PersistedState};
use roomcast_core::data::DataError;
use roomcast_core::dedup::SaidKey;
use roomcast_core::ids::{MessageId, Seq};
use roomcast_core::ledger::{DropReason, RefusalReason};
use roomcast_core::message::{DedupKey, Limit, Sender};
use roomcast_core::quota::{Quota, Rate};
use roomcast_core::room::RoomSnapshot;
use roomcast_core::speak_mode::{MaySpeak, SpeakMode};
use roomcast_core::time::Duration;
use roomcast_core::timed::Until;
use roomcast_core::{
    Instant, Join, Outcome, Priority, Publish, Receipt, Refused, RoomConfig, RoomState, Source,
    UserId,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::{env, fs};

fn golden<T>(name: &str, value: &T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let text = serde_json::to_string_pretty(value).unwrap() + "\n";
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    for (form, written) in [("json", text.into_bytes()), ("cbor", bytes)] {
        let file =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.{form}"));
        if env::var_os("ROOMCAST_GOLDEN").is_some_and(|what| what == "write") {
            fs::write(&file, &written).unwrap();
        }
        let there = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let read: T = match form {
            "json" => serde_json::from_slice(&there).unwrap(),
            _ => ciborium::from_reader(&*there).unwrap(),
        };
        assert_eq!(&read, value, "{} is read as something else", file.display());
        let wanted = String::from_utf8_lossy(&there);
        let found = String::from_utf8_lossy(&written);
        assert!(
            there == written,
            "not as in {}, and if that is meant: ROOMCAST_GOLDEN=write\n{wanted}\nbut\n{found}",
            file.display()
        );
    }
}

fn state() -> PersistedState {
    let said_at = Instant::from_secs(99);
    let said = |key, priority| SaidKey { key: DedupKey(key), priority, said_at };
    PersistedState {
        admins: vec![UserId(2)],
        mutes: vec![
            (UserId(3), Until::Forever),
            (UserId(4), Until::At(Instant::from_nanos(u64::MAX))),
        ],
        bans: vec![(UserId(5), Until::At(Instant::from_secs(1_700_000_000)))],
        room_muted: true,
        marks: vec![UserId(6), UserId(7)],
        speak_mode: SpeakMode::new(MaySpeak::MembersFor(Duration::from_millis(90_500)))
            .unique_within(Duration::from_secs(30)),
        attributes: vec![
            ("bytes".into(), Arc::from(*b"\x00\xff")),
            ("topic".into(), Arc::from("Ünïcode, \"quoted\"".as_bytes())),
        ],
        attributes_version: 9,
        counters: vec![("likes".into(), -3), ("most".into(), i64::MAX)],
        said: vec![
            (Sender::Host, said(u64::MAX, Priority::High)),
            (Sender::User(UserId(2)), said(0, Priority::Lowest)),
        ],
    }
}

fn named_state() -> NamedState<String> {
    let mut named = NamedState::new(state());
    named.admins = vec!["ann".to_owned()];
    named.mutes = vec![("bob".to_owned(), Until::Forever)];
    named.bans = vec![("cid".to_owned(), Until::At(Instant::from_secs(5)))];
    named.marks = vec!["dee".to_owned()];
    let said_at = Instant::from_secs(98);
    let key = SaidKey { key: DedupKey(7), priority: Priority::Normal, said_at };
    named.said = vec![("eve".to_owned(), key)];
    named
}

/// The books of a room in which something happened.
fn books() -> RoomSnapshot {
    let config = RoomConfig::av_chat_room(UserId(1)).to_builder().rate(2).burst(2);
    let mut room: RoomState<&str> = RoomState::new(&config.queue_messages(3).build().unwrap());
    let now = Instant::from_secs(10);
    let session = room.join(now, Join::user(UserId(7))).unwrap().session;
    let guest = room.join(now, Join::guest()).unwrap().session;
    for level in [Priority::High, Priority::Low, Priority::Low, Priority::Normal, Priority::Low] {
        let _ = room.publish(now, Publish::new(Source::Session(session), "hello").priority(level));
    }
    room.publish(now, Publish::new(Source::Session(guest), "hello")).unwrap_err();
    let _ = room.publish(now, Publish::new(Source::Host, "hello").priority(Priority::High));
    room.snapshot(now)
}

#[test]
fn b20_what_a_room_carries_over_has_a_form_that_stays() {
    golden("state.v1", &state());
    golden("state-empty.v1", &PersistedState::default());
    golden("state-named.v1", &named_state());
}

#[test]
fn b2_books_have_a_form_that_stays() {
    let books = books();
    assert!(books.balances() && books.admission.ledger.total().refused.total() > 0, "{books:?}");
    golden("books", &books);
}

#[test]
fn b1_outcomes_have_a_form_that_stays() {
    let at = Instant::from_nanos(1_500_000_001);
    let three = NonZeroU32::new(3).unwrap();
    let rate = Rate::new(three, Duration::from_millis(200)).unwrap();
    let quota = Quota { rate, burst: NonZeroU32::MIN };
    let limits = [
        Limit::PayloadBytes { size: 13_000, max: 12_288 },
        Limit::ProfileBytes { size: 513, max: 512 },
        Limit::QueueMessages { max: 1_024 },
        Limit::QueueBytes { max: 1 << 20 },
        Limit::EdgeOutbox { max: 7 },
        Limit::Outcomes { max: 8 },
        Limit::AuditRecords { max: 9 },
        Limit::AuditBytes { max: 10 },
        Limit::SenderQuota { quota },
        Limit::Senders { max: 11, quota: Quota::per_second(three) },
        Limit::Notices { max: 200 },
        Limit::DirectMessages { max: 64 },
        Limit::DirectBytes { max: 65 },
        Limit::Duplicates { window: Duration::from_secs(60) },
        Limit::MemberFor { min: Duration::from_secs(90) },
        Limit::Unique { window: Duration::from_millis(1_500) },
        Limit::Counter { error: DataError::Overflow { value: i64::MAX, delta: 1 } },
        Limit::Reviews { max: 12 },
        Limit::ReviewTime { max: Duration::from_secs(2) },
        Limit::ReviewDecision { code: 13 },
        Limit::Memory { max: 14 },
        Limit::FreshWithin { max: Duration::from_millis(300) },
    ];
    let mut outcomes = vec![
        Outcome::Dispatched { seq: Seq(5), at },
        Outcome::Merged { carrier: MessageId(6) },
        Outcome::Dropped { reason: DropReason::Denied, limit: None, retry_at: None },
    ];
    outcomes.extend(limits.map(|limit| Outcome::Dropped {
        reason: DropReason::Expired,
        limit: Some(limit),
        retry_at: Some(at),
    }));
    golden("outcomes", &outcomes);
    let receipt = Receipt { id: MessageId(3), outcome: Some(outcomes[0]), review: None };
    golden("receipt", &receipt);
    golden(
        "refused",
        &Refused {
            reason: RefusalReason::QueueFull,
            limit: Some(limits[2]),
            retry_at: Some(at),
            payload: "hello".to_owned(),
        },
    );
}

/// Whoever reads leaves out what it does not know, takes what is not said as it is in an empty room,
/// and looks at the version before anything else, wherever it stands.
#[test]
fn b20_a_reader_skips_what_is_new_and_refuses_a_newer_version() {
    let text = r#"{"banned_by": ["x"], "marks": [4], "version": 1, "mutes": [
        {"user": 5, "until": null, "why": {"said": []}}, {"user": 6}]}"#;
    let state: PersistedState = serde_json::from_str(text).unwrap();
    let forever = |user| (UserId(user), Until::Forever);
    let mutes = vec![forever(5), forever(6)];
    let wanted = PersistedState { marks: vec![UserId(4)], mutes, ..PersistedState::default() };
    assert_eq!(state, wanted);

    let newer = r#"{"names": 3, "marks": {"a": 1}, "admins": "all", "version": 2}"#;
    let wanted = "written by version 2, and this reads up to version 1";
    let error = serde_json::from_str::<PersistedState>(newer).unwrap_err().to_string();
    assert!(error.contains(wanted), "{error}");
    let error = serde_json::from_str::<NamedState<String>>(newer).unwrap_err().to_string();
    assert!(error.contains(wanted), "{error}");

    for (text, wanted) in [
        (r#"{"version": 0}"#, "version must be at least 1, not 0"),
        (r#"{"marks": []}"#, "missing field `version`"),
        (r#"{"version": 1, "marks": [-4]}"#, "invalid value: integer `-4`"),
        (r#"{"version": 1, "attributes": {"a": [256]}}"#, "integer `256`, expected u8"),
    ] {
        let error = serde_json::from_str::<PersistedState>(text).unwrap_err().to_string();
        assert!(error.contains(wanted), "{text}: {error}");
    }
}

/// Of counters, too: a reason that came later is left out, and one that is missing is 0.
#[test]
fn b2_books_of_another_version_are_read() {
    let text = r#"{"ledger": {"levels": {"low": {"submitted": 3, "refused":
        {"queue_full": 2, "of_tomorrow": 1}, "weight": 7}}}, "moods": []}"#;
    let books: AdmissionSnapshot = serde_json::from_str(text).unwrap();
    let low = books.ledger.levels[Priority::Low];
    assert_eq!((low.submitted, low.refused.count(RefusalReason::QueueFull)), (3, 2));
    assert_eq!((low.refused.total(), books.users), (2, 0));
}

/// A number that stands for a name in one process goes into no file, and comes out of none.
#[test]
fn b20_an_export_of_names_has_no_number_that_stands_for_one() {
    let hub = Hub::<&str>::builder().spawn_threads().unwrap();
    let room = hub.open_room(RoomId(5), &RoomConfig::default()).unwrap();
    let (ann, seven) = (room.user_id("ann"), UserId(7));
    let moderation = room.moderation(roomcast::Actor::Host);
    moderation.add_admin(ann).unwrap();
    moderation.mute(&[ann, seven], None).unwrap();
    moderation.ban(&[room.user_id("bob")], None).unwrap();
    moderation.mark(&[ann]).unwrap();
    let text = serde_json::to_string(&room.data().export_named()).unwrap();
    assert!(text.contains(r#""mutes":[{"user":7,"until":null}]"#), "{text}");
    assert!(text.contains(r#""mutes":[{"user":"ann","until":null}]"#), "{text}");
    assert!(!text.contains(&ann.0.to_string()), "{text}");

    let other = Hub::<&str>::builder().spawn_threads().unwrap();
    let there = other.open_room(RoomId(6), &RoomConfig::default()).unwrap();
    // So that names have other numbers there.
    let _ = there.user_id("zoe");
    let state: NamedState = serde_json::from_str(&text).unwrap();
    there.data().import_named(state).unwrap();
    assert!(there.join("bob").is_err() && there.join("zoe").is_ok());
    let carried = there.data().export();
    assert_eq!(carried.marks, [there.user_id("ann")]);
    let muted: Vec<UserId> = carried.mutes.iter().map(|&(user, _)| user).collect();
    assert_eq!(muted, [seven, there.user_id("ann")]);

    // As numbers they are refused both ways.
    let wrong = NamedState::<String>::new(room.data().export());
    let error = serde_json::to_string(&wrong).unwrap_err().to_string();
    assert!(error.contains("stands for a name in this process"), "{error}");
    let numbers = serde_json::to_string(&room.data().export()).unwrap();
    let error = serde_json::from_str::<NamedState<String>>(&numbers).unwrap_err().to_string();
    assert!(error.contains("stand for names in one process; want the name"), "{error}");
}
