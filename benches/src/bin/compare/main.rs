//! Fan-out side by side: roomcast, what people use today, and three floors.
//!
//! Each contender runs in a fresh process of this program (`--only NAME`), so that its resident
//! memory is its own.

mod contender;
mod memory;
mod options;
mod report;
mod while_sweeping;

use clap::ValueEnum;
use contender::{Contender, Figures, Load};
use options::Options;
use report::{Measured, Report};
use roomcast_benches::command_line::{begin, print};
use roomcast_benches::text;
use serde::Serialize;
use std::fmt::Display;
use std::process::{Command, ExitCode, Stdio};

fn main() -> ExitCode {
    begin(Options::from_args(), run)
}

fn run(options: Options) -> ExitCode {
    let text = if let Some(contender) = options.only {
        // On as many threads as the process that started this one asks for.
        let load = options.load(options.threads.unwrap_or(1));
        contender
            .measure(load)
            .and_then(|figures| serde_json::to_string(&figures).map_err(|error| error.to_string()))
    } else if options.while_sweeping {
        while_sweeping::measure(options.members(), options.messages())
            .and_then(|report| in_words(&report, options))
    } else {
        side_by_side(options).and_then(|report| in_words(&report, options))
    };
    match text {
        Ok(text) => print(&text),
        Err(line) => {
            eprintln!("compare: {line}");
            ExitCode::FAILURE
        }
    }
}

fn in_words(report: &(impl Serialize + Display), options: Options) -> Result<String, String> {
    if options.json {
        serde_json::to_string_pretty(report).map_err(|error| error.to_string())
    } else {
        Ok(report.to_string())
    }
}

/// Measures all of them, each in a process of its own, on one thread and then on two.
fn side_by_side(options: Options) -> Result<Report, String> {
    let mut runs = Vec::new();
    for threads in options.threads() {
        let mut all = Vec::new();
        for &contender in Contender::value_variants() {
            let load = Load { threads: contender.threads(threads), ..options.load(threads) };
            let allowed = options.memory().or_else(memory::allowed);
            let result = if let Some(why) =
                memory::too_much(contender.needs(load.members, load.burst), allowed)
            {
                eprintln!("{}: skipped: {why}", contender.title());
                Err(why)
            } else {
                eprintln!("{} ({}) ...", contender.title(), text::threads(load.threads));
                Ok(elsewhere(contender, load)
                    .map_err(|line| format!("{}: {line}", contender.title()))?)
            };
            all.push(Measured { contender, threads: load.threads, result });
        }
        runs.push((threads, all));
    }
    Ok(Report::new(options.load(0), &runs))
}

/// Measures one contender in a process of its own.
fn elsewhere(contender: Contender, load: Load) -> Result<Figures, String> {
    let name =
        contender.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let program = std::env::current_exe()
        .map_err(|error| format!("this program cannot be found: {error}"))?;
    let mut child = Command::new(program);
    child.args(["--only", &name]);
    let Load { members, messages, burst, threads } = load;
    for (option, value) in [
        ("--members", members),
        ("--messages", messages),
        ("--burst", burst),
        ("--threads", threads),
    ] {
        child.args([option, &value.to_string()]);
    }
    let child = child
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("its process did not start: {error}"))?;
    if !child.status.success() {
        return Err(format!("its process ended with {}", child.status));
    }
    serde_json::from_slice(&child.stdout)
        .map_err(|error| format!("its process did not print figures: {error}"))
}
