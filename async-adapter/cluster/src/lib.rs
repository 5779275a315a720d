//! Rooms of roomcast on several machines.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod wire;
