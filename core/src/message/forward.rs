//! A message on its way from an edge to the room (clause B17).

use super::{DuplicateKey, Kind, MergeKey, Publish, Report, Sender, Source};
use crate::ids::{MessageId, SessionId};
use crate::priority::Priority;
use crate::time::Instant;
use alloc::sync::Arc;

/// A message on its way from an edge to the room.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Forward<M> {
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
    pub merge: Option<MergeKey>,
    /// What it stands for, with all that it carries.
    pub units: u64,
    /// What tells it from its repetition.
    pub key: Option<DuplicateKey>,
    /// How its publisher wants to hear of the outcome. The tag is the publisher's; a host with several edges makes them tell each other apart.
    pub report: Report,
    /// When it was let in at the edge.
    pub admitted_at: Instant,
    /// The sender's profile.
    pub profile: Option<Arc<M>>,
    /// What it carries.
    pub payload: M,
}

impl<M> Forward<M> {
    /// What the room is offered. Sender, mutes and bans are looked at there once more; that the sender is a member the edge has seen.
    pub fn into_publish(self) -> Publish<M> {
        let source = match self.sender {
            Sender::Host => Source::Host,
            Sender::User(user) => Source::Forwarded { user, session: self.session },
        };
        let mut publish = Publish::new(source, self.payload).priority(self.priority).kind(self.kind).report(self.report);
        (publish.merge, publish.units, publish.key, publish.profile) = (self.merge, self.units, self.key, self.profile);
        publish
    }
}
