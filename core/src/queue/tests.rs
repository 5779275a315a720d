//! Tests of the queue, one promise each.

use super::*;
use crate::config::{EvictionPolicy, QueueDiscipline};
use crate::ids::UserId;
use crate::time::Duration;
use Priority::{High, Low, Lowest, Normal};
use alloc::vec::Vec;

fn user(id: u64) -> Sender {
    Sender::User(UserId(id))
}

fn config(messages: u32) -> QueueConfig {
    QueueConfig { messages, fresh_within: PerLevel::default(), ..QueueConfig::default() }
}

fn push(queue: &mut Queue<u32>, level: Priority, sender: u64, item: u32) -> Result<Vec<u32>, u32> {
    match queue.push(Instant::ZERO, level, Urgency::Plain, user(sender), 1, item) {
        Ok(evicted) => Ok(evicted.into_iter().map(|popped| popped.item).collect()),
        Err(full) => Err(full.item),
    }
}

fn drain(queue: &mut Queue<u32>) -> Vec<u32> {
    core::iter::from_fn(|| queue.pop_highest()).map(|popped| popped.item).collect()
}

#[test]
fn no_size_upsets_the_counts_of_bytes() {
    let mut queue = Queue::new(config(10), 0);
    let push = |queue: &mut Queue<u32>, size, item| {
        queue.push(Instant::ZERO, Normal, Urgency::Plain, Sender::Host, size, item).is_ok()
    };
    assert!(push(&mut queue, 10, 1) && !push(&mut queue, u64::MAX, 2));
    assert_eq!((queue.bytes(), queue.level_bytes(Normal)), (10, 10));
    assert_eq!((queue.pop(Normal).unwrap().item, queue.bytes()), (1, 0));
    let mut queue = Queue::new(QueueConfig { bytes: u64::MAX, ..config(10) }, 0);
    assert!(push(&mut queue, u64::MAX, 1) && push(&mut queue, u64::MAX, 2));
    assert_eq!(queue.bytes(), 2 * u64::from(u32::MAX));
    assert!(queue.pop(Normal).is_some() && queue.pop(Normal).is_some());
    assert_eq!(queue.bytes(), 0);
}

/// The order is that of entry.
#[test]
fn higher_levels_go_first_and_each_in_order() {
    let mut queue = Queue::new(config(10), 0);
    for (item, level) in [Low, High, Normal, Low, High, Lowest].into_iter().enumerate() {
        assert_eq!(push(&mut queue, level, 1, item as u32), Ok(Vec::new()));
    }
    assert_eq!(drain(&mut queue), [1, 4, 2, 0, 3, 5]);
    assert!(queue.is_empty() && queue.bytes() == 0);
}

/// It never comes from a higher level than the newcomer's.
#[test]
fn the_victim_comes_from_the_lowest_level() {
    let mut queue = Queue::new(config(2), 0);
    assert_eq!(push(&mut queue, Normal, 1, 0), Ok(Vec::new()));
    assert_eq!(push(&mut queue, Lowest, 2, 1), Ok(Vec::new()));
    assert_eq!(push(&mut queue, High, 3, 2), Ok([1].into()));
    assert_eq!(push(&mut queue, Low, 4, 3), Err(3));
    assert_eq!(drain(&mut queue), [2, 0]);
}

#[test]
fn each_victim_policy_takes_its_own() {
    let victims = |eviction| {
        let mut queue = Queue::new(QueueConfig { eviction, ..config(4) }, 5);
        for (item, sender) in [1, 2, 2, 3].into_iter().enumerate() {
            assert_eq!(push(&mut queue, Normal, sender, item as u32), Ok(Vec::new()));
        }
        push(&mut queue, Normal, 4, 4)
    };
    assert_eq!(victims(EvictionPolicy::BiggestSender), Ok([2].into()));
    assert_eq!(victims(EvictionPolicy::Newest), Err(4));
    assert_eq!(victims(EvictionPolicy::Oldest), Ok([0].into()));
    let random = victims(EvictionPolicy::Random);
    assert_eq!(random, victims(EvictionPolicy::Random), "the same seed draws the same victim");
}

#[test]
fn a_flooder_evicts_himself() {
    let mut queue = Queue::new(config(10), 0);
    for item in 0..5 {
        assert_eq!(push(&mut queue, Normal, 1, item), Ok(Vec::new()));
        assert_eq!(push(&mut queue, Normal, 100 + u64::from(item), 100 + item), Ok(Vec::new()));
    }
    assert_eq!(push(&mut queue, Normal, 1, 5), Err(5));
    assert_eq!(push(&mut queue, Normal, 200, 200), Ok([4].into()));
    assert_eq!(push(&mut queue, Normal, 201, 201), Ok([3].into()));
}

#[test]
fn round_robin_gives_every_sender_a_turn() {
    let mut queue =
        Queue::new(QueueConfig { discipline: QueueDiscipline::RoundRobin, ..config(10) }, 0);
    for (item, sender) in [1, 1, 1, 2, 3, 2].into_iter().enumerate() {
        assert_eq!(push(&mut queue, Normal, sender, item as u32), Ok(Vec::new()));
    }
    assert_eq!(drain(&mut queue), [0, 3, 4, 1, 5, 2]);
}

/// They repeat with the seed.
#[test]
fn random_turns_keep_each_senders_order() {
    let run = |seed| {
        let mut queue =
            Queue::new(QueueConfig { discipline: QueueDiscipline::Random, ..config(100) }, seed);
        for item in 0..60 {
            assert_eq!(push(&mut queue, Normal, u64::from(item % 3), item), Ok(Vec::new()));
        }
        drain(&mut queue)
    };
    let order = run(1);
    for sender in 0..3 {
        assert!(order.iter().filter(|&item| item % 3 == sender).is_sorted());
    }
    assert!(!order.is_sorted());
    assert_eq!(order, run(1));
    assert_ne!(order, run(2));
}

/// Where too many would have to go, the large message is refused.
#[test]
fn a_large_one_evicts_several_or_touches_nothing() {
    let bytes = |size: u64, count: u32| {
        let mut queue = Queue::new(QueueConfig { bytes: 100, ..config(1_000) }, 0);
        for item in 0..count {
            queue
                .push(
                    Instant::ZERO,
                    Low,
                    Urgency::Plain,
                    user(u64::from(item % 7)),
                    100 / u64::from(count),
                    item,
                )
                .unwrap();
        }
        let answer = queue
            .push(Instant::ZERO, High, Urgency::Plain, user(99), size, 999)
            .map(|evicted| evicted.len());
        (answer.map_err(|full| full.limit), drain(&mut queue))
    };
    let (answer, left) = bytes(30, 10);
    assert_eq!((answer, left.len()), (Ok(3), 8));
    // 65 victims would be needed; 64 are the most.
    let (answer, left) = bytes(65, 100);
    assert_eq!(answer, Err(Limit::QueueBytes { max: 100 }));
    assert_eq!(left, (0..100).collect::<Vec<_>>());
    let (answer, left) = bytes(101, 10);
    assert_eq!((answer, left.len()), (Err(Limit::QueueBytes { max: 100 }), 10));
}

#[test]
fn one_message_may_evict_all_that_a_sender_has() {
    let mut queue = Queue::new(QueueConfig { bytes: 10, ..config(10) }, 0);
    for item in 0..2 {
        queue.push(Instant::ZERO, Low, Urgency::Plain, user(1), 5, item).unwrap();
    }
    let evicted = queue.push(Instant::ZERO, Normal, Urgency::Plain, user(2), 10, 2).unwrap();
    assert!(evicted.iter().all(|popped| popped.sender == user(1)) && evicted.len() == 2);
    assert_eq!(drain(&mut queue), [2]);
}

#[test]
fn a_refusal_undoes_random_draws_too() {
    let mut queue = Queue::new(
        QueueConfig { bytes: 200, eviction: EvictionPolicy::Random, ..config(1_000) },
        3,
    );
    for item in 0..200 {
        queue.push(Instant::ZERO, Low, Urgency::Plain, user(u64::from(item % 7)), 1, item).unwrap();
    }
    assert!(queue.push(Instant::ZERO, Normal, Urgency::Plain, user(1), 150, 999).is_err());
    assert_eq!((queue.len(), queue.bytes()), (200, 200));
    assert_eq!(
        queue.push(Instant::ZERO, Normal, Urgency::Plain, user(1), 60, 999).unwrap().len(),
        60
    );
    let left = drain(&mut queue);
    assert_eq!(left[0], 999);
    assert!(left[1..].is_sorted() && left.len() == 141);
}

/// Whatever the tie-break.
#[test]
fn deadlines_expire_to_the_instant() {
    let fresh_within =
        PerLevel([None, Some(Duration::from_secs(5)), Some(Duration::from_secs(1)), None]);
    let mut queue = Queue::new(
        QueueConfig { discipline: QueueDiscipline::RoundRobin, fresh_within, ..config(10) },
        0,
    );
    let at = Instant::from_secs;
    queue.push(at(10), Normal, Urgency::Plain, user(1), 1, 0).unwrap();
    queue.push(at(11), Low, Urgency::Plain, user(1), 1, 1).unwrap();
    queue.push(at(11), High, Urgency::Plain, user(1), 1, 2).unwrap();
    // The clock runs backwards: it counts as standing still.
    queue.push(at(3), Low, Urgency::Plain, user(2), 1, 3).unwrap();
    assert_eq!(queue.next_deadline(), Some(at(12)));
    assert_eq!(queue.pop_expired(Instant::from_nanos(at(12).as_nanos() - 1)), None);
    assert_eq!(queue.pop_expired(at(12)).unwrap().item, 1);
    assert_eq!(queue.pop_expired(at(12)).unwrap().item, 3);
    assert_eq!(queue.pop_expired(at(12)), None);
    assert_eq!(queue.next_deadline(), Some(at(15)));
    assert_eq!(queue.pop_expired(Instant::MAX).unwrap().item, 0);
    assert_eq!(
        (queue.pop_expired(Instant::MAX), queue.next_deadline(), queue.len()),
        (None, None, 1)
    );
}

#[test]
fn a_queue_of_nothing_refuses_everything() {
    let mut queue = Queue::new(config(0), 0);
    assert_eq!(push(&mut queue, High, 1, 1), Err(1));
    assert_eq!(queue.pop_highest(), None);
}

#[test]
fn a_newcomer_popped_unsettled_leaves_no_trace() {
    for discipline in [QueueDiscipline::Fifo, QueueDiscipline::RoundRobin, QueueDiscipline::Random]
    {
        let mut queue = Queue::new(QueueConfig { discipline, ..config(2) }, 0);
        let key = queue.insert(Instant::ZERO, (Normal, Urgency::Plain), user(1), 1, 0);
        assert_eq!(queue.pop(Normal).unwrap().item, 0);
        assert!(
            queue.settle(key, u32::MAX).unwrap().slots.is_empty()
                && queue.is_empty()
                && queue.next_deadline().is_none()
        );
        assert_eq!(push(&mut queue, Normal, 1, 1), Ok(Vec::new()));
        let key = queue.insert(Instant::ZERO, (Normal, Urgency::Plain), user(2), 1, 2);
        let first = queue.pop(Normal).unwrap().item;
        assert!(queue.settle(key, u32::MAX).unwrap().slots.is_empty());
        assert_eq!((first + queue.pop(Normal).unwrap().item, queue.len()), (3, 0));
    }
}

/// Whoever leaves before the newcomer is settled was due before it.
#[test]
fn a_newcomer_enters_behind_what_was_due() {
    let mut queue = Queue::new(config(2), 0);
    for item in 0..2 {
        assert_eq!(push(&mut queue, Normal, 1, item), Ok(Vec::new()));
    }
    let key = queue.insert(Instant::ZERO, (Normal, Urgency::Plain), user(2), 1, 2);
    assert_eq!(queue.pop(Normal).unwrap().item, 0);
    assert!(queue.settle(key, u32::MAX).unwrap().slots.is_empty());
    // Both hold one; the first has held one for longer.
    assert_eq!(push(&mut queue, Normal, 3, 3), Ok([1].into()));
}

/// Who knocks in vain is as near to giving way as before, whatever the refusal looked at.
#[test]
fn a_refusal_moves_no_rank() {
    for knocks in 0..4 {
        let mut queue = Queue::new(QueueConfig { bytes: 100, ..config(4) }, 0);
        for (item, sender) in [1, 1, 2, 2].into_iter().enumerate() {
            assert_eq!(push(&mut queue, Normal, sender, item as u32), Ok(Vec::new()));
        }
        for _ in 0..knocks {
            // The first is the newcomer himself, the second evicts others in vain.
            assert_eq!(push(&mut queue, Normal, 1, 9), Err(9));
            assert!(queue.push(Instant::ZERO, Normal, Urgency::Plain, user(3), 99, 9).is_err());
        }
        assert_eq!(push(&mut queue, Normal, 3, 4), Ok([1].into()), "after {knocks} knocks");
        assert_eq!(push(&mut queue, Normal, 4, 5), Ok([3].into()), "after {knocks} knocks");
        assert_eq!(drain(&mut queue), [0, 2, 4, 5]);
    }
}

/// Nor does it draw a number: who asks again and again gets no other answer.
#[test]
fn a_refusal_draws_no_number() {
    let victims = |knocks| {
        let mut queue = Queue::new(
            QueueConfig { bytes: 100, eviction: EvictionPolicy::Random, ..config(50) },
            3,
        );
        for item in 0..50 {
            assert_eq!(push(&mut queue, Low, u64::from(item), item), Ok(Vec::new()));
        }
        for _ in 0..knocks {
            assert!(queue.push(Instant::ZERO, Low, Urgency::Plain, user(1), 100, 99).is_err());
        }
        (100..110).map(|item| push(&mut queue, Normal, 7, item)).collect::<Vec<_>>()
    };
    assert!((1..5).all(|knocks| victims(knocks) == victims(0)));
}

/// Of those who hold as much, whoever has had more turns is the biggest.
#[test]
fn turns_are_remembered_and_count() {
    let turn_memory = Duration::from_secs(1);
    let turns = QueueDiscipline::RoundRobin;
    let mut queue = Queue::new(QueueConfig { discipline: turns, turn_memory, ..config(4) }, 0);
    for (item, sender) in [1, 1, 1, 2].into_iter().enumerate() {
        assert_eq!(push(&mut queue, Normal, sender, item as u32), Ok(Vec::new()));
    }
    let pop = |queue: &mut Queue<u32>| queue.pop(Normal).unwrap().item;
    assert_eq!([pop(&mut queue), pop(&mut queue), pop(&mut queue)], [0, 3, 1]);
    // Sender 1 has had two turns and holds one; sender 2 has had one.
    for (item, sender) in [2, 2, 3].into_iter().enumerate() {
        assert_eq!(push(&mut queue, Normal, sender, 10 + item as u32), Ok(Vec::new()));
    }
    assert_eq!(push(&mut queue, Normal, 4, 20), Ok([2].into()));
    assert_eq!(drain(&mut queue), [12, 20, 10, 11]);
    assert_eq!(queue.forgotten_turns(), 0);
}

#[test]
fn no_more_turns_are_remembered_than_so_many() {
    let turn_memory = Duration::from_secs(3_600);
    let mut queue = Queue::new(QueueConfig { turn_memory, ..config(1) }, 0);
    for turn in 0..5_000 {
        assert_eq!(push(&mut queue, Normal, turn, 0), Ok(Vec::new()));
        assert!(queue.pop(Normal).is_some());
    }
    assert_eq!(queue.forgotten_turns(), 5_000 - 1_024);
    queue.advance(Instant::from_secs(3_600));
    assert!(!queue.has_memory);
}

/// Whether or not a policy asks who sent what.
#[test]
fn what_a_sender_has_waiting_is_found() {
    for eviction in [EvictionPolicy::Oldest, EvictionPolicy::BiggestSender] {
        let mut queue = Queue::new(QueueConfig { eviction, ..config(20) }, 0);
        assert_eq!((queue.lowest(), queue.pop_of(user(1)).is_none()), (None, true));
        for (item, (level, sender)) in
            (0..).zip([(Low, 1), (Normal, 2), (Normal, 1), (Normal, 1), (Low, 2), (Normal, 5)])
        {
            assert_eq!(push(&mut queue, level, sender, item), Ok(Vec::new()));
        }
        for (item, sender) in [(6, 3), (7, 1)] {
            let pushed = queue.push(Instant::ZERO, High, Urgency::Urgent, user(sender), 1, item);
            assert!(pushed.is_ok());
        }
        assert_eq!((queue.highest(), queue.lowest()), (Some(High), Some(Low)));
        let all = queue.all_of(&[user(2), user(4), user(1), user(3)]);
        let all: Vec<_> = all.into_iter().map(|(at, key)| (at, queue.entries[key].item)).collect();
        assert_eq!(all, [(0, 1), (0, 4), (2, 7), (2, 2), (2, 3), (2, 0), (3, 6)]);
        let mut of = |sender| {
            let popped = core::iter::from_fn(|| queue.pop_of(user(sender)));
            popped.map(|popped| popped.item).collect::<Vec<_>>()
        };
        assert_eq!(
            (of(1), of(3), of(4), of(2)),
            ([7, 2, 3, 0].into(), [6].into(), [].into(), [1, 4].into())
        );
        assert_eq!((queue.highest(), queue.lowest(), queue.len()), (Some(Normal), Some(Normal), 1));
    }
}
