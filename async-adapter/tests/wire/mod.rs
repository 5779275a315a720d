//! A connection in memory, whose other end the test holds.

use parking_lot::Mutex;
use roomcast::Transport;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// A connection in memory: takes so many bytes, then nothing until it is given room.
#[derive(Clone, Debug)]
pub(crate) struct Wire(Arc<Mutex<Inside>>);

#[derive(Debug)]
struct Inside {
    taken: Vec<u8>,
    room: usize,
    waker: Option<Waker>,
    is_broken: bool,
    is_dropped: bool,
}

/// What the pump holds of it.
#[derive(Debug)]
pub(crate) struct End(Wire);

impl Wire {
    pub(crate) fn with_room(room: usize) -> Self {
        Self(Arc::new(Mutex::new(Inside {
            taken: Vec::new(),
            room,
            waker: None,
            is_broken: false,
            is_dropped: false,
        })))
    }

    pub(crate) fn open() -> Self {
        Self::with_room(usize::MAX)
    }

    pub(crate) fn end(&self) -> End {
        End(self.clone())
    }

    pub(crate) fn give(&self, room: usize) {
        let mut inside = self.0.lock();
        inside.room = room;
        if let Some(waker) = inside.waker.take() {
            waker.wake();
        }
    }

    pub(crate) fn break_it(&self) {
        self.0.lock().is_broken = true;
        self.give(1);
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().taken.clone()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }

    pub(crate) fn is_dropped(&self) -> bool {
        self.0.lock().is_dropped
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.0.0.lock().is_dropped = true;
    }
}

impl Transport for End {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inside = self.0.0.lock();
        if inside.is_broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let count = bytes.len().min(inside.room);
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        inside.room -= if inside.room == usize::MAX { 0 } else { count };
        inside.taken.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inside = self.0.0.lock();
        if inside.room > 0 || inside.is_broken {
            return Poll::Ready(Ok(()));
        }
        inside.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
