//! Who may speak (clause C2).

use crate::scene::{ANN, BOB, OWNER, Scene};
use roomcast_core::admission::{ImportError, ReviewDecision};
use roomcast_core::config::ReviewConfig;
use roomcast_core::error::ModerationError;
use roomcast_core::ledger::RefusalReason;
use roomcast_core::message::{Limit, MergeKey};
use roomcast_core::rights::{Action, NotAllowed, Rule};
use roomcast_core::speak_mode::{MaySpeak, SpeakMode};
use roomcast_core::system_messages::{SystemMessage, SystemMessageKind, SystemMessages};
use roomcast_core::time::Duration;
use roomcast_core::{
    Actor, Budget, Instant, Join, Kind, Payload, Priority, Publish, RoomConfig, RoomState, Source,
    UserId,
};

const MINUTE: Duration = Duration::from_secs(60);

fn set(scene: &mut Scene, mode: SpeakMode) -> bool {
    scene.room.set_speak_mode(scene.now, Actor::Host, mode).expect("the host may")
}

#[test]
fn c2_members_of_an_age() {
    let mut scene = Scene::new();
    // It begins to look when people come.
    set(&mut scene, SpeakMode::new(MaySpeak::MembersFor(Duration::ZERO)));
    let (came, ann) = (scene.now, scene.user(ANN));
    assert!(scene.say(ann, "hello").is_ok());
    set(&mut scene, SpeakMode::new(MaySpeak::MembersFor(MINUTE)));
    scene.wait_millis(20_000);
    let refused = scene.say(ann, "hello").unwrap_err();
    assert_eq!(refused.reason, RefusalReason::TooNew);
    assert_eq!(refused.limit, Some(Limit::MemberFor { min: MINUTE }));
    assert_eq!(refused.retry_at, Some(came + MINUTE));
    assert_eq!(
        refused.to_string(),
        format!("refused: in the room for less than 60s; retry at {}", came + MINUTE)
    );
    // On whatever session: who was in first counts, also when that one has gone.
    scene.wait_millis(20_000);
    let second = scene.user(ANN);
    scene.room.close_session(scene.now, ann);
    scene.wait_millis(19_999);
    assert!(scene.say(second, "hello").is_err());
    scene.wait_millis(1);
    assert!(scene.say(second, "hello").is_ok());
    // Who was away begins anew.
    scene.room.leave(scene.now, ANN).unwrap();
    let again = scene.user(ANN);
    assert_eq!(scene.say(again, "hello").unwrap_err().reason, RefusalReason::TooNew);
    // The host and the staff may.
    let owner = scene.user(OWNER);
    assert!(scene.say(owner, "hello").is_ok() && scene.host(Priority::Normal, "news").is_ok());
}

/// Whoever is in when a room is first asked counts as old enough, and whoever comes later does not.
#[test]
fn c2_those_who_were_in_are_old_enough() {
    let mut scene = Scene::new();
    let ann = scene.user(ANN);
    set(&mut scene, SpeakMode::new(MaySpeak::MembersFor(MINUTE)));
    let bob = scene.user(BOB);
    assert!(scene.say(ann, "hello").is_ok());
    assert_eq!(scene.say(bob, "hello").unwrap_err().reason, RefusalReason::TooNew);
    // A user at an edge has been looked at there.
    let at_edge = Source::Edge { user: UserId(30), session: None };
    assert!(scene.publish(Publish::new(at_edge, "hello".into())).is_ok());
}

#[test]
fn c2_marked_users_and_admins() {
    let mut scene = Scene::with(|builder| builder.marks(2));
    let (ann, bob, owner) = (scene.user(ANN), scene.user(BOB), scene.user(OWNER));
    scene.room.mark(scene.now, Actor::User(OWNER), &[ANN, ANN]).unwrap();
    set(&mut scene, SpeakMode::new(MaySpeak::Marked));
    assert!(scene.say(ann, "hello").is_ok() && scene.say(owner, "hello").is_ok());
    let refused = scene.say(bob, "hello").unwrap_err();
    assert_eq!((refused.reason, refused.retry_at), (RefusalReason::NotMarked, None));
    assert_eq!(refused.to_string(), "refused: only marked users may speak");
    // A mark holds through leave and rejoin, until it is taken away.
    scene.room.leave(scene.now, ANN).unwrap();
    let ann = scene.user(ANN);
    assert!(scene.say(ann, "hello").is_ok());
    let full = Err(ModerationError::MarksFull { max: 2 });
    assert_eq!(scene.room.mark(scene.now, Actor::Host, &[BOB, UserId(20)]), full);
    assert!(!scene.room.is_marked(BOB), "all of them or nobody");
    scene.room.unmark(scene.now, Actor::Host, &[ANN]).unwrap();
    assert_eq!(scene.say(ann, "hello").unwrap_err().reason, RefusalReason::NotMarked);

    scene.room.mark(scene.now, Actor::Host, &[ANN]).unwrap();
    set(&mut scene, SpeakMode::new(MaySpeak::Admins));
    let refused = scene.say(ann, "hello").unwrap_err();
    assert_eq!((refused.reason, refused.retry_at), (RefusalReason::NotStaff, None));
    scene.room.add_admin(scene.now, Actor::Host, ANN).unwrap();
    assert!(scene.say(ann, "hello").is_ok());
    set(&mut scene, SpeakMode::EVERYONE);
    assert!(scene.say(bob, "hello").is_ok());
}

#[test]
fn c2_unique_messages_only() {
    let mut scene = Scene::new();
    let (ann, bob, owner) = (scene.user(ANN), scene.user(BOB), scene.user(OWNER));
    assert!(scene.say(ann, "before").is_ok());
    set(&mut scene, SpeakMode::EVERYONE.unique_within(MINUTE));
    assert!(scene.say(bob, "before").is_ok(), "compared with what comes from then on");
    assert!(scene.say(ann, "first").is_ok());
    let said_at = scene.now;
    scene.wait_millis(1_000);
    let refused = scene.say(bob, "first").unwrap_err();
    assert_eq!(refused.reason, RefusalReason::NotUnique);
    assert_eq!(refused.limit, Some(Limit::Unique { window: MINUTE }));
    assert_eq!(refused.retry_at, Some(said_at + MINUTE));
    assert!(scene.say(bob, "First").is_ok(), "by the key that the payload gives");
    // The staff may, and what they say may be said.
    assert!(scene.say(owner, "first").is_ok() && scene.say(owner, "welcome").is_ok());
    assert!(scene.say(bob, "welcome").is_ok());
    // Likes are the same by design.
    let like = |session| {
        Publish::new(Source::Session(session), "like".to_owned()).merge_key(MergeKey::Likes)
    };
    assert!(scene.publish(like(ann)).is_ok() && scene.publish(like(bob)).is_ok());
    scene.wait_millis(59_000);
    assert!(scene.say(bob, "first").is_ok());
    // Where they are compared in another way, it is with what comes from then on.
    assert!(!set(&mut scene, SpeakMode::EVERYONE.unique_within(MINUTE)));
    assert!(scene.say(ann, "first").is_err());
    assert!(set(&mut scene, SpeakMode::EVERYONE.unique_within(MINUTE + MINUTE)));
    assert!(scene.say(ann, "first").is_ok());
    set(&mut scene, SpeakMode::EVERYONE);
    assert!(scene.say(bob, "first").is_ok());
}

/// Nobody has seen it.
#[test]
fn c2_what_was_dropped_may_be_said_again() {
    let mut review = ReviewConfig::NONE;
    review.levels[Priority::Normal] = true;
    let mut scene = Scene::with(|builder| builder.review(review));
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    set(&mut scene, SpeakMode::EVERYONE.unique_within(MINUTE));
    let ticket = scene.say(ann, "hello").unwrap().review.unwrap();
    assert_eq!(scene.say(bob, "hello").unwrap_err().reason, RefusalReason::NotUnique);
    scene.room.review(scene.now, ticket, ReviewDecision::Deny { code: 7 }).unwrap();
    assert!(scene.say(bob, "hello").is_ok());
}

/// The queue is not touched, nor what waits for a verdict.
#[test]
fn c2_a_mode_holds_for_what_comes() {
    let mut scene = Scene::busy(|builder| builder);
    let ann = scene.user(ANN);
    assert_eq!(scene.send(ann, Priority::Normal, "waits", 1), None);
    set(&mut scene, SpeakMode::new(MaySpeak::Admins));
    assert!(scene.say(ann, "more").is_err());
    scene.wait_millis(1_000);
    assert_eq!(scene.outcomes().len(), 1);
    assert_eq!(scene.room.snapshot(scene.now).admission.ledger.total().dispatched, 2);
}

/// Host, owner and admins, as with muting the room.
#[test]
fn c2_staff_and_host_set_it() {
    let mut scene = Scene::new();
    let mode = SpeakMode::new(MaySpeak::Admins);
    let set = |scene: &mut Scene, actor| scene.room.set_speak_mode(scene.now, actor, mode);
    let refused = |action, target| {
        let rule = Rule::AdminsOnly;
        Err(ModerationError::NotAllowed(NotAllowed { actor: Some(ANN), action, target, rule }))
    };
    let ann = Actor::User(ANN);
    assert_eq!(set(&mut scene, ann), refused(Action::SetSpeakMode, None).map(|()| false));
    assert_eq!(scene.room.mark(scene.now, ann, &[BOB]), refused(Action::Mark, Some(BOB)));
    assert_eq!(scene.room.unmark(scene.now, ann, &[BOB]), refused(Action::Unmark, Some(BOB)));
    scene.room.add_admin(scene.now, Actor::Host, ANN).unwrap();
    assert_eq!(set(&mut scene, ann), Ok(true));
    assert_eq!(set(&mut scene, Actor::Host), Ok(false), "it is so already");
    scene.room.close(scene.now, Actor::Host).unwrap();
    assert_eq!(set(&mut scene, Actor::Host), Err(ModerationError::RoomClosed));
}

#[test]
fn c2_mode_and_marks_last_over_a_restart() {
    let mut scene = Scene::new();
    let mode = SpeakMode::new(MaySpeak::Marked).unique_within(MINUTE);
    set(&mut scene, mode);
    scene.room.mark(scene.now, Actor::Host, &[BOB, ANN]).unwrap();
    let carried = scene.room.export(scene.now);
    assert_eq!((carried.speak_mode, &carried.marks[..]), (mode, &[ANN, BOB][..]));
    let mut other = Scene::new();
    other.room.import(other.now, carried.clone()).unwrap();
    assert_eq!(other.room.export(other.now), carried);
    let ann = other.user(ANN);
    assert!(other.say(ann, "hello").is_ok());
    let stranger = other.user(UserId(20));
    assert_eq!(other.say(stranger, "hi").unwrap_err().reason, RefusalReason::NotMarked);
    let mut small = Scene::with(|builder| builder.marks(1));
    let refused = small.room.import(small.now, carried);
    assert_eq!(refused, Err(ImportError::TooMany { list: "marks", count: 2, max: 1 }));
}

/// Its own kind of tip, once for each change.
#[test]
fn c2_a_tip_tells_of_a_change() {
    #[derive(Debug)]
    struct Words(String);
    impl Payload for Words {
        fn size(&self) -> usize {
            self.0.len()
        }
        fn system_message(tip: &SystemMessage<'_>) -> Option<Self> {
            match tip {
                SystemMessage::SpeakMode { count, mode } => {
                    Some(Self(format!("{count}: {:?}", mode.who)))
                }
                _ => None,
            }
        }
    }
    let tips = SystemMessages::NONE.with(SystemMessageKind::SpeakModeSet, Some(Priority::Normal));
    let config = RoomConfig::builder(OWNER).system_messages(tips).build().unwrap();
    let mut room: RoomState<Words> = RoomState::new(&config);
    let now = Instant::from_secs(100);
    let ann = room.join(now, Join::user(ANN)).unwrap().session;
    for who in [MaySpeak::Marked, MaySpeak::Marked] {
        room.set_speak_mode(now, Actor::Host, SpeakMode::new(who)).unwrap();
    }
    room.handle_timeout(now);
    let batch = room.next_batch(now, ann, Budget::default()).unwrap().unwrap();
    let told: Vec<_> =
        batch.messages().iter().map(|message| (message.kind, &*message.payload.0)).collect();
    assert_eq!(told, [(Kind::System, "1: Marked")]);
}
