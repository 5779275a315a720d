//! A server under siege: one attack after another on a room with healthy peers, over real sockets
//! on this machine.
//!
//! The server runs in a process of this program of its own, so that its memory and descriptors are
//! nobody else's, and so do the hostile clients. Exits with 1 when a bound is broken, and names it.

mod attack;
mod attacked;
mod bounds;
mod hostile;
mod options;
mod orders;
mod report;
mod run;
mod server;
mod watchers;

use options::Options;
use report::Report;
use roomcast_benches::child::understand;
use roomcast_benches::command_line::{begin, print};
use run::Siege;
use std::process::ExitCode;

fn main() -> ExitCode {
    begin(Options::from_args(), |options| run_with(&options))
}

fn run_with(options: &Options) -> ExitCode {
    let part = match (&options.server, &options.hostile) {
        (Some(json), _) => understand(json).and_then(server::run),
        (None, Some(json)) => understand(json).and_then(|raid| hostile::run(&raid)),
        (None, None) => return besiege(options),
    };
    match part {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => fail(&line),
    }
}

fn fail(line: &str) -> ExitCode {
    eprintln!("siege: {line}");
    ExitCode::FAILURE
}

/// Makes the attacks, one after the other, on one server.
fn besiege(options: &Options) -> ExitCode {
    let report = match all_attacks(options) {
        Ok(report) => report,
        Err(line) => return fail(&line),
    };
    let text = if options.json {
        serde_json::to_string_pretty(&report).unwrap_or_default()
    } else {
        report.to_string()
    };
    let printed = print(&text);
    report.broken().map(fail).last().unwrap_or(printed)
}

fn all_attacks(options: &Options) -> Result<Report, String> {
    let mut siege = Siege::begin(options)?;
    let mut rows = Vec::new();
    for attack in options.attacks() {
        eprintln!("{} ...", attack.title());
        rows.push(siege.attack(attack).map_err(|line| format!("{}: {line}", attack.title()))?);
    }
    let books = siege.end()?;
    Ok(Report::new(options, rows, books))
}
