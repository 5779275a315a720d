//! A share, shown so that only all is 100% and only nothing is 0%.

use std::fmt;

/// So many out of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) part: u64,
    pub(crate) of: u64,
}

impl Share {
    /// As a number from 0 to 1; 0 of nothing.
    pub(crate) fn as_f64(self) -> f64 {
        if self.of == 0 { 0.0 } else { self.part as f64 / self.of as f64 }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded down: what lost one of a million was not all of it.
        let tenths = (u128::from(self.part) * 1_000).checked_div(u128::from(self.of));
        match tenths {
            None => f.pad("-"),
            Some(1_000) => f.pad("100%"),
            Some(0) if self.part > 0 => f.pad("<0.1%"),
            Some(0) => f.pad("0%"),
            Some(tenths) => f.pad(&format!("{}.{}%", tenths / 10, tenths % 10)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_all_is_all_and_only_nothing_is_nothing() {
        let shown = |part, of| Share { part, of }.to_string();
        assert_eq!([shown(5, 5), shown(0, 5), shown(0, 0)], ["100%", "0%", "-"]);
        assert_eq!(
            [shown(999_999, 1_000_000), shown(1, 1_000_000), shown(1, 3)],
            ["99.9%", "<0.1%", "33.3%"]
        );
    }
}
