//! The fate of a forward.

use super::record::FateRecord;
use roomcast_core::Instant;
use roomcast_core::ids::Seq;
use roomcast_core::ledger::{DropReason, Reason, RefusalReason};
use roomcast_core::time::Duration;

/// What became of a forward at the room's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decided {
    /// It went out.
    Dispatched {
        /// Its number in the room.
        seq: Seq,
    },
    /// It was let in and never went out.
    Dropped {
        /// Why; `None`: for a reason that the owner's version knows and this one does not.
        reason: Option<DropReason>,
        /// The earliest instant at which the same could go out, by the clock of the
        /// [flight](super::Flight::sent_at) that says so.
        retry_at: Option<Instant>,
    },
    /// The room did not let it in.
    Refused {
        /// Why; `None`: for a reason that the owner's version knows and this one does not.
        reason: Option<RefusalReason>,
        /// The first instant at which every limit would agree, by the clock of the
        /// [flight](super::Flight::sent_at) that says so.
        retry_at: Option<Instant>,
    },
    /// It became one with a message that waited, and shares its fate.
    Merged {
        /// The number of that one, if it came from the same edge.
        carrier: Option<u64>,
    },
    /// A count was added, or a command carried out.
    Done,
    /// A count or a command changed nothing.
    NotDone(NotDone),
}

/// Why a count or a command changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotDone {
    /// The actor may not do it.
    NotAllowed,
    /// A list is full, a key or a value is too long, or a counter would overflow.
    Limit,
    /// Somebody else has changed the attributes first.
    Conflict,
    /// The room is closed.
    RoomClosed,
    /// Whoever is to own the room is banned.
    Banned,
    /// The owner does not know any more who has said it.
    Gone,
    /// A setting cannot change while the room runs.
    Fixed,
    /// The owner's version does not know it, or this version does not know the reason.
    Unknown,
}

impl NotDone {
    const ALL: [(Self, &'static str); 8] = [
        (Self::NotAllowed, "not_allowed"),
        (Self::Limit, "limit"),
        (Self::Conflict, "conflict"),
        (Self::RoomClosed, "room_closed"),
        (Self::Banned, "banned"),
        (Self::Gone, "gone"),
        (Self::Fixed, "fixed"),
        (Self::Unknown, "unknown"),
    ];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(this, _)| *this == self).map_or("unknown", |(_, name)| name)
    }

    fn named(name: &str) -> Self {
        Self::ALL.iter().find(|(_, its)| *its == name).map_or(Self::Unknown, |(this, _)| *this)
    }
}

impl Decided {
    /// Its instant becomes that of another clock.
    pub(super) fn move_instants(&mut self, to: impl Fn(Instant) -> Instant) {
        if let Self::Dropped { retry_at, .. } | Self::Refused { retry_at, .. } = self {
            *retry_at = retry_at.map(to);
        }
    }

    pub(super) fn record(self, edge: u64, number: u64, sent_at: Instant) -> FateRecord<'static> {
        let after = |at: Option<Instant>| at.map(|at| nanos(at.saturating_since(sent_at)));
        let (seq, reason, retry_after, carrier) = (None, None, None, None);
        let none = FateRecord { edge, number, fate: 0, seq, reason, retry_after, carrier };
        match self {
            Self::Dispatched { seq } => FateRecord { seq: Some(seq.0), ..none },
            Self::Dropped { reason, retry_at } => {
                let reason = reason.map(Reason::name);
                FateRecord { fate: 1, reason, retry_after: after(retry_at), ..none }
            }
            Self::Refused { reason, retry_at } => {
                let reason = reason.map(Reason::name);
                FateRecord { fate: 2, reason, retry_after: after(retry_at), ..none }
            }
            Self::Merged { carrier } => FateRecord { fate: 3, carrier, ..none },
            Self::Done => FateRecord { fate: 4, ..none },
            Self::NotDone(why) => FateRecord { fate: 5, reason: Some(why.name()), ..none },
        }
    }

    pub(super) fn read(record: &FateRecord<'_>, sent_at: Instant) -> Result<Self, String> {
        let retry_at = record.retry_after.map(|after| sent_at + Duration::from_nanos(after));
        let reason = record.reason.unwrap_or_default();
        Ok(match record.fate {
            0 => Self::Dispatched { seq: Seq(record.seq.ok_or("a dispatch without a number")?) },
            1 => Self::Dropped { reason: DropReason::named(reason), retry_at },
            2 => Self::Refused { reason: RefusalReason::named(reason), retry_at },
            3 => Self::Merged { carrier: record.carrier },
            4 => Self::Done,
            5 => Self::NotDone(NotDone::named(reason)),
            other => return Err(format!("fate {other} (want 0 to 5)")),
        })
    }
}

fn nanos(duration: Duration) -> u64 {
    duration.as_nanos().try_into().unwrap_or(u64::MAX)
}
