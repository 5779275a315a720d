//! A live room: a recorded crowd chats through roomcast, and whoever opens the page chats along.
//!
//! `cargo run --release -p roomcast-live-room` starts it and prints its address; `--help` lists what
//! else it can do.

mod books;
mod config_file;
mod crowd;
mod gifts;
mod headless;
mod live;
mod message;
mod options;
mod page;
mod phrases;
mod protocol;
mod room;
mod server;
mod stop;
mod tip;
mod virtual_time;

use std::process::ExitCode;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use roomcast_replay::recording::Words;
use tokio::runtime::Runtime;

use books::Books;
use options::Options;

/// The steps of a progress bar.
const STEPS: u64 = 1_000;

fn main() -> ExitCode {
    let options = match Options::read(std::env::args_os()) {
        Ok(options) => options,
        Err(stop) => return stop.print().into(),
    };
    match run(&options) {
        Ok(books) => {
            print!("{books}");
            if books.balance() { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(line) => {
            eprintln!("live_room: {line}");
            ExitCode::from(2)
        }
    }
}

/// Runs the room to its end. The error is one line for the person who started it.
fn run(options: &Options) -> Result<Books, String> {
    let recording = Arc::new(options.recording.open("live_room", Words::Keep)?);
    if options.virtual_time {
        return virtual_time::run(&recording, options, &progress_bar())
            .map_err(|error| error.to_string());
    }
    let runtime = Runtime::new().map_err(|error| format!("cannot start: {error}"))?;
    if options.headless {
        runtime.block_on(headless::run(&recording, options, &progress_bar()))
    } else {
        runtime.block_on(server::run(&recording, options))
    }
}

/// A progress bar on standard error; it hides itself where that is no terminal.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(STEPS);
    match ProgressStyle::with_template("{elapsed} {wide_bar} {percent}% {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
