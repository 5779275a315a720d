//! Many rooms in an engine beside as many by themselves.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roomcast_tests::parts::engine::{Sequence, run};

fuzz_target!(|sequence: Sequence| {
    if let Err(violation) = run(&sequence) {
        panic!("{sequence:#?}\n{violation}");
    }
});
