//! Many short lives of a cluster in which everything goes wrong, in virtual time and under an oracle:
//! `cargo run --release -p roomcast-cluster --example faults -- --help`.

#[path = "../tests/sim/mod.rs"]
mod sim;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use sim::Seen;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::available_parallelism;
use std::{fs, iter};

/// Runs short lives of a cluster, each with what goes wrong in it drawn from its number.
///
/// Two to four nodes and a bus in memory: what goes between them is lost, repeated, delayed and held,
/// nodes are cut off, paused, killed and started again, their clocks are off and drift, rooms are
/// handed over, and the logs are lost. The same number is the same life, on every machine.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// The number of lives in all, those of earlier runs included
    #[arg(long, default_value_t = 2_000, value_name = "LIVES")]
    until: u64,
    /// The file that says where to go on, made where there is none; without one, it begins at 0
    #[arg(long, value_name = "FILE")]
    place: Option<PathBuf>,
    /// Only the life with this number, to see its failure again
    #[arg(long, value_name = "NUMBER")]
    only: Option<u64>,
}

/// Lives after which the place is kept.
const BLOCK: u64 = 1_000;

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match options.only {
        Some(number) => sim::run(number).map(|seen| println!("{seen:?}")),
        None => run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("error: {trouble}");
            ExitCode::FAILURE
        }
    }
}

/// Goes on from the place.
fn run(options: &Options) -> Result<(), String> {
    let first = options.place.as_deref().map_or(Ok(0), next)?;
    let style = ProgressStyle::with_template("{pos} of {len} lives, {per_sec}, {eta} left");
    let style = style.map_err(|error| error.to_string())?;
    let bar = ProgressBar::new(options.until).with_style(style).with_position(first);
    let mut all = Seen::default();
    let blocks = iter::successors(Some(first), |first| Some(first + BLOCK));
    for first in blocks.take_while(|first| *first < options.until) {
        let end = options.until.min(first + BLOCK);
        all.add(block(first, end, &bar)?);
        if let Some(path) = &options.place {
            keep(path, end)?;
        }
    }
    bar.finish_and_clear();
    println!("lives {first} to {}: all laws held. {all:?}", options.until);
    Ok(())
}

/// Runs the lives from `first` to before `end`, on all processors.
fn block(first: u64, end: u64, bar: &ProgressBar) -> Result<Seen, String> {
    let next = AtomicU64::new(first);
    let work = || -> Result<Seen, String> {
        let mut all = Seen::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= end {
                return Ok(all);
            }
            let seen = sim::run(number)
                .map_err(|fault| format!("{fault}\nsee it again with --only {number}"))?;
            all.add(seen);
            bar.inc(1);
        }
    };
    let threads = available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut all = Seen::default();
        for thread in threads {
            let seen = thread.join();
            all.add(seen.unwrap_or_else(|_| Err("a life panicked, see above".into()))?);
        }
        Ok(all)
    })
}

/// The number of the next life, as the file says; 0 where there is none.
fn next(path: &Path) -> Result<u64, String> {
    if !path.exists() {
        return Ok(0);
    }
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let number = text.trim().strip_suffix(" lives").and_then(|number| number.parse().ok());
    number.ok_or_else(|| format!("{} says {text:?}, want \"1000 lives\"", path.display()))
}

/// All before `next` are done. Who is interrupted finds the old file or the new one.
fn keep(path: &Path, next: u64) -> Result<(), String> {
    let new = path.with_extension("new");
    fs::write(&new, format!("{next} lives\n"))
        .and_then(|()| fs::rename(&new, path))
        .map_err(|error| format!("{} can't be written: {error}", path.display()))
}
