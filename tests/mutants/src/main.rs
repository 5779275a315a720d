//! Changes the core in one place after another and sees whether a test fails:
//! `cargo run -p roomcast-mutants -- --help`.

mod checks;
mod explained;
mod mutant;
mod place;
mod planted;
mod report;
mod run;
mod source;
mod subjects;
mod tree;
mod woven;

use clap::Parser;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

/// Changes the core in one place after another, and sees whether a test fails.
///
/// cargo-mutants says what can be changed, and is installed where it is missing. All mutants are
/// built into one tree below `target/mutants`, and a variable of the environment chooses between
/// them, so that one costs as much as the tests that it survives. What is known is kept in
/// `target/mutants/place`: a run that is stopped goes on, and a later one looks only at functions
/// that have changed and at survivors. A survivor is a hole in the tests, or stands with its
/// reason in a list of `tests/mutants/explained`; any other, and an entry that is not one any
/// more, is a failure.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Subjects, such as `quota`, or files below `core/src`; all subjects where there is none
    subjects: Vec<String>,
    /// Forget what earlier runs found
    #[arg(long)]
    anew: bool,
    /// Only say what is known
    #[arg(long)]
    report: bool,
    /// Only mutants, or planted faults, whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Instead of mutants, plant faults that people might make, one after the other, and say which
    /// layer of the checks finds each, in how long; fails if neither proptest nor fuzzing does
    #[arg(long, conflicts_with_all = ["subjects", "anew", "report"])]
    planted: bool,
    /// Sequences that each property tries of a planted fault
    #[arg(long, value_name = "COUNT", default_value_t = 400, requires = "planted")]
    cases: u32,
    /// Seconds that all fuzzers together get for each planted fault; 0 leaves them out
    #[arg(long, value_name = "SECONDS", default_value_t = 120, requires = "planted")]
    fuzz_seconds: u64,
}

fn main() -> ExitCode {
    match all(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(trouble) => {
            eprintln!("error: {trouble}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every survivor is explained.
fn all(options: &Options) -> Result<bool, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().map_err(|error| error.to_string())?;
    if options.planted {
        let wanted = planted::Wanted {
            cases: options.cases,
            fuzzing: Duration::from_secs(options.fuzz_seconds),
            only: options.only.clone(),
        };
        return planted::run(&root, &wanted);
    }
    install()?;
    let explained = explained::Explained::read(&root.join("tests/mutants/explained"))?;
    let mut place = place::Place::open(&root.join("target/mutants/place"), options.anew)?;
    let mut mutants = mutant::list(&root, &subjects::files(&options.subjects)?)?;
    let listed = mutants.len();
    mutants.retain(|mutant| {
        options.only.as_ref().is_none_or(|text| mutant.full_name().contains(text.as_str()))
    });
    if !options.report {
        run::run(&root, &mutants, &explained, &mut place)?;
    }
    let whole = options.only.is_none() && listed > 0;
    Ok(report::report(&mutants, &explained, &place, whole))
}

/// cargo-mutants, where it is missing.
fn install() -> Result<(), String> {
    let cargo = |arguments: &[&str], output: fn() -> Stdio| {
        Command::new("cargo")
            .args(arguments)
            .stdout(output())
            .stderr(output())
            .status()
            .map_err(|error| format!("cargo: {error}"))
    };
    if cargo(&["mutants", "--version"], Stdio::null)?.success()
        || cargo(&["install", "cargo-mutants", "--locked"], Stdio::inherit)?.success()
    {
        return Ok(());
    }
    Err("cargo-mutants can't be installed".to_owned())
}
