//! Whether a room sheds: it loses messages because more is offered than it can send. Edges are told,
//! with a hysteresis in time.

use roomcast_core::Instant;
use roomcast_core::ledger::{DropReason, Ledger, Reason, RefusalReason};
use std::time::Duration;

/// The reasons of a room that is offered too much. Others are rules about who may say what, or the
/// host's own doing.
const REFUSED: [RefusalReason; 4] = [
    RefusalReason::MemoryFull,
    RefusalReason::ReviewsFull,
    RefusalReason::QueueFull,
    RefusalReason::Congested,
];
const DROPPED: [DropReason; 4] =
    [DropReason::Evicted, DropReason::Expired, DropReason::Congested, DropReason::MemoryFull];

/// Messages that were lost for these reasons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shed {
    refused: [u64; REFUSED.len()],
    dropped: [u64; DROPPED.len()],
}

impl Shed {
    pub(super) fn of(ledger: &Ledger) -> Self {
        let levels = || ledger.levels.values();
        Self {
            refused: REFUSED.map(|reason| levels().map(|row| row.refused.count(reason)).sum()),
            dropped: DROPPED.map(|reason| levels().map(|row| row.dropped.count(reason)).sum()),
        }
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.iter().sum()
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// The reason of most of them; of several, the first.
    #[cfg_attr(not(feature = "tracing"), allow(dead_code))]
    pub(crate) fn mostly(&self) -> &'static str {
        let refused = REFUSED.iter().map(|reason| reason.name()).zip(self.refused);
        let dropped = DROPPED.iter().map(|reason| reason.name()).zip(self.dropped);
        let (mut mostly, mut most) = (REFUSED[0].name(), 0);
        for (name, count) in refused.chain(dropped) {
            if count > most {
                (mostly, most) = (name, count);
            }
        }
        mostly
    }

    pub(super) fn is_none(&self) -> bool {
        self.refused() + self.dropped() == 0
    }

    fn since(&self, before: &Self) -> Self {
        let mut since = *self;
        let less = |counts: &mut [u64; 4], before: [u64; 4]| {
            counts.iter_mut().zip(before).for_each(|(count, before)| *count -= before);
        };
        less(&mut since.refused, before.refused);
        less(&mut since.dropped, before.dropped);
        since
    }
}

/// What a look found to have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// The room sheds: so much since the look before.
    Started(Shed),
    /// It sheds no more.
    Stopped(Shedded),
}

/// What a room lost from start to stop, and for how long it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shedded {
    pub(crate) shed: Shed,
    pub(crate) lasted: Duration,
}

/// One room, from look to look.
#[derive(Debug, Default)]
pub(super) struct Shedding {
    /// What it had lost by the last look.
    shed: Shed,
    episode: Option<Episode>,
}

#[derive(Debug)]
struct Episode {
    /// What it had lost before.
    before: Shed,
    /// The looks that found the first and the last loss.
    first: Instant,
    last: Instant,
}

impl Shedding {
    /// The room has lost so much by now.
    pub(super) fn look(&mut self, now: Instant, shed: Shed, calm_after: Duration) -> Option<Edge> {
        let before = std::mem::replace(&mut self.shed, shed);
        let lost = shed.since(&before);
        match &mut self.episode {
            None if lost.is_none() => None,
            None => {
                self.episode = Some(Episode { before, first: now, last: now });
                Some(Edge::Started(lost))
            }
            Some(episode) if !lost.is_none() => {
                episode.last = now;
                None
            }
            Some(episode) if now.saturating_since(episode.last) < calm_after => None,
            Some(_) => self.stop().map(Edge::Stopped),
        }
    }

    /// The room is calm, or gone.
    pub(super) fn stop(&mut self) -> Option<Shedded> {
        let Episode { before, first, last } = self.episode.take()?;
        let lasted = last.saturating_since(first);
        Some(Shedded { shed: self.shed.since(&before), lasted })
    }

    pub(super) fn is_shedding(&self) -> bool {
        self.episode.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Duration = Duration::from_secs(10);

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn shed(congested: u64, evicted: u64) -> Shed {
        Shed { refused: [0, 0, 0, congested], dropped: [evicted, 0, 0, 0] }
    }

    #[test]
    fn a_room_that_loses_now_and_then_tells_two_edges() {
        let mut room = Shedding::default();
        assert_eq!(room.look(at(0), shed(0, 0), CALM), None);
        assert_eq!(room.look(at(1), shed(3, 5), CALM), Some(Edge::Started(shed(3, 5))));
        // Again and again, each time before it was calm for long enough.
        for (second, evicted) in [(2, 6), (11, 6), (12, 7), (21, 7), (22, 9), (31, 9)] {
            assert_eq!(room.look(at(second), shed(3, evicted), CALM), None, "{second}");
            assert!(room.is_shedding());
        }
        let stopped = Shedded { shed: shed(3, 9), lasted: Duration::from_secs(21) };
        assert_eq!(room.look(at(32), shed(3, 9), CALM), Some(Edge::Stopped(stopped)));
        assert!(!room.is_shedding() && room.stop().is_none());
        // The next time counts from there.
        assert_eq!(room.look(at(40), shed(4, 9), CALM), Some(Edge::Started(shed(1, 0))));
        assert_eq!(room.stop(), Some(Shedded { shed: shed(1, 0), lasted: Duration::ZERO }));
    }

    #[test]
    fn what_it_lost_most_for_is_named() {
        assert_eq!(shed(3, 2).mostly(), "congested");
        assert_eq!(shed(3, 4).mostly(), "evicted");
        assert_eq!((shed(3, 4).refused(), shed(3, 4).dropped()), (3, 4));
    }
}
