//! The settings of heartbeats, which tell silence from slow reading:
//! [clause A7](crate::rulebook#a7-heartbeats).

use super::RoomConfig;
use super::error::{ConfigError, at_least, at_most};
use crate::index::Hasher;
use crate::time::{Duration, Instant, saturating_nanos};

/// How long a session may show no sign of life, and how often that is looked at.
///
/// A session shows life when it joins, with each [`touch`](crate::RoomState::touch), and when it
/// publishes through a [`RoomState`](crate::RoomState), accepted or refused. The room looks at all
/// of its sessions at the same instants: at [`RoomConfig::first_scan`] and each `every` after that.
/// One whose last sign of life is at least `silence` ago is silent from that look on. It stays in
/// the room and gets what it is due; but a user with silent sessions only is offline, until one of
/// them shows life. With `leave_after`, one that stays silent for so long ends at the next look: it
/// may still take what it is due, then [`EndReason::Silent`](crate::event::EndReason::Silent).
///
/// What a look costs is one byte a session, and no session has a timer. The byte counts looks, so a
/// host that is very late meets its end: a sign of life which, by the rule above, would be found
/// old more than 253 looks after the last one that was made counts as given at the next look that
/// is made. Whoever calls in time never sees that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Heartbeat {
    /// How long a session may be silent. More than zero, and at most 100 times `every`.
    pub silence: Duration,
    /// The time between two looks. At least 1 ms.
    pub every: Duration,
    /// How long after the look that found it silent a session leaves, if it shows no life: at the
    /// first look that is at least so much later. More than zero; `None`: silent sessions stay. With
    /// it, a look costs 8 more bytes a session.
    pub leave_after: Option<Duration>,
}

impl Heartbeat {
    /// As an `AVChatRoom` has it: 30 s of silence, looked at every 20 s, and nobody leaves by it.
    pub const AV_CHAT_ROOM: Self = Self {
        silence: Duration::from_secs(30),
        every: Duration::from_secs(20),
        leave_after: None,
    };

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let (silence, every) = (saturating_nanos(self.silence), saturating_nanos(self.every));
        if silence == 0 {
            return Err(ConfigError::Zero { setting: "heartbeat.silence" });
        }
        at_least(
            "heartbeat.every in nanoseconds",
            every,
            1_000_000,
            "a look goes over all sessions",
        )?;
        if self.leave_after.is_some_and(|leave_after| leave_after.is_zero()) {
            return Err(ConfigError::Zero { setting: "heartbeat.leave_after" });
        }
        at_most("heartbeat.silence in nanoseconds", silence, every.saturating_mul(100))
    }
}

/// When looks are, and which one finds an old sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scans {
    silence: u64,
    every: u64,
    first: u64,
    /// How many looks after the one that found it silent a session leaves.
    leaves_after: Option<u64>,
}

impl Scans {
    pub(crate) fn new(config: &RoomConfig) -> Option<Self> {
        let Heartbeat { silence, every, leave_after } = config.settings.heartbeat?;
        let every = saturating_nanos(every);
        let leaves_after = leave_after.map(|time| saturating_nanos(time).div_ceil(every));
        // Rooms of one configuration but of different owners do not look all at once.
        let first =
            Hasher::new(config.own_seed()).hash(config.owner().map_or(0, |owner| owner.0)) % every;
        Some(Self { silence: saturating_nanos(silence), every, first, leaves_after })
    }

    /// Whether these looks are as those, but for the instant of the first: a room that is handed
    /// over looks when it did before.
    pub(crate) fn is_like(self, other: Self) -> bool {
        Self { first: other.first, ..self } == other
    }

    /// After how many looks a session leaves that is silent all the time; `None` is never.
    pub(crate) fn leaves_after(&self) -> Option<u64> {
        self.leaves_after
    }

    /// How many looks there are up to and with an instant.
    pub(crate) fn until(&self, now: Instant) -> u64 {
        // A look takes a millisecond or more: the count is far from its end.
        now.as_nanos().checked_sub(self.first).map_or(0, |since| since / self.every + 1)
    }

    /// The instant of a look, of which the first is number 1; `None` beyond the end of time.
    pub(crate) fn at(&self, number: u64) -> Option<Instant> {
        let after = number.checked_sub(1)?.checked_mul(self.every)?;
        self.first.checked_add(after).map(Instant::from_nanos)
    }

    /// The number of the first look that finds a sign of life too old.
    pub(crate) fn expires_at_scan(&self, life: Instant) -> u64 {
        match life.as_nanos().checked_add(self.silence) {
            Some(old) => old.saturating_sub(self.first).div_ceil(self.every) + 1,
            None => u64::MAX,
        }
    }
}

impl RoomConfig {
    /// How a session's silence is told; `None` when it is not.
    pub fn heartbeat(&self) -> Option<Heartbeat> {
        self.settings.heartbeat
    }

    /// The instant at which the room first looks for silent sessions; the others follow it at the
    /// heartbeat's `every`. It follows from the seed and the owner that the room is made for, and is less than `every` after
    /// the epoch, so that many rooms do not look all at once. `None` without a heartbeat. Where no
    /// seed is set, a room that a hub makes has one of its own: see [`or_seed`](Self::or_seed).
    pub fn first_scan(&self) -> Option<Instant> {
        Scans::new(self).and_then(|scans| scans.at(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_counted_from_both_sides() {
        let scans = Scans { silence: 30, every: 20, first: 7, leaves_after: None };
        for (nanos, count) in [(0, 0), (6, 0), (7, 1), (26, 1), (27, 2), (47, 3)] {
            assert_eq!(scans.until(Instant::from_nanos(nanos)), count, "at {nanos}");
        }
        for number in 1..5 {
            let at = scans.at(number).unwrap();
            assert_eq!(scans.until(at), number);
        }
        // Life at 17 is 30 old at 47, which is the third look; a nanosecond later it takes the
        // fourth.
        assert_eq!(
            (
                scans.expires_at_scan(Instant::from_nanos(17)),
                scans.expires_at_scan(Instant::from_nanos(18))
            ),
            (3, 4)
        );
        assert_eq!(
            (scans.expires_at_scan(Instant::MAX), scans.at(u64::MAX), scans.at(0)),
            (u64::MAX, None, None)
        );
    }
}
