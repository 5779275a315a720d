//! What the command line may say, and the one line that answers what it may not.

use crate::contender::Contender;
use crate::link::{Link, Rate};
use crate::load::Load;
use clap::{Parser, ValueEnum};
use roomcast_benches::command_line::{Stop, parse, whole};

/// What a wrong name of an option is answered with.
const KNOWN: &str = "--connections N, --messages-a-second R, --window MS, --seconds S, --high-every K, --slow PERCENT, --link RATE, \
    --link-delay MS, --overload X, --threads T, --rounds N, --only NAME, --json and --help";

/// Fan-out over real sockets on this machine: what a server's processor time buys, one server after
/// the other.
///
/// Each server, and the clients that read from it, run in processes of their own. Clients count
/// what they get; what a fast client misses fails the run. Slow clients read 1 KiB a second, or with --link all that
/// comes through a narrow link.
#[derive(Clone, Debug, Parser)]
#[command(name = "sockets", max_term_width = 100)]
pub(crate) struct Options {
    /// How many connections each server has, 1 to 60000; a process may hold 20000 files, and what
    /// was reached is printed
    #[arg(
        long,
        value_name = "N",
        default_value = "2000",
        value_parser = whole(1..=60_000),
        allow_hyphen_values = true
    )]
    connections: u32,

    /// How many messages are offered in a second, 1 to 10000
    #[arg(
        long,
        value_name = "R",
        default_value = "40",
        value_parser = whole(1..=10_000),
        allow_hyphen_values = true
    )]
    messages_a_second: u32,

    /// How long messages below High may wait for company before they are written, in milliseconds,
    /// 0 to 10000
    #[arg(
        long,
        value_name = "MS",
        default_value = "250",
        value_parser = whole(0..=10_000),
        allow_hyphen_values = true
    )]
    window: u32,

    /// How long each server is measured, in seconds, 1 to 3600 [default: 10, and 60 with slow
    /// clients: kernel buffers hide everything for the first seconds]
    #[arg(long, value_name = "S", value_parser = whole(1..=3_600), allow_hyphen_values = true)]
    seconds: Option<u32>,

    /// One message in so many is High, 1 to 1000000
    #[arg(
        long,
        value_name = "K",
        default_value = "20",
        value_parser = whole(1..=1_000_000),
        allow_hyphen_values = true
    )]
    high_every: u32,

    /// How many clients in a hundred read slowly, or are behind the link, 0 to 100 [default: 0, and
    /// 10 with --link]
    #[arg(long, value_name = "PERCENT", value_parser = whole(0..=100), allow_hyphen_values = true)]
    slow: Option<u32>,

    /// Put each slow client behind a link of its own of this rate, such as 24kbit; the run makes a
    /// network namespace for that, and needs root, `unshare`, `ip` and `tc`
    #[arg(long, value_name = "RATE")]
    link: Option<Rate>,

    /// How long the way over the link takes, in milliseconds, 0 to 5000; needs `tc netem`
    #[arg(
        long,
        value_name = "MS",
        default_value = "0",
        value_parser = whole(0..=5_000),
        requires = "link",
        allow_hyphen_values = true
    )]
    link_delay: u32,

    /// Offer so many times the messages, 1 to 1000; what is too much for the room is Normal, Low
    /// and Lowest
    #[arg(
        long,
        value_name = "X",
        default_value = "1",
        value_parser = whole(1..=1_000),
        allow_hyphen_values = true
    )]
    overload: u32,

    /// On how many threads a server runs, 1 or 2
    #[arg(
        long,
        value_name = "T",
        default_value = "1",
        value_parser = whole(1..=2),
        allow_hyphen_values = true
    )]
    threads: u32,

    /// How often each server is measured, in turns, 1 to 99; of each the round with the middle
    /// time for a write is shown
    #[arg(
        long,
        value_name = "N",
        default_value = "1",
        value_parser = whole(1..=99),
        allow_hyphen_values = true
    )]
    pub(crate) rounds: u32,

    /// Measure this server alone; given several times, these
    #[arg(long, value_name = "NAME")]
    only: Vec<Contender>,

    /// Print JSON instead of tables
    #[arg(long)]
    pub(crate) json: bool,

    /// Be inside the namespace of the links
    #[arg(long, hide = true)]
    pub(crate) inside: bool,

    /// Be the server of a run
    #[arg(long, value_name = "JSON", hide = true)]
    pub(crate) server: Option<String>,

    /// Be a client process of a run
    #[arg(long, value_name = "JSON", hide = true)]
    pub(crate) client: Option<String>,
}

impl Options {
    pub(crate) fn from_args() -> Result<Self, Stop> {
        let options: Self = parse("sockets", KNOWN)?;
        let load = options.load();
        let (every, high, rate) = (options.high_every, load.high(), load.room_rate());
        if options.overload > 1 && high >= rate {
            let least = load.offered() / rate + 1;
            return Err(Stop::Wrong(format!(
                "sockets: `--high-every` cannot be `{every}` with --overload {}: that makes {high} High messages a second in a room of \
                 {rate}; right would be {least} or more",
                options.overload
            )));
        }
        Ok(options)
    }

    pub(crate) fn load(&self) -> Load {
        let slow = self.slow.unwrap_or(if self.link.is_some() { 10 } else { 0 });
        Load {
            connections: self.connections,
            rate: self.messages_a_second,
            window_ms: self.window,
            seconds: self.seconds.unwrap_or(if slow > 0 { 60 } else { 10 }),
            high_every: self.high_every,
            slow,
            link: self.link.map(|Rate(rate)| Link { rate, delay_ms: self.link_delay }),
            overload: self.overload,
            threads: self.threads,
        }
    }

    /// Who is measured.
    pub(crate) fn contenders(&self) -> Vec<Contender> {
        let all = Contender::value_variants().iter().copied();
        all.filter(|contender| self.only.is_empty() || self.only.contains(contender)).collect()
    }
}
