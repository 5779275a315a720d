//! The command line.

mod values;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};
use roomcast_replay::complaint::Stop;
use roomcast_replay::options::ReplayOptions;

use crate::crowd::{MAX_GIFTS_PER_MINUTE, MAX_LIKES_PER_SECOND, Settings, Speed};
pub(crate) use values::SlowViewers;
use values::{address, duration, seed, slow_viewers, speed, whole};

const MAX_VIEWERS: u32 = 1_000_000;
const MAX_RATE: u32 = 1_000_000;
const MAX_QUEUE: u32 = 1_000_000;

/// A live room in your browser: a recorded crowd chats through roomcast, and you chat along.
///
/// Without options the room replays the chat of a real premiere at its own pace. Open the page that is printed, turn
/// up speed and likes, and watch what gets through. On the page, long silences of a recording are cut down to 3 s.
#[derive(Debug, Clone, PartialEq, Parser)]
#[command(name = "live_room", version, max_term_width = 100)]
pub(crate) struct Options {
    /// Where the page is served
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = address)]
    pub(crate) listen: SocketAddr,

    #[command(flatten)]
    pub(crate) recording: ReplayOptions,

    /// How many times faster than recorded, 1 to 100
    #[arg(
        long,
        value_name = "N",
        default_value = "1",
        value_parser = speed,
        allow_hyphen_values = true
    )]
    pub(crate) speed: Speed,

    /// Likes a second on top of the recording, 0 to 100000
    #[arg(
        long,
        value_name = "N",
        default_value = "0",
        value_parser = whole(0..=MAX_LIKES_PER_SECOND),
        allow_hyphen_values = true
    )]
    pub(crate) likes: u32,

    /// Gifts a minute on top of the recording, 0 to 6000
    #[arg(
        long,
        value_name = "N",
        default_value = "6",
        value_parser = whole(0..=MAX_GIFTS_PER_MINUTE),
        allow_hyphen_values = true
    )]
    pub(crate) gifts: u32,

    /// How many simulated viewers watch, 0 to 1000000
    #[arg(
        long,
        value_name = "N",
        default_value = "1000",
        value_parser = whole(0..=MAX_VIEWERS),
        allow_hyphen_values = true
    )]
    pub(crate) viewers: u32,

    /// How many of them are too slow to take everything: a number (`20`) or a share (`5%`)
    #[arg(
        long,
        value_name = "N|N%",
        default_value = "0",
        value_parser = slow_viewers,
        allow_hyphen_values = true
    )]
    pub(crate) slow_viewers: SlowViewers,

    /// How many messages a second the room dispatches, 1 to 1000000
    #[arg(
        long,
        value_name = "N",
        default_value = "40",
        value_parser = whole(1..=MAX_RATE),
        allow_hyphen_values = true
    )]
    pub(crate) rate: u32,

    /// How many messages may wait, 1 to 1000000
    #[arg(
        long,
        value_name = "N",
        default_value = "400",
        value_parser = whole(1..=MAX_QUEUE),
        allow_hyphen_values = true
    )]
    pub(crate) queue: u32,

    /// A TOML file with the room's configuration, read over all that the other options say; it is read again when it
    /// changes, and on SIGHUP
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// The seed of all that is made up: phrases, likes, gifts
    #[arg(
        long,
        value_name = "N",
        default_value = "1",
        value_parser = seed,
        allow_hyphen_values = true
    )]
    pub(crate) seed: u64,

    /// Run without a page, until the recording or the duration ends, and print the ledger
    #[arg(long)]
    pub(crate) headless: bool,

    /// With --headless: in virtual time, as fast as it goes; the same seed prints the same to the byte
    #[arg(long = "virtual", requires = "headless")]
    pub(crate) virtual_time: bool,

    /// Stop after this time, such as 500ms, 30s, 5m or 1h [default: never, or at the end of the recording]
    #[arg(long, value_name = "TIME", value_parser = duration, allow_hyphen_values = true)]
    pub(crate) duration: Option<Duration>,
}

impl Options {
    /// Reads the command line, the program's name first.
    pub(crate) fn read(
        arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, Stop> {
        Self::try_parse_from(arguments).map_err(|error| match error.kind() {
            ErrorKind::MissingRequiredArgument if misses(&error, "--replay") => {
                ReplayOptions::without_recording(&Self::command())
            }
            ErrorKind::MissingRequiredArgument => {
                Stop::wrong(&Self::command(), "--virtual needs --headless: give both, or neither")
            }
            _ => Stop::from_clap(&Self::command(), &error),
        })
    }

    /// What the crowd does at the start.
    pub(crate) fn settings(&self) -> Settings {
        Settings { speed: self.speed, likes_per_second: self.likes, gifts_per_minute: self.gifts }
    }
}

/// Whether the error is that an option is missing, which is shown as `--replay <FILE>`.
fn misses(error: &clap::Error, option: &str) -> bool {
    let missing = error.get(ContextKind::InvalidArg);
    matches!(missing, Some(ContextValue::Strings(names)) if names.iter().any(|name| name.starts_with(option)))
}

#[cfg(test)]
mod tests;
