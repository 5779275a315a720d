//! One room under the load, in virtual time: a loop that jumps from one event to the next.

use roomcast::core::RoomState;
use roomcast::error::JoinError;
use roomcast::message::{CorrelationId, OutcomeSink};
use roomcast::stats::Ledger;
use roomcast::time::Instant;
use roomcast::{Event, Join, Outcome, Payload, PerLevel, Publish, SessionId, Source, UserId};

use crate::load::{Load, Offer};
use crate::preset::{Likes, Preset};
use crate::stream::{PerStream, Stream};
use crate::tally::Tally;

/// What a room of the lab did with the load.
#[derive(Debug, Clone)]
pub(crate) struct Trial {
    /// What became of each stream, counted from what the room told its publisher.
    pub(crate) tallies: PerStream<Tally>,
    /// What the room's own books say in the end.
    pub(crate) ledger: Ledger,
}

/// A message of which only the size matters.
#[derive(Debug)]
struct Blank(usize);

impl Payload for Blank {
    fn size(&self) -> usize {
        self.0
    }
}

/// Offers the whole load to a room of the preset and waits until nothing waits there any more;
/// `sign` hears of each begun second.
pub(crate) fn run(
    preset: &Preset,
    load: Load<'_>,
    mut sign: impl FnMut(u64),
) -> Result<Trial, JoinError> {
    let mut simulation = Simulation {
        room: RoomState::new(&preset.config),
        likes: preset.likes,
        seats: vec![None; load.senders() as usize],
        tallies: PerStream::default(),
        now: 0,
    };
    let mut second = 0;
    for offer in load {
        simulation.wait_until(offer.at_ns);
        simulation.offer(offer)?;
        if offer.at_ns / 1_000_000_000 > second {
            second = offer.at_ns / 1_000_000_000;
            sign(second);
        }
    }
    simulation.drain();
    Ok(Trial {
        ledger: simulation.room.snapshot(simulation.at()).admission.ledger,
        tallies: simulation.tallies,
    })
}

struct Simulation {
    room: RoomState<Blank>,
    likes: Likes,
    /// The session of each sender who has spoken.
    seats: Vec<Option<SessionId>>,
    tallies: PerStream<Tally>,
    now: u64,
}

impl Simulation {
    fn at(&self) -> Instant {
        Instant::from_nanos(self.now)
    }

    /// Does what is due before `at`, each thing at its own time.
    fn wait_until(&mut self, at: u64) {
        while let Some(due) = self.room.poll_timeout().filter(|due| due.as_nanos() <= at) {
            self.now = self.now.max(due.as_nanos());
            self.room.handle_timeout(self.at());
            self.listen();
        }
        self.now = self.now.max(at);
    }

    /// What waits goes out, or is dropped in its time.
    fn drain(&mut self) {
        while self.room.snapshot(self.at()).admission.queued != PerLevel::default() {
            let Some(due) = self.room.poll_timeout() else { break };
            self.wait_until(due.as_nanos().max(self.now));
        }
    }

    fn offer(&mut self, offer: Offer) -> Result<(), JoinError> {
        let Offer { stream, sender, bytes, .. } = offer;
        let source = Source::Session(self.seat(sender)?);
        self.tallies[stream].offer(self.now);
        let publish = match stream {
            Stream::Gifts => Publish::gift(source, Blank(bytes)),
            Stream::Texts | Stream::Flood => Publish::new(source, Blank(bytes)),
            Stream::Likes => Publish::like(source, Blank(bytes)),
        };
        let mut publish = publish.outcome_sink(OutcomeSink::Event(tag(stream, self.now)));
        if self.likes == Likes::Apart {
            publish.merge_key = None;
        }
        match self.room.publish(self.at(), publish) {
            Ok(receipt) => match receipt.outcome {
                Some(outcome) => self.decide(stream, self.now, 0, outcome),
                None => self.tallies[stream].starvation.waits(),
            },
            Err(refused) => self.tallies[stream].refuse(self.now, refused.reason),
        }
        self.listen();
        Ok(())
    }

    /// The session of a sender, who joins to say the first thing.
    fn seat(&mut self, sender: u32) -> Result<SessionId, JoinError> {
        let now = self.at();
        let seat = &mut self.seats[sender as usize];
        if let Some(session) = *seat {
            return Ok(session);
        }
        let session = self.room.join(now, Join::user(UserId(u64::from(sender) + 1)))?.session;
        *seat = Some(session);
        Ok(session)
    }

    /// Takes what the room tells of messages that waited.
    fn listen(&mut self) {
        while let Some(event) = self.room.poll_event() {
            if let Event::Outcome {
                messages, outcome_sink: OutcomeSink::Event(tag), outcome, ..
            } = event
            {
                let (stream, offered) = untag(tag);
                self.tallies[stream].starvation.waits_no_more();
                self.decide(stream, offered, u64::from(messages).saturating_sub(1), outcome);
            }
        }
    }

    /// A message that was offered at `offered` met its fate, with so many others that it carries.
    fn decide(&mut self, stream: Stream, offered: u64, carried: u64, outcome: Outcome) {
        let tally = &mut self.tallies[stream];
        match outcome {
            Outcome::Dispatched { at, .. } => {
                tally.dispatch(at.as_nanos(), at.as_nanos().saturating_sub(offered), carried);
            }
            Outcome::Dropped { reason, .. } => {
                tally.lose(self.now, self.now.saturating_sub(offered), reason, carried);
            }
            Outcome::Merged { .. } => tally.merged += 1,
            // A fate that this program does not know would leave a hole that the audit finds.
            _ => {}
        }
    }
}

/// Two bits for the stream, the rest for the time: 146 years of nanoseconds.
fn tag(stream: Stream, now: u64) -> CorrelationId {
    CorrelationId(now << 2 | stream.index() as u64)
}

fn untag(CorrelationId(tag): CorrelationId) -> (Stream, u64) {
    (Stream::ALL[(tag & 3) as usize], tag >> 2)
}

#[cfg(test)]
mod tests;
