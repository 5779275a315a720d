//! Where a session stands at each level, in 32 bits; the log's head supplies the rest.

use crate::priority::Priority;

/// Positions of one session, one for each level: the low halves.
pub(super) type Positions = [u32; Priority::NUM];

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
