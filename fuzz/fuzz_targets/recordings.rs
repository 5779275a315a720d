//! Recordings in every format: whole, cut off, damaged, and any bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roomcast_tests::parts::recordings::{Sequence, run};

fuzz_target!(|sequence: Sequence| {
    if let Err(violation) = run(&sequence) {
        panic!("{violation}");
    }
});
