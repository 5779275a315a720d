//! Turns: which message of a level goes next, and who has had turns.
//! [Clause B4](crate::rulebook#b4-fairness-between-senders).

use super::accounting::Books;
use super::{Level, Popped, Queue};
use crate::config::QueueDiscipline;
use crate::message::{Sender, Urgency};
use crate::priority::Priority;
use crate::time::{Duration, Instant};

impl<T> Queue<T> {
    /// Takes out the message of `level` whose turn it is. Its sender has had the turn when the last
    /// call was made that names a time.
    #[inline]
    pub fn pop(&mut self, level: Priority) -> Option<Popped<T>> {
        let Level { order, len, .. } = self.levels[level];
        if let Some(key) = self.first_urgent(level) {
            return self.take(key);
        }
        let key = match self.config.discipline {
            // One alone has its turn, whatever decides between several. The newcomer comes after
            // those who are in the books: they were due before it.
            QueueDiscipline::RoundRobin if len > 1 => self.next_turn(level)?,
            QueueDiscipline::Random if len > 1 => self.draw_turn(level)?,
            _ if len == 0 => return None,
            // Counted and in no list: that is the newcomer.
            _ => order.front().unwrap_or(self.newcomer),
        };
        self.end_turn(key);
        self.take(key)
    }

    /// A message goes out by its turn. One that comes and goes at once had none to wait for.
    #[inline]
    fn end_turn(&mut self, key: u32) {
        if key != self.newcomer {
            self.end_turn_of(key);
        }
    }

    #[inline(never)]
    fn end_turn_of(&mut self, key: u32) {
        let remembers = self.config.turn_memory > Duration::ZERO;
        let by_turns = self.config.discipline == QueueDiscipline::RoundRobin;
        let entry = self.entries.get(key).filter(|entry| entry.urgency == Urgency::Plain);
        let Some(entry) = entry.filter(|_| remembers || by_turns) else { return };
        let books = &mut self.books[entry.priority];
        if books.is_by_sender() {
            books.senders.end_turn(self.pages[key].sender, self.clock.at(), remembers);
            self.has_memory |= remembers;
        }
    }

    /// The time moves on: turns that were had too long ago are forgotten.
    #[inline]
    pub(crate) fn advance(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        if self.has_memory {
            self.forget_turns(now);
        }
    }

    #[inline(never)]
    fn forget_turns(&mut self, now: Instant) {
        self.has_memory = false;
        for Books { senders, .. } in &mut self.books.0 {
            self.has_memory |= senders.forget(now, self.config.turn_memory);
        }
    }

    /// Turns that were forgotten before their time: a level remembers 1,024.
    pub fn forgotten_turns(&self) -> u64 {
        self.books.values().map(|books| books.senders.forgotten()).sum()
    }

    /// The level in which the entry that came last waits alone, while it is in no book.
    #[inline]
    pub(crate) fn newcomers_own(&self) -> Option<Priority> {
        let level = self.entries.get(self.newcomer)?.priority;
        (self.levels[level].len == 1).then_some(level)
    }

    /// Whether somebody passes whose message is at the head of a level: the one whose turn it is,
    /// and where turns are drawn at random, the oldest. An urgent one that may still be turned away
    /// is there beside whoever would be without it.
    pub(crate) fn has_head(&self, level: Priority, passes: impl Fn(Sender) -> bool) -> bool {
        self.head_key(level, passes).is_some()
    }

    /// Takes out the message at the [head](Self::has_head) of a level, if it passes.
    pub(crate) fn pop_head(
        &mut self,
        level: Priority,
        passes: impl Fn(Sender) -> bool,
    ) -> Option<Popped<T>> {
        let key = self.head_key(level, passes)?;
        self.end_turn(key);
        self.take(key)
    }

    fn head_key(&self, level: Priority, passes: impl Fn(Sender) -> bool) -> Option<u32> {
        let Level { order, urgent, .. } = &self.levels[level];
        let passes = |key: &u32| self.entries.get(*key).is_some_and(|entry| passes(entry.sender));
        if let Some(first) = urgent.order().front() {
            return Some(first).filter(passes);
        }
        let newcomer = self.entries.get(self.newcomer).filter(|entry| entry.priority == level);
        let first = newcomer.filter(|entry| entry.urgency == Urgency::Urgent);
        if let Some(newcomer) = first.map(|_| self.newcomer).filter(passes) {
            return Some(newcomer);
        }
        let turn = match self.config.discipline {
            QueueDiscipline::RoundRobin => self.next_turn(level),
            QueueDiscipline::Fifo | QueueDiscipline::Random => order.front(),
        };
        // The newcomer, in no list yet, is behind everyone who is.
        turn.or(newcomer.map(|_| self.newcomer)).filter(passes)
    }

    /// The oldest message of the sender whose turn it is.
    fn next_turn(&self, level: Priority) -> Option<u32> {
        let senders = &self.books[level].senders;
        senders.queue(senders.next()?).messages.front()
    }

    /// The oldest message of the sender of a message drawn from all.
    fn draw_turn(&mut self, level: Priority) -> Option<u32> {
        let books = &self.books[level];
        let len = books.dense.len() as u32;
        // One alone needs no draw.
        let place = if len > 1 { self.rng.below(len) } else { 0 };
        let drawn = *books.dense.get(place)?;
        books.senders.queue(self.pages[drawn].sender).messages.front()
    }
}
