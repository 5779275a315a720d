//! The token bucket against the law itself: all windows since the first grant, at any rate and under any clock.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roomcast_tests::parts::bucket::{Sequence, run};

fuzz_target!(|sequence: Sequence| {
    if let Err(violation) = run(&sequence) {
        panic!("{violation}");
    }
});
