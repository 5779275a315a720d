//! Tips (A26), the like counter (A29), and all of it in one flood.

use Priority::{High, Normal};
use roomcast_core::config::{QueueDiscipline, RoomConfigBuilder};
use roomcast_core::ids::CorrelationId;
use roomcast_core::message::OutcomeSink;
use roomcast_core::system_messages::{SystemMessage, SystemMessageKind, SystemMessages};
use roomcast_core::time::Duration;
use roomcast_core::{
    Actor, Budget, Instant, Join, Kind, Outcome, Payload, PerLevel, Priority, Publish, RoomConfig,
    RoomState, SessionId, Source, UserId,
};
use std::collections::BTreeMap;

/// A payload that can say what happened.
#[derive(Clone, Debug, PartialEq)]
struct Words(String);

impl Payload for Words {
    fn size(&self) -> usize {
        self.0.len()
    }

    fn system_message(tip: &SystemMessage<'_>) -> Option<Self> {
        Some(Self(match tip {
            SystemMessage::Users { kind, count, first } => {
                let names: Vec<String> = first.iter().map(|user| user.0.to_string()).collect();
                format!("{kind:?} {count}: {}", names.join(" "))
            }
            SystemMessage::Attributes { count, version } => {
                format!("attributes {count}, version {version}")
            }
            SystemMessage::Counters { changed } => format!("{changed:?}"),
            _ => return None,
        }))
    }
}

const OWNER: UserId = UserId(1);

struct Hall {
    room: RoomState<Words>,
    now: Instant,
    guest: SessionId,
}

impl Hall {
    fn with(
        tips: SystemMessages,
        change: impl FnOnce(RoomConfigBuilder) -> RoomConfigBuilder,
    ) -> Self {
        let config = change(RoomConfig::builder(OWNER).system_messages(tips))
            .build()
            .expect("a valid configuration");
        let mut room = RoomState::new(&config);
        let now = Instant::from_secs(100);
        let guest = room.join(now, Join::guest()).expect("there is room").session;
        Self { room, now, guest }
    }

    fn wait_millis(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
        self.room.handle_timeout(self.now);
    }

    fn join(&mut self, user: u64) -> SessionId {
        self.room.join(self.now, Join::user(UserId(user))).expect("there is room").session
    }

    /// What the guest gets to see, as far as the room says it of itself.
    fn tips(&mut self) -> Vec<String> {
        self.room.handle_timeout(self.now);
        let batch =
            self.room.next_batch(self.now, self.guest, Budget::default()).expect("the guest is in");
        let messages = batch.iter().flat_map(roomcast_core::Batch::messages);
        messages
            .filter(|message| message.kind == Kind::System)
            .map(|message| message.payload.0.clone())
            .collect()
    }
}

#[test]
fn a26_tips_tell_by_kind_and_priority_and_can_be_off() {
    let mut hall =
        Hall::with(SystemMessages::ALL.with(SystemMessageKind::Left, None), |builder| builder);
    hall.join(7);
    assert_eq!(hall.tips(), ["Joined 1: 7"]);
    hall.join(8);
    hall.room.add_admin(hall.now, Actor::Host, UserId(7)).unwrap();
    hall.room.mute(hall.now, Actor::Host, &[UserId(8), UserId(9)], None).unwrap();
    hall.room.set_profile(UserId(7), Some(Words("Ann".into()))).unwrap();
    hall.room.write_attributes(hall.now, None, &[("title", Some(b"hello"))]).unwrap();
    // The second who joined waits for the end of the window; the others are first of their kinds.
    let told = ["AdminSet 1: 7", "Muted 2: 8 9", "attributes 1, version 1", "ProfileChanged 1: 7"];
    assert_eq!(hall.tips(), told, "Normal before Lowest");
    hall.room.kick(hall.now, Actor::Host, &[UserId(8)]).unwrap();
    hall.room.remove_admin(hall.now, Actor::Host, UserId(7)).unwrap();
    hall.room.ban(hall.now, Actor::Host, &[UserId(7)], None).unwrap();
    assert_eq!(hall.tips(), ["Kicked 1: 8", "Banned 1: 7", "AdminRemoved 1: 7"]);
    hall.join(9);
    hall.room.leave(hall.now, UserId(9)).unwrap();
    hall.wait_millis(1_000);
    assert_eq!(hall.tips(), ["Joined 2: 8 9"]);
}

/// Leaves count as well, and the storm costs the room nothing.
#[test]
fn a26_a_storm_of_joins_is_two_messages_a_window() {
    let mut hall = Hall::with(SystemMessages::ALL, |builder| builder);
    for round in 0..10_u64 {
        for user in 0..10_000 {
            let session = hall.join(1_000 + user);
            hall.room.close_session(hall.now, session);
        }
        let _ = round;
        hall.wait_millis(100);
    }
    hall.wait_millis(1_000);
    assert_eq!(
        hall.tips(),
        [
            "Joined 10000: 1000 1001 1002",
            "Left 10000: 1000 1001 1002",
            "Joined 90000: 1000 1001 1002",
            "Left 90000: 1000 1001 1002"
        ]
    );
    // All forty are still there.
    let sent = (0..50).filter(|_| {
        let publish = Publish::new(Source::Host, Words("text".into()));
        hall.room.publish(hall.now, publish).unwrap().outcome.is_some()
    });
    assert_eq!(sent.count(), 40);
    assert!(hall.room.snapshot(hall.now).balances());
}

#[test]
fn a26_a_tip_of_one_user_carries_the_profile() {
    let mut hall = Hall::with(SystemMessages::ALL, |builder| builder);
    hall.join(7);
    hall.room.set_profile(UserId(7), Some(Words("Ann".into()))).unwrap();
    hall.room.handle_timeout(hall.now);
    let batch = hall.room.next_batch(hall.now, hall.guest, Budget::default()).unwrap().unwrap();
    let profile = |message: &roomcast_core::Message<Words>| {
        message.profile.as_ref().map(|profile| profile.0.clone())
    };
    let profiles: Vec<_> = batch.messages().iter().map(|message| profile(message)).collect();
    assert_eq!(
        profiles,
        [Some("Ann".into()), Some("Ann".into())],
        "who joined had one by the time it was told"
    );
}

#[test]
fn a18_the_tip_of_who_has_gone_still_has_the_profile() {
    let mut hall = Hall::with(
        SystemMessages::ALL
            .with(SystemMessageKind::Joined, None)
            .with(SystemMessageKind::ProfileChanged, None),
        |builder| builder,
    );
    let sessions = [7, 8, 9, 10, 11].map(|user| hall.join(user));
    for user in 7..=11 {
        hall.room.set_profile(UserId(user), Some(Words(format!("profile {user}")))).unwrap();
    }
    let profiles = |hall: &mut Hall| {
        hall.room.handle_timeout(hall.now);
        let batch = hall.room.next_batch(hall.now, hall.guest, Budget::default()).unwrap().unwrap();
        let said = |message: &roomcast_core::Message<Words>| {
            (message.payload.0.clone(), message.profile.as_ref().map(|profile| profile.0.clone()))
        };
        batch.messages().iter().map(|message| said(message)).collect::<Vec<_>>()
    };
    hall.room.close_session(hall.now, sessions[0]);
    hall.room.kick(hall.now, Actor::Host, &[UserId(8)]).unwrap();
    hall.room.ban(hall.now, Actor::Host, &[UserId(9)], None).unwrap();
    let told = profiles(&mut hall);
    let expected =
        [("Kicked 1: 8", "profile 8"), ("Banned 1: 9", "profile 9"), ("Left 1: 7", "profile 7")];
    assert_eq!(told, expected.map(|(text, profile)| (text.to_owned(), Some(profile.to_owned()))));
    // A tip of several has none, and who is not in is banned as well.
    hall.wait_millis(1_000);
    hall.room.ban(hall.now, Actor::Host, &[UserId(10), UserId(12)], None).unwrap();
    assert_eq!(profiles(&mut hall), [("Banned 2: 10 12".to_owned(), None)]);
    hall.wait_millis(1_000);
    hall.room.ban(hall.now, Actor::Host, &[UserId(13)], None).unwrap();
    assert_eq!(profiles(&mut hall), [("Banned 1: 13".to_owned(), None)]);
    // What was to be told and never was leaves nothing behind for whoever goes next.
    let off = RoomConfig::builder(OWNER).system_messages(SystemMessages::NONE).build().unwrap();
    let on = RoomConfig::builder(OWNER)
        .system_messages(SystemMessages::NONE.with(SystemMessageKind::Left, Some(Normal)))
        .build()
        .unwrap();
    hall.join(14);
    hall.room.set_profile(UserId(14), Some(Words("profile 14".into()))).unwrap();
    let (nameless, first) = (hall.join(15), hall.join(16));
    hall.room.close_session(hall.now, first);
    assert_eq!(profiles(&mut hall), [("Left 1: 16".to_owned(), None)], "the window begins");
    hall.room.leave(hall.now, UserId(14)).unwrap();
    hall.room.reconfigure(hall.now, &off).unwrap();
    hall.room.reconfigure(hall.now, &on).unwrap();
    hall.room.close_session(hall.now, nameless);
    hall.wait_millis(1_000);
    assert_eq!(profiles(&mut hall), [("Left 1: 15".to_owned(), None)]);
    // Who came back has another one by then.
    hall.room.close_session(hall.now, sessions[4]);
    hall.join(11);
    hall.room.set_profile(UserId(11), Some(Words("new".into()))).unwrap();
    hall.wait_millis(1_000);
    assert_eq!(profiles(&mut hall), [("Left 1: 11".to_owned(), Some("new".to_owned()))]);
}

/// A mute payload is one that cannot tell.
#[test]
fn a26_a_closed_room_and_a_mute_payload_say_nothing() {
    let mut hall = Hall::with(SystemMessages::ALL, |builder| builder);
    hall.join(7);
    hall.room.close(hall.now, Actor::Host).unwrap();
    hall.room.handle_timeout(hall.now);
    assert!(
        hall.room.next_batch(hall.now, hall.guest, Budget::default()).is_err(),
        "nothing before the reason"
    );
    let mut mute: RoomState<&str> = RoomState::new(
        &RoomConfig::builder(OWNER).system_messages(SystemMessages::ALL).build().unwrap(),
    );
    mute.join(hall.now, Join::user(UserId(7))).unwrap();
    mute.handle_timeout(hall.now);
    assert_eq!(mute.snapshot(hall.now).admission.ledger.total().submitted, 0);
}

/// It does so every four seconds.
#[test]
fn a29_the_like_counter_reaches_everyone_exactly() {
    let mut hall = Hall::with(SystemMessages::ALL, |builder| builder);
    let ann = hall.join(7);
    hall.tips();
    let mut told = Vec::new();
    for step in 0..120_u32 {
        for _ in 0..50 {
            drop(
                hall.room
                    .publish(hall.now, Publish::like(Source::Session(ann), Words("like".into()))),
            );
        }
        hall.wait_millis(100);
        told.extend(hall.tips().into_iter().map(|said| (step, said)));
    }
    let likes = |n: u32| format!("[(\"likes\", {n})]");
    // The first at once, then what has come together.
    assert_eq!(told, [(0, likes(1)), (39, likes(2_000)), (79, likes(4_000)), (119, likes(6_000))]);
    hall.wait_millis(40_000);
    assert!(hall.tips().is_empty(), "nothing has changed");
}

/// 50,000 likes, 5,000 texts of one flooder, 100 texts of others, 100,000 joins and leaves, 10
/// gifts and a kick message in one second.
#[test]
fn a9_a14_a26_a29_b4_what_matters_gets_through_the_flood() {
    let forever = PerLevel([None; 4]);
    let mut hall = Hall::with(SystemMessages::ALL, |builder| {
        builder
            .discipline(QueueDiscipline::RoundRobin)
            .fresh_within(forever)
            .outcomes(PerLevel([8_192; 4]))
    });
    let flooder = hall.join(2);
    let others: Vec<SessionId> = (0..100).map(|n| hall.join(100 + n)).collect();
    hall.tips();
    let text = |session, tag| {
        Publish::new(Source::Session(session), Words("text".into()))
            .outcome_sink(OutcomeSink::Event(CorrelationId(tag)))
    };
    let mut urgent: BTreeMap<u64, Option<Outcome>> = BTreeMap::new();
    let (mut texts_sent, mut tag) = (BTreeMap::<u64, u32>::new(), 0);
    let note = |outcome: Option<Outcome>, sender: u64, sent: &mut BTreeMap<u64, u32>| {
        if matches!(outcome, Some(Outcome::Dispatched { .. })) {
            *sent.entry(sender).or_default() += 1;
        }
    };
    let mut senders = BTreeMap::new();
    for milli in 0..1_000_u64 {
        for _ in 0..100 {
            let session = hall.join(1_000_000 + milli);
            hall.room.close_session(hall.now, session);
        }
        for session in &others[..50] {
            let like = Publish::like(Source::Session(*session), Words("like".into()));
            drop(hall.room.publish(hall.now, like));
        }
        for _ in 0..5 {
            tag += 1;
            if let Ok(receipt) = hall.room.publish(hall.now, text(flooder, tag)) {
                senders.insert(tag, 2);
                note(receipt.outcome, 2, &mut texts_sent);
            }
        }
        if milli % 10 == 5 {
            let n = milli / 10;
            tag += 1;
            if let Ok(receipt) = hall.room.publish(hall.now, text(others[n as usize], tag)) {
                senders.insert(tag, 100 + n);
                note(receipt.outcome, 100 + n, &mut texts_sent);
            }
        }
        let gift = (milli % 100 == 50).then_some(Publish::gift(Source::Host, Words("gift".into())));
        let kick =
            (milli == 777).then_some(Publish::gift(Source::Host, Words("you are out".into())));
        for publish in gift.into_iter().chain(kick) {
            tag += 1;
            let receipt = hall
                .room
                .publish(hall.now, publish.outcome_sink(OutcomeSink::Event(CorrelationId(tag))))
                .expect("let in");
            urgent.insert(tag, receipt.outcome);
        }
        hall.wait_millis(1);
    }
    for _ in 0..1_000 {
        hall.wait_millis(20);
        while let Some(event) = hall.room.poll_event() {
            let Some(CorrelationId(tag)) = event.correlation_id() else { continue };
            let roomcast_core::Event::Outcome { outcome, .. } = event else { continue };
            if let Some(slot) = urgent.get_mut(&tag) {
                *slot = Some(outcome);
            } else if let Some(&sender) = senders.get(&tag) {
                note(Some(outcome), sender, &mut texts_sent);
            }
        }
        // While everybody has something waiting.
        if hall.now < Instant::from_millis(102_500) {
            let most_of_others = texts_sent
                .iter()
                .filter(|(sender, _)| **sender != 2)
                .map(|(_, &count)| count)
                .max();
            assert!(most_of_others <= Some(1));
        }
    }
    assert_eq!(urgent.len(), 11);
    assert!(
        urgent.values().all(|outcome| matches!(outcome, Some(Outcome::Dispatched { .. }))),
        "every gift and the kick: {urgent:?}"
    );
    // All hundred of the others got their turn, though he said fifty times as much.
    assert_eq!(texts_sent.iter().filter(|(sender, _)| **sender != 2).count(), 100);
    assert_eq!(hall.room.counters().collect::<Vec<_>>(), [("likes", 50_000)]);
    let snapshot = hall.room.snapshot(hall.now);
    assert!(snapshot.balances());
    let tips = hall.tips();
    assert!(tips.len() <= 12, "folded: {tips:?}");
    let submitted = |level| snapshot.admission.ledger.levels[level].submitted;
    assert_eq!((submitted(Normal), submitted(High)), (5_100, 11));
}
