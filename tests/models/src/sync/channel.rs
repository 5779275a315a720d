//! A channel with the calls of `crossbeam-channel` that the adapter makes.

use super::{Arc, Mutex};
use std::collections::VecDeque;
use std::fmt;

struct Inside<T> {
    queue: VecDeque<T>,
    senders: usize,
    has_receiver: bool,
}

pub(crate) struct Sender<T>(Arc<Mutex<Inside<T>>>);
pub(crate) struct Receiver<T>(Arc<Mutex<Inside<T>>>);

#[derive(Debug)]
pub(crate) struct SendError<T>(pub(crate) T);

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TryRecvError {
    Empty,
    Disconnected,
}

pub(crate) fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    let inside = Inside { queue: VecDeque::new(), senders: 1, has_receiver: true };
    let inside = Arc::new(Mutex::new(inside));
    (Sender(Arc::clone(&inside)), Receiver(inside))
}

impl<T> Sender<T> {
    pub(crate) fn send(&self, value: T) -> Result<(), SendError<T>> {
        let mut inside = self.0.lock();
        if !inside.has_receiver {
            return Err(SendError(value));
        }
        inside.queue.push_back(value);
        Ok(())
    }
}

impl<T> Receiver<T> {
    pub(crate) fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut inside = self.0.lock();
        let none =
            if inside.senders == 0 { TryRecvError::Disconnected } else { TryRecvError::Empty };
        inside.queue.pop_front().ok_or(none)
    }

    pub(crate) fn try_iter(&self) -> impl Iterator<Item = T> {
        std::iter::from_fn(|| self.try_recv().ok())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().queue.is_empty()
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.lock().senders -= 1;
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let queue = {
            let mut inside = self.0.lock();
            inside.has_receiver = false;
            std::mem::take(&mut inside.queue)
        };
        drop(queue);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receiver")
    }
}
