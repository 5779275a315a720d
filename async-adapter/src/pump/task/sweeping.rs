//! What the sessions of some slots are due: taken under the lock, written outside.

use super::{FAILED, HIGH_LOST, Pumper};
use crate::pump::connection::Written;
use crate::pump::connections::Takes;
use crate::pump::frames::{Frame, PumpEncoder};
use crate::pump::transport::Transport;
use crate::reading::when_high_lost::WhenHighLost;
use roomcast_core::audience::{BatchKey, Delivery};
use roomcast_core::event::EndReason;
use roomcast_core::{Batch, Budget, Handoff, Payload, SessionId};
use std::ops::Range;
use tokio::time::Instant;

/// What a range that was swept is written from.
pub(super) enum Prepared<M> {
    Frame(Frame),
    Batch(Batch<M>),
}

impl<M, E, T> Pumper<M, E, T>
where
    M: Payload + Send + Sync + 'static,
    E: PumpEncoder<M>,
    T: Transport,
{
    /// Takes what the sessions of some slots are due, under the lock, and writes it, outside: of so
    /// many bytes to one that is served by itself, and else to those that can take all of it; the
    /// others are served by themselves. Returns how many slots there are.
    pub(super) fn sweep(&mut self, places: Range<u32>, space: Option<u64>, now: Instant) -> u32 {
        let message = self.bytes_a_message();
        let budget = space.map_or(self.options.budget, |space| self.budget(space));
        let (shared, shard, part) = (&self.shared, &self.shard, self.shard.part);
        let (connections, frames) = (&self.connections, &mut self.frames);
        // Nothing is allocated under the lock for those who share a range.
        let mut prepared: Vec<(Option<BatchKey>, Prepared<M>)> = Vec::with_capacity(4);
        let mut taken = std::mem::take(&mut self.taken);
        let mut ended: Vec<(u32, SessionId, EndReason)> = Vec::new();
        let mut again = false;
        let mut short = std::mem::take(&mut self.short);
        let time = shared.time_to_read(shard);
        let slots = shard.enter(|state| {
            shared.catch_up(shard, &mut state.audience);
            state.audience.sweep(time, self.lease.group, places, budget, |session, due| {
                let place = part.place(session.slot()).unwrap_or(0);
                match due {
                    Delivery::Batch(reading) => {
                        // What one is served by itself is cut to what it takes.
                        let messages = u64::from(reading.messages() + reading.directs());
                        let bytes = if space.is_some() { 0 } else { messages * message };
                        match connections.takes(place, session, bytes) {
                            Takes::All => {}
                            Takes::Some => {
                                short.push(place);
                                return Handoff::NotNow;
                            }
                            Takes::Nothing => return Handoff::NotNow,
                        }
                        let key = reading.key();
                        if key.is_none()
                            || prepared.last().is_none_or(|(last, _)| last.as_ref() != key)
                        {
                            let kept = key.and_then(|key| frames.kept(key));
                            let what = kept.map_or_else(
                                || Prepared::Batch(reading.to_batch()),
                                Prepared::Frame,
                            );
                            prepared.push((key.copied(), what));
                        }
                        again |= reading.more();
                        taken.push((place, prepared.len() as u32 - 1));
                        Handoff::Taken
                    }
                    Delivery::End(reason) => {
                        ended.push((place, session, reason));
                        Handoff::Taken
                    }
                }
            });
            // Who has taken the last is to be told the end next.
            again |= !taken.is_empty() && state.audience.has_ends();
            if !ended.is_empty() {
                shard.note_sessions(state);
            }
            state.audience.slots()
        });
        self.again |= again;
        for place in short.drain(..) {
            self.connections.list(place);
            self.fresh.push_back(place);
        }
        self.short = short;
        self.write(&prepared, &taken, now);
        // It may be the last who has them.
        self.shared.fence().drop_each(prepared);
        taken.clear();
        self.taken = taken;
        self.end_all(ended, now);
        slots
    }

    /// Sessions have taken all and ended.
    pub(super) fn end_all(
        &mut self,
        ended: impl IntoIterator<Item = (u32, SessionId, EndReason)>,
        now: Instant,
    ) {
        for (place, session, reason) in ended {
            self.shared.forget(session);
            if self.connections.holds(place, session) {
                self.end(place, session, reason, now);
            } else {
                self.early.insert(session, reason);
            }
        }
    }

    /// How many bytes a message has as it is written, roughly.
    pub(super) fn bytes_a_message(&self) -> u64 {
        const UNKNOWN: u64 = 64;
        self.stats.bytes.checked_div(self.stats.messages).unwrap_or(UNKNOWN).max(1)
    }

    /// What one connection is written at once that may be handed so many bytes.
    pub(super) fn budget(&self, space: u64) -> Budget {
        let messages = u32::try_from(space / self.bytes_a_message()).unwrap_or(u32::MAX);
        let Budget { messages: most, bytes: most_bytes } = self.options.budget;
        Budget { messages: messages.clamp(1, most.max(1)), bytes: space.min(most_bytes) }
    }

    /// Writes to each connection what it took: its place, and which of the prepared ranges.
    pub(super) fn write(
        &mut self,
        prepared: &[(Option<BatchKey>, Prepared<M>)],
        taken: &[(u32, u32)],
        now: Instant,
    ) {
        let frames: Vec<Frame> =
            prepared.iter().map(|(key, prepared)| self.frame(key.as_ref(), prepared)).collect();
        for &(place, frame) in taken {
            let frame = &frames[frame as usize];
            let written =
                self.connections.write(place, frame, false, now.into_std(), &mut self.stats);
            let lost_high = self.closes_after(frame);
            if (written == Written::Gone || lost_high)
                && let Some(session) = self.connections.session_at(place)
            {
                self.stats.high_lost += u64::from(written != Written::Gone);
                let reason = if written == Written::Gone { FAILED } else { HIGH_LOST };
                self.lose(place, session, reason);
            }
        }
    }

    /// Whether a connection goes that was offered this.
    pub(super) fn closes_after(&self, frame: &Frame) -> bool {
        frame.lost_high && self.options.when_high_lost == WhenHighLost::Close
    }
}
