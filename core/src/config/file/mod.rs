//! Configurations in files: what the builder's settings are called there, and how they are written.
//!
//! A value is read over the one that is there already, so a table may say as little as it wants.

mod choices;
mod settings;
mod tables;
#[cfg(test)]
mod tests;
mod times;
mod values;

use alloc::string::ToString;
use core::fmt;
use core::marker::PhantomData;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// What stands in a file.
pub(super) trait OnFile: Sized {
    /// What a table is read over where nothing is there.
    fn blank() -> Self;

    /// Reads it; what a table does not say is as in `base`.
    fn read<'de, D: Deserializer<'de>>(from: D, base: &Self) -> Result<Self, D::Error>;

    /// Writes all of it.
    fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error>;
}

/// A table with one entry for each key that it knows.
pub(super) trait Table: Clone {
    /// What it is, for an error about something else.
    const WHAT: &'static str;
    /// The keys.
    const KEYS: &'static [&'static str];

    /// Reads the value of one of the keys.
    fn read_key<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;

    /// Writes all keys that have something to say.
    fn write_keys<M: SerializeMap>(&self, to: &mut M) -> Result<(), M::Error>;
}

/// Reads a table over `base`.
pub(super) fn read_table<'de, D: Deserializer<'de>, T: Table>(
    from: D,
    base: &T,
) -> Result<T, D::Error> {
    from.deserialize_map(TableVisitor(base))
}

/// Writes a table.
pub(super) fn write_table<S: Serializer, T: Table>(table: &T, to: S) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(None)?;
    table.write_keys(&mut map)?;
    map.end()
}

/// Reads the value of `key` over `base`. What is wrong with it says the key.
pub(super) fn read_value<'de, A: MapAccess<'de>, T: OnFile>(
    map: &mut A,
    key: &str,
    base: &T,
) -> Result<T, A::Error> {
    map.next_value_seed(Over(base)).map_err(|error| {
        // TOML's says on further lines which keys it stands under.
        let error = error.to_string();
        A::Error::custom(format_args!("{key}: {}", error.lines().next().unwrap_or_default()))
    })
}

/// Reads a value over another one.
pub(super) struct Over<'a, T>(pub(super) &'a T);

impl<'de, T: OnFile> DeserializeSeed<'de> for Over<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<T, D::Error> {
        T::read(from, self.0)
    }
}

/// A value as it is written.
pub(super) struct Written<'a, T>(pub(super) &'a T);

impl<T: OnFile> Serialize for Written<'_, T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.write(to)
    }
}

struct TableVisitor<'a, T>(&'a T);

impl<'de, T: Table> Visitor<'de> for TableVisitor<'_, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WHAT)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut table = self.0.clone();
        const { assert!(T::KEYS.len() <= u128::BITS as usize, "a bit for each") }
        let mut seen = 0_u128;
        while let Some(at) = map.next_key_seed(KeyOf::<T>(PhantomData))? {
            let key = T::KEYS[at];
            if seen & 1 << at != 0 {
                return Err(A::Error::duplicate_field(key));
            }
            seen |= 1 << at;
            table.read_key(key, &mut map)?;
        }
        Ok(table)
    }
}

/// The place of a key among those of its table.
struct KeyOf<T>(PhantomData<T>);

impl<'de, T: Table> DeserializeSeed<'de> for KeyOf<T> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<usize, D::Error> {
        from.deserialize_identifier(self)
    }
}

impl<T: Table> Visitor<'_> for KeyOf<T> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<usize, E> {
        let place = T::KEYS.iter().position(|&known| known == key);
        place.ok_or_else(|| E::unknown_field(key, T::KEYS))
    }
}

/// A table of fields under their own names.
macro_rules! table {
    ($name:ty, $what:literal, $blank:expr; $($field:ident),*) => {
        impl Table for $name {
            const WHAT: &'static str = $what;
            const KEYS: &'static [&'static str] = &[$(stringify!($field)),*];

            fn read_key<'de, A: MapAccess<'de>>(
                &mut self,
                key: &str,
                map: &mut A,
            ) -> Result<(), A::Error> {
                match key {
                    $(stringify!($field) => self.$field = read_value(map, key, &self.$field)?,)*
                    _ => {}
                }
                Ok(())
            }

            fn write_keys<M: SerializeMap>(&self, to: &mut M) -> Result<(), M::Error> {
                $(to.serialize_entry(stringify!($field), &Written(&self.$field))?;)*
                Ok(())
            }
        }

        on_file_as_table!($name, $blank);
    };
}

macro_rules! on_file_as_table {
    ($name:ty, $blank:expr) => {
        impl OnFile for $name {
            fn blank() -> Self {
                $blank
            }

            fn read<'de, D: Deserializer<'de>>(from: D, base: &Self) -> Result<Self, D::Error> {
                read_table(from, base)
            }

            fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                write_table(self, to)
            }
        }
    };
}

use {on_file_as_table, table};
