//! What the host says beside the room's rate goes out in the call itself: notices, broadcasts and
//! tips.

use super::Oracle;
use super::going::Sent;
use crate::checked::Crossed;
use crate::violation::{Check, Law, Violation, same};
use roomcast_core::audit::Fate;
use roomcast_core::ids::{Seq, SessionKey};
use roomcast_core::ledger::RefusalReason;
use roomcast_core::message::Sender;
use roomcast_core::{Instant, Kind, Priority};

/// What goes out at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct AtOnce {
    /// The number of its payload.
    pub(super) payload: u64,
    pub(super) level: Priority,
    pub(super) kind: Kind,
    pub(super) units: u64,
    /// When it was let in.
    pub(super) admitted_at: Instant,
}

impl Oracle {
    /// The host offers one message that stands for itself; returns whether its size lets it in.
    pub(super) fn host_offers(&mut self, level: Priority, kind: Kind, size: usize) -> bool {
        let fits = size <= self.rules.payload_bytes as usize;
        self.submitted += 1;
        let row = &mut self.books[level];
        row.submitted += 1;
        row.units_submitted = row.units_submitted.wrapping_add(1);
        if !fits {
            *row.refused.entry(RefusalReason::TooLarge).or_default() += 1;
            row.units_refused = row.units_refused.wrapping_add(1);
            let fate = Fate::Refused { reason: RefusalReason::TooLarge, limit: None };
            self.own_fated(level, kind, 1, fate);
        }
        fits
    }

    /// The next message that went out is this one: it goes out at this instant, and takes the next
    /// number of the room and the next place of its level.
    pub(super) fn goes_at_once<'a>(
        &mut self,
        now: Instant,
        what: &str,
        expected: AtOnce,
        sent: &mut Sent<'a>,
    ) -> Result<(&'a Crossed, Seq), Violation> {
        let AtOnce { payload, level, kind, units, admitted_at } = expected;
        let Some(m) = sent.next() else {
            return Err(Violation::new(
                Law::L5Rate,
                format_args!("{what} goes out"),
                expected,
                "nothing sent",
            ));
        };
        let (seq, position) = self.next_place(level);
        let row = &mut self.books[level];
        row.dispatched += 1;
        row.units_dispatched = row.units_dispatched.wrapping_add(units);
        self.own_fated(level, kind, units, Fate::Dispatched { seq });
        same(
            Law::L4Order,
            what,
            (
                payload,
                seq,
                position,
                level,
                kind,
                Sender::Host,
                None::<SessionKey>,
                admitted_at,
                now,
            ),
            (
                m.payload.id(),
                m.seq,
                m.position,
                m.priority,
                m.kind,
                m.sender,
                m.session,
                m.admitted_at,
                m.dispatched_at,
            ),
        )?;
        same(Law::L1Messages, "what it stands for", (1, units), (m.messages, m.units))?;
        Ok((m, seq))
    }

    /// The number and the place of the next message of a level: both are taken by it.
    pub(super) fn next_place(&mut self, level: Priority) -> (Seq, u64) {
        let (seq, position) = (Seq(self.heads.values().sum::<u64>() + 1), self.heads[level]);
        self.heads[level] += 1;
        (seq, position)
    }

    /// Nothing that is left went out.
    pub(super) fn nothing_beside(what: &str, sent: &Sent<'_>) -> Check {
        same(Law::L5Rate, format_args!("what goes out beside {what}"), 0, sent.len())
    }
}
