//! A room of a hub that is called as a room of the core is, by one thread in virtual time: what
//! every server links has to answer, to tell and to book the same as the room that the oracle
//! watches.

use crate::moderation::Act;
use crate::oracle::data::Count;
use crate::payload::Probe;
use roomcast::internals::{ByHand, by_hand};
use roomcast::session::ResumeToken;
use roomcast::{Clock, Hub, Room, Subscription};
use roomcast_core::admission::{ImportError, ReviewDecision};
use roomcast_core::audit::AuditRecord;
use roomcast_core::broadcasts::{Broadcast, BroadcastLimits};
use roomcast_core::data::DataError;
use roomcast_core::direct::DirectReceipt;
use roomcast_core::error::{
    CloseError, JoinError, LeaveError, ModerationError, ReconfigureError, SessionEnd,
};
use roomcast_core::ids::{Seq, Ticket};
use roomcast_core::level_set::LevelSet;
use roomcast_core::pins::{PinId, PinRefused};
use roomcast_core::resume::TokenAt;
use roomcast_core::retraction::{Retracted, Retraction};
use roomcast_core::room::RoomSnapshot;
use roomcast_core::{
    Actor, Batch, Budget, Direct, Event, Instant, Join, Joined, Priority, Publish, Receipt,
    Recipient, Refused, RoomConfig, RoomId, SessionId, UserId,
};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The clock of the test.
#[derive(Clone, Debug, Default)]
struct Hands(Arc<AtomicU64>);

impl Clock for Hands {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

type Told = Arc<Mutex<VecDeque<Event>>>;

/// The room, and what its host holds.
#[derive(Debug)]
pub struct HubRoom {
    hub: Hub<Probe>,
    room: Room<Probe>,
    workers: ByHand<Probe>,
    hands: Hands,
    told: Told,
    subscriptions: HashMap<SessionId, Subscription<Probe>>,
    /// The newest tokens, each beside what the core says it stands for.
    tokens: VecDeque<(roomcast_core::resume::ResumeToken, ResumeToken)>,
}

const ROOM: RoomId = RoomId(1);

/// Nanoseconds between two readings of the clock where nothing happens: some months, so that centuries
/// are a few thousand readings.
const REST: u64 = u64::MAX / 4_000;

/// Turns after which a worker that still finds something to do at one instant is taken to be stuck.
const MANY: u32 = 2_000;

impl HubRoom {
    /// A hub with one room under this configuration, over so many shards.
    pub fn new(config: &RoomConfig, shards: u32, limits: BroadcastLimits, now: Instant) -> Self {
        let (hands, told) = (Hands::default(), Told::default());
        hands.0.store(now.as_nanos(), Ordering::Relaxed);
        let hook = Arc::clone(&told);
        let builder = Hub::<Probe>::builder()
            .workers(shards as usize)
            .shards_per_room(shards as usize)
            .clock(hands.clone())
            .max_step(Some(Duration::from_nanos(2 * REST)))
            .broadcasts(limits)
            .seed(7)
            .on_event(move |_, event| {
                hook.lock().unwrap_or_else(PoisonError::into_inner).push_back(*event);
            });
        let (hub, workers) = by_hand(builder, 1);
        // One that stays closed when it has expired, as a room of the core does.
        let room = hub
            .create_room(ROOM, config)
            .unwrap_or_else(|error| unreachable!("the first room of a hub: {error}"));
        let (subscriptions, tokens) = (HashMap::new(), VecDeque::new());
        Self { hub, room, workers, hands, told, subscriptions, tokens }
    }

    /// The life that the hub gave the room.
    pub fn life(&self) -> u64 {
        self.room.stats().room.admission.life
    }

    /// Time goes on as a hub's workers see it, who read the clock twice in the time of a step.
    fn at(&self, now: Instant) -> &Room<Probe> {
        let (from, to) = (self.hands.0.load(Ordering::Relaxed), now.as_nanos());
        for rest in 1..=to.saturating_sub(from) / REST {
            self.hands.0.store(from + rest * REST, Ordering::Relaxed);
            self.hub.now();
        }
        self.hands.0.store(to, Ordering::Relaxed);
        &self.room
    }

    /// The workers do all that is to be done at this instant. Returns whether they came to an end.
    pub fn settle(&mut self, now: Instant) -> bool {
        self.at(now);
        (0..MANY).any(|_| !self.workers.turn())
    }

    /// What the host was told since it was asked last.
    pub fn take_told(&mut self) -> VecDeque<Event> {
        std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// `Room::take_audit`.
    pub fn take_audit(&self, now: Instant, most: usize) -> Vec<AuditRecord<Probe>> {
        self.at(now).take_audit(most)
    }

    /// The books.
    pub fn snapshot(&self, now: Instant) -> RoomSnapshot {
        self.at(now).stats().room
    }

    /// `Room::join`. A token that the hub did not give out is left out.
    pub fn join(&mut self, now: Instant, join: &Join<Probe>) -> Result<Joined, JoinError> {
        let given = |token: &_| self.tokens.iter().find(|(core, _)| core == token);
        let token = join.token().and_then(given).map(|(_, token)| token.clone());
        let known = join.known();
        let mut again = match join.as_user() {
            Some(user) => roomcast::Join::user(user),
            None => roomcast::Join::guest(),
        };
        again = again.group(join.in_group()).mask(join.masked_levels());
        again = join.as_profile().cloned().into_iter().fold(again, roomcast::Join::profile);
        again = known.into_iter().fold(again, roomcast::Join::on);
        again = token.into_iter().fold(again, roomcast::Join::resume);
        let subscription = self.at(now).join(again)?;
        let joined = Joined {
            session: subscription.session(),
            starts_after: subscription.starts_after(),
            start: subscription.start(),
        };
        self.subscriptions.insert(joined.session, subscription);
        Ok(joined)
    }

    /// `Room::leave`.
    pub fn leave(&mut self, now: Instant, user: UserId) -> Result<(), LeaveError> {
        self.at(now).leave(user)
    }

    /// `Session::close`.
    pub fn close_session(&mut self, now: Instant, session: SessionId) -> bool {
        self.at(now).session(session).close()
    }

    /// `Session::end` or `move_away`; tells whether it ends.
    pub fn end_session(
        &mut self,
        now: Instant,
        session: SessionId,
        farewell: Option<Direct<Probe>>,
        is_moved: bool,
    ) -> bool {
        let session = self.at(now).session(session);
        let answer = if is_moved { session.move_away(farewell) } else { session.end(farewell) };
        answer.is_ok()
    }

    /// `Session::touch`.
    pub fn touch(&mut self, now: Instant, session: SessionId) -> bool {
        self.at(now).session(session).touch()
    }

    /// `Session::ack`.
    pub fn ack(&mut self, session: SessionId, level: Priority, seq: Seq) -> bool {
        self.room.session(session).ack(level, seq)
    }

    /// `Session::set_masked_levels`.
    pub fn set_masked_levels(&mut self, now: Instant, session: SessionId, mask: LevelSet) -> bool {
        self.at(now).session(session).set_masked_levels(mask)
    }

    /// `Room::try_publish`.
    pub fn publish(
        &mut self,
        now: Instant,
        publish: Publish<Probe>,
    ) -> Result<Receipt, Refused<Probe>> {
        self.at(now).try_publish(publish)
    }

    /// `Room::review`; tells whether it was taken.
    pub fn review(&mut self, now: Instant, ticket: Ticket, verdict: ReviewDecision<Probe>) -> bool {
        self.at(now).review(ticket, verdict).is_ok()
    }

    /// `Hub::broadcast`; tells whether it was taken.
    pub fn broadcast(&mut self, now: Instant, broadcast: Broadcast<Probe>) -> bool {
        self.at(now);
        self.hub.broadcast(broadcast).is_ok()
    }

    /// `Room::send_direct`; tells the receipt.
    pub fn send_direct(
        &mut self,
        now: Instant,
        to: Recipient,
        direct: Direct<Probe>,
    ) -> Option<DirectReceipt> {
        self.at(now).send_direct(to, direct).ok()
    }

    /// `Subscription::try_next_batch`. Who has no subscription any more has no session.
    pub fn next_batch(
        &mut self,
        now: Instant,
        session: SessionId,
        budget: Budget,
    ) -> Result<Option<Batch<Probe>>, SessionEnd> {
        self.at(now);
        let Some(subscription) = self.subscriptions.remove(&session) else {
            return Err(SessionEnd::NoSession(session));
        };
        let mut subscription = subscription.with_budget(budget);
        let answer = subscription.try_next_batch();
        if answer.is_ok() {
            self.subscriptions.insert(session, subscription);
        }
        answer
    }

    /// `Session::resume_token_at`, which the core's stands for; tells whether there is one.
    pub fn resume_token_at(
        &mut self,
        now: Instant,
        session: SessionId,
        at: TokenAt,
        core: Option<&roomcast_core::resume::ResumeToken>,
    ) -> bool {
        let token = self.at(now).session(session).resume_token_at(at);
        let is_given = token.is_some();
        self.tokens.extend(core.cloned().zip(token));
        if self.tokens.len() > 64 {
            self.tokens.pop_front();
        }
        is_given
    }

    /// `Room::close`.
    pub fn close(&mut self, now: Instant, actor: Actor) -> Result<(), CloseError> {
        self.at(now).close(actor)
    }

    /// `Room::reconfigure`.
    pub fn reconfigure(
        &mut self,
        now: Instant,
        config: &RoomConfig,
    ) -> Result<(), ReconfigureError> {
        self.at(now).reconfigure(config)
    }

    /// A call of `Moderation`.
    pub fn moderate(
        &mut self,
        now: Instant,
        actor: Actor,
        act: &Act,
    ) -> Result<bool, ModerationError> {
        let moderation = self.at(now).moderation(actor);
        match act {
            Act::AddAdmin(user) => moderation.add_admin(*user),
            Act::RemoveAdmin(user) => moderation.remove_admin(*user),
            Act::SetOwner(user) => moderation.set_owner(*user).map(|()| true),
            Act::Mute(users, time) => moderation.mute(users, *time).map(|()| true),
            Act::Unmute(users) => moderation.unmute(users).map(|()| true),
            Act::MuteRoom => moderation.mute_room().map(|()| true),
            Act::UnmuteRoom => moderation.unmute_room().map(|()| true),
            Act::Kick(users) => moderation.kick(users).map(|()| true),
            Act::Ban(users, time) => moderation.ban(users, *time).map(|()| true),
            Act::Unban(users) => moderation.unban(users).map(|()| true),
            Act::SpeakMode(mode) => moderation.set_speak_mode(*mode),
            Act::Mark(users) => moderation.mark(users).map(|()| true),
            Act::Unmark(users) => moderation.unmark(users).map(|()| true),
        }
    }

    /// `Moderation::retract`.
    pub fn retract(
        &mut self,
        now: Instant,
        actor: Actor,
        what: Retraction,
    ) -> Result<Retracted, ModerationError> {
        self.at(now).moderation(actor).retract(what)
    }

    /// `Moderation::pin`.
    pub fn pin(
        &mut self,
        now: Instant,
        actor: Actor,
        id: PinId,
        direct: Direct<Probe>,
    ) -> Result<(), PinRefused<Probe>> {
        self.at(now).moderation(actor).pin(id, direct)
    }

    /// `Moderation::unpin`.
    pub fn unpin(
        &mut self,
        now: Instant,
        actor: Actor,
        id: PinId,
    ) -> Result<bool, ModerationError> {
        self.at(now).moderation(actor).unpin(id)
    }

    /// `RoomData::write_attributes`, or `write_attributes_of` an owner.
    pub fn write_attributes(
        &mut self,
        now: Instant,
        owner: Option<UserId>,
        based_on: Option<u64>,
        changes: &[(&str, Option<&[u8]>)],
    ) -> Result<u64, DataError> {
        let data = self.at(now).data();
        match owner {
            Some(owner) => data.write_attributes_of(owner, based_on, changes),
            None => data.write_attributes(based_on, changes),
        }
    }

    /// `RoomData::export` and `RoomData::import` of the same.
    pub fn restart(&mut self, now: Instant) -> Result<(), ImportError> {
        let carried = self.at(now).data().export();
        self.room.data().import(carried)
    }

    /// A call of a counter.
    pub fn count(&mut self, key: &str, count: Count) -> Result<Option<i64>, DataError> {
        let data = self.room.data();
        match count {
            Count::Set(value) => data.set_counter(key, value),
            Count::Add(delta) => data.add_counter(key, delta).map(Some),
            Count::Remove => data.remove_counter(key),
        }
    }

    /// `RoomData::set_profile`; tells whether it was set.
    pub fn set_profile(&mut self, user: UserId, profile: Option<Probe>) -> bool {
        self.room.data().set_profile(user, profile).is_ok()
    }
}
