//! Fan-out over real sockets: roomcast's pump beside a bare loop and beside what people use today.
//!
//! Each server runs in a process of this program of its own, and so do the clients, which count
//! what they get.

mod client;
mod contender;
mod link;
mod load;
mod options;
mod orders;
mod report;
mod run;
mod server;

use options::Options;
use report::Report;
use roomcast_benches::child::understand;
use roomcast_benches::command_line::{begin, print};
use std::process::ExitCode;

fn main() -> ExitCode {
    begin(Options::from_args(), |options| run_with(&options))
}

fn run_with(options: &Options) -> ExitCode {
    let part = match (&options.server, &options.client) {
        (Some(json), _) => understand(json).and_then(|serve| server::run(&serve)),
        (None, Some(json)) => understand(json).and_then(|call| client::run(&call)),
        (None, None) => return side_by_side(options),
    };
    match part {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => fail(&line),
    }
}

fn fail(line: &str) -> ExitCode {
    eprintln!("sockets: {line}");
    ExitCode::FAILURE
}

/// Measures the servers, one after the other, and that as often as was asked for.
fn side_by_side(options: &Options) -> ExitCode {
    let (contenders, load) = (options.contenders(), options.load());
    if let Some(link) = load.link {
        if !options.inside {
            return link::enter().unwrap_or_else(|line| fail(&line));
        }
        let slow = (0..load.connections).filter(|&number| load.is_slow(number));
        if let Err(line) = link.shape(slow) {
            return fail(&line);
        }
    }
    let mut all: Vec<Vec<_>> = contenders.iter().map(|_| Vec::new()).collect();
    for _ in 0..options.rounds {
        for (&contender, rounds) in contenders.iter().zip(&mut all) {
            eprintln!("{} ...", contender.title());
            match run::measure(contender, &load) {
                Ok(measured) => rounds.push(measured),
                Err(line) => return fail(&format!("{}: {line}", contender.title())),
            }
        }
    }
    let report = Report::new(load, options.rounds, &all);
    let text = if options.json {
        serde_json::to_string_pretty(&report).unwrap_or_default()
    } else {
        report.to_string()
    };
    let printed = print(&text);
    let problems = report.problems().map(|line| fail(&line)).last();
    problems.unwrap_or(printed)
}
