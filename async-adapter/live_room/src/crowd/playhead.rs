//! Where in the recording the room is: recorded time against room time.

use std::fmt;

/// How many times faster than recorded a recording is replayed: 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(crate) struct Speed(f64);

impl Speed {
    /// As recorded.
    pub(crate) const MIN: Self = Self(1.0);
    /// The fastest.
    pub(crate) const MAX: Self = Self(100.0);

    /// A speed of `times`; `None` if that is not a number from 1 to 100.
    pub(crate) fn new(times: f64) -> Option<Self> {
        (Self::MIN.0..=Self::MAX.0).contains(&times).then_some(Self(times))
    }

    /// How many times faster than recorded.
    pub(crate) fn times(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The line that maps room time to recorded time: a point on it, and its slope.
#[derive(Debug, Clone, Copy)]
pub(super) struct Playhead {
    room_ns: u64,
    recorded_ns: f64,
    speed: Speed,
}

impl Playhead {
    /// The recording begins at `room_ns`.
    pub(super) fn starting_at(room_ns: u64, speed: Speed) -> Self {
        Self { room_ns, recorded_ns: 0.0, speed }
    }

    pub(super) fn speed(&self) -> Speed {
        self.speed
    }

    /// The recorded time that the room has reached at `room_ns`.
    pub(super) fn recorded(&self, room_ns: u64) -> f64 {
        self.recorded_ns + room_ns.saturating_sub(self.room_ns) as f64 * self.speed.0
    }

    /// The room time at which `recorded_ns` is reached; what lies before the last change of speed is reached by it.
    pub(super) fn room(&self, recorded_ns: f64) -> u64 {
        let ahead = ((recorded_ns - self.recorded_ns) / self.speed.0).max(0.0).ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative; `as` saturates"
        )]
        self.room_ns.saturating_add(ahead as u64)
    }

    /// Goes on at another speed from where the recording is at `room_ns`.
    pub(super) fn set_speed(&mut self, room_ns: u64, speed: Speed) {
        self.recorded_ns = self.recorded(room_ns);
        self.room_ns = self.room_ns.max(room_ns);
        self.speed = speed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_number_from_1_to_100() {
        for wrong in [0.0, 0.999, 100.1, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Speed::new(wrong), None);
        }
        assert_eq!(Speed::new(2.5).map(Speed::times), Some(2.5));
    }

    #[test]
    fn a_change_of_speed_keeps_the_place() {
        let mut playhead = Playhead::starting_at(1_000, Speed::MIN);
        assert_eq!(playhead.room(500.0), 1_500);
        playhead.set_speed(1_300, Speed(10.0));
        assert!((playhead.recorded(1_300) - 300.0).abs() < f64::EPSILON);
        assert_eq!(playhead.room(500.0), 1_320);
        assert_eq!(playhead.room(100.0), 1_300, "what was passed is due at once");
    }

    #[test]
    fn a_clock_that_runs_backwards_stands_still() {
        let mut playhead = Playhead::starting_at(1_000, Speed::MIN);
        playhead.set_speed(900, Speed::MAX);
        assert_eq!(playhead.room(0.0), 1_000);
    }
}
