//! Short lives of many hubs, each by operations drawn from its number, in virtual time and under
//! the oracle: `cargo run --release -p roomcast-tests --features hubs --bin hubs -- --help`.

mod place;

use arbitrary::{Arbitrary, Unstructured};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use place::Place;
use roomcast_tests::ops::{Op, Setup, run_beside_hub};
use roomcast_tests::violation::Violation;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::available_parallelism;

/// Runs short lives of hubs under the oracle, each by operations that follow from its number.
///
/// Each hub has one room, which is called the same as a room of the core that the oracle checks:
/// after each operation both have to have answered, told and booked the same, and their books
/// balance. The same number is the same life, on every machine.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// The number of hubs in all, those of earlier runs included
    #[arg(long, default_value_t = 2_000, value_name = "HUBS")]
    until: u64,
    /// Operations of each hub
    #[arg(long, default_value_t = 40)]
    operations: usize,
    /// The file that says where to go on, made where there is none; without one, it begins at 0
    #[arg(long, value_name = "FILE")]
    place: Option<PathBuf>,
    /// Only the hub with this number, to see its failure again
    #[arg(long, value_name = "NUMBER")]
    only: Option<u64>,
}

/// Hubs after which the place is kept.
const BLOCK: u64 = 1_000;

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match options.only {
        Some(number) => check(number, options.operations).map(|()| 1),
        None => run(&options),
    };
    match outcome {
        Ok(hubs) => {
            println!("{hubs} hubs of {} operations each: all laws held", options.operations);
            ExitCode::SUCCESS
        }
        Err(trouble) => {
            eprintln!("error: {trouble}");
            ExitCode::FAILURE
        }
    }
}

/// Goes on from the place; returns how many hubs there have been in all.
fn run(options: &Options) -> Result<u64, String> {
    let mut place = Place::open(options.place.clone(), options.operations)?;
    let style = "{pos} of {len} hubs, {per_sec}, {eta} left";
    let style = ProgressStyle::with_template(style).map_err(|error| error.to_string())?;
    let bar = ProgressBar::new(options.until).with_style(style).with_position(place.next());
    while place.next() < options.until {
        let end = options.until.min(place.next() + BLOCK);
        block(place.next(), end, options.operations, &bar)?;
        place.keep(end)?;
    }
    bar.finish_and_clear();
    Ok(place.next())
}

/// Runs the hubs from `first` to before `end`, on all processors.
fn block(first: u64, end: u64, operations: usize, bar: &ProgressBar) -> Result<(), String> {
    let next = AtomicU64::new(first);
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= end {
                return Ok(());
            }
            check(number, operations)?;
            bar.inc(1);
        }
    };
    let threads = available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err("a hub panicked, see above".to_owned()))
        })
    })
}

/// Runs one hub.
fn check(number: u64, operations: usize) -> Result<(), String> {
    let (setup, ops) = drawn(number, operations)
        .map_err(|error| format!("hub {number}: no operations can be drawn: {error}"))?;
    run_beside_hub(&setup, &ops).map_err(|violation: Violation| {
        format!(
            "hub {number}: {violation}\nsee it again with --only {number} --operations {operations}"
        )
    })
}

/// The settings and operations of a number.
fn drawn(number: u64, operations: usize) -> arbitrary::Result<(Setup, Vec<Op>)> {
    // SplitMix64 (Steele, Lea, Flood, 2014): far more bytes than operations need.
    let mut state = number.wrapping_mul(0xd134_2543_de82_ef95);
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    });
    let bytes: Vec<u8> = words.take(64 + 4 * operations).flat_map(u64::to_le_bytes).collect();
    let mut bytes = Unstructured::new(&bytes);
    let setup = Setup::arbitrary(&mut bytes)?;
    let ops = (0..operations).map(|_| Op::arbitrary(&mut bytes)).collect::<Result<_, _>>()?;
    Ok((setup, ops))
}
