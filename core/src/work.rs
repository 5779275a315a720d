//! How much one call may still do.

/// The maximum number of messages that one call expires, dispatches or drops. If more is due,
/// `poll_timeout` returns an instant that is already due.
pub(crate) const MAX_WORK: u32 = 1_024;

/// What one call may still do, in messages: handed on to everything that the call brings about, so
/// that all of it together stays within one bound.
#[derive(Debug)]
pub(crate) struct WorkLimit {
    left: u32,
}

impl WorkLimit {
    /// Returns the limit of a call that begins.
    #[inline]
    pub(crate) const fn per_call() -> Self {
        Self { left: MAX_WORK }
    }

    /// Takes the work of one message; returns whether there was any left for it.
    #[inline]
    pub(crate) fn take(&mut self) -> bool {
        let is_granted = self.left > 0;
        self.left -= u32::from(is_granted);
        is_granted
    }

    /// Returns whether the call has done all it may.
    #[inline]
    pub(crate) const fn is_spent(&self) -> bool {
        self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_may_do_so_much_and_no_more() {
        let mut work = WorkLimit::per_call();
        let taken = (0..3 * MAX_WORK).filter(|_| work.take()).count();
        assert_eq!((taken, work.is_spent(), work.take()), (MAX_WORK as usize, true, false));
    }
}
