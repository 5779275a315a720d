//! A payload that panics once in a run, where the run wants it to.

use crate::Payload;
use std::cell::Cell;
use std::panic::resume_unwind;

/// What panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bomb {
    None,
    Drop,
    Clone,
    Size,
}

thread_local! {
    static BOMB: Cell<Bomb> = const { Cell::new(Bomb::None) };
    static ALIVE: Cell<i64> = const { Cell::new(0) };
}

/// A run begins, in which this will go off once.
pub(super) fn begin(bomb: Bomb) {
    BOMB.set(bomb);
    ALIVE.set(0);
}

/// Payloads that there are.
pub(super) fn alive() -> i64 {
    ALIVE.get()
}

fn go_off(bomb: Bomb) {
    if BOMB.get() == bomb && bomb != Bomb::None && !std::thread::panicking() {
        BOMB.set(Bomb::None);
        // No hook hears of it.
        resume_unwind(Box::new("as wanted"));
    }
}

#[derive(Debug)]
pub(super) struct Fickle(u32);

impl Fickle {
    pub(super) fn new(size: u32) -> Self {
        ALIVE.set(ALIVE.get() + 1);
        Self(size)
    }
}

impl Clone for Fickle {
    fn clone(&self) -> Self {
        go_off(Bomb::Clone);
        Self::new(self.0)
    }
}

impl Drop for Fickle {
    fn drop(&mut self) {
        ALIVE.set(ALIVE.get() - 1);
        go_off(Bomb::Drop);
    }
}

impl Payload for Fickle {
    fn size(&self) -> usize {
        go_off(Bomb::Size);
        self.0 as usize
    }
}
