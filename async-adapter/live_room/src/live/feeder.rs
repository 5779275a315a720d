//! The crowd in real time: publishes what has come due.

use std::time::Duration;

use roomcast::error::JoinError;
use roomcast::message::OutcomeSink;
use roomcast::{PerLevel, Room, Source};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use super::RoomClock;
use super::cast::Cast;
use super::viewers::Pace;
use crate::crowd::{Crowd, Settings, Speed};
use crate::options::Options;
use crate::protocol::{Controls, ControlsChange, CrowdState};
use crate::room::{Said, level, offer};

/// How often the crowd speaks: all that has come due since then, together. Fine enough for the eye, and it costs far less than a timer
/// for each like.
const BEAT: Duration = Duration::from_millis(4);
/// So many messages are published before other tasks have their turn.
const SLICE: u32 = 512;
/// In so many beats, everyone who spoke has read once.
const ROUND: usize = 250;

/// A change of what the crowd does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    /// New settings.
    Controls(ControlsChange),
    /// The recording begins again.
    Reset,
    /// The crowd says nothing more.
    Stop,
}

/// The crowd in the room.
#[derive(Debug)]
pub(super) struct Feeder {
    room: Room<Said>,
    clock: RoomClock,
    crowd: Crowd,
    cast: Cast,
    offered: PerLevel<u64>,
    controls: Controls,
    viewers: u32,
    changes: mpsc::Receiver<Change>,
    pace: watch::Sender<Pace>,
    state: watch::Sender<CrowdState>,
}

impl Feeder {
    /// The crowd is ready and has said nothing yet.
    pub(super) fn new(
        room: &Room<Said>,
        clock: RoomClock,
        crowd: Crowd,
        options: &Options,
        changes: mpsc::Receiver<Change>,
        pace: watch::Sender<Pace>,
    ) -> Self {
        let slow = u64::from(options.slow_viewers.of(options.viewers)) * 100
            / u64::from(options.viewers.max(1));
        let controls = Controls {
            speed: options.speed.times(),
            likes: options.likes,
            gifts: options.gifts,
            slow: u8::try_from(slow).unwrap_or(100),
        };
        let (state, _) = watch::channel(CrowdState { progress: 0.0, controls });
        Self {
            cast: Cast::new(room.clone(), crowd.senders()),
            room: room.clone(),
            clock,
            crowd,
            offered: PerLevel::default(),
            controls,
            viewers: options.viewers,
            changes,
            pace,
            state,
        }
    }

    /// What the crowd is doing; closed when it has stopped.
    pub(super) fn state(&self) -> watch::Receiver<CrowdState> {
        self.state.subscribe()
    }

    /// Speaks until the recording ends, for so long, or until it is told to stop; then reads until the room has ended. Answers how
    /// much it offered.
    pub(super) async fn run(mut self, duration: Option<Duration>) -> PerLevel<u64> {
        let end = duration.map_or(u64::MAX, nanos);
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.carry_out_changes() {
            let now = nanos(self.clock.elapsed()).min(end);
            // A room that lets nobody in any more is at its end.
            let Ok(caught_up) = self.publish_until(now) else { break };
            if caught_up && (now == end || self.crowd.finished()) {
                break;
            }
            self.state.send_replace(CrowdState {
                progress: self.crowd.progress(),
                controls: self.controls,
            });
            if caught_up {
                self.cast.read_some(ROUND);
                beat.tick().await;
            } else {
                tokio::task::yield_now().await;
            }
        }
        drop(self.state);
        self.cast.read_to_the_end().await;
        self.offered
    }

    /// Publishes what is due by `now`, a slice at the most; answers whether that was all.
    fn publish_until(&mut self, now: u64) -> Result<bool, JoinError> {
        for _ in 0..SLICE {
            if self.crowd.next_at().is_none_or(|at| at > now) {
                return Ok(true);
            }
            let Some(said) = self.crowd.next() else { return Ok(true) };
            // Who is banned has nothing to offer.
            let Some(session) = self.cast.session(said.sender, &said.nick)? else { continue };
            self.offered[level(&said.what)] += 1;
            let message = offer(Source::Session(session), said.nick, said.what)
                .outcome_sink(OutcomeSink::CountedOnly);
            // What becomes of it is in the ledger, which is what the page shows.
            let _ = self.room.try_publish(message);
        }
        Ok(false)
    }

    /// Answers whether to go on.
    fn carry_out_changes(&mut self) -> bool {
        while let Ok(change) = self.changes.try_recv() {
            let now = nanos(self.clock.elapsed());
            match change {
                Change::Controls(change) => self.set(now, change),
                Change::Reset => self.crowd.restart(now, self.settings()),
                Change::Stop => return false,
            }
        }
        true
    }

    fn set(&mut self, now: u64, change: ControlsChange) {
        let controls = &mut self.controls;
        if let Some(speed) = change.speed.and_then(Speed::new) {
            self.crowd.set_speed(now, speed);
            controls.speed = speed.times();
        }
        if let Some(likes) = change.likes {
            self.crowd.set_likes(now, likes);
            controls.likes = likes;
        }
        if let Some(gifts) = change.gifts {
            self.crowd.set_gifts(now, gifts);
            controls.gifts = gifts;
        }
        if let Some(slow) = change.slow {
            let count = u64::from(self.viewers) * u64::from(slow) / 100;
            self.pace.send_modify(|pace| pace.slow = u32::try_from(count).unwrap_or(self.viewers));
            controls.slow = slow;
        }
    }

    fn settings(&self) -> Settings {
        let Controls { likes, gifts, .. } = self.controls;
        Settings { speed: self.crowd.speed(), likes_per_second: likes, gifts_per_minute: gifts }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
