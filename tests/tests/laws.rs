//! The laws of DESIGN under random sequences of operations, checked by the oracle after each.

#[path = "laws/kept.rs"]
mod kept;
#[path = "laws/strategies.rs"]
mod strategies;

use proptest::prelude::*;
use roomcast_tests::ops::{run, run_beside_hub};

/// `PROPTEST_CASES` asks for more, or for fewer.
fn settings() -> ProptestConfig {
    let cases =
        std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400);
    ProptestConfig {
        cases,
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn every_law_holds_after_every_operation(setup in strategies::setup(), ops in strategies::ops(300)) {
        run(&setup, &ops)?;
    }

    #[test]
    fn a_room_of_a_hub_answers_as_the_core_does(setup in strategies::setup(), ops in strategies::ops(300)) {
        run_beside_hub(&setup, &ops)?;
    }
}

#[test]
fn the_sequences_that_once_failed_hold() {
    for (name, setup, ops) in kept::sequences() {
        if let Err(violation) = run(&setup, &ops) {
            panic!("{name}: {violation}");
        }
    }
}
