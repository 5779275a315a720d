//! Configurations out of any bytes: TOML or JSON. What is read comes back as it was, and what is wrong is said.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roomcast_tests::parts::configs;

fuzz_target!(|bytes: &[u8]| {
    if let Err(violation) = configs::run(bytes) {
        panic!("{violation}");
    }
});
