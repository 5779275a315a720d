//! Who is compared, and how one of them is measured.

use crate::{floors, naive, peers, roomcast};
use clap::ValueEnum;
use hdrhistogram::Histogram;
use roomcast_benches::{median, resident};
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::time::Instant;

/// Resident memory comes in pages; shared out among fewer members than this it says nothing.
const MEMBERS_TO_MEASURE_MEMORY: u32 = 1_000;

/// The longest time that a publish is told apart from, in nanoseconds.
const AN_HOUR: u64 = 3_600_000_000_000;

/// Who is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Contender {
    BareAppend,
    BareSweep,
    RoomcastSweep,
    RoomcastSubscriptions,
    TokioBroadcast,
    TokioMpsc,
    AsyncBroadcast,
    VecDeques,
}

impl Contender {
    /// What the table calls it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::BareAppend => "floor: append to a ring",
            Self::BareSweep => "floor: sweep of 16 bytes a session",
            Self::RoomcastSweep => "roomcast: sweep of the core's Room",
            Self::RoomcastSubscriptions => "roomcast: Hub, a task each",
            Self::TokioBroadcast => "tokio broadcast, a task each",
            Self::TokioMpsc => "tokio mpsc (bounded) each, a task each",
            Self::AsyncBroadcast => "async-broadcast, a task each",
            Self::VecDeques => "four VecDeques each",
        }
    }

    /// Sets it up and measures it. Fails when a sink was not handed what it should have been.
    pub(crate) async fn measure(self, members: u32, messages: u32) -> Result<Figures, String> {
        match self {
            Self::BareAppend => measure::<floors::Append>(self, members, messages).await,
            Self::BareSweep => measure::<floors::Sweep>(self, members, messages).await,
            Self::RoomcastSweep => measure::<roomcast::Sweep>(self, members, messages).await,
            Self::RoomcastSubscriptions => measure::<roomcast::Subscriptions>(self, members, messages).await,
            Self::TokioBroadcast => measure::<peers::TokioBroadcast>(self, members, messages).await,
            Self::TokioMpsc => measure::<peers::TokioMpsc>(self, members, messages).await,
            Self::AsyncBroadcast => measure::<peers::AsyncBroadcast>(self, members, messages).await,
            Self::VecDeques => measure::<naive::VecDeques>(self, members, messages).await,
        }
    }
}

/// What was measured of one contender. Times are in nanoseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) contender: Contender,
    /// From the publish until the last member has the message, divided by the members: the median of all rounds. `None` for the floor
    /// that delivers nothing.
    pub(crate) ns_per_delivery: Option<f64>,
    pub(crate) publish_p50: u64,
    pub(crate) publish_p99: u64,
    pub(crate) publish_max: u64,
    /// `None` when the system does not tell, or the members are too few to share out pages.
    pub(crate) bytes_per_session: Option<f64>,
    /// Counted by the sinks. `None` for the floor that delivers nothing.
    pub(crate) deliveries: Option<u64>,
}

/// One way to get each message to every member.
pub(crate) trait Fanout: Sized {
    /// Whether there are members at all.
    const DELIVERS: bool = true;

    /// Lets the members in; when it returns, all of them wait.
    async fn with_members(members: u32) -> Result<Self, String>;

    /// Publishes one message: what the publisher pays.
    fn publish(&mut self) -> Result<(), String>;

    /// Does, or waits for, the rest: returns when the sinks have been handed `handed` messages in all since the start.
    async fn deliver(&mut self, handed: u64) -> Result<(), String>;
}

thread_local! {
    static HANDED: Cell<u64> = const { Cell::new(0) };
}

/// Counts messages that a sink was handed.
pub(crate) fn count_handed(messages: u64) {
    HANDED.set(HANDED.get() + messages);
}

/// Messages that the sinks of this process were handed.
pub(crate) fn handed() -> u64 {
    HANDED.get()
}

async fn measure<F: Fanout>(contender: Contender, members: u32, messages: u32) -> Result<Figures, String> {
    let before = resident();
    let mut fanout = F::with_members(members).await?;
    // A first message that is not measured: from then on every queue has its memory.
    round(&mut fanout, members).await?;
    let after = resident();
    let warm = handed();

    let mut publishes = Histogram::<u64>::new_with_bounds(1, AN_HOUR, 3).map_err(|error| error.to_string())?;
    let mut rounds = Vec::with_capacity(messages as usize);
    for _ in 0..messages {
        let (publish, all) = round(&mut fanout, members).await?;
        publishes.saturating_record(publish);
        rounds.push(all as f64);
    }
    // Whoever is handed something twice is found out.
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let deliveries = handed() - warm;
    let expected = if F::DELIVERS { u64::from(members) * u64::from(messages) } else { 0 };
    if deliveries != expected {
        return Err(format!("its sinks were handed {deliveries} messages, and {expected} would be right"));
    }
    let grown = before.zip(after).filter(|_| F::DELIVERS && members >= MEMBERS_TO_MEASURE_MEMORY);
    Ok(Figures {
        contender,
        ns_per_delivery: F::DELIVERS.then(|| median(rounds) / f64::from(members)),
        publish_p50: publishes.value_at_quantile(0.5),
        publish_p99: publishes.value_at_quantile(0.99),
        publish_max: publishes.max(),
        bytes_per_session: grown.map(|(before, after)| after.saturating_sub(before) as f64 / f64::from(members)),
        deliveries: F::DELIVERS.then_some(deliveries),
    })
}

/// One message, from the publish until the last member has it. Answers the time in the publish and the time in all, in nanoseconds.
async fn round<F: Fanout>(fanout: &mut F, members: u32) -> Result<(u64, u64), String> {
    let target = handed() + if F::DELIVERS { u64::from(members) } else { 0 };
    let start = Instant::now();
    fanout.publish()?;
    let published = start.elapsed();
    fanout.deliver(target).await?;
    let all = start.elapsed();
    Ok((nanos(published), nanos(all)))
}

fn nanos(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands each member every message so many times.
    struct Hands<const TIMES: u64>(u64);

    impl<const TIMES: u64> Fanout for Hands<TIMES> {
        async fn with_members(members: u32) -> Result<Self, String> {
            Ok(Self(members.into()))
        }

        fn publish(&mut self) -> Result<(), String> {
            Ok(())
        }

        async fn deliver(&mut self, _handed: u64) -> Result<(), String> {
            count_handed(TIMES * self.0);
            Ok(())
        }
    }

    fn deliveries<const TIMES: u64>() -> Result<Option<u64>, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let figures = runtime.block_on(measure::<Hands<TIMES>>(Contender::BareSweep, 3, 2));
        figures.map(|figures| figures.deliveries)
    }

    #[test]
    fn what_was_handed_once_is_counted() {
        assert_eq!(deliveries::<1>(), Ok(Some(6)));
    }

    #[test]
    fn what_was_lost_or_handed_twice_is_an_error() {
        assert_eq!(deliveries::<0>(), Err("its sinks were handed 0 messages, and 6 would be right".to_owned()));
        assert_eq!(deliveries::<2>(), Err("its sinks were handed 12 messages, and 6 would be right".to_owned()));
    }
}
