//! What the command line may say, and the one line that answers what it may not.

use crate::attack::Attack;
use crate::bounds::Bounds;
use clap::{Parser, ValueEnum};
use roomcast_benches::command_line::{Stop, parse, whole};

/// What a wrong name of an option is answered with.
const KNOWN: &str = "--attack NAME, --seconds S, --peers N, --messages-a-second R, --high-age MS, \
    --memory KIB, --slack KIB, --json and --help";

/// A server under siege: one attack after another on a room with healthy peers, over real sockets
/// on this machine.
///
/// The server and the hostile clients run in processes of their own. Exits with 1 when a bound is
/// broken, and names it: memory for each hostile client, age of High messages at healthy peers,
/// gaps that nobody told, descriptors as before, and books that balance.
#[derive(Clone, Debug, Parser)]
#[command(name = "siege", max_term_width = 100)]
pub(crate) struct Options {
    /// Make this attack alone; given several times, these
    #[arg(long, value_name = "NAME")]
    attack: Vec<Attack>,

    /// How long each attack lasts, in seconds, 1 to 3600
    #[arg(
        long,
        value_name = "S",
        default_value = "8",
        value_parser = whole(1..=3_600),
        allow_hyphen_values = true
    )]
    pub(crate) seconds: u32,

    /// How many healthy peers read, 1 to 5000
    #[arg(
        long,
        value_name = "N",
        default_value = "50",
        value_parser = whole(1..=5_000),
        allow_hyphen_values = true
    )]
    pub(crate) peers: u32,

    /// Messages a second that the room takes, and texts that the host offers beside four High ones,
    /// 10 to 1000
    #[arg(
        long = "messages-a-second",
        value_name = "R",
        default_value = "100",
        value_parser = whole(10..=1_000),
        allow_hyphen_values = true
    )]
    pub(crate) rate: u32,

    /// Bound: the age at p99 of High messages at healthy peers, in milliseconds, 1 to 60000
    #[arg(
        long,
        value_name = "MS",
        default_value = "50",
        value_parser = whole(1..=60_000),
        allow_hyphen_values = true
    )]
    high_age: u32,

    /// Bound: memory that the server may take for each hostile client, in KiB, 0 to 1048576
    #[arg(
        long,
        value_name = "KIB",
        default_value = "1024",
        value_parser = whole(0..=1_048_576),
        allow_hyphen_values = true
    )]
    memory: u32,

    /// What an attack may take beside that, however many its clients are, in KiB, 0 to 1048576:
    /// memory that an allocator has and does not use
    #[arg(
        long,
        value_name = "KIB",
        default_value = "2048",
        value_parser = whole(0..=1_048_576),
        allow_hyphen_values = true
    )]
    slack: u32,

    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,

    /// Be the server of a siege
    #[arg(long, value_name = "JSON", hide = true)]
    pub(crate) server: Option<String>,

    /// Be the hostile clients of an attack
    #[arg(long, value_name = "JSON", hide = true)]
    pub(crate) hostile: Option<String>,
}

impl Options {
    pub(crate) fn from_args() -> Result<Self, Stop> {
        parse("siege", KNOWN)
    }

    /// The attacks that are made.
    pub(crate) fn attacks(&self) -> Vec<Attack> {
        let all = Attack::value_variants().iter().copied();
        all.filter(|attack| self.attack.is_empty() || self.attack.contains(attack)).collect()
    }

    pub(crate) fn bounds(&self) -> Bounds {
        Bounds {
            memory: u64::from(self.memory) << 10,
            slack: u64::from(self.slack) << 10,
            high_age: u64::from(self.high_age) * 1_000_000,
        }
    }
}
