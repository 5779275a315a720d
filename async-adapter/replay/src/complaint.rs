//! What the person who typed a command line is told, in one line where it is wrong.

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Why a program ends before it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The help or the version was asked for: print it to standard output, end with status 0.
    Shown(String),
    /// The command line is wrong: print this one line to standard error, end with status 2.
    Wrong(String),
}

impl Stop {
    /// What clap found, as the program of this name tells it.
    pub fn from_clap(program: &Command, error: &clap::Error) -> Self {
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Self::Shown(error.to_string()),
            _ => Self::wrong(program, &in_one_line(program, error)),
        }
    }

    /// What is wrong, in the program's name.
    pub fn wrong(program: &Command, what: &str) -> Self {
        Self::Wrong(format!("{}: {what}", program.get_name()))
    }

    /// Prints what there is to say and returns the exit status.
    pub fn print(&self) -> u8 {
        match self {
            Self::Shown(text) => {
                print!("{text}");
                0
            }
            Self::Wrong(line) => {
                eprintln!("{line}");
                2
            }
        }
    }
}

/// Says what clap found wrong in one line: the option, the value, and what would be right.
fn in_one_line(program: &Command, error: &clap::Error) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    // Shown as `--rate <N>`; the name alone is what was typed.
    let argument = context(ContextKind::InvalidArg).unwrap_or_default();
    let option = argument.split(' ').next().unwrap_or_default();
    let value = context(ContextKind::InvalidValue).unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument if option.starts_with('-') => {
            let near = context(ContextKind::SuggestedArg);
            let near = near.map_or_else(String::new, |near| format!("did you mean {near}? "));
            format!("{option} is no option: {near}--help lists them")
        }
        ErrorKind::UnknownArgument => {
            format!("\"{argument}\" belongs to no option: --help lists them")
        }
        ErrorKind::InvalidValue if value.is_empty() => {
            format!("{option} has no value: want {}", want(program, option))
        }
        ErrorKind::InvalidValue => {
            let choices = context(ContextKind::ValidValue).unwrap_or_default();
            format!("{option} is \"{}\": want one of {choices}", value.escape_debug())
        }
        ErrorKind::ValueValidation => {
            let reason = std::error::Error::source(error)
                .map_or_else(|| want(program, option), ToString::to_string);
            format!("{option} is \"{}\": want {reason}", value.escape_debug())
        }
        ErrorKind::ArgumentConflict => format!("{option} is given twice: want it once"),
        ErrorKind::TooManyValues => format!("{option} takes no value, and was given \"{value}\""),
        _ => error
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ")
            .to_owned(),
    }
}

/// What an option's help says about its value.
fn want(program: &Command, option: &str) -> String {
    let mut arguments = program.get_arguments();
    let named = arguments.find(|argument| argument.get_long() == option.strip_prefix("--"));
    let help = named.and_then(clap::Arg::get_help).map(ToString::to_string);
    help.map_or_else(|| "one".to_owned(), |help| format!("one ({help})"))
}
