//! Positions: silence over more messages than 32 bits can count, a feed that fell behind, an end
//! that lasts.

use super::*;
use crate::error::SessionEnd;
use crate::event::StartPosition;
use crate::ids::SessionKind;
use crate::level_set::LevelSet;
use crate::message::Sender;
use crate::time::Duration;
use crate::{Group, Kind, Priority, UserId};
use alloc::vec::Vec;

const LEVEL: Priority = Priority::Normal;
const NOW: Instant = Instant::from_secs(1);

struct Scene {
    audience: Audience<&'static str>,
    seq: u64,
    position: u64,
}

impl Scene {
    fn new() -> Self {
        Self::giving(0)
    }

    /// With so many messages for late joiners.
    fn giving(late: u32) -> Self {
        let builder =
            RoomConfig::builder(UserId(1)).log_messages(PerLevel([4; 4])).grace(Duration::MAX);
        let config = builder.replay_on_join(late).build().unwrap();
        Self { audience: Audience::new(&config), seq: 0, position: 0 }
    }

    fn join(&mut self) -> SessionId {
        self.audience.join(SessionKind::User, Group::default(), None).unwrap().session
    }

    /// Applies the message `jump` positions further on, as an audience sees it that missed those in
    /// between.
    fn apply(&mut self, jump: u64, session: Option<SessionId>) {
        self.position += jump;
        self.seq += jump;
        self.audience.apply(Arc::new(Message {
            seq: Seq(self.seq),
            position: self.position - 1,
            priority: LEVEL,
            kind: Kind::Text,
            sender: Sender::Host,
            session: session.map(SessionId::key),
            units: 1,
            messages: 1,
            admitted_at: NOW,
            dispatched_at: NOW,
            profile: None,
            payload: "text",
            bytes: 4,
        }));
    }

    fn deliveries(&self, session: SessionId) -> Deliveries {
        self.audience.deliveries(session).unwrap()[LEVEL]
    }

    /// Returns the gap and the number of messages of the next batch.
    fn read(&mut self, session: SessionId) -> (u64, usize) {
        match self.audience.next_batch(NOW, session, Budget::default()).unwrap() {
            Some(batch) => (batch.gap(LEVEL), batch.messages().len()),
            None => (0, 0),
        }
    }

    fn sums_are_those_of(&self, sessions: &[SessionId]) {
        let walked: Deliveries = sessions.iter().map(|&session| self.deliveries(session)).sum();
        assert_eq!(self.audience.snapshot().deliveries[LEVEL], walked);
        assert!(walked.balances());
    }
}

/// It is silent for more than two to the 32 messages.
#[test]
fn a_long_silent_session_never_looks_caught_up() {
    let mut scene = Scene::new();
    let silent = scene.join();
    // Sixteen jumps make exactly 2³², where the low halves are equal again.
    for jump in 1..=50_u64 {
        scene.apply(1 << 28, None);
        assert_eq!(scene.deliveries(silent).due, jump << 28);
        assert!(scene.audience.is_ready(silent), "after {jump} jumps");
        scene.sums_are_those_of(&[silent]);
    }
    let all = 50_u64 << 28;
    assert_eq!(scene.read(silent), (all - 1, 1));
    let books = scene.deliveries(silent);
    assert_eq!((books.due, books.skipped, books.delivered, books.pending), (all, all - 1, 1, 0));
    assert_eq!(scene.read(silent), (0, 0));
}

/// A session reads on for more than two to the 32 messages.
#[test]
fn a_readers_books_hold_past_32_bits() {
    let mut scene = Scene::new();
    let (reader, silent) = (scene.join(), scene.join());
    for _ in 0..50 {
        scene.apply((1 << 28) - 1, None);
        scene.apply(1, Some(reader));
        assert_eq!(scene.read(reader), ((1 << 28) - 2, 1));
        scene.sums_are_those_of(&[reader, silent]);
    }
    let books = scene.deliveries(reader);
    assert_eq!((books.due, books.delivered, books.excluded, books.pending), (50 << 28, 50, 50, 0));
    assert_eq!(books.skipped, (50 << 28) - 100);
}

/// The room goes on meanwhile.
#[test]
fn an_unfetched_end_keeps_its_books() {
    let mut scene = Scene::new();
    let (leaver, other) = (scene.join(), scene.join());
    scene.apply(1, Some(leaver));
    scene.apply(1, None);
    scene.audience.end(NOW, leaver, EndReason::Left);
    for _ in 0..50 {
        scene.apply(1 << 28, None);
        let books = scene.deliveries(leaver);
        assert_eq!((books.due, books.pending, books.excluded), (2, 1, 1));
        scene.sums_are_those_of(&[leaver, other]);
    }
    assert_eq!(scene.read(leaver), (1, 0));
    scene.sums_are_those_of(&[leaver, other]);
    assert_eq!(
        scene.audience.next_batch(NOW, leaver, Budget::default()).unwrap_err(),
        SessionEnd::Closed(EndReason::Left)
    );
    assert_eq!(
        scene.audience.snapshot().deliveries[LEVEL].skipped,
        1 + scene.deliveries(other).skipped
    );
}

/// Each session of the audience has it.
#[test]
fn what_was_missed_at_the_seam_is_a_skip() {
    let mut scene = Scene::new();
    let (ann, bob) = (scene.join(), scene.join());
    scene.apply(1, Some(ann));
    scene.apply(3, None);
    scene.sums_are_those_of(&[ann, bob]);
    // Her own message is excluded, not missed as well.
    assert_eq!((scene.read(ann), scene.read(bob)), ((2, 1), (3, 1)));
    // What was applied already changes nothing.
    scene.seq -= 2;
    scene.position -= 2;
    scene.apply(1, None);
    assert_eq!((scene.read(ann), scene.audience.applied()), ((0, 0), Seq(4)));
    scene.sums_are_those_of(&[ann, bob]);
}

/// They are not kept.
#[test]
fn own_messages_past_the_log_are_only_counted() {
    let mut scene = Scene::new();
    let ann = scene.join();
    scene.apply(1, None);
    for _ in 0..1_000 {
        scene.apply(1, Some(ann));
        scene.sums_are_those_of(&[ann]);
    }
    scene.apply(1, None);
    assert_eq!(scene.read(ann), (1, 1));
    let books = scene.deliveries(ann);
    assert_eq!((books.excluded, books.delivered, books.skipped), (1_000, 1, 1));
}

/// What the hand has settled is not state of reading; not even of one who goes.
#[test]
fn d47_a_long_reader_stays_on_the_fast_path() {
    let mut scene = Scene::new();
    let (reader, other) = (scene.join(), scene.join());
    for _ in 0..50 {
        scene.apply(1 << 28, None);
        assert_eq!(
            (scene.read(reader), scene.read(other)),
            (((1 << 28) - 1, 1), ((1 << 28) - 1, 1))
        );
        assert_eq!(scene.audience.snapshot().cold_sessions, 0);
        scene.sums_are_those_of(&[reader, other]);
    }
    let books = scene.deliveries(reader);
    assert_eq!((books.due, books.delivered, books.skipped), (50 << 28, 50, (50 << 28) - 50));
    assert!(scene.audience.leave(reader));
    assert!(scene.audience.snapshot().deliveries[LEVEL].balances());
    let next = scene.join();
    assert_eq!((next.slot(), scene.deliveries(next)), (reader.slot(), Deliveries::default()));
}

/// A masked session never reads, over more messages than 32 bits count.
#[test]
fn a_masked_sessions_books_hold_past_32_bits() {
    let mut scene = Scene::new();
    let (masked, late, other) = (scene.join(), scene.join(), scene.join());
    assert!(scene.audience.set_masked_levels(NOW, masked, LevelSet::EMPTY.with(LEVEL)));
    for jump in 1..=50_u64 {
        scene.apply(1 << 28, Some(masked));
        assert!(!scene.audience.is_ready(masked), "after {jump} jumps");
        assert_eq!(
            (scene.deliveries(masked).excluded, scene.deliveries(masked).due),
            (jump << 28, jump << 28)
        );
        scene.sums_are_those_of(&[masked, late, other]);
    }
    // The hand has told this one that it missed most: the gap is told, masked or not.
    assert!(scene.deliveries(late).skipped > 1 << 32);
    assert!(scene.audience.set_masked_levels(NOW, late, LevelSet::EMPTY.with(LEVEL)));
    let missed = scene.deliveries(late).skipped;
    assert_eq!((missed, scene.deliveries(late).excluded), ((50 << 28) - 1, 1), "the log holds one");
    scene.sums_are_those_of(&[masked, late, other]);
    assert!(scene.audience.is_ready(late));
    assert_eq!((scene.read(late), scene.read(late)), ((missed, 0), (0, 0)));
    assert!(scene.audience.set_masked_levels(NOW, masked, LevelSet::EMPTY));
    scene.apply(1, None);
    assert_eq!((scene.read(masked), scene.read(late)), ((0, 1), (0, 0)));
    scene.sums_are_those_of(&[masked, late, other]);
    assert!(scene.audience.leave(late) && scene.audience.leave(masked));
    assert!(scene.audience.snapshot().deliveries[LEVEL].balances());
}

/// The audience missed something at the seam.
#[test]
fn a_late_joiner_gets_nothing_before_a_seam_gap() {
    let mut scene = Scene::giving(3);
    for jump in [1, 1, 3, 1] {
        scene.apply(jump, None);
    }
    let late = scene.audience.join(SessionKind::User, Group::default(), None).unwrap();
    assert_eq!(
        (late.starts_after, late.start, scene.read(late.session)),
        (Seq(4), StartPosition::Late, (0, 2))
    );
    scene.sums_are_those_of(&[late.session]);
    // Another level's messages were missed; this level's positions have no hole.
    scene.seq += 1;
    scene.apply(1, None);
    assert_eq!(
        scene.audience.join(SessionKind::User, Group::default(), None).unwrap().starts_after,
        Seq(7)
    );
}

/// It is opened beside another one.
#[test]
fn a_second_audience_gives_late_joiners_the_same() {
    let mut scene = Scene::giving(3);
    (0..6).for_each(|_| scene.apply(1, None));
    let config = RoomConfig::builder(UserId(1))
        .log_messages(PerLevel([4; 4]))
        .replay_on_join(3)
        .build()
        .unwrap();
    let mut beside = Audience::new_shard(&config, ShardIndex::new(1, 2).unwrap(), &scene.audience);
    for audience in [&mut scene.audience, &mut beside] {
        let joined = audience.join(SessionKind::User, Group::default(), None).unwrap();
        assert_eq!((joined.starts_after, joined.start), (Seq(3), StartPosition::Late));
        let batch = audience.next_batch(NOW, joined.session, Budget::default()).unwrap().unwrap();
        assert_eq!(
            batch.messages().iter().map(|message| message.position).collect::<Vec<_>>(),
            [3, 4, 5]
        );
        let books = audience.snapshot().deliveries[LEVEL];
        assert_eq!((books.due, books.delivered), (3, 3));
    }
}

/// It is of another machine, which has got more: nothing is missing, and what comes again has its number.
#[test]
fn a_token_may_be_ahead_of_what_has_come_here() {
    let mut scene = Scene::new();
    let silent = scene.join();
    scene.apply(3, None);
    let mut token = scene.audience.resume_token(NOW, silent).unwrap();
    assert!(scene.audience.leave(silent));
    token.positions[LEVEL] = 5;
    let resumed =
        scene.audience.resume(NOW, SessionKind::User, Group::default(), None, &token).unwrap();
    assert_eq!((resumed.start, resumed.starts_after), (StartPosition::Resumed, Seq(3)));
    scene.apply(1, None);
    assert_eq!(scene.read(resumed.session), (0, 1));
}

/// It is good while 32 bits reach.
#[test]
fn a_token_tells_what_was_missed_and_not_told() {
    let mut scene = Scene::new();
    let silent = scene.join();
    let token = scene.audience.resume_token(NOW, silent).unwrap();
    (0..4).for_each(|_| scene.apply(1 << 28, None));
    assert!(scene.audience.leave(silent));
    // Exactly as far behind as positions may be, and one more.
    let resume = |scene: &mut Scene| {
        scene.audience.resume(NOW, SessionKind::User, Group::default(), None, &token).unwrap()
    };
    let resumed = resume(&mut scene);
    assert_eq!(
        (resumed.start, scene.read(resumed.session)),
        (StartPosition::Resumed, ((1 << 30) - 1, 1))
    );
    scene.apply(1, None);
    assert_eq!(resume(&mut scene).start, StartPosition::Head);
    // The hand has moved this one on, and it has not been told.
    let silent = scene.join();
    (0..50).for_each(|_| scene.apply(1 << 28, None));
    let missed = scene.deliveries(silent).skipped;
    assert!(missed > 1 << 32);
    let token = scene.audience.resume_token(NOW, silent).unwrap();
    assert_eq!(token.positions[LEVEL], (1 << 30) + 1);
}

#[test]
fn any_slot_may_be_named_where_64_are_looked_at() {
    let mut scene = Scene::new();
    let sessions: Vec<_> = (0..8).map(|_| scene.join()).collect();
    assert!(scene.audience.set_masked_levels(NOW, sessions[7], LevelSet::EMPTY.with(LEVEL)));
    let ready = scene.audience.ready_among(0, u64::MAX);
    assert!([1, 5, 63].iter().all(|&first| scene.audience.ready_among(first, u64::MAX) == ready));
}

#[test]
fn a_look_for_silence_is_for_good() {
    let config = |silence: Option<u64>| {
        let heartbeat = silence.map(|silence| crate::config::Heartbeat {
            silence: Duration::from_secs(silence),
            every: Duration::from_secs(1),
            leave_after: None,
        });
        RoomConfig::builder(UserId(1)).heartbeat(heartbeat).build().unwrap()
    };
    for had in [None, Some(30)] {
        let mut audience: Audience<&str> = Audience::new(&config(had));
        for other in [None, Some(30), Some(40)] {
            let fixed = crate::error::ReconfigureError::Fixed { setting: "heartbeat" };
            let expected = if had == other { Ok(()) } else { Err(fixed) };
            assert_eq!(audience.reconfigure(NOW, &config(other)), expected);
        }
    }
}

#[test]
fn a_log_that_nobody_can_read_any_more_is_let_go() {
    let mut scene = Scene::new();
    for _ in 0..3 {
        scene.apply(1, None);
    }
    assert!(!scene.audience.release_log());
    assert_eq!(scene.audience.snapshot().log[LEVEL], 3);
    scene.audience.close(NOW, EndReason::RoomClosed);
    assert!(!scene.audience.release_log());
    assert_eq!(scene.audience.snapshot().log[LEVEL], 0);
}
