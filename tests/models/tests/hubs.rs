//! Lives of hubs, in many interleavings: `cargo test --release --features shuttle`.
#![cfg(feature = "shuttle")]

use roomcast_models::hubs::{Scheduled, lives};

#[test]
fn lives_scheduled_by_chance() {
    lives(Scheduled::ByChance);
}

#[test]
fn lives_scheduled_by_priority() {
    lives(Scheduled::ByPriority);
}
