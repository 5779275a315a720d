//! What the command line may say, and the one line that answers what it may not.

use crate::contender::{Contender, Load};
use clap::Parser;
use roomcast_benches::command_line::{Stop, parse, whole};
use roomcast_benches::fanout::MAX_BURST;
use std::ops::RangeInclusive;

/// Members at the most: enough for every contender to be asked, if the memory is there.
const MAX_MEMBERS: u32 = 10_000_000;
const MAX_MESSAGES: u32 = 100_000;
/// A terabyte.
const MAX_MEMORY: u32 = 1 << 20;
/// What a wrong name of an option is answered with.
const KNOWN: &str = "--members N, --messages M, --burst K, --threads T, --memory MIB, --while-sweeping, --json and --help";

/// Fan-out side by side: roomcast, its peers and three floors, one after the other, each in a
/// process of its own.
///
/// Messages are published in bursts; the next burst is published when the last has reached every
/// member. Sinks count what they are handed. No coalescing window.
#[derive(Clone, Copy, Debug, Parser)]
#[command(name = "compare", max_term_width = 100)]
pub(crate) struct Options {
    /// How many members each message goes to, 1 to 10000000 [default: 100000; 10000000 with
    /// --while-sweeping]
    #[arg(long, value_name = "N", value_parser = whole(1..=MAX_MEMBERS), allow_hyphen_values = true)]
    members: Option<u32>,

    /// How many messages are published, 1 to 100000 [default: 20, and at least a burst; 10000 with
    /// --while-sweeping]
    #[arg(long, value_name = "M", value_parser = whole(1..=MAX_MESSAGES), allow_hyphen_values = true)]
    messages: Option<u32>,

    /// How many messages are published together before they are delivered, 1 to 32
    #[arg(long, value_name = "K", default_value = "1", value_parser = whole(1..=MAX_BURST), allow_hyphen_values = true)]
    burst: u32,

    /// On how many threads the contenders run whose members are tasks, 1 or 2 [default: both, one
    /// after the other]
    #[arg(long, value_name = "T", value_parser = whole(1..=2), allow_hyphen_values = true)]
    pub(crate) threads: Option<u32>,

    /// Skip contenders that need more memory than this, in MiB, 1 to 1048576 [default: four fifths
    /// of what is available]
    #[arg(long, value_name = "MIB", value_parser = whole(1..=MAX_MEMORY), allow_hyphen_values = true)]
    memory: Option<u32>,

    /// Instead: what a publish into roomcast costs while another thread sweeps all members, and
    /// while none does
    #[arg(long, conflicts_with_all = ["burst", "threads", "memory"])]
    pub(crate) while_sweeping: bool,

    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,

    /// Measure this contender alone, in this process, and print its line of JSON
    #[arg(long, value_name = "NAME", hide = true)]
    pub(crate) only: Option<Contender>,
}

impl Options {
    pub(crate) fn from_args() -> Result<Self, Stop> {
        let options: Self = parse("compare", KNOWN)?;
        let (burst, messages) = (options.burst, options.messages());
        if burst > messages {
            let right = format!("a whole number from 1 to {messages}");
            return Err(Stop::Wrong(format!(
                "compare: `--burst` cannot be `{burst}` with --messages {messages}; right would be {right}"
            )));
        }
        Ok(options)
    }

    pub(crate) fn members(&self) -> u32 {
        self.members.unwrap_or(if self.while_sweeping { 10_000_000 } else { 100_000 })
    }

    pub(crate) fn messages(&self) -> u32 {
        self.messages.unwrap_or(if self.while_sweeping { 10_000 } else { self.burst.max(20) })
    }

    /// The numbers of threads to measure on.
    pub(crate) fn threads(&self) -> RangeInclusive<u32> {
        self.threads.map_or(1..=2, |threads| threads..=threads)
    }

    /// Bytes that a contender may take.
    pub(crate) fn memory(&self) -> Option<u64> {
        self.memory.map(|mib| u64::from(mib) << 20)
    }

    pub(crate) fn load(&self, threads: u32) -> Load {
        Load { members: self.members(), messages: self.messages(), burst: self.burst, threads }
    }
}
