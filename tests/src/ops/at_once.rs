//! Much at once: what takes a room past what one call does, and past the first chunk of its tables.

use super::numbers::{budget, group};
use super::{Op, Player};
use crate::violation::Check;
use roomcast_core::{Join, SessionId, Source, UserId};

impl Player {
    /// Many calls of one kind; all that they leave is looked at after the last, and what each
    /// answers at once.
    pub(super) fn at_once(&mut self, op: Op) -> Check {
        match op {
            Op::Throng { user, count } => {
                self.checked.rest_from_looking();
                for number in 0..u64::from(count) {
                    let join = match user {
                        0..128 => Join::guest(),
                        128.. => Join::user(UserId(256 * u64::from(user) + number)),
                    };
                    self.come(&join.group(group(user << 1)))?;
                }
            }
            Op::Burst { who, level, size, outcome_sink, quarter } => {
                self.checked.rest_from_looking();
                for number in 0..4 * u16::from(quarter) {
                    let source = match who {
                        0..64 => Source::Session(self.session(who)),
                        64..128 => Source::Session(self.session((number % 16) as u8)),
                        128.. => {
                            let user = UserId(256 * u64::from(who) + u64::from(number));
                            Source::Edge { user, session: None }
                        }
                    };
                    self.publish(source, (level, size, outcome_sink), (0, 0), None)?;
                }
            }
            Op::SweepAll { first, messages, bytes, busy } => {
                let busy =
                    |session: SessionId| busy >= 128 && busy >> (session.slot() % 8) & 1 != 0;
                let (now, budget) = (self.now(), budget(messages, bytes));
                self.checked.sweep(
                    &mut self.room,
                    now,
                    group(first),
                    &(0..u32::MAX),
                    budget,
                    busy,
                )?;
            }
            _ => {}
        }
        self.checked.look_again(&self.room)
    }
}
