//! Ways to get each message to every member, and how a round of each is timed: what the
//! side-by-side and the suites have in common.

pub mod floors;
pub mod naive;
pub mod peers;
pub mod roomcast;
pub mod tally;

use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// Messages that are published together at the most: what every queue here holds.
pub const MAX_BURST: u32 = 32;

/// One way to get each message to every member.
pub trait Fanout: Sized + Send + 'static {
    /// Whether there are members at all.
    const DELIVERS: bool = true;
    /// Whether each member is a task: those use as many threads as the runtime has.
    const TASKS: bool = false;

    /// Lets the members in, within a runtime. Their tasks tell [`tally::count_waiting`] when they
    /// wait.
    fn with_members(members: u32) -> Result<Self, String>;

    /// Publishes one message: what the publisher pays.
    fn publish(&mut self) -> Result<(), String>;

    /// What the publisher's thread itself still has to do after a burst. The sinks tell
    /// [`tally::count_handed`].
    fn deliver(&mut self) {}
}

/// A fan-out and its members, all of whom wait.
#[derive(Debug)]
pub struct Crowd<F> {
    fanout: F,
    members: u32,
}

/// What one burst took.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// From the first publish until the last returned.
    pub publishing: Duration,
    /// From the first publish until the last member had the last message.
    pub all: Duration,
}

impl<F: Fanout> Crowd<F> {
    /// Lets the members in; when it returns, all of them wait.
    pub async fn new(members: u32) -> Result<Self, String> {
        let waiting = tally::waiting();
        let fanout = F::with_members(members)?;
        if F::TASKS {
            tally::until_waiting(waiting + members).await?;
        }
        Ok(Self { fanout, members })
    }

    /// Messages that a burst hands to sinks.
    pub fn deliveries(&self, burst: u32) -> u64 {
        if F::DELIVERS { u64::from(self.members) * u64::from(burst) } else { 0 }
    }

    /// Publishes a burst and waits until the last member has it. `published` is told the time of
    /// each publish.
    pub async fn round(
        &mut self,
        burst: u32,
        mut published: impl FnMut(Duration) + Send,
    ) -> Result<Round, String> {
        tally::begin(self.deliveries(burst));
        let start = Instant::now();
        let mut last = start;
        for _ in 0..burst {
            self.fanout.publish()?;
            let now = Instant::now();
            published(now - last);
            last = now;
        }
        let publishing = last - start;
        self.fanout.deliver();
        let end = if !F::DELIVERS {
            Instant::now()
        } else if F::TASKS {
            tally::until_ended().await?
        } else {
            tally::flush();
            tally::ended_at()
                .ok_or_else(|| format!("{} messages were not handed to anyone", tally::missing()))?
        };
        Ok(Round { publishing, all: end - start })
    }

    /// Goes without a farewell to each member, for a process that ends: taking millions of them
    /// down only costs time.
    pub fn forget(self) {
        std::mem::forget(self);
    }
}

/// Fails when the sinks were not handed exactly so many messages since the total was `before`:
/// whoever is handed something twice is found out as well.
pub async fn check_handed(before: u64, expected: u64) -> Result<(), String> {
    // Long enough for a second copy to arrive.
    tokio::time::sleep(Duration::from_millis(5)).await;
    let handed = tally::handed() - before;
    if handed == expected {
        Ok(())
    } else {
        Err(format!("its sinks were handed {handed} messages, and {expected} would be right"))
    }
}

/// A runtime on one thread, or on so many workers, whose threads tell what they counted before they
/// sleep.
pub fn runtime(threads: u32) -> Result<Runtime, String> {
    let mut builder =
        if threads == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    if threads > 1 {
        builder.worker_threads(threads as usize);
    }
    builder
        .enable_time()
        .on_thread_park(tally::flush)
        .build()
        .map_err(|error| format!("no runtime: {error}"))
}

/// Runs something as a task, so that it publishes from a thread of the runtime, as a server does.
pub fn run<T: Send + 'static>(
    runtime: &Runtime,
    task: impl Future<Output = Result<T, String>> + Send + 'static,
) -> Result<T, String> {
    runtime.block_on(runtime.spawn(task)).map_err(|error| error.to_string())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    /// Hands each member every message so many times.
    struct Hands<const TIMES: u64> {
        members: u64,
        published: u64,
    }

    impl<const TIMES: u64> Fanout for Hands<TIMES> {
        fn with_members(members: u32) -> Result<Self, String> {
            Ok(Self { members: members.into(), published: 0 })
        }

        fn publish(&mut self) -> Result<(), String> {
            self.published += 1;
            Ok(())
        }

        fn deliver(&mut self) {
            tally::count_handed(TIMES * self.members * std::mem::take(&mut self.published));
        }
    }

    async fn twice<F: Fanout>(members: u32, burst: u32) -> Result<u64, String> {
        let before = tally::handed();
        let mut crowd = Crowd::<F>::new(members).await?;
        for _ in 0..2 {
            black_box(crowd.round(burst, |_| {}).await?);
        }
        check_handed(before, 2 * crowd.deliveries(burst)).await?;
        Ok(tally::handed() - before)
    }

    // One test, since the tally is the process's.
    /// What was handed once passes.
    #[test]
    fn what_was_lost_or_handed_twice_is_found() {
        for threads in [1, 2] {
            let runtime = runtime(threads).expect("a runtime");
            assert_eq!(run(&runtime, twice::<Hands<1>>(3, 2)), Ok(12));
            assert_eq!(
                run(&runtime, twice::<Hands<0>>(3, 2)),
                Err("6 messages were not handed to anyone".to_owned())
            );
            let doubled = run(&runtime, twice::<Hands<2>>(3, 2));
            assert_eq!(
                doubled,
                Err("its sinks were handed 24 messages, and 12 would be right".to_owned())
            );
            assert_eq!(run(&runtime, twice::<floors::Append>(3, 2)), Ok(0));
            // More than a thread counts for itself, and less.
            for members in [1, 10, 3_000] {
                for burst in [1, MAX_BURST] {
                    let expected = Ok(2 * u64::from(members) * u64::from(burst));
                    assert_eq!(run(&runtime, twice::<floors::BareSweep>(members, burst)), expected);
                    assert_eq!(
                        run(&runtime, twice::<floors::WakeAndPoll>(members, burst)),
                        expected
                    );
                    assert_eq!(run(&runtime, twice::<naive::VecDeques>(members, burst)), expected);
                    assert_eq!(run(&runtime, twice::<roomcast::Sweep>(members, burst)), expected);
                    assert_eq!(run(&runtime, twice::<roomcast::Pumped>(members, burst)), expected);
                    assert_eq!(
                        run(&runtime, twice::<roomcast::Subscriptions>(members, burst)),
                        expected
                    );
                    assert_eq!(
                        run(&runtime, twice::<peers::TokioBroadcast>(members, burst)),
                        expected
                    );
                    assert_eq!(run(&runtime, twice::<peers::TokioMpsc>(members, burst)), expected);
                    assert_eq!(
                        run(&runtime, twice::<peers::AsyncBroadcast>(members, burst)),
                        expected
                    );
                }
            }
        }
    }
}
