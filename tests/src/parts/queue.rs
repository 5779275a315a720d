//! The four-level queue (clauses A14, B4, B8) beside one vector in order of entry.

use crate::oracle::line::{Entry, Line};
use crate::oracle::victims::Squeeze;
use crate::rules;
use crate::violation::{Check, Law, in_words, same};
use roomcast_core::config::{EvictionPolicy, QueueDiscipline, WhenLate};
use roomcast_core::message::{Sender, Urgency};
use roomcast_core::queue::Popped;
use roomcast_core::time::Duration;
use roomcast_core::{Instant, Priority, Queue, UserId};
use std::collections::BTreeSet;

/// A queue, and what happens to it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Sequence {
    /// How many fit: 0 to 10; from 192 on 300, so that one that enters can have more give way than one
    /// call may.
    pub messages: u8,
    /// How many bytes fit; where many messages do, 64 to 191.
    pub bytes: u8,
    /// Whose turn it is.
    pub discipline: u8,
    /// Who gives way.
    pub eviction: u8,
    /// How many milliseconds each level may wait.
    pub wait: [Option<u8>; 4],
    /// For how many milliseconds turns are remembered.
    pub memory: u8,
    /// The seed.
    pub seed: u64,
    /// What happens.
    pub calls: Vec<Call>,
}

/// One call, in small numbers.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Call {
    /// One enters.
    Push {
        /// At which level.
        level: u8,
        /// By the host, or one of four users.
        sender: u8,
        /// Its size: 0 to 99 bytes; where many fit 1, and from 192 on about as many as one call may have
        /// give way.
        size: u8,
        /// Whether it goes first.
        is_urgent: bool,
    },
    /// So many of one byte enter, one after the other.
    Flood {
        /// At which level.
        level: u8,
        /// By whom.
        sender: u8,
        /// How many.
        count: u8,
    },
    /// The next of a level goes.
    Pop {
        /// Which.
        level: u8,
    },
    /// The next of the highest level goes.
    PopHighest,
    /// All go that have waited for too long.
    PopExpired,
    /// So many milliseconds later.
    Wait {
        /// How many.
        millis: u8,
    },
    /// The clock is read so many milliseconds back.
    Back {
        /// How many.
        millis: u8,
    },
}

impl Sequence {
    fn is_large(&self) -> bool {
        self.messages >= 192
    }

    fn queue(&self) -> roomcast_core::config::QueueConfig {
        let disciplines =
            [QueueDiscipline::Fifo, QueueDiscipline::RoundRobin, QueueDiscipline::Random];
        // Of many equal ones a draw can have too many outcomes to follow, so it is the last.
        let policies = [
            EvictionPolicy::BiggestSender,
            EvictionPolicy::Newest,
            EvictionPolicy::Oldest,
            EvictionPolicy::Random,
        ];
        let (policies, messages, bytes) = if self.is_large() {
            (&policies[..3], 300, 64 + u64::from(self.bytes / 2))
        } else {
            (&policies[..], u32::from(self.messages % 11), u64::from(self.bytes))
        };
        rules::queue(
            messages,
            bytes,
            disciplines[usize::from(self.discipline) % disciplines.len()],
            policies[usize::from(self.eviction) % policies.len()],
            (self.wait.map(|millis| millis.map(u64::from)), WhenLate::Wait),
            Duration::from_millis(self.memory.into()),
        )
    }

    fn size(&self, size: u8) -> u64 {
        match size {
            0..192 if self.is_large() => 1,
            192.. if self.is_large() => 58 + u64::from(size % 16),
            _ => u64::from(size % 100),
        }
    }
}

fn level(at: u8) -> Priority {
    Priority::ALL[usize::from(at) % 4]
}

fn sender(of: u8) -> Sender {
    match of % 5 {
        0 => Sender::Host,
        user => Sender::User(UserId(user.into())),
    }
}

struct Pair {
    queue: Queue<u64>,
    line: Line,
    /// How many have entered.
    entered: u64,
    now: u64,
    latest: u64,
}

impl Pair {
    fn push(&mut self, level: Priority, urgency: Urgency, sender: Sender, size: u64) -> Check {
        let (id, now) = (self.entered, Instant::from_millis(self.now));
        self.entered += 1;
        self.latest = self.latest.max(self.now);
        self.line.advance(now);
        let urgency = self.line.stands(level, sender, urgency);
        let entered = Instant::from_millis(self.latest);
        self.line.enter(Entry { id, level, urgency, sender, size, entered });
        let answer = self.queue.push(now, level, urgency, sender, size, id);
        match (self.line.exceeded(), answer) {
            (None, answer) => {
                let none = answer.map(|gone| gone.len()).map_err(|full| full.limit);
                same(Law::L7Bounded, "who gives way though there is room", Ok(0), none)
            }
            (Some(limit), Err(full)) => {
                same(Law::L8NothingLost, "what is refused", (id, limit), (full.item, full.limit))?;
                let may = Squeeze::new(&self.line, id).may_refuse();
                let what = in_words(move |f| write!(f, "whether {id} may be refused"));
                self.line.remove(id);
                same(Law::L7Bounded, what, may, true)
            }
            (Some(_), Ok(evicted)) => {
                let victims: BTreeSet<u64> = evicted.iter().map(|popped| popped.item).collect();
                same(Law::L1Messages, "victims", victims.len(), evicted.len())?;
                let may = Squeeze::new(&self.line, id).may_evict(&victims);
                let what = in_words(|f| write!(f, "whether {victims:?} may give way to {id}"));
                same(Law::L7Bounded, what, may, true)?;
                for popped in evicted {
                    let entry = self.line.remove(popped.item);
                    alike("a victim", Some(popped), entry)?;
                }
                Ok(())
            }
        }
    }

    fn pop(&mut self, level: Option<Priority>, popped: Option<Popped<u64>>) -> Check {
        let may_go = level.map(|level| self.line.may_go(level)).unwrap_or_default();
        let Some(popped) = popped else {
            return same(Law::L4Order, "whether none goes", may_go.is_empty(), true);
        };
        let id = popped.item;
        let what = in_words(|f| write!(f, "whether {id} is one of {may_go:?}"));
        same(Law::L4Order, what, true, may_go.contains(&id))?;
        let entry = self.line.go(id);
        alike("who goes", Some(popped), entry)
    }

    fn expire(&mut self) -> Check {
        let now = Instant::from_millis(self.now);
        self.latest = self.latest.max(self.now);
        self.line.advance(now);
        for entry in self.line.expire(Instant::from_millis(self.latest)) {
            alike("who expires", self.queue.pop_expired(now), Some(entry))?;
        }
        alike("who expires after all", self.queue.pop_expired(now), None)
    }

    fn compare(&self) -> Check {
        let (queue, line) = (&self.queue, &self.line);
        let all = (line.entries.len(), line.bytes(), line.entries.is_empty(), line.highest());
        let found = (queue.len() as usize, queue.bytes(), queue.is_empty(), queue.highest());
        same(Law::L1Messages, "what waits", all, found)?;
        let deadline = line.entries.iter().filter_map(|entry| line.deadline(entry)).min();
        same(Law::L11Age, "the first deadline", deadline, queue.next_deadline())?;
        for level in Priority::ALL {
            let bytes: u64 = line.level(level).map(|entry| entry.size).sum();
            let wanted = (line.level(level).count(), bytes);
            let found = (queue.level_len(level) as usize, queue.level_bytes(level));
            same(Law::L1Messages, in_words(|f| write!(f, "what waits at {level}")), wanted, found)?;
        }
        same(Law::L7Bounded, "what there is too much of", None, line.exceeded())
    }
}

fn alike(what: &str, popped: Option<Popped<u64>>, entry: Option<Entry>) -> Check {
    let popped = popped.map(|popped| (popped.item, popped.priority, popped.sender, popped.entered));
    let entry = entry.map(|entry| (entry.id, entry.level, entry.sender, entry.entered));
    same(Law::L4Order, what, entry, popped)
}

/// Does the same to the queue and to the line.
pub fn run(sequence: &Sequence) -> Check {
    let config = sequence.queue();
    let mut pair = Pair {
        queue: Queue::new(config, sequence.seed),
        line: Line::new(config),
        entered: 0,
        now: 0,
        latest: 0,
    };
    for (step, call) in sequence.calls.iter().enumerate() {
        let done = match *call {
            Call::Push { level: at, sender: of, size, is_urgent } => {
                let urgency = if is_urgent { Urgency::Urgent } else { Urgency::Plain };
                pair.push(level(at), urgency, sender(of), sequence.size(size))
            }
            Call::Flood { level: at, sender: of, count } => (0..count % 96)
                .try_for_each(|_| pair.push(level(at), Urgency::Plain, sender(of), 1)),
            Call::Pop { level: at } => {
                let popped = pair.queue.pop(level(at));
                pair.pop(Some(level(at)), popped)
            }
            Call::PopHighest => {
                let highest = pair.line.highest();
                let popped = pair.queue.pop_highest();
                pair.pop(highest, popped)
            }
            Call::PopExpired => pair.expire(),
            Call::Wait { millis } => {
                pair.now += u64::from(millis);
                Ok(())
            }
            Call::Back { millis } => {
                pair.now = pair.now.saturating_sub(millis.into());
                Ok(())
            }
        };
        done.and_then(|()| pair.compare()).map_err(|violation| violation.at(step))?;
    }
    Ok(())
}
