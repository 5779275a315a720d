//! Which settings may change while a room runs: quotas, bounds, whose turn it is and
//! who gives way may; what sessions were promised may not.
//! [Clause B15](crate::rulebook#b15-reconfiguring-a-running-room).

use super::Settings;
use crate::error::ReconfigureError;

impl Settings {
    /// Whether a room of these settings may go on under those of `new`.
    pub(crate) fn may_become(&self, new: &Self) -> Result<(), ReconfigureError> {
        let fixed = [
            ("owner", self.owner == new.owner),
            ("echo", self.echo == new.echo),
            ("levels", self.levels == new.levels),
            ("heartbeat", self.heartbeat == new.heartbeat),
            ("audit", self.audit == new.audit),
            ("outbox_capacity", self.outbox_capacity == new.outbox_capacity),
        ];
        match fixed.into_iter().find(|(_, is_same)| !is_same) {
            Some((setting, _)) => Err(ReconfigureError::Fixed { setting }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::RoomConfigBuilder;
    use crate::error::ReconfigureError;
    use crate::{Instant, RoomConfig, RoomState, UserId};

    #[test]
    fn without_a_new_seed_a_room_keeps_its_own() {
        let builder = || RoomConfig::builder(UserId(1));
        let build = |builder: RoomConfigBuilder| builder.build().unwrap();
        let fixed = Err(ReconfigureError::Fixed { setting: "seed" });
        for (own, same, other) in [(Some(7), 7, 0), (Some(0), 0, 7), (None, 0, 7)] {
            let first = own.map_or(builder(), |seed| builder().seed(seed));
            let mut room: RoomState<&str> = RoomState::new(&build(first));
            for _ in 0..2 {
                assert_eq!(room.reconfigure(Instant::ZERO, &build(builder().rate(10))), Ok(()));
                assert_eq!(room.reconfigure(Instant::ZERO, &build(builder().seed(same))), Ok(()));
                assert_eq!(room.reconfigure(Instant::ZERO, &build(builder().seed(other))), fixed);
            }
        }
    }

    #[test]
    fn a_set_seed_stays_and_an_unset_one_is_given() {
        let config = RoomConfig::av_chat_room(UserId(1));
        assert_eq!((config.seed(), config.clone().or_seed(5).seed()), (None, Some(5)));
        assert_eq!(config.or_seed(0).or_seed(5).seed(), Some(0));
    }
}
