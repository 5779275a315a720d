//! What the command line may say.

use clap::Parser;
use roomcast_benches::command_line::{Stop, parse, whole};

/// What a wrong name of an option is answered with.
const KNOWN: &str = "--only ROW, --servers N, --lease S, --kills N, --handovers N, --seconds S, \
                     --members N, --rooms N and --help";

/// Figures of rooms on several machines: nodes of this process over nats-servers, which are started here
/// (found by ROOMCAST_NATS_SERVER or on PATH).
///
/// Nodes and servers share this machine, so what is said of many rooms is said of all of them together.
/// To kill a node is to drop it with its connection in the middle of whatever it does.
#[derive(Clone, Debug, Parser)]
#[allow(clippy::doc_markdown, reason = "the help shows it as it is")]
#[command(name = "cluster", max_term_width = 100)]
pub(crate) struct Options {
    /// One row alone
    #[arg(
        long,
        value_name = "ROW",
        value_parser = ["kill", "handover", "latency", "publish", "resume", "rooms", "takeover"],
    )]
    only: Option<String>,

    /// How many nats-servers keep the logs, 1 or 3
    #[arg(
        long,
        value_name = "N",
        default_value = "1",
        value_parser = whole(1..=3),
        allow_hyphen_values = true,
    )]
    pub(crate) servers: u32,

    /// How many seconds a lease lasts, 1 to 60
    #[arg(
        long,
        value_name = "S",
        default_value = "2",
        value_parser = whole(1..=60),
        allow_hyphen_values = true,
    )]
    pub(crate) lease: u32,

    /// How often the owner is killed, 1 to 1000
    #[arg(
        long,
        value_name = "N",
        default_value = "10",
        value_parser = whole(1..=1_000),
        allow_hyphen_values = true,
    )]
    pub(crate) kills: u32,

    /// How often the room is handed over, 1 to 10000
    #[arg(
        long,
        value_name = "N",
        default_value = "100",
        value_parser = whole(1..=10_000),
        allow_hyphen_values = true,
    )]
    pub(crate) handovers: u32,

    /// For how many seconds people chat, 1 to 3600
    #[arg(
        long,
        value_name = "S",
        default_value = "10",
        value_parser = whole(1..=3_600),
        allow_hyphen_values = true,
    )]
    pub(crate) seconds: u32,

    /// How many members the killed node had that come back elsewhere, 1 to 1000000
    #[arg(
        long,
        value_name = "N",
        default_value = "20000",
        value_parser = whole(1..=1_000_000),
        allow_hyphen_values = true,
    )]
    pub(crate) members: u32,

    /// How many rooms two nodes have, 1 to 10000
    #[arg(
        long,
        value_name = "N",
        default_value = "1000",
        value_parser = whole(1..=10_000),
        allow_hyphen_values = true,
    )]
    pub(crate) rooms: u32,
}

impl Options {
    pub(crate) fn from_args() -> Result<Self, Stop> {
        let options: Self = parse("cluster", KNOWN)?;
        if options.servers == 2 {
            let right = "1 or 3: two have no majority without each other";
            return Err(Stop::Wrong(format!(
                "cluster: `--servers` cannot be `2`; right would be {right}"
            )));
        }
        Ok(options)
    }

    /// Whether this row is asked for.
    pub(crate) fn asks(&self, row: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == row)
    }
}
