//! Naming admins, muting, banning and kicking.
//!
//! A call with several users looks at all of them first and changes nothing if one is not allowed.

use super::{Actor, Admission, RoomStatus};
use crate::error::ModerationError;
use crate::ids::UserId;
use crate::ledger::DropReason;
use crate::message::{Payload, Sender};
use crate::rights::{Action, Role};
use crate::roster::{UserSessions, in_life};
use crate::system_messages::SystemMessageKind;
use crate::time::{Duration, Instant};
use crate::timed::Until;
use alloc::sync::Arc;
use smallvec::SmallVec;

impl<M: Payload> Admission<M> {
    /// What a user is in this room, present or not.
    pub fn role_of(&self, user: UserId) -> Role {
        self.moderation.role(&self.settings, user)
    }

    /// Until when a user is muted, if so.
    pub fn muted_until(&self, now: Instant, user: UserId) -> Option<Until> {
        self.moderation.muted(self.clock.peek(now), user)
    }

    /// Until when a user is banned, if so.
    pub fn banned_until(&self, now: Instant, user: UserId) -> Option<Until> {
        self.moderation.banned(self.clock.peek(now), user)
    }

    /// Names a user admin. It holds through leave and rejoin. Returns whether that changed
    /// anything.
    pub fn add_admin(
        &mut self,
        now: Instant,
        actor: Actor,
        user: UserId,
    ) -> Result<bool, ModerationError> {
        let now = self.allows(now, actor, Action::AddAdmin, &[user])?;
        let is_new = self.moderation.add_admin(&self.settings, user)?;
        if is_new {
            self.data.note(now, SystemMessageKind::AdminSet, Some(user));
        }
        Ok(is_new)
    }

    /// Makes an admin a member again. Returns whether that changed anything.
    pub fn remove_admin(
        &mut self,
        now: Instant,
        actor: Actor,
        user: UserId,
    ) -> Result<bool, ModerationError> {
        let now = self.allows(now, actor, Action::RemoveAdmin, &[user])?;
        let was_admin = self.moderation.remove_admin(user);
        if was_admin {
            self.data.note(now, SystemMessageKind::AdminRemoved, Some(user));
        }
        Ok(was_admin)
    }

    /// Hands the room over to another owner, in or not, and tells it by a tip. Who was the owner is a
    /// member, and may leave; a new owner who was an admin is none any more, and a mute stays. The
    /// configuration that the room was made with names the first owner: one that it is to be
    /// [reconfigured](Self::reconfigure) to names the [owner](Self::owner) that there is. O(admins).
    ///
    /// # Errors
    /// The room is closed, the actor is neither the host nor the owner, the user is the owner
    /// already, or is banned. Nothing has changed then.
    pub fn set_owner(
        &mut self,
        now: Instant,
        actor: Actor,
        user: UserId,
    ) -> Result<(), ModerationError> {
        let until = self.banned_until(now, user);
        if let Some(until) = until.filter(|_| self.status != RoomStatus::Closed) {
            let at = self.clock.peek(now);
            self.moderation.check(&self.settings, at, actor, Action::SetOwner, &[user])?;
            return Err(ModerationError::Banned { user, until });
        }
        let now = self.allows(now, actor, Action::SetOwner, &[user])?;
        self.moderation.remove_admin(user);
        Arc::make_mut(&mut self.settings).set_owner(Some(user));
        self.data.note(now, SystemMessageKind::OwnerSet, Some(user));
        Ok(())
    }

    /// Whose room it is, if anybody's.
    pub fn owner(&self) -> Option<UserId> {
        self.settings.owner
    }

    /// Keeps users from speaking for a time (`None`: for good), whether they are in or not, through
    /// leave and rejoin; a mute that holds longer stays. What they have in the queue still goes
    /// out.
    pub fn mute(
        &mut self,
        now: Instant,
        actor: Actor,
        users: &[UserId],
        time: Option<Duration>,
    ) -> Result<(), ModerationError> {
        let now = self.allows(now, actor, Action::Mute, users)?;
        self.moderation.mute(&self.settings, now, users, time)?;
        for &user in users {
            self.data.note(now, SystemMessageKind::Muted, Some(user));
        }
        Ok(())
    }

    /// Lets users speak again.
    pub fn unmute(
        &mut self,
        now: Instant,
        actor: Actor,
        users: &[UserId],
    ) -> Result<(), ModerationError> {
        self.allows(now, actor, Action::Unmute, users)?;
        self.moderation.unmute(users);
        Ok(())
    }

    /// Lets only the owner and the admins speak.
    pub fn mute_room(&mut self, now: Instant, actor: Actor) -> Result<(), ModerationError> {
        self.allows(now, actor, Action::MuteRoom, &[])?;
        self.moderation.set_room_muted(true);
        Ok(())
    }

    /// Lets everyone speak again who is not muted.
    pub fn unmute_room(&mut self, now: Instant, actor: Actor) -> Result<(), ModerationError> {
        self.allows(now, actor, Action::UnmuteRoom, &[])?;
        self.moderation.set_room_muted(false);
        Ok(())
    }

    /// Takes users out and keeps them out for a time (`None`: for good), whether they are in or
    /// not; a ban that holds longer stays. What they have in the queue is dropped, as by a
    /// [`kick`](Self::kick), and it costs the same. Returns their sessions, which the audience has
    /// to end.
    pub fn ban(
        &mut self,
        now: Instant,
        actor: Actor,
        users: &[UserId],
        time: Option<Duration>,
    ) -> Result<UserSessions, ModerationError> {
        let now = self.allows(now, actor, Action::Ban, users)?;
        self.moderation.ban(&self.settings, now, users, time)?;
        Ok(self.take_out(now, users, SystemMessageKind::Banned))
    }

    /// Lets banned users in again.
    pub fn unban(
        &mut self,
        now: Instant,
        actor: Actor,
        users: &[UserId],
    ) -> Result<(), ModerationError> {
        self.allows(now, actor, Action::Unban, users)?;
        self.moderation.unban(users);
        Ok(())
    }

    /// Takes users out; what they have in the queue is dropped, all of it in this call, but for a
    /// message that carries others' as well. They may come again. Returns their sessions, which the
    /// audience has to end. O(their sessions and messages), and where no policy asks who sent
    /// what, O(the messages that wait).
    pub fn kick(
        &mut self,
        now: Instant,
        actor: Actor,
        users: &[UserId],
    ) -> Result<UserSessions, ModerationError> {
        let now = self.allows(now, actor, Action::Kick, users)?;
        Ok(self.take_out(now, users, SystemMessageKind::Kicked))
    }

    /// Whether somebody may do something to the room at `now`. Moves no clock.
    pub(super) fn allows_at(
        &self,
        now: Instant,
        actor: Actor,
        action: Action,
    ) -> Result<(), ModerationError> {
        if self.status == RoomStatus::Closed {
            return Err(ModerationError::RoomClosed);
        }
        let at = self.clock.peek(now);
        self.moderation.check(&self.settings, at, actor, action, &[])
    }

    /// Whether somebody may do something to all of these users, or with none, to the room. Moves
    /// the clock and returns where it stands; but who may not moves no clock.
    pub(super) fn allows(
        &mut self,
        now: Instant,
        actor: Actor,
        action: Action,
        users: &[UserId],
    ) -> Result<Instant, ModerationError> {
        if self.status == RoomStatus::Closed {
            return Err(ModerationError::RoomClosed);
        }
        let at = self.clock.peek(now);
        self.moderation.check(&self.settings, at, actor, action, users)?;
        Ok(self.clock.advance(now))
    }

    /// Drops all that users have under review and in the queue, and takes their sessions out.
    fn take_out(&mut self, now: Instant, users: &[UserId], tip: SystemMessageKind) -> UserSessions {
        self.accounts.drops().clear();
        let mut senders: SmallVec<[Sender; 4]> = SmallVec::new();
        for sender in users.iter().map(|&user| Sender::User(user)) {
            if !senders.contains(&sender) {
                senders.push(sender);
            }
        }
        let (mut reviews, mut waiting) =
            (self.reviews.all_of(&senders).into_iter(), self.pipeline.all_of(&senders).into_iter());
        let (mut review, mut waits) = (reviews.next(), waiting.next());
        let mut sessions = UserSessions::new();
        for (at, &sender) in senders.iter().enumerate() {
            while let Some((_, slot)) = review.filter(|&(place, _)| place == at) {
                if let Some(reviewed) = self.reviews.take(slot) {
                    self.drop_reviewed(now, reviewed, DropReason::SenderOut, None);
                }
                review = reviews.next();
            }
            while let Some((_, key)) = waits.filter(|&(place, _)| place == at) {
                // One that carries others is theirs, too.
                if !self.pipeline.carries_others(key)
                    && let Some(popped) = self.pipeline.take(key)
                {
                    self.drop_one(now, popped, DropReason::SenderOut, None);
                }
                waits = waiting.next();
            }
            let Sender::User(user) = sender else { continue };
            let of_user = self.people.sessions_of(user);
            for &key in &of_user {
                self.let_go(now, key, tip);
            }
            if of_user.is_empty() && tip == SystemMessageKind::Banned {
                // Nobody goes, and still somebody is banned.
                self.data.note(now, tip, Some(user));
            }
            sessions.extend(in_life(&of_user, self.people.life()));
        }
        sessions
    }
}
