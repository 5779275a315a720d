//! Who is compared, and how one of them is measured.

use clap::ValueEnum;
use hdrhistogram::Histogram;
use roomcast_benches::fanout::{
    Crowd, Fanout, check_handed, floors, naive, peers, roomcast, run, runtime, tally,
};
use roomcast_benches::{median, resident};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Resident memory comes in pages; shared out among fewer members than this it says nothing.
const MEMBERS_TO_MEASURE_MEMORY: u32 = 1_000;

/// The longest time that a publish is told apart from, in nanoseconds.
const AN_HOUR: u64 = 3_600_000_000_000;

/// Who is compared, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Contender {
    BareAppend,
    BareSweep,
    WakeAndPoll,
    RoomcastSweep,
    RoomcastPump,
    RoomcastSubscriptions,
    TokioBroadcast,
    TokioMpsc,
    AsyncBroadcast,
    VecDeques,
}

/// The load: how many members, messages, messages together, and threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) members: u32,
    pub(crate) messages: u32,
    pub(crate) burst: u32,
    pub(crate) threads: u32,
}

impl Contender {
    /// What the table calls it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::BareAppend => "floor: append to a ring",
            Self::BareSweep => "floor: sweep of 16 bytes a session",
            Self::WakeAndPoll => "floor: wake and poll a task each",
            Self::RoomcastSweep => "roomcast: sweep of the core's Room",
            Self::RoomcastPump => "roomcast: Hub, a pump for all",
            Self::RoomcastSubscriptions => "roomcast: Hub, a task each",
            Self::TokioBroadcast => "tokio broadcast, a task each",
            Self::TokioMpsc => "tokio mpsc (bounded) each, a task each",
            Self::AsyncBroadcast => "async-broadcast, a task each",
            Self::VecDeques => "four VecDeques each",
        }
    }

    /// The threads that it uses of those it may use.
    pub(crate) fn threads(self, threads: u32) -> u32 {
        match self {
            Self::BareAppend | Self::BareSweep | Self::RoomcastSweep | Self::VecDeques => 1,
            Self::WakeAndPoll
            | Self::RoomcastPump
            | Self::RoomcastSubscriptions
            | Self::TokioBroadcast
            | Self::TokioMpsc
            | Self::AsyncBroadcast => threads,
        }
    }

    /// Bytes of memory that it will need for its members: what was measured with a million of them,
    /// and a quarter more.
    pub(crate) fn needs(self, members: u32, burst: u32) -> u64 {
        let each = match self {
            Self::BareAppend => 0,
            Self::BareSweep => 16,
            Self::WakeAndPoll => 345,
            Self::RoomcastSweep => 40,
            Self::RoomcastPump => 95,
            Self::RoomcastSubscriptions => 525,
            Self::TokioBroadcast => 460,
            Self::TokioMpsc => 2_065,
            Self::AsyncBroadcast => 505,
            Self::VecDeques => 144 + 8 * u64::from(burst.next_power_of_two().max(4)),
        };
        each * u64::from(members) * 5 / 4
    }

    /// Sets it up in this process and measures it. Fails when a sink was not handed what it should
    /// have been.
    pub(crate) fn measure(self, load: Load) -> Result<Figures, String> {
        match self {
            Self::BareAppend => measure_on::<floors::Append>(load),
            Self::BareSweep => measure_on::<floors::BareSweep>(load),
            Self::WakeAndPoll => measure_on::<floors::WakeAndPoll>(load),
            Self::RoomcastSweep => measure_on::<roomcast::Sweep>(load),
            Self::RoomcastPump => measure_on::<roomcast::Pumped>(load),
            Self::RoomcastSubscriptions => measure_on::<roomcast::Subscriptions>(load),
            Self::TokioBroadcast => measure_on::<peers::TokioBroadcast>(load),
            Self::TokioMpsc => measure_on::<peers::TokioMpsc>(load),
            Self::AsyncBroadcast => measure_on::<peers::AsyncBroadcast>(load),
            Self::VecDeques => measure_on::<naive::VecDeques>(load),
        }
    }
}

/// What was measured of one contender. Times are in nanoseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// From the first publish of a burst until the last member has the last message, divided by
    /// the deliveries: the median of all rounds. `None` for the floor that delivers nothing.
    pub(crate) ns_per_delivery: Option<f64>,
    pub(crate) publish_p50: u64,
    pub(crate) publish_p99: u64,
    pub(crate) publish_max: u64,
    /// `None` when the system does not tell, or the members are too few to share out pages.
    pub(crate) bytes_per_session: Option<f64>,
    /// Counted by the sinks. `None` for the floor that delivers nothing.
    pub(crate) deliveries: Option<u64>,
}

/// Measures a fan-out on a runtime of its own.
fn measure_on<F: Fanout>(load: Load) -> Result<Figures, String> {
    let runtime = runtime(load.threads)?;
    let figures = run(&runtime, measure::<F>(load));
    // The process ends now; taking millions of tasks down one by one would only cost time.
    std::mem::forget(runtime);
    figures
}

async fn measure<F: Fanout>(load: Load) -> Result<Figures, String> {
    let Load { members, messages, burst, .. } = load;
    // What the first member of all brings about, whoever it is, is not a member's.
    Crowd::<F>::new(1).await?.round(1, |_| {}).await?;
    let before = resident();
    let mut crowd = Crowd::<F>::new(members).await?;
    // A first burst that is not measured: from then on every queue has its memory.
    crowd.round(burst, |_| {}).await?;
    let after = resident();
    let warm = tally::handed();

    let mut publishes = latencies()?;
    let mut rounds = Vec::with_capacity(messages.div_ceil(burst) as usize);
    let mut left = messages;
    while left > 0 {
        // The last round carries what is left.
        let burst = burst.min(left);
        let round = crowd.round(burst, |time| publishes.saturating_record(nanos(time))).await?;
        rounds.push(nanos(round.all) as f64 / (f64::from(members) * f64::from(burst)));
        left -= burst;
    }
    let deliveries = crowd.deliveries(messages);
    check_handed(warm, deliveries).await?;
    crowd.forget();
    let grown = before.zip(after).filter(|_| F::DELIVERS && members >= MEMBERS_TO_MEASURE_MEMORY);
    Ok(Figures {
        ns_per_delivery: F::DELIVERS.then(|| median(rounds)),
        publish_p50: publishes.value_at_quantile(0.5),
        publish_p99: publishes.value_at_quantile(0.99),
        publish_max: publishes.max(),
        bytes_per_session: grown
            .map(|(before, after)| after.saturating_sub(before) as f64 / f64::from(members)),
        deliveries: F::DELIVERS.then_some(deliveries),
    })
}

/// Times of calls, in nanoseconds, told apart to three digits.
pub(crate) fn latencies() -> Result<Histogram<u64>, String> {
    Histogram::new_with_bounds(1, AN_HOUR, 3).map_err(|error| error.to_string())
}

pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
