//! The fields of the records, with their numbers. A number that was once given out keeps its meaning.

use super::command::CommandRecord;
use super::direct::{PinRecord, ToUserRecord};
use super::parts::{AttributeRecord, Blob, CounterRecord, List, SpeakModeRecord, is_empty};
use super::withdrawn::WithdrawnRecord;
use minicbor::{Decode, Encode};

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct FlightRecord<'b> {
    #[n(0)]
    pub(super) version: u32,
    #[n(1)]
    pub(super) mark: u64,
    #[n(2)]
    pub(super) incarnation: u64,
    #[n(3)]
    pub(super) epoch: u64,
    #[n(4)]
    pub(super) owner: u64,
    #[n(5)]
    pub(super) number: u64,
    #[n(6)]
    pub(super) sent_at: u64,
    #[n(7)]
    pub(super) life: u64,
    #[n(8)]
    pub(super) heads: [u64; 4],
    #[cbor(n(9), skip_if = "is_empty")]
    pub(super) limits: List<LimitRecord>,
    #[n(10)]
    pub(super) heard: u64,
    #[cbor(b(11), skip_if = "is_empty")]
    pub(super) messages: List<MessageRecord<'b>>,
    #[cbor(b(12), skip_if = "is_empty")]
    pub(super) fates: List<FateRecord<'b>>,
    #[cbor(n(13), skip_if = "is_empty")]
    pub(super) edges: List<EdgeRecord>,
    #[b(14)]
    pub(super) change: Option<ChangeRecord<'b>>,
    #[b(15)]
    pub(super) state: Option<ChangeRecord<'b>>,
    #[n(16)]
    pub(super) checkpoint: u64,
    #[n(17)]
    pub(super) books: [[u64; 3]; 4],
    #[n(18)]
    pub(super) handed_to: Option<u64>,
    #[n(19)]
    pub(super) gathering: Option<bool>,
    #[cbor(b(20), skip_if = "is_empty")]
    pub(super) rows: List<EdgeBooksRecord<'b>>,
    #[cbor(b(21), skip_if = "is_empty")]
    pub(super) directs: List<ToUserRecord<'b>>,
    #[n(22)]
    pub(super) closed: Option<bool>,
    #[cbor(b(23), skip_if = "is_empty")]
    pub(super) withdrawn: List<WithdrawnRecord<'b>>,
}

/// The books of an edge.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct EdgeBooksRecord<'b> {
    #[n(0)]
    pub(super) edge: u64,
    #[n(1)]
    pub(super) node: u64,
    /// In nanoseconds, when it was sent.
    #[n(2)]
    pub(super) age: u64,
    #[n(3)]
    pub(super) sessions: u64,
    #[n(4)]
    pub(super) users: u64,
    /// By level: submitted, forwarded, merged, waiting.
    #[n(5)]
    pub(super) messages: [[u64; 4]; 4],
    #[cbor(b(6), skip_if = "is_empty")]
    pub(super) refused: List<ReasonRecord<'b>>,
    #[cbor(b(7), skip_if = "is_empty")]
    pub(super) dropped: List<ReasonRecord<'b>>,
    /// By level: due, delivered, skipped, pending, excluded, abandoned.
    #[n(8)]
    pub(super) deliveries: [[u64; 6]; 4],
}

/// How many messages of each level there were for a reason, by its name.
#[derive(Clone, Copy, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct ReasonRecord<'b> {
    #[b(0)]
    pub(super) reason: &'b str,
    #[n(1)]
    pub(super) counts: [u64; 4],
}

/// What one of the room's limits has left.
#[derive(Clone, Copy, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct LimitRecord {
    /// 0 the room's rate, 1 to 4 a level's own quota, 5 that of notices.
    #[n(0)]
    pub(super) which: u8,
    /// When it is full, or an instant in the window.
    #[n(1)]
    pub(super) at: u64,
    /// How many have passed in that window.
    #[n(2)]
    pub(super) passed: Option<u32>,
}

/// Its number and its position follow from the flight's heads.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct MessageRecord<'b> {
    #[n(0)]
    pub(super) level: u8,
    #[n(1)]
    pub(super) kind: u8,
    #[b(2)]
    pub(super) sender: Option<Blob<'b>>,
    #[n(3)]
    pub(super) origin: Option<OriginRecord>,
    /// Left out: one.
    #[n(4)]
    pub(super) units: Option<u64>,
    /// Left out: one.
    #[n(5)]
    pub(super) messages: Option<u64>,
    #[n(6)]
    pub(super) admitted_at: u64,
    #[n(7)]
    pub(super) dispatched_at: u64,
    #[b(8)]
    pub(super) profile: Option<Blob<'b>>,
    #[b(9)]
    pub(super) payload: Blob<'b>,
    #[n(10)]
    pub(super) dedup_key: Option<u64>,
}

#[derive(Clone, Copy, Debug, Encode, Decode)]
pub(super) struct OriginRecord {
    #[n(0)]
    pub(super) edge: u64,
    #[n(1)]
    pub(super) session: u64,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct FateRecord<'b> {
    /// The place of the edge in the flight's list.
    #[n(0)]
    pub(super) edge: u64,
    #[n(1)]
    pub(super) number: u64,
    #[n(2)]
    pub(super) fate: u8,
    /// Of what went out.
    #[n(3)]
    pub(super) seq: Option<u64>,
    /// By its name: one that a reader does not know is still a reason.
    #[b(4)]
    pub(super) reason: Option<&'b str>,
    /// In nanoseconds from when the flight was sent.
    #[n(5)]
    pub(super) retry_after: Option<u64>,
    /// What it was merged into, if that came from the same edge.
    #[n(6)]
    pub(super) carrier: Option<u64>,
}

#[derive(Clone, Copy, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct EdgeRecord {
    #[n(0)]
    pub(super) edge: u64,
    #[n(1)]
    pub(super) seen: u64,
    #[n(2)]
    pub(super) settled_below: u64,
}

#[derive(Clone, Debug, Default, Encode, Decode)]
#[cbor(map)]
pub(super) struct ChangeRecord<'b> {
    #[cbor(b(0), skip_if = "is_empty")]
    pub(super) admins: List<Blob<'b>>,
    #[cbor(b(1), skip_if = "is_empty")]
    pub(super) no_admins: List<Blob<'b>>,
    #[cbor(b(2), skip_if = "is_empty")]
    pub(super) muted: List<UntilRecord<'b>>,
    #[cbor(b(3), skip_if = "is_empty")]
    pub(super) unmuted: List<Blob<'b>>,
    #[cbor(b(4), skip_if = "is_empty")]
    pub(super) banned: List<UntilRecord<'b>>,
    #[cbor(b(5), skip_if = "is_empty")]
    pub(super) unbanned: List<Blob<'b>>,
    #[n(6)]
    pub(super) room_muted: Option<bool>,
    #[cbor(b(7), skip_if = "is_empty")]
    pub(super) attributes: List<AttributeRecord<'b>>,
    #[n(8)]
    pub(super) attributes_version: Option<u64>,
    #[cbor(b(9), skip_if = "is_empty")]
    pub(super) counters: List<CounterRecord<'b>>,
    #[cbor(b(10), skip_if = "is_empty")]
    pub(super) said: List<SaidRecord<'b>>,
    #[cbor(b(11), skip_if = "is_empty")]
    pub(super) kicked: List<Blob<'b>>,
    #[cbor(b(12), skip_if = "is_empty")]
    pub(super) marked: List<Blob<'b>>,
    #[cbor(b(13), skip_if = "is_empty")]
    pub(super) unmarked: List<Blob<'b>>,
    #[n(14)]
    pub(super) speak_mode: Option<SpeakModeRecord>,
    #[b(15)]
    pub(super) owner: Option<Blob<'b>>,
    #[b(16)]
    pub(super) config: Option<&'b str>,
    #[cbor(b(17), skip_if = "is_empty")]
    pub(super) pins: List<PinRecord<'b>>,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct UntilRecord<'b> {
    #[b(0)]
    pub(super) user: Blob<'b>,
    /// By the owner's clock; left out: for good.
    #[n(1)]
    pub(super) until: Option<u64>,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct SaidRecord<'b> {
    #[b(0)]
    pub(super) sender: Option<Blob<'b>>,
    #[n(1)]
    pub(super) key: u64,
    #[n(2)]
    pub(super) level: u8,
    #[n(3)]
    pub(super) said_at: u64,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct ForwardsRecord<'b> {
    #[n(0)]
    pub(super) version: u32,
    #[n(1)]
    pub(super) mark: u64,
    #[n(2)]
    pub(super) edge: u64,
    #[n(3)]
    pub(super) epoch: u64,
    #[n(4)]
    pub(super) after: u64,
    #[n(5)]
    pub(super) heads: [u64; 4],
    #[cbor(b(6), skip_if = "is_empty")]
    pub(super) forwards: List<ForwardRecord<'b>>,
    #[b(7)]
    pub(super) books: Option<EdgeBooksRecord<'b>>,
}

/// One of the last three is there.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct ForwardRecord<'b> {
    #[n(0)]
    pub(super) number: u64,
    #[b(1)]
    pub(super) message: Option<OfferRecord<'b>>,
    #[b(2)]
    pub(super) count: Option<CounterRecord<'b>>,
    #[b(3)]
    pub(super) command: Option<CommandRecord<'b>>,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct OfferRecord<'b> {
    #[n(0)]
    pub(super) level: u8,
    #[n(1)]
    pub(super) kind: u8,
    #[b(2)]
    pub(super) sender: Option<Blob<'b>>,
    #[n(3)]
    pub(super) session: Option<u64>,
    /// Left out: one.
    #[n(4)]
    pub(super) units: Option<u64>,
    /// Its age when it was sent, in nanoseconds.
    #[n(5)]
    pub(super) age: u64,
    #[n(6)]
    pub(super) urgent: Option<bool>,
    #[n(7)]
    pub(super) reviewed: Option<bool>,
    #[n(8)]
    pub(super) dedup_key: Option<u64>,
    #[b(9)]
    pub(super) merge_key: Option<MergeRecord<'b>>,
    #[b(10)]
    pub(super) profile: Option<Blob<'b>>,
    #[b(11)]
    pub(super) payload: Blob<'b>,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct MergeRecord<'b> {
    /// 0 likes, 1 follows, 2 a combo, 3 a number.
    #[n(0)]
    pub(super) by: u8,
    /// The gift, or the number.
    #[n(1)]
    pub(super) number: Option<u64>,
    #[b(2)]
    pub(super) user: Option<Blob<'b>>,
}

#[derive(Clone, Copy, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct LeaseRecord {
    #[n(0)]
    pub(super) version: u32,
    #[n(1)]
    pub(super) mark: u64,
    #[n(2)]
    pub(super) node: u64,
    #[n(3)]
    pub(super) incarnation: u64,
    #[n(4)]
    pub(super) reads: u32,
    #[n(5)]
    pub(super) retires: Option<bool>,
    #[n(6)]
    pub(super) sent_at: Option<u64>,
}

#[derive(Clone, Copy, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct RoomRecord {
    #[n(0)]
    pub(super) version: u32,
    #[n(1)]
    pub(super) mark: u64,
    #[n(2)]
    pub(super) owner: u64,
    #[n(3)]
    pub(super) incarnation: u64,
}
