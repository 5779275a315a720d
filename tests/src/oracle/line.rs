//! Who waits: the queue as one vector in order of entry, and for each level the senders in order of
//! their turns.

use roomcast_core::config::{EvictionPolicy, QueueConfig, QueueDiscipline};
use roomcast_core::message::{Limit, Sender, Urgency};
use roomcast_core::{Instant, PerLevel, Priority};
use std::collections::BTreeMap;

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub id: u64,
    /// Its priority.
    pub level: Priority,
    /// Whether it goes before the others of its level.
    pub urgency: Urgency,
    /// Its sender.
    pub sender: Sender,
    /// Its size.
    pub size: u64,
    /// When it came.
    pub entered: Instant,
}

/// The messages that wait.
#[derive(Clone, Debug)]
pub struct Line {
    /// The settings.
    pub config: QueueConfig,
    /// All of them, in order of entry.
    pub entries: Vec<Entry>,
    /// Messages and bytes that each level keeps for itself.
    pub kept: PerLevel<(u64, u64)>,
    turns: PerLevel<Vec<Sender>>,
    /// Who has had turns, and when, as far as that is remembered.
    had: PerLevel<Vec<(Instant, Sender)>>,
    /// The one that has come last, while it is open whether it stays: whoever waits at its level
    /// goes before it.
    newcomer: Option<u64>,
    /// The time of the last call.
    clock: Instant,
}

impl Line {
    /// Nobody waits.
    pub fn new(config: QueueConfig) -> Self {
        Self {
            config,
            entries: Vec::new(),
            kept: PerLevel::default(),
            turns: PerLevel::default(),
            had: PerLevel::default(),
            newcomer: None,
            clock: Instant::ZERO,
        }
    }

    /// Where so much of the budget is each level's own.
    #[must_use]
    pub fn keeping(self, kept: PerLevel<(u64, u64)>) -> Self {
        Self { kept, ..self }
    }

    /// Under other settings. With another discipline the turns begin anew, in order of each sender's
    /// oldest message; they do as well where it has not been asked so far who sent what, and now is.
    pub fn reconfigure(&mut self, new: QueueConfig) {
        let asks_who = |config: &QueueConfig| {
            config.discipline != QueueDiscipline::Fifo
                || config.eviction == EvictionPolicy::BiggestSender
        };
        let old = std::mem::replace(&mut self.config, new);
        if old.discipline == new.discipline && (asks_who(&old) || !asks_who(&new)) {
            return;
        }
        (self.turns, self.had) = (PerLevel::default(), PerLevel::default());
        for Entry { level, sender, urgency, .. } in &self.entries {
            let turns = &mut self.turns[*level];
            if *urgency == Urgency::Plain && !turns.contains(sender) {
                turns.push(*sender);
            }
        }
    }

    /// Those of one level, in order of entry.
    pub fn level(&self, level: Priority) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.level == level)
    }

    /// The highest level in which somebody waits.
    pub fn highest(&self) -> Option<Priority> {
        Priority::ALL.into_iter().find(|&level| self.level(level).next().is_some())
    }

    /// The lowest level in which somebody waits.
    pub fn lowest(&self) -> Option<Priority> {
        Priority::ALL.into_iter().rev().find(|&level| self.level(level).next().is_some())
    }

    /// The entry with this number.
    pub fn find(&self, id: u64) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == id)
    }

    /// Whether the one that came last waits alone at a level.
    pub fn is_newcomers(&self, level: Priority) -> bool {
        self.newcomer.is_some() && self.level(level).all(|entry| Some(entry.id) == self.newcomer)
    }

    /// Whether this is the one that came last, while it is open whether it stays.
    pub fn is_newcomer(&self, id: u64) -> bool {
        self.newcomer == Some(id)
    }

    /// One comes, behind all that wait.
    pub fn arrive(&mut self, entry: Entry) {
        self.newcomer = Some(entry.id);
        self.entries.push(entry);
    }

    /// The one that came last waits like everybody, if it is still here.
    pub fn settle(&mut self) {
        let place = self.entries.iter().position(|entry| Some(entry.id) == self.newcomer);
        if let Some(place) = place {
            let entry = self.entries.remove(place);
            self.enter(entry);
        }
        self.newcomer = None;
    }

    /// Those of one level that are urgent, or those that are not, in order of entry.
    pub fn lane(
        &self,
        level: Priority,
        urgency: Urgency,
    ) -> impl DoubleEndedIterator<Item = &Entry> {
        self.level(level).filter(move |entry| entry.urgency == urgency)
    }

    /// How a sender's message stands that would stand so: a user's as the oldest of his that waits
    /// at its level.
    pub fn stands(&self, level: Priority, sender: Sender, asked: Urgency) -> Urgency {
        let oldest = self.level(level).find(|entry| entry.sender == sender);
        match (sender, oldest) {
            (Sender::User(_), Some(oldest)) => oldest.urgency,
            _ => asked,
        }
    }

    /// One more waits.
    pub fn enter(&mut self, entry: Entry) {
        let turns = &mut self.turns[entry.level];
        // Who is urgent waits for no turn.
        if entry.urgency == Urgency::Plain && !turns.contains(&entry.sender) {
            turns.push(entry.sender);
        }
        self.entries.push(entry);
    }

    /// One that has just come was let in elsewhere at this instant: it stands as if it had come then.
    pub fn backdate(&mut self, id: u64, to: Instant) {
        let Some(place) = self.entries.iter().position(|entry| entry.id == id) else { return };
        if to >= self.entries[place].entered {
            return;
        }
        let entry = Entry { entered: to, ..self.entries.remove(place) };
        let place = self.entries.iter().position(|other| other.entered > to);
        self.entries.insert(place.unwrap_or(self.entries.len()), entry);
    }

    /// Those that may be the next of their level to go, by the configured tie-break.
    pub fn may_go(&self, level: Priority) -> Vec<u64> {
        match self.lane(level, Urgency::Urgent).next() {
            Some(first) => vec![first.id],
            None => self.may_go_in_turn(level),
        }
    }

    /// The same of those that are not urgent.
    pub fn may_go_in_turn(&self, level: Priority) -> Vec<u64> {
        let settled = || self.level(level).filter(|entry| Some(entry.id) != self.newcomer);
        if settled().next().is_none() {
            return self.level(level).map(|entry| entry.id).collect();
        }
        // Thousands may wait: each is looked at once, not once for each sender.
        let mut oldest = BTreeMap::new();
        for entry in settled() {
            oldest.entry(entry.sender).or_insert(entry.id);
        }
        let oldest_of = |sender: Sender| oldest.get(&sender).copied();
        match self.config.discipline {
            QueueDiscipline::Fifo => {
                self.level(level).next().map(|entry| entry.id).into_iter().collect()
            }
            QueueDiscipline::RoundRobin => {
                // Whoever has had the fewest; of those, who has for longest.
                let had = self.turns_had(level);
                let had = |sender: &&Sender| had.get(*sender).copied().unwrap_or(0);
                let next = self.turns[level].iter().min_by_key(had);
                next.copied().and_then(oldest_of).into_iter().collect()
            }
            _ => self.turns[level].iter().copied().filter_map(oldest_of).collect(),
        }
    }

    /// One had its turn and goes out.
    pub fn go(&mut self, id: u64) -> Option<Entry> {
        let Entry { level, sender, urgency, .. } = *self.find(id)?;
        // The one that has come last waited for no turn.
        if Some(id) != self.newcomer && urgency == Urgency::Plain {
            if !self.config.turn_memory.is_zero() {
                self.had[level].push((self.clock, sender));
            }
            self.goes_last(level, sender);
        }
        self.remove(id)
    }

    /// A sender who waits goes behind all others.
    fn goes_last(&mut self, level: Priority, sender: Sender) {
        let turns = &mut self.turns[level];
        if let Some(place) = turns.iter().position(|&other| other == sender) {
            turns.remove(place);
            turns.push(sender);
        }
    }

    /// How many turns of each sender are remembered, where any are.
    pub fn turns_had(&self, level: Priority) -> BTreeMap<Sender, usize> {
        let mut had = BTreeMap::new();
        for &(_, sender) in &self.had[level] {
            *had.entry(sender).or_default() += 1;
        }
        had
    }

    /// It is so late now: turns that were had too long ago are forgotten, one after the other, and
    /// whoever had one goes behind those who had as few before.
    pub fn advance(&mut self, now: Instant) {
        self.clock = self.clock.max(now);
        for level in Priority::ALL {
            while let Some(&(at, sender)) = self.had[level].first()
                && self.clock >= at + self.config.turn_memory
            {
                self.had[level].remove(0);
                self.goes_last(level, sender);
            }
        }
    }

    /// One goes without having had its turn.
    pub fn remove(&mut self, id: u64) -> Option<Entry> {
        let place = self.entries.iter().position(|entry| entry.id == id)?;
        let entry = self.entries.remove(place);
        // The one that has come last has no turn yet.
        let waits = |other: &Entry| other.sender == entry.sender && Some(other.id) != self.newcomer;
        if !self.lane(entry.level, Urgency::Plain).any(waits) {
            self.turns[entry.level].retain(|&sender| sender != entry.sender);
        }
        Some(entry)
    }

    /// When a message is past its time; `None` when it may wait for ever.
    pub fn deadline(&self, entry: &Entry) -> Option<Instant> {
        self.config.fresh_within[entry.level].map(|wait| entry.entered + wait)
    }

    /// Takes out all that are past their time, the higher level first, of each level the urgent
    /// first, and these in order of entry.
    pub fn expire(&mut self, now: Instant) -> Vec<Entry> {
        let late = |entry: &Entry| self.deadline(entry).is_some_and(|deadline| now >= deadline);
        let ids: Vec<u64> = Priority::ALL
            .into_iter()
            .flat_map(|level| [(level, Urgency::Urgent), (level, Urgency::Plain)])
            .flat_map(|(level, urgency)| {
                self.lane(level, urgency).filter(|entry| late(entry)).map(|entry| entry.id)
            })
            .collect();
        ids.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.size).sum()
    }

    /// The limit that is exceeded, if one is.
    pub fn exceeded(&self) -> Option<Limit> {
        exceeded(self, self.entries.iter())
    }
}

/// The limit that these entries of a line exceed, if they do. What a level keeps for itself is as good
/// as taken.
pub fn exceeded<'a>(line: &Line, entries: impl Iterator<Item = &'a Entry>) -> Option<Limit> {
    let QueueConfig { messages, bytes, .. } = line.config;
    let entries: Vec<&Entry> = entries.collect();
    let (mut count, mut size) = (0, 0);
    for level in Priority::ALL {
        let (kept_messages, kept_bytes) = line.kept[level];
        let of_level = || entries.iter().filter(|entry| entry.level == level);
        count += kept_messages.max(of_level().count() as u64);
        size += kept_bytes.max(of_level().map(|entry| entry.size).sum());
    }
    if count > u64::from(messages) {
        Some(Limit::QueueMessages { max: messages })
    } else if size > bytes {
        Some(Limit::QueueBytes { max: bytes })
    } else {
        None
    }
}
