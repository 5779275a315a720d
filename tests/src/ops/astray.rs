//! Calls at times that are far off, and with ids that nobody was given.

use super::numbers::{level, mask, pick, token_at};
use super::{Op, Player};
use crate::violation::Check;
use roomcast_core::ids::Seq;
use roomcast_core::{Budget, Join, Recipient, SessionId, Source};

impl Player {
    /// One call at a time that is far off.
    pub(super) fn astray(&mut self, call: u8, far: u8) -> Check {
        const SECOND: u64 = 1_000_000_000;
        let far = pick(&[SECOND, 60 * SECOND, 86_400 * SECOND, u64::MAX], far);
        let right = self.now;
        self.now = right.saturating_add(far);
        let (who, now) = (call / 8, self.now());
        match call % 8 {
            0 => self.play(Op::Speak { who, level: who, size: 1, outcome_sink: who, more: (0, 0) }),
            1 => self.play(Op::Host { level: who, size: 1, outcome_sink: who, more: (0, 0) }),
            2 => self.play(Op::Tick),
            3 => self.play(Op::Batch { who, messages: 128, bytes: 0 }),
            4 => self.play(Op::Touch { who }),
            5 => self.play(Op::Leave { user: who }),
            6 => self.play(Op::Stranger { call: who, bits: (call, u32::from(call)) }),
            _ => self.checked.wake(&mut self.room, now),
        }?;
        self.now = right;
        Ok(())
    }

    pub(super) fn stranger(&mut self, call: u8, id: SessionId) -> Check {
        if self.sessions.contains(&id) {
            return Ok(());
        }
        let now = self.now();
        match call % 8 {
            0 => self.publish(Source::Session(id), (call, call, call), (call, call), None),
            1 if call < 128 => self.checked.close_session(&mut self.room, now, id),
            1 => {
                let (words, is_moved) = (Some(usize::from(call)), call % 16 == 1);
                self.checked.end_session(&mut self.room, now, id, words, is_moved)
            }
            2 => self.checked.next_batch(&mut self.room, now, id, Budget::default()).map(drop),
            3 => self.checked.send_direct(
                &mut self.room,
                now,
                Recipient::Session(id),
                level(call),
                1,
            ),
            4 => self.checked.touch(&mut self.room, now, id),
            5 => self.checked.set_masked_levels(&mut self.room, now, id, mask(call)),
            6 => {
                self.checked.ack(&mut self.room, id, level(call / 8), Seq(u64::MAX))?;
                let at = token_at(call / 64);
                self.checked.resume_token(&mut self.room, now, id, at).map(drop)
            }
            _ => self.checked.join(&mut self.room, now, &Join::guest().on(id)).map(|joined| {
                self.sessions.extend(joined.ok().map(|joined| joined.session));
            }),
        }
    }
}
