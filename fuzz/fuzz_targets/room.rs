//! A room under any sequence of operations, with every law checked after each (the same oracle as the tests).

#![no_main]

use libfuzzer_sys::fuzz_target;
use roomcast_tests::fuzzed::Sequence;
use roomcast_tests::ops::run;

fuzz_target!(|sequence: Sequence| {
    if let Err(violation) = run(&sequence.setup, &sequence.ops) {
        panic!("{sequence:?}\n{violation}");
    }
});
