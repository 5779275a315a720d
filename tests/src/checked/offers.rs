//! What is said in a room under watch: messages, broadcasts, decisions, notes to one alone.

use super::Checked;
use crate::oracle::directs::Note;
use crate::oracle::messages::{Hop, Offer};
use crate::oracle::reviews::Said;
use crate::payload::Probe;
use crate::violation::{Check, Law, Violation, same};
use roomcast_core::admission::ReviewDecision;
use roomcast_core::broadcasts::{Broadcast, Broadcasts};
use roomcast_core::direct::{DirectReceipt, DirectRefused};
use roomcast_core::ids::Ticket;
use roomcast_core::ledger::RefusalReason;
use roomcast_core::message::{DedupKey, MergeKey, OutcomeSink, Relayed, Urgency};
use roomcast_core::{
    Direct, Instant, Kind, Priority, Publish, Receipt, Recipient, RoomState, Source,
};

/// A message to offer.
#[derive(Clone, Copy, Debug)]
pub struct Say {
    /// Where it comes from.
    pub source: Source,
    /// Its priority.
    pub level: Priority,
    /// Its kind.
    pub kind: Kind,
    /// How its outcome is reported.
    pub outcome_sink: Option<OutcomeSink>,
    /// Whether it is marked to go before others.
    pub urgency: Urgency,
    /// What it may be merged by.
    pub merge: Option<MergeKey>,
    /// What it stands for.
    pub units: u64,
    /// What its repetition would carry.
    pub key: Option<DedupKey>,
    /// Where it is counted.
    pub counter: Option<&'static str>,
    /// What comes with it from an edge, if it comes from one.
    pub hop: Option<Hop>,
    /// Its size.
    pub size: usize,
}

impl Say {
    /// A text.
    pub fn text(source: Source, level: Priority, size: usize) -> Self {
        Self {
            source,
            level,
            kind: Kind::Text,
            outcome_sink: None,
            urgency: Urgency::Plain,
            merge: None,
            units: 1,
            key: None,
            counter: None,
            hop: None,
            size,
        }
    }
}

impl Checked {
    /// `RoomState::publish`.
    pub fn publish(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        say: Say,
    ) -> Result<Result<Receipt, RefusalReason>, Violation> {
        self.payloads += 1;
        let pair = [Probe::new(self.payloads, say.size), Probe::new(self.payloads, say.size)];
        let held = [pair[0].watch(), pair[1].watch()];
        let Say { source, level, kind, outcome_sink, urgency, .. } = say;
        let Say { merge, units, key, counter, hop, size, .. } = say;
        let offer = Offer {
            source,
            level: self.oracle.counts_as(level),
            kind,
            outcome_sink,
            urgency,
            merge,
            units,
            key,
            counter,
            hop,
            payload: self.payloads,
            size,
            held,
        };
        let publish = |payload| {
            let mut publish = Publish::new(source, payload).priority(level).kind(kind).units(units);
            (publish.merge_key, publish.dedup_key, publish.counter) = (merge, key, counter);
            publish.urgency = urgency;
            let relayed = |Hop { admitted_at, reviewed }| {
                let mut relayed = Relayed::default();
                (relayed.admitted_at, relayed.reviewed) = (admitted_at, reviewed);
                relayed
            };
            let publish = hop.map(relayed).into_iter().fold(publish, Publish::relayed);
            outcome_sink.into_iter().fold(publish, Publish::outcome_sink)
        };
        let [first, second] = pair.map(publish);
        let answer = room.publish(now, first);
        let told = |answer: &Result<Receipt, roomcast_core::Refused<Probe>>| {
            let refused = answer.as_ref();
            refused.copied().map_err(|refused| (refused.reason, refused.limit, refused.retry_at))
        };
        let third = publish(Probe::new(self.payloads, size));
        self.on_hub("publish", &told(&answer), |hub| told(&hub.publish(now, third)))?;
        match &answer {
            Ok(receipt) => {
                let twin = self.twin.publish(now, second).map_err(|refused| refused.reason);
                same(Law::L9Deterministic, "publish", Ok(*receipt), twin)?;
            }
            Err(refused) => {
                self.twin.book_refusal(now, second, refused.reason);
                self.is_unchanged(room)?;
            }
        }
        self.oracle.published(now, &offer, &answer, &self.twin.take_dispatches())?;
        self.inspect(room)?;
        Ok(answer.map_err(|refused| refused.reason))
    }

    /// `RoomState::import_broadcasts`.
    pub fn import_broadcasts(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        broadcasts: &Broadcasts<Probe>,
    ) -> Check {
        room.import_broadcasts(now, broadcasts);
        self.heard(room, now, broadcasts)
    }

    /// `RoomState::import_broadcasts` was called by someone else.
    pub fn heard(
        &mut self,
        room: &RoomState<Probe>,
        now: Instant,
        broadcasts: &Broadcasts<Probe>,
    ) -> Check {
        self.twin.import_broadcasts(now, broadcasts);
        self.oracle.heard(now, broadcasts.count(), &self.twin.take_dispatches())?;
        self.inspect(room)
    }

    /// The oracle is told of a broadcast before the room hears it.
    pub fn broadcast(&mut self, now: Instant, level: Priority, id: u64, size: usize) -> Check {
        self.oracle.broadcast(level, id, size);
        let broadcast = Broadcast::new(DedupKey(id), Probe::new(id, size)).priority(level);
        self.on_hub("broadcast", &true, |hub| hub.broadcast(now, broadcast))
    }

    /// `RoomState::review`.
    pub fn review(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        ticket: Ticket,
        verdict: &ReviewDecision<usize>,
    ) -> Check {
        self.payloads += 1;
        let id = self.payloads;
        let probes = |size| [Probe::new(id, size), Probe::new(id, size)];
        let (said, [first, second]) = match *verdict {
            ReviewDecision::Deny { code } => {
                (Said::Deny(code), [ReviewDecision::Deny { code }, ReviewDecision::Deny { code }])
            }
            ReviewDecision::Rewrite(size) => {
                let pair = probes(size);
                (
                    Said::Rewrite(id, size, [pair[0].watch(), pair[1].watch()]),
                    pair.map(ReviewDecision::Rewrite),
                )
            }
            _ => (Said::Allow, [ReviewDecision::Allow, ReviewDecision::Allow]),
        };
        let was_waiting = self.oracle.is_under_review(ticket);
        let answer = room.review(now, ticket, first);
        let third = match *verdict {
            ReviewDecision::Rewrite(size) => ReviewDecision::Rewrite(Probe::new(id, size)),
            ReviewDecision::Deny { code } => ReviewDecision::Deny { code },
            _ => ReviewDecision::Allow,
        };
        self.on_hub("review", &answer.is_ok(), |hub| hub.review(now, ticket, third))?;
        if answer.is_ok() {
            let twin = self.twin.review(now, ticket, second);
            same(Law::L9Deterministic, "review", format!("{answer:?}"), format!("{twin:?}"))?;
        } else {
            if was_waiting {
                // What was due is done all the same.
                self.twin.do_due(now);
            }
            self.is_unchanged(room)?;
        }
        self.oracle.reviewed(now, ticket, said, &answer, &self.twin.take_dispatches())?;
        self.inspect(room)
    }

    /// `RoomState::send_direct`, with a new payload of this size.
    pub fn send_direct(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        to: Recipient,
        level: Priority,
        size: usize,
    ) -> Check {
        self.payloads += 1;
        let pair = [Probe::new(self.payloads, size), Probe::new(self.payloads, size)];
        let held = [pair[0].watch(), pair[1].watch()];
        let [first, second] = pair.map(|payload| Direct::new(payload).priority(level));
        // Refused or not, it is booked by level: the twin hears of it.
        let (answer, twin) =
            (room.send_direct(now, to, first), self.twin.send_direct(now, to, second));
        let bare = |answer: &Result<DirectReceipt, DirectRefused<Probe>>| {
            answer.as_ref().map(|&receipt| receipt).map_err(|refused| refused.reason)
        };
        same(Law::L9Deterministic, "send_direct", bare(&answer), bare(&twin))?;
        let third = Direct::new(Probe::new(self.payloads, size)).priority(level);
        self.on_hub("send_direct", &bare(&answer).ok(), |hub| hub.send_direct(now, to, third))?;
        self.oracle.sent_directly(
            now,
            &Note { to, level, payload: self.payloads, size, held },
            &answer,
        )?;
        self.inspect(room)
    }
}
