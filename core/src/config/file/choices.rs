//! Choices, by their words.

use super::OnFile;
use crate::config::{
    AuditOverflow, DefaultOutcomeSink, Echo, EvictionPolicy, Exempt, Levels, QueueDiscipline,
    RateAlgorithm, ReviewTimeout, WhenLate,
};
use crate::priority::Priority;
use core::fmt;
use serde::de::{Deserializer, Error, Visitor};
use serde::ser::Serializer;

/// One of several words.
struct Word(&'static [&'static str]);

impl Visitor<'_> for Word {
    /// Its place.
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one of")?;
        let [first, rest @ ..] = self.0 else { return Ok(()) };
        write!(f, " \"{first}\"")?;
        rest.iter().try_for_each(|word| write!(f, ", \"{word}\""))
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<usize, E> {
        let place = self.0.iter().position(|&known| known == word);
        place.ok_or_else(|| E::unknown_variant(word, self.0))
    }
}

macro_rules! choice {
    ($name:ident, $first:ident: $word:literal $(, $variant:ident: $other:literal)*) => {
        impl OnFile for $name {
            fn blank() -> Self {
                Self::$first
            }

            fn read<'de, D: Deserializer<'de>>(from: D, _: &Self) -> Result<Self, D::Error> {
                const ALL: &[$name] = &[$name::$first $(, $name::$variant)*];
                from.deserialize_str(Word(&[$word $(, $other)*])).map(|place| ALL[place])
            }

            fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(match self {
                    Self::$first => $word,
                    $(Self::$variant => $other,)*
                })
            }
        }
    };
}

choice!(Priority, High: "high", Normal: "normal", Low: "low", Lowest: "lowest");
choice!(RateAlgorithm, TokenBucket: "token_bucket", FixedWindow: "fixed_window", Unlimited: "unlimited");
choice!(Levels, Four: "four", Three: "three", Two: "two");
choice!(QueueDiscipline, Fifo: "fifo", RoundRobin: "round_robin", Random: "random");
choice!(EvictionPolicy, BiggestSender: "biggest_sender", Newest: "newest", Oldest: "oldest", Random: "random");
choice!(WhenLate, Wait: "wait", RefuseAtOnce: "refuse_at_once");
choice!(Echo, Off: "off", On: "on");
choice!(Exempt, Nobody: "nobody", OwnerAndAdmins: "owner_and_admins");
choice!(DefaultOutcomeSink, CountedOnly: "counted_only", Event: "event");
choice!(ReviewTimeout, Open: "open", Closed: "closed");
choice!(AuditOverflow, Count: "count", Refuse: "refuse");
