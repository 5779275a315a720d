//! The oracle and the simulator: what the laws of a room mean, said a second time and naively.
//!
//! - [`oracle`]: a model of one room out of vectors and loops. It shares nothing with the core but
//!   the types of its public calls.
//! - [`checked`]: drives a real room in one shard or several, a twin under the same calls, and the
//!   oracle; compares them after every call.
//! - [`hub_room`]: a room of a hub beside that, called the same by one thread in virtual time.
//! - [`ops`]: sequences of operations as data, for proptest and for the fuzzers.
//! - `fuzzed` (feature `arbitrary`): those sequences out of a fuzzer's bytes, and back.
//! - [`parts`]: buckets, the queue, an engine, keyed limits, duplicates, tokens, WebSocket frames, recordings, configurations and exports, each beside a model of
//!   its own.
//! - [`sim`]: an evening of chat in virtual time, through the engine.
//!
//! `cargo test -p roomcast-tests` runs everything in less than a minute; `PROPTEST_CASES=20000
//! cargo test -p roomcast-tests --release --test laws` looks deeper, `cargo test -p roomcast-tests
//! --release --test million` has its million sessions. The fuzzers of `fuzz/` run the same
//! operations under the same oracle: `cargo +nightly fuzz run room`.

pub mod checked;
#[cfg(feature = "arbitrary")]
pub mod fuzzed;
pub mod hub_room;
pub mod moderation;
pub mod ops;
pub mod oracle;
pub mod parts;
pub mod payload;
pub mod rules;
pub mod sim;
pub mod violation;
