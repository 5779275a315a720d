//! Taking back (clause C1).

use crate::scene::{ANN, BOB, OWNER, Scene};
use roomcast_core::audience::Delivery;
use roomcast_core::config::{ReviewConfig, RoomConfigBuilder};
use roomcast_core::error::ModerationError;
use roomcast_core::ids::{MessageId, Seq};
use roomcast_core::ledger::DropReason;
use roomcast_core::message::MergeKey;
use roomcast_core::retraction::{Retracted, Retraction};
use roomcast_core::rights::{Action, NotAllowed, Rule};
use roomcast_core::system_messages::{SystemMessage, SystemMessageKind, SystemMessages};
use roomcast_core::time::Duration;
use roomcast_core::{
    Actor, Batch, Budget, Group, Handoff, Instant, Join, Kind, Outcome, Payload, PerLevel,
    Priority, Publish, RoomConfig, RoomState, SessionId, Source, UserId,
};

/// Something that goes out at once; its number.
fn sent(scene: &mut Scene, session: SessionId, text: &str) -> Seq {
    match scene.say(session, text).expect("let in").outcome {
        Some(Outcome::Dispatched { seq, .. }) => seq,
        other => panic!("{text} did not go out: {other:?}"),
    }
}

fn retract(scene: &mut Scene, what: Retraction) -> Retracted {
    let retracted = scene.room.retract(scene.now, Actor::Host, what).expect("the host may");
    assert!(scene.room.snapshot(scene.now).balances());
    retracted
}

#[test]
fn c1_who_has_not_read_it_never_gets_it() {
    let mut scene = Scene::new();
    let (ann, reads, slow) = (scene.user(ANN), scene.guest(), scene.guest());
    let texts = ["one", "two", "three"].map(|text| sent(&mut scene, ann, text));
    assert_eq!(scene.read(reads), ["one", "two", "three"]);
    let retracted = retract(&mut scene, Retraction::Sent(texts[1]));
    assert_eq!((retracted.dropped, &retracted.seqs[..]), (0, &texts[1..2]));
    assert_eq!(scene.read(slow), ["one", "three"]);
    let of = |scene: &Scene, session| scene.room.deliveries(session).unwrap()[Priority::Normal];
    let (got, left_out) = (of(&scene, reads), of(&scene, slow));
    assert_eq!((got.due, got.delivered, got.excluded), (3, 3, 0));
    assert_eq!((left_out.due, left_out.delivered, left_out.excluded), (3, 2, 1));
    assert_eq!((left_out.skipped, left_out.pending), (0, 0));
    let all = scene.room.snapshot(scene.now).audience.deliveries[Priority::Normal];
    // Ann's own are excluded for her.
    assert_eq!((all.due, all.delivered, all.excluded), (9, 5, 4));
    // It is not there a second time.
    assert!(retract(&mut scene, Retraction::Sent(texts[1])).is_empty());
    assert!(retract(&mut scene, Retraction::Sent(Seq(77))).is_empty());
}

/// Nothing is left for a session that was behind by nothing else: it is ready, and gets nothing.
#[test]
fn c1_all_that_was_due() {
    let mut scene = Scene::new();
    let (ann, slow) = (scene.user(ANN), scene.guest());
    let seq = sent(&mut scene, ann, "one");
    retract(&mut scene, Retraction::Sent(seq));
    assert!(scene.room.is_ready(slow));
    assert_eq!(scene.read(slow), [""; 0]);
    assert!(!scene.room.is_ready(slow));
    sent(&mut scene, ann, "two");
    assert_eq!(scene.read(slow), ["two"]);
}

/// A batch that others share was taken before; and a sweep hands everyone the same.
#[test]
fn c1_shared_batches_and_sweeps() {
    let mut scene = Scene::new();
    let ann = scene.user(ANN);
    let guests: Vec<_> = (0..70).map(|_| scene.guest()).collect();
    let texts = ["one", "two"].map(|text| sent(&mut scene, ann, text));
    assert_eq!(scene.read(guests[0]), ["one", "two"]);
    retract(&mut scene, Retraction::Sent(texts[0]));
    assert_eq!(scene.read(guests[1]), ["two"]);
    let mut swept = Vec::new();
    let sweep = |scene: &mut Scene, swept: &mut Vec<String>| {
        let (now, slots) = (scene.now, 0..scene.room.slots());
        scene.room.sweep(now, Group::default(), slots, Budget::default(), |_, due| {
            if let Delivery::Batch(batch) = due {
                // What was encoded before the retraction must not serve anybody now.
                assert!(batch.key().is_none());
                swept.extend(
                    batch.to_batch().messages().iter().map(|message| message.payload.clone()),
                );
            }
            Handoff::Taken
        })
    };
    assert_eq!((sweep(&mut scene, &mut swept), swept.len()), (68, 68));
    assert!(swept.iter().all(|text| text == "two"));
    // Of a message of which nothing is left, nobody is handed anything.
    let seq = sent(&mut scene, ann, "three");
    retract(&mut scene, Retraction::Sent(seq));
    swept.clear();
    assert_eq!((sweep(&mut scene, &mut swept), swept.len()), (0, 0));
    assert!(!guests.iter().any(|&guest| scene.room.is_ready(guest)));
    assert!(scene.room.snapshot(scene.now).balances());
}

#[test]
fn c1_late_joiners_and_resumers_neither() {
    let mut scene =
        Scene::with(|builder| builder.replay_on_join(3).resume_within(Duration::from_secs(60)));
    let (ann, away) = (scene.user(ANN), scene.user(BOB));
    let token = scene.room.resume_token(scene.now, away).unwrap();
    scene.room.close_session(scene.now, away);
    let texts = ["one", "two", "three"].map(|text| sent(&mut scene, ann, text));
    retract(&mut scene, Retraction::Sent(texts[2]));
    let late = scene.guest();
    assert_eq!(scene.read(late), ["one", "two"]);
    let join = Join::user(BOB).resume(token);
    let back = scene.room.join(scene.now, join).unwrap().session;
    assert_eq!(scene.read(back), ["one", "two"]);
    assert!(scene.room.snapshot(scene.now).balances());
}

/// What has fallen out of the log is a gap, taken back or not.
#[test]
fn c1_what_the_log_gave_up_is_a_gap() {
    let mut scene = Scene::with(|builder| builder.log_messages(PerLevel([2; 4])));
    let (ann, slow) = (scene.user(ANN), scene.guest());
    let texts = ["one", "two", "three", "four"].map(|text| sent(&mut scene, ann, text));
    assert!(retract(&mut scene, Retraction::Sent(texts[0])).is_empty());
    retract(&mut scene, Retraction::Sent(texts[2]));
    sent(&mut scene, ann, "five");
    let batch = scene.next(slow).unwrap().unwrap();
    assert_eq!((batch.gap(Priority::Normal), batch.messages().len()), (3, 2));
    assert!(scene.room.snapshot(scene.now).balances());
}

/// After a ban, say.
#[test]
fn c1_all_of_a_users() {
    let mut scene = Scene::with(|builder| builder.rate(3).burst(3));
    let (ann, bob, reads) = (scene.user(ANN), scene.user(BOB), scene.guest());
    for (session, text) in [(ann, "one"), (bob, "two"), (ann, "three")] {
        sent(&mut scene, session, text);
    }
    assert_eq!(scene.send(ann, Priority::Normal, "waits", 1), None);
    assert_eq!(scene.send(bob, Priority::Normal, "waits too", 2), None);
    let retracted = retract(&mut scene, Retraction::AllOf(ANN));
    assert_eq!((retracted.dropped, &retracted.seqs[..]), (1, &[Seq(1), Seq(3)][..]));
    let dropped = Outcome::Dropped { reason: DropReason::Retracted, limit: None, retry_at: None };
    assert_eq!(scene.outcomes(), [(1, dropped)]);
    assert_eq!(dropped.to_string(), "dropped: taken back");
    scene.wait_millis(1_000);
    assert_eq!(scene.read(reads), ["two", "waits too"]);
    let row = scene.room.snapshot(scene.now).admission.ledger.total();
    assert_eq!((row.dispatched, row.dropped.count(DropReason::Retracted)), (4, 1));
}

/// In the queue, or for a verdict; one that has gone out has a number by then.
#[test]
fn c1_one_that_waits() {
    let mut review = ReviewConfig::NONE;
    review.levels[Priority::High] = true;
    let mut scene = Scene::busy(|builder| builder.review(review));
    let ann = scene.user(ANN);
    let id = scene.say(ann, "waits").unwrap().id;
    assert_eq!(retract(&mut scene, Retraction::Waiting(id)).dropped, 1);
    assert!(retract(&mut scene, Retraction::Waiting(id)).is_empty());
    let high = Publish::new(Source::Session(ann), "gift".into()).priority(Priority::High);
    let receipt = scene.publish(high).unwrap();
    assert!(receipt.review.is_some());
    assert_eq!(retract(&mut scene, Retraction::Waiting(receipt.id)).dropped, 1);
    assert!(scene.room.pending_review(receipt.review.unwrap()).is_none());
    let first = MessageId(1);
    assert!(retract(&mut scene, Retraction::Waiting(first)).is_empty(), "it has gone out");
    let row = scene.room.snapshot(scene.now).admission.ledger.total();
    assert_eq!((row.queued, row.under_review, row.dropped.total()), (0, 0, 2));
}

/// What carries others' likes is theirs, too: only staff takes it back, and by its number.
#[test]
fn c1_others_were_merged_into_it() {
    let mut scene = Scene::busy(|builder| builder);
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    let like = |by| Publish::new(Source::Session(by), "like".to_owned()).merge_key(MergeKey::Likes);
    let carrier = scene.publish(like(ann)).unwrap().id;
    let _ = scene.publish(like(bob)).unwrap();
    let rule = Rule::AdminsOnly;
    let denied = NotAllowed { actor: Some(ANN), action: Action::Retract, target: Some(ANN), rule };
    let (now, by_ann) = (scene.now, Actor::User(ANN));
    let refused = scene.room.retract(now, by_ann, Retraction::Waiting(carrier));
    assert_eq!(refused, Err(ModerationError::NotAllowed(denied)));
    assert!(retract(&mut scene, Retraction::AllOf(ANN)).is_empty());
    scene.wait_millis(1_000);
    assert!(retract(&mut scene, Retraction::AllOf(ANN)).is_empty());
    assert_eq!(retract(&mut scene, Retraction::Sent(Seq(2))).seqs, [Seq(2)]);
}

#[test]
fn c1_who_may() {
    let mut scene = Scene::new();
    let (admin, other) = (UserId(20), UserId(21));
    for user in [admin, other] {
        scene.room.add_admin(scene.now, Actor::Host, user).unwrap();
    }
    let by = |scene: &mut Scene, user: UserId| {
        let session = scene.user(user);
        sent(scene, session, "hello")
    };
    let [ann, bob] = [ANN, BOB].map(|user| by(&mut scene, user));
    let [of_other, of_owner] = [other, OWNER].map(|user| by(&mut scene, user));
    assert!(scene.host(Priority::Normal, "news").is_ok());
    let of_host = Seq(of_owner.0 + 1);
    let refused = |actor, target, rule| {
        Err(ModerationError::NotAllowed(NotAllowed {
            actor: Some(actor),
            action: Action::Retract,
            target,
            rule,
        }))
    };
    let mut try_it = |actor: UserId, seq| {
        let answer = scene.room.retract(scene.now, Actor::User(actor), Retraction::Sent(seq));
        answer.map(|retracted| retracted.seqs.len())
    };
    assert_eq!(try_it(ANN, ann), Ok(1), "one's own");
    assert_eq!(try_it(ANN, bob), refused(ANN, Some(BOB), Rule::AdminsOnly));
    assert_eq!(try_it(ANN, Seq(99)), Ok(0), "nothing is there");
    assert_eq!(try_it(admin, bob), Ok(1));
    assert_eq!(try_it(admin, of_other), refused(admin, Some(other), Rule::NotToAnAdmin));
    assert_eq!(try_it(admin, of_owner), refused(admin, Some(OWNER), Rule::NotToTheOwner));
    assert_eq!(try_it(OWNER, of_host), refused(OWNER, None, Rule::HostOnly));
    assert_eq!(try_it(OWNER, of_other), Ok(1));
    for seq in [of_owner, of_host] {
        assert_eq!(retract(&mut scene, Retraction::Sent(seq)).seqs, [seq]);
    }
    let error = refused(ANN, Some(BOB), Rule::AdminsOnly).unwrap_err();
    assert_eq!(
        error.to_string(),
        "user 7 may not retract messages of user 8: only the host, the owner and the admins may"
    );
    scene.room.close(scene.now, Actor::Host).unwrap();
    let closed = scene.room.retract(scene.now, Actor::Host, Retraction::Sent(ann));
    assert_eq!(closed, Err(ModerationError::RoomClosed));
}

/// A payload that can say what was taken back.
#[derive(Debug)]
struct Words(String);

impl Payload for Words {
    fn size(&self) -> usize {
        self.0.len()
    }

    fn system_message(tip: &SystemMessage<'_>) -> Option<Self> {
        let SystemMessage::Retracted { seqs } = tip else { return None };
        Some(Self(format!("{} from {} on", seqs.len(), seqs[0])))
    }
}

/// A room that gives the marker, a guest, and a user who has said so much.
fn hall(
    change: impl FnOnce(RoomConfigBuilder) -> RoomConfigBuilder,
    texts: usize,
) -> (RoomState<Words>, SessionId, Instant) {
    let tips = SystemMessages::NONE.with(SystemMessageKind::Retracted, Some(Priority::High));
    let builder = RoomConfig::builder(OWNER).system_messages(tips).rate(1_000).burst(1_000);
    let mut room = RoomState::new(&change(builder).build().expect("a valid configuration"));
    let now = Instant::from_secs(100);
    let guest = room.join(now, Join::guest()).unwrap().session;
    let ann = room.join(now, Join::user(ANN)).unwrap().session;
    for _ in 0..texts {
        let text = Publish::new(Source::Session(ann), Words("text".into()));
        assert!(room.publish(now, text).expect("let in").outcome.is_some());
    }
    (room, guest, now)
}

fn told(room: &mut RoomState<Words>, now: Instant, session: SessionId) -> Vec<String> {
    room.handle_timeout(now);
    let batch = room.next_batch(now, session, Budget::default()).unwrap();
    let tips = batch.iter().flat_map(Batch::messages);
    let tips = tips.filter(|message| message.kind == Kind::System);
    tips.map(|message| message.payload.0.clone()).collect()
}

/// Whoever has got it is told its number: at once, and what follows in the window is one tip.
#[test]
fn c1_a_marker_tells_the_numbers() {
    let (mut room, guest, now) = hall(|builder| builder, 5);
    assert_eq!(told(&mut room, now, guest), [""; 0]);
    let take_back = |room: &mut RoomState<Words>, seq| {
        room.retract(now, Actor::Host, Retraction::Sent(Seq(seq))).unwrap()
    };
    assert_eq!(take_back(&mut room, 2).seqs, [Seq(2)]);
    assert_eq!(told(&mut room, now, guest), ["1 from #2 on"]);
    assert_eq!(take_back(&mut room, 4).seqs, [Seq(4)]);
    assert_eq!(take_back(&mut room, 3).seqs, [Seq(3)]);
    // What was taken back before is told once.
    assert!(take_back(&mut room, 2).is_empty());
    assert_eq!(told(&mut room, now, guest), [""; 0]);
    assert_eq!(told(&mut room, now + Duration::from_secs(1), guest), ["2 from #4 on"]);
    assert_eq!(room.poll_timeout(), None);
}

/// A tip names at most 256; what is more follows a window later.
#[test]
fn c1_a_marker_is_bounded() {
    let (mut room, guest, now) = hall(|builder| builder.log_messages(PerLevel([600; 4])), 600);
    let retracted = room.retract(now, Actor::Host, Retraction::AllOf(ANN)).unwrap();
    assert_eq!(retracted.seqs.len(), 600);
    let mut tips = Vec::new();
    for second in 0..4 {
        tips.extend(told(&mut room, now + Duration::from_secs(second), guest));
    }
    assert_eq!(tips, ["256 from #1 on", "256 from #257 on", "88 from #513 on"]);
}

/// However many are taken back within a window: so many numbers wait for a tip, the newest.
#[test]
fn c1_numbers_that_wait_for_a_marker_are_bounded() {
    let most = 20_000;
    let (mut room, guest, now) = hall(|builder| builder.rate(most).burst(most), 0);
    let mut last = Seq(0);
    for _ in 0..most {
        let text = Publish::new(Source::Host, Words("text".into()));
        let Some(Outcome::Dispatched { seq, .. }) = room.publish(now, text).unwrap().outcome else {
            panic!("it waits");
        };
        last = seq;
        let what = Retraction::Sent(seq);
        assert_eq!(room.retract(now, Actor::Host, what).unwrap().seqs, [seq]);
    }
    let tips: Vec<String> = (0..100)
        .flat_map(|second| told(&mut room, now + Duration::from_secs(second), guest))
        .collect();
    let numbers = |tip: &String| tip.split(' ').next().unwrap().parse::<u64>().unwrap();
    // One was told at once.
    assert_eq!(tips.iter().map(numbers).sum::<u64>(), 1 + 16_384);
    let newest = format!("256 from #{} on", last.0 - 255);
    assert_eq!(tips.last(), Some(&newest));
}

/// So many withdrawn positions of a level are remembered; beyond, the log lets go of the oldest and all
/// before it. Nobody gets what was taken back.
#[test]
fn c1_withdrawn_positions_are_bounded() {
    let most = 4_096;
    let texts = most + 904;
    let (mut room, guest, now) = hall(
        |builder| {
            let max = u32::try_from(texts).unwrap();
            builder.rate(max).burst(max).log_messages(PerLevel([max; 4]))
        },
        texts,
    );
    // All of a user's are the newest 4,096.
    let retracted = room.retract(now, Actor::Host, Retraction::AllOf(ANN)).unwrap();
    assert_eq!((retracted.seqs.len(), retracted.seqs[0]), (most, Seq(905)));
    let held = |room: &RoomState<Words>| room.snapshot(now).audience.log[Priority::Normal];
    assert_eq!(held(&room) as usize, texts);
    // One more: the oldest one is this, and it goes.
    assert_eq!(room.retract(now, Actor::Host, Retraction::Sent(Seq(11))).unwrap().seqs.len(), 1);
    assert_eq!(held(&room) as usize, texts - 11);
    let batch = room.next_batch(now, guest, Budget::default()).unwrap().unwrap();
    assert_eq!(batch.gap(Priority::Normal), 11);
    let mut read = batch.messages().len();
    while let Some(batch) = room.next_batch(now, guest, Budget::default()).unwrap() {
        read += batch.messages().len();
    }
    assert_eq!(read, 904 - 11);
    let books = room.deliveries(guest).unwrap()[Priority::Normal];
    assert_eq!((books.skipped, books.excluded, books.pending), (11, most as u64, 0));
    assert!(room.snapshot(now).balances());
}
