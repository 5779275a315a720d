//! The faults: each one line of the core, as somebody might get it wrong.

/// One fault. Text of the core that is there once, and what stands there instead; either is a whole
/// expression, or whole statements that bind nothing.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) name: &'static str,
    pub(super) file: &'static str,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
}

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "a bucket rounds up to a whole token at high rates",
        file: "core/src/quota/mod.rs",
        from: "(self.units + gained).min(Self::cost(self.rate, self.burst.get()))",
        to: "(if self.rate.period_nanos.get() < 1_000 {
                (self.units + gained).next_multiple_of(self.rate.period_nanos.get().into())
            } else {
                self.units + gained
            })
            .min(Self::cost(self.rate, self.burst.get()))",
    },
    Fault {
        name: "one call evicts one more than 64",
        file: "core/src/queue/eviction.rs",
        from: "victims.slots.len() >= MAX_VICTIMS",
        to: "victims.slots.len() > MAX_VICTIMS",
    },
    Fault {
        name: "victims are put back in the order they went",
        file: "core/src/queue/eviction.rs",
        from: "for &victim in victims.slots.iter().rev() {
            self.relink(victim);
        }",
        to: "for &victim in victims.slots.iter() { self.relink(victim); }",
    },
    Fault {
        name: "the lowest level that waits goes first",
        file: "core/src/admission/scheduler.rs",
        from: "(highest, self.kept[highest])",
        to: "(lowest, self.kept[lowest])",
    },
    Fault {
        name: "a level may take what is reserved for higher ones",
        file: "core/src/admission/scheduler.rs",
        from: "self.room.take_keeping(now, pick.kept)",
        to: "self.room.take_keeping(now, 0)",
    },
    Fault {
        name: "the floor's turn comes one dispatch late",
        file: "core/src/admission/scheduler.rs",
        from: "self.passed_over + 1 >= min_share",
        to: "self.passed_over >= min_share",
    },
    Fault {
        name: "a message leaves a nanosecond after its deadline",
        file: "core/src/queue/mod.rs",
        from: "self.deadline_of(key).is_some_and(|at| now >= at)",
        to: "self.deadline_of(key).is_some_and(|at| now > at)",
    },
    Fault {
        name: "a refusal is counted twice",
        file: "core/src/admission/accounts.rs",
        from: "self.ledger.levels[level].refuse(reason, units);",
        to: "self.ledger.levels[level].refuse(reason, units);
            self.ledger.levels[level].refuse(reason, units);",
    },
    Fault {
        name: "a key is refused at the end of its window",
        file: "core/src/dedup.rs",
        from: "(now < until).then_some(until)",
        to: "(now <= until).then_some(until)",
    },
    Fault {
        name: "a mute holds at its end",
        file: "core/src/timed.rs",
        from: "self.instant().is_none_or(|end| now < end)",
        to: "self.instant().is_none_or(|end| now <= end)",
    },
    Fault {
        name: "a log holds one message more",
        file: "core/src/log.rs",
        from: "ring.messages.len() >= ring.max_messages as usize",
        to: "ring.messages.len() > ring.max_messages as usize",
    },
    Fault {
        name: "a session gets its own messages",
        file: "core/src/audience/plan.rs",
        from: "is_own(cold, level, to)",
        to: "false && is_own(cold, level, to)",
    },
    Fault {
        name: "a gap that a sweep hands to many is booked once",
        file: "core/src/audience/crowd/reading.rs",
        from: "accounts.miss(level, missed.gap, swept.taken)",
        to: "accounts.miss(level, missed.gap, 1)",
    },
    Fault {
        name: "a gap that a sweep hands over is told to each of many, and counted for none",
        file: "core/src/audience/crowd/reading.rs",
        from: "gaps().for_each(|(level, missed)| life_counters.skip(slot, level, missed.gap));",
        to: "let _ = slot;",
    },
    Fault {
        name: "an inbox holds one direct message more",
        file: "core/src/audience/inbox.rs",
        from: "messages >= self.messages",
        to: "messages > self.messages",
    },
    Fault {
        name: "a key of a limit gets its burst a token early",
        file: "core/src/keyed/refill.rs",
        from: "(self.early((nanos, less), now) == 0).then(|| FullAt::new(nanos, less))",
        to: "(self.early((nanos, less), now) <= self.token.0).then(|| FullAt::new(nanos, less))",
    },
];
