//! A user's profile, as a room keeps it.

use alloc::sync::Arc;

/// A profile and its size, as it was when the profile was given: to ask runs code of the host's.
#[derive(Debug, PartialEq)]
pub(crate) struct Profile<M> {
    pub(crate) content: Arc<M>,
    pub(crate) size: u32,
}

impl<M> From<(Arc<M>, usize)> for Profile<M> {
    /// One whose size is within the limit of the room.
    #[inline]
    fn from((content, size): (Arc<M>, usize)) -> Self {
        Self { content, size: size as u32 }
    }
}

impl<M> Clone for Profile<M> {
    #[inline]
    fn clone(&self) -> Self {
        Self { content: Arc::clone(&self.content), size: self.size }
    }
}
