//! A room as its log says that it is, up to the last flight that has been read.

use super::senders::Senders;
use crate::wire::{Books, Change, Flight, Lasting, NodeBooks};
use roomcast_core::admission::{Continued, PersistedState};
use roomcast_core::{Instant, PerLevel};
use std::collections::BTreeMap;

/// A room as its log says that it is.
#[derive(Clone, Debug)]
pub struct Follower {
    /// The place of the last flight.
    pub(super) applied: u64,
    pub(super) incarnation: u64,
    pub(super) epoch: u64,
    pub(super) owner: u64,
    /// How far the edge here has been brought.
    pub(super) heads: PerLevel<u64>,
    pub(super) continued: Continued,
    pub(super) state: PersistedState,
    pub(super) lasting: Lasting,
    pub(super) senders: Senders,
    pub(super) books: Books,
    pub(super) rows: BTreeMap<u64, NodeBooks>,
    pub(super) checkpoint: u64,
    pub(super) gathering: bool,
    /// The room was closed, and whoever owns it next begins anew.
    pub(super) closed: bool,
    /// To whom the owner has handed the room, and when that was heard.
    pub(super) handed_to: Option<(u64, Instant)>,
    /// The incarnations of the nodes at which the room is open, as the last flight says.
    pub(super) open_at: Vec<u64>,
    /// Something before this was lost or unreadable.
    pub(super) torn: bool,
}

impl Follower {
    /// Begins with a flight that has all that is known.
    pub(super) fn begin<M>(at: u64, now: Instant, flight: &Flight<M>) -> Option<Self> {
        let mut follower = Self {
            applied: 0,
            incarnation: 0,
            epoch: 0,
            owner: 0,
            heads: flight.continued.heads,
            continued: flight.continued,
            state: PersistedState::default(),
            lasting: Lasting::default(),
            senders: Senders::default(),
            books: Books::default(),
            rows: BTreeMap::new(),
            checkpoint: at,
            gathering: true,
            closed: false,
            handed_to: None,
            open_at: Vec::new(),
            torn: false,
        };
        flight.state.as_ref()?;
        follower.apply(at, now, flight);
        Some(follower)
    }

    /// Takes over what a flight says, but for what the edge is brought.
    pub(super) fn apply<M>(&mut self, at: u64, now: Instant, flight: &Flight<M>) {
        self.applied = at;
        self.incarnation = flight.incarnation_at(at);
        if flight.epoch != self.epoch {
            self.handed_to = None;
        }
        (self.epoch, self.owner) = (flight.epoch, flight.owner);
        self.continued = flight.continued;
        self.books = flight.books;
        self.checkpoint = if flight.checkpoint == 0 { at } else { flight.checkpoint };
        self.gathering = flight.gathering;
        if let Some(to) = flight.handed_to {
            self.handed_to = Some((to, now));
        }
        self.open_at = flight.edges.iter().map(|seen| seen.edge).collect();
        self.closed = flight.closed;
        for sent in &flight.messages {
            self.senders.note(sent.parts.seq, sent.parts.sender, sent.parts.messages);
        }
        for &what in &flight.withdrawn {
            let _ = self.senders.withdraw(what);
        }
        if flight.closed {
            (self.state, self.lasting) = (PersistedState::default(), Lasting::default());
            self.continued = Continued::default();
            self.continued.heads = flight.continued.heads;
            self.senders = Senders::default();
            self.rows.clear();
            self.open_at.clear();
            return;
        }
        if flight.state.is_some() {
            self.rows.clear();
        }
        self.rows.extend(flight.rows.iter().map(|row| (row.edge, row.clone())));
        if let Some(state) = &flight.state {
            self.state = PersistedState::default();
            state.apply(&mut self.state);
            self.lasting = Lasting::default();
            self.lasting.apply(state);
        } else {
            flight.change.apply(&mut self.state);
            self.lasting.apply(&flight.change);
            self.state.said.extend(flight.said(now));
        }
    }

    /// The place in the log of the last flight that was read.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// The place of the first flight of this log.
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// The revision of the room's key that made the last writer its owner.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The incarnation of the owner's node.
    pub fn owner(&self) -> u64 {
        self.owner
    }

    /// How many messages of each level have been dispatched, as far as has been heard.
    pub fn heads(&self) -> PerLevel<u64> {
        self.heads
    }

    /// What is known of people and data.
    pub fn state(&self) -> &PersistedState {
        &self.state
    }

    /// What else lasts of the room.
    pub fn lasting(&self) -> &Lasting {
        &self.lasting
    }

    /// The books of each edge, as its node last had them: of those that are gone as well.
    pub fn rows(&self) -> impl Iterator<Item = &NodeBooks> {
        self.rows.values()
    }

    /// What became of all that edges forwarded, since the log began.
    pub fn books(&self) -> Books {
        self.books
    }
}

/// What a host's edge is to know: all but the keys, of which it has its own.
pub(super) fn for_edge(state: &PersistedState) -> PersistedState {
    PersistedState {
        admins: state.admins.clone(),
        mutes: state.mutes.clone(),
        bans: state.bans.clone(),
        room_muted: state.room_muted,
        marks: state.marks.clone(),
        speak_mode: state.speak_mode,
        attributes: state.attributes.clone(),
        attributes_version: state.attributes_version,
        counters: state.counters.clone(),
        said: Vec::new(),
    }
}

/// Whether an edge has to be told of a change.
pub(super) fn concerns_edge(change: &Change) -> bool {
    let said = &change.said;
    *change != Change { said: said.clone(), ..Change::default() }
}
