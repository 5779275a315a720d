//! Numbers, what may be off, and what each level has.

use super::{OnFile, Over, Table, Written, read_value, write_table};
use crate::ids::UserId;
use crate::priority::PerLevel;
use core::fmt;
use core::num::NonZeroU32;
use serde::de::value::{MapAccessDeserializer, StrDeserializer, U64Deserializer};
use serde::de::{
    DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, Unexpected, Visitor,
};
use serde::ser::{SerializeMap, Serializer};

/// A whole number in a range. One that a format cannot say as a number may be a text.
struct Number {
    min: u64,
    max: u64,
}

impl Visitor<'_> for Number {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {} to {}", self.min, self.max)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        if (self.min..=self.max).contains(&number) {
            Ok(number)
        } else {
            Err(E::invalid_value(Unexpected::Unsigned(number), &self))
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<u64, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        match text.parse() {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

fn number<'de, D: Deserializer<'de>>(from: D, min: u64, max: u64) -> Result<u64, D::Error> {
    from.deserialize_any(Number { min, max })
}

/// TOML's numbers end at 2⁶³ - 1.
fn write_number<S: Serializer>(number: u64, to: S) -> Result<S::Ok, S::Error> {
    if i64::try_from(number).is_ok() { to.serialize_u64(number) } else { to.collect_str(&number) }
}

impl OnFile for u64 {
    fn blank() -> Self {
        0
    }

    fn read<'de, D: Deserializer<'de>>(from: D, _: &Self) -> Result<Self, D::Error> {
        number(from, 0, Self::MAX)
    }

    fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        write_number(*self, to)
    }
}

impl OnFile for u32 {
    fn blank() -> Self {
        0
    }

    #[expect(clippy::cast_possible_truncation, reason = "it is in the range of 32 bits")]
    fn read<'de, D: Deserializer<'de>>(from: D, _: &Self) -> Result<Self, D::Error> {
        number(from, 0, Self::MAX.into()).map(|number| number as Self)
    }

    fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        write_number((*self).into(), to)
    }
}

impl OnFile for NonZeroU32 {
    fn blank() -> Self {
        Self::MIN
    }

    fn read<'de, D: Deserializer<'de>>(from: D, base: &Self) -> Result<Self, D::Error> {
        let number = number(from, 1, u32::MAX.into())?;
        Ok(u32::try_from(number).ok().and_then(Self::new).unwrap_or(*base))
    }

    fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        write_number(self.get().into(), to)
    }
}

impl OnFile for UserId {
    fn blank() -> Self {
        Self(0)
    }

    fn read<'de, D: Deserializer<'de>>(from: D, base: &Self) -> Result<Self, D::Error> {
        u64::read(from, &base.0).map(Self)
    }

    fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.write(to)
    }
}

impl OnFile for bool {
    fn blank() -> Self {
        false
    }

    fn read<'de, D: Deserializer<'de>>(from: D, _: &Self) -> Result<Self, D::Error> {
        <Self as serde::Deserialize>::deserialize(from)
    }

    fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bool(*self)
    }
}

/// The word for what is not there.
const OFF: &str = "off";

impl<T: OnFile> OnFile for Option<T> {
    fn blank() -> Self {
        None
    }

    fn read<'de, D: Deserializer<'de>>(from: D, base: &Self) -> Result<Self, D::Error> {
        let blank = T::blank();
        from.deserialize_any(OrOff(base.as_ref().unwrap_or(&blank)))
    }

    fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Some(value) => value.write(to),
            None => to.serialize_str(OFF),
        }
    }
}

struct OrOff<'a, T>(&'a T);

impl<'de, T: OnFile> Visitor<'de> for OrOff<'_, T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, or \"off\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        if text == OFF {
            return Ok(None);
        }
        Over(self.0).deserialize(StrDeserializer::new(text)).map(Some)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Over(self.0).deserialize(U64Deserializer::new(number)).map(Some)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Over(self.0).deserialize(number.into_deserializer()).map(Some)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Over(self.0).deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}

impl<T: OnFile + Clone> Table for PerLevel<T> {
    const WHAT: &'static str = "a value for all levels, or a table of high, normal, low and lowest";
    const KEYS: &'static [&'static str] = &["high", "normal", "low", "lowest"];

    fn read_key<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if let Some(at) = Self::KEYS.iter().position(|&known| known == key) {
            self.0[at] = read_value(map, key, &self.0[at])?;
        }
        Ok(())
    }

    fn write_keys<M: SerializeMap>(&self, to: &mut M) -> Result<(), M::Error> {
        let mut levels = Self::KEYS.iter().zip(&self.0);
        levels.try_for_each(|(level, value)| to.serialize_entry(level, &Written(value)))
    }
}

impl<T: OnFile + Clone> OnFile for PerLevel<T> {
    fn blank() -> Self {
        Self::from_fn(|_| T::blank())
    }

    fn read<'de, D: Deserializer<'de>>(from: D, base: &Self) -> Result<Self, D::Error> {
        from.deserialize_any(OneOrEach(base))
    }

    fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        write_table(self, to)
    }
}

struct OneOrEach<'a, T>(&'a PerLevel<T>);

impl<T: OnFile + Clone> OneOrEach<'_, T> {
    fn all<'de, D: Deserializer<'de>>(self, from: D) -> Result<PerLevel<T>, D::Error> {
        let value = T::read(from, &self.0.0[0])?;
        Ok(PerLevel::from_fn(|_| value.clone()))
    }
}

impl<'de, T: OnFile + Clone> Visitor<'de> for OneOrEach<'_, T> {
    type Value = PerLevel<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PerLevel::<T>::WHAT)
    }

    fn visit_bool<E: Error>(self, is: bool) -> Result<Self::Value, E> {
        self.all(is.into_deserializer())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        self.all(StrDeserializer::new(text))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        self.all(U64Deserializer::new(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        self.all(number.into_deserializer())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        super::read_table(MapAccessDeserializer::new(map), self.0)
    }
}
