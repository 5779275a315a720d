//! What the sessions of a room have been through and have put behind them: they have read all that
//! there is, and a sweep should not cost more for it.

use crate::{payload, unlimited};
use bytes::Bytes;
use roomcast::core::{Group, Handoff, RoomState};
use roomcast::time::Instant;
use roomcast::{Budget, PerLevel, Publish, RoomConfig, SessionId, Source};

/// Messages of a level in the log.
const LOG: u32 = 1_024;
/// Those who speak between two sweeps.
const SPEAKERS: usize = 256;
/// All that there is, at once.
const ALL: Budget = Budget { messages: u32::MAX, bytes: u64::MAX };

/// What has happened to sessions that are now caught up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    /// They have read what was said.
    Clean,
    /// Every tenth was once too slow, and was told a gap.
    TenthSlow,
    /// All were once too slow.
    AllSlow,
    /// Each has said something once.
    AllSpoke,
}

impl Past {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Clean, Self::TenthSlow, Self::AllSlow, Self::AllSpoke];

    /// Its name on a command line and in a report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::TenthSlow => "tenth_slow",
            Self::AllSlow => "all_slow",
            Self::AllSpoke => "all_spoke",
        }
    }

    /// A room in which it can happen.
    ///
    /// # Panics
    /// Never: the configuration is valid.
    pub fn config() -> RoomConfig {
        unlimited().log_messages(PerLevel([LOG; 4])).build().expect("a valid configuration")
    }

    /// Lets it happen; at the end all have read all that there is.
    pub fn live_through(self, room: &mut RoomState<Bytes>, sessions: &[SessionId]) {
        match self {
            Self::Clean => {}
            Self::TenthSlow => {
                for _ in 0..3 {
                    say(room, LOG / 2);
                    sweep(room, |session| session.slot() % 10 != 0);
                }
            }
            Self::AllSlow => say(room, LOG + 1),
            Self::AllSpoke => {
                for speakers in sessions.chunks(SPEAKERS) {
                    for &session in speakers {
                        let _ = room.publish(
                            Instant::ZERO,
                            Publish::new(Source::Session(session), payload()),
                        );
                    }
                    sweep(room, |_| true);
                }
            }
        }
        sweep(room, |_| true);
    }
}

/// Fills the log, and lets all read it.
pub fn fill(room: &mut RoomState<Bytes>) {
    for _ in 0..4 {
        say(room, LOG / 4);
        sweep(room, |_| true);
    }
}

fn say(room: &mut RoomState<Bytes>, messages: u32) {
    for _ in 0..messages {
        let _ = room.publish(Instant::ZERO, Publish::new(Source::Host, payload()));
    }
}

/// Hands each session that takes it what it is due.
fn sweep(room: &mut RoomState<Bytes>, takes: impl Fn(SessionId) -> bool) {
    for first in (0..room.slots()).step_by(1_024) {
        let slots = first..first + 1_024;
        room.sweep(Instant::ZERO, Group::DEFAULT, slots, ALL, |session, _| {
            if takes(session) { Handoff::Taken } else { Handoff::NotNow }
        });
    }
}
