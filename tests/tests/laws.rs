//! The laws of DESIGN under random sequences of operations, checked by the oracle after each.

#[path = "laws/kept.rs"]
mod kept;
#[path = "laws/strategies.rs"]
mod strategies;

use proptest::prelude::*;
use roomcast_tests::ops::{run, run_beside_hub};

/// `PROPTEST_CASES` asks for more, or for fewer; of what takes longer it is one in so many.
fn settings(one_in: u32) -> ProptestConfig {
    let cases =
        std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400);
    let cases = u32::div_ceil(cases, one_in);
    ProptestConfig {
        cases,
        max_shrink_iters: ProptestConfig::default().max_shrink_iters.min(20_000),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(settings(1))]

    #[test]
    fn every_law_holds_after_every_operation(setup in strategies::setup(), ops in strategies::ops(300)) {
        run(&setup, &ops)?;
    }
}

proptest! {
    #![proptest_config(settings(4))]

    #[test]
    fn a_room_of_a_hub_answers_as_the_core_does(setup in strategies::setup(), ops in strategies::ops(300)) {
        run_beside_hub(&setup, &ops)?;
    }
}

proptest! {
    #![proptest_config(settings(50))]

    #[test]
    fn every_law_holds_past_what_one_call_does(setup in strategies::big(), ops in strategies::ops_at_once(20)) {
        run(&setup, &ops)?;
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
