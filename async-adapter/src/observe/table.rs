//! The list of metrics: what is published, described and documented is made of it.

use roomcast_core::ledger::{DropReason, Reason, RefusalReason};
use roomcast_core::{GapCause, Priority};

/// Whether a metric counts up, or goes up and down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// How many so far.
    Counter,
    /// How many now.
    Gauge,
}

/// One metric that a hub publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Whether it counts up, or goes up and down.
    pub kind: MetricKind,
    /// What it counts: `messages`, `bytes`, and so on.
    pub unit: &'static str,
    /// The keys of its labels, beside `hub`.
    pub labels: &'static [&'static str],
    /// What it says.
    pub meaning: &'static str,
}

/// The labels that the series of a metric differ by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Labels {
    None,
    Level,
    Refusal,
    Drop,
    Cause,
}

impl Labels {
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            Self::Level => &["level"],
            Self::Refusal | Self::Drop => &["level", "reason"],
            Self::Cause => &["level", "cause"],
        }
    }

    /// The values of the second label.
    fn seconds(self) -> Vec<&'static str> {
        match self {
            Self::None | Self::Level => Vec::new(),
            Self::Refusal => RefusalReason::ALL.iter().map(|reason| reason.name()).collect(),
            Self::Drop => DropReason::ALL.iter().map(|reason| reason.name()).collect(),
            Self::Cause => GapCause::ALL.iter().map(|cause| cause.name()).collect(),
        }
    }

    /// How many series each level has.
    pub(super) const fn a_level(self) -> usize {
        match self {
            Self::None | Self::Level => 1,
            Self::Refusal => RefusalReason::ALL.len(),
            Self::Drop => DropReason::ALL.len(),
            Self::Cause => GapCause::ALL.len(),
        }
    }

    /// The labels of each series: level by level, the highest first.
    pub(super) fn series(self) -> Vec<Vec<(&'static str, &'static str)>> {
        if self == Self::None {
            return vec![Vec::new()];
        }
        let keys = self.keys();
        let mut series = Vec::new();
        for level in Priority::ALL {
            let first = (keys[0], level.name());
            let seconds = self.seconds();
            if seconds.is_empty() {
                series.push(vec![first]);
            }
            series.extend(seconds.into_iter().map(|second| vec![first, (keys[1], second)]));
        }
        series
    }
}

/// The labels in words, for the docs.
macro_rules! in_words {
    (None) => {
        ""
    };
    (Level) => {
        "`level`"
    };
    (Refusal) => {
        "`level`, `reason` ([`RefusalReason`](crate::stats::RefusalReason))"
    };
    (Drop) => {
        "`level`, `reason` ([`DropReason`](crate::stats::DropReason))"
    };
    (Cause) => {
        "`level`, `cause` ([`GapCause`](crate::GapCause))"
    };
}

macro_rules! metrics {
    ($($id:ident: $kind:ident $name:literal, $unit:literal, $labels:ident, $meaning:literal;)*) => {
        /// The metrics by their places in the list.
        #[derive(Clone, Copy, Debug)]
        // Without tokio there are no pumps.
        #[cfg_attr(not(feature = "tokio"), allow(dead_code))]
        pub(super) enum Id {
            $($id),*
        }

        /// Every metric that a hub publishes. `level` is one of the four priorities in lower case;
        /// `hub` is there if [`ObserveOptions::hub`](super::ObserveOptions::hub) names it. Every series
        /// is there from the first look on, at 0 if nothing has happened. When a room sheds is told
        /// [above](super).
        ///
        /// | metric | kind | unit | labels | what it says |
        /// | --- | --- | --- | --- | --- |
        $(#[doc = concat!(
            "| `", $name, "` | ", stringify!($kind), " | ", $unit, " | ", in_words!($labels), " | ", $meaning, " |"
        )])*
        pub const METRICS: &[Metric] = &[$(Metric {
            name: $name,
            kind: MetricKind::$kind,
            unit: $unit,
            labels: Labels::$labels.keys(),
            meaning: $meaning,
        }),*];

        /// The labels of each.
        pub(super) const LABELS: [Labels; METRICS.len()] = [$(Labels::$labels),*];
    };
}

metrics! {
    Submitted: Counter "roomcast_messages_submitted_total", "messages", Level,
        "offered, whatever became of them";
    FromEdges: Counter "roomcast_messages_from_edges_total", "messages", Level,
        "of those, what came from edges";
    Refused: Counter "roomcast_messages_refused_total", "messages", Refusal,
        "not let in";
    Dropped: Counter "roomcast_messages_dropped_total", "messages", Drop,
        "let in and never sent out";
    Merged: Counter "roomcast_messages_merged_total", "messages", Level,
        "folded into another message";
    Dispatched: Counter "roomcast_messages_dispatched_total", "messages", Level,
        "sent out to the audience; at an edge, let in and handed on to the room";
    Queued: Gauge "roomcast_messages_queued", "messages", Level,
        "waiting in the queues";
    UnderReview: Gauge "roomcast_messages_under_review", "messages", Level,
        "waiting for the host's verdict";
    Due: Counter "roomcast_deliveries_due_total", "deliveries", Level,
        "one dispatched message to one session that was in";
    Delivered: Counter "roomcast_deliveries_delivered_total", "deliveries", Level,
        "handed over in a batch";
    Skipped: Counter "roomcast_deliveries_skipped_total", "deliveries", Cause,
        "missed by a session that was too slow, and told to it as a gap";
    Excluded: Counter "roomcast_deliveries_excluded_total", "deliveries", Level,
        "not meant for the session: its own messages, and levels that it masks";
    Abandoned: Counter "roomcast_deliveries_abandoned_total", "deliveries", Level,
        "unread when the session ended";
    Pending: Gauge "roomcast_deliveries_pending", "deliveries", Level,
        "not read yet";
    DirectsSent: Counter "roomcast_directs_sent_total", "messages", Level,
        "direct messages, once for each session that they are for";
    DirectsRefused: Counter "roomcast_directs_refused_total", "messages", Level,
        "of those, not taken: the session's queue was full";
    DirectsDelivered: Counter "roomcast_directs_delivered_total", "messages", Level,
        "of those, handed over";
    DirectsAbandoned: Counter "roomcast_directs_abandoned_total", "messages", Level,
        "of those, unread when the session ended";
    DirectsPending: Gauge "roomcast_directs_pending", "messages", Level,
        "of those, not read yet";
    Unsent: Counter "roomcast_unsent_total", "messages", None,
        "handed over and not sent: the connection broke meanwhile";
    AuditMissed: Counter "roomcast_audit_missed_total", "messages", None,
        "whose fate has no record, since the audit was full";
    Rooms: Gauge "roomcast_rooms", "rooms", None,
        "in the hub";
    RoomsOpened: Counter "roomcast_rooms_opened_total", "rooms", None,
        "made so far";
    RoomsShedding: Gauge "roomcast_rooms_shedding", "rooms", None,
        "losing messages because more is offered than they can send";
    SheddingStarted: Counter "roomcast_shedding_started_total", "rooms", None,
        "how often a room began to";
    Sessions: Gauge "roomcast_sessions", "sessions", None,
        "in all rooms, guests included";
    UsersOnline: Gauge "roomcast_users_online", "users", None,
        "online, once for each room that they are in";
    HeldBytes: Gauge "roomcast_held_bytes", "bytes", None,
        "held by all rooms, the sum of `RoomBytes::total`";
    MemoryLimit: Gauge "roomcast_memory_limit_bytes", "bytes", None,
        "what they may hold; 0 without a limit";
    TrimmedMessages: Counter "roomcast_memory_trimmed_messages_total", "messages", None,
        "that gave way because all rooms held too much, waiting or in the log";
    TrimmedBytes: Counter "roomcast_memory_trimmed_bytes_total", "bytes", None,
        "their payloads and profiles";
    Panics: Counter "roomcast_panics_caught_total", "panics", None,
        "of the host's code, kept from doing harm";
    ClockStepsCut: Counter "roomcast_clock_steps_cut_total", "readings", None,
        "of the clock that were too far ahead";
    PumpConnections: Gauge "roomcast_pump_connections", "connections", None,
        "served by pumps";
    PumpBlocked: Gauge "roomcast_pump_connections_blocked", "connections", None,
        "of those, waited for: they could not take all that they were offered";
    PumpHeldBack: Gauge "roomcast_pump_connections_held_back", "connections", None,
        "of those, held back: they have as much in flight as they drain in `reach`";
    PumpWrites: Counter "roomcast_pump_writes_total", "calls", None,
        "of `Transport::try_write`";
    PumpBytes: Counter "roomcast_pump_sent_bytes_total", "bytes", None,
        "that transports took";
    PumpMessages: Counter "roomcast_pump_messages_total", "messages", None,
        "that transports took to the last byte, direct ones too";
    PumpEncoded: Counter "roomcast_pump_encoded_total", "messages", None,
        "that were encoded; once for all who share them";
    PumpFramed: Counter "roomcast_pump_framed_total", "frames", None,
        "that were put together; every other one was shared";
    PumpStalled: Counter "roomcast_pump_stalled_total", "connections", None,
        "dropped because they took nothing for `stalled_after`";
    PumpHighLost: Counter "roomcast_pump_high_lost_total", "connections", None,
        "closed because their sessions had missed a High message";
    PumpControlsDropped: Counter "roomcast_pump_controls_dropped_total", "frames", None,
        "of the host's that found no place at a connection, or were too large";
    PumpControlsReplaced: Counter "roomcast_pump_controls_replaced_total", "frames", None,
        "pongs that a newer one took the place of";
    PumpPanics: Counter "roomcast_pump_panics_total", "panics", None,
        "of encoders and transports";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_say_what_they_are() {
        let names: HashSet<_> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), METRICS.len());
        for metric in METRICS {
            let is_counter = metric.kind == MetricKind::Counter;
            assert_eq!(metric.name.ends_with("_total"), is_counter, "{metric:?}");
            let of_bytes = metric.name.trim_end_matches("_total").ends_with("_bytes");
            assert_eq!(metric.unit == "bytes", of_bytes, "{metric:?}");
        }
    }

    #[test]
    fn series_are_as_many_as_are_reckoned_with() {
        for labels in [Labels::Level, Labels::Refusal, Labels::Drop, Labels::Cause] {
            let series: HashSet<_> = labels.series().into_iter().collect();
            assert_eq!(series.len(), Priority::NUM * labels.a_level(), "{labels:?}");
            assert!(series.iter().all(|series| series.len() == labels.keys().len()));
        }
        assert_eq!(Labels::None.series().len(), 1);
    }
}
