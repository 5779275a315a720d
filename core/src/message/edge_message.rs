//! A message on its way from an edge to the room:
//! [clause B17](crate::rulebook#b17-admission-at-an-edge).

use super::{DedupKey, Kind, MergeKey, OutcomeSink, Publish, Sender, Source};
use crate::ids::{MessageId, SessionId};
use crate::priority::Priority;
use crate::time::Instant;
use alloc::sync::Arc;

/// A message on its way from an edge to the room.
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
    /// What it may be merged by at the room, too.
    pub merge_key: Option<MergeKey>,
    /// What it stands for, with all that it carries.
    pub units: u64,
    /// What tells it from its repetition.
    pub dedup_key: Option<DedupKey>,
    /// How its publisher wants to hear of the outcome. The tag is the publisher's; a host with
    /// several edges makes them tell each other apart.
    pub outcome_sink: OutcomeSink,
    /// When it was let in at the edge.
    pub admitted_at: Instant,
    /// The sender's profile.
    pub profile: Option<Arc<M>>,
    /// What it carries.
    pub payload: M,
}

impl<M> EdgeMessage<M> {
    /// What the room is offered. Sender, mutes and bans are looked at there once more; that the
    /// sender is a member the edge has seen.
    pub fn into_publish(self) -> Publish<M> {
        let source = match self.sender {
            Sender::Host => Source::Host,
            Sender::User(user) => Source::Edge { user, session: self.session },
        };
        let mut publish = Publish::new(source, self.payload)
            .priority(self.priority)
            .kind(self.kind)
            .outcome_sink(self.outcome_sink);
        (publish.merge_key, publish.units, publish.dedup_key, publish.profile) =
            (self.merge_key, self.units, self.dedup_key, self.profile);
        publish
    }
}
