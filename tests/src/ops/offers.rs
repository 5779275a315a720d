//! Operations that offer a message, or decide on one.

use super::numbers::{self, level, of_another_life, pick};
use super::{Op, Player};
use crate::checked::Say;
use crate::oracle::messages::Hop;
use crate::payload::Probe;
use crate::violation::Check;
use roomcast_core::broadcasts::Broadcast;
use roomcast_core::ids::CorrelationId;
use roomcast_core::message::{DedupKey, OutcomeSink, Urgency};
use roomcast_core::{Kind, Source, UserId};

impl Player {
    /// A call that offers a message, or decides on one.
    pub(super) fn play_offer(&mut self, op: Op) -> Check {
        let now = self.now();
        match op {
            Op::Speak { who, level, size, outcome_sink, more } => {
                self.publish(
                    Source::Session(self.session(who)),
                    (level, size, outcome_sink),
                    more,
                    None,
                )?;
            }
            Op::Host { level, size, outcome_sink, more } => {
                self.publish(Source::Host, (level, size, outcome_sink), more, None)?;
            }
            Op::Forward { user, who, what, more, hop: (age, hop) } => {
                let session = who.filter(|_| !self.sessions.is_empty()).map(|who| match who {
                    240.. => of_another_life(self.session(who), who),
                    _ => self.session(who),
                });
                let source = match hop % 128 {
                    0..8 => Source::Host,
                    _ => Source::Edge { user: UserId(u64::from(user % 6)), session },
                };
                let hop = (hop < 128).then(|| numbers::hop(now, age, hop));
                self.publish(source, what, more, hop)?;
            }
            Op::Broadcast { level, size, times } => self.broadcast((level, size), times)?,
            Op::Decide { which, verdict } => {
                if let Some(&ticket) =
                    self.tickets.get(usize::from(which) % self.tickets.len().max(1))
                {
                    self.checked.review(&mut self.room, now, ticket, &numbers::verdict(verdict))?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn publish(
        &mut self,
        source: Source,
        (at, size, outcome_sink): (u8, u8, u8),
        more: (u8, u8),
        hop: Option<Hop>,
    ) -> Check {
        let urgency = if outcome_sink < 224 { Urgency::Plain } else { Urgency::Urgent };
        let outcome_sink = match outcome_sink % 8 {
            0..4 => None,
            4 => Some(OutcomeSink::CountedOnly),
            5 => Some(OutcomeSink::Waiter(CorrelationId(u64::from(size)))),
            _ => Some(OutcomeSink::Event(CorrelationId(u64::from(size)))),
        };
        let kind = pick(&[Kind::Text, Kind::Custom, Kind::System, Kind::Notice], size);
        let (merge, units, key, counter) = numbers::more(more);
        let say = Say {
            source,
            level: level(at),
            kind,
            urgency,
            outcome_sink,
            merge,
            units,
            key,
            counter,
            hop,
            size: usize::from(size % 72),
        };
        let now = self.now();
        if let Some(ticket) =
            self.checked.publish(&mut self.room, now, say)?.ok().and_then(|receipt| receipt.review)
        {
            self.tickets.push(ticket);
            if self.tickets.len() > 16 {
                self.tickets.remove(0);
            }
        }
        Ok(())
    }

    pub(super) fn broadcast(&mut self, (at, size): (u8, u8), times: u8) -> Check {
        let (now, size) = (self.now(), usize::from(size % 72));
        for _ in 0..times % 128 % 71 {
            // Apart from all that is offered, and from tips.
            let id = 1 << 62 | self.broadcasts.count();
            let broadcast = Broadcast::new(DedupKey(id), Probe::new(id, size)).priority(level(at));
            if self.broadcasts.publish(now, broadcast).is_ok() {
                self.checked.broadcast(now, level(at), id, size)?;
            }
        }
        if times >= 128 {
            self.checked.import_broadcasts(&mut self.room, now, &self.broadcasts)
        } else {
            Ok(())
        }
    }
}
