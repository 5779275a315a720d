//! A room over two or four audiences, checked by the oracle after each operation, and the parts that its slots are
//! in.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use roomcast_tests::fuzzed::FuzzedSetup;
use roomcast_tests::ops::{Crowd, Op, run, shards_setup};
use roomcast_tests::parts::sharding;

#[derive(Arbitrary, Debug)]
struct Sequence {
    sharding: sharding::Sequence,
    setup: FuzzedSetup,
    crowds: Vec<Crowd>,
}

fuzz_target!(|sequence: Sequence| {
    let Sequence { sharding, setup, crowds } = sequence;
    let ops: Vec<Op> = crowds.into_iter().map(Op::from).collect();
    if let Err(violation) =
        sharding::run(&sharding).and_then(|()| run(&shards_setup(setup.0), &ops))
    {
        panic!("{violation}");
    }
});
