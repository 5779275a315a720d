//! What is going to happen in a life.

use super::orders::VOTES;
use super::place::{COMMON, Words};
use super::{Due, MILLI, SECOND, TROUBLE, Text, World};
use roomcast_cluster::wire::{Command, EncodedDirect, Withdrawn};
use roomcast_core::ids::{PinId, Seq};
use roomcast_core::speak_mode::SpeakMode;
use roomcast_core::time::Duration;
use roomcast_core::{Direct, Priority, RoomConfig, UserId};
use std::sync::Arc;

impl World {
    /// What is going to happen, but for what follows from it.
    pub(super) fn plan(&mut self) {
        let count = self.machines.len();
        for machine in 0..self.machines.len() {
            let at = self.random.below(2 * SECOND);
            self.later(at, Due::Boot(machine));
        }
        let words = self.random.between(20, 200);
        for tag in 1..=words {
            let machine = self.random.place(count);
            let words = Words {
                tag,
                is_common: self.random.per_mille(300),
                level: Priority::ALL[self.random.place(4)],
                key: self.random.per_mille(300).then(|| self.random.below(6)),
                is_like: false,
            };
            let is_like = words.key.is_none() && self.random.per_mille(150);
            let at = self.random.between(SECOND, TROUBLE);
            self.later(at, Due::Say(machine, Words { is_like, ..words }));
        }
        for _ in 0..self.random.below(8) {
            let machine = self.random.place(count);
            let user = UserId(50 + self.random.below(3));
            let command = match self.random.below(20) {
                0 => Command::Mute(user, None),
                1 => Command::Unmute(user),
                2 => Command::Ban(user, None),
                3 => Command::AddAdmin(user),
                4 => Command::RemoveAdmin(user),
                5 => Command::Mark(user),
                6 => Command::Unmark(user),
                7 => {
                    Command::SetSpeakMode(SpeakMode::EVERYONE.unique_within(Duration::from_secs(1)))
                }
                8 => Command::SetOwner(user),
                9 => Command::AddCounter { key: VOTES.into(), delta: 1 },
                17 | 18 => {
                    let direct: Direct<Text> = Direct::new("pinned".into());
                    Command::Pin(PinId(self.random.below(5)), EncodedDirect::new(&direct))
                }
                19 => Command::Unpin(PinId(self.random.below(5))),
                13 | 14 => Command::Retract(Withdrawn::Sent(Seq(self.random.between(1, 60)))),
                15 => Command::Retract(Withdrawn::AllOf(COMMON)),
                16 => {
                    let node = 1 + self.random.below(count as u64);
                    Command::Retract(Withdrawn::AllOf(UserId(10 + node)))
                }
                10 => Command::reconfigure(&self.reconfigured()),
                11 => {
                    self.numbers += 1;
                    let direct: Direct<Text> = Direct::new(self.numbers.to_string().into());
                    Command::SendDirect(COMMON, EncodedDirect::new(&direct))
                }
                _ => Command::WriteAttribute {
                    key: format!("key{}", self.random.below(3)).into(),
                    value: self.random.per_mille(700).then(|| Arc::from(*b"value")),
                    based_on: None,
                },
            };
            let at = self.random.between(SECOND, TROUBLE);
            self.later(at, Due::Command(machine, command));
        }
        if self.random.per_mille(250) {
            let machine = self.random.place(count);
            let at = self.random.between(3 * SECOND, TROUBLE);
            self.later(at, Due::Command(machine, Command::Close));
        }
        for _ in 0..self.random.below(5) {
            let machine = self.random.place(count);
            let at = self.random.between(3 * SECOND, TROUBLE - 5 * SECOND);
            let time = self.random.between(100 * MILLI, 5 * SECOND);
            let due = match self.random.below(6) {
                0 => Due::Cut(machine, at + time),
                1 => Due::Pause(machine, at + time),
                2 | 3 => Due::Kill(machine, at + time),
                4 => Due::Retire(machine, at + time),
                _ => Due::HandOver(machine),
            };
            self.later(at, due);
        }
        if self.random.per_mille(150) {
            let at = self.random.between(3 * SECOND, TROUBLE - 2 * SECOND);
            self.later(at, Due::LoseLogs);
        }
    }

    /// Another configuration, in which more waits.
    fn reconfigured(&mut self) -> RoomConfig {
        let waits = 1_024 + u32::try_from(self.random.below(1_000)).unwrap_or(0);
        let builder = self.config.to_builder().queue_messages(waits);
        builder.build().expect("valid settings")
    }
}
