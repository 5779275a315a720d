//! Reasons and counters as they are written: by name.

use super::{Reason, Tally};
use core::fmt;
use core::marker::PhantomData;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// Reads the name of a reason, of those that there are.
pub(super) struct Name<R>(pub(super) fn(&str) -> Option<R>, pub(super) &'static [&'static str]);

impl<R> Visitor<'_> for Name<R> {
    type Value = R;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a reason")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<R, E> {
        self.0(name).ok_or_else(|| E::unknown_variant(name, self.1))
    }
}

impl<R: Reason> Serialize for Tally<R> {
    /// Writes a table of the reasons that occurred.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(
            self.iter().filter(|&(_, count)| count > 0).map(|(reason, n)| (reason.name(), n)),
        )
    }
}

impl<'de, R: Reason> Deserialize<'de> for Tally<R> {
    /// Reads a table; reasons that are not known here are left out.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(TallyVisitor(PhantomData))
    }
}

struct TallyVisitor<R>(PhantomData<R>);

impl<'de, R: Reason> Visitor<'de> for TallyVisitor<R> {
    type Value = Tally<R>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of counts by reason")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut tally = Tally::<R>::default();
        while let Some((reason, count)) = map.next_entry::<Known<R>, u64>()? {
            let counter = reason.0.map(|reason| &mut tally.0.as_mut()[reason.index()]);
            if let Some(counter) = counter {
                *counter = count;
            }
        }
        Ok(tally)
    }
}

/// A reason, if it is known here.
struct Known<R>(Option<R>);

impl<'de, R: Reason> Deserialize<'de> for Known<R> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_identifier(KnownVisitor(PhantomData))
    }
}

struct KnownVisitor<R>(PhantomData<R>);

impl<R: Reason> Visitor<'_> for KnownVisitor<R> {
    type Value = Known<R>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a reason")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Known(R::named(name)))
    }
}
