//! The moderation of one room: admins, mutes, speak modes, marks, kicks, bans and retractions.

use super::current::Current;
use roomcast_core::error::ModerationError;
use roomcast_core::pins::{PinId, PinRefused};
use roomcast_core::retraction::{Retracted, Retraction};
use roomcast_core::speak_mode::SpeakMode;
use roomcast_core::time::Duration;
use roomcast_core::{Actor, Direct, Payload, UserId};

/// The moderation of one room in somebody's name: [`Room::moderation`](crate::Room::moderation).
///
/// One table says who may do what to whom: the host everything but to the owner, the owner
/// everything, admins all but naming admins, closing, and what is done to each other.
///
/// ```
/// # use roomcast::{Actor, Hub, Join, RoomConfig, RoomId, UserId};
/// # use std::time::Duration;
/// let hub = Hub::<&str>::builder().spawn_threads()?;
/// let room = hub.open_room(RoomId(42), &RoomConfig::default())?;
/// let minute = Some(Duration::from_secs(60));
/// room.moderation(Actor::Host).mute(&[UserId(7)], minute)?;
/// assert!(room.muted_until(UserId(7)).is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing happens until something is asked for"]
pub struct Moderation<'a, M: Payload + Send + Sync + 'static> {
    shared: Current<'a, M>,
    actor: Actor,
}

impl<'a, M: Payload + Send + Sync + 'static> Moderation<'a, M> {
    pub(super) fn new(shared: Current<'a, M>, actor: Actor) -> Self {
        Self { shared, actor }
    }

    /// Names a user admin, through leave and rejoin. Returns whether that changed anything.
    ///
    /// # Errors
    /// The actor may not do that, the room is closed, or it has as many admins as it may have.
    pub fn add_admin(&self, user: UserId) -> Result<bool, ModerationError> {
        self.shared.add_admin(self.actor, user)
    }

    /// Makes an admin a member again. Returns whether that changed anything.
    ///
    /// # Errors
    /// The actor may not do that, or the room is closed.
    pub fn remove_admin(&self, user: UserId) -> Result<bool, ModerationError> {
        self.shared.admit(|admission, now| admission.remove_admin(now, self.actor, user))
    }

    /// Hands the room over to another owner, in or not, and tells it by a tip. Who was the owner is a
    /// member, and may leave; a new owner who was an admin is none any more, and a mute stays. To
    /// [reconfigure](crate::Room::reconfigure) the room afterwards, name the owner that there is
    /// ([`RoomConfig::with_owner`](crate::RoomConfig::with_owner)).
    ///
    /// ```
    /// # use roomcast::{Actor, Hub, RoomConfig};
    /// let hub = Hub::<&str>::builder().spawn_threads()?;
    /// let room = hub.open_room("stream-42", &RoomConfig::default())?;
    /// let (ann, bob) = (room.user_id("ann"), room.user_id("bob"));
    /// room.moderation(Actor::Host).set_owner(ann)?;
    /// room.moderation(Actor::User(ann)).set_owner(bob)?;
    /// assert_eq!(room.owner(), Some(bob));
    /// let config = RoomConfig::default().with_owner(room.owner());
    /// room.reconfigure(&config.to_builder().rate(60).build()?)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The room is closed, the actor is neither the host nor the owner, the user is the owner
    /// already, or is banned. Nothing has changed then.
    pub fn set_owner(&self, user: UserId) -> Result<(), ModerationError> {
        self.shared.set_owner(self.actor, user)
    }

    /// Keeps users from speaking for a time (`None`: for good), through leave and rejoin. At most
    /// 256 in one call.
    ///
    /// # Errors
    /// The room is closed, the call names too many, the actor may not do that to one of them, or
    /// the table of mutes is full. Nothing has changed then.
    pub fn mute(&self, users: &[UserId], time: Option<Duration>) -> Result<(), ModerationError> {
        self.shared.mute(self.actor, users, time)
    }

    /// Lets users speak again.
    ///
    /// # Errors
    /// The room is closed, the call names too many, or the actor may not do that to one of them.
    pub fn unmute(&self, users: &[UserId]) -> Result<(), ModerationError> {
        self.shared.admit(|admission, now| admission.unmute(now, self.actor, users))
    }

    /// Lets only the owner and the admins speak.
    ///
    /// # Errors
    /// The room is closed, or the actor may not do that.
    pub fn mute_room(&self) -> Result<(), ModerationError> {
        self.shared.admit(|admission, now| admission.mute_room(now, self.actor))
    }

    /// Lets everyone speak again who is not muted.
    ///
    /// # Errors
    /// The room is closed, or the actor may not do that.
    pub fn unmute_room(&self) -> Result<(), ModerationError> {
        self.shared.admit(|admission, now| admission.unmute_room(now, self.actor))
    }

    /// Sets what the room asks of those who speak from now on. Returns whether that changed anything;
    /// if so, a tip says so.
    ///
    /// ```
    /// # use roomcast::moderation::{MaySpeak, SpeakMode};
    /// # use roomcast::{Actor, Hub, RoomConfig};
    /// # use std::time::Duration;
    /// let hub = Hub::<&str>::builder().spawn_threads()?;
    /// let room = hub.open_room("stream-42", &RoomConfig::default())?;
    /// // Only whoever has been in for ten minutes, and nobody what was said within thirty seconds.
    /// let mode = SpeakMode::new(MaySpeak::MembersFor(Duration::from_secs(600)))
    ///     .unique_within(Duration::from_secs(30));
    /// room.moderation(Actor::Host).set_speak_mode(mode)?;
    /// assert_eq!(room.speak_mode(), mode);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The room is closed, or the actor may not do that.
    pub fn set_speak_mode(&self, mode: SpeakMode) -> Result<bool, ModerationError> {
        self.shared.admit(|admission, now| admission.set_speak_mode(now, self.actor, mode))
    }

    /// Marks users, in or not, through leave and rejoin: they may speak where only marked users may.
    /// At most 256 in one call.
    ///
    /// # Errors
    /// The room is closed, the call names too many, the actor may not do that to one of them, or
    /// there are as many marks as there may be. Nobody is marked then.
    pub fn mark(&self, users: &[UserId]) -> Result<(), ModerationError> {
        self.shared.mark(self.actor, users)
    }

    /// Takes the marks of users away.
    ///
    /// # Errors
    /// The room is closed, the call names too many, or the actor may not do that to one of them.
    pub fn unmark(&self, users: &[UserId]) -> Result<(), ModerationError> {
        self.shared.admit(|admission, now| admission.unmark(now, self.actor, users))
    }

    /// Takes users out: their sessions still get what they are due, then the reason; what they have
    /// in the queue is dropped.
    ///
    /// # Errors
    /// The room is closed, the call names too many, or the actor may not do that to one of them.
    /// Nobody has gone then.
    ///
    /// # Cost
    /// O(their sessions and what they have in the queue). It takes all of the room's locks.
    pub fn kick(&self, users: &[UserId]) -> Result<(), ModerationError> {
        self.shared.kick(self.actor, users)
    }

    /// Takes users out and keeps them out for a time (`None`: for good). At most 256 in one call.
    ///
    /// # Errors
    /// As [`kick`](Self::kick), or the table of bans is full. Nobody has gone then.
    ///
    /// # Cost
    /// As [`kick`](Self::kick).
    pub fn ban(&self, users: &[UserId], time: Option<Duration>) -> Result<(), ModerationError> {
        self.shared.ban(self.actor, users, time)
    }

    /// Takes messages back: one, or all of a user's. Returns what there was.
    ///
    /// What waits is dropped. What has gone out and is in the room's log nobody gets who has not got
    /// it, late joiners and resumers included: it is excluded in their books. Those who have got it are
    /// told its number by a [tip](crate::event::SystemMessage::Retracted), if the room gives such and
    /// its payloads have words for it ([`Payload::system_message`]); what was handed to a transport
    /// counts as got. The host may take back anything, whoever has said something that, and the owner
    /// and the admins what those say whom they may kick. What is not there any more is no error.
    ///
    /// ```
    /// use roomcast::moderation::Retraction;
    /// use roomcast::{Actor, Hub, Outcome, Publish, RoomConfig, Source};
    ///
    /// let hub = Hub::<&str>::builder().spawn_threads()?;
    /// let room = hub.open_room("stream-42", &RoomConfig::default())?;
    /// let (ann, mut bob) = (room.join("ann")?, room.join("bob")?);
    /// let receipt = room.try_publish(Publish::new(Source::Session(ann.session()), "oh no"))?;
    /// let Some(Outcome::Dispatched { seq, .. }) = receipt.outcome else { unreachable!() };
    ///
    /// let by_ann = room.moderation(Actor::User(room.user_id("ann")));
    /// assert_eq!(by_ann.retract(Retraction::Sent(seq))?.seqs, [seq]);
    /// assert!(bob.try_next_batch()?.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The room is closed, or the actor may not do that. Nothing has changed then.
    ///
    /// # Cost
    /// O(log messages) for one that went out, O(what waits) for one that waits, O(messages of the log)
    /// for all of a user's. It takes all of the room's locks.
    pub fn retract(&self, what: Retraction) -> Result<Retracted, ModerationError> {
        self.shared.in_all(|halves, now| halves.retract(now, self.actor, what))
    }

    /// Pins a message under a number of the host's: everyone who joins from now on gets it before all
    /// else, as a direct message of priority High that [says so](Direct::pin), which
    /// [`Encoder::pinned`](crate::Encoder::pinned) writes. What has that number is replaced; at most
    /// [three](crate::moderation::MAX_PINS) are pinned at one time. A tip tells those who are in which
    /// numbers are pinned now, if the room gives such.
    ///
    /// ```
    /// use roomcast::moderation::PinId;
    /// use roomcast::{Actor, Direct, Hub, RoomConfig};
    ///
    /// let hub = Hub::<&str>::builder().spawn_threads()?;
    /// let room = hub.open_room("stream-42", &RoomConfig::default())?;
    /// room.moderation(Actor::Host).pin(PinId(1), Direct::new("no spoilers"))?;
    /// let mut ann = room.join("ann")?;
    /// let batch = ann.try_next_batch()?.expect("it is due");
    /// assert_eq!(batch.directs().next().map(|pinned| pinned.payload), Some("no spoilers"));
    /// assert_eq!(room.pinned(), [PinId(1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The actor may not do that, the payload is too large, three others are pinned, or the memory that
    /// all rooms share lets no more in. The payload comes back, and nothing has changed.
    pub fn pin(&self, id: PinId, direct: Direct<M>) -> Result<(), PinRefused<M>> {
        self.shared.admit(|admission, now| admission.pin(now, self.actor, id, direct))
    }

    /// Unpins what has this number. Returns whether there was any; if so, a tip says so.
    ///
    /// # Errors
    /// The room is closed, or the actor may not do that.
    pub fn unpin(&self, id: PinId) -> Result<bool, ModerationError> {
        self.shared.admit(|admission, now| admission.unpin(now, self.actor, id))
    }

    /// Lets banned users in again.
    ///
    /// # Errors
    /// The room is closed, the call names too many, or the actor may not do that.
    pub fn unban(&self, users: &[UserId]) -> Result<(), ModerationError> {
        self.shared.admit(|admission, now| admission.unban(now, self.actor, users))
    }
}
