//! Taking back: what the log holds and nobody is to read any more.
//! [Clause C1](crate::rulebook#c1-retract).

use super::Audience;
use crate::ids::{Seq, UserId};
use crate::log::MOVED;
use crate::message::{Message, Payload, Sender};
use crate::priority::Priority;
use alloc::vec::Vec;

impl<M: Payload> Audience<M> {
    /// Returns the message with this number, if the log holds it.
    pub(crate) fn sent(&self, seq: Seq) -> Option<&Message<M>> {
        self.feed.log().find(seq).map(|message| &**message)
    }

    /// The message with this number is taken back: whoever has not passed it never gets it. Adds the
    /// number if the log holds it and it was not taken back before. O(log messages).
    pub(crate) fn withdraw(&mut self, seq: Seq, to: &mut Vec<Seq>) {
        let found = self.sent(seq).map(|message| (message.priority, message.position));
        if let Some((level, position)) = found
            && self.withdraw_at(level, position)
        {
            to.push(seq);
        }
    }

    /// All messages of a user are taken back that are among the newest 4,096 of their level, but for
    /// those into which others were merged. Adds their numbers. O(messages of the log).
    pub(crate) fn withdraw_all_of(&mut self, user: UserId, to: &mut Vec<Seq>) {
        for level in Priority::ALL {
            for position in self.feed.log().newest_of(level, MOVED) {
                let message = self.feed.log().get(level, position);
                let of_user = message.filter(|message| {
                    message.sender == Sender::User(user) && message.messages == 1
                });
                if let Some(seq) = of_user.map(|message| message.seq)
                    && self.withdraw_at(level, position)
                {
                    to.push(seq);
                }
            }
        }
    }

    fn withdraw_at(&mut self, level: Priority, position: u64) -> bool {
        // What was taken last may hold it.
        self.shared.forget(&mut self.deferred);
        self.feed.withdraw(self.clock.at(), level, position, &mut self.deferred)
    }
}
