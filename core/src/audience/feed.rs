//! The audience's end of the feed: what was dispatched, and how much of it has been applied.

use super::positions::{MAX_LAG, Positions};
use super::replay::Replay;
use crate::config::Settings;
use crate::deferred_drops::DeferredDrops;
use crate::event::StartPosition;
use crate::gap::GapCause;
use crate::ids::Seq;
use crate::log::{Log, MOVED};
use crate::message::{Message, Payload};
use crate::priority::{PerLevel, Priority};
use crate::resume::ResumeToken;
use crate::time::{Duration, Instant};
use alloc::boxed::Box;
use alloc::sync::Arc;

/// The log, and what follows from how far it has come.
#[derive(Debug)]
pub(super) struct Feed<M> {
    log: Log<M>,
    /// Whether the log holds more than it may.
    is_trimming: bool,
    /// The low halves of the log's heads: what the cursors of whoever has read everything say.
    low_heads: Positions,
    applied: Seq,
    /// When the last message was dispatched.
    last: Instant,
    /// Whether the log holds messages that are too old for it.
    is_expiring: bool,
    /// Whether any level has an age at which sessions get its messages no more.
    bounds_deliveries: bool,
    /// What a late joiner gets, if anything.
    late: Option<Box<Replay>>,
    /// How old a token may be that a session goes on with, and what it reads.
    resume_within: Duration,
    /// How far ahead its time may be.
    resume_skew: Duration,
    /// How many messages of each level such a session may be behind.
    resume_messages: u32,
}

impl<M: Payload> Feed<M> {
    /// As if so many messages of each level had been applied before.
    pub(super) fn new(settings: &Settings, heads: PerLevel<u64>) -> Self {
        let log = Log::new(settings, heads);
        Self {
            bounds_deliveries: log.bounds_deliveries(),
            log,
            is_trimming: false,
            low_heads: heads.0.map(|head| head as u32),
            applied: Seq(heads.values().sum()),
            last: Instant::ZERO,
            is_expiring: false,
            late: Replay::new(settings.replay_on_join),
            resume_within: settings.resume_within,
            resume_skew: settings.resume_skew,
            resume_messages: settings.resume_messages,
        }
    }

    /// That of an audience that is opened beside this one's: with the newest of its messages, as
    /// many as one call may take over.
    pub(super) fn beside(&self, settings: &Settings) -> Self {
        Self {
            log: self.log.newest(),
            late: self.late.clone(),
            resume_within: settings.resume_within,
            resume_skew: settings.resume_skew,
            resume_messages: settings.resume_messages,
            ..*self
        }
    }

    /// From now on other bounds. What is more or older than they allow goes at
    /// [`trim`](Self::trim), which has to follow.
    pub(super) fn reconfigure(&mut self, settings: &Settings) {
        self.resume_within = settings.resume_within;
        self.resume_skew = settings.resume_skew;
        self.resume_messages = settings.resume_messages;
        self.late = Replay::change(self.late.take(), settings.replay_on_join);
        self.log.reconfigure(settings);
        self.bounds_deliveries = self.log.bounds_deliveries();
    }

    /// From now on the log may hold nothing; [`trim`](Self::trim) has to follow.
    pub(super) fn hold_nothing(&mut self) {
        self.log.hold_nothing();
    }

    /// Lets go of what the log holds and may hold no more, as much as one call may. Whoever had not
    /// read it has missed it.
    pub(super) fn trim(&mut self, now: Instant, deferred: &mut DeferredDrops<M>) {
        let mut left = MOVED;
        self.is_trimming = self.log.trim(now, &mut left, deferred);
        if let Some(late) = &mut self.late {
            late.limit(|level| self.log.len(level));
        }
        self.is_expiring = self.log.expire(now, &self.kept(), &mut left, deferred);
    }

    /// Lets go of the messages of a level below a position at `now`. Whoever had not read them has
    /// missed them, and late joiners get none of them.
    pub(super) fn give_up(
        &mut self,
        now: Instant,
        level: Priority,
        below: u64,
        deferred: &mut DeferredDrops<M>,
    ) {
        self.log.give_up(now, level, below, deferred);
        if let Some(late) = &mut self.late {
            late.limit(|level| self.log.len(level));
            self.log.keep_less();
        }
    }

    /// Nobody reads the message of a level at a position any more. Returns whether it is here and was
    /// not withdrawn before. Where more are withdrawn than are remembered, the log gives up all up to
    /// the oldest of them.
    pub(super) fn withdraw(
        &mut self,
        now: Instant,
        level: Priority,
        position: u64,
        deferred: &mut DeferredDrops<M>,
    ) -> bool {
        let is_new = self.log.withdraw(level, position);
        if let Some(below) = self.log.withdrawn_too_many(level) {
            self.give_up(now, level, below, deferred);
        }
        is_new
    }

    /// Returns whether [`trim`](Self::trim) has left something to do.
    pub(super) fn is_trimming(&self) -> bool {
        self.is_trimming
    }

    /// Lets go of what is too old for the log at `now`, as much as one call may.
    pub(super) fn expire(&mut self, now: Instant, deferred: &mut DeferredDrops<M>) {
        self.is_expiring = self.log.expire(now, &self.kept(), &mut { MOVED }, deferred);
    }

    /// As [`expire`](Self::expire), of a room that has gone quiet: memory that is not needed for
    /// what is left is given back.
    pub(super) fn expire_quietly(&mut self, now: Instant, deferred: &mut DeferredDrops<M>) {
        self.expire(now, deferred);
        if !self.is_expiring {
            self.log.shrink();
        }
    }

    /// Returns when the log has to be looked at for its age, if nothing comes before: once all in
    /// it has become too old, or at once where one call could not let go of all.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        if self.is_expiring {
            return Some(Instant::ZERO);
        }
        self.log.all_old_at(self.last, &self.kept())
    }

    /// Returns how many messages of each level stay for late joiners, however old.
    fn kept(&self) -> PerLevel<u32> {
        self.late.as_ref().map_or_else(PerLevel::default, |late| late.counts())
    }

    /// Returns whether any level has an age at which sessions get its messages no more.
    #[inline]
    pub(super) fn bounds_deliveries(&self) -> bool {
        self.bounds_deliveries
    }

    /// Passes what has become too old by `now` for sessions that were in all the time. Returns
    /// whether there was any.
    #[inline]
    pub(super) fn move_floors(&mut self, now: Instant) -> bool {
        self.log.may_move_floors(now) && self.log.move_floors(now)
    }

    /// Appends the next message. Its sequence number has to be more than that of the last one.
    #[inline]
    pub(super) fn append(&mut self, message: Arc<Message<M>>, deferred: &mut DeferredDrops<M>) {
        let (level, seq) = (message.priority, message.seq);
        let follows = seq.0 == self.applied.0 + 1;
        self.applied = seq;
        self.last = message.dispatched_at;
        self.log.append(message, deferred);
        if let Some(late) = &mut self.late {
            late.note(level, self.log.len(level), follows);
            self.log.keep_less();
        }
        if self.log.may_expire(self.last) {
            self.expire(self.last, deferred);
        }
        self.low_heads[level.index()] = self.log.head(level) as u32;
    }

    /// So many messages of each level have been dispatched, and will not come here any more where
    /// they have not yet, for this cause.
    pub(super) fn pass_over(
        &mut self,
        heads: PerLevel<u64>,
        cause: GapCause,
        deferred: &mut DeferredDrops<M>,
    ) {
        for level in Priority::ALL {
            if cause == GapCause::Bus {
                self.log.lose(level, heads[level], deferred);
            } else {
                self.log.pass_over(level, heads[level], deferred);
            }
            self.low_heads[level.index()] = self.log.head(level) as u32;
        }
        self.applied = Seq(self.log.heads().values().sum());
        if let Some(late) = &mut self.late {
            late.forget();
            self.log.keep_less();
        }
    }

    /// Returns the messages themselves, and the positions of each level.
    #[inline]
    pub(super) fn log(&self) -> &Log<M> {
        &self.log
    }

    /// Returns the low halves of the log's heads.
    #[inline]
    pub(super) fn low_heads(&self) -> Positions {
        self.low_heads
    }

    /// Returns the last message applied.
    #[inline]
    pub(super) fn applied(&self) -> Seq {
        self.applied
    }

    /// Returns where a fresh session starts at each level, the last message that it does not get,
    /// and what that makes it.
    #[inline]
    pub(super) fn fresh_start(&self) -> (PerLevel<u64>, Seq, StartPosition) {
        let Some(late) = &self.late else {
            return (self.log.heads(), self.applied, StartPosition::Head);
        };
        let starts = PerLevel::from_fn(|level| self.log.head(level) - u64::from(late.given(level)));
        match late.given_in_all() {
            0 => (starts, self.applied, StartPosition::Head),
            given => (starts, Seq(self.applied.0 - given), StartPosition::Late),
        }
    }

    /// Returns whether a session may go on with a token: it is neither too old nor too far ahead of
    /// the time, and at no level so far behind that the low half of its position would soon mean another.
    /// Positions may be ahead: of what this audience has not got yet.
    pub(super) fn honours(&self, now: Instant, token: &ResumeToken) -> bool {
        let age = now.saturating_since(token.taken_at);
        let is_fresh = token.taken_at <= now + self.resume_skew && age < self.resume_within;
        let mut positions = token.positions.iter();
        is_fresh
            && positions.all(|(level, &position)| {
                let behind = self.log.head(level).saturating_sub(position);
                behind <= u64::from(MAX_LAG)
            })
    }

    /// Returns below which position of each level nobody reads who goes on with a token: so many
    /// messages back, and of these none that was dispatched too long ago, unless a fresh session
    /// would get it. With each goes the position below which messages were out of reach whatever
    /// their age.
    pub(super) fn resume_floors(&self, now: Instant) -> PerLevel<(u64, u64)> {
        let (fresh, ..) = self.fresh_start();
        PerLevel::from_fn(|level| {
            let back = self.log.head(level).saturating_sub(u64::from(self.resume_messages));
            let overrun = back.max(self.log.overrun(level));
            let young = self.log.first_where(level, |message| {
                now.saturating_since(message.dispatched_at) < self.resume_within
            });
            let floor = back.max(young.min(fresh[level]));
            // Below the log's tail nobody reads anyway.
            (if floor > self.log.tail(level) { floor } else { 0 }, overrun)
        })
    }
}
