//! A live room.
fn main() {}
