//! The mailbox of one connection: what the host says to it beside the room, until the pump's task
//! writes it. It is bounded, whatever a peer asks for and however slow the task is.

use crate::drive::latch::Latch;
use crate::room::token::ResumeToken;
use crate::sync::Arc;
use crate::sync::Mutex;
use bytes::Bytes;
use std::collections::VecDeque;
use std::task::{Context, Poll};

/// Bytes of the host's own for one connection, for
/// [`Pumped::control`](crate::pump::Pumped::control). Plain [`Bytes`] are a [`Frame`](Self::Frame).
///
/// They go before the room's messages: next but for the message that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Control {
    /// Something that is written as it is, in the order in which it was given. Refused while too
    /// many wait.
    Frame(Bytes),
    /// The answer to a ping. A newer one takes the place of one whose writing has not begun: a peer
    /// that sends many pings gets the answer to the newest, which is all that RFC 6455 (section
    /// 5.5.3) asks for. Written behind the frames that wait.
    Pong(Bytes),
    /// A close, or the answer to one. It has a place of its own and is written behind the frames
    /// and the pong that wait; nothing follows it, of the room's or of the host's, and the
    /// connection goes once it is out (RFC 6455, section 5.5.1). What of the room's messages has
    /// not begun by then is unsent, and comes again to who resumes. The first one counts.
    Close(Bytes),
}

impl Control {
    /// The maximum number of bytes of a pong or a close: those of a whole WebSocket control frame
    /// that is not masked (RFC 6455, section 5.5).
    pub const MAX_ANSWER: usize = 127;
}

impl From<Bytes> for Control {
    fn from(bytes: Bytes) -> Self {
        Self::Frame(bytes)
    }
}

/// Why [`Pumped::control`](crate::pump::Pumped::control) did not take something. It is dropped; a
/// host that means to try again keeps a clone, which costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlRefused {
    /// As many frames, or as many bytes in them, wait as may: the peer does not read what it asks
    /// for.
    #[error(
        "control queue full: no room for {size} bytes more beside {frames} frames with {bytes} \
         bytes (limit {max_frames} frames, {max_bytes} bytes)"
    )]
    Full {
        /// Frames that wait.
        frames: usize,
        /// Bytes in them.
        bytes: usize,
        /// Bytes of the one that was refused.
        size: usize,
        /// The maximum number of frames:
        /// [`PumpOptions::control_frames`](crate::pump::PumpOptions::control_frames).
        max_frames: usize,
        /// The maximum number of bytes:
        /// [`PumpOptions::control_bytes`](crate::pump::PumpOptions::control_bytes).
        max_bytes: usize,
    },
    /// It would not fit even if none waited.
    #[error("control frame too large: {size} bytes (limit {max})")]
    TooLarge {
        /// Its bytes.
        size: usize,
        /// The most it may have.
        max: usize,
    },
    /// The session has ended, or its connection has, or is about to: it was given a close.
    #[error("the connection has ended")]
    Ended,
}

/// How much may wait for one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
}

/// What became of something that was posted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Posted {
    /// The task has to be told. It is told once, however much comes until it has taken all.
    pub(crate) tell: bool,
    /// Something older was replaced.
    pub(crate) replaced: bool,
}

/// What waits for one connection, and what the host hears of it. Readers post, the pump's task
/// takes. Nothing is dropped under its lock: that may run foreign code.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    inside: Mutex<Inside>,
    /// Once the connection has gone: where its client goes on.
    end: Latch<Option<ResumeToken>>,
}

#[derive(Debug, Default)]
struct Inside {
    /// Nothing is kept for a connection that nobody says anything to.
    waiting: Option<Box<Waiting>>,
    /// The task has been told and has not yet found the mailbox empty.
    told: bool,
    /// Nothing more is taken in: the last thing waits, or the task has let go.
    closed: bool,
}

/// What waits, in the order in which it is written.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    frames: VecDeque<Bytes>,
    /// Bytes in `frames`.
    bytes: usize,
    pong: Option<Bytes>,
    close: Option<Bytes>,
}

impl Iterator for Waiting {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if let Some(frame) = self.frames.pop_front() {
            self.bytes -= frame.len();
            return Some(frame);
        }
        self.pong.take().or_else(|| self.close.take())
    }
}

impl Inside {
    fn is_ending(&self) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| waiting.is_ending())
    }

    /// Takes something in, and returns with it what is to be dropped outside the lock.
    fn put(
        &mut self,
        control: Control,
        limits: Limits,
    ) -> (Result<Posted, ControlRefused>, Option<Bytes>) {
        if self.closed {
            return (Err(ControlRefused::Ended), Some(control.into_bytes()));
        }
        let waiting = self.waiting.get_or_insert_default();
        let replaced = match control {
            Control::Frame(frame) => {
                if waiting.frames.len() >= limits.frames
                    || frame.len() > limits.bytes - waiting.bytes
                {
                    return (Err(waiting.full(frame.len(), limits)), Some(frame));
                }
                waiting.bytes += frame.len();
                waiting.frames.push_back(frame);
                None
            }
            Control::Pong(pong) => waiting.pong.replace(pong),
            Control::Close(close) => {
                waiting.close = Some(close);
                self.closed = true;
                // The task is told once more: it ends the connection, whatever else it has to do.
                self.told = false;
                None
            }
        };
        let tell = !std::mem::replace(&mut self.told, true);
        (Ok(Posted { tell, replaced: replaced.is_some() }), replaced)
    }
}

impl Waiting {
    /// Nothing may follow what waits.
    pub(crate) fn is_ending(&self) -> bool {
        self.close.is_some()
    }

    fn full(&self, size: usize, limits: Limits) -> ControlRefused {
        ControlRefused::Full {
            frames: self.frames.len(),
            bytes: self.bytes,
            size,
            max_frames: limits.frames,
            max_bytes: limits.bytes,
        }
    }
}

impl Control {
    fn into_bytes(self) -> Bytes {
        match self {
            Self::Frame(bytes) | Self::Pong(bytes) | Self::Close(bytes) => bytes,
        }
    }

    fn check(&self, limits: Limits) -> Result<(), ControlRefused> {
        let (size, max) = match self {
            Self::Frame(bytes) => (bytes.len(), limits.bytes),
            Self::Pong(bytes) | Self::Close(bytes) => (bytes.len(), Self::MAX_ANSWER),
        };
        if size > max { Err(ControlRefused::TooLarge { size, max }) } else { Ok(()) }
    }
}

impl Mailbox {
    pub(crate) fn post(&self, control: Control, limits: Limits) -> Result<Posted, ControlRefused> {
        control.check(limits)?;
        let (posted, old) = self.inside.lock().put(control, limits);
        drop(old);
        posted
    }

    /// The next one to be written. When there is none, whoever posts again has to tell the task.
    /// What ends with a close is left for [`take_ending`](Self::take_ending).
    fn take(&self) -> Option<Bytes> {
        let mut inside = self.inside.lock();
        if inside.is_ending() {
            return None;
        }
        let next = inside.waiting.as_mut().and_then(Iterator::next);
        if next.is_none() {
            // Empty, so no foreign code runs when it is dropped.
            inside.waiting = None;
            inside.told = false;
        }
        next
    }

    /// What waits, if its last is a close.
    fn take_ending(&self) -> Option<Box<Waiting>> {
        let mut inside = self.inside.lock();
        if inside.is_ending() { inside.waiting.take() } else { None }
    }

    /// Takes nothing more in, and returns what waits.
    fn close(&self) -> Option<Box<Waiting>> {
        let mut inside = self.inside.lock();
        inside.closed = true;
        inside.waiting.take()
    }

    /// Whether the connection has gone, and where its client goes on.
    pub(crate) fn poll_end(&self, cx: &mut Context<'_>) -> Poll<Option<ResumeToken>> {
        self.end.poll(cx).map(Clone::clone)
    }
}

/// The task's end of a mailbox. Wherever it is dropped, the mailbox is closed and emptied: nobody
/// would come by.
#[derive(Debug)]
pub(crate) struct Inbox(Arc<Mailbox>);

impl Inbox {
    pub(crate) fn new(mailbox: &Arc<Mailbox>) -> Self {
        Self(Arc::clone(mailbox))
    }

    /// The next one to be written.
    pub(crate) fn take(&self) -> Option<Bytes> {
        self.0.take()
    }

    /// What waits, if its last is a close.
    pub(crate) fn take_ending(&self) -> Option<Box<Waiting>> {
        self.0.take_ending()
    }

    /// Takes nothing more in, and returns what waits.
    pub(crate) fn close(&self) -> Option<Box<Waiting>> {
        self.0.close()
    }

    /// The connection is about to go, and its client goes on here. Who waits is told when it has
    /// gone.
    pub(crate) fn hand_out(&self, token: Option<ResumeToken>) {
        self.0.end.set(token);
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        drop(self.0.close());
        self.hand_out(None);
        self.0.end.tell();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { frames: 3, bytes: 10 };

    fn frame(bytes: &'static [u8]) -> Control {
        Bytes::from_static(bytes).into()
    }

    fn pong(bytes: &'static [u8]) -> Control {
        Control::Pong(Bytes::from_static(bytes))
    }

    /// Frames keep their order among themselves.
    #[test]
    fn frames_then_the_newest_pong_then_the_close() {
        let mailbox = Mailbox::default();
        let close = Control::Close(Bytes::from_static(b"close"));
        let posts = [pong(b"old"), frame(b"a"), pong(b"new"), frame(b"b"), close];
        let posted = posts.map(|post| mailbox.post(post, LIMITS).unwrap());
        assert_eq!(posted.each_ref().map(|posted| posted.tell), [true, false, false, false, true]);
        assert_eq!(posted.map(|posted| posted.replaced), [false, false, true, false, false]);
        assert_eq!(mailbox.take(), None, "what ends with a close is taken whole");
        let taken: Vec<Bytes> = mailbox.take_ending().into_iter().flatten().collect();
        assert_eq!(taken, ["a", "b", "new", "close"]);
        assert!(mailbox.inside.lock().waiting.is_none(), "an empty one keeps nothing");
    }

    #[test]
    fn nothing_is_taken_in_behind_a_close() {
        let mailbox = Mailbox::default();
        let close = || Control::Close(Bytes::from_static(b"close"));
        mailbox.post(close(), LIMITS).unwrap();
        for late in [frame(b"late"), pong(b"late"), close()] {
            assert_eq!(mailbox.post(late, LIMITS), Err(ControlRefused::Ended));
        }
    }

    #[test]
    fn whoever_posts_again_tells_the_task() {
        let mailbox = Mailbox::default();
        let posts = [frame(b"a"), frame(b"b")].map(|post| mailbox.post(post, LIMITS).unwrap());
        assert_eq!(posts.map(|posted| posted.tell), [true, false]);
        assert_eq!(std::iter::from_fn(|| mailbox.take()).count(), 2);
        assert!(mailbox.inside.lock().waiting.is_none(), "an empty one keeps nothing");
        assert_eq!(mailbox.post(frame(b"c"), LIMITS), Ok(Posted { tell: true, replaced: false }));
    }

    /// The answers have places of their own.
    #[test]
    fn frames_are_bounded_by_count_and_bytes() {
        let mailbox = Mailbox::default();
        mailbox.post(frame(b"12345"), LIMITS).unwrap();
        let full = mailbox.post(frame(b"123456"), LIMITS).unwrap_err();
        assert_eq!(
            full,
            ControlRefused::Full { frames: 1, bytes: 5, size: 6, max_frames: 3, max_bytes: 10 }
        );
        let text = "control queue full: no room for 6 bytes more beside 1 frames with 5 bytes \
                    (limit 3 frames, 10 bytes)";
        assert_eq!(full.to_string(), text);
        mailbox.post(frame(b"12345"), LIMITS).unwrap();
        mailbox.post(frame(b""), LIMITS).unwrap();
        let full = mailbox.post(frame(b""), LIMITS).unwrap_err();
        assert_eq!(
            full,
            ControlRefused::Full { frames: 3, bytes: 10, size: 0, max_frames: 3, max_bytes: 10 }
        );
        let too_large = mailbox.post(frame(b"12345678901"), LIMITS).unwrap_err();
        assert_eq!(too_large.to_string(), "control frame too large: 11 bytes (limit 10)");
        mailbox.post(pong(b"a pong of more than the bytes"), LIMITS).unwrap();
        mailbox.post(Control::Close(Bytes::from_static(&[8; 127])), LIMITS).unwrap();
        let too_large =
            mailbox.post(Control::Close(Bytes::from_static(&[8; 128])), LIMITS).unwrap_err();
        assert_eq!(too_large, ControlRefused::TooLarge { size: 128, max: 127 });
    }

    #[test]
    fn nothing_is_taken_in_once_the_task_has_let_go() {
        let mailbox = Arc::new(Mailbox::default());
        let inbox = Inbox::new(&mailbox);
        mailbox.post(frame(b"a"), LIMITS).unwrap();
        drop(inbox);
        assert_eq!(mailbox.take(), None);
        assert_eq!(mailbox.post(pong(b"b"), LIMITS), Err(ControlRefused::Ended));
    }
}
