//! What a check answers when a law is broken.

use std::fmt;

/// Which promise was broken. Those with a number are the laws of DESIGN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// The books of the messages balance.
    L1Messages,
    /// The books of the deliveries balance.
    L2Deliveries,
    /// The higher priority goes first.
    L3Priority,
    /// First in, first out; whose turn it is.
    L4Order,
    /// The rate, and that no token is withheld.
    L5Rate,
    /// Everything has a bound.
    L7Bounded,
    /// Nothing is lost: a refusal returns the payload.
    L8NothingLost,
    /// The same calls, the same answers.
    L9Deterministic,
    /// Nothing goes out that is older than it may be.
    L11Age,
    /// Every message has one fate, however many owners its room has had.
    L12OneFate,
    /// Numbers and positions have no hole over all owners.
    L13NoHole,
    /// No member gets what its sender was not told as dispatched.
    L14Told,
    /// A call that was refused or was wrong changes nothing but the clock and the books of what was
    /// refused.
    Unchanged,
    /// One outcome for each accepted message; presence; closings.
    Events,
    /// Who is in.
    Members,
    /// What a session gets.
    Batches,
    /// When the room wants to be called.
    Timeouts,
    /// Each message that was offered has exactly one record in the audit, or is counted as missed.
    Audit,
    /// A hub's room answers, tells and books as the core's does.
    Hub,
}

/// A broken promise, with what was expected and what was found.
#[derive(Clone, PartialEq, Eq)]
pub struct Violation {
    /// The promise.
    pub law: Law,
    /// The number of the operation after which it was broken, from 0.
    pub step: usize,
    /// What was looked at.
    pub what: String,
    /// What the oracle says.
    pub expected: String,
    /// What the room says.
    pub found: String,
}

/// What a check answers.
pub type Check = Result<(), Violation>;

impl Violation {
    /// A broken promise; [`at`](Self::at) tells the operation.
    pub fn new(
        law: Law,
        what: impl fmt::Display,
        expected: impl fmt::Debug,
        found: impl fmt::Debug,
    ) -> Self {
        Self {
            law,
            step: 0,
            what: what.to_string(),
            expected: format!("{expected:?}"),
            found: format!("{found:?}"),
        }
    }

    /// After this operation.
    pub fn at(mut self, step: usize) -> Self {
        self.step = step;
        self
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { law, step, what, expected, found } = self;
        write!(
            f,
            "{law:?} after operation {step}: {what}\n  expected {expected}\n  found    {found}"
        )
    }
}

impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Violation {}

/// What is looked at, put into words only where a promise is broken.
pub fn in_words(words: impl Fn(&mut fmt::Formatter<'_>) -> fmt::Result) -> impl fmt::Display {
    InWords(words)
}

struct InWords<F>(F);

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> fmt::Display for InWords<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0(f)
    }
}

/// Whether two values are the same. `what` is put into words only if they are not: there are
/// thousands of these for each operation.
pub fn same<T: PartialEq + fmt::Debug>(
    law: Law,
    what: impl fmt::Display,
    expected: T,
    found: T,
) -> Check {
    if expected == found { Ok(()) } else { Err(Violation::new(law, what, expected, found)) }
}
