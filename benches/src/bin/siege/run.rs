//! A siege: a server process, healthy peers, and one attack after another.

use crate::attack::Attack;
use crate::attacked::Attacked;
use crate::options::Options;
use crate::orders::{Counts, Listening, Order, Raid, Raided, Serve};
use crate::server::PATIENCE;
use crate::watchers::Watchers;
use roomcast_benches::child::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Before the first attack: long enough for queues and buffers to have their memory.
const WARM_UP: Duration = Duration::from_millis(1_500);
/// How long a process may take for something that is quick.
const SOON: Duration = Duration::from_secs(30);
/// How long after an attack the server may hold what it held for it. Clients that hold on have to
/// fill their buffers first.
const SETTLES: Duration = PATIENCE.saturating_mul(10);
/// How often something that takes its time is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// A server with healthy peers.
pub(crate) struct Siege {
    server: Child,
    listening: Listening,
    watchers: Watchers,
    seconds: u32,
}

impl Siege {
    /// Starts a server, and waits until its healthy peers are in and everything runs.
    ///
    /// # Errors
    /// A process did not do its part.
    pub(crate) fn begin(options: &Options) -> Result<Self, String> {
        let serve = Serve { rate: options.rate };
        let mut server = Child::start("the server's process".to_owned(), "--server", &serve)?;
        let listening: Listening = server.hear(SOON)?;
        let watchers = Watchers::start(listening.address, options.peers)?;
        server.order(&Order::Speak)?;
        std::thread::sleep(WARM_UP);
        let siege = Self { server, listening, watchers, seconds: options.seconds };
        // Whatever first clients make the server set up is not the next ones'. Nothing here may be
        // kept for one client: a flood would hide in what it had grown by before.
        drop(siege.raid(Attack::Churn, 1)?);
        siege.settle(None);
        Ok(siege)
    }

    fn raid(&self, attack: Attack, seconds: u32) -> Result<(Child, Raided), String> {
        let raid = Raid { attack, address: self.listening.address, seconds };
        let hostile = Child::start("the hostile clients' process".to_owned(), "--hostile", &raid)?;
        let raided = hostile.hear(SOON + Duration::from_secs(seconds.into()))?;
        Ok((hostile, raided))
    }

    fn resident(&self) -> Result<u64, String> {
        let resident = self.server.process().resident();
        resident.ok_or_else(|| {
            "/proc does not tell the server's memory; this program runs on Linux".to_owned()
        })
    }

    /// Waits until the server holds no more descriptors than so many, or, where it is not known how
    /// many these are, until it goes on holding the same.
    fn settle(&self, descriptors: Option<usize>) -> usize {
        let start = Instant::now();
        let (mut seen, mut since) =
            (self.server.process().descriptors().unwrap_or_default(), start);
        loop {
            let is_settled = match descriptors {
                Some(most) => seen <= most,
                None => since.elapsed() >= PATIENCE,
            };
            if is_settled || start.elapsed() >= SETTLES {
                return seen;
            }
            std::thread::sleep(LOOK);
            let now = self.server.process().descriptors().unwrap_or_default();
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
        }
    }

    fn count(&mut self) -> Result<Counts, String> {
        self.server.order(&Order::Count)?;
        self.server.hear(SOON)
    }

    /// Makes an attack and waits until it is over.
    ///
    /// # Errors
    /// A process did not do its part; there are no figures.
    pub(crate) fn attack(&mut self, attack: Attack) -> Result<Attacked, String> {
        let (resident_before, descriptors_before) =
            (self.resident()?, self.server.process().descriptors().unwrap_or_default());
        let stalled = self.count()?.stalled;
        self.watchers.begin();
        let (over, server) = (AtomicBool::new(false), self.server.process());
        let (raided, resident_peak) = std::thread::scope(|scope| {
            let peak = scope.spawn(|| {
                let mut peak = 0;
                while !over.load(Ordering::Relaxed) {
                    peak = peak.max(server.resident().unwrap_or_default());
                    std::thread::sleep(LOOK);
                }
                peak
            });
            let raided = self.raid(attack, self.seconds);
            self.watchers.stop_timing();
            let raided = raided.map(|(hostile, raided)| {
                // Who holds on is there until the server has let it go.
                let hostile = attack.holds_on().then_some(hostile);
                let descriptors_after = self.settle(Some(descriptors_before));
                drop(hostile);
                (raided, descriptors_after)
            });
            over.store(true, Ordering::Relaxed);
            (raided, peak.join().unwrap_or_default())
        });
        let (Raided { count }, descriptors_after) = raided?;
        let counts = self.count()?;
        let watched = self.watchers.end(counts.high)?;
        Ok(Attacked {
            attack,
            count,
            resident_before,
            resident_peak,
            descriptors_before,
            descriptors_after,
            stalled: counts.stalled - stalled,
            strangers: counts.sessions.saturating_sub(self.watchers.count()),
            balances: counts.balances,
            watched,
        })
    }

    /// Has the server finish; whether its books balance in the end.
    ///
    /// # Errors
    /// The server does not answer.
    pub(crate) fn end(mut self) -> Result<Counts, String> {
        self.server.order(&Order::Finish)?;
        self.server.hear(SOON)
    }
}
