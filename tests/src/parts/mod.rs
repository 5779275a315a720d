//! Parts by themselves, each beside a model of its own: for proptest and for the fuzzers.
//!
//! As in [`ops`](crate::ops), every number is small and taken modulo what there is, so that any
//! bytes make a sequence and limits are hit often.

pub mod bucket;
pub mod configs;
pub mod duplicates;
pub mod edges;
pub mod engine;
pub mod exports;
pub mod frames;
pub mod keyed;
pub mod queue;
pub mod recordings;
pub mod sharding;
pub mod tokens;
