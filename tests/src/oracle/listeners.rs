//! Who is due what: for each session the list of messages it has yet to take, and the log that
//! still holds some of them.

use super::ages::Missed;
use super::directs::Waits;
use crate::checked::Crossed;
use crate::payload::Probe;
use crate::rules::Rules;
use crate::violation::{Check, Law, Violation, same};
use roomcast_core::config::Echo;
use roomcast_core::direct::Directs;
use roomcast_core::event::EndReason;
use roomcast_core::ids::{Seq, SessionKey};
use roomcast_core::ledger::Deliveries;
use roomcast_core::level_set::LevelSet;
use roomcast_core::message::Sender;
use roomcast_core::{Batch, Budget, GapCause, Group, Instant, Item, PerLevel, Priority, SessionId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A session's own counts and what it is due.
#[derive(Clone, Debug, Default)]
pub struct Listener {
    pub(super) counts: PerLevel<Deliveries>,
    /// Positions of its own messages, which are excluded.
    pub(super) own: PerLevel<Vec<u64>>,
    /// Positions of what it has yet to take, without its own messages.
    pub(super) pending: PerLevel<VecDeque<u64>>,
    /// How many it has missed without being told: at a level that it masked since, or out of reach
    /// when it resumed.
    pub(super) missed: PerLevel<Missed>,
    /// How many it has missed at all, told or not.
    pub(super) skipped: PerLevel<Missed>,
    /// Below which positions lies what was there before it came.
    pub(super) history: PerLevel<u64>,
    /// What was sent to it directly and it has yet to take.
    pub(super) directs: PerLevel<VecDeque<Waits>>,
    /// The sessions that it went on from, the oldest first, as far as they are remembered.
    pub(super) formers: Vec<SessionKey>,
    /// Where it began to read.
    pub(super) starts: PerLevel<u64>,
    /// Behind the last message of each level that it was handed.
    pub(super) handed: PerLevel<u64>,
    /// Between which two positions what it has acknowledged ends.
    pub(super) acked: PerLevel<(u64, u64)>,
    /// Why it ends, and when at the latest; nothing more becomes due.
    pub end: Option<(EndReason, Instant)>,
    /// Who sweeps it.
    pub group: Group,
    /// The levels that it does not want.
    pub mask: LevelSet,
}

impl Listener {
    /// A session that has just joined.
    pub fn new(group: Group) -> Self {
        Self { group, ..Self::default() }
    }

    /// What its books should say.
    pub fn deliveries(&self) -> PerLevel<Deliveries> {
        PerLevel::from_fn(|level| {
            let mut row = self.counts[level];
            row.pending = self.pending[level].len() as u64;
            row
        })
    }

    /// Whether it needs, for now, more than where it stands: messages of its own lie behind one
    /// that it is due, it is yet to be told that it missed some, or to take what was there before
    /// it came, something waits for it alone, it has masked a level, or it ends.
    pub fn needs_more(&self) -> bool {
        let own_ahead = |level| {
            let (first, own) = (self.pending[level].front(), self.own[level].last());
            first.zip(own).is_some_and(|(first, own)| own > first)
        };
        self.end.is_some()
            || self.mask != LevelSet::EMPTY
            || self.untold().values().any(|&missed| missed > 0)
            || self.has_history()
            || self.directs.values().any(|directs| !directs.is_empty())
            || Priority::ALL.into_iter().any(own_ahead)
    }

    /// Whether something is due.
    pub fn is_due(&self) -> bool {
        self.pending.values().any(|pending| !pending.is_empty())
            || self.untold().values().any(|&missed| missed > 0)
            || self.directs.values().any(|directs| !directs.is_empty())
    }
}

/// A message in the log: position, number and size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Logged {
    pub(super) position: u64,
    session: Option<SessionKey>,
    pub(super) sender: Sender,
    /// Itself and those that were merged into it.
    pub(super) messages: u32,
    id: u64,
    pub(super) seq: Seq,
    pub(super) bytes: u64,
    pub(super) dispatched_at: Instant,
}

/// All sessions that are in, and the log.
#[derive(Clone, Debug, Default)]
pub struct Listeners {
    /// Those that are in.
    pub here: BTreeMap<SessionId, Listener>,
    /// The books of direct messages, but for those that wait.
    pub(super) directs: PerLevel<Directs>,
    /// The books of those that are gone.
    gone: PerLevel<Deliveries>,
    /// What those had missed that are gone.
    gone_skips: PerLevel<Missed>,
    pub(super) log: PerLevel<Vec<Logged>>,
    /// The positions of messages that were taken back.
    pub(super) withdrawn: PerLevel<BTreeSet<u64>>,
    /// Behind the last message of each level that the log gave up while it was fresh.
    pub(super) overrun: PerLevel<u64>,
    /// When the last message was dispatched.
    pub(super) last: Instant,
    /// The levels and positions of all that was dispatched, in order.
    pub(super) order: Vec<(Priority, u64)>,
    /// Of those, the first that was kept for late joiners when their number changed last.
    pub(super) reserved_above: usize,
    /// When those who wait are to be told of each thing that came since they were told last.
    pub news: Vec<Instant>,
    /// Why and until when, once the room is closed.
    pub closed: Option<(EndReason, Instant)>,
}

impl Listeners {
    /// A message goes out: each session that is in and not ending is due it, save the one that sent
    /// it.
    pub fn dispatched(&mut self, rules: &Rules, message: &Crossed, bytes: u64) {
        let level = message.priority;
        self.news.push(message.dispatched_at + rules.coalesce[level]);
        for (&session, listener) in &mut self.here {
            if listener.end.is_some() {
                continue;
            }
            let sent = |sender| sender == session.key() || listener.formers.contains(&sender);
            let is_own = rules.echo == Echo::Off && message.session.is_some_and(sent);
            if listener.mask.contains(level) {
                listener.exclude(level);
            } else if is_own {
                listener.exclude_own(level, message.position);
            } else {
                listener.give(level, message.position);
            }
        }
        self.order.push((level, message.position));
        let log = &mut self.log[level];
        log.push(Logged {
            position: message.position,
            session: message.session,
            sender: message.sender,
            messages: message.messages,
            id: message.payload.id(),
            seq: message.seq,
            bytes,
            dispatched_at: message.dispatched_at,
        });
        self.last = message.dispatched_at;
        self.trim(rules, level, message.dispatched_at);
        self.age(rules, message.dispatched_at);
    }

    /// What the log may not hold falls out of it.
    pub fn trim(&mut self, rules: &Rules, level: Priority, now: Instant) {
        while self.log[level].len() as u64 > u64::from(rules.log_messages[level])
            || self.log[level].iter().map(|logged| logged.bytes).sum::<u64>()
                > rules.log_bytes[level]
        {
            let oldest = self.log[level].remove(0);
            self.give_up(rules, level, oldest, now);
        }
    }

    /// Whether the log holds the message of a level at a position.
    pub fn holds(&self, level: Priority, position: u64) -> bool {
        self.find(level, position).is_some()
    }

    /// The message of a level at a position, if the log holds it.
    pub(super) fn find(&self, level: Priority, position: u64) -> Option<Logged> {
        self.log[level].iter().copied().find(|logged| logged.position == position)
    }

    /// The messages of a level that the log holds: where they stand, and when they went out.
    pub fn logged(&self, level: Priority) -> impl Iterator<Item = (u64, Instant)> {
        self.log[level].iter().map(|logged| (logged.position, logged.dispatched_at))
    }

    /// The numbers of the messages of a level that the log holds, and where these stand.
    pub fn numbered(&self, level: Priority) -> impl Iterator<Item = (Seq, u64)> {
        self.log[level].iter().map(|logged| (logged.seq, logged.position))
    }

    /// Who sent the message of a level at a position, if the log holds it and a session did.
    pub fn sender(&self, level: Priority, position: u64) -> Option<SessionKey> {
        self.find(level, position)?.session
    }

    /// Messages in the log, by level.
    pub fn log_len(&self) -> PerLevel<u32> {
        PerLevel::from_fn(|level| u32::try_from(self.log[level].len()).unwrap_or(u32::MAX))
    }

    /// Bytes in the log, by level.
    pub fn log_bytes(&self) -> PerLevel<u64> {
        PerLevel::from_fn(|level| self.log[level].iter().map(|logged| logged.bytes).sum())
    }

    /// The books over all sessions, those that are gone included: by walking.
    pub fn sums(&self) -> PerLevel<Deliveries> {
        let books: Vec<_> = self.here.values().map(Listener::deliveries).collect();
        PerLevel::from_fn(|level| {
            books.iter().map(|rows| rows[level]).sum::<Deliveries>() + self.gone[level]
        })
    }

    /// What all sessions have missed, by cause, those that are gone included: by walking.
    pub(super) fn skips(&self) -> PerLevel<Missed> {
        let mut sums = self.gone_skips;
        for (listener, level) in
            self.here.values().flat_map(|listener| Priority::ALL.map(|level| (listener, level)))
        {
            sums[level] += listener.skipped[level];
        }
        sums
    }

    /// A session is gone: what it had not taken is abandoned.
    pub fn release(&mut self, session: SessionId) -> bool {
        let Some(listener) = self.here.remove(&session) else { return false };
        let books = listener.deliveries();
        for level in Priority::ALL {
            self.directs[level].abandoned += listener.directs[level].len() as u64;
        }
        for level in Priority::ALL {
            self.gone_skips[level] += listener.skipped[level];
        }
        self.gone = PerLevel::from_fn(|level| {
            let mut row = books[level];
            row.abandoned = std::mem::take(&mut row.pending);
            self.gone[level] + row
        });
        true
    }

    /// Why a session ends, if it does.
    pub fn reason(&self, session: SessionId) -> Option<EndReason> {
        let own = self.here.get(&session).and_then(|listener| listener.end);
        own.or(self.closed).map(|(reason, _)| reason)
    }

    /// Lets those go whose grace is over; answers them.
    pub fn expire(&mut self, now: Instant) -> Vec<SessionId> {
        let closed = self.closed;
        let over = |end: Option<(EndReason, Instant)>| end.is_some_and(|(_, until)| now >= until);
        let late: Vec<_> = self
            .here
            .iter()
            .filter(|(_, listener)| over(listener.end) || over(closed))
            .map(|(&session, _)| session)
            .collect();
        for &session in &late {
            self.release(session);
        }
        late
    }

    /// When the next grace is over.
    pub fn next_end(&self) -> Option<Instant> {
        let own = self.here.values().filter_map(|listener| listener.end);
        own.chain(self.closed.filter(|_| !self.here.is_empty())).map(|(_, until)| until).min()
    }

    /// What a session should get now, and takes: gaps and message numbers in order, and whether
    /// more is due. Empty when nothing is due.
    pub fn take(
        &mut self,
        rules: &Rules,
        now: Instant,
        session: SessionId,
        budget: Budget,
    ) -> (Vec<Taken>, bool) {
        loop {
            let (taken, more) = self.take_or_pass(rules, now, session, budget);
            if !taken.is_empty() || !more {
                return (taken, more);
            }
        }
    }

    /// As [`take`](Self::take); but what it takes is empty, and more is due, where it has passed
    /// history of which all was taken back, and a gap follows.
    pub(super) fn take_or_pass(
        &mut self,
        rules: &Rules,
        now: Instant,
        session: SessionId,
        budget: Budget,
    ) -> (Vec<Taken>, bool) {
        let Some(mut listener) = self.here.get(&session).cloned() else {
            return (Vec::new(), false);
        };
        let (mut messages, mut bytes) = (budget.messages.max(1), budget.bytes);
        let mut taken = Vec::new();
        let mut any = false;
        for level in Priority::ALL {
            if messages == 0 {
                break;
            }
            let lost = self.lost(rules, level, &listener, now);
            let mut gap = std::mem::take(&mut listener.missed[level]);
            for (position, cause) in lost.iter().copied() {
                // What is too old behind something that was there before is told behind that.
                if listener.pending[level].front() != Some(&position) {
                    break;
                }
                listener.pending[level].pop_front();
                listener.skip(level, cause);
                gap.add(cause);
            }
            taken.extend(gap.told().map(|(cause, count)| Taken::Gap(level, count, cause)));
            let history = listener.history[level];
            loop {
                let pending = &mut listener.pending[level];
                let directs = &mut listener.directs[level];
                let next = pending.front().and_then(|&at| self.find(level, at));
                let is_gap = next.is_some_and(|next| {
                    lost.iter().any(|&(position, _)| position == next.position)
                });
                // What was sent directly comes behind what had been dispatched before it.
                let direct = directs
                    .front()
                    .filter(|waits| next.is_none_or(|next| next.position >= waits.follows));
                if is_gap && direct.is_none() {
                    // The next batch begins with it, and nothing lower comes before.
                    messages = 0;
                    break;
                }
                if direct.is_none()
                    && next.is_some_and(|next| self.withdrawn[level].contains(&next.position))
                {
                    listener.pass_withdrawn(level);
                    continue;
                }
                let Some(size) = direct.map(|waits| waits.bytes).or(next.map(|next| next.bytes))
                else {
                    break;
                };
                if messages == 0 || (any && size > bytes) {
                    // Nothing lower may overtake what did not fit.
                    messages = 0;
                    break;
                }
                any = true;
                messages -= 1;
                bytes = bytes.saturating_sub(size);
                match (direct, next) {
                    (Some(waits), _) => {
                        self.directs[level].delivered += 1;
                        taken.push(Taken::Direct(waits.id, Some(waits.at)));
                        directs.pop_front();
                    }
                    (None, Some(next)) => {
                        listener.counts[level].delivered += 1;
                        taken.push(if next.position < history {
                            Taken::History(next.id)
                        } else {
                            Taken::Message(next.id)
                        });
                        listener.handed[level] = next.position + 1;
                        pending.pop_front();
                    }
                    (None, None) => {}
                }
            }
        }
        let is_due = listener.is_due();
        self.here.insert(session, listener);
        (taken, is_due)
    }
}

/// What a sweep hands one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Swept {
    /// A batch, and whether more is due.
    Batch(Vec<Taken>, bool),
    /// The end.
    End(EndReason),
}

/// A part of an expected batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// A gap.
    Gap(Priority, u64, GapCause),
    /// The message with this number.
    Message(u64),
    /// The message with this number, which was there before the session came.
    History(u64),
    /// The direct message with this number, and when it was sent.
    Direct(u64, Option<Instant>),
}

impl Taken {
    /// The message with this number, which was there before the session came or not.
    pub fn of(id: u64, is_history: bool) -> Self {
        if is_history { Self::History(id) } else { Self::Message(id) }
    }
}

/// Compares a batch with what it should be.
pub fn check_batch(expected: (Vec<Taken>, bool), batch: &Batch<Probe>) -> Check {
    let mut last: Option<(Priority, Seq)> = None;
    let mut found = Vec::new();
    for item in batch.items() {
        match item {
            Item::Gap { priority, count, cause } => found.push(Taken::Gap(priority, count, cause)),
            Item::Message(message) => {
                let here = (message.priority, message.seq);
                if last.is_some_and(|(level, seq)| {
                    here.0 > level || (here.0 == level && here.1 <= seq)
                }) {
                    return Err(Violation::new(
                        Law::L3Priority,
                        "the order inside a batch",
                        last,
                        here,
                    ));
                }
                last = Some(here);
                found.push(Taken::of(message.payload.id(), batch.is_history(message)));
            }
            Item::Direct(direct) => found.push(Taken::Direct(direct.payload.id(), direct.sent_at)),
        }
    }
    for level in Priority::ALL {
        let gaps = found.iter().filter_map(|item| match item {
            Taken::Gap(priority, count, _) if *priority == level => Some(count),
            _ => None,
        });
        same(Law::Batches, "the gap by its priority", gaps.sum(), batch.gap(level))?;
    }
    let directs = found.iter().filter(|item| matches!(item, Taken::Direct(..))).count();
    same(Law::Batches, "the direct messages by themselves", directs, batch.directs().len())?;
    same(Law::Batches, "the messages by themselves", batch.items().count(), found.len())?;
    same(Law::Batches, "a batch and whether there is more", expected, (found, batch.more()))
}
