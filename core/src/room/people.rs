//! Moderation and data of a room: calls of the admission, and what follows from them for the
//! sessions. [Clause A9](crate::rulebook#a9-kick).

use super::RoomState;
use crate::admission::{Actor, ImportError, PersistedState};
use crate::data::DataError;
use crate::direct::Direct;
use crate::error::{ModerationError, ProfileError};
use crate::ids::UserId;
use crate::message::Payload;
use crate::pins::{PinId, PinRefused};
use crate::retraction::{Retracted, Retraction};
use crate::rights::Role;
use crate::speak_mode::SpeakMode;
use crate::time::{Duration, Instant};
use crate::timed::Until;
use alloc::sync::Arc;
use alloc::vec::Vec;

impl<M: Payload> RoomState<M> {
    /// Sets what travels with a user's messages from the next one on; `None` takes it away.
    pub fn set_profile(&mut self, user: UserId, profile: Option<M>) -> Result<(), ProfileError<M>> {
        let answer = self.admission.set_profile(user, profile);
        self.admission.clear_deferred_drops();
        answer
    }

    /// Names a user admin. See [`Admission::add_admin`](crate::Admission::add_admin).
    pub fn add_admin(
        &mut self,
        now: Instant,
        actor: Actor,
        user: UserId,
    ) -> Result<bool, ModerationError> {
        self.admission.add_admin(now, actor, user)
    }

    /// Makes an admin a member again. See
    /// [`Admission::remove_admin`](crate::Admission::remove_admin).
    pub fn remove_admin(
        &mut self,
        now: Instant,
        actor: Actor,
        user: UserId,
    ) -> Result<bool, ModerationError> {
        self.admission.remove_admin(now, actor, user)
    }

    /// Hands the room over to another owner. See [`Admission::set_owner`](crate::Admission::set_owner).
    ///
    /// ```
    /// use roomcast_core::rights::Role;
    /// use roomcast_core::{Actor, Instant, RoomConfig, RoomState, UserId};
    ///
    /// let mut room: RoomState<&str> = RoomState::new(&RoomConfig::av_chat_room(UserId(1)));
    /// room.set_owner(Instant::ZERO, Actor::User(UserId(1)), UserId(7))?;
    /// assert_eq!(room.owner(), Some(UserId(7)));
    /// assert_eq!(room.role_of(UserId(1)), Role::Member);
    /// # Ok::<(), roomcast_core::error::ModerationError>(())
    /// ```
    pub fn set_owner(
        &mut self,
        now: Instant,
        actor: Actor,
        user: UserId,
    ) -> Result<(), ModerationError> {
        self.admission.set_owner(now, actor, user)
    }

    /// Whose room it is, if anybody's.
    pub fn owner(&self) -> Option<UserId> {
        self.admission.owner()
    }

    /// Keeps users from speaking for a time. See [`Admission::mute`](crate::Admission::mute).
    pub fn mute(
        &mut self,
        now: Instant,
        actor: Actor,
        users: &[UserId],
        time: Option<Duration>,
    ) -> Result<(), ModerationError> {
        self.admission.mute(now, actor, users, time)
    }

    /// Lets users speak again. See [`Admission::unmute`](crate::Admission::unmute).
    pub fn unmute(
        &mut self,
        now: Instant,
        actor: Actor,
        users: &[UserId],
    ) -> Result<(), ModerationError> {
        self.admission.unmute(now, actor, users)
    }

    /// Lets only the owner and the admins speak. See
    /// [`Admission::mute_room`](crate::Admission::mute_room).
    pub fn mute_room(&mut self, now: Instant, actor: Actor) -> Result<(), ModerationError> {
        self.admission.mute_room(now, actor)
    }

    /// Lets everyone speak again who is not muted. See
    /// [`Admission::unmute_room`](crate::Admission::unmute_room).
    pub fn unmute_room(&mut self, now: Instant, actor: Actor) -> Result<(), ModerationError> {
        self.admission.unmute_room(now, actor)
    }

    /// What the room asks of those who speak.
    pub fn speak_mode(&self) -> SpeakMode {
        self.admission.speak_mode()
    }

    /// Sets what the room asks of those who speak from now on. See
    /// [`Admission::set_speak_mode`](crate::Admission::set_speak_mode).
    pub fn set_speak_mode(
        &mut self,
        now: Instant,
        actor: Actor,
        mode: SpeakMode,
    ) -> Result<bool, ModerationError> {
        self.admission.set_speak_mode(now, actor, mode)
    }

    /// Whether a user is marked.
    pub fn is_marked(&self, user: UserId) -> bool {
        self.admission.is_marked(user)
    }

    /// Marks users. See [`Admission::mark`](crate::Admission::mark).
    pub fn mark(
        &mut self,
        now: Instant,
        actor: Actor,
        users: &[UserId],
    ) -> Result<(), ModerationError> {
        self.admission.mark(now, actor, users)
    }

    /// Takes the marks of users away. See [`Admission::unmark`](crate::Admission::unmark).
    pub fn unmark(
        &mut self,
        now: Instant,
        actor: Actor,
        users: &[UserId],
    ) -> Result<(), ModerationError> {
        self.admission.unmark(now, actor, users)
    }

    /// Takes users out. Their sessions still take what they are due, then the reason. See
    /// [`Admission::kick`](crate::Admission::kick).
    pub fn kick(
        &mut self,
        now: Instant,
        actor: Actor,
        users: &[UserId],
    ) -> Result<(), ModerationError> {
        let answer = self.halves().kick(now, actor, users);
        self.clear_deferred_drops();
        answer
    }

    /// Takes users out and keeps them out for a time. See
    /// [`Admission::ban`](crate::Admission::ban).
    pub fn ban(
        &mut self,
        now: Instant,
        actor: Actor,
        users: &[UserId],
        time: Option<Duration>,
    ) -> Result<(), ModerationError> {
        let answer = self.halves().ban(now, actor, users, time);
        self.clear_deferred_drops();
        answer
    }

    /// Takes messages back: one, or all of a user's. What waits is dropped as
    /// [`Retracted`](crate::ledger::DropReason::Retracted). What has gone out and is in the log nobody
    /// gets who has not got it: it is excluded for whoever passes it from now on, late joiners and
    /// resumers too. Whoever has got it is told its number by a
    /// [tip](crate::system_messages::SystemMessage::Retracted), if the room gives such and its payloads
    /// can. The host may take back anything, whoever has said something that alone, and the owner and
    /// the admins what those say whom they may kick. What is not there, or not any more, is no error.
    ///
    /// O(log messages) for one that went out, O(what waits) for one that waits; for all of a user's
    /// O(messages of the log), of which at most the newest 4,096 of each level are looked at.
    ///
    /// ```
    /// use roomcast_core::retraction::Retraction;
    /// use roomcast_core::{Actor, Budget, Instant, Join, Outcome, Publish, RoomConfig, RoomState, Source, UserId};
    ///
    /// let (now, ann) = (Instant::from_secs(1), UserId(7));
    /// let mut room = RoomState::new(&RoomConfig::av_chat_room(UserId(1)));
    /// let by = Source::Session(room.join(now, Join::user(ann))?.session);
    /// let guest = room.join(now, Join::guest())?.session;
    /// let receipt = room.publish(now, Publish::new(by, "oh no"))?;
    /// let Some(Outcome::Dispatched { seq, .. }) = receipt.outcome else { unreachable!() };
    ///
    /// let retracted = room.retract(now, Actor::User(ann), Retraction::Sent(seq))?;
    /// assert_eq!(retracted.seqs, [seq]);
    /// assert!(room.next_batch(now, guest, Budget::default())?.is_none());
    /// assert!(room.snapshot(now).balances());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The room is closed, or the actor may not do that. Nothing has changed then.
    pub fn retract(
        &mut self,
        now: Instant,
        actor: Actor,
        what: Retraction,
    ) -> Result<Retracted, ModerationError> {
        let answer = self.halves().retract(now, actor, what);
        self.clear_deferred_drops();
        answer
    }

    /// Pins a message under a number of the host's: everyone who joins from now on gets it before all
    /// else, resumers too, as a [direct message](Direct) of priority High that [says so](Direct::pin).
    /// What has that number is replaced, in its place; else it comes behind the others, of which there
    /// are at most [three](crate::pins::MAX_PINS) in all. Those who are in get a
    /// [tip](crate::system_messages::SystemMessage::Pinned) that tells what is pinned now, if the room
    /// gives such. Who has joined before gets what was pinned then. O(pins).
    ///
    /// ```
    /// use roomcast_core::pins::PinId;
    /// use roomcast_core::{Actor, Budget, Direct, Instant, Join, RoomConfig, RoomState, UserId};
    ///
    /// let mut room = RoomState::new(&RoomConfig::av_chat_room(UserId(1)));
    /// let now = Instant::from_secs(1);
    /// room.pin(now, Actor::Host, PinId(1), Direct::new("no spoilers"))?;
    /// let guest = room.join(now, Join::guest())?.session;
    /// let batch = room.next_batch(now, guest, Budget::default())?.expect("it is due");
    /// let first = batch.directs().next().expect("it is pinned");
    /// assert_eq!((first.payload, first.pin), ("no spoilers", Some(PinId(1))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The actor may not do that, the payload is too large, three others are pinned, or the memory that
    /// all rooms share lets no more in. The payload comes back, and nothing has changed.
    pub fn pin(
        &mut self,
        now: Instant,
        actor: Actor,
        id: PinId,
        direct: Direct<M>,
    ) -> Result<(), PinRefused<M>> {
        let answer = self.admission.pin(now, actor, id, direct);
        self.admission.clear_deferred_drops();
        answer
    }

    /// Unpins what has this number. Returns whether there was any. See
    /// [`Admission::unpin`](crate::Admission::unpin).
    pub fn unpin(
        &mut self,
        now: Instant,
        actor: Actor,
        id: PinId,
    ) -> Result<bool, ModerationError> {
        let answer = self.admission.unpin(now, actor, id);
        self.admission.clear_deferred_drops();
        answer
    }

    /// The numbers of what is pinned, in the order in which it was.
    pub fn pinned(&self) -> Vec<PinId> {
        self.admission.pinned()
    }

    /// Lets banned users in again. See [`Admission::unban`](crate::Admission::unban).
    pub fn unban(
        &mut self,
        now: Instant,
        actor: Actor,
        users: &[UserId],
    ) -> Result<(), ModerationError> {
        self.admission.unban(now, actor, users)
    }

    /// What a user is in this room, present or not.
    pub fn role_of(&self, user: UserId) -> Role {
        self.admission.role_of(user)
    }

    /// Until when a user is muted, if so.
    pub fn muted_until(&self, now: Instant, user: UserId) -> Option<Until> {
        self.admission.muted_until(now, user)
    }

    /// Until when a user is banned, if so.
    pub fn banned_until(&self, now: Instant, user: UserId) -> Option<Until> {
        self.admission.banned_until(now, user)
    }

    /// Writes attributes. See [`Admission::write_attributes`](crate::Admission::write_attributes).
    pub fn write_attributes(
        &mut self,
        now: Instant,
        based_on: Option<u64>,
        changes: &[(&str, Option<&[u8]>)],
    ) -> Result<u64, DataError> {
        self.admission.write_attributes(now, based_on, changes)
    }

    /// Writes attributes that end with their owner's last session. See
    /// [`Admission::write_attributes_of`](crate::Admission::write_attributes_of).
    pub fn write_attributes_of(
        &mut self,
        now: Instant,
        owner: UserId,
        based_on: Option<u64>,
        changes: &[(&str, Option<&[u8]>)],
    ) -> Result<u64, DataError> {
        self.admission.write_attributes_of(now, owner, based_on, changes)
    }

    /// The version of the attributes: how many changes have been made.
    pub fn attributes_version(&self) -> u64 {
        self.admission.attributes_version()
    }

    /// All attributes, by key.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &Arc<[u8]>)> {
        self.admission.attributes()
    }

    /// Sets a counter, whatever it said; returns what that was.
    pub fn set_counter(&mut self, key: &str, value: i64) -> Result<Option<i64>, DataError> {
        self.admission.set_counter(key, value)
    }

    /// Adds to a counter; one that is missing starts at 0. Returns the sum, which never wraps.
    pub fn add_counter(&mut self, key: &str, delta: i64) -> Result<i64, DataError> {
        self.admission.add_counter(key, delta)
    }

    /// Takes a counter away; returns what it said, and `None` when there was none.
    ///
    /// # Errors
    /// The room is closed.
    pub fn remove_counter(&mut self, key: &str) -> Result<Option<i64>, DataError> {
        self.admission.remove_counter(key)
    }

    /// All counters, by key.
    pub fn counters(&self) -> impl Iterator<Item = (&str, i64)> {
        self.admission.counters()
    }

    /// What the room carries over a restart. See [`Admission::export`](crate::Admission::export).
    pub fn export(&self, now: Instant) -> PersistedState {
        self.admission.export(now)
    }

    /// Takes over what a room carried, in place of what is here. See
    /// [`Admission::import`](crate::Admission::import).
    pub fn import(&mut self, now: Instant, carried: PersistedState) -> Result<(), ImportError> {
        self.admission.import(now, carried)
    }
}
