//! What a room asks of those who speak, beside that they are not muted: its mode, the users who are
//! marked, and what was said lately. A room that asks nothing has none of it.

use crate::ids::{MessageId, UserId};
use crate::speak_mode::{MaySpeak, SpeakMode};
use crate::time::{Duration, Instant};
use alloc::collections::{BTreeMap, BTreeSet};

/// The mode of a room, its marks, and the contents that are compared.
#[derive(Debug, Default)]
pub(super) struct Speech {
    pub(super) mode: SpeakMode,
    pub(super) marks: BTreeSet<UserId>,
    /// The content of the message that is being offered, where it is compared.
    pub(super) offered: Option<u64>,
    contents: Contents,
}

/// Why a member may not speak now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unheard {
    /// In the room for less than so long; until when.
    TooNew { min: Duration, until: Instant },
    /// Not marked.
    NotMarked,
    /// Neither the owner nor an admin.
    NotStaff,
}

/// What was let in lately. Ids rise with time, so the first is the oldest.
#[derive(Debug, Default)]
struct Contents {
    by_id: BTreeMap<MessageId, (u64, Instant)>,
    by_key: BTreeMap<u64, MessageId>,
}

impl Speech {
    /// Returns whether nothing is asked and nobody is marked.
    pub(super) fn is_default(&self) -> bool {
        self.mode == SpeakMode::EVERYONE && self.marks.is_empty()
    }

    /// From now on this is asked. With another window, or none, what was said is forgotten.
    pub(super) fn set_mode(&mut self, mode: SpeakMode) {
        if self.mode.unique_within != mode.unique_within {
            self.contents = Contents::default();
        }
        self.mode = mode;
    }

    /// What was said stays said, if another one goes on that compares as this did.
    pub(super) fn hand_on_contents(&mut self, to: &mut Self) {
        if self.mode.unique_within == to.mode.unique_within {
            to.contents = core::mem::take(&mut self.contents);
        }
    }

    /// Returns why a user who is no staff may not speak, if so. `since` is asked when the user came,
    /// where that matters.
    pub(super) fn keeps_out(
        &self,
        now: Instant,
        user: UserId,
        since: impl FnOnce() -> Option<Instant>,
    ) -> Option<Unheard> {
        match self.mode.who {
            MaySpeak::Everyone => None,
            MaySpeak::MembersFor(min) => {
                let until = since()? + min;
                (now < until).then_some(Unheard::TooNew { min, until })
            }
            MaySpeak::Marked => (!self.marks.contains(&user)).then_some(Unheard::NotMarked),
            MaySpeak::Admins => Some(Unheard::NotStaff),
        }
    }

    /// Returns the window, and until when a content may not be said again, if so. O(log n).
    pub(super) fn said_until(&self, now: Instant, content: u64) -> Option<(Duration, Instant)> {
        let window = self.mode.unique_within?;
        let id = self.contents.by_key.get(&content)?;
        let until = self.contents.by_id.get(id)?.1 + window;
        (now < until).then_some((window, until))
    }

    /// A message with this content was let in. O(log n), and what has lapsed.
    pub(super) fn note(&mut self, now: Instant, content: u64, id: MessageId) {
        let Some(window) = self.mode.unique_within else { return };
        let Contents { by_id, by_key } = &mut self.contents;
        if let Some(lapsed) = by_key.insert(content, id) {
            by_id.remove(&lapsed);
        }
        by_id.insert(id, (content, now));
        while let Some(oldest) = by_id.first_entry() {
            let has_lapsed = oldest.get().1 + window <= now;
            if !has_lapsed && by_key.len() <= SpeakMode::MAX_COMPARED {
                break;
            }
            let (content, _) = oldest.remove();
            by_key.remove(&content);
        }
    }

    /// A message was dropped: nobody has seen it, and its content may be said again.
    pub(super) fn free(&mut self, id: MessageId) {
        if let Some((content, _)) = self.contents.by_id.remove(&id) {
            self.contents.by_key.remove(&content);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With more contents than are compared, the oldest may be said again, and no other.
    #[test]
    fn the_newest_contents_are_compared() {
        let mut speech = Speech::default();
        speech.set_mode(SpeakMode::EVERYONE.unique_within(Duration::from_secs(60)));
        let now = Instant::from_secs(1);
        let max = SpeakMode::MAX_COMPARED as u64;
        for content in 0..=max {
            speech.note(now, content, MessageId(content + 1));
        }
        assert_eq!(speech.said_until(now, 0), None);
        for content in 1..=max {
            assert!(speech.said_until(now, content).is_some(), "{content}");
        }
        assert_eq!(speech.contents.by_id.len(), speech.contents.by_key.len());
        // What has lapsed goes with the next one.
        speech.note(now + Duration::from_secs(60), 7, MessageId(max + 2));
        assert_eq!((speech.contents.by_id.len(), speech.contents.by_key.len()), (1, 1));
    }
}
