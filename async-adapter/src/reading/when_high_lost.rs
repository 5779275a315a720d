//! What becomes of a reader that has lost what matters: whoever is slow stays, unless the host says
//! otherwise.

/// What becomes of a connection whose session has missed a High message, because it was too slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenHighLost {
    /// It is told by a gap and goes on, as with any other message: slow is not dead.
    #[default]
    Tell,
    /// It is told by a gap, with what is there to be read, and is then closed: for clients that would
    /// rather come back and load what they show anew.
    Close,
}
