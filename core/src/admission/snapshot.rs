//! A snapshot of the admission's books: [clause B2](crate::rulebook#b2-books-that-balance).

use super::moderation::ModerationCounts;
use super::status::RoomStatus;
use crate::audit::AuditSnapshot;
use crate::ids::Seq;
use crate::ledger::Ledger;
use crate::memory::RoomBytes;
use crate::priority::PerLevel;

/// What admission's books say at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct AdmissionSnapshot {
    /// The life of the room, as its host numbers them.
    pub life: u64,
    /// Calls whose `now` was further ahead than one step may go, and that counted as one step. See
    /// [`max_step`](crate::config::RoomConfigBuilder::max_step).
    pub clock_steps_cut: u64,
    /// What the room still does.
    pub state: RoomStatus,
    /// What became of every message.
    pub ledger: Ledger,
    /// Whole tokens in the room's bucket.
    pub tokens: u32,
    /// Messages in the queue, by level.
    pub queued: PerLevel<u32>,
    /// Payload bytes in the queue, by level.
    pub queued_bytes: PerLevel<u64>,
    /// Messages that wait for a verdict.
    pub under_review: u32,
    /// Keys of messages that are remembered, lapsed ones that nothing has taken the place of
    /// included; and how many were forgotten for newer ones within their window.
    pub duplicate_keys: (u32, u64),
    /// Turns that were forgotten before their time: a level remembers 1,024.
    pub turns_forgotten: u64,
    /// Broadcasts to every room that this one has missed: it was looked at too late.
    pub broadcasts_missed: u64,
    /// Broadcasts to every room that this one has yet to hear of, by the next call that changes it:
    /// they are in none of these books yet. Filled by
    /// [`Engine::snapshot`](crate::Engine::snapshot), and by whoever else has the log of broadcasts
    /// ([`Admission::broadcasts_pending`](crate::Admission::broadcasts_pending)); a room alone says
    /// 0.
    pub broadcasts_pending: u64,
    /// Outcome slots in use, by level: promised to messages that wait, or filled and not polled.
    pub outcomes: PerLevel<u32>,
    /// The last message dispatched.
    pub dispatched: Seq,
    /// How many messages of each level have been dispatched.
    pub heads: PerLevel<u64>,
    /// Users with at least one session.
    pub users: u32,
    /// Of those, users who are online: with a session that is not silent. Exact at any instant.
    pub online: u32,
    /// Sessions of users (guests are not counted).
    pub user_sessions: u32,
    /// Admins, mutes, bans.
    pub moderation: ModerationCounts,
    /// What this half holds, in bytes.
    pub bytes: RoomBytes,
    /// What the audit holds and what it has missed, where the room has one.
    pub audit: Option<AuditSnapshot>,
}
