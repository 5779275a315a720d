//! A host's edge of the room at a node: what `Hub` would do with a node's outputs.

use super::Text;
use super::halves::Only;
use super::oracle::Oracle;
use roomcast_cluster::proto::{Input, Node};
use roomcast_cluster::wire::{EdgeBooks, EncodedDirect, Lasting, Withdrawn};
use roomcast_core::admission::PersistedState;
use roomcast_core::handover::HandOver;
use roomcast_core::ids::{CorrelationId, Seq, SessionKind};
use roomcast_core::ledger::Ledger;
use roomcast_core::message::{DedupKey, MergeKey, OutcomeSink, Sender};
use roomcast_core::{
    Actor, Audience, Budget, Edge, Event, GapCause, Group, Halves, Instant, Item, Kind, Outcome,
    PerLevel, Priority, Publish, Recipient, RoomConfig, RoomId, SessionId, Source, UserId,
};
use std::collections::BTreeSet;

pub(crate) const ROOM: RoomId = RoomId(42);

/// How seldom a slow one reads: once in so many times.
const SELDOM: u32 = 40;

/// The user who sits at every edge.
pub(crate) const COMMON: UserId = UserId(1);

/// What is said, in small numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words {
    pub(crate) tag: u64,
    pub(crate) is_common: bool,
    pub(crate) level: Priority,
    pub(crate) key: Option<u64>,
    pub(crate) is_like: bool,
}

/// An edge with its audience, and who is in.
pub(crate) struct Place {
    pub(crate) edge: Edge<Text>,
    pub(crate) audience: Audience<Text>,
    sessions: Vec<(UserId, SessionId, PerLevel<u64>)>,
    /// Where each session has come, and how much it was told that it missed.
    read: Vec<PerLevel<u64>>,
    missed: Vec<PerLevel<u64>>,
    /// The number up to which messages had gone out when it was opened.
    pub(crate) opened_at: u64,
    /// What has come, and by whom.
    got: Vec<(Seq, Sender, u32)>,
    /// What was taken back here.
    pub(crate) withdrawn: BTreeSet<Seq>,
    /// How often everybody was to read. One is slow, and reads seldom.
    reads: u32,
    /// Direct messages that the common user got here.
    pub(crate) directs: BTreeSet<u64>,
    /// Counters' gains that were handed on.
    pub(crate) gained: i64,
}

impl Place {
    pub(crate) fn open(
        config: &RoomConfig,
        now: Instant,
        node: u64,
        heads: PerLevel<u64>,
        life: u64,
        (state, lasting): (PersistedState, &Lasting),
    ) -> Self {
        let whole = roomcast_core::shard_index::ShardIndex::new(0, 1).expect("the only one");
        let mut edge = Edge::opened_at(config, heads).with_life(life);
        let mut audience = Audience::shard(config, whole, heads).with_life(life);
        edge.import(now, state).expect("it is of a room like this");
        take_over_pins(&mut edge, now, lasting);
        let mut sessions = Vec::new();
        for user in [COMMON, UserId(10 + node), UserId(20 + node)] {
            let joined = audience.join(SessionKind::User, Group::default(), None).expect("space");
            edge.add_session(now, user, joined.session);
            sessions.push((user, joined.session, heads));
        }
        let none = vec![PerLevel::default(); sessions.len()];
        Self {
            edge,
            audience,
            read: none.clone(),
            missed: none,
            sessions,
            opened_at: heads.values().sum(),
            got: Vec::new(),
            withdrawn: BTreeSet::new(),
            reads: 0,
            directs: BTreeSet::new(),
            gained: 0,
        }
    }

    /// What is known of people and data has changed, as a hub takes it over.
    pub(crate) fn know(
        &mut self,
        now: Instant,
        state: PersistedState,
        lasting: Option<&Lasting>,
    ) -> Result<(), String> {
        let owner = lasting.and_then(|lasting| lasting.owner);
        if let Some(config) = lasting.and_then(Lasting::reconfigured) {
            let config = config.with_owner(self.edge.owner());
            let mut audiences = Only(&mut self.audience);
            let mut halves = Halves::new(&mut self.edge, &mut audiences);
            halves.reconfigure(now, &config).map_err(|error| error.to_string())?;
        }
        if let Some(lasting) = lasting {
            take_over_pins(&mut self.edge, now, lasting);
        }
        self.edge.import(now, state.clone()).map_err(|error| error.to_string())?;
        if let Some(owner) = owner.filter(|&owner| self.edge.owner() != Some(owner)) {
            self.edge.set_owner(now, Actor::Host, owner).map_err(|error| error.to_string())?;
            self.edge.import(now, state).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Something is taken back. Returns how many messages nobody gets here any more.
    pub(crate) fn withdraw(&mut self, now: Instant, what: Withdrawn) -> Result<u64, String> {
        match what {
            Withdrawn::Sent(seq) => drop(self.withdrawn.insert(seq)),
            Withdrawn::AllOf(user) => {
                let of_user = self.got.iter().filter(|(_, sender, messages)| {
                    (*sender, *messages) == (Sender::User(user), 1)
                });
                self.withdrawn.extend(of_user.map(|(seq, ..)| *seq));
            }
            _ => return Err(format!("{what:?} is taken back")),
        }
        let mut audiences = Only(&mut self.audience);
        let mut halves = Halves::new(&mut self.edge, &mut audiences);
        let retracted = halves.retract(now, Actor::Host, what.into());
        Ok(retracted.map_err(|error| error.to_string())?.seqs.len() as u64)
    }

    /// A direct message to a user has come.
    pub(crate) fn send_direct(
        &mut self,
        now: Instant,
        to: UserId,
        direct: &EncodedDirect,
    ) -> Result<(), String> {
        let direct = direct.decode().map_err(|error| error.to_string())?;
        let mut audiences = Only(&mut self.audience);
        let mut halves = Halves::new(&mut self.edge, &mut audiences);
        match halves.send_direct(now, Recipient::User(to), direct) {
            Ok(receipt) if receipt.refused == 0 => Ok(()),
            other => Err(format!("a direct message is not had: {other:?}")),
        }
    }

    /// The books, as a host tells its node.
    pub(crate) fn edge_books(&self, now: Instant) -> EdgeBooks {
        let (edge, audience) = (self.edge.snapshot(now), self.audience.snapshot());
        let who = (u64::from(audience.sessions), u64::from(edge.online));
        EdgeBooks::new(who, &edge.ledger, audience.deliveries)
    }

    /// Somebody says something.
    pub(crate) fn say(&mut self, now: Instant, words: Words, oracle: &mut Oracle) {
        let who = usize::from(!words.is_common);
        let (user, session, _) = self.sessions[who];
        let mut publish = Publish::new(Source::Session(session), words.tag.to_string().into());
        publish = publish
            .priority(words.level)
            .outcome_sink(OutcomeSink::Event(CorrelationId(words.tag)));
        if let Some(key) = words.key {
            publish = publish.dedup_key(DedupKey(key));
        }
        if words.is_like {
            publish = publish.kind(Kind::Custom).merge_key(MergeKey::Likes).counted("likes");
        }
        oracle.said(words, user);
        match self.edge.publish(now, publish) {
            Ok(receipt) => {
                if let Some(outcome) = receipt.outcome {
                    oracle.told_at_edge(words.tag, &outcome);
                }
            }
            Err(refused) => oracle.refused(words.tag, refused.reason),
        }
    }

    /// What is due is done, and what passed goes to the node.
    pub(crate) fn run(&mut self, now: Instant, node: &mut Node<Text>, oracle: &mut Oracle) {
        self.edge.handle_timeout(now);
        while let Some(event) = self.edge.poll_event() {
            if let Event::Outcome {
                outcome_sink: OutcomeSink::Event(CorrelationId(tag)),
                outcome,
                ..
            } = event
            {
                oracle.told_at_edge(tag, &outcome);
            }
        }
        while node.window(ROOM) > 0 {
            let Some(message) = self.edge.poll_message() else { break };
            node.handle(now, Input::Forward { room: ROOM, message: Box::new(message) });
        }
        if node.window(ROOM) > 0 {
            self.hand_on_counts(now, node);
        }
    }

    pub(crate) fn hand_on_counts(&mut self, now: Instant, node: &mut Node<Text>) {
        while let Some((key, gained)) = self.edge.poll_count() {
            self.gained += gained;
            node.handle(now, Input::Count { room: ROOM, key, gained });
        }
    }

    /// The room has dispatched something.
    pub(crate) fn take(&mut self, now: Instant, handed: HandOver<Text>) -> Result<u64, String> {
        let got = handed.messages().iter();
        self.got.extend(got.map(|message| (message.seq, message.sender, message.messages)));
        let received = self.edge.receive(handed);
        if received == roomcast_core::admission::Received::Foreign {
            return Err("an edge is given what contradicts what it has".into());
        }
        let mut lost = 0;
        while self.edge.missing().is_some() {
            lost += self.edge.give_up_missing();
        }
        let handed = self.edge.hand_over(self.audience.applied());
        self.audience.take_over_at(now, handed);
        let through = self.edge.dispatched();
        self.edge.release_through(through);
        Ok(lost)
    }

    /// As [`read`](Self::read), and the slow one reads as well.
    pub(crate) fn read_all(&mut self, now: Instant, oracle: &mut Oracle) -> Result<(), String> {
        self.reads = SELDOM - 1;
        self.read(now, oracle)
    }

    /// Everybody reads, and what they get is looked at.
    pub(crate) fn read(&mut self, now: Instant, oracle: &mut Oracle) -> Result<(), String> {
        self.reads += 1;
        let readers = if self.reads.is_multiple_of(SELDOM) { 3 } else { 2 };
        for at in 0..readers {
            let (user, session, _) = self.sessions[at];
            while let Ok(Some(batch)) = self.audience.next_batch(now, session, Budget::default()) {
                for item in batch.items() {
                    match item {
                        Item::Message(message) => {
                            oracle.a_member_gets(user, message)?;
                            if self.withdrawn.contains(&message.seq) {
                                let seq = message.seq;
                                return Err(format!("C1: {user} gets {seq}, which was taken back"));
                            }
                            let next = &mut self.read[at][message.priority];
                            if message.position < *next {
                                return Err(format!("L4: {user} gets {} again", message.seq));
                            }
                            *next = message.position + 1;
                        }
                        Item::Gap { priority, count, cause, .. } => {
                            if cause != GapCause::Bus {
                                return Err(format!("a gap of {count} for {cause:?}"));
                            }
                            self.missed[at][priority] += count;
                        }
                        Item::Direct(direct) => {
                            let tag = direct.payload.parse().map_err(|_| "none of ours")?;
                            if user != COMMON || !self.directs.insert(tag) {
                                return Err(format!("{user} gets direct message {tag} again"));
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The books of the edge, and whether they balance.
    pub(crate) fn books(&self, now: Instant) -> Result<Ledger, String> {
        let ledger = self.edge.snapshot(now).ledger;
        if !ledger.balances() {
            return Err(format!("L1: the books of an edge do not balance:\n{ledger}"));
        }
        Ok(ledger)
    }

    /// What was due to each session was had, left out, or told to be missing; returns how much of
    /// that is missing.
    pub(crate) fn check_deliveries(&self, heads: PerLevel<u64>) -> Result<u64, String> {
        if self.edge.heads() != heads {
            return Err(format!("L13: an edge is at {:?} of {heads:?}", self.edge.heads()));
        }
        let mut missing = 0;
        for (at, (user, session, from)) in self.sessions.iter().enumerate() {
            let books = self.audience.deliveries(*session).unwrap_or_default();
            for level in Priority::ALL {
                let row = books[level];
                let due = heads[level] - from[level];
                if !row.balances() || row.due != due || row.pending != 0 {
                    return Err(format!("L2: {user} was due {due} at {level}: {row:?}"));
                }
                if row.skipped != self.missed[at][level] {
                    return Err(format!("L2: {user} was told {:?} of {row:?}", self.missed[at]));
                }
                missing += row.skipped;
            }
        }
        Ok(missing)
    }

    /// What has not gone to the node: it waits in the edge's queue, or to be taken.
    pub(crate) fn waiting(&mut self) -> usize {
        std::iter::from_fn(|| self.edge.poll_message()).count()
    }
}

/// What is pinned is so at an edge.
fn take_over_pins(edge: &mut Edge<Text>, now: Instant, lasting: &Lasting) {
    for id in edge.pinned() {
        edge.unpin(now, Actor::Host, id).expect("the host may");
    }
    for (id, pin) in &lasting.pins {
        let direct = pin.decode().expect("a text of ours");
        edge.pin(now, Actor::Host, *id, direct).expect("there is place");
    }
}

/// Whether an outcome of an edge says that the message is in the room's hands.
pub(crate) fn is_final(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::Dispatched { .. })
}
