//! What the two applications, `live_room` and `lab`, share: recorded rooms and the options that
//! name one, chance with a seed, and what is told to whoever typed a wrong command line.

#![forbid(unsafe_code)]

pub mod complaint;
pub mod options;
pub mod random;
pub mod recording;
