//! A limit for any key against the oracle's quotas of single senders, at any rate and under any flood of keys.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roomcast_tests::parts::keyed::{Sequence, run};

fuzz_target!(|sequence: Sequence| {
    if let Err(violation) = run(&sequence) {
        panic!("{violation}");
    }
});
