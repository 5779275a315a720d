//! A message on its way from an edge to the room:
//! [clause B17](crate::rulebook#b17-admission-at-an-edge).

use super::{
    DedupKey, Kind, MergeKey, OutcomeSink, Publish, Relayed, Reviewed, Sender, Source, Urgency,
};
use crate::dedup::CarriedKeys;
use crate::ids::{MessageId, SessionId};
use crate::priority::Priority;
use crate::time::Instant;
use alloc::sync::Arc;

/// A message on its way from an edge to the room.
///
/// A host that carries it over a wire writes its fields, and makes it anew at the room with
/// [`new`](Self::new). [`admitted_at`](Self::admitted_at) is in the edge's time: where the room's
/// clock is another one, its age goes over the wire instead.
///
/// ```
/// use roomcast_core::ids::MessageId;
/// use roomcast_core::message::{EdgeMessage, Sender};
/// use roomcast_core::time::Duration;
/// use roomcast_core::{Admission, Instant, Outcome, Priority, RoomConfig, UserId};
///
/// let (sender, age) = (Sender::User(UserId(7)), Duration::from_secs(1));
/// let now = Instant::from_secs(50);
/// let mut message = EdgeMessage::new(MessageId(3), sender, now.saturating_sub(age), "hello");
/// message.priority = Priority::Low;
/// let mut room = Admission::new(&RoomConfig::av_chat_room(UserId(1)));
/// let receipt = room.publish(now, message.into_publish())?;
/// assert!(matches!(receipt.outcome, Some(Outcome::Dispatched { .. })));
/// # Ok::<(), roomcast_core::Refused<&str>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EdgeMessage<M> {
    /// Its number at the edge.
    pub id: MessageId,
    /// Who speaks.
    pub sender: Sender,
    /// The session that sent it; none if it carries others.
    pub session: Option<SessionId>,
    /// Its priority.
    pub priority: Priority,
    /// Its kind.
    pub kind: Kind,
    /// Whether it was marked to go before others of its level.
    pub urgency: Urgency,
    /// What it may be merged by at the room, too.
    pub merge_key: Option<MergeKey>,
    /// Itself and those that were merged into it at the edge.
    pub messages: u32,
    /// What it stands for, with all that it carries.
    pub units: u64,
    /// What tells it from its repetition.
    pub dedup_key: Option<DedupKey>,
    /// How its publisher wants to hear of the outcome. The tag is the publisher's; a host with
    /// several edges makes them tell each other apart.
    pub outcome_sink: OutcomeSink,
    /// When it was let in at the edge.
    pub admitted_at: Instant,
    /// Whether it has passed the edge's review.
    pub reviewed: Reviewed,
    /// The sender's profile.
    pub profile: Option<Arc<M>>,
    /// The keys of those that it carries, at the edge.
    pub(crate) carried_keys: CarriedKeys,
    /// What it carries.
    pub payload: M,
}

/// What a host keeps of a message that has left an edge until its fate at the room is known: see
/// [`Edge::resolve`](crate::Edge::resolve) and [`Edge::not_dispatched`](crate::Edge::not_dispatched).
#[derive(Clone, Copy, Debug)]
pub struct Forwarded {
    pub(crate) id: MessageId,
    pub(crate) sender: Sender,
    pub(crate) priority: Priority,
    pub(crate) messages: u32,
    pub(crate) units: u64,
    pub(crate) outcome_sink: OutcomeSink,
    pub(crate) dedup_key: Option<DedupKey>,
    pub(crate) carried_keys: CarriedKeys,
}

impl<M> EdgeMessage<M> {
    /// A message that came over a wire, as it is where nothing more was said: a text of `Normal`
    /// priority that stands for one, has no keys, and is counted only.
    pub const fn new(id: MessageId, sender: Sender, admitted_at: Instant, payload: M) -> Self {
        Self {
            id,
            sender,
            session: None,
            priority: Priority::Normal,
            kind: Kind::Text,
            urgency: Urgency::Plain,
            merge_key: None,
            messages: 1,
            units: 1,
            dedup_key: None,
            outcome_sink: OutcomeSink::CountedOnly,
            admitted_at,
            reviewed: Reviewed::NotYet,
            profile: None,
            carried_keys: CarriedKeys::NONE,
            payload,
        }
    }

    /// Returns what to keep of this message until its fate at the room is known.
    pub const fn forwarded(&self) -> Forwarded {
        let &Self { id, sender, priority, messages, units, outcome_sink, .. } = self;
        let &Self { dedup_key, carried_keys, .. } = self;
        Forwarded { id, sender, priority, messages, units, outcome_sink, dedup_key, carried_keys }
    }

    /// What the room is offered. Sender, mutes and bans are looked at there once more; that the
    /// sender is a member the edge has seen. Its age counts from the edge, and it is not reviewed a
    /// second time.
    pub fn into_publish(self) -> Publish<M> {
        let source = match self.sender {
            Sender::Host => Source::Host,
            Sender::User(user) => Source::Edge { user, session: self.session },
        };
        let mut publish = Publish::new(source, self.payload)
            .priority(self.priority)
            .kind(self.kind)
            .outcome_sink(self.outcome_sink);
        (publish.merge_key, publish.units, publish.dedup_key) =
            (self.merge_key, self.units, self.dedup_key);
        publish.urgency = self.urgency;
        let Self { admitted_at, reviewed, profile, .. } = self;
        publish.relayed(Relayed { admitted_at: Some(admitted_at), reviewed, profile })
    }
}
