//! Speak modes and marks: [clause C2](crate::rulebook#c2-who-may-speak).

use super::{Actor, Admission};
use crate::error::ModerationError;
use crate::ids::UserId;
use crate::message::{Outcome, Payload, Publish, Receipt, Refused, Sender};
use crate::rights::Action;
use crate::speak_mode::{MaySpeak, SpeakMode};
use crate::system_messages::SystemMessageKind;
use crate::time::Instant;

impl<M: Payload> Admission<M> {
    /// What the room asks of those who speak.
    pub fn speak_mode(&self) -> SpeakMode {
        self.moderation.speak_mode()
    }

    /// Sets what the room asks of those who speak from now on, through everyone's leave. What waits
    /// in the queue or for a verdict still goes out. Returns whether that changed anything; if so, a
    /// tip says so. O(1).
    ///
    /// # Errors
    /// The room is closed, or the actor is neither the host, the owner nor an admin.
    pub fn set_speak_mode(
        &mut self,
        now: Instant,
        actor: Actor,
        mode: SpeakMode,
    ) -> Result<bool, ModerationError> {
        let now = self.allows(now, actor, Action::SetSpeakMode, &[])?;
        let is_new = self.moderation.set_speak_mode(mode);
        if matches!(mode.who, MaySpeak::MembersFor(_)) {
            self.people.note_comings();
        }
        if is_new {
            self.data.note(now, SystemMessageKind::SpeakModeSet, None);
        }
        Ok(is_new)
    }

    /// Whether a user is marked.
    pub fn is_marked(&self, user: UserId) -> bool {
        self.moderation.is_marked(user)
    }

    /// Marks users, in or not, through leave and rejoin: they may speak where only
    /// [marked](MaySpeak::Marked) users may. At most 256 in one call. O(log n) for each.
    ///
    /// # Errors
    /// The room is closed, the call names too many, the actor may not do that to one of them, or
    /// there are as many marks as there may be. Nobody is marked then.
    pub fn mark(
        &mut self,
        now: Instant,
        actor: Actor,
        users: &[UserId],
    ) -> Result<(), ModerationError> {
        self.allows(now, actor, Action::Mark, users)?;
        self.moderation.mark(&self.settings, users)
    }

    /// Takes the marks of users away.
    ///
    /// # Errors
    /// The room is closed, the call names too many, or the actor may not do that to one of them.
    pub fn unmark(
        &mut self,
        now: Instant,
        actor: Actor,
        users: &[UserId],
    ) -> Result<(), ModerationError> {
        self.allows(now, actor, Action::Unmark, users)?;
        self.moderation.unmark(users);
        Ok(())
    }

    /// Offers a message in a room that has a speak mode, or marks.
    #[cold]
    #[inline(never)]
    pub(super) fn publish_compared(
        &mut self,
        now: Instant,
        publish: Publish<M>,
    ) -> Result<Receipt, Refused<M>> {
        let answer = self.offer::<false, true>(now, publish);
        self.moderation.offer_content(None);
        answer
    }

    /// What a message is compared by with what was said, where contents are compared. What merges is
    /// the same again by design.
    #[cold]
    pub(super) fn offer_content(&mut self, publish: &Publish<M>) {
        let is_compared = self.moderation.compares_contents() && publish.merge_key.is_none();
        // To ask runs code of the host's.
        let content = if is_compared { publish.payload.content_key() } else { None };
        self.moderation.offer_content(content);
    }

    /// The message that was offered was let in; if it is still in, nobody may say the same.
    #[cold]
    pub(super) fn note_content(&mut self, now: Instant, sender: Sender, receipt: &Receipt) {
        if !matches!(receipt.outcome, Some(Outcome::Dropped { .. })) {
            self.moderation.note_content(&self.settings, now, sender, receipt.id);
        }
    }
}
