//! Tips: what happened in the room, told to the room. A storm is folded into one message of each
//! kind in a window. [Clause A26](crate::rulebook#a26-tips).

use crate::ids::{PinId, Seq, UserId};
use crate::priority::Priority;
use crate::speak_mode::SpeakMode;
use crate::time::{Duration, Instant};
use alloc::boxed::Box;
use smallvec::SmallVec;

/// What a tip tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SystemMessageKind {
    /// Users came online.
    Joined,
    /// Users left, or their last session was closed.
    Left,
    /// Users were kicked.
    Kicked,
    /// Users were banned.
    Banned,
    /// Users were named admin.
    AdminSet,
    /// Users are admin no longer.
    AdminRemoved,
    /// Users were muted.
    Muted,
    /// Profiles of users changed.
    ProfileChanged,
    /// The attributes changed.
    AttributesChanged,
    /// Counters changed: likes and follows above all.
    Counters,
    /// What the room asks of those who speak changed.
    SpeakModeSet,
    /// Messages were taken back.
    Retracted,
    /// The room was handed over to these, one after the other.
    OwnerSet,
    /// What is pinned changed.
    Pinned,
}

impl SystemMessageKind {
    /// How many kinds there are.
    pub const NUM: usize = 14;
    /// All of them, in the order in which they go out at one instant.
    pub const ALL: [Self; Self::NUM] = [
        Self::Joined,
        Self::Left,
        Self::Kicked,
        Self::Banned,
        Self::AdminSet,
        Self::AdminRemoved,
        Self::Muted,
        Self::ProfileChanged,
        Self::AttributesChanged,
        Self::Counters,
        Self::SpeakModeSet,
        Self::Retracted,
        Self::OwnerSet,
        Self::Pinned,
    ];

    const fn index(self) -> usize {
        self as usize
    }
}

/// What happened, for [`Payload::system_message`](crate::Payload::system_message) to put into
/// words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SystemMessage<'a> {
    /// Something that happened to users.
    Users {
        /// What.
        kind: SystemMessageKind,
        /// How often since the last tip of this kind.
        count: u64,
        /// To whom first: at most [`SystemMessages::names`], in the order in which it happened. A
        /// user to whom it happened twice is there twice.
        first: &'a [UserId],
    },
    /// The attributes changed.
    Attributes {
        /// How often since the last tip of this kind.
        count: u64,
        /// Their version now.
        version: u64,
    },
    /// Counters that changed since the last tip of this kind, by key, with what they say now.
    Counters {
        /// Keys and values.
        changed: &'a [(&'a str, i64)],
    },
    /// What the room asks of those who speak changed.
    SpeakMode {
        /// How often since the last tip of this kind.
        count: u64,
        /// What it asks now.
        mode: SpeakMode,
    },
    /// Messages were taken back: whoever has got one shows it no more.
    Retracted {
        /// Their numbers, in order of the calls and within one rising: at most 256. What is more
        /// follows a [window](SystemMessages::window) later. At most 16,384 wait: of more, the newest.
        seqs: &'a [Seq],
    },
    /// Messages were pinned, replaced or unpinned.
    Pinned {
        /// How often since the last tip of this kind.
        count: u64,
        /// The numbers of what is pinned now, in the order in which it was.
        pinned: &'a [PinId],
    },
}

/// Which tips a room gives, and how they are folded.
///
/// Tips go out beside the room's rate: of each kind at most one in a window, so joining and leaving
/// 100,000 times a second costs the room none of its messages. What happens first after a quiet
/// time is told at once; what happens in the window after that is folded into one. Whether a room
/// gives tips at all is up to its payloads, too: see
/// [`Payload::system_message`](crate::Payload::system_message).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SystemMessages {
    levels: [Option<Priority>; SystemMessageKind::NUM],
    /// At most one tip of each kind in so long. Default 1 s.
    pub window: Duration,
    /// At most one tip of changed counters in so long. Default 4 s: an `AVChatRoom` tells its
    /// likes every 3 to 5.
    pub counters_every: Duration,
    /// Users that a tip names, at most 16. Default 3.
    pub names: u32,
}

/// Users that a tip may name.
pub(crate) const MAX_NAMES: u32 = 16;

/// Retracted messages that a tip may name.
pub(crate) const MAX_RETRACTED: usize = 256;

/// Retracted messages whose numbers wait for a tip: as many as a log remembers of all levels.
pub(crate) const MAX_UNTOLD: usize = 4 * 4_096;

impl SystemMessages {
    /// No tips.
    pub const NONE: Self = Self {
        levels: [None; SystemMessageKind::NUM],
        window: Duration::from_secs(1),
        counters_every: Duration::from_secs(4),
        names: 3,
    };
    /// All of them: coming, going and profiles at `Lowest`, counters at `Low`, what is done to
    /// users, attributes, speak modes and pins at `Normal`, what is taken back at `High`.
    pub const ALL: Self = {
        use Priority::{High, Low, Lowest, Normal};
        let [little, normal] = [Some(Lowest), Some(Normal)];
        Self {
            levels: [
                little,
                little,
                normal,
                normal,
                normal,
                normal,
                normal,
                little,
                normal,
                Some(Low),
                normal,
                Some(High),
                normal,
                normal,
            ],
            ..Self::NONE
        }
    };

    /// With tips of this kind at a priority; `None`: without.
    #[must_use]
    pub const fn with(mut self, kind: SystemMessageKind, level: Option<Priority>) -> Self {
        self.levels[kind.index()] = level;
        self
    }

    /// The priority of tips of this kind; `None` when the room gives none.
    pub const fn level(&self, kind: SystemMessageKind) -> Option<Priority> {
        self.levels[kind.index()]
    }

    /// Whether tips of some kind are given.
    pub(crate) fn are_any(&self) -> bool {
        self.levels.iter().any(Option::is_some)
    }

    const fn window_of(&self, kind: SystemMessageKind) -> Duration {
        match kind {
            SystemMessageKind::Counters => self.counters_every,
            _ => self.window,
        }
    }
}

impl Default for SystemMessages {
    /// None.
    fn default() -> Self {
        Self::NONE
    }
}

/// What has happened and has not been told yet, by kind.
#[derive(Debug)]
pub(crate) struct Folds {
    system_messages: SystemMessages,
    /// Made when the first thing happens that is told: most rooms give no tips.
    by_kind: Option<Box<[Fold; SystemMessageKind::NUM]>>,
    /// When the first is due.
    next: Option<Instant>,
}

#[derive(Debug, Default)]
pub(crate) struct Fold {
    pub(crate) count: u64,
    pub(crate) first: SmallVec<[UserId; 3]>,
    /// When the first of them happened.
    since: Instant,
    /// When the kind was told last.
    told: Option<Instant>,
}

impl Folds {
    pub(crate) fn new(system_messages: SystemMessages) -> Self {
        Self { system_messages, by_kind: None, next: None }
    }

    /// From now on other tips. What has happened and is not told yet is told as the new ones say;
    /// of a kind that is off, never.
    pub(crate) fn reconfigure(&mut self, system_messages: SystemMessages) {
        self.system_messages = system_messages;
        for (kind, fold) in SystemMessageKind::ALL
            .into_iter()
            .zip(self.by_kind.iter_mut().flat_map(|folds| folds.iter_mut()))
        {
            if system_messages.level(kind).is_none() {
                *fold = Fold { told: fold.told, ..Fold::default() };
            }
            fold.first.truncate(system_messages.names as usize);
        }
        self.next = self.first_due();
    }

    /// Something happened, to a user or to the room. O(1); nothing if the room gives no tips of
    /// this kind.
    #[inline]
    pub(crate) fn note(&mut self, now: Instant, kind: SystemMessageKind, user: Option<UserId>) {
        if self.system_messages.level(kind).is_some() {
            self.fold(now, kind, user);
        }
    }

    fn fold(&mut self, now: Instant, kind: SystemMessageKind, user: Option<UserId>) {
        let folds =
            self.by_kind.get_or_insert_with(|| Box::new(core::array::from_fn(|_| Fold::default())));
        let fold = &mut folds[kind.index()];
        if fold.count == 0 {
            fold.since = now;
        }
        // The first of them without a hole: a tip may name more by now than it did when they began.
        if fold.first.len() < self.system_messages.names as usize
            && fold.first.len() as u64 == fold.count
        {
            fold.first.extend(user);
        }
        fold.count += 1;
        if let Some(due) = self.due(kind) {
            self.next = Some(self.next.map_or(due, |next| next.min(due)));
        }
    }

    /// Whether the room gives tips of a kind.
    pub(crate) fn tells(&self, kind: SystemMessageKind) -> bool {
        self.system_messages.level(kind).is_some()
    }

    /// What has happened of a kind and has not been told yet.
    pub(crate) fn count(&self, kind: SystemMessageKind) -> u64 {
        self.by_kind.as_ref().map_or(0, |folds| folds[kind.index()].count)
    }

    /// When the first tip is due; `None` when nothing has happened.
    #[inline]
    pub(crate) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Takes what is to be told at `now`, in the order of the kinds; `None` when that is nothing
    /// more.
    pub(crate) fn take(&mut self, now: Instant) -> Option<(SystemMessageKind, Priority, Fold)> {
        let is_due = |kind: &SystemMessageKind| self.due(*kind).is_some_and(|due| due <= now);
        let taken = SystemMessageKind::ALL.into_iter().find(is_due).and_then(|kind| {
            let level = self.system_messages.level(kind)?;
            let fresh = Fold { told: Some(now), ..Fold::default() };
            Some((
                kind,
                level,
                core::mem::replace(&mut self.by_kind.as_mut()?[kind.index()], fresh),
            ))
        });
        if taken.is_none() {
            self.next = self.first_due();
        }
        taken
    }

    fn first_due(&self) -> Option<Instant> {
        SystemMessageKind::ALL.into_iter().filter_map(|kind| self.due(kind)).min()
    }

    fn due(&self, kind: SystemMessageKind) -> Option<Instant> {
        let fold = &self.by_kind.as_ref()?[kind.index()];
        let after =
            fold.told.map_or(Instant::ZERO, |told| told + self.system_messages.window_of(kind));
        (fold.count > 0).then(|| fold.since.max(after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A calm is told at once.
    #[test]
    fn a_storm_is_one_tip_a_window() {
        let mut folds = Folds::new(SystemMessages::ALL);
        let at = Instant::from_millis;
        let mut told = std::vec::Vec::new();
        for millis in 0..3_500 {
            folds.note(at(millis), SystemMessageKind::Joined, Some(UserId(millis)));
            while let Some((kind, level, fold)) = folds.take(at(millis)) {
                assert_eq!((kind, level), (SystemMessageKind::Joined, Priority::Lowest));
                told.push((millis, fold.count, fold.first.to_vec()));
            }
        }
        let names = |from: u64| (from..from + 3).map(UserId).collect::<std::vec::Vec<_>>();
        assert_eq!(
            told,
            [
                (0, 1, std::vec![UserId(0)]),
                (1_000, 1_000, names(1)),
                (2_000, 1_000, names(1_001)),
                (3_000, 1_000, names(2_001))
            ]
        );
        assert_eq!(folds.next(), Some(at(4_000)));
    }

    #[test]
    fn a_kind_that_is_off_costs_and_tells_nothing() {
        let mut folds =
            Folds::new(SystemMessages::NONE.with(SystemMessageKind::Kicked, Some(Priority::High)));
        folds.note(Instant::ZERO, SystemMessageKind::Joined, Some(UserId(1)));
        assert_eq!(folds.next(), None);
        folds.note(Instant::ZERO, SystemMessageKind::Kicked, Some(UserId(1)));
        assert_eq!(
            folds.take(Instant::ZERO).map(|(kind, level, _)| (kind, level)),
            Some((SystemMessageKind::Kicked, Priority::High))
        );
        assert!(folds.take(Instant::ZERO).is_none() && folds.next().is_none());
    }

    /// It names the first ones.
    #[test]
    fn a_tip_that_may_name_more_leaves_no_hole() {
        let system_messages = |names| SystemMessages {
            names,
            ..SystemMessages::NONE.with(SystemMessageKind::Kicked, Some(Priority::High))
        };
        for (changes, named) in [([1, 1, 3], 1), ([2, 1, 3], 1), ([3, 3, 3], 3), ([0, 2, 2], 0)] {
            let mut folds = Folds::new(system_messages(changes[0]));
            for (user, names) in (1..).zip(changes) {
                folds.note(Instant::ZERO, SystemMessageKind::Kicked, Some(UserId(user)));
                folds.reconfigure(system_messages(names));
            }
            folds.note(Instant::ZERO, SystemMessageKind::Kicked, Some(UserId(4)));
            let (_, _, fold) = folds.take(Instant::ZERO).unwrap();
            assert_eq!(
                (fold.count, fold.first.to_vec()),
                (4, (1..=named).map(UserId).collect()),
                "{changes:?}"
            );
        }
    }

    #[test]
    fn every_kind_knows_its_own_place() {
        assert!(
            SystemMessageKind::ALL.iter().enumerate().all(|(place, kind)| kind.index() == place)
        );
    }
}
