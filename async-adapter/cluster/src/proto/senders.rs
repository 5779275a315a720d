//! Who has said what went out last.

use crate::wire::Withdrawn;
use roomcast_core::UserId;
use roomcast_core::ids::Seq;
use roomcast_core::message::Sender;
use std::collections::VecDeque;

/// Of as many numbers it is known: more than the logs of edges have by default.
const KEPT: usize = 4_096;

/// Who has said what went out last, as the log says it: so whoever comes to own the room knows it as well.
#[derive(Clone, Debug, Default)]
pub(super) struct Senders {
    /// The number that follows the last.
    next: u64,
    said: VecDeque<(Sender, Said)>,
}

/// What became of a message that went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It stands for so many messages.
    Stands(u32),
    /// It was taken back.
    Withdrawn,
}

impl Senders {
    /// A message has gone out. Where some before it are missing, those before are forgotten.
    pub(super) fn note(&mut self, seq: Seq, sender: Sender, messages: u32) {
        if seq.0 != self.next {
            self.said.clear();
        }
        if self.said.len() == KEPT {
            self.said.pop_front();
        }
        self.said.push_back((sender, Said::Stands(messages)));
        self.next = seq.0 + 1;
    }

    /// Who has said it, if that is known.
    pub(super) fn of(&self, seq: Seq) -> Option<(Sender, Said)> {
        self.said.get(self.place(seq)?).copied()
    }

    fn place(&self, seq: Seq) -> Option<usize> {
        let first = self.next - self.said.len() as u64;
        usize::try_from(seq.0.checked_sub(first)?).ok()
    }

    /// It is taken back. Returns the numbers that were not before, as far as they are known.
    pub(super) fn withdraw(&mut self, what: Withdrawn) -> Vec<Seq> {
        match what {
            Withdrawn::Sent(seq) => {
                let place = self.place(seq).and_then(|place| self.said.get_mut(place));
                let stands = place.filter(|(_, said)| *said != Said::Withdrawn);
                stands.map(|(_, said)| *said = Said::Withdrawn).map(|()| seq).into_iter().collect()
            }
            Withdrawn::AllOf(user) => self.withdraw_all_of(user),
        }
    }

    fn withdraw_all_of(&mut self, user: UserId) -> Vec<Seq> {
        let first = self.next - self.said.len() as u64;
        let mut seqs = Vec::new();
        for (seq, (sender, said)) in (first..).zip(&mut self.said) {
            if *sender == Sender::User(user) && *said == Said::Stands(1) {
                *said = Said::Withdrawn;
                seqs.push(Seq(seq));
            }
        }
        seqs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: Sender = Sender::User(UserId(7));

    #[test]
    fn the_last_few_thousand_are_known() {
        let mut senders = Senders::default();
        assert_eq!(senders.of(Seq(1)), None);
        for seq in 1..=5_000 {
            senders.note(Seq(seq), ANN, 1);
        }
        assert_eq!((senders.of(Seq(904)), senders.of(Seq(5_001))), (None, None));
        assert_eq!(senders.of(Seq(905)), Some((ANN, Said::Stands(1))));
        senders.note(Seq(5_002), Sender::Host, 1);
        assert_eq!(senders.of(Seq(5_000)), None, "a number is missing behind it");
    }

    #[test]
    fn what_is_taken_back_is_so_once() {
        let mut senders = Senders::default();
        for (seq, messages) in [(3, 1), (4, 2), (5, 1), (6, 1)] {
            senders.note(Seq(seq), if seq == 6 { Sender::Host } else { ANN }, messages);
        }
        assert_eq!(senders.withdraw(Withdrawn::Sent(Seq(3))), [Seq(3)]);
        assert_eq!(senders.withdraw(Withdrawn::Sent(Seq(3))), []);
        assert_eq!(senders.withdraw(Withdrawn::Sent(Seq(7))), []);
        // One that carries others is theirs, too.
        assert_eq!(senders.withdraw(Withdrawn::AllOf(UserId(7))), [Seq(5)]);
        assert_eq!(senders.of(Seq(5)), Some((ANN, Said::Withdrawn)));
        assert_eq!(senders.of(Seq(4)), Some((ANN, Said::Stands(2))));
    }
}
