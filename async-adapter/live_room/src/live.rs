//! The room in real time: a hub, the crowd that speaks in it, and the simulated viewers.

mod cast;
mod feeder;
mod viewers;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use roomcast::event::Presence;
use roomcast::observe::ObserveOptions;
use roomcast::time::Instant;
use roomcast::{Clock, Event, Hub, Join, PerLevel, Room, RoomConfig, RoomId, Subscription};
use roomcast_replay::recording::Recording;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::books::{Books, Heard, heading};
use crate::config_file;
use crate::crowd::{AtEnd, Crowd};
use crate::options::Options;
use crate::protocol::CrowdState;
use crate::room::Said;
pub(crate) use feeder::Change;
use feeder::Feeder;
use viewers::Pace;

const ROOM: RoomId = RoomId(1);

/// How long a drain may take before what is left is counted as abandoned.
const DRAIN: Duration = Duration::from_secs(5);

/// How long the tasks that count may take to say what they counted, once their sessions have ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Changes of the crowd that may wait to be carried out.
const CHANGES: usize = 16;

/// The clock of room and crowd: both count from the same start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RoomClock(std::time::Instant);

impl RoomClock {
    fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// The time since the start.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

impl Clock for RoomClock {
    fn now(&self) -> Instant {
        Instant::ZERO + self.elapsed()
    }
}

/// A room that lives: its crowd speaks and its viewers read.
#[derive(Debug)]
pub(crate) struct LiveRoom {
    /// The hub of this one room.
    pub(crate) hub: Hub<Said>,
    /// The room.
    pub(crate) room: Room<Said>,
    /// The room's time.
    pub(crate) clock: RoomClock,
    /// Where the crowd is told to do otherwise.
    pub(crate) changes: mpsc::Sender<Change>,
    /// What the crowd is doing.
    pub(crate) crowd: watch::Receiver<CrowdState>,
    /// How many users have come online so far.
    pub(crate) joins: Arc<AtomicU64>,
    /// The room's configuration.
    pub(crate) config: watch::Receiver<RoomConfig>,
    following: Option<JoinHandle<()>>,
    pace: watch::Sender<Pace>,
    feeder: JoinHandle<PerLevel<u64>>,
    heard: JoinHandle<Heard>,
    heading: String,
}

impl LiveRoom {
    /// Opens the room, in a hub that is observed if `observe` says how. The error is a line for the person who started it.
    pub(crate) fn open(
        recording: &Arc<Recording>,
        options: &Options,
        at_end: AtEnd,
        observe: Option<ObserveOptions>,
    ) -> Result<Self, String> {
        let clock = RoomClock::start();
        let joins = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&joins);
        let count = move |_, event: &Event| {
            if matches!(event, Event::Presence { presence: Presence::Online, .. }) {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        };
        let mut hub = Hub::<Said>::builder().workers(1).clock(clock).on_event(count);
        if let Some(observe) = observe {
            hub = hub.observe(observe);
        }
        let hub = hub.spawn();
        let config = config_file::config(options)?;
        let room = hub.create_room(ROOM, &config).map_err(|error| error.to_string())?;
        let witness = room.join(Join::guest()).map_err(|error| error.to_string())?;
        let slow = options.slow_viewers.of(options.viewers);
        let (pace, pace_seen) = watch::channel(Pace { slow, ending: false });
        viewers::seat(&room, options.viewers, &pace_seen).map_err(|error| error.to_string())?;
        let crowd =
            Crowd::new(Arc::clone(recording), options.settings(), options.seed).at_end(at_end);
        let (changes, changes_seen) = mpsc::channel(CHANGES);
        let feeder = Feeder::new(&room, clock, crowd, options, changes_seen, pace.clone());
        let state = feeder.state();
        let (configs, config) = watch::channel(config);
        let following = options.config.as_ref().map(|file| {
            tokio::spawn(config_file::follow(file.clone(), options.clone(), room.clone(), configs))
        });
        Ok(Self {
            hub,
            room,
            clock,
            changes,
            crowd: state,
            joins,
            config,
            following,
            pace,
            feeder: tokio::spawn(feeder.run(options.duration)),
            heard: tokio::spawn(listen(witness)),
            heading: heading(options, recording),
        })
    }

    /// Whether the crowd has said all that it had to say.
    pub(crate) fn crowd_is_gone(&self) -> bool {
        self.crowd.has_changed().is_err()
    }

    /// Ends the room in order: the crowd stops, what waits goes out, everyone takes what is due. `hurry` ends that early.
    pub(crate) async fn end(self, hurry: impl Future) -> Books {
        let lasted = self.clock.elapsed();
        if let Some(following) = self.following {
            following.abort();
        }
        // It fails if the crowd is gone already.
        let _ = self.changes.send(Change::Stop).await;
        self.pace.send_modify(|pace| pace.ending = true);
        tokio::select! {
            _ = self.hub.drain(DRAIN) => {}
            _ = hurry => {}
        }
        let room = self.room.stats().room;
        let heard = tokio::time::timeout(LAST_WORDS, self.heard).await.ok().and_then(Result::ok);
        let offered = tokio::time::timeout(LAST_WORDS, self.feeder).await.ok().and_then(Result::ok);
        Books { heading: self.heading, lasted, room, heard, offered }
    }
}

/// Takes all that the room hears, and times it.
async fn listen(mut witness: Subscription<Said>) -> Heard {
    let mut heard = Heard::default();
    while let Ok(batch) = witness.next_batch().await {
        heard.take(&batch);
    }
    heard
}
