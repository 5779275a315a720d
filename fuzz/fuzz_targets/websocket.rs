//! A WebSocket reader under any bytes of a peer, cut in any way, against a reading of RFC 6455.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roomcast_tests::parts::frames::{Sequence, run};

fuzz_target!(|sequence: Sequence| {
    if let Err(violation) = run(&sequence) {
        panic!("{violation}");
    }
});
