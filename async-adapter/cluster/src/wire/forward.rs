//! Forwards: what an edge has for the owner of a room.

use super::books::NodeBooks;
use super::command::{What, asked, to_do};
use super::host::{HostIds, Wire, payload_of};
use super::numbers::{
    blob_of, kind_number, kind_of, level_number, level_of, sender_blob, sender_of,
};
use super::parts::{Blob, CounterRecord};
use super::record::{ForwardRecord, ForwardsRecord, MergeRecord, OfferRecord};
use super::{Record, VERSION, WireError, contradiction, read, write};
use roomcast_core::ids::{MessageId, SessionKey};
use roomcast_core::message::{DedupKey, EdgeMessage, MergeKey, OutcomeSink, Reviewed, Urgency};
use roomcast_core::time::Duration;
use roomcast_core::{Instant, PerLevel};
use std::sync::Arc;

/// What an edge has for the owner of a room: forwards that follow each other. Without any, it says
/// that somebody is in, and how far the edge has come.
#[derive(Clone, Debug)]
pub struct Forwards<M> {
    /// The incarnation of the edge's node.
    pub edge: u64,
    /// The epoch that they are for: another owner passes them over.
    pub epoch: u64,
    /// The last forward before these that the edge has sent in this epoch; 0: none.
    pub after: u64,
    /// How many messages of each level have come to the edge.
    pub heads: PerLevel<u64>,
    /// The forwards, by rising numbers.
    pub forwards: Vec<Forward<M>>,
    /// The edge's books, now and then.
    pub books: Option<NodeBooks>,
}

/// One thing that an edge has for the owner, and that has one fate.
#[derive(Clone, Debug)]
pub struct Forward<M> {
    /// Its number: the next higher one at this edge, whatever it is.
    pub number: u64,
    /// What it is.
    pub what: What<M>,
}

impl Record for ForwardsRecord<'_> {
    const NAME: &'static str = "forwards";
    const MARK: u64 = 2;
}

impl<M: Wire> Forwards<M> {
    /// Returns the bytes, as they are sent at `now` by the edge's clock: ages cross, not instants.
    pub fn encode(&self, now: Instant, ids: &impl HostIds) -> Vec<u8> {
        write(&ForwardsRecord {
            version: VERSION,
            mark: ForwardsRecord::MARK,
            edge: self.edge,
            epoch: self.epoch,
            after: self.after,
            heads: self.heads.0,
            forwards: self.forwards.iter().map(|forward| forward.record(now, ids)).collect(),
            books: self.books.as_ref().map(|books| books.record(now)),
        })
    }

    /// Reads what [`encode`](Self::encode) returned, as it arrives at `now` by the owner's clock. The
    /// session of a message is of life 0; how its publisher hears of it is the edge's matter.
    ///
    /// # Errors
    /// The bytes are no forwards of a version that is read here, or their numbers do not rise.
    pub fn decode(bytes: &[u8], now: Instant, ids: &mut impl HostIds) -> Result<Self, WireError> {
        type R<'b> = ForwardsRecord<'b>;
        let record: R<'_> = read(bytes)?;
        let forwards = record.forwards.0.iter().map(|forward| Forward::read(forward, now, ids));
        let forwards: Vec<Forward<M>> =
            forwards.collect::<Result<_, _>>().map_err(contradiction::<R<'_>>)?;
        let books = record.books.as_ref().map(|books| NodeBooks::read(books, now));
        let mut after = record.after;
        for forward in &forwards {
            if forward.number <= after {
                let what = format_args!("forward {} behind {after}", forward.number);
                return Err(contradiction::<R<'_>>(what));
            }
            after = forward.number;
        }
        Ok(Self {
            edge: record.edge,
            epoch: record.epoch,
            after: record.after,
            heads: PerLevel(record.heads),
            forwards,
            books: books.transpose().map_err(contradiction::<R<'_>>)?,
        })
    }
}

impl<M: Wire> Forward<M> {
    fn record<'a>(&'a self, now: Instant, ids: &'a impl HostIds) -> ForwardRecord<'a> {
        let (message, count, command) = (None, None, None);
        let none = ForwardRecord { number: self.number, message, count, command };
        match &self.what {
            What::Message(message) => {
                ForwardRecord { message: Some(offer(message, now, ids)), ..none }
            }
            What::Count { key, gained } => {
                ForwardRecord { count: Some(CounterRecord { key, value: Some(*gained) }), ..none }
            }
            What::Command { actor, command } => {
                ForwardRecord { command: Some(asked(*actor, command, ids)), ..none }
            }
            What::Unknown => none,
        }
    }

    fn read(
        record: &ForwardRecord<'_>,
        now: Instant,
        ids: &mut impl HostIds,
    ) -> Result<Self, String> {
        let what = if let Some(message) = &record.message {
            What::Message(offered(message, record.number, now, ids)?)
        } else if let Some(CounterRecord { key, value: Some(gained) }) = record.count {
            What::Count { key: key.into(), gained }
        } else if let Some(command) = &record.command {
            to_do(command, ids)?
        } else {
            What::Unknown
        };
        Ok(Self { number: record.number, what })
    }
}

fn offer<'a, M: Wire>(
    message: &'a EdgeMessage<M>,
    now: Instant,
    ids: &'a impl HostIds,
) -> OfferRecord<'a> {
    let merge = |key: MergeKey| {
        let (number, user) = (None, None);
        match key {
            MergeKey::Likes => Some(MergeRecord { by: 0, number, user }),
            MergeKey::Follows => Some(MergeRecord { by: 1, number, user }),
            MergeKey::Combo { user, gift } => {
                let user = Some(Blob(ids.encode(user)));
                Some(MergeRecord { by: 2, number: Some(gift.into()), user })
            }
            MergeKey::Number(number) => Some(MergeRecord { by: 3, number: Some(number), user }),
            // One that is newer than this wire: it is not merged at the room.
            _ => None,
        }
    };
    let age = now.saturating_since(message.admitted_at);
    OfferRecord {
        level: level_number(message.priority),
        kind: kind_number(message.kind),
        sender: sender_blob(message.sender, ids),
        session: message.session.map(|session| session.key().to_bits()),
        units: (message.units != 1).then_some(message.units),
        age: age.as_nanos().try_into().unwrap_or(u64::MAX),
        urgent: (message.urgency == Urgency::Urgent).then_some(true),
        reviewed: (message.reviewed == Reviewed::AtEdge).then_some(true),
        dedup_key: message.dedup_key.map(|key| key.0),
        merge_key: message.merge_key.and_then(merge),
        profile: message.profile.as_deref().map(blob_of),
        payload: blob_of(&message.payload),
    }
}

fn offered<M: Wire>(
    record: &OfferRecord<'_>,
    number: u64,
    now: Instant,
    ids: &mut impl HostIds,
) -> Result<EdgeMessage<M>, String> {
    let payload = |blob: &Blob<'_>| payload_of(&blob.0).map_err(|error| error.to_string());
    let sender = sender_of(record.sender.as_ref(), ids).map_err(|error| error.to_string())?;
    let admitted_at = now.saturating_sub(Duration::from_nanos(record.age));
    let mut message =
        EdgeMessage::new(MessageId(number), sender, admitted_at, payload(&record.payload)?);
    message.session = record.session.map(|bits| SessionKey::from_bits(bits).in_life(0));
    message.priority = level_of(record.level)?;
    message.kind = kind_of(record.kind);
    message.urgency = if record.urgent == Some(true) { Urgency::Urgent } else { Urgency::Plain };
    message.units = record.units.unwrap_or(1);
    message.dedup_key = record.dedup_key.map(DedupKey);
    message.reviewed =
        if record.reviewed == Some(true) { Reviewed::AtEdge } else { Reviewed::NotYet };
    message.profile = record.profile.as_ref().map(payload).transpose()?.map(Arc::new);
    message.outcome_sink = OutcomeSink::CountedOnly;
    if let Some(MergeRecord { by, number, user }) = &record.merge_key {
        let number = number.unwrap_or(0);
        message.merge_key = match (by, user) {
            (0, _) => Some(MergeKey::Likes),
            (1, _) => Some(MergeKey::Follows),
            (2, Some(user)) => {
                let user = ids.decode(&user.0).map_err(|error| error.to_string())?;
                let gift = number.try_into().map_err(|_| format!("gift {number}"))?;
                Some(MergeKey::Combo { user, gift })
            }
            (3, _) => Some(MergeKey::Number(number)),
            // Of a later version: it stays for itself.
            _ => None,
        };
    }
    Ok(message)
}
