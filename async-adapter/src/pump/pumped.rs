//! A session that a pump writes to a transport.

use super::mailbox::{Control, ControlRefused, Mailbox};
use super::{Command, Inner, Transport};
use crate::room::token::ResumeToken;
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use roomcast_core::event::StartPosition;
use roomcast_core::ids::Seq;
use roomcast_core::level_set::LevelSet;
use roomcast_core::resume::TokenAt;
use roomcast_core::{Payload, Priority, SessionId};
use std::fmt;
use std::future::poll_fn;

/// One connection that a pump serves. Dropping it leaves the room, exactly once, and drops the
/// transport, behind what [`control`](Self::control) was given, as far as that can be written at
/// once; a close goes out, if the peer takes it within
/// [`stalled_after`](super::PumpOptions::stalled_after).
pub struct Pumped<M: Payload + Send + Sync + 'static, T: Transport> {
    pub(super) inner: Arc<Inner<M, T>>,
    pub(super) shard: u32,
    pub(super) session: SessionId,
    pub(super) starts_after: Seq,
    pub(super) start: StartPosition,
    pub(super) mailbox: Arc<Mailbox>,
}

impl<M: Payload + Send + Sync + 'static, T: Transport> fmt::Debug for Pumped<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pumped")
            .field("session", &self.session)
            .field("starts_after", &self.starts_after)
            .finish_non_exhaustive()
    }
}

impl<M: Payload + Send + Sync + 'static, T: Transport> Pumped<M, T> {
    /// The session, to publish from.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// The last message that this session does *not* get: a host that keeps a history fills in up
    /// to and with this one.
    pub fn starts_after(&self) -> Seq {
        self.starts_after
    }

    /// Where the session started to read.
    pub fn start(&self) -> StartPosition {
        self.start
    }

    /// Where the session stands, for it to come back to with [`Join::resume`](roomcast_core::Join::resume): behind what was
    /// handed to its connection, whether or not the peer has got it. `None` when it has ended, or
    /// is about to.
    pub fn resume_token(&self) -> Option<ResumeToken> {
        self.resume_token_at(TokenAt::HandedOver)
    }

    /// Returns where the session stands: behind what was handed over, or with
    /// [`TokenAt::Acknowledged`](crate::session::TokenAt) behind what the client has acknowledged
    /// ([`ack`](Self::ack)), at each level for itself. Then whatever was on its way when the
    /// connection broke comes again, and the client drops what it has by number.
    pub fn resume_token_at(&self, at: TokenAt) -> Option<ResumeToken> {
        self.inner.lease.shared.resume_token(self.session, at)
    }

    /// The client says that it has all messages of a level up to the one with this number
    /// ([`Message::seq`](crate::Message::seq)); what stands acknowledged never goes back, nor beyond
    /// what was handed over. Returns whether the session is in and does not end. See
    /// [`resume_token_at`](Self::resume_token_at).
    pub fn ack(&self, priority: Priority, seq: Seq) -> bool {
        self.inner.lease.shared.ack(self.session, priority, seq)
    }

    /// Waits until the pump has let go of the connection, and returns where its client goes on with
    /// [`Join::resume`](crate::Join::resume): behind what the client has acknowledged
    /// ([`ack`](Self::ack)), if it acknowledges, or else behind what the transport has taken whole.
    /// `None` when the session has ended, or the pump itself.
    ///
    /// What a transport has taken may still not have arrived: only a client that acknowledges loses
    /// nothing that was on its way.
    ///
    /// # Cancel safety
    /// Cancel safe. Only the last task that waits for one connection is woken.
    pub async fn closed(&self) -> Option<ResumeToken> {
        poll_fn(|cx| self.mailbox.poll_end(cx)).await
    }

    /// Leaves the room, as dropping this does, and returns where the client goes on, as
    /// [`closed`](Self::closed). For a host that hears first that the peer has gone.
    ///
    /// # Cancel safety
    /// The session leaves, whether or not the future is polled to its end.
    pub async fn leave(self) -> Option<ResumeToken> {
        // Where the task has ended so has the connection.
        let _ = self.inner.pump_shard(self.shard).send(Command::Gone(self.session));
        self.closed().await
    }

    /// Sets the levels that the session does not want, from the next message on; returns whether it
    /// is still in. What the connection has taken over already is still written. See
    /// [`Audience::set_masked_levels`](crate::core::Audience::set_masked_levels).
    pub fn set_masked_levels(&self, mask: LevelSet) -> bool {
        self.inner.lease.shared.set_masked_levels(self.session, mask)
    }

    /// The peer said something: the session shows life. The pump only writes, so whoever reads the
    /// connection says so. See [`Session::touch`](crate::session::Session::touch).
    pub fn touch(&self) -> bool {
        self.inner.lease.shared.touch(self.session)
    }

    /// Has bytes of the host's own written between two frames: an answer, a pong, a close. Plain
    /// [`Bytes`](crate::Bytes) are a frame of their own, and frames keep their order among
    /// themselves.
    ///
    /// What a peer can make a server keep for it is bounded, whether or not the peer reads and the
    /// pump's task comes by: at most [`control_frames`](super::PumpOptions::control_frames) frames with
    /// [`control_bytes`](super::PumpOptions::control_bytes) bytes, one pong and one close wait for a
    /// connection. Those are its own: nobody else's frames take their places. A [`Control::Pong`]
    /// is always taken while the connection is there; it replaces an older one whose writing has
    /// not begun. So is the first [`Control::Close`]: behind it nothing is taken or written, and
    /// once the transport has taken it the session leaves and the transport is dropped.
    ///
    /// `Ok` means that it is written in its turn, if the connection lasts. Takes the connection's
    /// own lock for a moment, and never waits.
    ///
    /// # Errors
    /// As many frames or bytes wait as may, it is too large, or the connection has ended or was given
    /// a close. Nothing was kept of it then. The first two are counted in [`PumpStats::controls_dropped`](super::PumpStats::controls_dropped).
    pub fn control(&self, control: impl Into<Control>) -> Result<(), ControlRefused> {
        let pump_shard = self.inner.pump_shard(self.shard);
        let counters = &pump_shard.counters;
        let posted =
            self.mailbox.post(control.into(), self.inner.limits).inspect_err(|refused| {
                let counts = !matches!(refused, ControlRefused::Ended);
                counters.controls_dropped.fetch_add(u64::from(counts), Ordering::Relaxed);
            })?;
        counters.controls_replaced.fetch_add(u64::from(posted.replaced), Ordering::Relaxed);
        if posted.tell && pump_shard.send(Command::Mail(self.session)).is_err() {
            return Err(ControlRefused::Ended);
        }
        Ok(())
    }
}

impl<M: Payload + Send + Sync + 'static, T: Transport> Drop for Pumped<M, T> {
    fn drop(&mut self) {
        // Where the task has ended the session has, too.
        let _ = self.inner.pump_shard(self.shard).send(Command::Gone(self.session));
    }
}
