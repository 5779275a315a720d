//! The audit: B24, and A20 by it.

use crate::scene::{ANN, Scene};
use Priority::{High, Low, Lowest, Normal};
use roomcast_core::admission::ReviewDecision;
use roomcast_core::audit::{AuditRecord, Fate};
use roomcast_core::config::{AuditConfig, AuditOverflow, ReviewConfig, RoomConfigBuilder};
use roomcast_core::error::ReconfigureError;
use roomcast_core::ids::{CorrelationId, MessageId, Seq};
use roomcast_core::ledger::{DropReason, RefusalReason};
use roomcast_core::message::{Limit, OutcomeSink, Sender};
use roomcast_core::system_messages::{SystemMessage, SystemMessages};
use roomcast_core::{
    Actor, Edge, Instant, Join, Kind, Memory, Payload, PerLevel, Priority, Publish, RoomConfig,
    RoomState, Source, UserId,
};

fn audit(records: u32, when_full: AuditOverflow) -> AuditConfig {
    let mut audit = AuditConfig::default();
    (audit.records, audit.when_full) = (records, when_full);
    audit
}

fn audited(builder: RoomConfigBuilder) -> RoomConfigBuilder {
    builder.audit(Some(AuditConfig::default()))
}

fn records(scene: &mut Scene) -> Vec<AuditRecord<String>> {
    std::iter::from_fn(|| scene.room.take_audit_record()).collect()
}

fn fates(scene: &mut Scene) -> Vec<(u64, Fate)> {
    records(scene).iter().map(|record| (record.id.0, record.fate)).collect()
}

fn like(who: Source) -> Publish<String> {
    Publish::like(who, "like".into()).outcome_sink(OutcomeSink::CountedOnly)
}

/// Whatever the level, whether the call has decided it or a later one, asked to be told or not.
#[test]
fn b24_every_message_has_its_one_record() {
    let mut scene = Scene::busy(|builder| audited(builder).queue_messages(2));
    let (ann, guest) = (scene.user(ANN), scene.guest());
    assert!(scene.say(guest, "hello").is_err());
    let _ = scene.say(ann, "waits").unwrap();
    let _ = scene.publish(like(Source::Session(ann))).unwrap();
    let _ = scene.publish(like(Source::Host)).unwrap();
    let _ = scene.host(High, "a gift").unwrap();
    assert!(scene.host(Lowest, "no place").is_err());
    scene.wait_millis(1_000);
    scene.wait_millis(1_000);
    let full = Some(Limit::QueueMessages { max: 2 });
    let expected = [
        (1, Fate::Dispatched { seq: Seq(1) }),
        (2, Fate::Refused { reason: RefusalReason::Guest, limit: None }),
        (5, Fate::Merged { carrier: MessageId(4) }),
        (4, Fate::Dropped { reason: DropReason::Evicted, limit: full }),
        (7, Fate::Refused { reason: RefusalReason::QueueFull, limit: full }),
        (6, Fate::Dispatched { seq: Seq(2) }),
        (3, Fate::Dispatched { seq: Seq(3) }),
    ];
    assert_eq!(fates(&mut scene), expected);
    assert_eq!(scene.room.take_audit_record(), None);
}

#[test]
fn b24_a_record_says_who_and_what() {
    let mut scene = Scene::busy(audited);
    let (ann, guest) = (scene.user(ANN), scene.guest());
    records(&mut scene);
    assert!(scene.say(guest, "hello").is_err());
    let gift = Publish::gift(Source::Session(ann), "rocket".into()).units(3);
    let _ = scene.publish(gift).unwrap();
    scene.wait_millis(1_000);
    let [stranger, gift] = &records(&mut scene)[..] else { panic!("two records") };
    assert_eq!((stranger.sender, stranger.session), (None, Some(guest)));
    assert_eq!((gift.sender, gift.session), (Some(Sender::User(ANN)), Some(ann)));
    assert_eq!((gift.priority, gift.kind, gift.units, gift.messages), (High, Kind::Custom, 3, 1));
    assert_eq!((gift.at, gift.payload()), (Instant::from_secs(101), None));
}

/// What the room says of itself is in it as well.
#[test]
fn b24_the_room_s_own_messages_are_in_it() {
    #[derive(Debug)]
    struct Tip(usize);
    impl Payload for Tip {
        fn size(&self) -> usize {
            self.0
        }
        fn system_message(tip: &SystemMessage<'_>) -> Option<Self> {
            matches!(tip, SystemMessage::Users { .. }).then_some(Self(20_000))
        }
    }
    let builder = audited(RoomConfig::builder(UserId(1))).system_messages(SystemMessages::ALL);
    let mut room: RoomState<Tip> = RoomState::new(&builder.build().unwrap());
    let now = Instant::from_secs(1);
    room.join(now, Join::user(ANN)).unwrap();
    room.handle_timeout(now);
    let record = room.take_audit_record().unwrap();
    assert_eq!((record.sender, record.kind), (Some(Sender::Host), Kind::System));
    let too_large = Fate::Refused { reason: RefusalReason::TooLarge, limit: None };
    assert_eq!(record.fate, too_large);
}

#[test]
fn b24_a_full_audit_counts_what_it_misses() {
    let mut scene = Scene::with(|builder| builder.audit(Some(audit(2, AuditOverflow::Count))));
    let guest = scene.guest();
    for _ in 0..3 {
        let _ = scene.host(Low, "text").unwrap();
        assert!(scene.say(guest, "text").is_err());
    }
    let books = scene.room.snapshot(scene.now).admission;
    let audit = books.audit.unwrap();
    assert_eq!((audit.records, audit.missed.levels[Low].dispatched), (2, 2));
    assert_eq!(audit.missed.levels[Normal].refused.count(RefusalReason::Guest), 2);
    assert_eq!(audit.missed.total().units.dispatched, 2);
    assert_eq!(fates(&mut scene).len(), 2);
    let _ = scene.host(Low, "there is a place again").unwrap();
    assert_eq!(fates(&mut scene), [(7, Fate::Dispatched { seq: Seq(4) })]);
}

#[test]
fn b24_a_full_audit_counts_merged_messages_too() {
    let mut scene = Scene::busy(|builder| builder.audit(Some(audit(1, AuditOverflow::Count))));
    let ann = scene.user(ANN);
    for _ in 0..3 {
        let _ = scene.publish(like(Source::Session(ann))).unwrap();
    }
    scene.wait_millis(1_000);
    let missed = scene.room.snapshot(scene.now).admission.audit.unwrap().missed.total();
    assert_eq!((missed.merged, missed.dispatched), (2, 1));
    assert_eq!(fates(&mut scene), [(1, Fate::Dispatched { seq: Seq(1) })]);
}

/// Each that was let in has a place for its record.
#[test]
fn b24_a_full_audit_refuses_if_told_so() {
    let mut scene = Scene::busy(|builder| builder.audit(Some(audit(3, AuditOverflow::Refuse))));
    let ann = scene.user(ANN);
    let _ = scene.say(ann, "waits").unwrap();
    let _ = scene.say(ann, "waits too").unwrap();
    let full = scene.say(ann, "no place").unwrap_err();
    let limit = Some(Limit::AuditRecords { max: 3 });
    assert_eq!((full.reason, full.limit, full.retry_at), (RefusalReason::AuditFull, limit, None));
    assert_eq!(full.to_string(), "refused: audit full (limit 3 records)");
    assert_eq!(full.payload, "no place");
    assert!(scene.say(ann, "nor later").is_err());
    scene.room.close(scene.now, Actor::Host).unwrap();
    let closed = Fate::Dropped { reason: DropReason::RoomClosed, limit: None };
    let expected = [(1, Fate::Dispatched { seq: Seq(1) }), (2, closed), (3, closed)];
    assert_eq!(fates(&mut scene), expected);
    let missed = scene.room.snapshot(scene.now).admission.audit.unwrap().missed.total();
    assert_eq!(missed.refused.count(RefusalReason::AuditFull), 2);
    assert_eq!((missed.refused.total(), missed.dropped.total(), missed.dispatched), (2, 0, 0));
}

/// What went out, what was merged, dropped, refused, and rewritten.
#[test]
fn b24_payloads_are_kept_if_asked_for() {
    let mut scene = Scene::busy(|builder| {
        let review = ReviewConfig::HIGH_AND_NORMAL;
        audited(builder).queue_messages(1).review(review)
    });
    scene.room.keep_audit_payloads();
    let ann = scene.user(ANN);
    records(&mut scene);
    let ticket = scene.say(ann, "rude").unwrap().review.unwrap();
    let verdict = ReviewDecision::Rewrite("polite".to_owned());
    scene.room.review(scene.now, ticket, verdict).unwrap();
    assert!(scene.host(Low, "refused").is_err());
    let _ = scene.host(High, "goes before").unwrap();
    scene.wait_millis(1_000);
    let bytes = "polite".len() + "refused".len() + "goes before".len();
    let held = |scene: &Scene| scene.room.snapshot(scene.now).admission;
    assert_eq!(held(&scene).audit.unwrap().payload_bytes, bytes as u64);
    assert_eq!(held(&scene).bytes.audited, bytes as u64);
    let payloads: Vec<_> =
        records(&mut scene).iter().map(|record| record.payload().cloned()).collect();
    let expected = ["refused", "polite", "goes before"].map(|text| Some(text.to_owned()));
    assert_eq!(payloads, expected);
    assert_eq!(held(&scene).bytes.audited, 0);
}

#[test]
fn b24_payloads_have_a_bound_of_their_own() {
    let with = |when_full| {
        let mut config = audit(10, when_full);
        config.payload_bytes = 8;
        let mut scene = Scene::with(|builder| builder.audit(Some(config)));
        scene.room.keep_audit_payloads();
        let _ = scene.host(Low, "12345").unwrap();
        scene
    };
    let mut scene = with(AuditOverflow::Count);
    let _ = scene.host(Low, "6789").unwrap();
    assert_eq!(scene.room.snapshot(scene.now).admission.audit.unwrap().payloads_missed, 1);
    let found: Vec<_> = records(&mut scene).iter().map(|r| r.payload().cloned()).collect();
    assert_eq!(found, [Some("12345".to_owned()), None]);
    // Who must have them all is asked before.
    let mut scene = with(AuditOverflow::Refuse);
    let _ = scene.host(Low, "6789").unwrap();
    let full = scene.host(Low, "0").unwrap_err();
    assert_eq!(full.reason, RefusalReason::AuditFull);
    assert_eq!(full.limit, Some(Limit::AuditBytes { max: 8 }));
    assert!(records(&mut scene).iter().all(|record| record.payload().is_some()));
    assert!(scene.host(Low, "0").is_ok());
}

/// Its room says what became of what it forwards.
#[test]
fn b24_an_edge_records_what_it_forwards() {
    let config = audited(RoomConfig::builder(UserId(1))).build().unwrap();
    let mut edge: Edge<&str> = Edge::new(&config);
    edge.keep_audit_payloads();
    let now = Instant::from_secs(1);
    let _ = edge.publish(now, Publish::new(Source::Host, "text")).unwrap();
    let record = edge.take_audit_record().unwrap();
    assert_eq!((record.id, record.fate), (MessageId(1), Fate::Forwarded));
    assert_eq!(record.payload(), None);
    assert_eq!(edge.take_audit_record(), None);
}

#[test]
fn b24_a_room_has_an_audit_for_its_life_or_none() {
    let mut scene = Scene::new();
    scene.room.keep_audit_payloads();
    let _ = scene.host(Low, "text").unwrap();
    assert_eq!((scene.room.take_audit_record(), scene.room.audit_records()), (None, 0));
    assert_eq!(scene.room.snapshot(scene.now).admission.audit, None);
    let with = audited(RoomConfig::builder(UserId(1))).build().unwrap();
    let fixed = Err(ReconfigureError::Fixed { setting: "audit" });
    assert_eq!(scene.room.reconfigure(scene.now, &with), fixed);
}

#[test]
fn b11_the_audit_is_asked_after_the_outcome() {
    let mut scene = Scene::busy(|builder| {
        builder.audit(Some(audit(1, AuditOverflow::Refuse))).outcomes(PerLevel([1, 0, 0, 0]))
    });
    let said = |sink| Publish::new(Source::Host, "text".to_owned()).outcome_sink(sink);
    let told = said(OutcomeSink::Event(CorrelationId(1)));
    let reason = |scene: &mut Scene, publish| scene.publish(publish).unwrap_err().reason;
    assert_eq!(reason(&mut scene, told), RefusalReason::OutcomesFull);
    let counted = said(OutcomeSink::CountedOnly);
    assert_eq!(reason(&mut scene, counted.clone()), RefusalReason::AuditFull);
    scene.room.set_memory(Memory::Full { limit: 1 });
    assert_eq!(reason(&mut scene, counted.clone()), RefusalReason::AuditFull);
    scene.room.take_audit_record().unwrap();
    assert_eq!(reason(&mut scene, counted), RefusalReason::MemoryFull);
}
