//! Where a session stands at each level, in 32 bits; the log's head supplies the rest.

use crate::priority::Priority;

/// Positions of one session, one for each level: the low halves.
pub(super) type Positions = [u32; Priority::NUM];

/// How far behind the hand lets a position fall: a quarter of what 32 bits tell apart. It looks at
/// one slot for each applied message, so it comes by long before the rest is used up: there are at
/// most 2³⁰ slots.
pub(super) const MAX_LAG: u32 = 1 << 30;

/// A session at one level: where its books start, where it stands, and the end that it reads up to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) cursor: u64,
    pub(super) end: u64,
}

impl Span {
    /// Returns the whole positions of which these are the low halves.
    #[inline]
    pub(super) const fn widen(start: u32, cursor: u32, end: u64) -> Self {
        Self { start: widen(end, start), cursor: widen(end, cursor), end }
    }
}

/// The whole position of which `low` is the low half, given a `head` that it is at most 2³² behind.
pub(super) const fn widen(head: u64, low: u32) -> u64 {
    head.wrapping_sub((head as u32).wrapping_sub(low) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_widen_across_the_wrap() {
        let border = 1_u64 << 32;
        for (head, position) in [
            (5, 5),
            (5, 0),
            (border + 3, border - 2),
            (border, border),
            (3 * border + 1, 2 * border + 2),
        ] {
            assert_eq!(widen(head, position as u32), position);
        }
    }
}
