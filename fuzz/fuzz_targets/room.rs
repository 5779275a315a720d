//! A room under any sequence of operations, with every law checked after each (the same oracle as the tests).

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use roomcast_tests::ops::{Op, Setup, run};

#[derive(Arbitrary, Debug)]
struct Sequence {
    setup: Setup,
    ops: Vec<Op>,
}

fuzz_target!(|sequence: Sequence| {
    if let Err(violation) = run(&sequence.setup, &sequence.ops) {
        panic!("{violation}");
    }
});
