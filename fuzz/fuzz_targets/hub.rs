//! A room of a hub beside a room of the core under any sequence of operations, driven by one thread: both answer, tell and book the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roomcast_tests::fuzzed::Sequence;
use roomcast_tests::ops::run_beside_hub;

fuzz_target!(|sequence: Sequence| {
    if let Err(violation) = run_beside_hub(&sequence.setup, &sequence.ops) {
        panic!("{sequence:?}\n{violation}");
    }
});
