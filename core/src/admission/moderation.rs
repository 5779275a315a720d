//! Admins, mutes, bans and kicks.
//!
//! A call with several users looks at all of them first and changes nothing if one is not allowed.

use super::{Actor, Admission, RoomStatus};
use crate::config::Settings;
use crate::error::ModerationError;
use crate::ids::UserId;
use crate::index::Hasher;
use crate::ledger::DropReason;
use crate::message::{Payload, Sender};
use crate::rights::{Action, NotAllowed, Role, forbids};
use crate::roster::UserSessions;
use crate::system_messages::SystemMessageKind;
use crate::time::{Duration, Instant};
use crate::timed::{Timed, Until};
use alloc::vec::Vec;
use smallvec::SmallVec;

/// Users with how long a rule holds for them.
type Ruled = [(UserId, Until)];

/// Users that one call may name.
pub(crate) const MAX_USERS: usize = 256;

/// Whom the room's owner and admins have dealt with. It outlives everyone's sessions.
#[derive(Debug)]
pub(super) struct Moderation {
    admins: SmallVec<[UserId; 5]>,
    mutes: Timed,
    bans: Timed,
    room_muted: bool,
}

/// What a room's moderation holds, as plain counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModerationCounts {
    /// Admins.
    pub admins: u32,
    /// Mutes that are kept, lapsed ones that nothing has taken the place of included.
    pub mutes: u32,
    /// Bans, likewise.
    pub bans: u32,
    /// Whether the whole room is muted.
    pub room_muted: bool,
}

/// Why somebody may not speak.
pub(super) enum MuteReason {
    /// Muted.
    Muted(Until),
    /// The room is.
    RoomMuted,
}

impl Moderation {
    pub(super) fn new(settings: &Settings, hasher: Hasher) -> Self {
        Self {
            admins: SmallVec::new(),
            mutes: Timed::new(settings.mutes, hasher),
            bans: Timed::new(settings.bans, hasher),
            room_muted: false,
        }
    }

    /// From now on other limits; nobody is let off.
    pub(super) fn reconfigure(&mut self, settings: &Settings) {
        self.mutes.set_limit(settings.mutes);
        self.bans.set_limit(settings.bans);
    }

    pub(super) fn role(&self, settings: &Settings, user: UserId) -> Role {
        if Some(user) == settings.owner {
            Role::Owner
        } else if self.admins.contains(&user) {
            Role::Admin
        } else {
            Role::Member
        }
    }

    /// Whether it is the host, the owner or an admin who speaks.
    pub(super) fn is_staff(&self, settings: &Settings, sender: Sender) -> bool {
        match sender {
            Sender::Host => true,
            Sender::User(user) => self.role(settings, user) != Role::Member,
        }
    }

    /// Whether a user may speak. O(1).
    #[inline]
    pub(super) fn mute_reason(
        &self,
        settings: &Settings,
        now: Instant,
        user: UserId,
    ) -> Option<MuteReason> {
        if let Some(until) = self.mutes.get(now, user) {
            return Some(MuteReason::Muted(until));
        }
        (self.room_muted && self.role(settings, user) == Role::Member)
            .then_some(MuteReason::RoomMuted)
    }

    pub(super) fn banned(&self, now: Instant, user: UserId) -> Option<Until> {
        self.bans.get(now, user)
    }

    pub(super) fn admins(&self) -> &[UserId] {
        &self.admins
    }

    pub(super) fn mutes(&self, now: Instant) -> Vec<(UserId, Until)> {
        self.mutes.iter(now).collect()
    }

    pub(super) fn bans(&self, now: Instant) -> Vec<(UserId, Until)> {
        self.bans.iter(now).collect()
    }

    /// Takes lists over that fit. What has lapsed, whoever is named twice, and the owner are passed
    /// over.
    pub(super) fn import(
        &mut self,
        settings: &Settings,
        now: Instant,
        admins: &[UserId],
        (mutes, bans): (&Ruled, &Ruled),
        room_muted: bool,
    ) {
        for &admin in admins.iter().filter(|&&admin| Some(admin) != settings.owner) {
            if !self.admins.contains(&admin) {
                self.admins.push(admin);
            }
        }
        for (timed, list) in [(&mut self.mutes, mutes), (&mut self.bans, bans)] {
            for &(user, until) in list
                .iter()
                .filter(|(user, until)| until.holds(now) && Some(*user) != settings.owner)
            {
                timed.set(user, until);
            }
        }
        self.room_muted = room_muted;
    }

    pub(super) fn counts(&self) -> ModerationCounts {
        let (mutes, bans) = (self.mutes.len(), self.bans.len());
        ModerationCounts {
            admins: self.admins.len() as u32,
            mutes,
            bans,
            room_muted: self.room_muted,
        }
    }
}

impl<M: Payload> Admission<M> {
    /// What a user is in this room, present or not.
    pub fn role_of(&self, user: UserId) -> Role {
        self.moderation.role(&self.settings, user)
    }

    /// Until when a user is muted, if so.
    pub fn muted_until(&self, now: Instant, user: UserId) -> Option<Until> {
        self.moderation.mutes.get(self.clock.peek(now), user)
    }

    /// Until when a user is banned, if so.
    pub fn banned_until(&self, now: Instant, user: UserId) -> Option<Until> {
        self.moderation.banned(self.clock.peek(now), user)
    }

    /// Names a user admin, or no longer. It holds through leave and rejoin. Returns whether that
    /// changed anything.
    pub fn set_admin(
        &mut self,
        now: Instant,
        actor: Actor,
        user: UserId,
        is_admin: bool,
    ) -> Result<bool, ModerationError> {
        let now = self.clock.advance(now);
        self.allows(actor, Action::SetAdmin, &[user])?;
        let (admins, max) = (&mut self.moderation.admins, self.settings.admins);
        let place = admins.iter().position(|&other| other == user);
        match place {
            Some(place) if !is_admin => drop(admins.remove(place)),
            None if is_admin && admins.len() >= max as usize => {
                return Err(ModerationError::TooManyAdmins { max });
            }
            None if is_admin => admins.push(user),
            _ => return Ok(false),
        }
        self.system_messages.note(
            now,
            if is_admin { SystemMessageKind::AdminSet } else { SystemMessageKind::AdminRemoved },
            Some(user),
        );
        Ok(true)
    }

    /// Keeps users from speaking for a time (`None`: for good), whether they are in or not, through
    /// leave and rejoin. What they have in the queue still goes out.
    pub fn mute(
        &mut self,
        now: Instant,
        actor: Actor,
        users: &[UserId],
        time: Option<Duration>,
    ) -> Result<(), ModerationError> {
        let now = self.clock.advance(now);
        self.allows(actor, Action::Mute, users)?;
        let max = self.settings.mutes;
        if !put_under(&mut self.moderation.mutes, now, users, time) {
            return Err(ModerationError::MutesFull { max });
        }
        for &user in users {
            self.system_messages.note(now, SystemMessageKind::Muted, Some(user));
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
        self.clock.advance(now);
        self.allows(actor, Action::Unmute, users)?;
        for &user in users {
            self.moderation.mutes.lift(user);
        }
        Ok(())
    }

    /// Lets only the owner and the admins speak, or everyone again.
    pub fn mute_room(
        &mut self,
        now: Instant,
        actor: Actor,
        muted: bool,
    ) -> Result<(), ModerationError> {
        self.clock.advance(now);
        self.allows(actor, Action::MuteRoom, &[])?;
        self.moderation.room_muted = muted;
        Ok(())
    }

    /// Takes users out and keeps them out for a time (`None`: for good), whether they are in or
    /// not; what they have in the queue is dropped. Returns their sessions, which the audience has
    /// to end. Costs what a [`kick`](Self::kick) does.
    pub fn ban(
        &mut self,
        now: Instant,
        actor: Actor,
        users: &[UserId],
        time: Option<Duration>,
    ) -> Result<UserSessions, ModerationError> {
        let now = self.clock.advance(now);
        self.allows(actor, Action::Ban, users)?;
        let max = self.settings.bans;
        if !put_under(&mut self.moderation.bans, now, users, time) {
            return Err(ModerationError::BansFull { max });
        }
        Ok(self.take_out(now, users, SystemMessageKind::Banned))
    }

    /// Lets banned users in again.
    pub fn unban(
        &mut self,
        now: Instant,
        actor: Actor,
        users: &[UserId],
    ) -> Result<(), ModerationError> {
        self.clock.advance(now);
        self.allows(actor, Action::Unban, users)?;
        for &user in users {
            self.moderation.bans.lift(user);
        }
        Ok(())
    }

    /// Takes users out; what they have in the queue is dropped, all of it in this call. They may
    /// come again. Returns their sessions, which the audience has to end. O(their sessions and
    /// messages), and where no policy asks who sent what, O(the messages that wait).
    pub fn kick(
        &mut self,
        now: Instant,
        actor: Actor,
        users: &[UserId],
    ) -> Result<UserSessions, ModerationError> {
        let now = self.clock.advance(now);
        self.allows(actor, Action::Kick, users)?;
        Ok(self.take_out(now, users, SystemMessageKind::Kicked))
    }

    /// Whether somebody may do something to all of these users, or with none, to the room.
    fn allows(
        &self,
        actor: Actor,
        action: Action,
        users: &[UserId],
    ) -> Result<(), ModerationError> {
        if self.state == RoomStatus::Closed {
            return Err(ModerationError::RoomClosed);
        }
        if users.len() > MAX_USERS {
            return Err(ModerationError::TooManyUsers { count: users.len(), max: MAX_USERS });
        }
        let to_room = users.is_empty().then_some(None);
        for target in users.iter().copied().map(Some).chain(to_room) {
            self.allows_one(actor, action, target)?;
        }
        Ok(())
    }

    /// The table of [`forbids`], for this room.
    pub(super) fn allows_one(
        &self,
        actor: Actor,
        action: Action,
        target: Option<UserId>,
    ) -> Result<(), NotAllowed> {
        let actor = match actor {
            Actor::Host => None,
            Actor::User(user) => Some(user),
        };
        let role = |user: Option<UserId>| user.map(|user| self.role_of(user));
        forbids(role(actor), action, role(target))
            .map_or(Ok(()), |rule| Err(NotAllowed { actor, action, target, rule }))
    }

    /// Drops all that users have under review and in the queue, and takes their sessions out.
    fn take_out(&mut self, now: Instant, users: &[UserId], tip: SystemMessageKind) -> UserSessions {
        self.deferred.clear();
        let mut senders: SmallVec<[Sender; 4]> = SmallVec::new();
        for sender in users.iter().map(|&user| Sender::User(user)) {
            if !senders.contains(&sender) {
                senders.push(sender);
            }
        }
        let (mut reviews, mut waiting) =
            (self.reviews.all_of(&senders).into_iter(), self.queue.all_of(&senders).into_iter());
        let (mut review, mut waits) = (reviews.next(), waiting.next());
        let mut sessions = UserSessions::new();
        for (at, &sender) in senders.iter().enumerate() {
            while let Some((_, slot)) = review.filter(|&(place, _)| place == at) {
                self.drop_review_of_sender(now, slot);
                review = reviews.next();
            }
            while let Some((_, key)) = waits.filter(|&(place, _)| place == at) {
                if let Some(popped) = self.queue.take(key) {
                    self.drop_one(now, popped, DropReason::SenderOut, None);
                }
                waits = waiting.next();
            }
            let Sender::User(user) = sender else { continue };
            let of_user = self.roster.sessions_of(user);
            for &session in &of_user {
                self.let_go(now, session, tip);
            }
            if of_user.is_empty() && tip == SystemMessageKind::Banned {
                // Nobody goes, and still somebody is banned.
                self.system_messages.note(now, tip, Some(user));
            }
            sessions.extend(of_user);
        }
        sessions
    }
}

/// Puts users under a rule from `now` on; returns whether there was room for all. If not, nobody
/// is.
fn put_under(timed: &mut Timed, now: Instant, users: &[UserId], time: Option<Duration>) -> bool {
    let until = time.map_or(Until::Forever, |time| Until::At(now + time));
    let is_new = |&(place, user): &(usize, &UserId)| {
        timed.get(now, *user).is_none() && !users[..place].contains(user)
    };
    let more = users.iter().enumerate().filter(is_new).count() as u32;
    let has_room = timed.makes_room_for(now, more);
    if has_room {
        for &user in users {
            timed.set(user, until);
        }
    }
    has_room
}
