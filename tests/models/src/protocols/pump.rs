//! Models of the floor `pump`.

use super::{check, join, spawn, wait};
use crate::Bytes;
use crate::SessionId;
use crate::pump::mailbox::{Control, Inbox, Limits, Mailbox};
use crate::pump::writable::{Unblock, Writable};
use crate::room::pump_notify::PumpNotify;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU32, Ordering};
use std::collections::VecDeque;
use std::task::Waker;

/// A transport says that it can take more while the task looks at it: the task looks again.
pub fn writable() {
    check(3, || {
        let notify = Arc::<PumpNotify>::default();
        let writable = Arc::new(Writable::new(Arc::clone(&notify)));
        let unblock = Arc::new(Unblock::new(Arc::clone(&writable), 3, SessionId::from_bits(7)));
        let space = Arc::new(AtomicU32::new(0));
        let transport = {
            let waker = Waker::from(Arc::clone(&unblock));
            spawn(&space, move |space| {
                for _ in 0..2 {
                    space.fetch_add(1, Ordering::Relaxed);
                    waker.wake_by_ref();
                }
            })
        };
        let (mut taken, mut places) = (0, VecDeque::new());
        while taken < 2 {
            wait(|cx| notify.poll(cx));
            writable.take(&mut places);
            while let Some(place) = places.pop_front() {
                assert_eq!(place, (3, SessionId::from_bits(7)));
                unblock.answer();
                taken += space.swap(0, Ordering::Relaxed);
            }
        }
        join([transport]);
    });
}

/// What is said to a connection is taken once, in order, and its task is told of it; whoever waits
/// for the connection's end hears of that, and what is said too late is refused.
pub fn mailbox() {
    const LIMITS: Limits = Limits { frames: 4, bytes: 100 };

    check(2, || {
        let shared = Arc::new((Arc::<Mailbox>::default(), PumpNotify::default()));
        let inbox = Inbox::new(&shared.0);
        let host = |said: &'static [&'static [u8]]| {
            spawn(&shared, move |(mailbox, notify)| {
                for said in said {
                    let posted = mailbox.post(Control::Frame(Bytes::from_static(said)), LIMITS);
                    if posted.expect("it is open").tell {
                        notify.notify_command();
                    }
                }
            })
        };
        let hosts = [host(&[b"a", b"b"]), host(&[b"c"])];
        let mut taken = Vec::new();
        while taken.len() < 3 {
            wait(|cx| shared.1.poll(cx));
            taken.extend(std::iter::from_fn(|| inbox.take()));
        }
        let of_one: Vec<&Bytes> = taken.iter().filter(|said| said.as_ref() != b"c").collect();
        assert_eq!(of_one, [&b"a"[..], b"b"]);
        join(hosts);
    });
}

/// The end of a connection.
pub fn mailbox_end() {
    const LIMITS: Limits = Limits { frames: 4, bytes: 100 };

    check(3, || {
        let mailbox = Arc::<Mailbox>::default();
        let inbox = Inbox::new(&mailbox);
        let task = spawn(&mailbox, move |_| {
            drop(inbox);
        });
        let posted = mailbox.post(Bytes::from_static(b"a").into(), LIMITS);
        assert!(wait(|cx| mailbox.poll_end(cx)).is_none());
        assert!(mailbox.post(Bytes::from_static(b"b").into(), LIMITS).is_err());
        drop(posted);
        join([task]);
    });
}
