//! The operations: each is one call, in small numbers.

/// One call, in small numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary, serde::Serialize))]
pub enum Op {
    /// `publish` by a session that was given out, most often one that is in.
    Speak {
        /// Which session.
        who: u8,
        /// The priority.
        level: u8,
        /// The size: 0 to 71, of which 64 are allowed.
        size: u8,
        /// How to report.
        outcome_sink: u8,
        /// What it may be merged by, what it stands for, its key, its counter: by tables.
        more: (u8, u8),
    },
    /// `publish` by the host.
    Host {
        /// The priority.
        level: u8,
        /// The size.
        size: u8,
        /// How to report.
        outcome_sink: u8,
        /// As when somebody speaks.
        more: (u8, u8),
    },
    /// `publish` of what comes from an edge.
    Forward {
        /// The user.
        user: u8,
        /// The session that sent it.
        who: Option<u8>,
        /// The priority, the size, how to report.
        what: (u8, u8, u8),
        /// As when somebody speaks.
        more: (u8, u8),
        /// How old it is, and what else comes with it: from 128 on nothing does.
        hop: (u8, u8),
    },
    /// Something is broadcast to every room, up to 70 times; then this one hears it, or not yet.
    Broadcast {
        /// The priority.
        level: u8,
        /// The size.
        size: u8,
        /// How many times; from 128 on the room hears it at once.
        times: u8,
    },
    /// `review`, of one of the tickets that were given out.
    Decide {
        /// Which.
        which: u8,
        /// Which verdict.
        verdict: u8,
    },
    /// `join` by a guest, the owner or one of five users; from 128 on to be swept in group 1.
    Join {
        /// Who.
        user: u8,
        /// On a connection that had a session.
        known: Option<u8>,
        /// Which levels it does not want: below 64 none, else a bit for each.
        mask: u8,
        /// With which of the tokens that were taken, and from 160 on in which way that was
        /// tampered with.
        resume: Option<(u8, u8)>,
        /// With a profile of this size: 0 to 19, of which 16 are allowed.
        profile: Option<u8>,
    },
    /// `next_batch`.
    Batch {
        /// Which session.
        who: u8,
        /// Messages at the most: 0 to 7; from 128 on the usual budget.
        messages: u8,
        /// Bytes at the most.
        bytes: u8,
    },
    /// `sweep`.
    Sweep {
        /// The first slot and how many; from 128 on the first is one of group 1.
        slots: (u8, u8),
        /// Messages for each at the most: 0 to 7; from 128 on the usual budget.
        messages: u8,
        /// Bytes for each at the most.
        bytes: u8,
        /// Which slots take nothing, a bit for each of eight.
        busy: u8,
    },
    /// `send_direct`.
    Direct {
        /// To which session; from 192 on to which user.
        to: u8,
        /// The priority.
        level: u8,
        /// The size: 0 to 71, of which 64 are allowed.
        size: u8,
    },
    /// `resume_token_at`.
    Token {
        /// Of which session.
        who: u8,
        /// At what it was handed, what it has acknowledged or what is due: one of four.
        at: u8,
    },
    /// `ack`.
    Ack {
        /// Which session.
        who: u8,
        /// The level.
        level: u8,
        /// How many before the last number that there is; 0 for one that there is not yet.
        back: u8,
    },
    /// `resume_token_at` and `close_session` of one session, and then a `join` with that token.
    Return {
        /// Which session.
        who: u8,
        /// At what it was handed, what it has acknowledged or what is due: one of four.
        at: u8,
        /// In which way the token was tampered with: from 160 on.
        twist: u8,
    },
    /// `set_masked_levels`.
    LevelSet {
        /// Which session.
        who: u8,
        /// Which levels: below 64 none, else a bit for each.
        levels: u8,
    },
    /// `leave`.
    Leave {
        /// Who.
        user: u8,
    },
    /// `close_session`.
    Gone {
        /// Which session.
        who: u8,
    },
    /// `end_session` or `move_session`.
    End {
        /// Which session.
        who: u8,
        /// The size of the last words: 0 to 71, of which 64 are allowed; from 128 on there are none.
        /// Odd: it is moved.
        farewell: u8,
    },
    /// `touch`.
    Touch {
        /// Which session.
        who: u8,
    },
    /// A call that deals with users.
    Moderate {
        /// Which call, and for from 128 on two users at once.
        act: u8,
        /// By whom: a user, or from 6 on the host.
        actor: u8,
        /// To whom.
        user: u8,
        /// For how long, by a table from no time to for good.
        time: u8,
    },
    /// `retract`, of what has gone out, of what waits, or of all of a user's.
    Retract {
        /// Which of these: one of four.
        what: u8,
        /// How many before the last number that there is, or whose.
        of: u8,
        /// By whom: a user, or from 6 on the host.
        actor: u8,
    },
    /// `pin`, or from 160 on `unpin`.
    Pin {
        /// Under which of five numbers.
        id: u8,
        /// The size: 0 to 71, of which 64 are allowed.
        size: u8,
        /// By whom: a user, or from 6 on the host.
        actor: u8,
    },
    /// `write_attributes` or `write_attributes_of`, one change or two.
    Attribute {
        /// Which keys: two of seven, one of which is too long.
        keys: (u8, u8),
        /// The sizes of the values; `None` takes the key away.
        sizes: (Option<u8>, Option<u8>),
        /// Based on a version so far behind, or on none; from 160 on a user's.
        behind: u8,
    },
    /// A call of a counter.
    Count {
        /// Which.
        key: u8,
        /// Which call, and with what.
        act: u8,
    },
    /// `export`, and `import` of the same.
    Restart,
    /// `set_profile`; above 40 bytes it is too large.
    Profile {
        /// Who.
        user: u8,
        /// The size; `None` takes it away.
        size: Option<u8>,
    },
    /// `poll_event`, so many times.
    Poll {
        /// How many times: 0 to 15.
        times: u8,
    },
    /// `take_audit_record`, so many times.
    Audit {
        /// How many times: 0 to 15.
        times: u8,
    },
    /// `wake`.
    Wake,
    /// `handle_timeout` now, whether or not it is due.
    Tick,
    /// `handle_timeout` at the very instant it is due, after one a nanosecond early that must
    /// change nothing.
    OnTime,
    /// The clock moves on by so many units of a nanosecond, a microsecond, a millisecond or a
    /// minute.
    Wait {
        /// How many.
        count: u8,
        /// Of what.
        unit: u8,
    },
    /// The clock is read so many milliseconds back, for the next calls.
    Back {
        /// How many.
        millis: u8,
    },
    /// One call whose time is far off, and then the clock is right again.
    Astray {
        /// Which call, and by whom.
        call: u8,
        /// How far ahead, by a table from a second to the end of time.
        far: u8,
    },
    /// `close`, rarely: by the host, the owner or somebody else.
    Close {
        /// Who, and whether at all: one value in eight.
        by: u8,
    },
    /// `reconfigure`.
    Reconfigure {
        /// Which settings, a bit for each group of them; and one that is fixed, by a table that
        /// mostly says none.
        what: (u32, u8),
        /// The numbers of the new ones.
        to: [u8; 4],
    },
    /// `trim`.
    Trim {
        /// How many bytes; from 240 on all.
        bytes: u8,
    },
    /// `set_memory`.
    Memory {
        /// What is left: by thirds enough, less for what does not give way, and nothing.
        left: u8,
    },
    /// A call with a session id that nobody was given.
    Stranger {
        /// Which call.
        call: u8,
        /// The id.
        bits: (u8, u32),
    },
    /// `join` by so many, one after the other: guests, or from 128 on each another user.
    Throng {
        /// Who is the first; from 64 to 127 and from 192 on to be swept in group 1.
        user: u8,
        /// How many.
        count: u8,
    },
    /// `publish` by one session, by the newest sixteen in turn, or from 128 on by other users at an
    /// edge: four times so many, one after the other.
    Burst {
        /// By whom: below 64 all by one.
        who: u8,
        /// The priority.
        level: u8,
        /// The size.
        size: u8,
        /// How to report.
        outcome_sink: u8,
        /// A quarter of how many.
        quarter: u8,
    },
    /// `sweep` of all slots of one group.
    SweepAll {
        /// Group 1 from 128 on.
        first: u8,
        /// Messages for each at the most: 0 to 7; from 128 on the usual budget.
        messages: u8,
        /// Bytes for each at the most.
        bytes: u8,
        /// Which slots take nothing, a bit for each of eight; below 128 none.
        busy: u8,
    },
}

impl Op {
    /// The same as a host of a hub can do it: what its workers or its pump do is left to them, and
    /// a token is one that was given out.
    pub(super) fn of_a_host(self) -> Self {
        match self {
            Self::Sweep { slots: (who, _), messages, bytes, .. } => {
                Self::Batch { who, messages, bytes }
            }
            // Where a clock runs backwards, each half of a hub's room counts that by itself as
            // standing still.
            // And it tells its rooms itself what memory is left, and has all of them give way.
            // One call for what is hundreds elsewhere: a hub tells what it has to tell in each.
            Self::Throng { user, .. } => {
                Self::Join { user, known: None, mask: 0, resume: None, profile: None }
            }
            Self::Burst { who, level, size, outcome_sink, .. } => {
                Self::Speak { who, level, size, outcome_sink, more: (0, 0) }
            }
            Self::SweepAll { first, messages, bytes, .. } => {
                Self::Batch { who: first, messages, bytes }
            }
            Self::Wake
            | Self::Back { .. }
            | Self::Astray { .. }
            | Self::Trim { .. }
            | Self::Memory { .. } => Self::Tick,
            Self::Broadcast { level, size, times } => {
                Self::Broadcast { level, size, times: times | 128 }
            }
            Self::Join { user, known, mask, resume, profile } => {
                let resume = resume.map(|(which, twist)| (which, twist % 160));
                Self::Join { user, known, mask, resume, profile }
            }
            // Not how many outcomes and changes of presence may wait; and a hub looks at its own
            // clock.
            Self::Reconfigure { what: (what, fixed), to } => {
                Self::Reconfigure { what: (what & !(1 << 17 | 1 << 24), fixed), to }
            }
            Self::Return { who, at, twist } => Self::Return { who, at, twist: twist % 160 },
            other => other,
        }
    }
}
