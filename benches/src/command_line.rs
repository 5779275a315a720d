//! How a program of this package begins: its command line, and the one line that answers one that
//! cannot be.

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::io::Write;
use std::ops::RangeInclusive;
use std::process::ExitCode;

/// Why there is nothing to do.
#[derive(Debug)]
pub enum Stop {
    /// Help was asked for.
    Help(String),
    /// The command line is wrong.
    Wrong(String),
}

/// Parses the command line of `program`; `known` lists the options there are.
///
/// # Errors
/// Help was asked for, or something is wrong, said in one line.
pub fn parse<O: Parser>(program: &str, known: &str) -> Result<O, Stop> {
    O::try_parse().map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp => Stop::Help(error.to_string()),
        _ => Stop::Wrong(in_one_line(program, known, &error)),
    })
}

/// Runs with the options, if there are any: help is printed, and a wrong command line ends with
/// status 2.
pub fn begin<O>(options: Result<O, Stop>, run: impl FnOnce(O) -> ExitCode) -> ExitCode {
    match options {
        Ok(options) => run(options),
        Err(Stop::Help(text)) => print(text.trim_end()),
        Err(Stop::Wrong(line)) => {
            eprintln!("{line}");
            ExitCode::from(2)
        }
    }
}

/// Prints to a reader that may have gone away.
pub fn print(text: &str) -> ExitCode {
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// What was wrong, with which value, and what would be right.
///
/// `program` begins the line; `known` lists the options there are.
pub fn in_one_line(program: &str, known: &str, error: &clap::Error) -> String {
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
            format!("{program}: there is no option `{option}`; there are {known}")
        }
        (ErrorKind::ArgumentConflict, ..) => {
            let other = context(ContextKind::PriorArg).unwrap_or_default();
            let other = other.split([' ', ',']).next().unwrap_or_default();
            if other.is_empty() || other == option {
                format!("{program}: `{option}` is given twice; once would be right")
            } else {
                format!("{program}: `{option}` does not go with `{other}`; right would be either")
            }
        }
        (ErrorKind::TooManyValues, Some(value), _) => {
            format!(
                "{program}: `{option}` takes no value and has `{value}`; right would be {option} alone"
            )
        }
        (_, Some(value), Some(right)) => {
            format!("{program}: `{option}` cannot be `{value}`; right would be {right}")
        }
        (_, None, _) => format!(
            "{program}: `{option}` has no value; right would be `{argument}`, as --help tells"
        ),
        _ => format!(
            "{program}: {}",
            error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ")
        ),
    }
}

/// Parses a whole number within bounds.
pub fn whole(
    bounds: RangeInclusive<u32>,
) -> impl Fn(&str) -> Result<u32, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse().ok().filter(|number| bounds.contains(number));
        number.ok_or_else(|| format!("a whole number from {} to {}", bounds.start(), bounds.end()))
    }
}
