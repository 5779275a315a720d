//! One task of a pump: it serves the connections of one shard, a bounded number of them in each
//! turn.

mod overtake;
mod sweeping;

use super::connection::Written;
use super::connections::Connections;
use super::mailbox::Inbox;
use super::writable::Writable;
use super::{Command, Counters, PumpLease, PumpOptions, PumpStats};
use crate::pump::frames::{Frames, PumpEncoder};
use crate::pump::transport::Transport;
use crate::room::SharedRoom;
use crate::room::audience_shard::AudienceShard;
use crate::room::pump_notify::PumpNotify;
use crate::room::round_robin::RoundRobin;
use crate::sync::Arc;
use crate::sync::channel::{Receiver, TryRecvError};
use crate::trace;
use roomcast_core::event::EndReason;
use roomcast_core::{Payload, SessionId};
use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::task::Poll;
use tokio::time::Instant;

/// Slots that are swept under one lock. Less than decision D1 allows: what they take is written
/// before the next.
const SLICE: u32 = 256;
/// The maximum number of commands that one turn obeys.
const COMMANDS: usize = 1_024;

/// Why a connection is let go, for the log.
const FAILED: &str = "failed";
const HIGH_LOST: &str = "a High message was missed";

/// What a turn leaves.
enum Next {
    /// More is to be done at once.
    Now,
    /// Nothing before a notification, or before this instant.
    Wait(Option<Instant>),
    /// Nobody holds the pump any more.
    Stop,
}

pub(super) struct Pumper<M, E, T>
where
    M: Payload + Send + Sync + 'static,
    E: PumpEncoder<M>,
    T: Transport,
{
    shared: Arc<SharedRoom<M>>,
    shard: Arc<AudienceShard<M>>,
    lease: Arc<PumpLease<M>>,
    options: PumpOptions,
    frames: Frames<E>,
    connections: Connections<T>,
    writable: Arc<Writable>,
    commands: Receiver<Command<T>>,
    pump_notify: Arc<PumpNotify>,
    counters: Arc<Counters>,
    stats: PumpStats,
    /// What of `stats.unsent` the room knows.
    unsent_told: u64,
    /// The slots that have yet to be swept for what came last.
    round: RoundRobin,
    /// Whether a budget cut somebody short, so that another sweep follows.
    again: bool,
    /// Connections to look at by themselves, in turns: they came, can take more, or have control
    /// frames.
    fresh: VecDeque<u32>,
    /// Blocked connections that may take more.
    unblocked: VecDeque<(u32, SessionId)>,
    /// Room for who took what in a slice: the place, and which of the prepared ranges.
    taken: Vec<(u32, u32)>,
    /// Room for who has to be served by itself.
    short: Vec<u32>,
    /// Sessions that ended before their connection came.
    early: HashMap<SessionId, EndReason>,
}

impl<M, E, T> Pumper<M, E, T>
where
    M: Payload + Send + Sync + 'static,
    E: PumpEncoder<M>,
    T: Transport,
{
    pub(super) fn new(
        lease: Arc<PumpLease<M>>,
        shard: u32,
        options: PumpOptions,
        encoder: E,
        commands: Receiver<Command<T>>,
        pump_notify: Arc<PumpNotify>,
        counters: Arc<Counters>,
    ) -> Self {
        let (shared, shard) = (Arc::clone(&lease.shared), Arc::clone(lease.shared.shard(shard)));
        let writable = Arc::new(Writable::new(Arc::clone(&pump_notify)));
        shard.enter(|state| state.pump_notifies.push(Arc::clone(&pump_notify)));
        Self {
            shared,
            shard,
            lease,
            options,
            frames: Frames::new(encoder),
            connections: Connections::new(
                Arc::clone(&writable),
                options.reach,
                Instant::now().into_std(),
            ),
            writable,
            commands,
            pump_notify,
            counters,
            stats: PumpStats::default(),
            unsent_told: 0,
            round: RoundRobin::default(),
            again: false,
            fresh: VecDeque::new(),
            unblocked: VecDeque::new(),
            taken: Vec::with_capacity(SLICE as usize),
            short: Vec::with_capacity(SLICE as usize),
            early: HashMap::new(),
        }
    }

    /// Works until nobody holds the pump any more.
    pub(super) async fn run(mut self) {
        loop {
            match self.turn() {
                Next::Now => tokio::task::yield_now().await,
                Next::Wait(None) => poll_fn(|cx| self.pump_notify.poll(cx)).await,
                Next::Wait(Some(deadline)) => {
                    let mut sleep = std::pin::pin!(tokio::time::sleep_until(deadline));
                    poll_fn(|cx| match self.pump_notify.poll(cx) {
                        Poll::Ready(()) => Poll::Ready(()),
                        Poll::Pending => sleep.as_mut().poll(cx),
                    })
                    .await;
                }
                Next::Stop => return,
            }
        }
    }

    /// Does what is to be done, a bounded amount of it.
    fn turn(&mut self) -> Next {
        let now = Instant::now();
        let Some(more_commands) = self.obey(now) else { return Next::Stop };
        for session in self.pump_notify.take_gone() {
            self.let_go(session, now);
        }
        for session in self.pump_notify.take_over() {
            self.fresh.extend(self.shard.place(session));
        }
        self.take_writable(now);
        self.connections.release(now.into_std(), &mut self.fresh, &mut self.stats);
        if self.pump_notify.take_news() {
            self.round.begin(self.shard.enter(|state| state.audience.slots()));
        }
        self.serve_fresh(now);
        // What single connections ask for takes nothing from the room's messages to all.
        let before = self.stats.writes;
        let mut may_go_on = true;
        while !self.round.is_over() && may_go_on {
            let places = self.round.pass(SLICE);
            let slots = self.sweep(places, None, now);
            if self.round.is_over() && std::mem::take(&mut self.again) {
                self.round.begin(slots);
            }
            may_go_on = self.stats.writes - before < u64::from(self.options.writes_a_turn);
        }
        let mut stalled = Vec::new();
        let deadline =
            self.connections.watch(now.into_std(), self.options.stalled_after, &mut stalled);
        for (place, session) in stalled {
            self.stats.stalled += 1;
            self.lose(place, session, "stalled");
        }
        self.put_down();
        let is_idle = self.fresh.is_empty() && self.unblocked.is_empty();
        if more_commands || !self.round.is_over() || !is_idle {
            Next::Now
        } else {
            let retry = self.connections.next_retry();
            Next::Wait(deadline.into_iter().chain(retry).min().map(Instant::from_std))
        }
    }

    /// Obeys the handles. Returns whether more commands wait; `None` when nobody holds the pump any
    /// more.
    fn obey(&mut self, now: Instant) -> Option<bool> {
        for _ in 0..COMMANDS {
            match self.commands.try_recv() {
                Ok(Command::Add(session, connection)) => self.add(session, connection, now),
                Ok(Command::Mail(session)) => self.open_mail(session, now),
                Ok(Command::Gone(session)) => {
                    self.early.remove(&session);
                    self.let_go(session, now);
                    // Its connection may not have come.
                    self.shared.close_session(session);
                }
                Err(TryRecvError::Empty) => return Some(false),
                Err(TryRecvError::Disconnected) => return None,
            }
        }
        Some(true)
    }

    /// A close is written at once, so that nothing of the room's can follow it; all else in turns.
    fn open_mail(&mut self, session: SessionId, now: Instant) {
        let Some(place) = self.shard.place(session) else { return };
        match self.connections.write_close(place, session, now.into_std(), &mut self.stats) {
            None => self.fresh.push_back(place),
            // Its peer takes it later, or is given up.
            Some(Written::Blocked) => {}
            Some(Written::All) => self.lose(place, session, "closed by the host"),
            Some(Written::Gone) => self.lose(place, session, FAILED),
        }
    }

    fn add(&mut self, session: SessionId, connection: (T, Inbox), now: Instant) {
        let Some(place) = self.shard.place(session) else { return };
        self.connections.add(place, session, connection, now.into_std(), &mut self.stats);
        if let Some(reason) = self.early.remove(&session) {
            self.end(place, session, reason, now);
        } else {
            // Something may have come since it joined.
            self.fresh.push_back(place);
        }
    }

    /// Offers some of those more who can take more, in turns.
    fn take_writable(&mut self, now: Instant) {
        self.writable.take(&mut self.unblocked);
        self.connections.take_retries(now.into_std(), &mut self.unblocked);
        let before = self.stats.writes;
        while self.stats.writes - before < u64::from(self.options.writes_a_turn)
            && let Some((place, session)) = self.unblocked.pop_front()
        {
            let lost_high = self.overtake(place, session, now);
            match self.connections.unblock(place, session, now.into_std(), &mut self.stats) {
                Written::All | Written::Blocked if lost_high => {
                    self.stats.high_lost += 1;
                    self.lose(place, session, HIGH_LOST);
                }
                Written::All => self.fresh.push_back(place),
                Written::Blocked => {}
                Written::Gone => self.lose(place, session, FAILED),
            }
        }
    }

    /// Serves single connections, one after the other: of what each has to be told beside the room,
    /// one frame a time.
    fn serve_fresh(&mut self, now: Instant) {
        for _ in 0..self.options.writes_a_turn.max(1) {
            let Some(place) = self.fresh.pop_front() else { break };
            let Some(session) = self.connections.session_at(place) else { continue };
            if !self.connections.is_free(place, session) {
                // It comes back once it has taken the rest, if anything follows that.
                continue;
            }
            if !self.shard.enter(|state| state.audience.deliveries(session).is_some()) {
                // It went before its connection came, or while that was blocked for longer than the
                // grace.
                self.connections.remove(place, session, &mut self.stats);
                continue;
            }
            match self.connections.write_control(place, now.into_std(), &mut self.stats) {
                None => {}
                Some(Written::All) => {
                    self.fresh.push_back(place);
                    continue;
                }
                // What waits follows the rest.
                Some(Written::Blocked) => continue,
                Some(Written::Gone) => {
                    self.lose(place, session, FAILED);
                    continue;
                }
            }
            let now_std = now.into_std();
            let patience = self.options.stalled_after;
            let space = self.connections.space(place, session, now_std, patience, &mut self.stats);
            let Some(space) = space else {
                self.lose(place, session, FAILED);
                continue;
            };
            if space == 0 {
                // It is looked at again by itself.
                continue;
            }
            let again = std::mem::take(&mut self.again);
            self.sweep(place..place + 1, Some(space), now);
            if std::mem::replace(&mut self.again, again) {
                self.fresh.push_back(place);
            }
        }
    }

    /// A session has taken all and ended: its connection gets the last words and goes.
    fn end(&mut self, place: u32, session: SessionId, reason: EndReason, now: Instant) {
        let last = self.frames.end(reason);
        if self.connections.write_last(place, last, now.into_std(), &mut self.stats)
            == Written::Gone
        {
            self.connections.remove(place, session, &mut self.stats);
        }
    }

    /// A connection is gone or given up, for this reason: so is its session.
    fn lose(&mut self, place: u32, session: SessionId, reason: &'static str) {
        self.shared.fence().call(|| trace::connection_lost(self.shared.id(), session, reason));
        self.hand_out(place, session);
        self.connections.remove(place, session, &mut self.stats);
    }

    /// A session is gone, and what its host said to it before that is still written, if that can be
    /// done now. A close that has begun goes out, if its peer takes it in time.
    fn let_go(&mut self, session: SessionId, now: Instant) {
        if let Some(place) = self.shard.place(session) {
            if self.connections.is_closing(place, session) {
                self.hand_out(place, session);
                return;
            }
            self.connections.write_waiting(place, session, now.into_std(), &mut self.stats);
        }
        self.drop_connection(session);
    }

    /// A session is gone: so is its connection.
    fn drop_connection(&mut self, session: SessionId) {
        if let Some(place) = self.shard.place(session) {
            self.hand_out(place, session);
            self.connections.remove(place, session, &mut self.stats);
        }
    }

    /// A connection is about to go, and so does its session, if it has not ended. Only then is the
    /// host told where the client goes on, so that it can come back at once.
    fn hand_out(&mut self, place: u32, session: SessionId) {
        if let Some((inbox, unsent)) = self.connections.unsent(place, session) {
            let token = self.shared.end_token(session, Some(&unsent));
            self.shared.close_session(session);
            inbox.hand_out(token);
        }
    }

    /// Puts the stats down for all to read.
    fn put_down(&mut self) {
        (self.stats.encoded, self.stats.framed) = (self.frames.encoded, self.frames.framed);
        let unsent = std::mem::replace(&mut self.unsent_told, self.stats.unsent);
        self.shared.count_unsent(self.stats.unsent - unsent);
        self.counters
            .set(&PumpStats { panics: self.stats.panics + self.frames.panics, ..self.stats });
    }
}

impl<M, E, T> Drop for Pumper<M, E, T>
where
    M: Payload + Send + Sync + 'static,
    E: PumpEncoder<M>,
    T: Transport,
{
    /// The pump is gone, or its runtime: so are its connections and their sessions.
    fn drop(&mut self) {
        self.shard.enter(|state| {
            state.pump_notifies.retain(|pump_notify| !Arc::ptr_eq(pump_notify, &self.pump_notify));
        });
        // What is sent from here on is found to come too late by those who send it.
        self.pump_notify.close();
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Add(session, connection) => self.add(session, connection, Instant::now()),
                Command::Gone(session) => {
                    self.shared.close_session(session);
                }
                Command::Mail(_) => {}
            }
        }
        let sessions: Vec<SessionId> = self.connections.sessions().collect();
        if !sessions.is_empty() {
            let (room, shard) = (self.shared.id(), self.shard.part.index());
            self.shared.fence().call(|| trace::pump_ended(room, shard, sessions.len()));
        }
        for session in sessions {
            self.drop_connection(session);
            self.shared.close_session(session);
        }
        self.put_down();
    }
}
