//! A naive model of one room. It is told every call and the room's answer; it predicts the answer, and where the room may choose
//! (which of equally big senders gives way, what a seeded draw gives) it checks that the choice was allowed and follows it.

pub mod data;
pub mod directs;
mod gate;
mod going;
pub mod hearing;
pub mod inbox;
mod inspect;
mod late;
pub mod line;
pub mod listeners;
pub mod liveness;
mod masks;
pub mod members;
pub mod messages;
pub mod meters;
pub mod moderation;
mod one_room;
pub mod quotas;
mod reconfigure;
mod resumes;
pub mod reviews;
pub mod tips;
pub mod tokens;
pub mod turns;
mod vacancy;
pub mod victims;

use crate::payload::{Probe, Watch};
use crate::rules::Rules;
use crate::violation::{Check, Law, Violation, same};
use data::Data;
use hearing::Heard;
use inbox::Inbox;
use line::Line;
use listeners::{Listener, Listeners, Swept, check_batch};
use liveness::Lives;
use members::Members;
use moderation::Moderation;
use quotas::Quotas;
use reviews::Reviews;
use roomcast_core::config::Levels;
use roomcast_core::error::{CloseError, JoinError, LeaveError, ProfileError, SessionEnd};
use roomcast_core::event::{EndReason, Presence, PresenceCause};
use roomcast_core::ids::MessageId;
use roomcast_core::ledger::{DropReason, RefusalReason};
use roomcast_core::message::{MergeKey, OutcomeSink};
use roomcast_core::rights::Action;
use roomcast_core::system_messages::SystemMessageKind;
use roomcast_core::{
    Actor, Batch, Budget, Event, Group, Instant, Join, Joined, Kind, Payload, PerLevel, Priority,
    SessionId, UserId,
};
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use tips::Happened;
use tokens::Tokens;
use turns::Turns;
use vacancy::Vacancy;

/// The model of one room.
#[derive(Clone, Debug)]
pub struct Oracle {
    rules: Rules,
    clock: Instant,
    turns: Turns,
    notices: Tokens,
    writes: Tokens,
    quotas: PerLevel<Option<Quotas>>,
    data: Data,
    line: Line,
    waiting: HashMap<u64, Waiting>,
    books: PerLevel<Row>,
    submitted: u64,
    /// The room's life: an id of another one names nobody, whatever else it says.
    life: u64,
    heads: PerLevel<u64>,
    inbox: Inbox,
    members: Members,
    moderation: Moderation,
    listeners: Listeners,
    lives: Lives,
    /// Every user who came online by a join, in order.
    arrivals: Vec<UserId>,
    vacancy: Vacancy,
    sessions_ever: BTreeSet<SessionId>,
    /// Who has said what under a key.
    said: Vec<gate::Said>,
    forgotten: u64,
    /// Who waits for a verdict.
    pub reviews: Reviews,
    /// What was broadcast to every room.
    heard: Heard,
    /// What has yet to be told to the room.
    happened: Happened,
    /// What may be over its bound, since there was room for more once.
    eased: reconfigure::Eased,
    /// What the running call has let go of: nobody may hold it when it is over.
    gone: Vec<(u64, [Watch; 2])>,
}

/// What is known of a message that waits, beside its place in the line.
#[derive(Clone, Debug)]
struct Waiting {
    id: MessageId,
    kind: Kind,
    session: Option<SessionId>,
    profile: Option<(u64, usize)>,
    outcome_sink: OutcomeSink,
    merge: Option<MergeKey>,
    units: u64,
    messages: u32,
    held: [Watch; 2],
}

/// The own recount of one level of the ledger.
#[derive(Clone, Debug, Default)]
struct Row {
    submitted: u64,
    refused: HashMap<RefusalReason, u64>,
    dropped: HashMap<DropReason, u64>,
    dispatched: u64,
    merged: u64,
    units_submitted: u64,
    units_refused: u64,
    units_dropped: u64,
    units_dispatched: u64,
}

impl Oracle {
    /// The model of a fresh room under these rules, in this life.
    pub fn new(rules: Rules, life: u64) -> Self {
        Self {
            life,
            clock: Instant::ZERO,
            turns: Turns::new(&rules),
            notices: Tokens::new(rules.notices, 1_000_000_000, rules.notices),
            writes: Tokens::new(
                rules.data.attribute_writes.get(),
                1_000_000_000,
                rules.data.attribute_writes.get(),
            ),
            data: Data::default(),
            quotas: PerLevel(
                rules
                    .sender_quota
                    .0
                    .map(|quota| quota.map(|quota| Quotas::new(quota, rules.senders))),
            ),
            line: Line::new(rules.queue),
            waiting: HashMap::new(),
            books: PerLevel::default(),
            submitted: 0,
            heads: rules.heads,
            inbox: Inbox::default(),
            members: Members::default(),
            moderation: Moderation::default(),
            listeners: Listeners::default(),
            lives: Lives::default(),
            arrivals: Vec::new(),
            vacancy: Vacancy::default(),
            sessions_ever: BTreeSet::new(),
            said: Vec::new(),
            forgotten: 0,
            reviews: Reviews::default(),
            heard: Heard::default(),
            happened: Happened::default(),
            eased: reconfigure::Eased::default(),
            gone: Vec::new(),
            rules,
        }
    }

    /// The sessions that are in.
    pub fn sessions(&self) -> impl Iterator<Item = (&SessionId, &Listener)> {
        self.listeners.here.iter()
    }

    /// Outcomes that were promised as events, and those of them that were told.
    pub fn outcomes(&self) -> (u64, u64) {
        (self.inbox.promised, self.inbox.told)
    }

    /// What a priority counts as in a room that tells fewer apart.
    pub fn counts_as(&self, level: Priority) -> Priority {
        match self.rules.levels {
            Levels::Three if level == Priority::Lowest => Priority::Low,
            Levels::Two if level != Priority::High => Priority::Normal,
            _ => level,
        }
    }

    /// Whether nothing waits.
    fn is_idle(&self) -> bool {
        self.line.entries.is_empty() && self.reviews.pending.is_empty()
    }

    /// Messages that wait.
    pub fn queued(&self) -> usize {
        self.line.entries.len()
    }

    /// Time that runs backwards counts as standing still (law L6).
    fn advance(&mut self, now: Instant) -> Instant {
        self.clock = self.clock.max(now);
        self.clock
    }

    fn is_open(&self) -> bool {
        self.listeners.closed.is_none()
    }

    /// `RoomState::join` answered this.
    pub fn joined(
        &mut self,
        now: Instant,
        join: &Join<Probe>,
        answer: &Result<Joined, JoinError>,
    ) -> Check {
        self.advance(now);
        let expected = self.join_error(join);
        match answer {
            Err(error) => same(Law::Members, "why a join is not granted", expected, Some(*error)),
            Ok(joined) => {
                same(Law::Members, "a join is granted", expected, None)?;
                let session = joined.session;
                same(
                    Law::Members,
                    "a session id is new",
                    true,
                    self.sessions_ever.insert(session),
                )?;
                same(Law::Members, "of which life a session is", self.life, session.life())?;
                same(
                    Law::Members,
                    "a guest's id says so",
                    join.as_user().is_none(),
                    session.is_guest(),
                )?;
                let (mut listener, after, start) =
                    self.resumed(join.token()).unwrap_or_else(|| self.comes());
                same(
                    Law::Members,
                    "where a session starts",
                    (after, start),
                    (joined.starts_after.0, joined.start),
                )?;
                listener.group = join.in_group();
                listener.set_masked_levels(join.masked_levels());
                self.listeners.here.insert(session, listener);
                if let Some(user) = join.as_user() {
                    let was_online = self.is_online(user);
                    if self.members.count(user) == 0 {
                        self.happens(SystemMessageKind::Joined, Some(user));
                    }
                    self.members.come(user, session);
                    if let Some(profile) = join.as_profile() {
                        self.members.profiles.insert(user, (profile.id(), profile.size()));
                    }
                    if !was_online {
                        self.arrivals.push(user);
                        self.inbox.presence(
                            &self.rules,
                            user,
                            Presence::Online,
                            PresenceCause::Join,
                        );
                    }
                }
                self.shows_life(session);
                self.note_vacancy();
                Ok(())
            }
        }
    }

    /// A user's session goes; who was offline already does not go offline again. Once the room is closed, its one event stands for the going
    /// of everyone.
    fn go(&mut self, session: SessionId) {
        self.go_as(session, SystemMessageKind::Left);
    }

    fn go_as(&mut self, session: SessionId, tip: SystemMessageKind) {
        let user = self.members.user_of(session);
        let was_online = user.filter(|&user| self.is_online(user));
        let profile = user.and_then(|user| self.members.profiles.get(&user)).copied();
        self.members.go(session);
        self.lives.forget(session);
        if let Some(user) = user.filter(|&user| self.is_open() && self.members.count(user) == 0) {
            self.goes_with(tip, user, profile);
        }
        if let Some(user) = was_online.filter(|&user| self.is_open() && !self.is_online(user)) {
            self.inbox.presence(&self.rules, user, Presence::Offline, PresenceCause::Quit);
        }
    }

    fn join_error(&self, join: &Join<Probe>) -> Option<JoinError> {
        let max = self.rules.sessions_per_user;
        let is_live = |session: &SessionId| {
            self.listeners.here.get(session).is_some_and(|listener| listener.end.is_none())
        };
        if !self.is_open() {
            return Some(JoinError::RoomClosed);
        }
        if let Some((user, until)) =
            join.as_user().and_then(|user| Some((user, self.banned(user)?)))
        {
            return Some(JoinError::Banned { user, until });
        }
        let former = join.token().map(|token| token.session);
        if let Some(session) = join.known().filter(is_live).or(former.filter(is_live)) {
            return Some(JoinError::AlreadyJoined { session });
        }
        if let Some(user) =
            join.as_user().filter(|&user| self.members.count(user) as u64 >= u64::from(max))
        {
            return Some(JoinError::TooManySessions { user, max });
        }
        let max = self.rules.sessions;
        if self.listeners.here.len() as u64 >= u64::from(max) {
            return Some(JoinError::RoomFull { max });
        }
        let (size, max) =
            (join.as_user().and(join.as_profile())?.size(), self.rules.profile_bytes as usize);
        (size > max).then_some(JoinError::ProfileTooLarge { size, max })
    }

    /// `RoomState::leave` answered this.
    pub fn left(&mut self, now: Instant, user: UserId, answer: Result<(), LeaveError>) -> Check {
        let now = self.advance(now);
        let sessions = self.members.sessions.get(&user).cloned().unwrap_or_default();
        let expected = if user == self.rules.owner {
            Err(LeaveError::OwnerCannotLeave { owner: user })
        } else if sessions.is_empty() {
            Err(LeaveError::NotMember { user })
        } else {
            Ok(())
        };
        if expected.is_ok() {
            self.all_end(now, user, EndReason::Left);
        }
        same(Law::Members, "leaving on all devices", expected, answer)
    }

    /// All sessions of a user go; they still take what they are due, then the reason.
    fn all_end(&mut self, now: Instant, user: UserId, reason: EndReason) {
        let tip = match reason {
            EndReason::Kicked => SystemMessageKind::Kicked,
            EndReason::Banned => SystemMessageKind::Banned,
            _ => SystemMessageKind::Left,
        };
        for session in self.members.sessions.get(&user).cloned().unwrap_or_default() {
            self.go_as(session, tip);
            if let Some(listener) =
                self.listeners.here.get_mut(&session).filter(|listener| listener.end.is_none())
            {
                listener.end = Some((reason, now + self.rules.grace));
                self.listeners.news.push(now);
            }
        }
    }

    /// `RoomState::close_session` answered this.
    pub fn session_closed(&mut self, now: Instant, session: SessionId, answer: bool) -> Check {
        self.advance(now);
        self.go(session);
        let was_in = self.listeners.release(session);
        self.note_vacancy();
        same(Law::Members, "whether the closed session was in", was_in, answer)
    }

    /// `RoomState::next_batch` answered this.
    pub fn took(
        &mut self,
        now: Instant,
        session: SessionId,
        budget: Budget,
        answer: &Result<Option<Batch<Probe>>, SessionEnd>,
    ) -> Check {
        self.advance(now);
        if !self.listeners.here.contains_key(&session) {
            self.go(session);
            let answer = answer.as_ref().map(Option::is_some).map_err(|&end| end);
            return same(
                Law::Batches,
                "a session that is not in",
                Err(SessionEnd::NoSession(session)),
                answer,
            );
        }
        let reason = self.listeners.reason(session);
        let expected = self.listeners.take(session, budget);
        match answer {
            Ok(Some(batch)) => check_batch(expected, batch),
            Ok(None) => {
                same(Law::Batches, "what is due", expected, (Vec::new(), false))?;
                same(Law::Batches, "a session that ends is told so", reason, None)
            }
            Err(end) => {
                same(Law::Batches, "what is due before the end", expected, (Vec::new(), false))?;
                same(
                    Law::Batches,
                    "why a session ends",
                    reason.map(SessionEnd::Closed),
                    Some(*end),
                )?;
                self.go(session);
                self.listeners.release(session);
                self.note_vacancy();
                Ok(())
            }
        }
    }

    /// `RoomState::sweep` handed out this, in this order; the sessions that are `busy` did not take theirs.
    pub fn swept(
        &mut self,
        now: Instant,
        group: Group,
        slots: &Range<u32>,
        budget: Budget,
        busy: impl Fn(SessionId) -> bool,
        found: &[(SessionId, Swept)],
    ) -> Check {
        self.advance(now);
        let inside = self
            .listeners
            .here
            .iter()
            .filter(|(session, other)| slots.contains(&session.slot()) && other.group == group);
        let inside: Vec<SessionId> = inside.map(|(&session, _)| session).collect();
        let mut expected = Vec::new();
        for session in inside {
            let (before, books) = (self.listeners.here[&session].clone(), self.listeners.directs);
            let (taken, more) = self.listeners.take(session, budget);
            if !taken.is_empty() {
                expected.push((session, Swept::Batch(taken, more)));
                if busy(session) {
                    self.listeners.here.insert(session, before);
                    self.listeners.directs = books;
                }
            } else if let Some(reason) = self.listeners.reason(session) {
                expected.push((session, Swept::End(reason)));
                self.go(session);
                self.listeners.release(session);
            }
        }
        self.note_vacancy();
        same(Law::Batches, "what a sweep hands out", expected, found.to_vec())
    }

    /// `RoomState::set_profile` answered this. `profile` is the number and the size.
    pub fn profile_set(
        &mut self,
        user: UserId,
        profile: Option<(u64, usize)>,
        answer: &Result<(), ProfileError<Probe>>,
    ) -> Check {
        let max = self.rules.profile_bytes as usize;
        let expected = match profile {
            Some((_, size)) if size > max => Some("too large"),
            Some(_) if self.members.count(user) == 0 => Some("not a member"),
            _ => None,
        };
        let (found, back) = match answer {
            Ok(()) => (None, None),
            Err(ProfileError::TooLarge { profile, .. }) => (Some("too large"), Some(profile.id())),
            Err(ProfileError::NotMember { profile, .. }) => {
                (Some("not a member"), Some(profile.id()))
            }
            Err(_) => (Some("for another reason"), None),
        };
        same(Law::Members, "setting a profile", expected, found)?;
        if let Err(_error) = answer {
            return same(
                Law::L8NothingLost,
                "the profile that was refused",
                profile.map(|(id, _)| id),
                back,
            );
        }
        if profile.is_some() {
            self.happens(SystemMessageKind::ProfileChanged, Some(user));
        }
        match profile {
            Some(profile) => self.members.profiles.insert(user, profile),
            None => self.members.profiles.remove(&user),
        };
        Ok(())
    }

    /// `RoomState::close` answered this.
    pub fn closed(&mut self, now: Instant, actor: Actor, answer: Result<(), CloseError>) -> Check {
        let now = self.advance(now);
        let expected = match self.rule(actor, Action::Close, None) {
            Some(error) => Err(CloseError::NotAllowed(error)),
            None if !self.is_open() => Err(CloseError::AlreadyClosed),
            None => Ok(()),
        };
        if expected.is_ok() {
            self.shut(now);
        }
        self.check_held()?;
        same(Law::Members, "closing the room", expected, answer)
    }

    /// The room closes.
    fn shut(&mut self, now: Instant) {
        self.listeners.closed = Some((EndReason::RoomClosed, now + self.rules.grace));
        self.listeners.news.push(now);
        self.inbox.closed();
        self.drop_all();
    }

    /// `RoomState::wake` answered this.
    pub fn woken(&mut self, now: Instant, answer: bool) -> Check {
        let now = self.advance(now);
        let due = self.listeners.news.iter().any(|&at| at <= now);
        if due {
            self.listeners.news.clear();
        }
        same(Law::Batches, "whether those who wait are to be told", due, answer)
    }

    /// `RoomState::poll_event` answered this.
    pub fn polled(&mut self, event: Option<Event>) -> Check {
        self.inbox.polled(event)?;
        self.note_end();
        Ok(())
    }

    fn note_end(&mut self) {
        self.inbox.set_ended(!self.is_open() && self.listeners.here.is_empty() && self.is_idle());
    }

    /// When `RoomState::handle_timeout` has something to do next.
    pub fn next_timeout(&self) -> Option<Instant> {
        let deadlines = self.line.entries.iter().filter_map(|entry| self.line.deadline(entry));
        let deadlines = deadlines
            .chain(self.next_turn())
            .chain(self.next_review())
            .chain(self.next_system_message());
        deadlines
            .chain(self.listeners.next_end())
            .chain(self.next_look())
            .chain(self.next_expiry())
            .min()
    }

    /// A promise was broken if this is more than it may be.
    fn within(what: &str, most: u64, found: u64) -> Check {
        if found <= most { Ok(()) } else { Err(Violation::new(Law::L7Bounded, what, most, found)) }
    }
}
