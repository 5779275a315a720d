//! A machine: a node, the host's edge at it, a clock of its own, and a connection to the bus.

use super::place::Place;
use super::{Text, random::Random};
use roomcast_cluster::bus::ClientId;
use roomcast_cluster::proto::{Node, NodeOptions};
use roomcast_core::Instant;

/// What all clocks begin near: far from zero, so that one may be behind.
const EPOCH: i128 = 1_000_000 * 1_000_000_000;

/// A machine.
pub(crate) struct Machine {
    pub(crate) name: u64,
    /// How often it was started.
    pub(crate) start: u64,
    pub(crate) node: Option<Node<Text>>,
    pub(crate) place: Option<Place>,
    /// How often its edge had to be opened again.
    pub(crate) again: u64,
    /// Until when nothing reaches the bus, or comes from it.
    pub(crate) cut_until: u64,
    /// Until when it stands still.
    pub(crate) paused_until: u64,
    /// When it is called without anything having come.
    pub(crate) timer_at: u64,
    /// When the last thing arrives that comes in order, to the bus and from it.
    pub(crate) in_order: [u64; 2],
    offset: i128,
    drift_ppm: i128,
}

impl Machine {
    /// One whose clock is up to five seconds off, and up to four in a thousand too fast or too slow.
    pub(crate) fn new(name: u64, random: &mut Random, is_skewed: bool) -> Self {
        let (offset, drift) = (random.below(10_000_000_001), random.below(8_001));
        let (offset, drift_ppm) = if is_skewed {
            (i128::from(offset) - 5_000_000_000, i128::from(drift) - 4_000)
        } else {
            (0, 0)
        };
        Self {
            name,
            start: 0,
            node: None,
            place: None,
            again: 0,
            cut_until: 0,
            paused_until: 0,
            timer_at: u64::MAX,
            in_order: [0; 2],
            offset,
            drift_ppm,
        }
    }

    /// Its time.
    pub(crate) fn now(&self, at: u64) -> Instant {
        let at = i128::from(at);
        let now = EPOCH + self.offset + at + at * self.drift_ppm / 1_000_000;
        Instant::from_nanos(u64::try_from(now).unwrap_or(0))
    }

    /// When it has this time.
    pub(crate) fn at(&self, now: Instant) -> u64 {
        let passed = i128::from(now.as_nanos()) - EPOCH - self.offset;
        let at = passed * 1_000_000 / (1_000_000 + self.drift_ppm) + 1;
        u64::try_from(at).unwrap_or(0)
    }

    /// Its connection, which is another one after each start.
    pub(crate) fn client(&self) -> ClientId {
        ClientId(self.name * 1_000 + self.start)
    }

    pub(crate) fn boot(&mut self) {
        let mut options = NodeOptions::new(self.name);
        // Few messages are said here: so that there are chains of flights to be read.
        options.checkpoint = 16;
        self.start += 1;
        self.node = Some(Node::new(options));
        self.place = None;
        self.timer_at = u64::MAX;
    }
}
