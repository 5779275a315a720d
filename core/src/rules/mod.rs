//! The rules of a room that need both of its halves, written once.
//!
//! A room's admission and its audiences may stand behind one owner, as in
//! [`RoomState`](crate::RoomState), or each behind a lock of its own, as in the crate `roomcast`.
//! Either way a call that concerns both holds the admission and the audiences that it needs, and
//! asks [`Halves`] what follows. What a host adds is which locks to take and whom to wake.

mod audiences;
mod join;
mod leave;
mod memory;
mod personal;
mod retract;
mod settle;
mod sharding;

pub use audiences::Audiences;
pub use join::{Join, NotJoined};
pub use sharding::Sharding;

use crate::admission::Admission;
use crate::config::RoomConfig;
use crate::error::ReconfigureError;
use crate::message::Payload;
use crate::time::Instant;

/// The admission of a room and those of its audiences that a call holds.
///
/// Every method takes `now` and leaves the audiences that are held up to date with what was
/// dispatched. Time that runs backwards counts as standing still.
#[derive(Debug)]
pub struct Halves<'a, M, A> {
    /// The half that messages enter by.
    pub admission: &'a mut Admission<M>,
    /// The audiences that the call holds.
    pub audiences: &'a mut A,
}

impl<'a, M: Payload, A: Audiences<M>> Halves<'a, M, A> {
    /// The halves of one room, with nothing between them: what was dispatched before is handed over
    /// now.
    pub fn new(admission: &'a mut Admission<M>, audiences: &'a mut A) -> Self {
        audiences.catch_up(admission);
        Self { admission, audiences }
    }

    /// One clock for both halves: the time moves on to `now`, as far as one step goes, and what is
    /// called in this call is called at the time that is returned.
    fn advance(&mut self, now: Instant) -> Instant {
        self.admission.advance(now);
        self.follow()
    }

    /// The audiences that are held go by the admission's time, which is returned.
    fn follow(&mut self) -> Instant {
        let now = self.admission.time();
        self.audiences.held().for_each(|audience| audience.follow(now));
        now
    }

    /// Continues under another configuration. All audiences of the room have to be held. See
    /// [`RoomState::reconfigure`](crate::RoomState::reconfigure).
    ///
    /// # Errors
    /// The room is closed, or the new configuration changes what is fixed for its life. Nothing has
    /// changed then.
    pub fn reconfigure(
        &mut self,
        now: Instant,
        config: &RoomConfig,
    ) -> Result<(), ReconfigureError> {
        self.admission.reconfigure(now, config)?;
        let now = self.follow();
        // What was due went out under the old configuration, and is applied under it.
        self.audiences.catch_up(self.admission);
        self.audiences.held().try_for_each(|audience| audience.reconfigure(now, config))
    }
}
