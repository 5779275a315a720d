//! The four-level queue against one vector in order of entry.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use roomcast_core::config::{EvictionPolicy, QueueDiscipline, WhenLate};
use roomcast_core::message::{Sender, Urgency};
use roomcast_core::queue::Popped;
use roomcast_core::time::Duration;
use roomcast_core::{Instant, Priority, Queue, UserId};
use roomcast_tests::oracle::line::{Entry, Line};
use roomcast_tests::oracle::victims::Squeeze;
use roomcast_tests::rules;
use std::collections::BTreeSet;

#[derive(Arbitrary, Debug)]
struct Sequence {
    messages: u8,
    bytes: u8,
    discipline: u8,
    eviction: u8,
    wait: [Option<u8>; 4],
    memory: u8,
    seed: u64,
    calls: Vec<Call>,
}

#[derive(Arbitrary, Debug)]
enum Call {
    Push { level: u8, sender: u8, size: u8, is_urgent: bool },
    Pop { level: u8 },
    PopHighest,
    PopExpired,
    Wait { millis: u8 },
    Back { millis: u8 },
}

fn level(at: u8) -> Priority {
    Priority::ALL[usize::from(at) % 4]
}

struct Pair {
    queue: Queue<u64>,
    line: Line,
    now: u64,
    latest: u64,
}

impl Pair {
    fn push(&mut self, id: u64, (level, urgency): (Priority, Urgency), sender: Sender, size: u64) {
        let now = Instant::from_millis(self.now);
        self.latest = self.latest.max(self.now);
        self.line.advance(now);
        let urgency = self.line.stands(level, sender, urgency);
        self.line.enter(Entry {
            id,
            level,
            urgency,
            sender,
            size,
            entered: Instant::from_millis(self.latest),
        });
        let answer = self.queue.push(now, level, urgency, sender, size, id);
        match (self.line.exceeded(), answer) {
            (None, answer) => assert_eq!(answer.expect("there is room").len(), 0),
            (Some(limit), Err(full)) => {
                assert_eq!((full.item, full.limit), (id, limit));
                assert!(Squeeze::new(&self.line, id).may_refuse(), "{id} had to be let in");
                self.line.remove(id);
            }
            (Some(_), Ok(evicted)) => {
                let victims: BTreeSet<u64> = evicted.iter().map(|popped| popped.item).collect();
                assert_eq!(victims.len(), evicted.len(), "a victim twice");
                assert!(
                    Squeeze::new(&self.line, id).may_evict(&victims),
                    "{victims:?} may not give way to {id}"
                );
                for popped in evicted {
                    let entry = self.line.remove(popped.item);
                    same(Some(popped), entry);
                }
            }
        }
    }

    fn pop(&mut self, level: Option<Priority>, popped: Option<Popped<u64>>) {
        let may_go = level.map(|level| self.line.may_go(level)).unwrap_or_default();
        assert_eq!(popped.is_some(), !may_go.is_empty());
        if let Some(popped) = popped {
            assert!(
                may_go.contains(&popped.item),
                "{} had its turn before {may_go:?}",
                popped.item
            );
            let entry = self.line.go(popped.item);
            same(Some(popped), entry);
        }
    }

    fn expire(&mut self) {
        let now = Instant::from_millis(self.now);
        self.latest = self.latest.max(self.now);
        self.line.advance(now);
        for entry in self.line.expire(Instant::from_millis(self.latest)) {
            same(self.queue.pop_expired(now), Some(entry));
        }
        assert_eq!(self.queue.pop_expired(now), None);
    }

    fn compare(&self) {
        let (queue, line) = (&self.queue, &self.line);
        assert_eq!((queue.len() as usize, queue.bytes()), (line.entries.len(), line.bytes()));
        assert_eq!((queue.is_empty(), queue.highest()), (line.entries.is_empty(), line.highest()));
        assert_eq!(
            queue.next_deadline(),
            line.entries.iter().filter_map(|entry| line.deadline(entry)).min()
        );
        for level in Priority::ALL {
            let bytes: u64 = line.level(level).map(|entry| entry.size).sum();
            assert_eq!(
                (queue.level_len(level) as usize, queue.level_bytes(level)),
                (line.level(level).count(), bytes)
            );
        }
        assert_eq!(line.exceeded(), None);
    }
}

fn same(popped: Option<Popped<u64>>, entry: Option<Entry>) {
    let popped = popped.map(|popped| (popped.item, popped.priority, popped.sender, popped.entered));
    assert_eq!(popped, entry.map(|entry| (entry.id, entry.level, entry.sender, entry.entered)));
}

fuzz_target!(|sequence: Sequence| {
    let discipline = [QueueDiscipline::Fifo, QueueDiscipline::RoundRobin, QueueDiscipline::Random]
        [usize::from(sequence.discipline) % 3];
    let policies = [
        EvictionPolicy::BiggestSender,
        EvictionPolicy::Newest,
        EvictionPolicy::Oldest,
        EvictionPolicy::Random,
    ];
    let eviction = policies[usize::from(sequence.eviction) % 4];
    let wait = sequence.wait.map(|millis| millis.map(u64::from));
    let config = rules::queue(
        u32::from(sequence.messages % 11),
        sequence.bytes.into(),
        discipline,
        eviction,
        (wait, WhenLate::Wait),
        Duration::from_millis(sequence.memory.into()),
    );
    let mut pair = Pair {
        queue: Queue::new(config, sequence.seed),
        line: Line::new(config),
        now: 0,
        latest: 0,
    };
    for (id, call) in sequence.calls.into_iter().enumerate() {
        match call {
            Call::Push { level: at, sender, size, is_urgent } => {
                let urgency = if is_urgent { Urgency::Urgent } else { Urgency::Plain };
                let sender = if sender % 5 == 0 {
                    Sender::Host
                } else {
                    Sender::User(UserId(u64::from(sender % 5)))
                };
                pair.push(id as u64, (level(at), urgency), sender, (size % 100).into());
            }
            Call::Pop { level: at } => {
                let popped = pair.queue.pop(level(at));
                pair.pop(Some(level(at)), popped);
            }
            Call::PopHighest => {
                let highest = pair.line.highest();
                let popped = pair.queue.pop_highest();
                pair.pop(highest, popped);
            }
            Call::PopExpired => pair.expire(),
            Call::Wait { millis } => pair.now += u64::from(millis),
            Call::Back { millis } => pair.now = pair.now.saturating_sub(millis.into()),
        }
        pair.compare();
    }
});
