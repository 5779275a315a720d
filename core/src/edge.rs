//! An admission at an edge, in front of the room's own:
//! [clause B17](crate::rulebook#b17-admission-at-an-edge).

use crate::admission::{Admission, Received};
use crate::config::RoomConfig;
use crate::handover::HandOver;
use crate::ids::Seq;
use crate::message::{EdgeMessage, Forwarded, Outcome, Payload};
use crate::priority::PerLevel;
use alloc::boxed::Box;
use core::ops::{Deref, DerefMut, RangeInclusive};

/// The admission of a room at an edge: the same gate, queue and rate, in front of the room's own.
///
/// A room cannot dispatch more than its rate, so an edge that runs the same admission need not
/// forward more than that: a flood ends where it comes in. What an edge lets through is not
/// dispatched but [forwarded](Self::poll_message): its ledger reads "forwarded" where a room's
/// reads "dispatched", and the outcome is the room's to tell. What it sheds has its outcome here.
/// So every message has one, and the books of the edges and of the room add up
/// ([`Ledger::with_edges`](crate::ledger::Ledger::with_edges)).
///
/// The sessions are registered at the edge, with [`add_session`](Admission::add_session), fresh
/// from a shard ([`ShardIndex`](crate::shard_index::ShardIndex)) of the room's audience that the
/// edge holds: then no two edges give out the same ids, and the room's messages exclude the very
/// session that sent them. Mutes and bans come by [`import`](Admission::import), and hold at the
/// room in any case. Counters count at the edge, whatever becomes of the message then, and
/// [`poll_count`](Self::poll_count) hands on what the room's are to gain. Tips and broadcasts are the
/// room's: an edge gives none and hears none. What is not taken by `poll_message` is at most the
/// configured `outbox_capacity`; then the queue holds the rest back, and notices are refused as
/// `QueueFull`.
///
/// ```
/// use roomcast_core::{Admission, Edge, Instant, Kind, Priority, Publish, RoomConfig, Source, UserId};
///
/// let config = RoomConfig::av_chat_room(UserId(1));
/// let (mut edge, mut room) = (Edge::new(&config), Admission::new(&config));
/// let now = Instant::from_secs(1);
/// let receipt = edge.publish(now, Publish::gift(Source::Host, "rocket"))?;
/// assert_eq!(receipt.outcome, None, "the outcome is the room's");
/// while let Some(forward) = edge.poll_message() {
///     let receipt = room.publish(now, forward.into_publish())?;
///     assert!(receipt.outcome.is_some());
/// }
/// let whole = room.snapshot(now).ledger.with_edges([edge.snapshot(now).ledger]);
/// assert!(whole.balances() && whole.ledger.total().submitted == 1);
/// # Ok::<(), roomcast_core::Refused<&str>>(())
/// ```
#[derive(Debug)]
pub struct Edge<M> {
    admission: Admission<M>,
}

impl<M: Payload> Edge<M> {
    /// An edge of a room with this configuration.
    pub fn new(config: &RoomConfig) -> Self {
        Self::opened_at(config, PerLevel::default())
    }

    /// An edge that is opened when the room has dispatched so many messages of each level: it
    /// [receives](Self::receive) those that follow.
    pub fn opened_at(config: &RoomConfig, heads: PerLevel<u64>) -> Self {
        Self { admission: Admission::at_edge(config, heads) }
    }

    /// The same for a room in this life: see [`RoomState::with_life`](crate::RoomState::with_life).
    #[must_use]
    pub fn with_life(mut self, life: u64) -> Self {
        self.admission.set_life(life);
        self
    }

    /// The next message for the room, in the order in which they passed; `None` when there is none.
    /// After this, [`poll_timeout`](Admission::poll_timeout) may have changed.
    pub fn poll_message(&mut self) -> Option<EdgeMessage<M>> {
        self.admission.pop_edge_message()
    }

    /// Whether [`poll_message`](Self::poll_message) has one.
    pub fn has_messages(&self) -> bool {
        self.admission.has_edge_messages()
    }

    /// Takes what the room has dispatched, for the audience at this edge to take over as if it had
    /// been dispatched here ([`hand_over`](Admission::hand_over), [`heads`](Admission::heads)). It
    /// may come late, twice, and in any order: what comes behind a hole is held, at most as many
    /// messages as the configured `outbox_capacity`, of which a hand-over without any counts as
    /// one, so that what fills the hole comes before anything newer. O(messages), and O(log held)
    /// for each hand-over that is held.
    ///
    /// ```
    /// use roomcast_core::admission::Received;
    /// use roomcast_core::ids::Seq;
    /// use roomcast_core::{Admission, Edge, Instant, Publish, RoomConfig, Source, UserId};
    ///
    /// let config = RoomConfig::av_chat_room(UserId(1));
    /// let (mut edge, mut room) = (Edge::new(&config), Admission::new(&config));
    /// let mut flights = Vec::new();
    /// for text in ["one", "two", "three"] {
    ///     let sent = room.dispatched();
    ///     let _ = room.publish(Instant::ZERO, Publish::new(Source::Host, text))?;
    ///     flights.push(room.hand_over(sent));
    /// }
    /// assert_eq!(edge.receive(flights[1].clone()), Received::Held);
    /// assert_eq!(edge.missing(), Some(Seq(1)..=Seq(1)));
    /// assert_eq!(edge.receive(flights[0].clone()), Received::Taken(2));
    /// assert_eq!(edge.receive(flights[1].clone()), Received::Known);
    /// assert_eq!(edge.receive(flights[2].clone()), Received::Taken(1));
    /// assert_eq!(edge.hand_over(Seq(0)).messages().len(), 3);
    /// # Ok::<(), roomcast_core::Refused<&str>>(())
    /// ```
    pub fn receive(&mut self, handed: HandOver<M>) -> Received {
        self.admission.receive(handed)
    }

    /// The messages that are missing before the first that is held; `None` while nothing is held. A
    /// host asks for them where they are kept.
    pub fn missing(&self) -> Option<RangeInclusive<Seq>> {
        self.admission.missing()
    }

    /// What is [missing](Self::missing) will not come any more: what is held goes on behind it, up to
    /// the next hole. Returns how many messages are lost with it; every session that was to get them
    /// is told a gap. What has come before and no audience has taken over is lost to it as well.
    pub fn give_up_missing(&mut self) -> u64 {
        self.admission.give_up_missing()
    }

    /// How many messages of each level were given up, by the host or for want of space.
    pub fn lost(&self) -> PerLevel<u64> {
        self.admission.lost()
    }

    /// What one of the counters here has gained since this last returned it, for the room's to be
    /// added to it ([`Admission::add_counter`]); `None` when there is nothing more. So what counts
    /// is exact, though messages are merged and shed here. What another room carried
    /// ([`import`](Admission::import)) is no gain; a counter that is taken away takes along what was
    /// not handed on. O(counters), of which there are few.
    ///
    /// ```
    /// use roomcast_core::{Admission, Edge, Instant, Publish, RoomConfig, Source, UserId};
    ///
    /// let config = RoomConfig::av_chat_room(UserId(1));
    /// let (mut edge, mut room) = (Edge::new(&config), Admission::<&str>::new(&config));
    /// let _ = edge.publish(Instant::ZERO, Publish::like(Source::Host, "like").units(5))?;
    /// while let Some((key, gained)) = edge.poll_count() {
    ///     let _ = room.add_counter(&key, gained);
    /// }
    /// assert_eq!(room.counter("likes"), Some(5));
    /// # Ok::<(), roomcast_core::Refused<&str>>(())
    /// ```
    pub fn poll_count(&mut self) -> Option<(Box<str>, i64)> {
        self.admission.hand_on_count()
    }

    /// Tells what became at the room of a message that this edge handed out, for hosts whose room
    /// is elsewhere: its publisher hears of it by an event, as asked for at this edge, and unless it
    /// went out it may be said again here ([`not_dispatched`](Self::not_dispatched)). To be told
    /// once. A host keeps [`EdgeMessage::forwarded`] until then.
    ///
    /// The event takes one of the slots for outcomes that wait to be polled: where those are used
    /// up, messages that are to be told are refused as `OutcomesFull`, until the host polls.
    ///
    /// ```
    /// use roomcast_core::ids::{CorrelationId, Seq};
    /// use roomcast_core::message::OutcomeSink;
    /// use roomcast_core::{Edge, Event, Instant, Outcome, Publish, RoomConfig, Source, UserId};
    ///
    /// let mut edge = Edge::new(&RoomConfig::av_chat_room(UserId(1)));
    /// let now = Instant::from_secs(1);
    /// let sink = OutcomeSink::Event(CorrelationId(7));
    /// let _ = edge.publish(now, Publish::new(Source::Host, "hello").outcome_sink(sink))?;
    /// let forwarded = edge.poll_message().expect("it has passed").forwarded();
    /// edge.resolve(&forwarded, Outcome::Dispatched { seq: Seq(1), at: now });
    /// assert!(matches!(edge.poll_event(), Some(Event::Outcome { outcome_sink, .. }) if outcome_sink == sink));
    /// # Ok::<(), roomcast_core::Refused<&str>>(())
    /// ```
    pub fn resolve(&mut self, forwarded: &Forwarded, outcome: Outcome) {
        self.admission.resolve_forwarded(forwarded, outcome);
    }

    /// Frees the keys of a message that the room refused, or dropped later, and of those that it
    /// carried: they may be said again at this edge. For hosts whose room tells the publishers
    /// itself; others call [`resolve`](Self::resolve). A host keeps [`EdgeMessage::forwarded`] until
    /// it knows the fate. Harmless when told twice. At most 4,096 keys are freed in this call, the
    /// others in the next ones.
    ///
    /// ```
    /// use roomcast_core::{Edge, Instant, Publish, RoomConfig, Source, UserId};
    /// use roomcast_core::message::DedupKey;
    ///
    /// let mut edge = Edge::new(&RoomConfig::av_chat_room(UserId(1)));
    /// let now = Instant::from_secs(1);
    /// let said = || Publish::new(Source::Host, "hello").dedup_key(DedupKey(1));
    /// let _ = edge.publish(now, said())?;
    /// let forwarded = edge.poll_message().expect("it has passed").forwarded();
    /// assert!(edge.publish(now, said()).is_err(), "it has been said");
    /// // The room has refused it.
    /// edge.not_dispatched(&forwarded);
    /// assert!(edge.publish(now, said()).is_ok());
    /// # Ok::<(), roomcast_core::Refused<&str>>(())
    /// ```
    pub fn not_dispatched(&mut self, forwarded: &Forwarded) {
        self.admission.free_forwarded(forwarded);
    }
}

impl<M> Deref for Edge<M> {
    type Target = Admission<M>;

    fn deref(&self) -> &Admission<M> {
        &self.admission
    }
}

impl<M> DerefMut for Edge<M> {
    fn deref_mut(&mut self) -> &mut Admission<M> {
        &mut self.admission
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SessionKey;
    use crate::ledger::RefusalReason;
    use crate::message::{DedupKey, Limit, OutcomeSink};
    use crate::{Instant, Kind, PerLevel, Publish, Source, UserId};

    /// Notices, tips and broadcasts that wait for the room count as well.
    #[test]
    fn nothing_passes_the_bound_of_what_waits() {
        let builder = RoomConfig::builder(UserId(1))
            .notices(core::num::NonZeroU32::MAX)
            .system_messages(crate::system_messages::SystemMessages::ALL);
        let config = builder.build().unwrap();
        let mut edge: Edge<&str> = Edge::new(&config);
        let mut broadcasts =
            crate::broadcasts::Broadcasts::new(crate::broadcasts::BroadcastLimits::default(), 0);
        let now = Instant::from_secs(1);
        let notice = || {
            Publish::new(Source::Host, "notice")
                .kind(Kind::Notice)
                .outcome_sink(OutcomeSink::Event(crate::ids::CorrelationId(7)))
        };
        for _ in 0..1_024 {
            assert_eq!(edge.publish(now, notice()).unwrap().outcome, None);
        }
        let refused = edge.publish(now, notice()).unwrap_err();
        assert_eq!(
            (refused.reason, refused.limit),
            (RefusalReason::QueueFull, Some(Limit::EdgeOutbox { max: 1_024 }))
        );
        edge.add_session(now, UserId(7), SessionKey::new(0, 1).in_life(0));
        assert_eq!(edge.poll_timeout(), None, "no tip is due");
        broadcasts.publish(now, crate::broadcasts::Broadcast::new(DedupKey(1), "to all")).unwrap();
        edge.import_broadcasts(now, &broadcasts);
        edge.reconfigure(now, &config).unwrap();
        edge.add_session(now, UserId(8), SessionKey::new(1, 1).in_life(0));
        assert_eq!(edge.poll_timeout(), None, "nor by now");
        edge.handle_timeout(Instant::from_secs(9));
        assert!(!edge.has_broadcasts_to_import(&broadcasts) && edge.poll_timeout().is_none());
        let forwards: std::vec::Vec<_> = core::iter::from_fn(|| edge.poll_message()).collect();
        assert_eq!(forwards.len(), 1_024);
        // The room tells what becomes of it.
        assert!(forwards.iter().all(|forward| forward.outcome_sink
            == OutcomeSink::Event(crate::ids::CorrelationId(7))
            && forward.kind == Kind::Notice));
        assert_eq!(edge.snapshot(now).outcomes.values().sum::<u32>(), 0);
        assert!(edge.snapshot(now).ledger.balances());
    }

    #[test]
    fn what_nobody_takes_is_held_back_in_the_queue() {
        let builder = RoomConfig::builder(UserId(1))
            .rate(1_000_000)
            .burst(1_000_000)
            .fresh_within(PerLevel([None; 4]));
        let mut edge: Edge<&str> = Edge::new(&builder.queue_messages(2_000).build().unwrap());
        let now = Instant::from_secs(1);
        for _ in 0..3_000 {
            let _ = edge.publish(now, Publish::new(Source::Host, "text")).unwrap();
        }
        let books = edge.snapshot(now).ledger.total();
        assert_eq!((books.dispatched, books.queued), (1_024, 1_976));
        assert_eq!(edge.poll_timeout(), None, "it waits for the host");
        let mut forwarded = 0;
        while edge.poll_message().is_some() {
            forwarded += 1;
            if let Some(at) = edge.poll_timeout() {
                edge.handle_timeout(at.max(now));
            }
        }
        assert_eq!(forwarded, 3_000);
        assert!(edge.snapshot(now).ledger.balances() && edge.is_idle());
    }
}
