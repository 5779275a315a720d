//! Edges in front of a room whose owners come and go, and flights in any order.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roomcast_tests::parts::edges::{Sequence, run};

fuzz_target!(|sequence: Sequence| {
    if let Err(violation) = run(&sequence) {
        panic!("{violation}");
    }
});
