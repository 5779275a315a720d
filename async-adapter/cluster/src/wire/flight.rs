//! A flight: everything that the owner of a room has decided since the last one, in one record.

use super::books::NodeBooks;
use super::direct::ToUser;
use super::host::{HostIds, Wire};
use super::message::Sent;
use super::outcome::Decided;
use super::persisted::Change;
use super::record::{EdgeRecord, FlightRecord, LimitRecord};
use super::withdrawn::Withdrawn;
use super::{Record, VERSION, WireError, contradiction, read, write};
use roomcast_core::admission::Continued;
use roomcast_core::dedup::SaidKey;
use roomcast_core::message::{MessageParts, Sender};
use roomcast_core::quota::LimitLeft;
use roomcast_core::{Instant, PerLevel, Priority};

/// What the owner of a room has decided since its last flight: one record in the room's log.
///
/// Only one of a room is on its way at a time, so each follows the one before it, over all owners:
/// whoever has read them up to one knows the room as it was then, and can go on as its owner.
#[derive(Clone, Debug)]
pub struct Flight<M> {
    /// The place in the log of the first flight of this log; 0: this is it. Another one than before:
    /// the bus has lost the log.
    pub incarnation: u64,
    /// The revision of the room's key that made the writer its owner.
    pub epoch: u64,
    /// The incarnation of the owner's node.
    pub owner: u64,
    /// Its number in the epoch: 1 for the one by which the owner takes over.
    pub number: u64,
    /// When it was made, by the owner's clock, or by that of a node at which it has
    /// [arrived](Self::arrived). All instants in it are that clock's.
    pub sent_at: Instant,
    /// Where the room stands behind it.
    pub continued: Continued,
    /// What went out.
    pub messages: Vec<Sent<M>>,
    /// What became of forwards.
    pub fates: Vec<Fate>,
    /// How far the owner has come with each edge.
    pub edges: Vec<EdgeSeen>,
    /// What has changed of people and data.
    pub change: Change,
    /// All that is known of people and data, where it is written down whole.
    pub state: Option<Change>,
    /// The place in the log of the last flight with a whole [`state`](Self::state); 0: this is it.
    pub checkpoint: u64,
    /// What became of all forwards of this log so far.
    pub books: Books,
    /// The books of edges that have said something of theirs since the last flight that had any; where
    /// people and data are written down whole, of all.
    pub rows: Vec<NodeBooks>,
    /// What is taken back, of what went out up to and with this flight.
    pub withdrawn: Vec<Withdrawn>,
    /// Direct messages to users, behind what went out.
    pub directs: Vec<ToUser>,
    /// The owner gives the room up to the node of this name.
    pub handed_to: Option<u64>,
    /// The log is new and its owner does not know yet how far the edges have come: nothing goes out,
    /// and the heads say nothing.
    pub gathering: bool,
    /// The room is closed, and nothing follows: whoever opens it afterwards begins anew, behind the numbers
    /// of this one.
    pub closed: bool,
}

/// What became of one forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// The incarnation of the edge's node.
    pub edge: u64,
    /// The forward's number there.
    pub number: u64,
    /// What became of it.
    pub decided: Decided,
}

/// How far an owner has come with an edge, in its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EdgeSeen {
    /// The incarnation of the edge's node.
    pub edge: u64,
    /// The last forward that the owner has; 0: none.
    pub seen: u64,
    /// Of all forwards before this one that the owner has, the fates have been told.
    pub settled_below: u64,
}

/// What became of the messages that edges forwarded, since the log began, to the message. What went
/// out is in the heads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Dropped.
    pub dropped: PerLevel<u64>,
    /// Refused.
    pub refused: PerLevel<u64>,
    /// Merged into others.
    pub merged: PerLevel<u64>,
}

impl Record for FlightRecord<'_> {
    const NAME: &'static str = "flight";
    const MARK: u64 = 1;
}

impl<M: Wire> Flight<M> {
    /// Returns the bytes.
    pub fn encode(&self, ids: &impl HostIds) -> Vec<u8> {
        let place = |edge| self.edges.iter().position(|seen| seen.edge == edge);
        let fate = |fate: &Fate| {
            // An edge that is not listed hears nothing.
            let edge = u64::try_from(place(fate.edge)?).ok()?;
            Some(fate.decided.record(edge, fate.number, self.sent_at))
        };
        let edge = |&EdgeSeen { edge, seen, settled_below }: &EdgeSeen| EdgeRecord {
            edge,
            seen,
            settled_below,
        };
        let books = Priority::ALL.map(|level| {
            [self.books.dropped[level], self.books.refused[level], self.books.merged[level]]
        });
        write(&FlightRecord {
            version: VERSION,
            mark: FlightRecord::MARK,
            incarnation: self.incarnation,
            epoch: self.epoch,
            owner: self.owner,
            number: self.number,
            sent_at: self.sent_at.as_nanos(),
            life: self.continued.life,
            heads: self.continued.heads.0,
            limits: limits(&self.continued).collect(),
            heard: self.continued.heard,
            messages: self.messages.iter().map(|sent| sent.record(ids)).collect(),
            fates: self.fates.iter().filter_map(fate).collect(),
            edges: self.edges.iter().map(edge).collect(),
            change: (!self.change.is_empty()).then(|| self.change.record(ids)),
            state: self.state.as_ref().map(|state| state.record(ids)),
            checkpoint: self.checkpoint,
            books,
            handed_to: self.handed_to,
            gathering: self.gathering.then_some(true),
            rows: self.rows.iter().map(|row| row.record(self.sent_at)).collect(),
            directs: self.directs.iter().map(|direct| direct.record(ids)).collect(),
            closed: self.closed.then_some(true),
            withdrawn: self.withdrawn.iter().map(|one| one.record(ids)).collect(),
        })
    }

    /// Reads what [`encode`](Self::encode) returned.
    ///
    /// # Errors
    /// The bytes are no flight of a version that is read here, or one that contradicts itself.
    pub fn decode(bytes: &[u8], ids: &mut impl HostIds) -> Result<Self, WireError> {
        type R<'b> = FlightRecord<'b>;
        let record: R<'_> = read(bytes)?;
        let heads = PerLevel(record.heads);
        let heads_wrong = || contradiction::<R<'_>>(format_args!("heads of {:?}", record.heads));
        let mut next = heads;
        for message in &record.messages.0 {
            let level = super::numbers::level_of(message.level).map_err(contradiction::<R<'_>>)?;
            next[level] = next[level].checked_sub(1).ok_or_else(heads_wrong)?;
        }
        heads
            .values()
            .try_fold(1_u64, |sum, head| sum.checked_add(*head))
            .ok_or_else(heads_wrong)?;
        let messages = &record.messages.0;
        let messages = messages.iter().map(|message| Sent::read(message, &mut next, ids));
        let messages = messages.collect::<Result<_, _>>().map_err(contradiction::<R<'_>>)?;
        let sent_at = Instant::from_nanos(record.sent_at);
        let edges = record.edges.0.iter();
        let edges: Vec<EdgeSeen> = edges
            .map(|&EdgeRecord { edge, seen, settled_below }| EdgeSeen { edge, seen, settled_below })
            .collect();
        let fates = record.fates.0.iter().map(|fate| {
            let place = usize::try_from(fate.edge).ok();
            let edge = place.and_then(|place| edges.get(place));
            let edge = edge.ok_or_else(|| format!("edge {} of {}", fate.edge, edges.len()))?.edge;
            Ok(Fate { edge, number: fate.number, decided: Decided::read(fate, sent_at)? })
        });
        let fates = fates.collect::<Result<_, String>>().map_err(contradiction::<R<'_>>)?;
        let mut change = |record: &Option<_>| match record {
            Some(record) => Change::read(record, ids).map(Some).map_err(contradiction::<R<'_>>),
            None => Ok(None),
        };
        let (changed, state) =
            (change(&record.change)?.unwrap_or_default(), change(&record.state)?);
        let rows = record.rows.0.iter().map(|row| NodeBooks::read(row, sent_at));
        let rows = rows.collect::<Result<_, _>>().map_err(contradiction::<R<'_>>)?;
        let directs = record.directs.0.iter().map(|direct| ToUser::read(direct, ids));
        let directs = directs.collect::<Result<_, _>>().map_err(contradiction::<R<'_>>)?;
        let withdrawn = record.withdrawn.0.iter();
        let withdrawn = withdrawn.filter_map(|one| Withdrawn::read(one, ids).transpose());
        let withdrawn = withdrawn.collect::<Result<_, _>>().map_err(contradiction::<R<'_>>)?;
        let column = |column: usize| PerLevel(record.books.map(|row| row[column]));
        Ok(Self {
            incarnation: record.incarnation,
            epoch: record.epoch,
            owner: record.owner,
            number: record.number,
            sent_at,
            continued: continued(&record),
            messages,
            fates,
            edges,
            change: changed,
            state,
            checkpoint: record.checkpoint,
            books: Books { dropped: column(0), refused: column(1), merged: column(2) },
            handed_to: record.handed_to,
            gathering: record.gathering.unwrap_or(false),
            rows,
            directs,
            closed: record.closed.unwrap_or(false),
            withdrawn,
        })
    }
}

fn limits(continued: &Continued) -> impl Iterator<Item = LimitRecord> {
    let levels = continued.level_quotas.0;
    let all = [continued.rate].into_iter().chain(levels).chain([continued.notices]);
    (0..).zip(all).filter_map(|(which, left)| {
        Some(match left? {
            LimitLeft::FullAt(at) => LimitRecord { which, at: at.as_nanos(), passed: None },
            LimitLeft::Passed { count, at } => {
                LimitRecord { which, at: at.as_nanos(), passed: Some(count) }
            }
        })
    })
}

fn continued(record: &FlightRecord<'_>) -> Continued {
    let mut continued = Continued::default();
    continued.life = record.life;
    continued.heads = PerLevel(record.heads);
    continued.heard = record.heard;
    for &LimitRecord { which, at, passed } in &record.limits.0 {
        let at = Instant::from_nanos(at);
        let left = passed.map_or(LimitLeft::FullAt(at), |count| LimitLeft::Passed { count, at });
        match which {
            0 => continued.rate = Some(left),
            1..=4 => continued.level_quotas.0[usize::from(which) - 1] = Some(left),
            5 => continued.notices = Some(left),
            // One that a later version has.
            _ => {}
        }
    }
    continued
}

/// An instant as far from `there` as it was from `here`.
fn moved(at: Instant, here: Instant, there: Instant) -> Instant {
    if at >= here {
        there + at.saturating_since(here)
    } else {
        there.saturating_sub(here.saturating_since(at))
    }
}

impl<M> Flight<M> {
    /// The same as it arrives at `now` by another clock, by which it was sent at `sent_at`: as long before
    /// that as they were by the owner's clock, its messages were let in and dispatched, and that long after
    /// it something refused can be tried again. What its limits have left, mutes, bans and keys end as long
    /// after `now` as they ended after it was sent.
    ///
    /// What was on the way, or lay in the log, for a while ends that much later: rather a mute too
    /// long than a limit that grants twice.
    #[must_use]
    pub fn arrived(mut self, sent_at: Instant, now: Instant) -> Self {
        let theirs = core::mem::replace(&mut self.sent_at, sent_at);
        for MessageParts { admitted_at, dispatched_at, .. } in
            self.messages.iter_mut().map(|sent| &mut sent.parts)
        {
            *admitted_at = moved(*admitted_at, theirs, sent_at);
            *dispatched_at = moved(*dispatched_at, theirs, sent_at);
        }
        for fate in &mut self.fates {
            fate.decided.move_instants(|at| moved(at, theirs, sent_at));
        }
        let to = |at| moved(at, theirs, now);
        self.change.move_instants(to);
        if let Some(state) = &mut self.state {
            state.move_instants(to);
        }
        for row in &mut self.rows {
            row.as_of = to(row.as_of);
        }
        let continued = &mut self.continued;
        let limits = continued.level_quotas.0.iter_mut();
        for limit in limits.chain([&mut continued.rate, &mut continued.notices]).flatten() {
            match limit {
                LimitLeft::FullAt(at) | LimitLeft::Passed { at, .. } => *at = to(*at),
            }
        }
        self
    }

    /// The keys of what went out, with their instants by the clock by which the flight arrived at
    /// `now`.
    pub(crate) fn said(&self, now: Instant) -> impl Iterator<Item = (Sender, SaidKey)> + '_ {
        self.messages.iter().filter_map(move |sent| {
            let (key, parts) = (sent.dedup_key?, &sent.parts);
            let said_at = moved(parts.admitted_at, self.sent_at, now);
            Some((parts.sender, SaidKey { key, priority: parts.priority, said_at }))
        })
    }

    /// The incarnation of the log that this flight lies in at a place.
    pub fn incarnation_at(&self, at: u64) -> u64 {
        if self.incarnation == 0 { at } else { self.incarnation }
    }
}
