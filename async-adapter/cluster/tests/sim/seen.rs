//! What a life had, to see that it was tried.

/// What a life had.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) said: u64,
    pub(crate) dispatched: u64,
    pub(crate) owners: u64,
    pub(crate) kills: u64,
    pub(crate) losses: u64,
    pub(crate) handed_over: u64,
    pub(crate) retired: u64,
    pub(crate) again: u64,
    pub(crate) lost: u64,
    pub(crate) gaps: u64,
    pub(crate) in_limbo: u64,
    pub(crate) closed: u64,
    pub(crate) withdrawn: u64,
}

impl Seen {
    pub(crate) fn add(&mut self, other: Self) {
        self.said += other.said;
        self.dispatched += other.dispatched;
        self.owners += other.owners;
        self.kills += other.kills;
        self.losses += other.losses;
        self.handed_over += other.handed_over;
        self.retired += other.retired;
        self.again += other.again;
        self.lost += other.lost;
        self.gaps += other.gaps;
        self.in_limbo += other.in_limbo;
        self.closed += other.closed;
        self.withdrawn += other.withdrawn;
    }
}
