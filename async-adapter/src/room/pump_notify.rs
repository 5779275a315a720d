//! How a room notifies its pumps, and which groups of sessions are theirs.

use crate::drive::called::Called;
use crate::drive::signal::Signal;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use roomcast_core::{Group, SessionId};
use std::task::{Context, Poll};

/// How a pump's task is told that it is wanted.
#[derive(Debug, Default)]
pub(crate) struct PumpNotify {
    signal: Signal,
    /// Something is to be read.
    news: Called,
    /// Sessions that were taken out by somebody else.
    gone: Mutex<Vec<SessionId>>,
    /// Sessions whose grace was over.
    over: Mutex<Vec<SessionId>>,
    /// Whether the task has ended.
    closed: AtomicBool,
}

impl PumpNotify {
    /// There is something to do: a command, a connection that can take more.
    pub(crate) fn notify_command(&self) {
        self.signal.raise();
    }

    /// There is something to read.
    pub(crate) fn notify_data(&self) {
        self.news.call();
        self.signal.raise();
    }

    /// A session was taken out.
    pub(crate) fn notify_gone(&self, session: SessionId) {
        self.gone.lock().push(session);
        self.signal.raise();
    }

    /// The grace of these sessions is over. Their connections still take what was begun.
    pub(crate) fn notify_expired(&self, sessions: &[SessionId]) {
        if sessions.is_empty() {
            return;
        }
        self.over.lock().extend_from_slice(sessions);
        self.signal.raise();
    }

    /// The task ends: it obeys what it was sent before this, and nothing that is sent later.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    pub(crate) fn take_news(&self) -> bool {
        self.news.answer()
    }

    pub(crate) fn take_gone(&self) -> Vec<SessionId> {
        std::mem::take(&mut self.gone.lock())
    }

    pub(crate) fn take_over(&self) -> Vec<SessionId> {
        std::mem::take(&mut self.over.lock())
    }

    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.signal.poll(cx)
    }
}

/// The groups of a room that are in use: a bit for each. Group 0 is that of the subscriptions, each
/// other one a pump's.
#[derive(Debug)]
pub(crate) struct Groups(AtomicU64);

impl Default for Groups {
    fn default() -> Self {
        Self(AtomicU64::new(1))
    }
}

impl Groups {
    /// A group that no pump has; `None` when all are taken.
    pub(crate) fn take(&self) -> Option<Group> {
        let free = |groups: u64| (groups != u64::MAX).then(|| groups | (groups + 1));
        let old = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, free).ok()?;
        Group::new(old.trailing_ones() as u8)
    }

    pub(crate) fn free(&self, group: Group) {
        self.0.fetch_and(!(1 << group.number()), Ordering::AcqRel);
    }
}
