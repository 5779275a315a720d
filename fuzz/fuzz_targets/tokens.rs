//! Resume tokens of a hub: any bytes and any text, and tokens that were changed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roomcast_tests::parts::tokens::{Sequence, run};

fuzz_target!(|sequence: Sequence| {
    if let Err(violation) = run(&sequence) {
        panic!("{violation}");
    }
});
