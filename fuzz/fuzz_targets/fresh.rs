//! Rooms that look ahead and are offered too much, checked by the oracle after each operation.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use roomcast_tests::fuzzed::FuzzedSetup;
use roomcast_tests::ops::{Op, Rush, run, rush_setup};

#[derive(Arbitrary, Debug)]
struct Sequence {
    setup: FuzzedSetup,
    rushes: Vec<Rush>,
}

fuzz_target!(|sequence: Sequence| {
    let ops: Vec<Op> = sequence.rushes.into_iter().map(Op::from).collect();
    if let Err(violation) = run(&rush_setup(sequence.setup.0), &ops) {
        panic!("{violation}");
    }
});
