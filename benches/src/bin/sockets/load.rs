//! What a run asks of a server: how many connections, which messages, how fast, and for how long.

use crate::link::Link;
use roomcast::Priority;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Messages a second that a room takes at the least: what an `AVChatRoom` does.
pub(crate) const ROOM_RATE: u32 = 40;

/// Bytes that a client takes in a second that reads slowly.
pub(crate) const SIPPED: u32 = 1 << 10;

/// Bytes of a message with what is put before it: its length or a WebSocket frame's head, and those
/// of TCP and IP, for High goes alone.
const HIGH_BYTES: u64 = 128 + 52;

/// Before anything is measured: long enough for queues and buffers to have their memory.
pub(crate) const WARM_UP: Duration = Duration::from_millis(1_500);

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) connections: u32,
    /// Messages a second, before the overload.
    pub(crate) rate: u32,
    /// How long Normal and below may wait for company, in milliseconds.
    pub(crate) window_ms: u32,
    /// How long is measured, in seconds.
    pub(crate) seconds: u32,
    /// One message in so many is High.
    pub(crate) high_every: u32,
    /// Clients in a hundred that read slowly.
    pub(crate) slow: u32,
    /// What slow clients are behind, in place of reading slowly.
    pub(crate) link: Option<Link>,
    /// So many times the rate is offered.
    pub(crate) overload: u32,
    /// Threads of the server.
    pub(crate) threads: u32,
}

impl Load {
    /// Messages that are offered in a second.
    pub(crate) fn offered(&self) -> u32 {
        self.rate * self.overload
    }

    /// Messages a second that the room takes.
    pub(crate) fn room_rate(&self) -> u32 {
        self.rate.max(ROOM_RATE)
    }

    /// High messages in a second, rounded up.
    pub(crate) fn high(&self) -> u32 {
        self.offered().div_ceil(self.high_every)
    }

    pub(crate) fn window(&self) -> Duration {
        Duration::from_millis(self.window_ms.into())
    }

    /// When the message of a number is due, after the first.
    pub(crate) fn due(&self, number: u64) -> Duration {
        Duration::from_nanos(number.saturating_mul(1_000_000_000) / u64::from(self.offered()))
    }

    /// The level of the message of a number. Only what is too much for the room is spread over the
    /// lower ones.
    pub(crate) fn level(&self, number: u64) -> Priority {
        match number % u64::from(self.high_every) {
            0 => Priority::High,
            _ if self.overload > 1 => Priority::ALL[1 + (number % 3) as usize],
            _ => Priority::Normal,
        }
    }

    /// Whether the message of a number fits the room's rate, for a server that has no room: every
    /// High one, and of the others as many as are left, evenly.
    pub(crate) fn fits(&self, number: u64) -> bool {
        let every = u64::from(self.high_every);
        let (high, offered, rate) =
            (u64::from(self.high()), u64::from(self.offered()), u64::from(self.room_rate()));
        let (others, room) = (offered.saturating_sub(high), rate.saturating_sub(high));
        if number.is_multiple_of(every) || others <= room {
            return true;
        }
        // Its place among those that are not High.
        let place = number - number / every - 1;
        place * room / others != (place + 1) * room / others
    }

    /// What the slow clients are, for people.
    pub(crate) fn slow_clients(&self) -> String {
        match self.link {
            Some(link) => format!("{} % slow clients behind a link of {link} each", self.slow),
            None => format!("{} % slow clients", self.slow),
        }
    }

    /// Bytes of High alone in a second, and of those that a slow client gets, if there is one. A room
    /// has to lose no High message where the first are fewer; the room's rate is above that of High
    /// always.
    pub(crate) fn high_and_slow_bytes(&self) -> Option<(u64, u64)> {
        let slow = self.link.map_or(SIPPED.into(), |link| link.bytes_a_second());
        (self.slow > 0).then_some((u64::from(self.high()) * HIGH_BYTES, slow))
    }

    /// What is asked of a room, for people.
    pub(crate) fn high_rule(&self) -> String {
        match self.high_and_slow_bytes() {
            None => "Of a room: none may be.".to_owned(),
            Some((high, slow)) if self.high_fits() => {
                format!(
                    "Of a room: none may be, for High alone has {high} B a second, and a slow client gets {slow}."
                )
            }
            Some((high, slow)) => {
                format!(
                    "Of a room: some may be, for High alone has {high} B a second, and a slow client gets {slow}."
                )
            }
        }
    }

    /// Whether every High message can reach every client.
    pub(crate) fn high_fits(&self) -> bool {
        self.high_and_slow_bytes().is_none_or(|(high, slow)| high <= slow)
    }

    /// Whether the client of a number reads slowly, or is behind a narrow link.
    pub(crate) fn is_slow(&self, number: u32) -> bool {
        // Spread evenly, and the first is one.
        u64::from(number) * u64::from(self.slow) % 100 < self.slow.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: Load = Load {
        connections: 1,
        rate: 40,
        window_ms: 250,
        seconds: 1,
        high_every: 20,
        slow: 10,
        link: None,
        overload: 10,
        threads: 1,
    };

    #[test]
    fn what_fits_is_the_rate_and_all_that_is_high() {
        let fits = (0..4_000).filter(|&number| LOAD.fits(number));
        assert_eq!(
            fits.clone().filter(|&number| LOAD.level(number) == Priority::High).count(),
            200
        );
        assert!((398..=402).contains(&fits.count()), "ten seconds at forty");
        let easy = Load { overload: 1, ..LOAD };
        assert!((0..1_000).all(|number| easy.fits(number)));
        assert!((0..1_000).all(|number| easy.level(number) >= Priority::Normal));
        assert_eq!(easy.due(40), Duration::from_secs(1));
    }

    #[test]
    fn high_fits_what_the_slow_get() {
        let link = Link { rate: 24_000, delay_ms: 0 };
        for (load, fits) in [
            (LOAD, false),
            (Load { slow: 0, ..LOAD }, true),
            (Load { high_every: 100, ..LOAD }, true),
            (Load { link: Some(link), high_every: 100, ..LOAD }, true),
            (Load { link: Some(link), ..LOAD }, false),
        ] {
            assert_eq!(load.high_fits(), fits, "{load:?}");
        }
    }

    #[test]
    fn the_slow_are_spread() {
        assert_eq!((0..20).filter(|&number| LOAD.is_slow(number)).count(), 2);
        assert_eq!((0..2_000).filter(|&number| LOAD.is_slow(number)).count(), 200);
        let few = Load { slow: 1, ..LOAD };
        assert_eq!((0..100).filter(|&number| few.is_slow(number)).count(), 1);
        assert!(!(0..100).any(|number| Load { slow: 0, ..LOAD }.is_slow(number)));
    }
}
