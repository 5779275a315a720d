//! A room that goes on under another owner (B20).

use roomcast_core::Priority::{High, Low, Normal};
use roomcast_core::admission::Continued;
use roomcast_core::broadcasts::{Broadcast, BroadcastLimits, Broadcasts};
use roomcast_core::config::{LevelQuotas, RateAlgorithm, RoomConfigBuilder};
use roomcast_core::ids::{Seq, SessionKind};
use roomcast_core::ledger::RefusalReason;
use roomcast_core::message::DedupKey;
use roomcast_core::quota::{LimitLeft, Quota, RateLimit};
use roomcast_core::time::Duration;
use roomcast_core::{
    Admission, Audience, Budget, Group, Instant, Kind, Outcome, PerLevel, Publish, RoomConfig,
    Source, UserId,
};
use std::num::NonZeroU32;

type Owner = Admission<&'static str>;

const START: Instant = Instant::from_secs(100);

fn config(change: impl FnOnce(RoomConfigBuilder) -> RoomConfigBuilder) -> RoomConfig {
    change(RoomConfig::builder(UserId(1))).build().expect("a valid configuration")
}

fn text() -> Publish<&'static str> {
    Publish::new(Source::Host, "text")
}

fn notice() -> Publish<&'static str> {
    text().kind(Kind::Notice)
}

/// How many of many go out at once.
fn goes_out(owner: &mut Owner, now: Instant, publish: impl Fn() -> Publish<&'static str>) -> usize {
    let answers = (0..500).map(|_| owner.publish(now, publish()));
    let is_out = |outcome| matches!(outcome, Some(Outcome::Dispatched { .. }));
    answers.filter(|answer| answer.as_ref().is_ok_and(|receipt| is_out(receipt.outcome))).count()
}

fn next(old: &Owner, config: &RoomConfig, now: Instant) -> Owner {
    Admission::continuing(config, now, &old.continued())
}

fn aligned(count: u32, period: Duration) -> RoomConfig {
    config(|builder| {
        let builder = builder.rate(count).burst(count).rate_period(period);
        builder.rate_algorithm(RateAlgorithm::FixedWindow)
    })
}

fn number(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).expect("not zero")
}

/// Sequence numbers and positions; members see nothing of it.
#[test]
fn b20_a_new_owner_goes_on_with_the_numbers() {
    let config = config(|builder| builder.rate(100).burst(100));
    let mut old = Owner::new(&config).with_life(7);
    let mut audience = Audience::new(&config).with_life(7);
    let guest = audience.join(SessionKind::Guest, Group::default(), None).unwrap().session;
    for level in [High, Low, High] {
        assert!(old.publish(START, text().priority(level)).is_ok());
    }
    audience.take_over(old.hand_over(audience.applied()));
    let mut new = next(&old, &config, START);
    assert_eq!(
        (new.life(), new.heads(), new.continued().rate),
        (7, old.heads(), old.continued().rate)
    );
    for level in [High, Normal] {
        assert!(new.publish(START, text().priority(level)).is_ok());
    }
    audience.take_over(new.hand_over(audience.applied()));
    let batch = audience.next_batch(START, guest, Budget::default()).unwrap().unwrap();
    let read: Vec<_> = batch.messages().iter().map(|m| (m.seq, m.priority, m.position)).collect();
    let wanted = [(1, High, 0), (3, High, 1), (4, High, 2), (5, Normal, 0), (2, Low, 0)];
    assert_eq!(read, wanted.map(|(seq, level, position)| (Seq(seq), level, position)));
    assert_eq!(audience.snapshot().deliveries.values().map(|row| row.skipped).sum::<u64>(), 0);
}

#[test]
fn b20_a_new_owner_grants_no_more_than_was_left() {
    let half = START + Duration::from_millis(500);
    let rate = config(|builder| builder.rate(40).burst(40));
    let mut old = Owner::new(&rate);
    assert_eq!(goes_out(&mut old, START, text), 40);
    assert_eq!(goes_out(&mut next(&old, &rate, START), START, text), 0);
    assert_eq!(goes_out(&mut next(&old, &rate, half), half, text), 20);
    // A third of a token is there still, and not more.
    let late = half + Duration::from_micros(8_333);
    let mut new = next(&old, &rate, late);
    assert_eq!(goes_out(&mut new, late, text), 20);
    let full_at = START + Duration::from_secs(1);
    assert_eq!(old.continued().rate, Some(LimitLeft::FullAt(full_at)));
    assert_eq!(
        new.poll_timeout(),
        old_turn(&mut old, late),
        "the next goes out when it would have"
    );

    let windows = aligned(40, Duration::from_millis(200));
    let mut old = Owner::new(&windows);
    assert_eq!(goes_out(&mut old, START, text), 40);
    let inside = START + Duration::from_millis(199);
    assert_eq!(goes_out(&mut next(&old, &windows, inside), inside, text), 0);
    assert_eq!(goes_out(&mut next(&old, &windows, half), half, text), 40);

    let quota = |count| Some(RateLimit::Bucket(Quota::per_second(number(count))));
    let quotas = PerLevel([None, quota(5), quota(6), None]);
    let levels =
        config(|builder| builder.level_quotas(LevelQuotas { levels: quotas, ..LevelQuotas::NONE }));
    let mut old = Owner::new(&levels);
    assert_eq!(goes_out(&mut old, START, text), 5);
    assert_eq!(goes_out(&mut next(&old, &levels, START), START, text), 0);
    let low = || text().priority(Low);
    assert_eq!(goes_out(&mut next(&old, &levels, START), START, low), 6);

    let notices = config(|builder| builder.notices(number(9)));
    let mut old = Owner::new(&notices);
    assert_eq!(goes_out(&mut old, START, notice), 9);
    assert_eq!(goes_out(&mut next(&old, &notices, START), START, notice), 0);
}

/// When the next goes out of an owner that has offered more at `now` than may go.
fn old_turn(old: &mut Owner, now: Instant) -> Option<Instant> {
    old.handle_timeout(now);
    old.poll_timeout()
}

/// A bucket that was full there by a clock that ran ahead is empty here; one of another kind, too.
#[test]
fn b20_a_wrong_clock_holds_a_new_owner_up_briefly() {
    let rate = config(|builder| builder.rate(40).burst(20));
    let windows = aligned(20, Duration::from_secs(1));
    let soon = START + Duration::from_millis(1_500);
    let ahead = [
        LimitLeft::FullAt(Instant::MAX),
        LimitLeft::FullAt(START + Duration::from_secs(5_000)),
        LimitLeft::Passed { count: u32::MAX, at: Instant::MAX },
    ];
    for (left, config) in ahead.into_iter().flat_map(|left| [(left, &rate), (left, &windows)]) {
        let mut from = Continued::default();
        from.rate = Some(left);
        let mut owner = Admission::continuing(config, START, &from);
        assert_eq!(goes_out(&mut owner, START, text), 0, "{left:?}");
        assert_eq!(goes_out(&mut Admission::continuing(config, START, &from), soon, text), 20);
    }
    // One that was full long ago is full, and where nothing is known, too.
    for left in [None, Some(LimitLeft::FullAt(Instant::ZERO))] {
        let mut from = Continued::default();
        from.rate = left;
        assert_eq!(goes_out(&mut Admission::continuing(&rate, START, &from), START, text), 20);
    }
}

#[test]
fn b20_a_new_owner_knows_what_was_said_and_heard() {
    let config = config(|builder| builder.rate(40));
    let mut broadcasts = Broadcasts::new(BroadcastLimits::default(), 0);
    let mut old = Owner::new(&config);
    broadcasts.publish(START, Broadcast::new(DedupKey(9), "to all")).unwrap();
    old.import_broadcasts(START, &broadcasts);
    let said = || text().dedup_key(DedupKey(1));
    assert!(old.publish(START, said()).is_ok());
    let mut new = next(&old, &config, START);
    new.import(START, old.export(START)).unwrap();
    assert_eq!(new.publish(START, said()).unwrap_err().reason, RefusalReason::Duplicate);
    assert!(!new.has_broadcasts_to_import(&broadcasts));
    new.import_broadcasts(START, &broadcasts);
    assert_eq!(new.dispatched(), Seq(2), "it was not told twice");
}
