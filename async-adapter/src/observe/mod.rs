//! What a host sees of a running hub from outside: metrics (feature `metrics`) and events for its
//! log (feature `tracing`).
//!
//! Both are facades: this crate writes to the recorder and the subscriber that the host installs,
//! and links no exporter. Without the features it links neither facade.
//!
//! # Metrics
//!
//! A hub that is built with [`HubBuilder::observe`](crate::HubBuilder::observe) looks at the books
//! of its rooms every so often and tells the recorder what has changed since. Counts come from the
//! books that are kept anyhow, so publishing and reading pay nothing for them. [`METRICS`] lists
//! every metric with its unit and its meaning. Labels are bounded: the four levels, the reasons and
//! causes that this crate knows, and the hub's own name where the host gives one; no room and no
//! user is in any. A count is the sum over all rooms, those that are gone included, and never goes
//! back.
//!
//! Install the recorder before the hub is built: what a recorder is told before it is there is
//! lost.
//!
//! ```
//! # #[cfg(feature = "metrics")] fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use roomcast::observe::{METRICS, ObserveOptions};
//! use roomcast::{Hub, Publish, RoomConfig, Source};
//!
//! // First the host's exporter, such as `metrics_exporter_prometheus`; then:
//! let hub = Hub::<String>::builder().observe(ObserveOptions::default()).spawn_threads()?;
//! let room = hub.open_room("stream-42", &RoomConfig::default())?;
//! let _ = room.try_publish(Publish::new(Source::Host, "hello".to_owned()))?;
//! // Before a scrape, and when all is over: what has happened up to now.
//! hub.observe_now();
//! assert!(METRICS.iter().any(|metric| metric.name == "roomcast_messages_dispatched_total"));
//! # Ok(()) }
//! # #[cfg(not(feature = "metrics"))] fn main() {}
//! ```
//!
//! # Events
//!
//! All have the target `roomcast`. None is told for each message or batch. A subscriber must not
//! call the hub: a panic, or a clock that is astray, may be told while a room is locked. Rooms and
//! sessions are told by their numbers; [`Hub::room_name`](crate::Hub::room_name) has a room's name.
//!
//! - error, a worker has ended (`rooms`): its runtime has shut down; its rooms close.
//! - error, a visit to a room has panicked (`room`): the room is looked after again in a second.
//! - error, code of the host's has panicked (`panics`, `text`): of all panics of the hub, the 1st,
//!   2nd, 4th, 8th ….
//! - warn, a room sheds messages (`room`, `refused`, `dropped`, `mostly`): see below.
//! - info, a room sheds no more (`room`, `refused`, `dropped`, `mostly`, `lasted_ms`): see below.
//! - warn, memory is tight, or full (`held`, `kept`, `limit`): a look finds it so, and the one
//!   before did not.
//! - info, memory is free again (`held`, `kept`, `limit`): likewise.
//! - warn, the clock was too far ahead (`steps_cut`, `ahead_ms`): of all such steps of the hub, the
//!   1st, 2nd, 4th, 8th ….
//! - warn, a pump's task has ended with connections (`room`, `shard`, `connections`): its runtime
//!   has shut down.
//! - info, a drain begins, ends (`rooms`, and the [report](crate::stats::DrainReport)):
//!   [`Hub::drain`](crate::Hub::drain).
//! - debug, a room is opened, has ended (`room`).
//! - debug, a pump lets a connection go (`room`, `session`, `reason`): it failed, stalled, or had
//!   missed a High message.
//! - debug, a forward has ended (`room`, `session`, `reason`, `batches`, `messages`, `unsent`):
//!   [`forward`](crate::forward) returns.
//!
//! # When a room sheds
//!
//! A room sheds when it loses messages because more is offered than it can send: when it refuses
//! some as `memory_full`, `reviews_full`, `queue_full` or `congested`, or drops some as `evicted`,
//! `expired`, `congested` or `memory_full`. It starts at the first look that finds such a loss
//! since the look before, and stops when none has been found for
//! [`calm_after`](ObserveOptions::calm_after), by the hub's clock. So a room tells at most two
//! edges in that time, whatever it loses. `refused` and `dropped` are what it lost for these
//! reasons: since the look before, or from start to stop; `mostly` is the reason of most of it. A
//! room that goes while it sheds has stopped.

#[cfg(feature = "metrics")]
mod books;
#[cfg_attr(not(feature = "metrics"), path = "uncounted.rs")]
mod counted;
mod observer;
#[cfg(all(feature = "metrics", feature = "tokio"))]
pub(crate) mod pumps;
#[cfg(feature = "metrics")]
mod recorder;
mod shedding;
#[cfg(feature = "metrics")]
mod table;

pub(crate) use observer::Observer;
pub(crate) use shedding::{Shed, Shedded};
#[cfg(feature = "metrics")]
pub use table::{METRICS, Metric, MetricKind};

use crate::sync::Arc;
use std::time::Duration;

/// How a hub is observed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ObserveOptions {
    /// How often the hub looks at its rooms; not less than a hundredth of a second. It is how old
    /// metrics may be, so shorter than they are fetched. A look costs one to two microseconds a
    /// room, on one worker, 64 rooms at a time: with 100,000 rooms take more than the default of 1
    /// s (`cargo bench --bench many_rooms --features observe -- look`).
    pub every: Duration,
    /// How long a room must lose nothing until it counts as shedding no more. Default 10 s.
    pub calm_after: Duration,
    /// The value of the label `hub` of all metrics, for a process with several hubs: without it
    /// their gauges would overwrite each other. Default none, and no such label.
    pub hub: Option<Arc<str>>,
}

impl Default for ObserveOptions {
    fn default() -> Self {
        Self { every: Duration::from_secs(1), calm_after: Duration::from_secs(10), hub: None }
    }
}
