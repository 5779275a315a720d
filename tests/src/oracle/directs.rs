//! Direct messages: what waits for each session beside the log, and its books.

use super::Oracle;
use super::listeners::Listeners;
use crate::payload::{Probe, Watch};
use crate::violation::{Check, Law, in_words, same};
use roomcast_core::direct::{DirectReason, DirectReceipt, DirectRefused, Directs};
use roomcast_core::message::Limit;
use roomcast_core::room::RoomSnapshot;
use roomcast_core::{Instant, PerLevel, Priority, Recipient, SessionId};

/// A direct message that waits for a session.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// Its number.
    pub id: u64,
    /// When it was sent.
    pub at: Instant,
    /// Its size.
    pub bytes: u64,
    /// How many messages of its level had been dispatched before it.
    pub follows: u64,
    /// Whether it has a place of its own: it is the last words to its session, or pinned.
    pub has_place: bool,
}

/// A direct message as it was offered.
#[derive(Clone, Debug)]
pub struct Note {
    /// Whom it is for.
    pub to: Recipient,
    /// Its priority.
    pub level: Priority,
    /// The number of its payload.
    pub payload: u64,
    /// Its size.
    pub size: usize,
    /// Its payload in the room and in its twin.
    pub held: [Watch; 2],
}

impl Listeners {
    /// The books of direct messages: what waits is counted by walking.
    pub fn direct_books(&self) -> PerLevel<Directs> {
        let waiting =
            |level| self.here.values().map(|listener| listener.directs[level].len() as u64).sum();
        PerLevel::from_fn(|level| {
            let mut row = self.directs[level];
            row.pending = waiting(level);
            row
        })
    }
}

impl Oracle {
    /// `RoomState::send_direct` answered this.
    pub fn sent_directly(
        &mut self,
        now: Instant,
        note: &Note,
        answer: &Result<DirectReceipt, DirectRefused<Probe>>,
    ) -> Check {
        let is_known = match note.to {
            Recipient::User(user) => self.is_member(user),
            Recipient::Session(session) => self.is_in(session),
        };
        let now = self.advance_if(is_known, now);
        let expected = self.send_directly(note);
        if expected.is_ok() {
            self.listeners.news.push(now);
        }
        match answer {
            Ok(receipt) => {
                same(Law::L8NothingLost, "a direct message is sent", expected, Ok(*receipt))?;
                same(
                    Law::L8NothingLost,
                    "a payload that waits",
                    [true; 2],
                    note.held.each_ref().map(Watch::is_held),
                )
            }
            Err(refused) => {
                same(
                    Law::L8NothingLost,
                    "why a direct message is not sent",
                    expected,
                    Err(refused.reason),
                )?;
                let is_same = note.held.iter().any(|watch| refused.payload.is(watch));
                same(Law::L8NothingLost, "the refused payload is the very payload", true, is_same)
            }
        }
    }

    fn send_directly(&mut self, note: &Note) -> Result<DirectReceipt, DirectReason> {
        let (level, bytes) = (note.level, note.size as u64);
        let max = u64::from(self.rules.payload_bytes).min(self.rules.direct_bytes);
        if !self.is_open() {
            return Err(DirectReason::RoomClosed);
        }
        if bytes > max {
            return Err(DirectReason::TooLarge { size: note.size, max });
        }
        if let Some(max) = self.kept_out().filter(|_| level != Priority::High) {
            return Err(DirectReason::MemoryFull { limit: Limit::Memory { max } });
        }
        let sessions: Vec<SessionId> = match note.to {
            Recipient::User(user) => self.members.sessions.get(&user).cloned().unwrap_or_default(),
            Recipient::Session(session) => vec![session],
        };
        let mut receipt = DirectReceipt { sessions: 0, refused: 0 };
        let mut reason = DirectReason::NoRecipient { to: note.to };
        for session in sessions {
            let Some(listener) =
                self.listeners.here.get_mut(&session).filter(|listener| listener.end.is_none())
            else {
                continue;
            };
            self.listeners.directs[level].sent += 1;
            let waiting = || listener.directs.values().flatten();
            let limit = if waiting().count() as u64 >= u64::from(self.rules.direct_messages) {
                Some(Limit::DirectMessages { max: self.rules.direct_messages })
            } else if waiting().map(|waits| waits.bytes).sum::<u64>() + bytes
                > self.rules.direct_bytes
            {
                Some(Limit::DirectBytes { max: self.rules.direct_bytes })
            } else {
                None
            };
            if let Some(limit) = limit {
                self.listeners.directs[level].refused += 1;
                receipt.refused += 1;
                // Of several, the messages before the bytes.
                if !matches!(
                    reason,
                    DirectReason::QueueFull { limit: Limit::DirectMessages { .. } }
                ) {
                    reason = DirectReason::QueueFull { limit };
                }
            } else {
                receipt.sessions += 1;
                listener.directs[level].push_back(Waits {
                    id: note.payload,
                    at: self.clock,
                    bytes,
                    follows: self.heads[level],
                    has_place: false,
                });
            }
        }
        if receipt.sessions > 0 { Ok(receipt) } else { Err(reason) }
    }

    /// The last words, behind all that there is.
    pub(super) fn say_farewell(&mut self, session: SessionId, id: u64, bytes: u64) {
        let level = Priority::Lowest;
        let (follows, at) = (self.heads[level], self.clock);
        self.listeners.directs[level].sent += 1;
        if let Some(listener) = self.listeners.here.get_mut(&session) {
            listener.directs[level].push_back(Waits { id, at, bytes, follows, has_place: true });
        }
    }

    pub(super) fn inspect_directs(&self, snapshot: &RoomSnapshot) -> Check {
        let books = snapshot.audience.directs;
        same(
            Law::L2Deliveries,
            "the books of direct messages",
            self.listeners.direct_books(),
            books,
        )?;
        same(
            Law::L2Deliveries,
            "whether they balance",
            true,
            books.values().all(Directs::balances),
        )?;
        for (session, listener) in &self.listeners.here {
            let waiting = || listener.directs.values().flatten().filter(|waits| !waits.has_place);
            let of = |what: &'static str| in_words(move |f| write!(f, "{what} of {session}"));
            self.eased(
                of("direct messages"),
                self.rules.direct_messages,
                waiting().count() as u64,
            )?;
            self.eased(
                of("bytes of direct messages"),
                self.rules.direct_bytes,
                waiting().map(|waits| waits.bytes).sum::<u64>(),
            )?;
        }
        Ok(())
    }
}
