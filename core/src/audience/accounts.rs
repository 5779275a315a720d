//! The books of the audience: sums that are kept, so that no walk is needed.

use super::positions::Span;
use crate::direct::Directs;
use crate::gap::Skips;
use crate::ledger::Deliveries;
use crate::priority::{PerLevel, Priority};
use alloc::boxed::Box;

/// The books over all sessions that are and were in. Each method books one thing that happens, at
/// every sum that it concerns: what balances before balances after.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    /// Sessions that are in and not ending: those for which `due` grows.
    live: u32,
    /// None while all of them are nothing.
    sums: Option<Box<PerLevel<Sums>>>,
    /// None while no direct message was sent.
    directs: Option<Box<DirectBooks>>,
}

/// The books of the direct messages.
#[derive(Debug, Default)]
struct DirectBooks {
    levels: PerLevel<Directs>,
    /// What those hold that wait.
    bytes: u64,
}

/// The books of one level over all sessions.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    /// Of the live sessions: their start positions, their cursors, their own messages that they
    /// have not passed. The positions are summed modulo 2⁶⁴: what is told is how far behind they
    /// are in all, and that fits.
    starts: u64,
    cursors: u64,
    own_unread: u64,
    /// How many live sessions have masked the level, and the sum of their cursors, modulo 2⁶⁴.
    masked: u64,
    masked_cursors: u64,
    /// Of the ending sessions: what they have not read.
    ending_pending: u64,
    /// `due` that no longer follows from a start position: of sessions that end or ended, and what
    /// the hand folded.
    settled_due: u64,
    delivered: u64,
    skipped: Skips,
    /// Without what stands between the cursors of masked levels and the head.
    excluded: u64,
    abandoned: u64,
}

/// Something is to be booked for the first time.
#[cold]
#[inline(never)]
fn begin(sums: &mut Option<Box<PerLevel<Sums>>>) -> &mut PerLevel<Sums> {
    sums.insert(Box::default())
}

/// Whether more becomes due for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is in.
    Live,
    /// It was closed, and takes what it was due by then.
    Ending,
}

impl Accounts {
    #[inline]
    fn sums_mut(&mut self) -> &mut PerLevel<Sums> {
        match &mut self.sums {
            Some(sums) => sums,
            none => begin(none),
        }
    }

    #[inline]
    fn sums_of(&mut self, level: Priority) -> &mut Sums {
        &mut self.sums_mut()[level]
    }

    fn directs_mut(&mut self) -> &mut DirectBooks {
        self.directs.get_or_insert_default()
    }

    fn direct_of(&mut self, level: Priority) -> &mut Directs {
        &mut self.directs_mut().levels[level]
    }

    /// A session comes that starts here.
    #[inline]
    pub(super) fn come(&mut self, starts: &PerLevel<u64>) {
        self.live += 1;
        if self.sums.is_none() && *starts == PerLevel::default() {
            return;
        }
        for (sums, &start) in self.sums_mut().0.iter_mut().zip(&starts.0) {
            sums.starts = sums.starts.wrapping_add(start);
            sums.cursors = sums.cursors.wrapping_add(start);
        }
    }

    /// A live session without cold state goes: what it had not read is abandoned.
    #[inline]
    pub(super) fn go(&mut self, span: impl Fn(Priority) -> Span) {
        self.live -= 1;
        // A session stands nowhere behind the head, and where that is the beginning, nothing changes.
        if self.sums.is_none() && Priority::ALL.into_iter().all(|level| span(level).end == 0) {
            return;
        }
        for level in Priority::ALL {
            let Span { start, cursor, end } = span(level);
            let sums = self.sums_of(level);
            sums.leave_live(start, cursor);
            sums.settled_due += end - start;
            sums.abandoned += end - cursor;
        }
    }

    /// A live session that has masked nothing begins to end: from here on, nothing more becomes
    /// due for it. `books` tells where it stands, and how many of its own messages are ahead.
    pub(super) fn retire(&mut self, books: impl Fn(Priority) -> (Span, u64)) {
        self.live -= 1;
        for level in Priority::ALL {
            let (Span { start, cursor, end }, own_unread) = books(level);
            let sums = self.sums_of(level);
            sums.leave_live(start, cursor);
            sums.own_unread -= own_unread;
            sums.settled_due += end - start;
            sums.ending_pending += end - cursor - own_unread;
        }
    }

    /// An ending session is gone that had so much left to read.
    pub(super) fn abandon(&mut self, level: Priority, pending: u64) {
        self.sums_of(level).ending_pending -= pending;
        self.sums_of(level).abandoned += pending;
    }

    /// So many live sessions without cold state have each read these numbers of messages.
    #[inline]
    pub(super) fn read(&mut self, counts: &PerLevel<u32>, sessions: u32) {
        for (sums, &count) in self.sums_mut().0.iter_mut().zip(&counts.0) {
            if count > 0 {
                let messages = u64::from(count) * u64::from(sessions);
                sums.cursors = sums.cursors.wrapping_add(messages);
                sums.delivered += messages;
            }
        }
    }

    /// The cursor of a session moves on by `positions`, of which `own` are messages of its own.
    /// What became of the others is booked besides: delivered, skipped, or excluded.
    #[inline]
    pub(super) fn pass(&mut self, level: Priority, stage: Stage, positions: u64, own: u64) {
        let sums = self.sums_of(level);
        match stage {
            Stage::Live => {
                sums.cursors = sums.cursors.wrapping_add(positions);
                sums.own_unread -= own;
            }
            Stage::Ending => sums.ending_pending -= positions - own,
        }
    }

    /// Of what a session passed, so many messages were handed to it.
    #[inline]
    pub(super) fn deliver(&mut self, level: Priority, messages: u64) {
        self.sums_of(level).delivered += messages;
    }

    /// Of what a session passed, so many messages had fallen out of the log, or were too old.
    pub(super) fn skip(&mut self, level: Priority, skips: Skips) {
        self.sums_of(level).skipped += skips;
    }

    /// So many live sessions without cold state have each passed these messages and not got them.
    pub(super) fn miss(&mut self, level: Priority, skips: Skips, sessions: u32) {
        let sums = self.sums_of(level);
        let of_all = skips.times(sessions);
        sums.cursors = sums.cursors.wrapping_add(of_all.total());
        sums.skipped += of_all;
    }

    /// Returns what was skipped of each level, by cause.
    pub(super) fn skips(&self) -> PerLevel<Skips> {
        let sums = self.sums.as_deref().copied().unwrap_or_default();
        PerLevel::from_fn(|level| sums[level].skipped)
    }

    /// Of what a session passed, so many messages were not meant for it: it has masked the level.
    pub(super) fn exclude(&mut self, level: Priority, messages: u64) {
        self.sums_of(level).excluded += messages;
    }

    /// A message ahead of a live session is its own.
    #[inline]
    pub(super) fn exclude_own(&mut self, level: Priority) {
        self.sums_of(level).own_unread += 1;
        self.sums_of(level).excluded += 1;
    }

    /// The next message of a live session is its own, and it passes it at once.
    #[inline]
    pub(super) fn pass_own(&mut self, level: Priority) {
        let sums = self.sums_of(level);
        sums.cursors = sums.cursors.wrapping_add(1);
        sums.excluded += 1;
    }

    /// The start position of a live session moves on: so much of its `due` is settled.
    pub(super) fn fold(&mut self, level: Priority, positions: u64) {
        let sums = self.sums_of(level);
        sums.starts = sums.starts.wrapping_add(positions);
        sums.settled_due += positions;
    }

    /// A live session masks the level, with its cursor at `head`.
    pub(super) fn mask(&mut self, level: Priority, head: u64) {
        let sums = self.sums_of(level);
        sums.masked += 1;
        sums.masked_cursors = sums.masked_cursors.wrapping_add(head);
    }

    /// A live session masks the level no longer, with its cursor at `head`.
    pub(super) fn unmask(&mut self, level: Priority, head: u64) {
        let sums = self.sums_of(level);
        sums.masked -= 1;
        sums.masked_cursors = sums.masked_cursors.wrapping_sub(head);
    }

    /// The cursor of a level that a live session has masked moves on: what it passes is excluded
    /// for good, and is booked as that besides.
    pub(super) fn move_masked(&mut self, level: Priority, positions: u64) {
        let sums = self.sums_of(level);
        sums.cursors = sums.cursors.wrapping_add(positions);
        sums.masked_cursors = sums.masked_cursors.wrapping_add(positions);
    }

    /// Returns the books of one level, whose head stands here.
    pub(super) fn sum_of(&self, level: Priority, head: u64) -> Deliveries {
        let sums = self.sums.as_ref().map_or_else(Sums::default, |sums| sums[level]);
        let reached = u64::from(self.live).wrapping_mul(head);
        let masked = sums.masked.wrapping_mul(head).wrapping_sub(sums.masked_cursors);
        let behind = reached.wrapping_sub(sums.cursors);
        Deliveries {
            due: sums.settled_due + reached.wrapping_sub(sums.starts),
            delivered: sums.delivered,
            skipped: sums.skipped.total(),
            pending: sums.ending_pending + behind - sums.own_unread - masked,
            excluded: sums.excluded + masked,
            abandoned: sums.abandoned,
        }
    }
}

impl Accounts {
    /// A direct message of so many bytes waits for a session.
    pub(super) fn keep_direct(&mut self, level: Priority, bytes: u64) {
        self.directs_mut().bytes += bytes;
        self.direct_of(level).sent += 1;
        self.direct_of(level).pending += 1;
    }

    /// A direct message was offered to a session for which as much waits as may.
    pub(super) fn refuse_direct(&mut self, level: Priority) {
        self.direct_of(level).sent += 1;
        self.direct_of(level).refused += 1;
    }

    /// A session took so many direct messages, of so many bytes.
    pub(super) fn deliver_directs(&mut self, level: Priority, count: u32, bytes: u64) {
        self.directs_mut().bytes -= bytes;
        self.direct_of(level).pending -= u64::from(count);
        self.direct_of(level).delivered += u64::from(count);
    }

    /// A session is gone for which a direct message of so many bytes waited.
    pub(super) fn abandon_direct(&mut self, level: Priority, bytes: u64) {
        self.directs_mut().bytes -= bytes;
        self.direct_of(level).pending -= 1;
        self.direct_of(level).abandoned += 1;
    }

    /// Returns the bytes of the direct messages that wait.
    pub(super) fn direct_bytes(&self) -> u64 {
        self.directs.as_ref().map_or(0, |directs| directs.bytes)
    }

    /// Returns what became of every direct message, by level.
    pub(super) fn directs(&self) -> PerLevel<Directs> {
        self.directs.as_ref().map_or_else(PerLevel::default, |directs| directs.levels)
    }
}

impl Sums {
    /// A session that stands here counts among the live ones no longer.
    #[inline]
    fn leave_live(&mut self, start: u64, cursor: u64) {
        self.starts = self.starts.wrapping_sub(start);
        self.cursors = self.cursors.wrapping_sub(cursor);
    }
}
