//! The table of duplicate keys (clause B11) by itself, beside a list of what was said: a key is
//! refused within the window, or while it is among those that are remembered; one that was dropped
//! takes no place, those that were merged share their carrier's fate, and in a full table the
//! oldest of the lowest level is forgotten, but none for a message of a lower level.

use crate::violation::{Check, Law, same};
use roomcast_core::dedup::{DedupTable, DedupWindow, SaidKey};
use roomcast_core::ids::MessageId;
use roomcast_core::message::{DedupKey, Sender};
use roomcast_core::time::Duration;
use roomcast_core::{Instant, Priority, UserId};
use std::collections::{BTreeMap, BTreeSet};

/// A table, and what happens to it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Sequence {
    /// The window: by a table from none to an age.
    pub window: u8,
    /// How many keys: 0 to 7, or from 250 on a hundred.
    pub keys: u8,
    /// The seed.
    pub seed: u64,
    /// What happens.
    pub calls: Vec<Call>,
}

/// One call, in small numbers.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Call {
    /// Something is said under a key, unless that is refused.
    Say {
        /// By whom: the host, or one of three users.
        sender: u8,
        /// Which key: one of 16.
        key: u8,
        /// At which level.
        level: u8,
        /// It is carried by one that was said before, so far back.
        carrier: Option<u8>,
    },
    /// So many are said, each under a key of its own.
    Flood {
        /// How many.
        count: u8,
        /// At which level.
        level: u8,
    },
    /// One that was said is dropped, so far back, with those that it carries.
    Drop {
        /// How far back.
        back: u8,
    },
    /// So many milliseconds later.
    Wait {
        /// How many.
        millis: u16,
    },
    /// What has gone out is carried over into a table where this much was said just before. Of
    /// three messages one waits, and is not.
    Move {
        /// How many were said there, up to seven; from four on, the list comes from its end.
        before: u8,
        /// At which level.
        level: u8,
    },
    /// Another window, and another number of keys.
    Become {
        /// The window.
        window: u8,
        /// The keys.
        keys: u8,
    },
}

/// What stands in the list.
#[derive(Clone, Copy, Debug)]
struct Said {
    sender: Sender,
    key: DedupKey,
    id: MessageId,
    at: Instant,
    level: Priority,
    carrier: Option<MessageId>,
}

struct Pair {
    table: DedupTable,
    limits: DedupWindow,
    said: Vec<Said>,
    forgotten: u64,
    /// Every message that was let in: by whom, under which key.
    messages: BTreeMap<u64, (Sender, DedupKey)>,
    next: u64,
    now: u64,
}

fn limits(window: u8, keys: u8) -> DedupWindow {
    let millis = [1_000, 60_000, 1, 0, u64::MAX / 1_000_000];
    DedupWindow {
        window: Duration::from_millis(millis[usize::from(window) % millis.len()]),
        keys: if keys < 250 { u32::from(keys % 8) } else { 100 },
    }
}

fn level(at: u8) -> Priority {
    Priority::ALL[usize::from(at % 4)]
}

impl Pair {
    fn now(&self) -> Instant {
        Instant::from_millis(self.now)
    }

    /// What has lapsed by now takes no place.
    fn lapse(&mut self, window: Duration) {
        let now = self.now();
        self.said.retain(|said| now < said.at + window);
    }

    fn refused_until(&self, sender: Sender, key: DedupKey) -> Option<Instant> {
        let is_it = |said: &&Said| (said.sender, said.key) == (sender, key);
        let until = self.said.iter().find(is_it)?.at + self.limits.window;
        (self.now() < until).then_some(until)
    }

    /// The oldest of the lowest level goes, if that is not above this one.
    fn make_way(&mut self, level: Priority) -> bool {
        let lowest = self
            .said
            .iter()
            .map(|said| said.level)
            .min_by_key(|level| std::cmp::Reverse(level.index()));
        let Some(lowest) = lowest.filter(|lowest| lowest.index() >= level.index()) else {
            return false;
        };
        let place = self.said.iter().position(|said| said.level == lowest);
        place.map(|place| self.said.remove(place)).is_some()
    }

    /// A message is let in under a key.
    fn say(&mut self, sender: Sender, key: DedupKey, level: Priority) -> MessageId {
        let id = MessageId(self.next);
        self.next += 1;
        self.table.note(self.now(), level, sender, key, id);
        self.messages.insert(id.0, (sender, key));
        self.lapse(self.limits.window);
        let most = self.limits.keys as usize;
        if most == 0 {
            return id;
        }
        while self.said.len() >= most {
            let has_room = self.make_way(level);
            // It, or the newcomer.
            self.forgotten += 1;
            if !has_room {
                return id;
            }
        }
        let at = self.now();
        self.said.push(Said { sender, key, id, at, level, carrier: None });
        id
    }

    fn message(&self, back: u8) -> Option<u64> {
        self.next.checked_sub(1 + u64::from(back % 32)).filter(|id| self.messages.contains_key(id))
    }

    fn play(&mut self, call: Call) -> Check {
        match call {
            Call::Say { sender, key, level: at, carrier } => {
                let sender = match sender % 4 {
                    0 => Sender::Host,
                    user => Sender::User(UserId(user.into())),
                };
                let key = DedupKey(u64::from(key % 16));
                if self.refused_until(sender, key).is_some() {
                    return self.compare();
                }
                let carrier = carrier.and_then(|back| self.message(back));
                let id = self.say(sender, key, level(at));
                if let Some(carrier) = carrier.map(MessageId) {
                    self.table.carry(carrier, (sender, key, id));
                    let own = self.said.iter_mut().find(|said| said.id == id);
                    if let Some(said) = own {
                        said.carrier = Some(carrier);
                    }
                }
            }
            Call::Flood { count, level: at } => {
                for _ in 0..count % 120 {
                    let key = DedupKey(1 << 32 | self.next);
                    self.say(Sender::Host, key, level(at));
                }
            }
            Call::Drop { back } => {
                if let Some(id) = self.message(back) {
                    let (sender, key) = self.messages[&id];
                    self.table.free(sender, key, MessageId(id));
                    self.table.free_carried(MessageId(id));
                    self.said.retain(|said| {
                        said.id != MessageId(id) && said.carrier != Some(MessageId(id))
                    });
                }
            }
            Call::Wait { millis } => self.now += u64::from(millis),
            Call::Move { before, level: at } => self.carry_over(before % 8, level(at))?,
            Call::Become { window, keys } => {
                let (before, now) = (self.limits, self.now());
                self.limits = limits(window, keys);
                self.table.reconfigure(now, self.limits);
                self.lapse(before.window);
                self.lapse(self.limits.window);
                while self.said.len() > self.limits.keys as usize && self.make_way(Priority::High) {
                    self.forgotten += 1;
                }
            }
        }
        self.compare()
    }

    fn carry_over(&mut self, before: u8, level: Priority) -> Check {
        let now = self.now();
        let waiting: BTreeSet<MessageId> = (1..self.next).step_by(3).map(MessageId).collect();
        let mut exported = self.table.export(now, &waiting);
        let mut said = std::mem::take(&mut self.said);
        said.retain(|said| {
            now < said.at + self.limits.window
                && !waiting.contains(&said.carrier.unwrap_or(said.id))
        });
        said.sort_by_key(|said| said.level.index());
        let wanted: Vec<_> = said
            .iter()
            .map(|&Said { sender, key, at, level, .. }| {
                (sender, SaidKey { key, priority: level, said_at: at })
            })
            .collect();
        same(Law::Events, "keys of what has gone out", &wanted, &exported)?;
        if before >= 4 {
            exported.reverse();
            said.reverse();
        }
        self.table = DedupTable::new(self.limits, self.next);
        self.forgotten = 0;
        for key in 0..before {
            self.say(Sender::User(UserId(1)), DedupKey(key.into()), level);
        }
        let before = std::mem::take(&mut self.said);
        let is_new = |said: &Said| {
            !before.iter().any(|other| (other.sender, other.key) == (said.sender, said.key))
        };
        said.retain(is_new);
        for said in &mut said {
            // Whatever becomes of messages here, it is none of them.
            (said.id, said.carrier) = (MessageId(u64::MAX), None);
        }
        self.said.extend(said);
        self.said.extend(before);
        self.said.sort_by_key(|said| said.at);
        self.table.import(now, &exported);
        while self.said.len() > self.limits.keys as usize && self.make_way(Priority::High) {
            self.forgotten += 1;
        }
        Ok(())
    }

    fn compare(&mut self) -> Check {
        let now = self.now();
        for sender in [Sender::Host, Sender::User(UserId(1)), Sender::User(UserId(3))] {
            for key in (0..16).map(DedupKey) {
                same(
                    Law::Events,
                    format_args!("until when {key:?} of {sender:?} is refused at {now}"),
                    self.refused_until(sender, key),
                    self.table.refused_until(now, sender, key),
                )?;
            }
        }
        let (kept, forgotten) = self.table.counts();
        same(Law::L7Bounded, "keys that were forgotten", self.forgotten, forgotten)?;
        let fits = kept <= self.limits.keys;
        same(Law::L7Bounded, format_args!("whether {kept} keys are too many"), true, fits)
    }
}

/// Does the same to the table and to the list.
pub fn run(sequence: &Sequence) -> Check {
    let limits = limits(sequence.window, sequence.keys);
    let mut pair = Pair {
        table: DedupTable::new(limits, sequence.seed),
        limits,
        said: Vec::new(),
        forgotten: 0,
        messages: BTreeMap::new(),
        next: 1,
        now: 1_000,
    };
    for (step, call) in sequence.calls.iter().enumerate() {
        pair.play(*call).map_err(|violation| violation.at(step))?;
    }
    Ok(())
}
