//! How a sink is written to, and what came of it.

use crate::reading::when_high_lost::WhenHighLost;
use crate::room::token::ResumeToken;
use roomcast_core::error::SessionEnd;
use std::time::Duration;

/// How [`forward`](crate::forward) treats a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForwardOptions {
    /// How long the sink may take nothing of a batch: no further item, or, once it has all, not
    /// flush it. A sink that goes on is never given up for being slow. Default 60 s, as a pump's.
    pub stalled_after: Duration,
    /// A batch holds no more than the sink takes in about this time; at least one message. So a
    /// gift waits behind no more than that, and what follows is chosen when it can go. It begins
    /// with 16 messages or 2 KiB, and never exceeds the budget of the
    /// [subscription](crate::Subscription::with_budget). `Duration::MAX`: it is always that. Default
    /// 250 ms.
    ///
    /// What lies below the sink is not seen: give the socket a short send buffer, as
    /// `net::TcpTransport::prepare_for_sink` does (feature `net`), and the sink itself a small one.
    pub reach: Duration,
    /// How often the sink is asked whether it still works while there is nothing to write, beside
    /// the moments at which it wakes the task itself. Default 10 s; less than a millisecond counts
    /// as one. `None`: it is not asked, and that it has failed is noticed at the next write.
    ///
    /// Set `None` for a sink that reserves a place in something shared in its `poll_ready`, as
    /// tokio-util's `PollSender` does in its channel: a quiet room would keep that place from the
    /// others.
    pub check_sink_every: Option<Duration>,
    /// What becomes of a session that was too slow for a High message. Default it is told, and goes
    /// on.
    pub when_high_lost: WhenHighLost,
}

impl Default for ForwardOptions {
    fn default() -> Self {
        Self {
            stalled_after: Duration::from_secs(60),
            reach: Duration::from_millis(250),
            check_sink_every: Some(Duration::from_secs(10)),
            when_high_lost: WhenHighLost::Tell,
        }
    }
}

/// What [`forward`](crate::forward) did, and why it stopped.
#[derive(Debug)]
#[non_exhaustive]
pub struct Forwarded<E> {
    /// Batches that were written and flushed.
    pub batches: u64,
    /// Messages in them, direct ones too.
    pub messages: u64,
    /// Messages that may not have arrived: those of a batch that was not written and flushed as a
    /// whole. They count as `unsent` in the room's [`RoomStats`](crate::stats::RoomStats).
    pub unsent: u64,
    /// Of the unsent, those that the sink took. It is known where there is one for each item of the
    /// batch (an encoder that tells gaps; of [`forward_batches`](crate::session::forward_batches), an `encode` that says so by its
    /// `size_hint`, as with a `Vec`); else 0.
    pub taken: u64,
    /// Where the client goes on when it comes back, if its session was in to the last: behind the
    /// batches that were written and flushed, or behind what it has acknowledged
    /// ([`Speaker::ack`](crate::Speaker::ack)), if it acknowledges. What a sink took may still not
    /// have arrived: only a client that acknowledges loses nothing that was on its way.
    pub token: Option<ResumeToken>,
    /// Why it stopped.
    pub end: ForwardEnd<E>,
}

impl<E> Forwarded<E> {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        let end = ForwardEnd::Stalled;
        Self { batches: 0, messages: 0, unsent: 0, taken: 0, token: None, end }
    }
}

/// Why [`forward`](crate::forward) stopped.
#[derive(Debug)]
#[non_exhaustive]
pub enum ForwardEnd<E> {
    /// The session ended; all that it was due has been written.
    Session(SessionEnd),
    /// The sink failed, at a write or while there was nothing to write.
    Sink(E),
    /// The sink took nothing for [`stalled_after`](ForwardOptions::stalled_after).
    Stalled,
    /// The session was too slow for a High message, and
    /// [`when_high_lost`](ForwardOptions::when_high_lost) says to close it then. It has been told.
    HighLost,
    /// The other half of a [connection](crate::connection::Connection::split) was dropped: it has
    /// left all its rooms.
    Left,
}
