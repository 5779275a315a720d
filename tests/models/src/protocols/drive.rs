//! Models of the floor `drive`.

use super::{check, join, spawn, wait};
use crate::Clock;
use crate::drive::called::Called;
use crate::drive::hub_clock::HubClock;
use crate::drive::latch::Latch;
use crate::drive::signal::Signal;
use crate::drive::timer::Timer;
use crate::drive::worker::{Common, Worker, Workers};
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use crate::sync::channel::unbounded;
use roomcast_core::Instant;
use roomcast_core::time::Duration;

/// Each call is answered by somebody who sees what was there before it.
pub fn called() {
    #[derive(Default)]
    struct Shared {
        called: Called,
        work: AtomicU32,
    }

    check(3, || {
        let shared = Arc::<Shared>::default();
        let (told, jobs) = unbounded();
        let told = Arc::new(told);
        let caller = || {
            let told = Arc::clone(&told);
            spawn(&shared, move |shared| {
                shared.work.fetch_add(1, Ordering::Relaxed);
                if shared.called.call() {
                    told.send(()).expect("the jobs are there");
                }
            })
        };
        let callers = [caller(), caller()];
        let mut seen = 0;
        let mut answer = || {
            while jobs.try_recv().is_ok() {
                shared.called.answer();
                seen = shared.work.load(Ordering::Relaxed);
            }
        };
        answer();
        join(callers);
        // Who comes only for this sees no more than what the jobs told of.
        answer();
        assert_eq!(seen, 2, "work is left over and nobody comes for it");
    });
}

/// As [`called`], with an answer that runs beside the second call: what the answer saw, or a job
/// that is left, has all the work.
pub fn called_meanwhile() {
    check(3, || {
        let shared = Arc::new((Called::default(), AtomicU32::new(0), AtomicU32::new(0)));
        // A first call stands.
        assert!(shared.0.call());
        let caller = spawn(&shared, |(called, work, jobs)| {
            work.fetch_add(1, Ordering::Relaxed);
            if called.call() {
                jobs.store(1, Ordering::Relaxed);
            }
        });
        let (called, work, jobs) = &*shared;
        assert!(called.answer(), "the first call stood");
        let seen = work.load(Ordering::Relaxed);
        join([caller]);
        let told = jobs.load(Ordering::Relaxed);
        assert!(seen + told > 0, "the second call was lost");
    });
}

/// Whoever raises wakes who waits, who then sees what was there before.
pub fn signal() {
    check(3, || {
        let shared = Arc::<(Signal, AtomicU32)>::default();
        let raiser = || {
            spawn(&shared, |(signal, work)| {
                work.fetch_add(1, Ordering::Relaxed);
                signal.raise();
            })
        };
        let raisers = [raiser(), raiser()];
        while shared.1.load(Ordering::Relaxed) < 2 {
            wait(|cx| shared.0.poll(cx));
        }
        join(raisers);
    });
}

/// What was there before a signal was raised is seen by whoever finds it raised.
pub fn signal_brings_what_was_before() {
    check(3, || {
        let shared = Arc::<(Signal, [AtomicU32; 2])>::default();
        let raiser = |number: usize| {
            spawn(&shared, move |(signal, work)| {
                work[number].fetch_add(1, Ordering::Relaxed);
                signal.raise();
            })
        };
        let raisers = [raiser(0), raiser(1)];
        let mut seen = 0;
        while seen < 2 {
            wait(|cx| shared.0.poll(cx));
            // Each is counted in the turn after it was put down, or not at all.
            seen += shared.1.iter().map(|work| work.swap(0, Ordering::Relaxed)).sum::<u32>();
        }
        join(raisers);
    });
}

/// The same of a thread that waits.
pub fn signal_of_a_thread() {
    check(3, || {
        let shared = Arc::<(Signal, AtomicU32)>::default();
        let waiter = spawn(&shared, |(signal, work)| {
            signal.wait(None);
            assert_eq!(work.load(Ordering::Relaxed), 1);
        });
        shared.1.fetch_add(1, Ordering::Relaxed);
        shared.0.raise();
        join([waiter]);
    });
}

/// Whoever waits learns of the value, and of what was there before it was told.
pub fn latch() {
    check(3, || {
        let latch = Arc::<Latch<u32>>::default();
        let setter = spawn(&latch, |latch| {
            latch.set(7);
            latch.set(8);
            latch.tell();
        });
        assert_eq!(wait(|cx| latch.poll(cx).map(|value| *value)), 7);
        join([setter]);
    });
}

struct Stands;

impl Clock for Stands {
    fn now(&self) -> Instant {
        Instant::ZERO
    }
}

fn common() -> Arc<Common> {
    Arc::new(Common {
        clock: HubClock::new(Box::new(Stands), None),
        outcome_waiters: Arc::default(),
        hook: None,
        fence: Arc::default(),
        memory: None,
    })
}

/// No work is lost on its way to a worker, and the worker ends with the last handle.
pub fn worker() {
    check(2, || {
        let (worker, inbox) = Worker::new(common());
        let workers = Arc::new(Workers(Box::new([Arc::clone(&worker)])));
        let sender = |number: u32| {
            let workers = Arc::clone(&workers);
            crate::sync::thread::spawn(move || {
                workers.0[0].send(number);
                drop(workers);
            })
        };
        let senders = [sender(1), sender(2)];
        drop(workers);
        let mut sum = 0;
        // As the loop of a worker: what came first, then the end.
        let stopped = loop {
            let is_stopped = worker.is_stopped();
            while let Ok(number) = inbox.try_recv() {
                sum += number;
            }
            if is_stopped {
                break sum;
            }
            wait(|cx| worker.signal().poll(cx));
        };
        assert_eq!(stopped, 3);
        join(senders);
    });
}

/// A worker that rests comes for a timer that is started meanwhile.
pub fn timers() {
    check(2, || {
        let (worker, _inbox) = Worker::<()>::new(common());
        let shared = Arc::new((worker, AtomicUsize::new(0)));
        let starter = |millis: u64| {
            spawn(&shared, move |(worker, gone_off)| {
                let timer = Timer::start(worker, Duration::from_millis(millis));
                wait(|cx| timer.poll(cx));
                gone_off.fetch_add(1, Ordering::Release);
                worker.signal().raise();
            })
        };
        let starters = [starter(20), starter(10)];
        let (worker, gone_off) = &*shared;
        // As the loop of a worker, for which time passes while it rests.
        while gone_off.load(Ordering::Acquire) < 2 {
            match worker.timers().arm() {
                Some(at) => worker.timers().take_due(at, 1).iter().for_each(|due| due.raise()),
                None => wait(|cx| worker.signal().poll(cx)),
            }
        }
        join(starters);
    });
}

/// Two threads read a clock that has gone astray: each step is one step, and is counted once.
pub fn hub_clock() {
    const STEP: Duration = Duration::from_secs(1);

    #[derive(Clone, Default)]
    struct Astray(Arc<AtomicUsize>);

    impl Clock for Astray {
        fn now(&self) -> Instant {
            const SAID: [u64; 4] = [0, 5_000, 900, 7_000];
            let at = self.0.fetch_add(1, Ordering::Relaxed);
            Instant::ZERO + Duration::from_millis(SAID[at.min(3)])
        }
    }

    fn millis(now: Instant) -> usize {
        (now.as_nanos() / 1_000_000) as usize
    }

    check(3, || {
        let clock = Arc::new(HubClock::new(Box::new(Astray::default()), Some(STEP)));
        let latest = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let reader = {
            let latest = Arc::clone(&latest);
            spawn(&clock, move |clock| {
                latest[0].store(millis(clock.now()), Ordering::Relaxed);
            })
        };
        let first = millis(clock.now());
        let second = millis(clock.now());
        join([reader]);
        let mut told = [latest[0].load(Ordering::Relaxed), first, second];
        told.sort_unstable();
        // Three readings say 5 s, 0.9 s and 7 s in some order: each goes a second at most beyond
        // where the latest has come.
        let mut stood = 0;
        for told in told {
            assert!(told <= stood + 1_000, "{told} ms after {stood} ms");
            stood = stood.max(told);
        }
        // Who comes second steps from where the first has come.
        assert!(stood >= 2_000, "two steps have come to {stood} ms");
        assert_eq!(clock.cut(), 2);
    });
}
