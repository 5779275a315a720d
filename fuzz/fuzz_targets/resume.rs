//! Sessions that come back again and again, checked by the oracle after each operation.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use roomcast_tests::fuzzed::FuzzedSetup;
use roomcast_tests::ops::{Journey, Op, journey_setup, run};

#[derive(Arbitrary, Debug)]
struct Sequence {
    setup: FuzzedSetup,
    journeys: Vec<Journey>,
}

fuzz_target!(|sequence: Sequence| {
    let ops: Vec<Op> = sequence.journeys.into_iter().map(Op::from).collect();
    if let Err(violation) = run(&journey_setup(sequence.setup.0), &ops) {
        panic!("{violation}");
    }
});
