//! What the processes of a run tell each other.

use crate::contender::Contender;
use crate::load::Load;
use roomcast_benches::books::Books;
use roomcast_benches::record::Wire;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// What a server process is started with.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Serve {
    pub(crate) contender: Contender,
    pub(crate) load: Load,
}

/// What a client process is started with.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) address: SocketAddr,
    pub(crate) wire: Wire,
    pub(crate) load: Load,
    /// Which of the run's connections are its own: from this one on, so many.
    pub(crate) first: u32,
    pub(crate) count: u32,
}

/// What the children are told.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// To a server: answer once so many connections are in.
    Await { connections: u32 },
    /// Publish from now on; what is offered from one instant until the other counts.
    Measure { from: u64, to: u64 },
    /// Nothing more is published. To clients: read what is left, up to so many messages a
    /// connection, and answer. To a server: answer what was written in all.
    Finish { messages: u64 },
}

/// A server's first words.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Listening {
    pub(crate) address: SocketAddr,
}

/// A server's answer to [`Order::Await`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Inside {
    pub(crate) connections: u64,
}

/// What a server has written so far.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Calls that write to a socket.
    pub(crate) writes: u64,
    /// Bytes that sockets took.
    pub(crate) bytes: u64,
    /// Messages that sockets took, to the last byte.
    pub(crate) messages: u64,
    /// Connections that cannot take more, where the server knows.
    pub(crate) blocked: Option<u64>,
    /// Connections that were given up because they took nothing.
    pub(crate) stalled: u64,
}

/// What became of what was offered, by level.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Fates {
    pub(crate) offered: [u64; 4],
    /// Went out to everyone.
    pub(crate) dispatched: [u64; 4],
    /// Wait to go out.
    pub(crate) queued: u64,
    /// Whether the room's books balance; `None` where there is no room.
    pub(crate) balances: Option<bool>,
}

/// A server's answer to [`Order::Measure`], once all that was offered has gone out or has been
/// shed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Window {
    /// Processor time, user's and system's together.
    pub(crate) cpu_ns: u64,
    /// The system's part of it, as far as ticks of 10 ms tell.
    pub(crate) system_share: f64,
    pub(crate) seconds: f64,
    /// What was written in the window; `blocked` is that of its end.
    pub(crate) counts: Counts,
    /// Bytes that were written from the first message on until the end of the window.
    pub(crate) bytes_in_time: u64,
    /// From the first message on.
    pub(crate) fates: Fates,
}

/// A server's answer to [`Order::Finish`], from the first message on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Totals {
    pub(crate) counts: Counts,
    pub(crate) fates: Fates,
}

/// A client process's first words.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Connected {
    pub(crate) connections: u32,
    /// Why they are not all that it was asked for.
    pub(crate) stopped_by: Option<String>,
}

/// How often each time was seen, in nanoseconds.
pub(crate) type Times = Vec<(u64, u64)>;

/// What the connections of one kind saw, from the first message on; times are those of the window.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) connections: u64,
    pub(crate) received: [u64; 4],
    /// Messages that a server said were missed.
    pub(crate) told: u64,
    /// Messages that are missing and nobody said so, or that came twice.
    pub(crate) untold: u64,
    /// Received and told: the connection that has the least, and the one that has the most.
    pub(crate) least: u64,
    pub(crate) most: u64,
    /// Connections that the server closed.
    pub(crate) closed: u64,
    /// Bytes that the kernel takes for a connection before they are read, where it was asked for
    /// few.
    pub(crate) receive_buffer: Option<u64>,
    pub(crate) high: Times,
    pub(crate) normal: Times,
}

impl Seen {
    /// What one connection saw.
    pub(crate) fn by(books: &Books, is_closed: bool, receive_buffer: Option<u64>) -> Self {
        Self {
            connections: 1,
            received: books.received(),
            told: books.told(),
            untold: books.untold(),
            least: books.accounted(),
            most: books.accounted(),
            closed: is_closed.into(),
            receive_buffer,
            ..Self::default()
        }
    }

    /// Adds what others of the same kind saw.
    pub(crate) fn add(&mut self, other: Self) {
        if other.connections == 0 {
            return;
        }
        self.least = if self.connections == 0 { other.least } else { self.least.min(other.least) };
        self.most = self.most.max(other.most);
        self.connections += other.connections;
        self.received.iter_mut().zip(other.received).for_each(|(mine, others)| *mine += others);
        self.told += other.told;
        self.untold += other.untold;
        self.closed += other.closed;
        self.receive_buffer = self.receive_buffer.max(other.receive_buffer);
        self.high.extend(other.high);
        self.normal.extend(other.normal);
    }
}

/// A client process's answer to [`Order::Finish`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) fast: Seen,
    pub(crate) slow: Seen,
    /// Bytes of all connections, from the first message on.
    pub(crate) bytes: u64,
    /// Those of them that were read before the window ended.
    pub(crate) bytes_in_time: u64,
    /// Something that no server here writes.
    pub(crate) trouble: Option<String>,
}
