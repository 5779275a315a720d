//! Fan-out side by side: roomcast, what people use today, and two floors.
//!
//! Each contender runs in a fresh process of this program (`--only NAME`), so that its resident memory is its own.

mod contender;
mod floors;
mod naive;
mod options;
mod peers;
mod report;
mod roomcast;
mod tasks;

use clap::ValueEnum;
use contender::{Contender, Figures};
use options::{Options, Stop};
use report::Report;
use std::io::Write;
use std::process::{Command, ExitCode, Stdio};

fn main() -> ExitCode {
    let options = match Options::from_args() {
        Ok(options) => options,
        Err(Stop::Help(text)) => return print(text.trim_end()),
        Err(Stop::Wrong(line)) => {
            eprintln!("{line}");
            return ExitCode::from(2);
        }
    };
    let text = match options.only {
        Some(contender) => here(contender, options).and_then(|figures| serde_json::to_string(&figures).map_err(|e| e.to_string())),
        None => side_by_side(options),
    };
    match text {
        Ok(text) => print(&text),
        Err(line) => {
            eprintln!("compare: {line}");
            ExitCode::FAILURE
        }
    }
}

/// Prints to a reader that may have gone away.
fn print(text: &str) -> ExitCode {
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Measures one contender in this process, on this thread.
fn here(contender: Contender, options: Options) -> Result<Figures, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on(contender.measure(options.members, options.messages))
}

/// Measures all of them, each in a process of its own, and reports.
fn side_by_side(options: Options) -> Result<String, String> {
    let mut all = Vec::new();
    for &contender in Contender::value_variants() {
        eprintln!("{} ...", contender.title());
        all.push(elsewhere(contender, options).map_err(|line| format!("{}: {line}", contender.title()))?);
    }
    let report = Report::new(options.members, options.messages, &all);
    if options.json { serde_json::to_string_pretty(&report).map_err(|error| error.to_string()) } else { Ok(report.to_string()) }
}

/// Measures one contender in a process of its own.
fn elsewhere(contender: Contender, options: Options) -> Result<Figures, String> {
    let name = contender.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let program = std::env::current_exe().map_err(|error| format!("this program cannot be found: {error}"))?;
    let child = Command::new(program)
        .args(["--only", &name, "--members", &options.members.to_string(), "--messages", &options.messages.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("its process did not start: {error}"))?;
    if !child.status.success() {
        return Err(format!("its process ended with {}", child.status));
    }
    serde_json::from_slice(&child.stdout).map_err(|error| format!("its process did not print figures: {error}"))
}
