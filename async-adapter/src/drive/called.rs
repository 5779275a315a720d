//! Whether whoever looks after something has been called to it, so that many calls are one.

use crate::sync::atomic::{AtomicBool, Ordering};

/// A call that stands until it is answered.
///
/// Who calls does so after the work is there; who answers looks for work after that. Then none is
/// left over: either the call is the first and tells, or the answer that is to come sees all that
/// was there before the call.
#[derive(Debug, Default)]
pub(crate) struct Called(AtomicBool);

impl Called {
    /// Calls. Returns whether no other call stands: then whoever answers has to be told.
    #[inline]
    pub(crate) fn call(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    /// Answers, and returns whether a call stood. What was there before any call up to now is seen
    /// from here on. That takes a `swap`: a `store` sees nothing of who called and found that
    /// another call stands.
    #[inline]
    pub(crate) fn answer(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}
