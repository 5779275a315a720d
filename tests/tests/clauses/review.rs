//! The host's verdict (A19), the order of the checks (B11).

use crate::scene::{ANN, BOB, OWNER, Scene};
use Priority::{High, Lowest, Normal};
use RefusalReason::{
    Banned, Counter, Duplicate, Guest, Muted, NotMarked, NotMember, NotUnique, NoticeQuota,
    OutcomesFull, QueueFull, ReviewsFull, RoomClosed, RoomMuted, SenderQuota, TooLarge,
};
use roomcast_core::admission::{ReviewDecision, ReviewError};
use roomcast_core::config::{ReviewConfig, ReviewTimeout, RoomConfigBuilder};
use roomcast_core::ids::{CorrelationId, Ticket};
use roomcast_core::ledger::{DropReason, RefusalReason};
use roomcast_core::message::{DedupKey, Limit, OutcomeSink};
use roomcast_core::quota::Quota;
use roomcast_core::speak_mode::{MaySpeak, SpeakMode};
use roomcast_core::time::Duration;
use roomcast_core::{Actor, Kind, Outcome, PerLevel, Priority, Publish, Source};
use std::num::NonZeroU32;

fn reviewed(
    change: impl FnOnce(&mut ReviewConfig),
) -> impl FnOnce(RoomConfigBuilder) -> RoomConfigBuilder {
    let mut review = ReviewConfig::HIGH_AND_NORMAL;
    change(&mut review);
    move |builder| builder.review(review)
}

impl Scene {
    /// Says something that has to wait for a verdict.
    fn submit(&mut self, session: roomcast_core::SessionId, text: &str, tag: u64) -> Ticket {
        let publish = Publish::new(Source::Session(session), text.to_owned())
            .outcome_sink(OutcomeSink::Event(CorrelationId(tag)));
        let receipt = self.publish(publish).expect("let in");
        assert_eq!(receipt.outcome, None);
        receipt.review.expect("a ticket")
    }

    fn decide(
        &mut self,
        ticket: Ticket,
        verdict: ReviewDecision<String>,
    ) -> Result<(), ReviewError<String>> {
        self.room.review(self.now, ticket, verdict)
    }
}

/// A denial has a code.
#[test]
fn a19_the_host_allows_denies_or_rewrites() {
    let mut scene = Scene::with(reviewed(|_| ()));
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    let tickets =
        [(1, "fine"), (2, "bad"), (3, "ugly")].map(|(tag, text)| scene.submit(ann, text, tag));
    assert_eq!(scene.room.snapshot(scene.now).admission.ledger.levels[Normal].under_review, 3);
    assert_eq!(
        scene.room.pending_review(tickets[2]).map(|review| review.payload.clone()),
        Some("ugly".to_owned())
    );
    scene.decide(tickets[2], ReviewDecision::Rewrite("pretty".into())).unwrap();
    scene.decide(tickets[1], ReviewDecision::Deny { code: 80_001 }).unwrap();
    scene.decide(tickets[0], ReviewDecision::Allow).unwrap();
    // First in, first out counts from the verdict.
    assert_eq!(scene.read(bob), ["pretty", "fine"]);
    let outcomes = scene.outcomes();
    let denied = Outcome::Dropped {
        reason: DropReason::Denied,
        limit: Some(Limit::ReviewDecision { code: 80_001 }),
        retry_at: Some(scene.now),
    };
    assert_eq!((outcomes.len(), outcomes[1]), (3, (2, denied)));
    assert!(
        matches!(outcomes[0], (3, Outcome::Dispatched { .. }))
            && matches!(outcomes[2], (1, Outcome::Dispatched { .. }))
    );
}

/// Then the message goes on or not, as configured.
#[test]
fn a19_two_seconds_without_a_verdict_decide() {
    for (on_timeout, arrives) in [(ReviewTimeout::Open, true), (ReviewTimeout::Closed, false)] {
        let mut scene = Scene::with(reviewed(|review| review.on_timeout = on_timeout));
        let (ann, bob) = (scene.user(ANN), scene.user(BOB));
        let ticket = scene.submit(ann, "unseen", 7);
        assert_eq!(scene.room.poll_timeout(), Some(scene.now + Duration::from_secs(2)));
        scene.wait_millis(1_999);
        assert!(scene.read(bob).is_empty() && scene.outcomes().is_empty());
        scene.wait_millis(1);
        assert_eq!(scene.read(bob).len(), usize::from(arrives));
        match scene.outcomes()[..] {
            [(7, Outcome::Dispatched { .. })] => assert!(arrives),
            [
                (
                    7,
                    Outcome::Dropped {
                        reason: DropReason::ReviewTimeout,
                        limit: Some(Limit::ReviewTime { max }),
                        ..
                    },
                ),
            ] => {
                assert!(!arrives && max == Duration::from_secs(2));
            }
            ref other => panic!("{other:?}"),
        }
        let error = scene.decide(ticket, ReviewDecision::Allow).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the ticket of message 1 has lapsed: its message is no longer under review"
        );
    }
}

#[test]
fn a19_a_slow_verdict_slows_nobody_else() {
    let mut scene = Scene::with(reviewed(|review| review.timeout = Duration::from_secs(3_600)));
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    scene.submit(ann, "in review", 1);
    // Likes skip the review, and so does the host.
    let like = scene.publish(Publish::like(Source::Session(ann), "like".into())).unwrap();
    let gift = scene.host(High, "gift").unwrap();
    assert!(like.outcome.is_some() && gift.outcome.is_some());
    assert_eq!(scene.read(bob), ["gift", "like"]);
}

#[test]
fn a19_a_late_or_baseless_verdict_has_its_own_error() {
    let mut scene = Scene::with(reviewed(|_| ()));
    let mut other = Scene::with(reviewed(|_| ()));
    let (ann, stranger) = (scene.user(ANN), other.user(ANN));
    let ticket = scene.submit(ann, "text", 1);
    let theirs = [0, 1].map(|tag| other.submit(stranger, "elsewhere", tag))[1];
    assert_eq!(
        scene.decide(theirs, ReviewDecision::Allow).unwrap_err().to_string(),
        "the ticket of message 2 was not issued by this room"
    );
    let long = "x".repeat(12 * 1024 + 1);
    match scene.decide(ticket, ReviewDecision::Rewrite(long)).unwrap_err() {
        ReviewError::TooLarge { size: 12_289, max: 12_288, payload } => {
            assert_eq!(payload.len(), 12_289);
        }
        other => panic!("{other}"),
    }
    scene.decide(ticket, ReviewDecision::Deny { code: 1 }).unwrap();
    assert!(matches!(scene.decide(ticket, ReviewDecision::Allow), Err(ReviewError::Lapsed { .. })));
}

#[test]
fn a19_no_verdict_sends_out_of_a_closed_room() {
    let mut scene = Scene::with(|builder| {
        let mut review = ReviewConfig::HIGH_AND_NORMAL;
        review.tickets = 3_000;
        builder.review(review).outcomes(PerLevel([3_000; 4]))
    });
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    let tickets: Vec<Ticket> = (0..2_600).map(|tag| scene.submit(ann, "text", tag)).collect();
    scene.room.close(scene.now, Actor::Host).unwrap();
    // One call drops 1,024 of them, and so does each verdict. The others have lapsed as well,
    // whatever time it is.
    assert_eq!(scene.room.snapshot(scene.now).admission.under_review, 1_576);
    assert!(scene.room.pending_review(tickets[2_599]).is_none());
    scene.now = scene.now + Duration::from_secs(5);
    for verdict in [
        ReviewDecision::Allow,
        ReviewDecision::Deny { code: 1 },
        ReviewDecision::Rewrite("other".into()),
    ] {
        assert!(matches!(scene.decide(tickets[2_599], verdict), Err(ReviewError::Lapsed { .. })));
    }
    assert!(matches!(scene.next(bob), Err(roomcast_core::error::SessionEnd::Closed(_))));
    let outcomes = scene.outcomes();
    assert_eq!(outcomes.len(), 2_600);
    assert!(outcomes.iter().all(|(_, outcome)| matches!(
        outcome,
        Outcome::Dropped { reason: DropReason::RoomClosed, .. }
    )));
    let snapshot = scene.room.snapshot(scene.now);
    assert!(snapshot.balances() && snapshot.admission.ledger.total().dispatched == 0);
}

/// A verdict does not let such a sender through.
#[test]
fn a19_who_is_muted_or_out_by_then_is_stopped() {
    let mut scene = Scene::with(reviewed(|_| ()));
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    let ticket = scene.submit(ann, "muted by then", 1);
    let gone = scene.submit(bob, "kicked by then", 2);
    scene.room.mute(scene.now, Actor::Host, &[ANN], None).unwrap();
    scene.room.kick(scene.now, Actor::Host, &[BOB]).unwrap();
    scene.decide(ticket, ReviewDecision::Allow).unwrap();
    assert!(matches!(scene.decide(gone, ReviewDecision::Allow), Err(ReviewError::Lapsed { .. })));
    let reasons = scene.outcomes().into_iter().map(|(tag, outcome)| match outcome {
        Outcome::Dropped { reason, .. } => (tag, reason),
        other => panic!("{other:?}"),
    });
    assert_eq!(reasons.collect::<Vec<_>>(), [(2, DropReason::SenderOut), (1, DropReason::Muted)]);
}

/// They are taken out together.
#[test]
fn a19_those_taken_out_lose_all_under_review() {
    let mut scene = Scene::with(reviewed(|_| ()));
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    for (session, level, tag) in
        [(ann, Normal, 1), (bob, High, 2), (ann, High, 3), (bob, Normal, 4)]
    {
        let publish = Publish::new(Source::Session(session), "text".to_owned())
            .priority(level)
            .outcome_sink(OutcomeSink::Event(CorrelationId(tag)));
        assert!(scene.publish(publish).unwrap().review.is_some());
    }
    scene.room.kick(scene.now, Actor::Host, &[ANN, BOB]).unwrap();
    assert_eq!(scene.outcomes().into_iter().map(|(tag, _)| tag).collect::<Vec<_>>(), [3, 1, 2, 4]);
    assert_eq!(scene.room.snapshot(scene.now).admission.under_review, 0);
}

#[test]
fn a19_a_full_table_gives_up_its_lowest_level_first() {
    let mut scene = Scene::with(reviewed(|review| review.tickets = 2));
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    let text = scene.submit(ann, "text", 1);
    let gift = |text: &str| Publish::gift(Source::Session(ann), text.to_owned());
    let first = scene.publish(gift("gift 1")).unwrap().review.unwrap();
    let second = scene.publish(gift("gift 2")).unwrap().review.unwrap();
    // The text gives way. One that comes now finds no place, since nothing lower waits, and is
    // told.
    assert!(scene.room.pending_review(text).is_none());
    let refused = scene.say(bob, "text 2").unwrap_err();
    assert_eq!((refused.reason, refused.limit), (ReviewsFull, Some(Limit::Reviews { max: 2 })));
    assert_eq!(refused.retry_at, Some(scene.now + Duration::from_secs(2)));
    assert!(matches!(
        scene.outcomes()[..],
        [(
            1,
            Outcome::Dropped {
                reason: DropReason::Evicted,
                limit: Some(Limit::Reviews { max: 2 }),
                ..
            }
        )]
    ));
    assert_eq!(scene.room.snapshot(scene.now).admission.under_review, 2);
    scene.decide(second, ReviewDecision::Allow).unwrap();
    scene.decide(first, ReviewDecision::Allow).unwrap();
    assert_eq!(scene.read(bob), ["gift 2", "gift 1"], "nothing goes out unseen");

    let mut closed = Scene::with(reviewed(|review| {
        (review.tickets, review.on_timeout) = (0, ReviewTimeout::Closed);
    }));
    let ann = closed.user(ANN);
    let refused = closed.say(ann, "nobody has time").unwrap_err();
    assert_eq!((refused.reason, refused.limit), (ReviewsFull, Some(Limit::Reviews { max: 0 })));
    assert_eq!(refused.payload, "nobody has time");
}

/// However many he says at once: each of his waits its time, and what is too much is refused.
#[test]
fn a19_a_flooder_pushes_nothing_past_the_review() {
    for on_timeout in [ReviewTimeout::Open, ReviewTimeout::Closed] {
        let mut scene = Scene::with(reviewed(|review| review.on_timeout = on_timeout));
        let (ann, bob) = (scene.user(ANN), scene.user(BOB));
        let tickets: Vec<Ticket> = (0..1_024).map(|tag| scene.submit(ann, "flood", tag)).collect();
        for _ in 0..10 {
            let refused = scene.say(ann, "one too many").unwrap_err();
            assert_eq!(refused.reason, ReviewsFull);
            assert_eq!(refused.limit, Some(Limit::Reviews { max: 1_024 }));
            assert_eq!(refused.retry_at, Some(scene.now + Duration::from_secs(2)));
        }
        // Somebody else finds a place: the flooder's newest gives way, and goes out for nobody.
        let other = scene.submit(bob, "hello", 2_000);
        assert!(matches!(
            scene.outcomes()[..],
            [(1_023, Outcome::Dropped { reason: DropReason::Evicted, .. })]
        ));
        assert!(scene.room.pending_review(other).is_some());
        assert!(tickets[..1_023].iter().all(|&ticket| scene.room.pending_review(ticket).is_some()));
        assert!(scene.read(bob).is_empty(), "nothing goes out unseen before its time");
        scene.wait_millis(1_999);
        assert!(scene.read(bob).is_empty());
        scene.wait_millis(1);
        let ledger = scene.room.snapshot(scene.now).admission.ledger.levels[Normal];
        match on_timeout {
            ReviewTimeout::Closed => {
                assert_eq!(ledger.dropped.count(DropReason::ReviewTimeout), 1_024);
            }
            _ => assert_eq!(ledger.dispatched + ledger.queued, 1_024),
        }
        assert!(scene.room.snapshot(scene.now).balances());
    }
}

/// After a late poll.
#[test]
fn a19_an_arriving_high_passes_overdue_reviews() {
    let mut scene = Scene::with(|builder| {
        let mut review = ReviewConfig::HIGH_AND_NORMAL;
        review.levels = PerLevel([false, true, false, false]);
        builder.rate(1).burst(1).review(review).fresh_within(PerLevel([None; 4]))
    });
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    for tag in 0..3 {
        scene.submit(ann, "overdue", tag);
    }
    scene.now = scene.now + Duration::from_secs(10);
    let gift = scene.host(High, "gift").unwrap();
    assert!(gift.outcome.is_some(), "the only token is the gift's");
    assert_eq!(scene.room.snapshot(scene.now).admission.queued[Normal], 3);
    assert_eq!(scene.read(bob), ["gift"]);
    scene.wait_millis(1_000);
    assert_eq!(scene.read(bob), ["overdue"]);
}

#[test]
fn a19_a_close_drops_what_is_under_review() {
    let mut scene = Scene::with(reviewed(|_| ()));
    let ann = scene.user(ANN);
    scene.submit(ann, "too late", 1);
    scene.room.close(scene.now, Actor::User(OWNER)).unwrap();
    assert!(matches!(
        scene.outcomes()[..],
        [(1, Outcome::Dropped { reason: DropReason::RoomClosed, .. })]
    ));
    assert!(scene.room.snapshot(scene.now).balances());
}

/// Every check of the gate fails for this message; they are mended one after the other, in the
/// documented order.
#[test]
fn b11_the_order_of_the_checks_is_the_documented_one() {
    let one = Quota::per_second(NonZeroU32::MIN);
    let mut scene = Scene::with(|builder| {
        builder
            .rate(1)
            .burst(1)
            .payload_bytes(8)
            .sender_quota(PerLevel([Some(one); 4]))
            .outcomes(PerLevel([1; 4]))
            .queue_messages(2)
            .notices(NonZeroU32::MIN)
            .fresh_within(PerLevel([None; 4]))
    });
    let guest = scene.guest();
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    let said = |text: &str| {
        let publish = Publish::new(Source::Session(ann), text.to_owned())
            .dedup_key(DedupKey(5))
            .counted("likes");
        publish.outcome_sink(OutcomeSink::Event(CorrelationId(0)))
    };
    // Who is marked speaks, and says what nobody has said.
    let mode = SpeakMode::new(MaySpeak::Marked).unique_within(Duration::from_secs(60));
    scene.room.set_speak_mode(scene.now, Actor::Host, mode).unwrap();
    scene.room.mark(scene.now, Actor::Host, &[ANN, BOB]).unwrap();
    // Ann has said it, and her quota is used up. The room's token is gone.
    let _ = scene.publish(said("first")).unwrap();
    // Bob takes the only slot for an outcome; the host fills the queue with what nothing of Ann's
    // may evict.
    let publish = Publish::new(Source::Session(bob), "waits".to_owned())
        .outcome_sink(OutcomeSink::Event(CorrelationId(1)));
    let _ = scene.publish(publish).unwrap();
    let _ = scene.host(High, "waits").unwrap();
    // The host has given its notice of this second.
    let notice = |counter| {
        let mut publish = Publish::new(Source::Host, "notice".to_owned()).kind(Kind::Notice);
        publish.counter = counter;
        publish
    };
    let _ = scene.publish(notice(None)).unwrap();
    // Her counter can take nothing.
    scene.room.set_counter("likes", i64::MAX).unwrap();
    scene.room.mute(scene.now, Actor::Host, &[ANN], None).unwrap();
    scene.room.mute_room(scene.now, Actor::Host).unwrap();
    let stranger = roomcast_core::SessionId::from_bits(9 << 32 | 7);
    let from = |session, mut publish: Publish<String>| {
        publish.source = session;
        publish
    };
    let without_key = |text: &str, counter| {
        let mut publish = said(text);
        (publish.dedup_key, publish.counter) = (None, counter);
        publish
    };
    let mut order = Vec::new();
    let mut try_it = |scene: &mut Scene, publish: Publish<String>| {
        order.push(scene.publish(publish).unwrap_err().reason);
    };
    try_it(&mut scene, from(Source::Session(stranger), said("far too long")));
    try_it(&mut scene, from(Source::Session(guest), said("far too long")));
    // At an edge, somebody is banned here who is muted, too.
    scene.room.ban(scene.now, Actor::Host, &[roomcast_core::UserId(9)], None).unwrap();
    scene.room.mute(scene.now, Actor::Host, &[roomcast_core::UserId(9)], None).unwrap();
    let forwarded = Source::Edge { user: roomcast_core::UserId(9), session: None };
    try_it(&mut scene, from(forwarded, said("far too long")));
    try_it(&mut scene, said("far too long"));
    scene.room.unmute(scene.now, Actor::Host, &[ANN]).unwrap();
    try_it(&mut scene, said("far too long"));
    scene.room.unmute_room(scene.now, Actor::Host).unwrap();
    scene.room.unmark(scene.now, Actor::Host, &[ANN]).unwrap();
    try_it(&mut scene, said("far too long"));
    scene.room.mark(scene.now, Actor::Host, &[ANN]).unwrap();
    try_it(&mut scene, said("far too long"));
    try_it(&mut scene, said("first"));
    try_it(&mut scene, without_key("first", Some("likes")));
    try_it(&mut scene, without_key("again", Some("likes")));
    try_it(&mut scene, notice(Some("likes")));
    // The host has no quota for what is no notice.
    try_it(&mut scene, from(Source::Host, without_key("again", Some("likes"))));
    try_it(&mut scene, from(Source::Host, without_key("again", None)));
    try_it(
        &mut scene,
        from(
            Source::Host,
            without_key("again", None).priority(Lowest).outcome_sink(OutcomeSink::CountedOnly),
        ),
    );
    scene.room.close(scene.now, Actor::Host).unwrap();
    try_it(&mut scene, from(Source::Session(stranger), said("far too long")));
    assert_eq!(
        order,
        [
            NotMember,
            Guest,
            Banned,
            Muted,
            RoomMuted,
            NotMarked,
            TooLarge,
            Duplicate,
            NotUnique,
            SenderQuota,
            NoticeQuota,
            Counter,
            OutcomesFull,
            QueueFull,
            RoomClosed
        ],
        "the room's being open is asked first of all: what comes last here has been mended last"
    );
}

/// It has a slot for that and no place in the queue.
#[test]
fn b11_what_finds_no_reviewer_has_only_its_outcome() {
    let mut scene = Scene::with(|builder| {
        let mut review = ReviewConfig::HIGH_AND_NORMAL;
        (review.tickets, review.on_timeout) = (0, ReviewTimeout::Closed);
        builder
            .review(review)
            .rate(1)
            .burst(1)
            .queue_messages(1)
            .outcomes(PerLevel([1; 4]))
            .fresh_within(PerLevel([None; 4]))
    });
    let ann = scene.user(ANN);
    let said = |source| {
        Publish::new(source, "text".to_owned())
            .counted("texts")
            .outcome_sink(OutcomeSink::Event(CorrelationId(0)))
    };
    let _ = scene.host(High, "the one of this second").unwrap();
    // It fills the queue and takes the slot.
    let _ = scene.publish(said(Source::Host)).unwrap();
    assert_eq!(scene.publish(said(Source::Session(ann))).unwrap_err().reason, OutcomesFull);
    let unreported = said(Source::Session(ann)).outcome_sink(OutcomeSink::CountedOnly);
    assert_eq!(scene.publish(unreported).unwrap_err().reason, ReviewsFull);
    assert_eq!(
        scene.room.counters().collect::<Vec<_>>(),
        [("texts", 1)],
        "what is refused here has not been counted"
    );
}
