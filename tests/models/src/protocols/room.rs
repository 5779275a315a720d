//! Models of the floor `room`.

use super::{check, join, spawn, wait};
use crate::room::Events;
use crate::room::broadcast_log::BroadcastLog;
use crate::room::ending::Telling;
use crate::room::expiry::Expiry;
use crate::room::gone::Gone;
use crate::room::outcome_waiters::OutcomeWaiters;
use crate::room::pump_notify::{Groups, PumpNotify};
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::channel::unbounded;
use crate::sync::{Arc, Mutex};
use crate::{Event, Outcome, SessionId};
use roomcast_core::Instant;
use roomcast_core::broadcasts::{Broadcast, BroadcastLimits};
use roomcast_core::ids::Seq;
use roomcast_core::message::DedupKey;
use std::future::Future;
use std::pin::pin;

fn session(number: u128) -> SessionId {
    SessionId::from_bits(number)
}

/// Two subscriptions are dropped while somebody counts sessions: each is taken out once, by the
/// time that whoever dropped it looks, and the worker is told of what nobody takes out.
pub fn gone() {
    check(3, || {
        let shared = Arc::new((Gone::default(), Mutex::new(Vec::new())));
        let (told, jobs) = unbounded();
        let told = Arc::new(told);
        fn settle((gone, out): &(Gone, Mutex<Vec<SessionId>>)) {
            if gone.may_be_some() {
                let mut take = |session| {
                    out.lock().push(session);
                    Some(())
                };
                while gone.take_some(&mut take).is_some() {}
            }
        }
        let dropper = {
            let told = Arc::clone(&told);
            spawn(&shared, move |shared| {
                if shared.0.put(session(1)) {
                    told.send(()).expect("the jobs are there");
                }
                settle(shared);
                assert!(shared.1.lock().contains(&session(1)), "it has yet to leave");
            })
        };
        let other = {
            let told = Arc::clone(&told);
            spawn(&shared, move |shared| {
                if shared.0.put(session(2)) {
                    told.send(()).expect("the jobs are there");
                }
            })
        };
        let work = || {
            while jobs.try_recv().is_ok() {
                shared.0.answer();
                settle(&shared);
            }
        };
        work();
        join([dropper, other]);
        work();
        let mut out = std::mem::take(&mut *shared.1.lock());
        out.sort_unstable();
        assert_eq!(out, [session(1), session(2)]);
        assert!(!shared.0.may_be_some());
    });
}

/// A subscription is dropped while the worker is there for another one: it is taken out, or the
/// worker is told again.
pub fn gone_while_the_worker_is_there() {
    check(3, || {
        let shared = Arc::new((Gone::default(), AtomicU32::new(0)));
        assert!(shared.0.put(session(1)), "the first one tells the worker");
        // Somebody who counts sessions has taken it out before the worker comes.
        assert!(shared.0.take_some(Some).is_some());
        let dropper = spawn(&shared, |(gone, told)| {
            if gone.put(session(2)) {
                told.store(1, Ordering::Relaxed);
            }
        });
        shared.0.answer();
        let mut out = Vec::new();
        if shared.0.may_be_some() {
            while let Some(some) = shared.0.take_some(Some) {
                out.extend(some);
            }
        }
        join([dropper]);
        let told = shared.1.load(Ordering::Relaxed) == 1;
        assert!(told || out == [session(2)], "nobody takes it out");
    });
}

/// Two threads tell events and a third has polled the end: it is told once, and last.
pub fn ending() {
    #[derive(Default)]
    struct Shared {
        telling: Telling,
        told: Mutex<Vec<&'static str>>,
    }

    fn tell_end(shared: &Shared) {
        if shared.telling.claim_end() {
            shared.told.lock().push("end");
            shared.telling.end();
        }
    }

    check(3, || {
        let shared = Arc::<Shared>::default();
        let mut events: Events = [Event::RoomClosed, Event::RoomClosed].into_iter().collect();
        shared.telling.begin(&mut events);
        let teller = || {
            spawn(&shared, |shared| {
                shared.told.lock().push("event");
                shared.telling.told(1);
                tell_end(shared);
            })
        };
        let tellers = [teller(), teller()];
        let mut end: Events = [Event::RoomEnded].into_iter().collect();
        shared.telling.begin(&mut end);
        assert!(end.is_empty(), "the end waits for the others");
        tell_end(&shared);
        join(tellers);
        assert_eq!(*shared.told.lock(), ["event", "event", "end"]);
        assert!(shared.telling.has_ended());
    });
}

/// Whoever sees that a room has ended sees that its end was told.
pub fn ending_is_seen_after_it_is_told() {
    check(3, || {
        let shared = Arc::new((Telling::default(), AtomicU32::new(0)));
        let mut events: Events = [Event::RoomClosed, Event::RoomEnded].into_iter().collect();
        shared.0.begin(&mut events);
        let tell = |(telling, told): &(Telling, AtomicU32)| {
            if telling.claim_end() {
                assert_eq!(told.load(Ordering::Relaxed), 1, "the end comes first");
                told.store(2, Ordering::Relaxed);
                telling.end();
            }
        };
        let teller = spawn(&shared, move |shared| {
            shared.1.store(1, Ordering::Relaxed);
            shared.0.told(1);
            tell(shared);
        });
        tell(&shared);
        if shared.0.has_ended() {
            assert_eq!(shared.1.load(Ordering::Relaxed), 2);
        }
        join([teller]);
        assert!(shared.0.has_ended());
    });
}

/// A room that the host removes while it expires stays closed.
pub fn expiry() {
    check(3, || {
        let expiry = Arc::<Expiry>::default();
        let worker = spawn(&expiry, Expiry::expire);
        expiry.stay_closed();
        assert!(!expiry.has_expired());
        join([worker]);
        assert!(!expiry.has_expired());
    });
}

/// Who sees the count sees the broadcasts, and a broadcast that comes meanwhile is seen next.
pub fn broadcasts() {
    check(3, || {
        let log = BroadcastLog::<&str>::new(BroadcastLimits::default(), 1);
        let shared = Arc::new((log, AtomicU32::new(0)));
        let host = spawn(&shared, |(log, said)| {
            said.store(1, Ordering::Relaxed);
            let broadcast = Broadcast::new(DedupKey(1), "to all");
            assert!(log.broadcast(Instant::ZERO, broadcast).is_ok());
        });
        let (log, said) = &*shared;
        let count = log.count();
        assert!(u64::from(said.load(Ordering::Relaxed)) >= count);
        assert!(log.with(|broadcasts| broadcasts.count()) >= count);
        join([host]);
        assert_eq!((log.count(), log.with(|broadcasts| broadcasts.count())), (1, 1));
    });
}

/// A caller learns the outcome however it comes; one that gives up leaves the slot to another, who
/// gets no outcome but its own.
pub fn outcomes() {
    const OUTCOME: Outcome = Outcome::Dispatched { seq: Seq(3), at: Instant::ZERO };
    const OTHER: Outcome = Outcome::Dispatched { seq: Seq(4), at: Instant::ZERO };

    check(3, || {
        let waiters = Arc::<OutcomeWaiters>::default();
        let awaited = waiters.register();
        let given_up = waiters.register();
        let tags = [awaited.tag(), given_up.tag()];
        let resolver = spawn(&waiters, move |waiters| {
            for (tag, outcome) in tags.into_iter().rev().zip([OTHER, OUTCOME]) {
                if let Some(waker) = waiters.resolve(tag, outcome) {
                    waker.wake();
                }
            }
        });
        drop(given_up);
        let next = waiters.register();
        let mut awaited = pin!(awaited);
        assert_eq!(wait(|cx| awaited.as_mut().poll(cx)), OUTCOME);
        join([resolver]);
        let mut next = pin!(next);
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(next.as_mut().poll(&mut cx).is_pending(), "another's outcome");
    });
}

/// A pump's task finds all that it was told of.
pub fn pump_notify() {
    notify(|notify| notify.notify_gone(session(1)), |notify| notify.take_gone().len());
    notify(|notify| notify.notify_expired(&[session(1)]), |notify| notify.take_over().len());
}

fn notify(
    tell: impl Fn(&PumpNotify) + Copy + Send + Sync + 'static,
    take: impl Fn(&PumpNotify) -> usize + Copy + Send + Sync + 'static,
) {
    check(3, move || {
        let shared = Arc::new((PumpNotify::default(), AtomicU32::new(0)));
        let worker = spawn(&shared, |(notify, work)| {
            work.fetch_add(1, Ordering::Relaxed);
            notify.notify_data();
        });
        let host = spawn(&shared, move |(notify, _)| tell(notify));
        let (notify, work) = &*shared;
        let (mut news, mut told) = (0, 0);
        while news + told < 2 {
            wait(|cx| notify.poll(cx));
            told += take(notify);
            if notify.take_news() {
                news += work.swap(0, Ordering::Relaxed) as usize;
            }
        }
        assert_eq!((news, told), (1, 1));
        join([worker, host]);
    });
}

/// News of two workers is as good as news of one.
pub fn pump_news() {
    check(3, || {
        let shared = Arc::new((PumpNotify::default(), [AtomicU32::new(0), AtomicU32::new(0)]));
        let worker = |number: usize| {
            spawn(&shared, move |(notify, work)| {
                work[number].fetch_add(1, Ordering::Relaxed);
                notify.notify_data();
            })
        };
        let workers = [worker(0), worker(1)];
        let (notify, work) = &*shared;
        let mut seen = 0;
        while seen < 2 {
            wait(|cx| notify.poll(cx));
            if notify.take_news() {
                seen += work.iter().map(|work| work.swap(0, Ordering::Relaxed)).sum::<u32>();
            }
        }
        join(workers);
    });
}

/// A connection that is sent to a pump's task as it ends is obeyed by the task, or found to come
/// too late by who sends it.
pub fn pump_end() {
    check(3, || {
        let notify = Arc::<PumpNotify>::default();
        let (commands, inbox) = unbounded();
        let (left, leaves) = unbounded();
        let left = Arc::new(left);
        let sender = {
            let left = Arc::clone(&left);
            spawn(&notify, move |notify| {
                // As `Pump::join`.
                if commands.send(()).is_err() || notify.is_closed() {
                    left.send(()).expect("it is there");
                }
            })
        };
        // As the end of its task.
        notify.close();
        while inbox.try_recv().is_ok() {
            left.send(()).expect("it is there");
        }
        drop(inbox);
        join([sender]);
        assert!(leaves.try_recv().is_ok(), "a session that nobody serves");
    });
}

/// No two pumps have a group together.
pub fn groups() {
    check(3, || {
        let groups = Arc::<Groups>::default();
        let held = Arc::new(AtomicU32::new(0));
        let pump = || {
            let held = Arc::clone(&held);
            spawn(&groups, move |groups| {
                for _ in 0..2 {
                    let group = groups.take().expect("one is free");
                    let bit = 1 << group.number();
                    assert_eq!(held.fetch_or(bit, Ordering::Relaxed) & bit, 0, "two have it");
                    held.fetch_and(!bit, Ordering::Relaxed);
                    groups.free(group);
                }
            })
        };
        join([pump(), pump()]);
        assert_eq!(groups.take().map(|group| group.number()), Some(1));
    });
}
