//! A naive model of one room. It is told every call and the room's answer; it predicts the answer,
//! and where the room may choose (which of equally big senders gives way, what a seeded draw gives)
//! it checks that the choice was allowed and follows it.

mod ages;
mod at_once;
mod audit;
mod clock;
mod coming;
pub mod data;
pub mod directs;
mod fresh;
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
mod memory;
pub mod messages;
pub mod meters;
pub mod moderation;
mod one_room;
pub mod pins;
pub mod quotas;
mod reading;
mod reconfigure;
mod resumes;
mod retracted;
pub mod reviews;
pub mod speaking;
pub mod tips;
pub mod tokens;
pub mod turns;
mod vacancy;
pub mod victims;

use crate::payload::{Probe, Watch};
use crate::rules::Rules;
use crate::violation::{Check, Law, Violation, same};
use clock::Steps;
use data::Data;
use hearing::Heard;
use inbox::Inbox;
use line::Line;
use listeners::{Listener, Listeners};
use liveness::Lives;
use members::Members;
use moderation::Moderation;
use pins::Pins;
use quotas::Quotas;
use reviews::Reviews;
use roomcast_core::config::Levels;
use roomcast_core::error::{CloseError, ProfileError};
use roomcast_core::event::EndReason;
use roomcast_core::ids::MessageId;
use roomcast_core::ledger::{DropReason, RefusalReason};
use roomcast_core::message::{MergeKey, OutcomeSink};
use roomcast_core::rights::Action;
use roomcast_core::system_messages::SystemMessageKind;
use roomcast_core::time::Duration;
use roomcast_core::{Actor, Event, Instant, Kind, Memory, PerLevel, Priority, SessionId, UserId};
use speaking::Speaking;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Display;
use tips::Happened;
use tokens::Tokens;
use turns::Turns;
use vacancy::Vacancy;

/// The model of one room.
#[derive(Clone, Debug)]
pub struct Oracle {
    rules: Rules,
    clock: Instant,
    steps: Steps,
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
    speaking: Speaking,
    listeners: Listeners,
    lives: Lives,
    /// Every user who came online by a join, in order, and when; nobody for one who has gone since.
    arrivals: Vec<Option<(UserId, Instant)>>,
    /// Whom the room was made for.
    first_owner: UserId,
    vacancy: Vacancy,
    sessions_ever: BTreeSet<SessionId>,
    /// Who has said what under a key.
    said: Vec<gate::Said>,
    forgotten: u64,
    /// Who waits for a verdict.
    pub reviews: Reviews,
    /// What was broadcast to every room.
    heard: Heard,
    /// What whoever joins gets first.
    pins: Pins,
    /// What has yet to be told to the room.
    happened: Happened,
    /// What the audit owes.
    audit: audit::Audit,
    /// How much is left of what all rooms may hold.
    memory: Memory,
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
    /// Whether any of those that were merged into it is another sender's.
    carries_others: bool,
    /// Where it is counted.
    counter: Option<&'static str>,
    /// How old it was when it came, from an edge.
    age: Duration,
    /// When it was let in, here or there.
    admitted_at: Instant,
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
    from_edges: u64,
    units_from_edges: u64,
    units_refused: u64,
    units_dropped: u64,
    units_dispatched: u64,
}

impl Oracle {
    /// Whose room it is.
    pub fn owner(&self) -> UserId {
        self.rules.owner
    }

    /// The model of a fresh room under these rules, in this life.
    pub fn new(rules: Rules, life: u64) -> Self {
        Self {
            life,
            clock: Instant::ZERO,
            steps: Steps::default(),
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
            line: Line::new(rules.queue).keeping(rules.kept_places()),
            waiting: HashMap::new(),
            books: PerLevel::default(),
            submitted: 0,
            heads: rules.heads,
            inbox: Inbox::default(),
            members: Members::default(),
            moderation: Moderation::default(),
            speaking: Speaking::default(),
            listeners: Listeners::default(),
            lives: Lives::default(),
            arrivals: Vec::new(),
            first_owner: rules.owner,
            vacancy: Vacancy::default(),
            sessions_ever: BTreeSet::new(),
            said: Vec::new(),
            forgotten: 0,
            reviews: Reviews::default(),
            heard: Heard::default(),
            pins: Pins::default(),
            happened: Happened::default(),
            audit: audit::Audit::default(),
            memory: Memory::Free,
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

    fn is_open(&self) -> bool {
        self.listeners.closed.is_none()
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
            Some(_) if self.kept_out().is_some() => Some("no memory"),
            _ => None,
        };
        let (found, back) = match answer {
            Ok(()) => (None, None),
            Err(ProfileError::TooLarge { profile, .. }) => (Some("too large"), Some(profile.id())),
            Err(ProfileError::NotMember { profile, .. }) => {
                (Some("not a member"), Some(profile.id()))
            }
            Err(ProfileError::MemoryFull { limit, profile }) => {
                same(Law::L7Bounded, "the memory", self.kept_out(), Some(*limit))?;
                (Some("no memory"), Some(profile.id()))
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
        let before = (self.clock, self.steps);
        let now = self.advance(now);
        let expected = match self.rule(actor, Action::Close, None) {
            Some(error) => Err(CloseError::NotAllowed(error)),
            None if !self.is_open() => Err(CloseError::AlreadyClosed),
            None => Ok(()),
        };
        if expected.is_ok() {
            self.shut(now);
        } else {
            // Who may not close it moves no clock.
            (self.clock, self.steps) = before;
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
        // Where many calls are made at once, nobody has looked since the last.
        self.note_end();
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
            .chain(self.next_aging())
            .chain(self.next_step())
            .min()
    }

    /// When the log wants to be looked at for its age. A closed one does not.
    fn next_aging(&self) -> Option<Instant> {
        if self.is_open() { self.listeners.next_aging(&self.rules) } else { None }
    }

    /// A promise was broken if this is more than it may be.
    fn within(what: impl Display, most: u64, found: u64) -> Check {
        if found <= most { Ok(()) } else { Err(Violation::new(Law::L7Bounded, what, most, found)) }
    }
}
