//! Rooms, numbers and contenders that the benchmark suites and the side-by-side share.

pub mod books;
pub mod child;
pub mod command_line;
pub mod fanout;
pub mod machine;
pub mod past;
pub mod record;
pub mod suite;
pub mod text;
pub mod websocket;

use bytes::Bytes;
use roomcast::config::RoomConfigBuilder;
use roomcast::core::RoomState;
use roomcast::time::Instant;
use roomcast::{Join, RoomConfig, SessionId, UserId};
use std::time::Duration;

/// The owner of every room here.
pub const OWNER: UserId = UserId(u64::MAX);

/// What every message here carries: 100 bytes that are never copied.
pub fn payload() -> Bytes {
    Bytes::from_static(&[b'x'; 100])
}

/// A room whose rate is never reached.
pub fn unlimited() -> RoomConfigBuilder {
    RoomConfig::builder(OWNER).rate(u32::MAX).rate_period(Duration::from_nanos(1)).burst(u32::MAX)
}

/// A room with so many users in it, and their sessions.
///
/// # Panics
/// Never: the configuration takes them.
pub fn room_of(config: &RoomConfig, users: u32) -> (RoomState<Bytes>, Vec<SessionId>) {
    let mut room = RoomState::new(config);
    let sessions = (0..u64::from(users))
        .map(|id| {
            let joined =
                room.join(Instant::ZERO, Join::user(UserId(id))).expect("the room takes them all");
            while room.poll_event().is_some() {}
            joined.session
        })
        .collect();
    (room, sessions)
}

/// Numbers below a bound that jump about, the same each time (a linear congruential generator,
/// Knuth's MMIX).
#[derive(Debug, Default)]
pub struct Draws(u64);

impl Draws {
    /// Draws that differ from those that start elsewhere.
    pub const fn starting_at(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number below `bound`.
    pub const fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // The high half of the state is the part that jumps about.
        (self.0 >> 33) as usize % bound
    }
}

/// Bytes of memory that this process holds; `None` where the system does not tell (it does on
/// Linux).
pub fn resident() -> Option<u64> {
    resident_of(std::process::id())
}

/// Bytes of memory that a process holds, as [`resident`].
pub fn resident_of(process: u32) -> Option<u64> {
    // The same count as the second number of `statm`, in a unit that does not depend on the size of
    // a page.
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1_024)
}

/// The middle of some measurements, in nanoseconds.
pub fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}
