//! The lab: replays a recorded room in virtual time as different services would run it, and shows
//! what each of them loses and how long what gets through has waited (clause B12).
//!
//! `cargo run --release -p roomcast-lab -- --speed 10 --likes 500` prints the table; `--help` says
//! what its columns mean.

mod audit;
mod json;
mod lab;
mod load;
mod options;
mod plot;
mod preset;
mod scatter;
mod share;
mod speed;
mod starvation;
mod stream;
mod table;
mod tally;
mod trial;

use std::fs;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use roomcast_replay::recording::Words;

use lab::{Lab, LabError};
use options::Options;

fn main() -> ExitCode {
    let options = match Options::read(std::env::args_os()) {
        Ok(options) => options,
        Err(stop) => return stop.print().into(),
    };
    match run(&options) {
        // Whoever stops reading has read enough.
        Ok(text) => match std::io::stdout().write_all(text.as_bytes()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                eprintln!("lab: the table cannot be printed: {error}");
                ExitCode::from(2)
            }
            _ => ExitCode::SUCCESS,
        },
        Err(LabError::Setup(line)) => {
            eprintln!("lab: {line}");
            ExitCode::from(2)
        }
        Err(LabError::Books(line)) => {
            eprintln!("lab: THE BOOKS DO NOT BALANCE: {line}");
            ExitCode::from(1)
        }
    }
}

/// Runs the lab, draws the picture if one is wanted, and answers what to print.
fn run(options: &Options) -> Result<String, LabError> {
    // Only how long a text is matters here.
    let recording = options.recording.open("lab", Words::Count).map_err(LabError::Setup)?;
    let lab = Lab::run(&recording, options, &progress_bar())?;
    if let Some(path) = &options.plot {
        let failed =
            |error| LabError::Setup(format!("{}: cannot be written: {error}", path.display()));
        fs::write(path, plot::svg(&lab)?).map_err(failed)?;
    }
    Ok(if options.json { json::text(&lab)? } else { table::text(&lab) })
}

/// A progress bar on standard error; it hides itself where that is no terminal.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template("{elapsed} {wide_bar} {percent}% {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
