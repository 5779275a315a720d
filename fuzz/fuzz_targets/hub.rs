//! A room of a hub beside a room of the core under any sequence of operations, driven by one thread: both answer, tell and book the same.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use roomcast_tests::ops::{Op, Setup, run_beside_hub};

#[derive(Arbitrary, Debug)]
struct Sequence {
    setup: Setup,
    ops: Vec<Op>,
}

fuzz_target!(|sequence: Sequence| {
    if let Err(violation) = run_beside_hub(&sequence.setup, &sequence.ops) {
        panic!("{violation}");
    }
});
