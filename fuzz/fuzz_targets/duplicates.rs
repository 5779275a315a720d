//! The table of duplicate keys against a list of what was said.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roomcast_tests::parts::duplicates::{Sequence, run};

fuzz_target!(|sequence: Sequence| {
    if let Err(violation) = run(&sequence) {
        panic!("{violation}");
    }
});
