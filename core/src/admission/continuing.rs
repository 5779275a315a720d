//! A room goes on under another owner: [clause B20](crate::rulebook#b20-restart-move-expiry).

use super::Admission;
use crate::config::RoomConfig;
use crate::message::Payload;
use crate::priority::PerLevel;
use crate::quota::LimitLeft;
use crate::time::Instant;

/// Where the admission of a room stands, so that another one goes on from there:
/// [`Admission::continuing`].
///
/// It is small and plain, so that an owner can write it beside all that it dispatches. What is known
/// of people, the room's data, and the keys of what was said is
/// [`PersistedState`](super::PersistedState).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Continued {
    /// The life of the room, which goes on.
    pub life: u64,
    /// How many messages of each level have been dispatched.
    pub heads: PerLevel<u64>,
    /// What the room's rate has left; `None` where the room has none, and at the beginning.
    pub rate: Option<LimitLeft>,
    /// What each level's own quota has left.
    pub level_quotas: PerLevel<Option<LimitLeft>>,
    /// What the quota of notices has left.
    pub notices: Option<LimitLeft>,
    /// How many broadcasts to every room this one has heard, missed ones included.
    pub heard: u64,
}

impl<M: Payload> Admission<M> {
    /// An admission that goes on at `now` where another one of the same room stopped: with the next
    /// sequence number and the next position of each level, with no more of the room's rate, the
    /// levels' quotas and the notices' than was left, and behind the broadcasts that were heard.
    ///
    /// Its books begin with nothing, and nothing waits: what waited at the other one is offered
    /// again by whoever holds it. People, data and the keys of what was said come with
    /// [`import`](Self::import), sessions with [`add_session`](Self::add_session). What a sender's
    /// own quota had left is not carried over. A time of the other one's that is further ahead than
    /// any of its limits needs counts as that far, so a clock that was wrong there holds nothing up
    /// for long.
    ///
    /// ```
    /// use roomcast_core::ids::Seq;
    /// use roomcast_core::{Admission, Instant, Outcome, Publish, RoomConfig, Source, UserId};
    ///
    /// let config = RoomConfig::av_chat_room(UserId(1));
    /// let (mut old, now) = (Admission::new(&config), Instant::from_secs(1));
    /// let _ = old.publish(now, Publish::new(Source::Host, "hello"))?;
    /// let mut new = Admission::continuing(&config, now, &old.continued());
    /// let receipt = new.publish(now, Publish::new(Source::Host, "hello again"))?;
    /// assert_eq!(receipt.outcome, Some(Outcome::Dispatched { seq: Seq(2), at: now }));
    /// # Ok::<(), roomcast_core::Refused<&str>>(())
    /// ```
    pub fn continuing(config: &RoomConfig, now: Instant, from: &Continued) -> Self {
        let mut admission = Self::starting_at(config, from.heads).with_life(from.life);
        admission.pipeline.go_on(now, from.rate, &from.level_quotas);
        admission.intake.go_on(now, from.notices);
        admission.broadcasts.go_on(from.heard);
        admission
    }

    /// Where this admission stands, for one that goes on from here. O(1).
    pub fn continued(&self) -> Continued {
        let (rate, level_quotas) = self.pipeline.limits_left();
        Continued {
            life: self.life(),
            heads: self.heads(),
            rate,
            level_quotas,
            notices: Some(self.intake.notices_left()),
            heard: self.broadcasts.heard(),
        }
    }
}
