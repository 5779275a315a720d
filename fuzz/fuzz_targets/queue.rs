//! The four-level queue against one vector in order of entry.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roomcast_tests::parts::queue::{Sequence, run};

fuzz_target!(|sequence: Sequence| {
    if let Err(violation) = run(&sequence) {
        panic!("{violation}");
    }
});
