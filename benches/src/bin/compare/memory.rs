//! Whether the memory is there for a contender, before it is asked for.

/// Parts of the available memory that a contender may take: the rest is for everyone else on the
/// machine.
const SHARE: (u64, u64) = (4, 5);

/// Bytes that a contender may take; `None` where the system does not tell what is available (it
/// does on Linux).
pub(crate) fn allowed() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib = line.split_whitespace().next()?.parse::<u64>().ok()?;
    Some(kib * 1_024 / SHARE.1 * SHARE.0)
}

/// Why a contender that needs so many bytes is skipped; `None` when it is not.
pub(crate) fn too_much(needs: u64, allowed: Option<u64>) -> Option<String> {
    let allowed = allowed.filter(|&allowed| needs > allowed)?;
    Some(format!(
        "needs about {} MiB of memory, and may take {} MiB",
        needs.div_ceil(1 << 20),
        allowed >> 20
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_does_not_fit_is_too_much() {
        assert_eq!(too_much(100 << 20, None), None);
        assert_eq!(too_much(100 << 20, Some(100 << 20)), None);
        let skipped = "needs about 101 MiB of memory, and may take 100 MiB";
        assert_eq!(too_much((100 << 20) + 1, Some(100 << 20)).as_deref(), Some(skipped));
    }
}
