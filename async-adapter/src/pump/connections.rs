//! The connections of one task, by the place of their session's slot, and what each has yet to
//! take.

mod waiting;
mod words;

use super::PumpStats;
use super::connection::{Blocked, Connection, Turn, Written, guarded, offer};
use super::mailbox::Inbox;
use super::pace::Pace;
use super::rest::Rest;
use super::writable::{Unblock, Writable};
use crate::pump::frames::Frame;
use crate::pump::transport::Transport;
use crate::sync::Arc;
use roomcast_core::SessionId;
use roomcast_core::resume::Rewind;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// How long to wait before a transport is asked again that says it can take more and takes nothing.
const RETRY_AFTER: Duration = Duration::from_millis(10);

/// So many bytes of High messages at the most go before what waits, or as many as may be in flight.
const OVERTAKING: u64 = 2 << 10;

/// Whether a connection takes what is due to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// It does.
    All,
    /// Perhaps a part of it: it has to be looked at.
    Some,
    /// Not now: it is not here, is blocked or is held back.
    Nothing,
}

#[derive(Debug)]
pub(super) struct Connections<T> {
    table: Vec<Option<Connection<T>>>,
    /// Those whose session has ended and whose slot is another's by now, as long as they have yet
    /// to take the rest.
    leaving: BTreeMap<SessionId, Connection<T>>,
    writable: Arc<Writable>,
    /// At most one entry for each that is here, of those that were blocked when last looked at:
    /// since when nothing was taken.
    watch: BTreeSet<(Instant, u32, SessionId)>,
    /// Whom to ask again, and when: no waker tells.
    retries: VecDeque<(Instant, u32, SessionId)>,
    /// Whom to look at again, and when, of those that have as much in flight as they may, and of
    /// those that have gone meanwhile.
    held_back: BTreeSet<(Instant, u32, SessionId)>,
    /// What a connection drains in this time may be in flight to it.
    reach: Duration,
    /// When the clock of the paces began, the last reading of it, and what it said.
    epoch: Instant,
    read: (Instant, u32),
}

impl<T: Transport> Connections<T> {
    pub(super) fn new(writable: Arc<Writable>, reach: Duration, now: Instant) -> Self {
        Self {
            table: Vec::new(),
            leaving: BTreeMap::new(),
            writable,
            watch: BTreeSet::new(),
            retries: VecDeque::new(),
            held_back: BTreeSet::new(),
            reach,
            epoch: now,
            read: (now, 0),
        }
    }

    /// What the paces take for the time.
    fn millis(&mut self, now: Instant) -> u32 {
        // One reading serves a whole turn.
        if self.read.0 != now {
            // Cut: a pace takes differences.
            self.read = (now, now.saturating_duration_since(self.epoch).as_millis() as u32);
        }
        self.read.1
    }

    /// Whether a session's connection takes about so many bytes, in its turn with all others.
    pub(super) fn takes(&self, place: u32, session: SessionId, bytes: u64) -> Takes {
        match self.table.get(place as usize).and_then(Option::as_ref) {
            Some(connection)
                if connection.session == session
                    && connection.blocked.is_none()
                    && connection.turn == Turn::Shared =>
            {
                if connection.pace.fits(bytes) {
                    Takes::All
                } else {
                    Takes::Some
                }
            }
            _ => Takes::Nothing,
        }
    }

    /// A connection is listed to be served by itself.
    pub(super) fn list(&mut self, place: u32) {
        if let Some(connection) = self.table.get_mut(place as usize).and_then(Option::as_mut) {
            connection.turn = Turn::Listed;
        }
    }

    /// A connection that is served by itself: returns how many bytes more it may have in flight. If
    /// there are none, it is held back and looked at again by itself. `None`: it is gone, or
    /// nothing of what it has in flight has drained for as long as the `patience`.
    pub(super) fn space(
        &mut self,
        place: u32,
        session: SessionId,
        now: Instant,
        patience: Duration,
        stats: &mut PumpStats,
    ) -> Option<u64> {
        let connection = self.table.get_mut(place as usize)?.as_mut()?;
        if connection.turn == Turn::HeldBack {
            return Some(0);
        }
        connection.turn = Turn::Shared;
        if connection.pace.is_short() {
            self.look(place, now, stats).ok()?;
        }
        let millis = self.millis(now);
        let connection = self.table.get_mut(place as usize)?.as_mut()?;
        let space = connection.pace.space();
        if space == 0 {
            if connection.pace.is_stuck(millis, patience) {
                stats.stalled += 1;
                return None;
            }
            let at = now + Duration::from_millis(connection.pace.hold_back(millis, self.reach));
            connection.turn = Turn::HeldBack;
            self.held_back.insert((at, place, session));
            stats.held_back += 1;
        }
        Some(space)
    }

    fn look(&mut self, place: u32, now: Instant, stats: &mut PumpStats) -> Result<(), ()> {
        let millis = self.millis(now);
        let Some(connection) = self.table.get_mut(place as usize).and_then(Option::as_mut) else {
            return Err(());
        };
        let seen = guarded(stats, || connection.transport.in_flight()).ok_or(())?;
        connection.pace.look(millis, self.reach, seen);
        Ok(())
    }

    pub(super) fn add(
        &mut self,
        place: u32,
        session: SessionId,
        (transport, inbox): (T, Inbox),
        now: Instant,
        stats: &mut PumpStats,
    ) {
        if self.table.len() <= place as usize {
            self.table.resize_with(place as usize + 1, || None);
        }
        let connection = Connection {
            session,
            transport,
            inbox,
            blocked: None,
            pace: Pace::new(self.millis(now), self.reach),
            turn: Turn::Shared,
            watched: None,
            lost: Rewind::default(),
        };
        stats.connections += 1;
        // Its slot was another's who has ended, and who may have yet to take the last words.
        let Some(mut displaced) = self.table[place as usize].replace(connection) else { return };
        match &mut displaced.blocked {
            Some(blocked) => {
                blocked.end(now);
                guarded(stats, || drop(displaced.inbox.close()));
                self.leaving.insert(displaced.session, displaced);
            }
            None => self.let_go(place, displaced, stats),
        }
    }

    /// Whether a session's connection is here and has taken what it was offered.
    pub(super) fn is_free(&self, place: u32, session: SessionId) -> bool {
        let connection = self.table.get(place as usize).and_then(Option::as_ref);
        connection
            .is_some_and(|connection| connection.session == session && connection.blocked.is_none())
    }

    pub(super) fn holds(&self, place: u32, session: SessionId) -> bool {
        let connection = self.table.get(place as usize).and_then(Option::as_ref);
        connection.is_some_and(|connection| connection.session == session)
    }

    /// Whose connection is at a place.
    pub(super) fn session_at(&self, place: u32) -> Option<SessionId> {
        Some(self.table.get(place as usize)?.as_ref()?.session)
    }

    /// Whose connections are here.
    pub(super) fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.table
            .iter()
            .flatten()
            .chain(self.leaving.values())
            .map(|connection| connection.session)
    }

    /// A session's connection, wherever it is.
    fn find(&mut self, place: u32, session: SessionId) -> Option<&mut Connection<T>> {
        if self.holds(place, session) {
            self.table[place as usize].as_mut()
        } else {
            self.leaving.get_mut(&session)
        }
    }

    /// Returns where the host hears of a connection, and what was handed over to it that it has not
    /// taken to the last byte.
    pub(super) fn unsent(&mut self, place: u32, session: SessionId) -> Option<(&Inbox, Rewind)> {
        let connection = self.find(place, session)?;
        let rest = connection.blocked.as_ref().map(|blocked| blocked.rest.rewind());
        Some((&connection.inbox, rest.map_or(connection.lost, |rest| rest.and(connection.lost))))
    }

    /// Drops a connection; what it had not taken to the last byte is unsent.
    pub(super) fn remove(&mut self, place: u32, session: SessionId, stats: &mut PumpStats) {
        let here = if self.holds(place, session) {
            self.table[place as usize].take()
        } else {
            self.leaving.remove(&session)
        };
        if let Some(connection) = here {
            self.let_go(place, connection, stats);
        }
    }

    fn let_go(&mut self, place: u32, connection: Connection<T>, stats: &mut PumpStats) {
        stats.connections -= 1;
        if let Some(at) = connection.watched {
            self.watch.remove(&(at, place, connection.session));
        }
        stats.held_back -= u64::from(connection.turn == Turn::HeldBack);
        if let Some(blocked) = &connection.blocked {
            stats.blocked -= 1;
            stats.unsent += blocked.rest.messages();
        }
        guarded(stats, || drop(connection));
    }

    /// Offers a connection a frame. `last`: nothing follows, and once it has been taken the
    /// connection is to go.
    pub(super) fn write(
        &mut self,
        place: u32,
        frame: &Frame,
        last: bool,
        now: Instant,
        stats: &mut PumpStats,
    ) -> Written {
        let millis = self.millis(now);
        let Some(connection) = self.table.get_mut(place as usize).and_then(Option::as_mut) else {
            return Written::Gone;
        };
        if let Some(blocked) = &mut connection.blocked {
            blocked.rest.push(frame.clone());
            if last {
                blocked.end(now);
            }
            return Written::Blocked;
        }
        match offer(&mut connection.transport, &frame.bytes, stats) {
            Ok(taken) if taken == frame.bytes.len() => {
                stats.messages += u64::from(frame.messages);
                connection.pace.hand_whole(millis, taken);
                if last
                    || (connection.pace.wants_look(millis) && self.look(place, now, stats).is_err())
                {
                    Written::Gone
                } else {
                    Written::All
                }
            }
            Ok(taken) => {
                connection.pace.hand(millis, taken);
                let (writable, session) = (Arc::clone(&self.writable), connection.session);
                let unblock = Arc::new(Unblock::new(writable, place, session));
                let rest = Rest::of(frame, taken);
                connection.blocked = Some(Box::new(Blocked {
                    unblock,
                    rest,
                    began: now,
                    taken: 0,
                    since: now,
                    last,
                    closing: false,
                    retry: None,
                }));
                if connection.watched.is_none() {
                    connection.watched = Some(now);
                    self.watch.insert((now, place, session));
                }
                stats.blocked += 1;
                self.unblock(place, session, now, stats)
            }
            Err(()) => {
                // The frame is lost with the connection.
                stats.unsent += u64::from(frame.messages);
                connection.lost = frame.rewind;
                Written::Gone
            }
        }
    }

    /// How many bytes of High messages may go before what a blocked connection has yet to take;
    /// `None`: nothing there can be overtaken.
    pub(super) fn overtaking(&mut self, place: u32, session: SessionId) -> Option<u64> {
        let connection = self.find(place, session)?;
        let blocked = connection.blocked.as_ref()?;
        let may = !blocked.last && blocked.rest.may_be_overtaken();
        may.then(|| connection.pace.space().max(OVERTAKING))
    }

    /// Puts High messages before what a blocked connection has yet to take and has not begun with.
    pub(super) fn overtake(&mut self, place: u32, session: SessionId, frame: &Frame) {
        let connection = self.find(place, session);
        if let Some(blocked) = connection.and_then(|connection| connection.blocked.as_mut()) {
            blocked.rest.overtake(frame.clone());
        }
    }

    /// A blocked connection may take more: offers it the rest. `Blocked` again means that its waker
    /// will be woken, or that it is among those to ask again.
    pub(super) fn unblock(
        &mut self,
        place: u32,
        session: SessionId,
        now: Instant,
        stats: &mut PumpStats,
    ) -> Written {
        let (millis, reach) = (self.millis(now), self.reach);
        let Some(connection) = self.find(place, session) else { return Written::All };
        let Some(blocked) = &mut connection.blocked else { return Written::All };
        if blocked.retry.take_if(|at| *at <= now).is_none() && blocked.retry.is_some() {
            return Written::Blocked;
        }
        blocked.unblock.answer();
        let waker = Waker::from(Arc::clone(&blocked.unblock));
        let mut came_to_nothing = false;
        loop {
            match guarded(stats, || {
                connection.transport.poll_writable(&mut Context::from_waker(&waker))
            }) {
                Some(Poll::Pending) => return Written::Blocked,
                Some(Poll::Ready(Ok(()))) => {}
                Some(Poll::Ready(Err(_))) | None => return Written::Gone,
            }
            let mut any = false;
            loop {
                if blocked.rest.is_between()
                    && !blocked.last
                    && let Some(bytes) = connection.inbox.take()
                {
                    blocked.rest.put_next(Frame::of_bytes(bytes));
                }
                let Some(bytes) = blocked.rest.first() else { break };
                let offered = bytes.len();
                let Ok(taken) = offer(&mut connection.transport, bytes, stats) else {
                    return Written::Gone;
                };
                any |= taken > 0;
                connection.pace.hand(millis, taken);
                blocked.taken += taken as u64;
                if taken > 0 && !blocked.last {
                    blocked.since = now;
                }
                stats.messages += u64::from(blocked.rest.wrote(taken));
                if taken < offered {
                    break;
                }
            }
            if blocked.rest.is_empty() {
                let (last, elapsed) = (blocked.last, now.saturating_duration_since(blocked.began));
                connection.pace.took_rest(blocked.taken, elapsed, reach);
                connection.blocked = None;
                stats.blocked -= 1;
                return if last { Written::Gone } else { Written::All };
            }
            // Readiness may be out of date once; a transport that goes on like this would be asked
            // for ever.
            if !any && std::mem::replace(&mut came_to_nothing, true) {
                let at = now + RETRY_AFTER;
                blocked.retry = Some(at);
                self.retries.push_back((at, place, session));
                return Written::Blocked;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::mailbox::Mailbox;
    use super::*;
    use crate::pump::transport::Transport;
    use bytes::Bytes;
    use std::io::{self, ErrorKind};

    /// Takes nothing.
    struct Stuck;

    impl Transport for Stuck {
        fn try_write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::WouldBlock.into())
        }

        fn poll_writable(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    /// However long the patience is.
    #[test]
    fn who_has_gone_is_no_longer_watched() {
        let (mut stats, now) = (PumpStats::default(), Instant::now());
        let writable = Arc::new(Writable::new(Arc::default()));
        let mut connections = Connections::new(writable, Duration::MAX, now);
        let frame = Frame { messages: 1, ..Frame::of_bytes(Bytes::from_static(b"hello")) };
        for generation in 1..1_000 {
            let session = SessionId::from_bits(7 << 32 | generation);
            let inbox = Inbox::new(&Arc::new(Mailbox::default()));
            connections.add(7, session, (Stuck, inbox), now, &mut stats);
            assert_eq!(connections.write(7, &frame, false, now, &mut stats), Written::Blocked);
            assert_eq!(connections.watch(now, Duration::MAX, &mut Vec::new()), None);
            assert_eq!(connections.watch.len(), 1);
            connections.remove(7, session, &mut stats);
            assert_eq!(connections.watch.len(), 0);
        }
    }
}
