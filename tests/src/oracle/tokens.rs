//! Law L5 said as a law: in every window, at most `burst + rate × T`. And its other side: what the
//! law allows is granted.

/// The grants of one bucket, and the windows that they begin.
///
/// It is not a bucket: it keeps the windows and looks at all of them. A window that begins at
/// `start` allows `burst + rate × T` and has used up `grants`. What is allowed now is the least
/// that any window allows. What another rate and burst take over from the former is a window,
/// too: one that begins with less than a burst.
#[derive(Clone, Debug)]
pub struct Tokens {
    rate: u128,
    period: u128,
    burst: u128,
    windows: Vec<Window>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    start: u64,
    /// What it allows where it begins, in parts of a token.
    size: u128,
    grants: u128,
}

impl Tokens {
    /// Nothing granted yet. The period is in nanoseconds.
    pub fn new(rate: u32, period: u64, burst: u32) -> Self {
        Self { rate: rate.into(), period: period.into(), burst: burst.into(), windows: Vec::new() }
    }

    /// From `now` on another rate and burst: what is allowed now is allowed still, as far as the
    /// new burst goes.
    #[must_use]
    pub fn become_of(&self, now: u64, rate: u32, period: u64, burst: u32) -> Self {
        let (parts, old, new) = (self.allowed(now).unwrap_or(0), self.period, u128::from(period));
        Self::holding(now, rate, period, burst, parts / old * new + parts % old * new / old)
    }

    /// As [`new`](Self::new), where at `now` no more is allowed than so many parts of a token.
    pub fn holding(now: u64, rate: u32, period: u64, burst: u32, parts: u128) -> Self {
        Self {
            windows: vec![Window { start: now, size: parts, grants: 0 }],
            ..Self::new(rate, period, burst)
        }
    }

    /// What may still pass at `now`, in parts of which a token has `period`; `None` when a window
    /// holds too many grants.
    fn allowed(&self, now: u64) -> Option<u128> {
        let full = self.burst * self.period;
        let mut least = full;
        for window in &self.windows {
            let size = window.size + self.rate * u128::from(now - window.start);
            least = least.min(size.checked_sub(window.grants * self.period)?);
        }
        Some(least)
    }

    /// Whole tokens at `now`.
    pub fn whole(&self, now: u64) -> u32 {
        let whole = self.allowed(now).unwrap_or(0) / self.period;
        u32::try_from(whole).unwrap_or(u32::MAX)
    }

    /// Whether one may pass and leave `keep`.
    pub fn may_pass(&self, now: u64, keep: u32) -> bool {
        u64::from(self.whole(now)) > u64::from(keep)
    }

    /// One passes. Answers whether every window still holds.
    pub fn pass(&mut self, now: u64) -> bool {
        self.windows.push(Window { start: now, size: self.burst * self.period, grants: 0 });
        for window in &mut self.windows {
            window.grants += 1;
        }
        let holds = self.allowed(now).is_some();
        if self.windows.len() > 512 {
            self.forget();
        }
        holds
    }

    /// The first instant from `now` on at which one may pass and leave `keep`; `None` when there is
    /// none.
    pub fn next(&self, now: u64, keep: u32) -> Option<u64> {
        let wanted = u128::from(keep) + 1;
        if wanted > self.burst {
            return None;
        }
        let opens = self.windows.iter().map(|window| {
            let missing = ((wanted + window.grants) * self.period).saturating_sub(window.size);
            u128::from(window.start) + missing.div_ceil(self.rate)
        });
        u64::try_from(opens.max().unwrap_or(0).max(u128::from(now))).ok()
    }

    /// All windows grow alike and each grant counts in all that are open, so the tightest of the
    /// older half stays the tightest.
    fn forget(&mut self) {
        let latest = self.windows.split_off(256);
        let now = latest[0].start;
        let more = u128::from(u64::MAX) * self.period;
        let size =
            |window: &Window| window.size + self.rate * u128::from(now - window.start) + more;
        let tightest = self
            .windows
            .iter()
            .min_by_key(|window| size(window) - window.grants * self.period)
            .copied();
        self.windows = tightest.into_iter().chain(latest).collect();
    }
}
