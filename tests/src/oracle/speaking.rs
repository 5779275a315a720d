//! Who may speak beside those who are muted (clause C2): the mode, the marks, since when everyone is
//! in, and what was said, as lists.

use super::Oracle;
use super::gate::Denied;
use super::messages::Offer;
use crate::payload::Probe;
use crate::violation::{Check, Law, same};
use roomcast_core::ids::MessageId;
use roomcast_core::ledger::RefusalReason;
use roomcast_core::message::{Limit, Sender};
use roomcast_core::rights::Role;
use roomcast_core::speak_mode::{MaySpeak, SpeakMode};
use roomcast_core::{Instant, Payload, RoomState, UserId};
use std::collections::{BTreeMap, BTreeSet};

/// What is asked of those who speak.
#[derive(Clone, Debug, Default)]
pub struct Speaking {
    pub(super) mode: SpeakMode,
    pub(super) marks: BTreeSet<UserId>,
    /// When each user who is in came first, with no time between that nobody of theirs was in.
    came: BTreeMap<UserId, Instant>,
    /// Who was in when the room was first to look at that: they are old enough.
    old_hands: Option<BTreeSet<UserId>>,
    /// What was let in to be compared with, in order.
    contents: Vec<(u64, MessageId, Instant)>,
}

impl Speaking {
    /// A user comes who was not in.
    pub(super) fn comes(&mut self, now: Instant, user: UserId) {
        self.came.insert(user, now);
    }

    /// The last session of a user has gone.
    pub(super) fn goes(&mut self, user: UserId) {
        self.came.remove(&user);
        if let Some(old_hands) = &mut self.old_hands {
            old_hands.remove(&user);
        }
    }

    /// The mode is this from now on. Where contents are compared in another way than before, they are
    /// compared with what comes.
    pub(super) fn set_mode(&mut self, mode: SpeakMode) {
        if mode.unique_within != self.mode.unique_within {
            self.contents.clear();
        }
        if let MaySpeak::MembersFor(_) = mode.who
            && self.old_hands.is_none()
        {
            self.old_hands = Some(self.came.keys().copied().collect());
        }
        self.mode = mode;
    }

    /// Whether so many marks are no more than may be, or no more than there were.
    pub(super) fn has_place_for(&self, users: &[UserId], max: u32) -> bool {
        let mut all = self.marks.clone();
        all.extend(users);
        all.len() == self.marks.len() || all.len() as u64 <= u64::from(max)
    }

    /// A message was dropped: nobody has seen what it said.
    pub(super) fn unsay(&mut self, id: MessageId) {
        self.contents.retain(|&(_, other, _)| other != id);
    }
}

impl Oracle {
    /// Why the room's mode keeps somebody from speaking now. The host, the owner and the admins
    /// always may.
    pub(super) fn unheard(&self, sender: Sender) -> Option<Denied> {
        let Sender::User(user) = sender else { return None };
        if self.role(user) != Role::Member {
            return None;
        }
        let speaking = &self.speaking;
        match speaking.mode.who {
            MaySpeak::MembersFor(least) => {
                // Who is not in is at an edge, which has looked.
                let came = *speaking.came.get(&user)?;
                let is_old = speaking.old_hands.as_ref().is_some_and(|old| old.contains(&user));
                let until = came + least;
                let limit = Some(Limit::MemberFor { min: least });
                (!is_old && self.clock < until).then_some((
                    RefusalReason::TooNew,
                    limit,
                    Some(until),
                ))
            }
            MaySpeak::Marked if speaking.marks.contains(&user) => None,
            MaySpeak::Marked => Some((RefusalReason::NotMarked, None, None)),
            MaySpeak::Admins => Some((RefusalReason::NotStaff, None, None)),
            _ => None,
        }
    }

    /// Whether somebody has just said the same.
    pub(super) fn is_repeated(&self, offer: &Offer, sender: Sender) -> Option<Denied> {
        let window = self.speaking.mode.unique_within?;
        let content = self.compared(offer, sender)?;
        // The newest of so many that have not lapsed.
        let said = self.speaking.contents.iter().rev().filter(|(.., at)| self.clock < *at + window);
        let (.., at) = said.take(SpeakMode::MAX_COMPARED).find(|(other, ..)| *other == content)?;
        let limit = Some(Limit::Unique { window });
        Some((RefusalReason::NotUnique, limit, Some(*at + window)))
    }

    /// A message was let in and not dropped by the same call.
    pub(super) fn note_content(&mut self, offer: &Offer, sender: Sender, id: MessageId) {
        if self.speaking.mode.unique_within.is_some()
            && let Some(content) = self.compared(offer, sender)
        {
            self.speaking.contents.push((content, id, self.clock));
        }
    }

    /// What of a message is compared: nothing of staff's, nor of one that may merge.
    fn compared(&self, offer: &Offer, sender: Sender) -> Option<u64> {
        let Sender::User(user) = sender else { return None };
        let is_compared = self.role(user) == Role::Member && offer.merge.is_none();
        Probe::new(0, offer.size).content_key().filter(|_| is_compared)
    }

    pub(super) fn inspect_speaking(&self, room: &RoomState<Probe>) -> Check {
        for user in (0..6).map(UserId) {
            let is_marked = self.speaking.marks.contains(&user);
            same(
                Law::Members,
                format_args!("the mark of {user}"),
                is_marked,
                room.is_marked(user),
            )?;
        }
        same(Law::Members, "the speak mode", self.speaking.mode, room.speak_mode())?;
        let counts = room.snapshot(self.clock).admission.moderation;
        self.eased("marks", self.rules.marks, counts.marks)?;
        let marks = self.speaking.marks.len() as u64;
        same(
            Law::Members,
            "marks",
            (marks, room.speak_mode()),
            (u64::from(counts.marks), counts.speak_mode),
        )
    }
}
