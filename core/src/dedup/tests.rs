use super::*;
use crate::ids::UserId;
use Priority::{High, Low, Normal};

const ANN: Sender = Sender::User(UserId(7));

fn duplicates(keys: u32) -> Dedup {
    Dedup::new(DedupWindow { window: Duration::from_secs(10), keys }, Hasher::new(3))
}

#[test]
fn a_key_is_refused_for_its_window_and_by_sender() {
    let (mut seen, at) = (duplicates(10), Instant::from_secs);
    seen.note(at(5), Normal, ANN, DedupKey(1), MessageId(1));
    assert_eq!(seen.refused_until(at(14), ANN, DedupKey(1)), Some(at(15)));
    assert_eq!(seen.refused_until(at(15), ANN, DedupKey(1)), None);
    assert_eq!(seen.refused_until(at(6), Sender::Host, DedupKey(1)), None);
    seen.note(at(15), Normal, ANN, DedupKey(1), MessageId(2));
    seen.free(ANN, DedupKey(1), MessageId(1));
    assert_eq!(
        seen.refused_until(at(16), ANN, DedupKey(1)),
        Some(at(25)),
        "what is freed is another's"
    );
    seen.free(ANN, DedupKey(1), MessageId(2));
    assert_eq!(seen.refused_until(at(16), ANN, DedupKey(1)), None);
}

/// Fewer keys and another window are a matter of one call or of a few.
#[test]
fn a_change_of_keys_or_window_takes_few_calls() {
    let (mut seen, at) = (duplicates(10_000), Instant::from_secs);
    for key in 0..6_000 {
        seen.note(at(key / 1_000), Normal, ANN, DedupKey(key), MessageId(key));
    }
    let limits = |keys, secs| DedupWindow { window: Duration::from_secs(secs), keys };
    // The first thousand has lapsed, and stays lapsed under a longer window.
    seen.reconfigure(at(10), limits(10_000, 100));
    assert_eq!((seen.counts(), seen.refused_until(at(10), ANN, DedupKey(0))), ((5_000, 0), None));
    assert_eq!(seen.refused_until(at(10), ANN, DedupKey(1_000)), Some(at(101)));
    seen.reconfigure(at(10), limits(5, 100));
    assert_eq!(seen.counts(), (5_000 - 4_096, 4_096));
    for key in 6_000..6_020 {
        seen.note(at(10), Normal, ANN, DedupKey(key), MessageId(key));
    }
    assert_eq!(seen.counts(), (5, 4_995 + 20));
    seen.reconfigure(at(10), limits(5, 0));
    assert_eq!(seen.counts(), (0, 5_015));
}

#[test]
fn the_oldest_gives_way_and_is_counted() {
    let (mut seen, now) = (duplicates(3), Instant::from_secs(5));
    for key in 0..1_000 {
        seen.note(now, Normal, ANN, DedupKey(key), MessageId(key));
    }
    assert_eq!(seen.counts(), (3, 997));
    assert_eq!(
        (0..1_000).filter(|&key| seen.refused_until(now, ANN, DedupKey(key)).is_some()).count(),
        3
    );
    let mut none = duplicates(0);
    none.note(now, Normal, ANN, DedupKey(1), MessageId(1));
    assert_eq!((none.counts(), none.refused_until(now, ANN, DedupKey(1))), ((0, 0), None));
}

/// A key that is free takes no place, wherever it stands.
#[test]
fn what_was_freed_makes_room() {
    let (mut seen, now) = (duplicates(4), Instant::from_secs(5));
    seen.note(now, Normal, ANN, DedupKey(0), MessageId(0));
    for id in 1..1_000 {
        seen.note(now, Normal, ANN, DedupKey(id), MessageId(id));
        seen.free(ANN, DedupKey(id), MessageId(id));
    }
    assert_eq!(seen.counts(), (1, 0));
    assert!(seen.refused_until(now, ANN, DedupKey(0)).is_some());
}

#[test]
fn the_lowest_level_is_forgotten_first() {
    let (mut seen, now) = (duplicates(3), Instant::from_secs(5));
    seen.note(now, High, ANN, DedupKey(0), MessageId(0));
    for key in 1..100 {
        seen.note(now, Low, ANN, DedupKey(key), MessageId(key));
    }
    let is_kept = |seen: &Dedup, key| seen.refused_until(now, ANN, DedupKey(key)).is_some();
    assert_eq!([0, 97, 98, 99].map(|key| is_kept(&seen, key)), [true, false, true, true]);
    for key in 100..102 {
        seen.note(now, Normal, ANN, DedupKey(key), MessageId(key));
    }
    // It takes the place of none above it.
    seen.note(now, Low, ANN, DedupKey(7), MessageId(7));
    assert_eq!([0, 100, 101, 7].map(|key| is_kept(&seen, key)), [true, true, true, false]);
    assert_eq!(seen.counts(), (3, 97 + 2 + 1));
}

/// At most 4,096 in one call, the others soon.
#[test]
fn with_a_carrier_go_the_keys_of_those_it_carries() {
    let (mut seen, now) = (duplicates(20_000), Instant::from_secs(5));
    let mut places = [CarriedKeys::NONE; 2];
    for id in 0..10_000 {
        let (key, of) = (DedupKey(id), usize::from(id % 100 == 0));
        seen.note(now, Low, ANN, key, MessageId(id));
        let carrier = MessageId(20_000 + of as u64);
        places[of] = seen.carry(carrier, places[of], (ANN, key, MessageId(id)));
    }
    seen.free_carried(MessageId(20_001), places[0]);
    assert_eq!(seen.counts(), (10_000, 0), "the place is another one's");
    seen.free_carried(MessageId(20_000), places[0]);
    assert_eq!(seen.counts(), (10_000 - 4_096, 0));
    let none = alloc::collections::BTreeSet::new();
    assert_eq!(seen.export(now, &none).len(), 100, "what was dropped has not gone out");
    for id in 0..10_000 {
        seen.note(now, Low, Sender::Host, DedupKey(id % 10), MessageId(30_000 + id));
    }
    assert_eq!((seen.counts(), seen.dropped.len()), ((100 + 10, 0), 0));
    assert!(seen.refused_until(now, ANN, DedupKey(100)).is_some());
    seen.free_carried(MessageId(20_001), places[1]);
    assert_eq!((seen.counts(), seen.carriers.len()), ((10, 0), 0));
}

/// What has lapsed goes first, and counts among them.
#[test]
fn no_call_forgets_more_than_it_may() {
    let at = Instant::from_secs;
    let filled = |lapsed: u64| {
        let mut seen = duplicates(10_000);
        for key in 0..6_000 {
            let said_at = at(if key < lapsed { 1 } else { 5 });
            seen.note(said_at, Normal, ANN, DedupKey(key), MessageId(key));
        }
        seen
    };
    let limits = |keys| DedupWindow { window: Duration::from_secs(10), keys };
    let mut seen = filled(2_000);
    seen.reconfigure(at(12), limits(5));
    assert_eq!(seen.counts(), (6_000 - 4_096, 4_096 - 2_000));
    let mut seen = filled(6_000);
    seen.reconfigure(at(12), limits(10_000));
    assert_eq!(seen.counts(), (6_000 - 4_096, 0));
    seen.note(at(12), Normal, ANN, DedupKey(9_999), MessageId(9_999));
    assert_eq!(seen.counts(), (6_000 - 4_096 - 64 + 1, 0));
}

#[test]
fn carriers_that_were_dropped_together_are_all_freed() {
    let (mut seen, now) = (duplicates(20_000), Instant::from_secs(5));
    let mut places = [CarriedKeys::NONE; 2];
    for id in 0..10_000 {
        let (key, of) = (DedupKey(id), id as usize % 2);
        seen.note(now, Low, ANN, key, MessageId(id));
        let carrier = MessageId(20_000 + of as u64);
        places[of] = seen.carry(carrier, places[of], (ANN, key, MessageId(id)));
    }
    seen.free_carried(MessageId(20_000), places[0]);
    seen.free_carried(MessageId(20_001), places[1]);
    assert_eq!(seen.counts(), (10_000 - 2 * 4_096, 0));
    for id in 0..40 {
        seen.note(now, Low, Sender::Host, DedupKey(id), MessageId(30_000 + id));
    }
    assert_eq!((seen.counts(), seen.carriers.len(), seen.dropped.len()), ((40, 0), 0, 0));
}

#[test]
fn hashes_tell_senders_and_keys_apart() {
    let (hasher, mut hashes) = (Hasher::new(3), alloc::collections::BTreeSet::new());
    for key in (0..100).map(DedupKey) {
        hashes.insert(hash(hasher, Sender::Host, key));
        hashes.extend((0..100).map(|user| hash(hasher, Sender::User(UserId(user)), key)));
    }
    assert_eq!(hashes.len(), 100 * 101);
}
