//! Whom the room's owner and admins have dealt with, and who may do what.

use super::persisted::PersistedState;
use super::speech::{Speech, Unheard};
use crate::config::Settings;
use crate::error::ModerationError;
use crate::ids::{MessageId, UserId};
use crate::index::Hasher;
use crate::message::Sender;
use crate::rights::{Action, NotAllowed, Role, forbids};
use crate::speak_mode::SpeakMode;
use crate::time::{Duration, Instant};
use crate::timed::{Timed, Until};
use alloc::boxed::Box;
use alloc::vec::Vec;
use smallvec::SmallVec;

/// Users that one call may name.
const MAX_USERS: usize = 256;

/// Who asks for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The host, who may do everything.
    Host,
    /// A user, who may do what the room's rules say.
    User(UserId),
}

/// Admins, mutes and bans. They hold for users who are in and for those who are not, and outlive
/// everyone's sessions.
#[derive(Debug)]
pub(super) struct Moderation {
    /// None while there never was an admin, a mute or a ban.
    lists: Option<Box<Lists>>,
    hasher: Hasher,
    room_muted: bool,
    /// None while the room asks nothing of those who speak, and nobody is marked.
    speech: Option<Box<Speech>>,
}

#[derive(Debug)]
struct Lists {
    admins: SmallVec<[UserId; 5]>,
    mutes: Timed,
    bans: Timed,
}

/// What a room's moderation holds, as plain counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
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
    /// Marked users.
    pub marks: u32,
    /// What the room asks of those who speak.
    pub speak_mode: SpeakMode,
}

/// Why somebody may not speak.
pub(super) enum MuteReason {
    /// Muted.
    Muted(Until),
    /// The room is.
    RoomMuted,
}

impl Moderation {
    pub(super) fn new(hasher: Hasher) -> Self {
        Self { lists: None, hasher, room_muted: false, speech: None }
    }

    /// The lists, to change them.
    #[inline(never)]
    fn lists_mut(&mut self, settings: &Settings) -> &mut Lists {
        let hasher = self.hasher;
        self.lists.get_or_insert_with(|| {
            Box::new(Lists {
                admins: SmallVec::new(),
                mutes: Timed::new(settings.mutes, hasher),
                bans: Timed::new(settings.bans, hasher),
            })
        })
    }

    /// Puts users on a list; returns whether there was room. If not, nothing is left behind.
    fn put(&mut self, settings: &Settings, put: impl FnOnce(&mut Lists) -> bool) -> bool {
        let has_lists = self.lists.is_some();
        let has_room = put(self.lists_mut(settings));
        if !has_room && !has_lists {
            self.lists = None;
        }
        has_room
    }

    /// From now on other limits; nobody is let off.
    pub(super) fn reconfigure(&mut self, settings: &Settings) {
        if let Some(lists) = &mut self.lists {
            lists.mutes.set_limit(settings.mutes);
            lists.bans.set_limit(settings.bans);
        }
    }

    /// Returns what a user is in this room, present or not.
    pub(super) fn role(&self, settings: &Settings, user: UserId) -> Role {
        if Some(user) == settings.owner {
            Role::Owner
        } else if self.admins().contains(&user) {
            Role::Admin
        } else {
            Role::Member
        }
    }

    /// Returns the admins, in the order in which they were named.
    pub(super) fn admins(&self) -> &[UserId] {
        self.lists.as_ref().map_or(&[], |lists| &lists.admins)
    }

    /// Returns who is marked, by id.
    pub(super) fn marked(&self) -> impl Iterator<Item = UserId> {
        self.speech.iter().flat_map(|speech| speech.marks.iter().copied())
    }

    /// Returns whether it is the host, the owner or an admin who speaks.
    pub(super) fn is_staff(&self, settings: &Settings, sender: Sender) -> bool {
        match sender {
            Sender::Host => true,
            Sender::User(user) => self.role(settings, user) != Role::Member,
        }
    }

    /// Returns why a user may not speak, if so. O(1).
    #[inline]
    pub(super) fn mute_reason(
        &self,
        settings: &Settings,
        now: Instant,
        user: UserId,
    ) -> Option<MuteReason> {
        if let Some(until) = self.muted(now, user) {
            return Some(MuteReason::Muted(until));
        }
        self.is_silenced_with_the_room(settings, user).then_some(MuteReason::RoomMuted)
    }

    /// Returns whether the muted room keeps a user from speaking.
    #[inline]
    pub(super) fn is_silenced_with_the_room(&self, settings: &Settings, user: UserId) -> bool {
        self.room_muted && self.role(settings, user) == Role::Member
    }

    /// Returns until when a user is muted, if so.
    #[inline]
    pub(super) fn muted(&self, now: Instant, user: UserId) -> Option<Until> {
        self.lists.as_ref()?.mutes.get(now, user)
    }

    /// Returns until when a user is banned, if so.
    pub(super) fn banned(&self, now: Instant, user: UserId) -> Option<Until> {
        self.lists.as_ref()?.bans.get(now, user)
    }

    /// Checks that somebody may do something to all of these users, or with none, to the room.
    pub(super) fn check(
        &self,
        settings: &Settings,
        now: Instant,
        actor: Actor,
        action: Action,
        users: &[UserId],
    ) -> Result<(), ModerationError> {
        if users.len() > MAX_USERS {
            return Err(ModerationError::TooManyUsers { count: users.len(), max: MAX_USERS });
        }
        let to_room = users.is_empty().then_some(None);
        for target in users.iter().copied().map(Some).chain(to_room) {
            self.check_one(settings, now, actor, action, target)?;
        }
        Ok(())
    }

    /// Looks into the table of [`forbids`], for this room. Whoever is banned may do what any member
    /// may, whatever the role.
    pub(super) fn check_one(
        &self,
        settings: &Settings,
        now: Instant,
        actor: Actor,
        action: Action,
        target: Option<UserId>,
    ) -> Result<(), NotAllowed> {
        let actor = match actor {
            Actor::Host => None,
            Actor::User(user) => Some(user),
        };
        let role = |user: UserId| self.role(settings, user);
        let powers = |user| match self.banned(now, user) {
            Some(_) => Role::Member,
            None => role(user),
        };
        forbids(actor.map(powers), action, target.map(role))
            .map_or(Ok(()), |rule| Err(NotAllowed { actor, action, target, rule }))
    }

    /// Names a user admin, if there may be one more. Returns whether that changed anything.
    pub(super) fn add_admin(
        &mut self,
        settings: &Settings,
        user: UserId,
    ) -> Result<bool, ModerationError> {
        let max = settings.admins;
        if self.admins().contains(&user) {
            return Ok(false);
        }
        if self.admins().len() >= max as usize {
            return Err(ModerationError::TooManyAdmins { max });
        }
        self.lists_mut(settings).admins.push(user);
        Ok(true)
    }

    /// Names a user admin no longer. Returns whether that changed anything.
    pub(super) fn remove_admin(&mut self, user: UserId) -> bool {
        let Some(lists) = &mut self.lists else { return false };
        let place = lists.admins.iter().position(|&other| other == user);
        place.map(|place| lists.admins.remove(place)).is_some()
    }

    /// Mutes users for a time or for good; if there is no room for all, none of them.
    pub(super) fn mute(
        &mut self,
        settings: &Settings,
        now: Instant,
        users: &[UserId],
        time: Option<Duration>,
    ) -> Result<(), ModerationError> {
        let mutes = |lists: &mut Lists| put_under(&mut lists.mutes, now, users, time);
        if self.put(settings, mutes) {
            Ok(())
        } else {
            Err(ModerationError::MutesFull { max: settings.mutes })
        }
    }

    /// Lets users speak again.
    pub(super) fn unmute(&mut self, users: &[UserId]) {
        if let Some(lists) = &mut self.lists {
            for &user in users {
                lists.mutes.lift(user);
            }
        }
    }

    /// Bans users for a time or for good; if there is no room for all, none of them.
    pub(super) fn ban(
        &mut self,
        settings: &Settings,
        now: Instant,
        users: &[UserId],
        time: Option<Duration>,
    ) -> Result<(), ModerationError> {
        let bans = |lists: &mut Lists| put_under(&mut lists.bans, now, users, time);
        if self.put(settings, bans) {
            Ok(())
        } else {
            Err(ModerationError::BansFull { max: settings.bans })
        }
    }

    /// Lets users in again.
    pub(super) fn unban(&mut self, users: &[UserId]) {
        if let Some(lists) = &mut self.lists {
            for &user in users {
                lists.bans.lift(user);
            }
        }
    }

    /// Lets only the owner and the admins speak, or everyone again.
    pub(super) fn set_room_muted(&mut self, room_muted: bool) {
        self.room_muted = room_muted;
    }

    /// Returns what the room asks of those who speak.
    pub(super) fn speak_mode(&self) -> SpeakMode {
        self.speech.as_ref().map_or(SpeakMode::EVERYONE, |speech| speech.mode)
    }

    /// Asks this of those who speak from now on. Returns whether that changed anything.
    pub(super) fn set_speak_mode(&mut self, mode: SpeakMode) -> bool {
        let is_new = self.speak_mode() != mode;
        self.in_speech(|speech| speech.set_mode(mode));
        is_new
    }

    /// Returns whether a user is marked.
    pub(super) fn is_marked(&self, user: UserId) -> bool {
        self.speech.as_ref().is_some_and(|speech| speech.marks.contains(&user))
    }

    /// Marks users; if there is no room for all, none of them.
    pub(super) fn mark(
        &mut self,
        settings: &Settings,
        users: &[UserId],
    ) -> Result<(), ModerationError> {
        let mut new: Vec<UserId> =
            users.iter().copied().filter(|&user| !self.is_marked(user)).collect();
        new.sort_unstable();
        new.dedup();
        let held = self.speech.as_ref().map_or(0, |speech| speech.marks.len());
        if !new.is_empty() && held + new.len() > settings.marks as usize {
            return Err(ModerationError::MarksFull { max: settings.marks });
        }
        self.in_speech(|speech| speech.marks.extend(new));
        Ok(())
    }

    /// Takes the marks of users away.
    pub(super) fn unmark(&mut self, users: &[UserId]) {
        self.in_speech(|speech| speech.marks.retain(|user| !users.contains(user)));
    }

    /// Changes what is asked, and keeps nothing if that is nothing.
    fn in_speech(&mut self, change: impl FnOnce(&mut Speech)) {
        let mut speech = self.speech.take().unwrap_or_default();
        change(&mut speech);
        self.speech = Some(speech).filter(|speech| !speech.is_default());
    }

    /// Returns why a user may not speak by the room's mode, if so; staff always may. `since` is asked
    /// when the user came, where that matters.
    #[inline]
    pub(super) fn keeps_from_speaking(
        &self,
        settings: &Settings,
        now: Instant,
        user: UserId,
        since: impl FnOnce() -> Option<Instant>,
    ) -> Option<Unheard> {
        let speech = self.speech.as_ref()?;
        if self.role(settings, user) != Role::Member {
            return None;
        }
        speech.keeps_out(now, user, since)
    }

    /// Returns whether more is asked of those who speak than that they are not muted, or anyone is marked.
    #[inline]
    pub(super) fn asks_of_speech(&self) -> bool {
        self.speech.is_some()
    }

    /// Returns whether the contents of messages are compared.
    pub(super) fn compares_contents(&self) -> bool {
        self.speech.as_ref().is_some_and(|speech| speech.mode.unique_within.is_some())
    }

    /// The message that is offered now has this content, if it is compared by any.
    pub(super) fn offer_content(&mut self, content: Option<u64>) {
        if let Some(speech) = &mut self.speech {
            speech.offered = content;
        }
    }

    /// Returns the window, and until when the content that is offered may not be said, if so; staff
    /// always may.
    pub(super) fn content_said_until(
        &self,
        settings: &Settings,
        now: Instant,
        sender: Sender,
    ) -> Option<(Duration, Instant)> {
        let speech = self.speech.as_ref()?;
        let content = speech.offered?;
        if self.is_staff(settings, sender) { None } else { speech.said_until(now, content) }
    }

    /// The message with the content that was offered was let in; staff's are not compared.
    pub(super) fn note_content(
        &mut self,
        settings: &Settings,
        now: Instant,
        sender: Sender,
        id: MessageId,
    ) {
        let is_staff = self.is_staff(settings, sender);
        if let Some(speech) = &mut self.speech
            && let Some(content) = speech.offered.take()
            && !is_staff
        {
            speech.note(now, content, id);
        }
    }

    /// A message was dropped: its content may be said again.
    #[inline]
    pub(super) fn free_content(&mut self, id: MessageId) {
        if let Some(speech) = &mut self.speech {
            speech.free(id);
        }
    }

    /// What was said stays said in another one that takes this one's place.
    pub(super) fn hand_on_contents(&mut self, to: &mut Self) {
        if let (Some(mine), Some(theirs)) = (&mut self.speech, &mut to.speech) {
            mine.hand_on_contents(theirs);
        }
    }

    /// Adds to what a room carries over what holds at `now`, in an order that no hash decides.
    pub(super) fn export(&self, now: Instant, to: &mut PersistedState) {
        let sorted = |timed: &Timed| {
            let mut list: Vec<_> = timed.iter(now).collect();
            list.sort_unstable();
            list
        };
        to.admins = self.admins().to_vec();
        if let Some(lists) = &self.lists {
            (to.mutes, to.bans) = (sorted(&lists.mutes), sorted(&lists.bans));
        }
        to.room_muted = self.room_muted;
        to.speak_mode = self.speak_mode();
        to.marks = self.marked().collect();
    }

    /// Takes lists over that fit. What has lapsed, whoever is named twice, and the owner where it
    /// is no mute are passed over.
    pub(super) fn import(&mut self, settings: &Settings, now: Instant, carried: &PersistedState) {
        let lists = self.lists_mut(settings);
        for &admin in carried.admins.iter().filter(|&&admin| Some(admin) != settings.owner) {
            if !lists.admins.contains(&admin) {
                lists.admins.push(admin);
            }
        }
        for &(user, until) in carried.mutes.iter().filter(|(_, until)| until.holds(now)) {
            lists.mutes.set(user, until);
        }
        // Nobody bans the owner.
        for &(user, until) in carried
            .bans
            .iter()
            .filter(|(user, until)| until.holds(now) && Some(*user) != settings.owner)
        {
            lists.bans.set(user, until);
        }
        self.room_muted = carried.room_muted;
        self.in_speech(|speech| {
            speech.set_mode(carried.speak_mode);
            speech.marks.extend(carried.marks.iter().copied());
        });
    }

    /// Returns what is held, as plain counts.
    pub(super) fn counts(&self) -> ModerationCounts {
        ModerationCounts {
            admins: self.admins().len() as u32,
            mutes: self.lists.as_ref().map_or(0, |lists| lists.mutes.len()),
            bans: self.lists.as_ref().map_or(0, |lists| lists.bans.len()),
            room_muted: self.room_muted,
            marks: self.speech.as_ref().map_or(0, |speech| speech.marks.len() as u32),
            speak_mode: self.speak_mode(),
        }
    }
}

/// Puts users under a rule from `now` on, each at least for as long as before; returns whether
/// there was room for all. If not, nobody is.
fn put_under(timed: &mut Timed, now: Instant, users: &[UserId], time: Option<Duration>) -> bool {
    let until = time.map_or(Until::Forever, |time| Until::At(now + time));
    let is_new = |&(place, user): &(usize, &UserId)| {
        timed.get(now, *user).is_none() && !users[..place].contains(user)
    };
    let more = users.iter().enumerate().filter(is_new).count() as u32;
    let has_room = timed.makes_room_for(now, more);
    if has_room {
        for &user in users {
            timed.set(user, timed.get(now, user).map_or(until, |holds| holds.max(until)));
        }
    }
    has_room
}
