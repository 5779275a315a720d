//! Values as the bytes that `arbitrary` reads them from: numbers from their lowest byte on, one byte
//! ahead of what may be missing, and nothing between fields.

use serde::ser::{self, Impossible, Serialize, Serializer};
use std::fmt;

/// The bytes of a value, of which enums are not a part.
pub(super) fn of_fields(value: &impl Serialize) -> Result<Vec<u8>, Unwritable> {
    let mut bytes = Bytes { written: Vec::new(), variant: None };
    value.serialize(&mut bytes)?;
    Ok(bytes.written)
}

/// The name of an enum's variant, and the bytes of its fields.
pub(super) fn of_variant(value: &impl Serialize) -> Result<(&'static str, Vec<u8>), Unwritable> {
    let mut bytes = Bytes { written: Vec::new(), variant: None };
    value.serialize(&mut bytes)?;
    Ok((bytes.variant.ok_or(Unwritable)?, bytes.written))
}

/// A value has a part that is not written in this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwritable;

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not numbers, truth values, options, tuples and structures of them alone")
    }
}

impl std::error::Error for Unwritable {}

impl ser::Error for Unwritable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

struct Bytes {
    written: Vec<u8>,
    variant: Option<&'static str>,
}

impl Bytes {
    fn put(&mut self, bytes: &[u8]) {
        self.written.extend_from_slice(bytes);
    }

    fn enters(&mut self, variant: &'static str) -> Result<(), Unwritable> {
        match self.variant.replace(variant) {
            None => Ok(()),
            Some(_) => Err(Unwritable),
        }
    }
}

macro_rules! numbers {
    ($($method:ident: $number:ty),*) => {$(
        fn $method(self, value: $number) -> Result<(), Unwritable> {
            self.put(&value.to_le_bytes());
            Ok(())
        }
    )*};
}

macro_rules! unwritable {
    ($($method:ident($($argument:ty),*) -> $ok:ty;)*) => {$(
        fn $method(self, $(_: $argument),*) -> Result<$ok, Unwritable> {
            Err(Unwritable)
        }
    )*};
}

impl Serializer for &mut Bytes {
    type Ok = ();
    type Error = Unwritable;
    type SerializeSeq = Impossible<(), Unwritable>;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Impossible<(), Unwritable>;
    type SerializeTupleVariant = Impossible<(), Unwritable>;
    type SerializeMap = Impossible<(), Unwritable>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    numbers!(
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64
    );

    unwritable!(
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_char(char) -> ();
        serialize_str(&str) -> ();
        serialize_bytes(&[u8]) -> ();
        serialize_unit() -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
    );

    fn serialize_bool(self, value: bool) -> Result<(), Unwritable> {
        self.put(&[value.into()]);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Unwritable> {
        self.serialize_bool(false)
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<(), Unwritable> {
        self.put(&[1]);
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Unwritable> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Unwritable> {
        self.enters(variant)?;
        value.serialize(self)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Unwritable> {
        self.enters(variant)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self, Unwritable> {
        self.enters(variant)?;
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, Unwritable> {
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Unwritable> {
        Ok(self)
    }
}

impl ser::SerializeTuple for &mut Bytes {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Unwritable> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Unwritable> {
        Ok(())
    }
}

macro_rules! fields {
    ($kind:path) => {
        impl $kind for &mut Bytes {
            type Ok = ();
            type Error = Unwritable;

            fn serialize_field<T: ?Sized + Serialize>(
                &mut self,
                _: &'static str,
                value: &T,
            ) -> Result<(), Unwritable> {
                value.serialize(&mut **self)
            }

            fn end(self) -> Result<(), Unwritable> {
                Ok(())
            }
        }
    };
}

fields!(ser::SerializeStruct);
fields!(ser::SerializeStructVariant);
