//! One connection of a pump's task, and what it has yet to take.

use super::PumpStats;
use super::mailbox::Inbox;
use super::pace::Pace;
use super::rest::Rest;
use super::transport::Transport;
use super::writable::Unblock;
use crate::sync::Arc;
use roomcast_core::SessionId;
use roomcast_core::resume::Rewind;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// Interruptions in a row after which a write counts as one that nothing was taken of.
const MAX_INTERRUPTIONS: u32 = 16;

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// All of it was taken.
    All,
    /// The rest is kept; the connection is blocked until its transport says otherwise.
    Blocked,
    /// The connection is gone.
    Gone,
}

/// How a connection that is not blocked gets what it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// With all others.
    Shared,
    /// By itself: it is listed for that, once.
    Listed,
    /// Not now: it has as much in flight as it may, and an entry among those that are held back.
    HeldBack,
}

#[derive(Debug)]
pub(super) struct Connection<T> {
    pub(super) session: SessionId,
    pub(super) transport: T,
    /// What the host has to say to it. It waits there while the connection is blocked.
    pub(super) inbox: Inbox,
    /// While it could not take all.
    pub(super) blocked: Option<Box<Blocked>>,
    /// What it may have in flight.
    pub(super) pace: Pace,
    /// Whether it is served by itself, and so not with the others.
    pub(super) turn: Turn,
    /// The instant of its entry in `watch`, if it has one. It keeps it when it is free again: many
    /// are blocked again soon.
    pub(super) watched: Option<Instant>,
    /// What it was offered when it was found to be gone.
    pub(super) lost: Rewind,
}

#[derive(Debug)]
pub(super) struct Blocked {
    pub(super) unblock: Arc<Unblock>,
    pub(super) rest: Rest,
    /// Since when it takes the rest, and how many bytes of it it has taken.
    pub(super) began: Instant,
    pub(super) taken: u64,
    /// When it last took something; once nothing follows the rest, since when that is so.
    pub(super) since: Instant,
    /// Nothing follows the rest: its session has ended, or the rest ends with a close.
    pub(super) last: bool,
    /// The rest ends with a close, which goes out though the host lets go.
    pub(super) closing: bool,
    /// Not to be asked before, whatever its waker says: it has an entry in `retries`.
    pub(super) retry: Option<Instant>,
}

impl Blocked {
    /// Nothing follows any more. From now on it has a limited time for all of the rest.
    pub(super) fn end(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.last, true) {
            self.since = now;
        }
    }
}

/// Offers bytes until they are all taken or nothing more is taken now; returns how many were.
pub(super) fn offer<T: Transport>(
    transport: &mut T,
    bytes: &[u8],
    stats: &mut PumpStats,
) -> Result<usize, ()> {
    let (mut taken, mut interruptions) = (0, 0);
    while taken < bytes.len() {
        stats.writes += 1;
        match guarded(stats, || transport.try_write(&bytes[taken..])).ok_or(())? {
            Ok(0) => return Err(()),
            Ok(count) => {
                let count = count.min(bytes.len() - taken);
                stats.bytes += count as u64;
                taken += count;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                interruptions += 1;
                if interruptions == MAX_INTERRUPTIONS {
                    break;
                }
            }
            Err(_) => return Err(()),
        }
    }
    Ok(taken)
}

/// Calls a transport; `None` if it panics: that ends its own connection and nothing else.
pub(super) fn guarded<R>(stats: &mut PumpStats, call: impl FnOnce() -> R) -> Option<R> {
    let answer = catch_unwind(AssertUnwindSafe(call)).ok();
    stats.panics += u64::from(answer.is_none());
    answer
}
