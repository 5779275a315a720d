//! The owner of a room: its admission, what that has decided and no flight has told yet, and how far
//! each edge has come.

use super::follow::Follower;
use super::rows::Rows;
use super::senders::Senders;
use super::shared::Shared;
use super::writing::Writing;
use crate::wire::{Books, Change, Fate, Forwards, Lasting, Origin, ToUser, Wire, Withdrawn};
use roomcast_core::admission::Continued;
use roomcast_core::ids::{MessageId, Seq};
use roomcast_core::message::{DedupKey, Payload, Sender};
use roomcast_core::{Admission, Instant, Message, PerLevel, Priority, RoomConfig};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// The most messages that have gone out and that no flight has told yet. While there are as many,
/// the room stands still.
const MAX_UNTOLD: usize = 1_024;

/// The owner of a room.
#[derive(Debug)]
pub(super) struct Owner<M> {
    pub(super) epoch: u64,
    pub(super) admission: Admission<M>,
    /// By which the room is run now.
    pub(super) config: RoomConfig,
    /// The log has this epoch's first flight: this node is the owner.
    pub(super) is_active: bool,
    /// The place of the last flight of the log; 0: the log is empty.
    pub(super) tail: u64,
    pub(super) incarnation: u64,
    /// The number of the last flight that was made.
    pub(super) number: u64,
    pub(super) writing: Option<Writing<M>>,
    pub(super) wrote_at: Instant,
    /// Where the last flight with all that is known lies; 0: the next is to be one.
    pub(super) checkpoint: u64,
    pub(super) since_checkpoint: u32,
    /// What has gone out, and is in no flight yet.
    pub(super) untold: VecDeque<Arc<Message<M>>>,
    /// How many of each level are in flights.
    pub(super) told: PerLevel<u64>,
    pub(super) fates: VecDeque<(Fate, Option<Priority>)>,
    /// Direct messages that are in no flight yet, each with the fate that goes with it.
    pub(super) directs: VecDeque<(Fate, ToUser)>,
    pub(super) change: Change,
    /// What lasts beside people and data, with what has changed.
    pub(super) lasting: Lasting,
    pub(super) books: Books,
    pub(super) rows: Rows,
    /// What is taken back, and is in no flight yet.
    pub(super) withdrawn: VecDeque<Untold>,
    pub(super) senders: Senders,
    /// Where what has gone out came from, by its number.
    pub(super) origins: BTreeMap<Seq, (Option<Origin>, Option<DedupKey>)>,
    pub(super) edges: BTreeMap<u64, EdgeAtOwner>,
    /// What the admission has not decided on, by the tag that its outcome comes with.
    pub(super) offered: BTreeMap<u64, Offered>,
    /// The same by the number that it has in the room.
    pub(super) by_id: BTreeMap<MessageId, u64>,
    pub(super) tags: u64,
    /// The log was lost, with what there was: until then edges say how far they have come.
    pub(super) gathering: Option<Gathering>,
    /// The room goes to the node of this name, when nothing waits any more, or at this instant.
    pub(super) leaving: Option<(u64, Instant)>,
}

/// How far edges have come, as they say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gathering {
    pub(super) until: Instant,
    pub(super) heads: PerLevel<u64>,
}

/// An edge as the owner of an epoch knows it.
#[derive(Debug, Default)]
pub(super) struct EdgeAtOwner {
    /// The last forward that came.
    pub(super) last: u64,
    /// Those that came and whose fate no flight has told.
    pub(super) waiting: BTreeSet<u64>,
}

/// A message that the admission was offered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offered {
    pub(super) edge: u64,
    pub(super) number: u64,
    pub(super) origin: Option<Origin>,
    pub(super) key: Option<DedupKey>,
    pub(super) sender: Sender,
    pub(super) priority: Priority,
    pub(super) id: Option<MessageId>,
    pub(super) admitted_at: Instant,
}

/// What is taken back, and no flight has told yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Untold {
    /// The fate that goes with it.
    pub(super) fate: Fate,
    pub(super) what: Withdrawn,
    /// The last message that had gone out: the flight that has it may tell.
    pub(super) behind: Seq,
}

impl<M: Payload + Wire + Clone> Owner<M> {
    /// One that goes on behind the flight at `end`; 0: in an empty log. `is_new`: there has never
    /// been one.
    pub(super) fn new<I>(
        shared: &Shared<M, I>,
        config: &RoomConfig,
        epoch: u64,
        follower: Option<&Follower>,
        end: u64,
        is_new: bool,
    ) -> Self {
        let now = shared.now;
        let lasting = follower.map(|follower| follower.lasting.clone()).unwrap_or_default();
        let config = &lasting.configuration(config);
        let mut from = follower.map_or_else(Continued::default, |follower| follower.continued);
        // Where the log is lost, the heads of its last flight may say nothing.
        from.heads = follower.map_or_else(PerLevel::default, |follower| follower.heads);
        if follower.is_none_or(|follower| follower.closed) {
            from.life = epoch;
        }
        let is_gathering = if end == 0 {
            !is_new
        } else {
            let follower = follower.filter(|follower| !follower.gathering);
            from.heads = follower.map_or(from.heads, |follower| follower.continued.heads);
            follower.is_none()
        };
        let mut owner = Self {
            epoch,
            admission: Admission::continuing(config, now, &from),
            config: config.clone(),
            is_active: false,
            tail: end,
            incarnation: if end == 0 { 0 } else { follower.map_or(0, |all| all.incarnation) },
            number: 0,
            writing: None,
            wrote_at: now,
            checkpoint: 0,
            since_checkpoint: 0,
            untold: VecDeque::new(),
            told: from.heads,
            fates: VecDeque::new(),
            directs: VecDeque::new(),
            change: Change::default(),
            lasting,
            books: follower.filter(|_| end > 0).map_or_else(Books::default, |all| all.books),
            rows: Rows::new(follower),
            withdrawn: VecDeque::new(),
            senders: follower.map(|follower| follower.senders.clone()).unwrap_or_default(),
            origins: BTreeMap::new(),
            edges: BTreeMap::new(),
            offered: BTreeMap::new(),
            by_id: BTreeMap::new(),
            tags: 0,
            gathering: is_gathering.then_some(Gathering { until: now, heads: from.heads }),
            leaving: None,
        };
        if let Some(follower) = follower {
            owner.import(now, follower);
        }
        owner.restore_pins();
        owner
    }

    fn import(&mut self, now: Instant, follower: &Follower) {
        // It was in a room of these limits. Where this node's are tighter, people come before data.
        let state = follower.state.clone();
        if self.admission.import(now, state.clone()).is_err() {
            let (attributes, counters) = (Vec::new(), Vec::new());
            let people = roomcast_core::admission::PersistedState { attributes, counters, ..state };
            let _ = self.admission.import(now, people);
        }
    }

    /// What is pinned is so in the admission, too.
    fn restore_pins(&mut self) {
        for (id, pin) in &self.lasting.pins {
            // One that a version before this has written is passed over here, and by the edges.
            let _ = pin.decode().map(|direct| self.admission.restore_pin(*id, direct));
        }
    }

    /// An edge has something.
    pub(super) fn hear(&mut self, now: Instant, forwards: Forwards<M>) {
        // Whoever sends for this epoch has read its first flight: the log has it, whether this node
        // has been told so or not.
        if forwards.epoch != self.epoch {
            return;
        }
        let Forwards { edge, after, heads, forwards, books, .. } = forwards;
        if let Some(books) = books.filter(|books| books.edge == edge) {
            self.rows.hear(books);
        }
        let known = self.edges.entry(edge).or_default();
        if let Some(gathering) = &mut self.gathering {
            for level in Priority::ALL {
                gathering.heads[level] = gathering.heads[level].max(heads[level]);
            }
            return;
        }
        // Something before these is still on the way, or lost: they come again.
        if after > known.last || self.leaving.is_some() {
            return;
        }
        for forward in forwards {
            let is_full = self.is_full();
            let known = self.edges.entry(edge).or_default();
            if forward.number <= known.last {
                continue;
            }
            if is_full {
                return;
            }
            known.last = forward.number;
            known.waiting.insert(forward.number);
            self.accept(now, edge, forward);
        }
    }

    fn is_full(&self) -> bool {
        [self.untold.len(), self.directs.len(), self.withdrawn.len()].iter().max()
            >= Some(&MAX_UNTOLD)
    }

    /// What is due in the admission is done.
    pub(super) fn advance(&mut self, now: Instant) {
        if self.is_full() || !self.is_active {
            return;
        }
        if self.admission.poll_timeout().is_some_and(|at| at <= now) {
            self.admission.handle_timeout(now);
        }
        self.pick_up();
        if self.gathering.is_some_and(|gathering| gathering.until <= now) {
            self.end_gathering(now);
        }
    }

    /// What was decided is heard, and what has gone out is taken.
    pub(super) fn pick_up(&mut self) {
        while let Some(event) = self.admission.poll_event() {
            self.hear_outcome(&event);
        }
        let through = self.untold.back().map_or(Seq(self.told.values().sum()), |last| last.seq);
        if self.admission.dispatched() > through {
            let handed = self.admission.hand_over(through);
            for message in handed.messages() {
                self.senders.note(message.seq, message.sender, message.messages);
                self.untold.push_back(Arc::clone(message));
            }
            self.admission.release_through(self.admission.dispatched());
        }
    }

    /// No edge that was heard of has come further; whatever was dispatched beyond is lost, and
    /// nobody knows how much: one message more is missing, so that everybody is told. Where nobody has
    /// anything, nothing was: the key had been claimed, and the log never begun.
    fn end_gathering(&mut self, now: Instant) {
        let Some(Gathering { mut heads, .. }) = self.gathering.take() else { return };
        let has_begun = heads.values().any(|head| *head > 0);
        heads[Priority::Normal] += u64::from(has_begun);
        let mut from = self.admission.continued();
        from.heads = heads;
        let state = self.admission.export(now);
        self.admission = Admission::continuing(&self.config, now, &from);
        // It has just come from such a room.
        let _ = self.admission.import(now, state);
        self.restore_pins();
        self.told = heads;
        self.checkpoint = 0;
    }

    /// When there is something to do.
    pub(super) fn due<I>(&self, shared: &Shared<M, I>) -> Instant {
        let beat = self.wrote_at + shared.options.beat;
        let admission = self.admission.poll_timeout().filter(|_| self.is_active && !self.is_full());
        let gathering = self.gathering.map(|gathering| gathering.until);
        let gathering = gathering.filter(|_| self.is_active && !self.is_full());
        let leaving = self.leaving.map(|(_, at)| at).filter(|at| *at > shared.now);
        let own = admission.into_iter().chain(gathering).chain(leaving);
        match &self.writing {
            Some(writing) => own.chain(writing.due()).min().unwrap_or(Instant::MAX),
            None if self.has_news() => shared.now,
            None => own.chain([beat]).min().unwrap_or(beat),
        }
    }

    /// Whether a flight has something to tell.
    pub(super) fn has_news(&self) -> bool {
        let is_told = self.untold.is_empty() && self.fates.is_empty() && self.change.is_empty();
        !is_told || !self.directs.is_empty() || !self.withdrawn.is_empty()
    }
}
