//! What of a configuration may change while a room runs (clause B15): quotas and bounds; policies do not.

use super::Settings;
use crate::error::ReconfigureError;

impl Settings {
    /// Whether a room of these settings may go on under those of `new`.
    pub(crate) fn may_become(&self, new: &Self) -> Result<(), ReconfigureError> {
        let fixed = [
            ("owner", self.owner == new.owner),
            ("seed", self.seed == new.seed),
            ("tie_break", self.queue.tie_break == new.queue.tie_break),
            ("victim", self.queue.victim == new.queue.victim),
            ("echo", self.echo == new.echo),
            ("levels", self.levels == new.levels),
            ("heartbeat", self.heartbeat == new.heartbeat),
            ("feed_messages", self.feed_messages == new.feed_messages),
        ];
        match fixed.into_iter().find(|(_, is_same)| !is_same) {
            Some((setting, _)) => Err(ReconfigureError::Fixed { setting }),
            None => Ok(()),
        }
    }
}
