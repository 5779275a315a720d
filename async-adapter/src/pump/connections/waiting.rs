//! Whom to look at again, and when: those that took nothing, and those that have as much in flight
//! as they may.

use super::Connections;
use crate::pump::PumpStats;
use crate::pump::connection::Turn;
use crate::pump::transport::Transport;
use roomcast_core::SessionId;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

impl<T: Transport> Connections<T> {
    /// Takes out whom to ask again by now.
    pub(in crate::pump) fn take_retries(
        &mut self,
        now: Instant,
        into: &mut VecDeque<(u32, SessionId)>,
    ) {
        while let Some(&(_, place, session)) = self.retries.front().filter(|(at, ..)| *at <= now) {
            self.retries.pop_front();
            into.push_back((place, session));
        }
    }

    /// Returns when somebody is to be asked or looked at again.
    pub(in crate::pump) fn next_retry(&self) -> Option<Instant> {
        let retry = self.retries.front().map(|(at, ..)| *at);
        retry.into_iter().chain(self.held_back.first().map(|(at, ..)| *at)).min()
    }

    /// Lets those go on that are to be looked at again by now.
    pub(in crate::pump) fn release(
        &mut self,
        now: Instant,
        into: &mut VecDeque<u32>,
        stats: &mut PumpStats,
    ) {
        while let Some(&(_, place, session)) = self.held_back.first().filter(|(at, ..)| *at <= now)
        {
            self.held_back.pop_first();
            // One that has gone left its entry behind.
            if let Some(connection) = self.find(place, session) {
                connection.turn = Turn::Listed;
                into.push_back(place);
                stats.held_back -= 1;
            }
        }
    }

    /// Looks at those who may have been blocked for `patience`, and puts down in `stalled` who took
    /// nothing in that time, or not all of its last words. Returns when to look again. O(log
    /// connections) for each.
    pub(in crate::pump) fn watch(
        &mut self,
        now: Instant,
        patience: Duration,
        stalled: &mut Vec<(u32, SessionId)>,
    ) -> Option<Instant> {
        while let Some(&(at, place, session)) = self.watch.first() {
            // A patience beyond what the clock can tell is none.
            let due = at.checked_add(patience)?;
            if due > now {
                return Some(due);
            }
            self.watch.pop_first();
            let Some(connection) = self.find(place, session) else { continue };
            connection.watched = None;
            let Some(since) = connection.blocked.as_ref().map(|blocked| blocked.since) else {
                continue;
            };
            if now.saturating_duration_since(since) >= patience {
                stalled.push((place, session));
            } else {
                connection.watched = Some(since);
                self.watch.insert((since, place, session));
            }
        }
        None
    }
}
