//! The command line.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use roomcast_replay::complaint::Stop;
use roomcast_replay::options::ReplayOptions;

use crate::load::Settings;
use crate::preset::MergeLikes;
use crate::speed::Speed;

const MAX_LIKES: u32 = 100_000;
const MAX_GIFTS: u32 = 10_000;

/// What the columns mean: the end of the help.
const COLUMNS: &str = "\
The rooms:
  av_chat_room   Tencent's AVChatRoom: 40 messages a second, first come first served in each
                 priority
  three_levels   the same with three priorities, each of them limited to 40 a second as well
  rong_cloud     RongCloud: 40 messages in each 200 ms, at most 20 of them likes; nothing waits
  net_ease       NetEase: 20 messages a second drawn at random, and 10 gifts beside them; likes
                 count as texts
  easemob        Easemob: 20 messages a second, a queue of 20; the lowest priority and the latest
                 message go first
  tuned          roomcast's own advice for 40 messages a second: senders take turns; what cannot go
                 out in time (texts 200 ms, gifts 3 s, likes 1 s) is refused at once; one message in
                 20 is for the lowest priority that waits, 4 tokens are kept for gifts, likes are
                 merged

They are the presets of roomcast, whose documentation names the services' own documents. How long a
message may wait in av_chat_room and three_levels (texts 5 s, likes 2 s, gifts as long as it takes)
is a default of roomcast.

What is offered, each sort a row of its own:
  gifts (high)      as many as --gifts says, and what was paid for in the recording
  texts (normal)    the recording's
  flooder (normal)  as many as --flood says, all of one user
  likes (low)       as many as --likes says

The columns:
  offered      messages that were published into the room
  dispatched   messages that the room sent out, each with all that was merged into it
  merged       messages that became part of another one that waited: one message then carries the sum of all
  dropped: …   messages that were let in and never sent out, by reason: evicted by a better one,
               expired, or given up for one that goes out in time
  refused: …   messages that were not let in, by reason
  through      the share of the offered messages that were dispatched, or merged into one that was;
               rounded down
  age          how old a message is when it is dispatched, from its offer on: p50 and p99, which
               half, and 99 of 100, of the dispatched messages did not exceed
  told         how long after its offer the sender of a message that was dropped or refused is told:
               p50 and p99 likewise; 0 for whoever is refused in the call
  starved      the longest time in which messages of the row were on offer and none of them was
               dispatched: from an offer, or from a dispatch that left others waiting, to the row's
               next dispatch; or, when none follows, to the last time that one of the row was
               offered, refused or dropped

Every figure is checked against the room's own ledger. The status is 0 if all agree, 1 if one does
not, and 2 if the command line or a file is wrong.";

/// How others do it: replays a recorded room in virtual time as different services would run it.
///
/// Each room gets the same load to the nanosecond, and the table shows what it let through, what it
/// lost and for which reason, and how long the messages waited. The same command prints the same
/// bytes.
#[derive(Debug, Clone, PartialEq, Parser)]
#[command(name = "lab", version, max_term_width = 120, after_long_help = COLUMNS)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) recording: ReplayOptions,

    /// How many times faster than recorded, 0.1 to 100
    #[arg(
        long,
        value_name = "X",
        default_value = "1",
        value_parser = speed,
        allow_hyphen_values = true
    )]
    pub(crate) speed: Speed,

    /// Gifts a second on top of the recording, 0 to 10000
    #[arg(
        long,
        value_name = "PER_SECOND",
        default_value = "5",
        value_parser = whole(0..=MAX_GIFTS),
        allow_hyphen_values = true
    )]
    pub(crate) gifts: u32,

    /// Likes a second on top of the recording, 0 to 100000
    #[arg(
        long,
        value_name = "PER_SECOND",
        default_value = "100",
        value_parser = whole(0..=MAX_LIKES),
        allow_hyphen_values = true
    )]
    pub(crate) likes: u32,

    /// Texts a second of one user on top of the recording, 0 to 100000
    #[arg(
        long,
        value_name = "PER_SECOND",
        default_value = "0",
        value_parser = whole(0..=MAX_LIKES),
        allow_hyphen_values = true
    )]
    pub(crate) flood: u32,

    /// Where likes that wait become one message
    #[arg(long, value_name = "WHERE", default_value = "tuned")]
    pub(crate) merge_likes: MergeLikes,

    /// The seed of all that is drawn, in the load and in the rooms
    #[arg(
        long,
        value_name = "N",
        default_value = "1",
        value_parser = seed,
        allow_hyphen_values = true
    )]
    pub(crate) seed: u64,

    /// Print JSON instead of the table
    #[arg(long)]
    pub(crate) json: bool,

    /// Draw a picture of it as well; the name ends in .svg
    #[arg(long, value_name = "FILE", value_parser = picture)]
    pub(crate) plot: Option<PathBuf>,
}

impl Options {
    /// Reads the command line, the program's name first.
    pub(crate) fn read(
        arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, Stop> {
        Self::try_parse_from(arguments).map_err(|error| match error.kind() {
            ErrorKind::MissingRequiredArgument => {
                ReplayOptions::without_recording(&Self::command())
            }
            _ => Stop::from_clap(&Self::command(), &error),
        })
    }

    /// The load that they ask for.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            speed: self.speed,
            gifts: self.gifts,
            likes: self.likes,
            flood: self.flood,
            seed: self.seed,
        }
    }
}

fn speed(text: &str) -> Result<Speed, String> {
    let speed = text.parse().ok().and_then(Speed::new);
    speed.ok_or_else(|| format!("a number, {} to {}", Speed::RANGE.start(), Speed::RANGE.end()))
}

fn whole(range: RangeInclusive<u32>) -> impl Fn(&str) -> Result<u32, String> + Clone {
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("a whole number, {} to {}", range.start(), range.end()))
    }
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("a whole number, 0 to {}", u64::MAX))
}

fn picture(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_svg = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("svg"));
    is_svg
        .then_some(path)
        .ok_or_else(|| "a name that ends in .svg, the one format that is drawn".to_owned())
}

#[cfg(test)]
mod tests;
