//! What the command line may say, and the one line that answers what it may not.

use crate::contender::Contender;
use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ops::RangeInclusive;

/// Members at the most: enough for every contender to be asked, if the memory is there.
const MAX_MEMBERS: u32 = 10_000_000;
const MAX_MESSAGES: u32 = 100_000;

/// Fan-out side by side: roomcast, its peers and two floors, one after the other, each in a process of its own.
///
/// Every contender gets one message after the other; the next is published when the last has reached every member. Sinks count what they
/// are handed. One thread, no coalescing window.
#[derive(Clone, Copy, Debug, Parser)]
#[command(name = "compare", max_term_width = 100)]
pub(crate) struct Options {
    /// How many members each message goes to, 1 to 10000000
    #[arg(long, value_name = "N", default_value = "100000", value_parser = whole(1..=MAX_MEMBERS), allow_hyphen_values = true)]
    pub(crate) members: u32,

    /// How many messages are published, one after the other, 1 to 100000
    #[arg(long, value_name = "M", default_value = "20", value_parser = whole(1..=MAX_MESSAGES), allow_hyphen_values = true)]
    pub(crate) messages: u32,

    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,

    /// Measure this contender alone, in this process, and print its line of JSON
    #[arg(long, value_name = "NAME", hide = true)]
    pub(crate) only: Option<Contender>,
}

/// Why there is nothing to measure.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Help was asked for.
    Help(String),
    /// The command line is wrong.
    Wrong(String),
}

impl Options {
    pub(crate) fn from_args() -> Result<Self, Stop> {
        Self::try_parse().map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp => Stop::Help(error.to_string()),
            _ => Stop::Wrong(in_one_line(&error)),
        })
    }
}

/// What was wrong, with which value, and what would be right.
fn in_one_line(error: &clap::Error) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    // Shown as `--members <N>`; the name alone is what was typed.
    let argument = context(ContextKind::InvalidArg).unwrap_or_default();
    let option = argument.split(' ').next().unwrap_or_default();
    let value = context(ContextKind::InvalidValue).filter(|value| !value.is_empty());
    let right = context(ContextKind::ValidValue).map(|values| format!("one of {values}"));
    let right = right.or_else(|| std::error::Error::source(error).map(ToString::to_string));
    match (error.kind(), value, right) {
        (ErrorKind::UnknownArgument, ..) => {
            format!("compare: there is no option `{option}`; there are --members N, --messages M, --json and --help")
        }
        (ErrorKind::ArgumentConflict, ..) => format!("compare: `{option}` is given twice; once would be right"),
        (ErrorKind::TooManyValues, Some(value), _) => {
            format!("compare: `{option}` takes no value and has `{value}`; right would be {option} alone")
        }
        (_, Some(value), Some(right)) => format!("compare: `{option}` cannot be `{value}`; right would be {right}"),
        (_, None, _) => format!("compare: `{option}` has no value; right would be `{argument}`, as --help tells"),
        _ => format!("compare: {}", error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ")),
    }
}

/// Parses a whole number within bounds.
fn whole(bounds: RangeInclusive<u32>) -> impl Fn(&str) -> Result<u32, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse().ok().filter(|number| bounds.contains(number));
        number.ok_or_else(|| format!("a whole number from {} to {}", bounds.start(), bounds.end()))
    }
}
