//! What a room carries over, books and outcomes, out of any bytes: JSON or CBOR. What is read comes back as it was, and a room
//! takes it or says why not.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roomcast_tests::parts::exports;

fuzz_target!(|bytes: &[u8]| {
    if let Err(violation) = exports::any(bytes) {
        panic!("{violation}");
    }
});
