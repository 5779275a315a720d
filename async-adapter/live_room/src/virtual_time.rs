//! The room in virtual time: the crowd, the room and all viewers in one loop that jumps from one event to the next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;
use roomcast::core::RoomState;
use roomcast::error::JoinError;
use roomcast::message::{OutcomeSink, Seq};
use roomcast::time::Instant;
use roomcast::{Actor, Budget, Join, PerLevel, SessionId, Source};
use roomcast_replay::recording::Recording;

use crate::books::{Books, Heard, heading};
use crate::config_file;
use crate::crowd::Crowd;
use crate::options::Options;
use crate::room::{Said, level, nap, offer, sender, viewer};

/// How often the fast viewers look, if there is anything to see.
const LOOK: Duration = Duration::from_millis(100);
/// How long what waits may still go out when the crowd is gone.
const DRAIN: Duration = Duration::from_secs(10);
/// The progress bar moves once in so many steps.
const STEPS_PER_SIGN: u64 = 16_384;

/// Why a run could not begin.
#[derive(Debug)]
pub(crate) enum RunError {
    /// The room cannot be as it should.
    Config(String),
    /// Someone could not get in.
    Join(JoinError),
}

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Join(error) => error.fmt(f),
        }
    }
}

impl From<JoinError> for RunError {
    fn from(error: JoinError) -> Self {
        Self::Join(error)
    }
}

/// Runs the recording through a room, to its end or for the duration that the options name.
pub(crate) fn run(
    recording: &Arc<Recording>,
    options: &Options,
    progress: &ProgressBar,
) -> Result<Books, RunError> {
    let mut simulation = Simulation::new(recording, options)?;
    let end = options.duration.map_or(u64::MAX, nanos);
    simulation.open_until(end, progress)?;
    let lasted = simulation.now;
    simulation.drain();
    Ok(Books {
        heading: heading(options, recording),
        lasted: Duration::from_nanos(lasted),
        room: simulation.room.snapshot(simulation.at()),
        heard: Some(simulation.heard),
        offered: Some(simulation.offered),
    })
}

struct Simulation {
    room: RoomState<Said>,
    crowd: Crowd,
    /// The session of each sender who has spoken.
    senders: Vec<Option<SessionId>>,
    /// Those who look every [`LOOK`]: the fast viewers, and the senders.
    fast: Vec<SessionId>,
    looks_at: u64,
    /// The last message that the fast ones have seen.
    seen: Seq,
    slow: Vec<(SessionId, u64)>,
    /// When a slow viewer looks next, by its place in `slow`.
    slow_looks: BinaryHeap<Reverse<(u64, usize)>>,
    /// Reads after each call, so that nothing escapes it.
    witness: SessionId,
    heard: Heard,
    offered: PerLevel<u64>,
    now: u64,
}

impl Simulation {
    fn new(recording: &Arc<Recording>, options: &Options) -> Result<Self, RunError> {
        let mut room = RoomState::new(&config_file::config(options).map_err(RunError::Config)?);
        let witness = room.join(Instant::ZERO, Join::guest())?.session;
        let slow_viewers = options.slow_viewers.of(options.viewers);
        let (mut fast, mut slow, mut slow_looks) = (Vec::new(), Vec::new(), BinaryHeap::new());
        for number in 0..options.viewers {
            let join = viewer(number).map_or(Join::guest(), Join::user);
            let session = room.join(Instant::ZERO, join)?.session;
            if number < slow_viewers {
                let nap = nanos(nap(number));
                slow_looks.push(Reverse((nap, slow.len())));
                slow.push((session, nap));
            } else {
                fast.push(session);
            }
        }
        Ok(Self {
            room,
            crowd: Crowd::new(Arc::clone(recording), options.settings(), options.seed),
            senders: vec![None; recording.senders().len()],
            fast,
            looks_at: nanos(LOOK),
            seen: Seq(0),
            slow,
            slow_looks,
            witness,
            heard: Heard::default(),
            offered: PerLevel::default(),
            now: 0,
        })
    }

    fn at(&self) -> Instant {
        Instant::from_nanos(self.now)
    }

    /// The crowd speaks, until it has no more to say or until `end`.
    fn open_until(&mut self, end: u64, progress: &ProgressBar) -> Result<(), RunError> {
        let mut steps = 0_u64;
        while let Some(offered) = self.crowd.next_at() {
            let next = offered.min(self.next_without_crowd());
            if next > end {
                self.now = end;
                break;
            }
            self.now = self.now.max(next);
            self.react();
            if offered <= self.now {
                self.publish()?;
            }
            if steps.is_multiple_of(STEPS_PER_SIGN) {
                let share = self.crowd.progress().max(self.now as f64 / end as f64);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a share of the length"
                )]
                progress
                    .set_position((share * progress.length().unwrap_or_default() as f64) as u64);
            }
            steps += 1;
        }
        progress.finish_and_clear();
        Ok(())
    }

    /// What waits goes out, the room closes, and everyone takes what is due.
    fn drain(&mut self) {
        let end = self.now.saturating_add(nanos(DRAIN));
        while self.room.poll_timeout().is_some() && self.next_without_crowd() <= end {
            self.now = self.now.max(self.next_without_crowd());
            self.react();
        }
        let mut closing = self.room.close(self.at(), Actor::Host).is_ok();
        while closing {
            self.room.handle_timeout(self.at());
            closing = self.room.snapshot(self.at()).admission.queued != PerLevel::default();
        }
        self.listen();
        let slow = self.slow.iter().map(|(session, _)| *session);
        for session in slow.chain(self.fast.iter().copied()).chain([self.witness]) {
            while self
                .room
                .next_batch(Instant::from_nanos(self.now), session, Budget::default())
                .is_ok()
            {}
        }
    }

    fn next_without_crowd(&self) -> u64 {
        let slow = self.slow_looks.peek().map(|Reverse((at, _))| *at);
        let room = self.room.poll_timeout().map(Instant::as_nanos);
        [slow, room].into_iter().flatten().fold(self.looks_at, u64::min)
    }

    /// Does what is due now, but for the crowd.
    fn react(&mut self) {
        if self.room.poll_timeout().is_some_and(|at| at <= self.at()) {
            self.room.handle_timeout(self.at());
            self.listen();
        }
        if self.looks_at <= self.now {
            self.looks_at = self.now + nanos(LOOK);
            self.look();
        }
        while let Some(&Reverse((at, place))) =
            self.slow_looks.peek().filter(|Reverse((at, _))| *at <= self.now)
        {
            self.slow_looks.pop();
            let (session, nap) = self.slow[place];
            take_all(&mut self.room, self.now, session);
            self.slow_looks.push(Reverse((at + nap, place)));
        }
    }

    fn publish(&mut self) -> Result<(), RunError> {
        let Some(said) = self.crowd.next() else { return Ok(()) };
        let session = self.seat(said.sender)?;
        self.offered[level(&said.what)] += 1;
        let message = offer(Source::Session(session), said.nick, said.what)
            .outcome_sink(OutcomeSink::CountedOnly);
        // What becomes of it is in the ledger, which is what this run is about.
        let _ = self.room.publish(self.at(), message);
        self.listen();
        Ok(())
    }

    /// The session of a sender, who joins to say the first thing.
    fn seat(&mut self, number: u64) -> Result<SessionId, RunError> {
        let now = self.at();
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(&Some(session)) = self.senders.get(place) {
            return Ok(session);
        }
        let session = self.room.join(now, Join::user(sender(number)))?.session;
        if let Some(seat) = self.senders.get_mut(place) {
            *seat = Some(session);
        }
        self.fast.push(session);
        Ok(session)
    }

    /// The witness takes what has just gone out.
    fn listen(&mut self) {
        let now = self.at();
        while let Ok(Some(batch)) = self.room.next_batch(now, self.witness, Budget::default()) {
            self.heard.take(&batch);
        }
        while self.room.poll_event().is_some() {}
    }

    fn look(&mut self) {
        let last = self.room.snapshot(self.at()).audience.applied;
        if last == self.seen {
            return;
        }
        self.seen = last;
        for &session in &self.fast {
            take_all(&mut self.room, self.now, session);
        }
    }
}

fn take_all(room: &mut RoomState<Said>, now: u64, session: SessionId) {
    while let Ok(Some(batch)) =
        room.next_batch(Instant::from_nanos(now), session, Budget::default())
    {
        if !batch.more() {
            break;
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
