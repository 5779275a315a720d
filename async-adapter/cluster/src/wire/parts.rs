//! What several records are made of. A number that was once given out keeps its meaning.

use minicbor::decode::Error;
use minicbor::{Decode, Decoder, Encode, Encoder};
use std::borrow::Cow;

/// Bytes of the host's, borrowed from the record while it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Blob<'b>(pub(super) Cow<'b, [u8]>);

impl<C> Encode<C> for Blob<'_> {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Blob<'b> {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Error> {
        Ok(Self(Cow::Borrowed(d.bytes()?)))
    }
}

/// The most entries that a list has room for while it is read, however few bytes each takes.
const MAX_ENTRIES: usize = 1 << 16;

/// A list that is left out where it is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

pub(super) fn is_empty<T>(list: &List<T>) -> bool {
    list.0.is_empty()
}

impl<C, T: Encode<C>> Encode<C> for List<T> {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        self.0.encode(e, context)
    }
}

impl<'b, C, T: Decode<'b, C>> Decode<'b, C> for List<T> {
    fn decode(d: &mut Decoder<'b>, context: &mut C) -> Result<Self, Error> {
        let at = d.position();
        // Nothing is set aside for what the length claims.
        let mut items = Vec::new();
        for item in d.array_iter_with(context)? {
            if items.len() == MAX_ENTRIES {
                return Err(Error::message(format!("more than {MAX_ENTRIES} entries")).at(at));
            }
            items.push(item?);
        }
        Ok(Self(items))
    }
}

#[derive(Clone, Copy, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct SpeakModeRecord {
    /// 0 everyone, 1 members of an age, 2 marked users, 3 admins.
    #[n(0)]
    pub(super) who: u8,
    /// The age, in nanoseconds.
    #[n(1)]
    pub(super) age: Option<u64>,
    /// In nanoseconds; left out: nothing is compared.
    #[n(2)]
    pub(super) unique_within: Option<u64>,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct AttributeRecord<'b> {
    #[b(0)]
    pub(super) key: &'b str,
    /// Left out: taken away.
    #[b(1)]
    pub(super) value: Option<Blob<'b>>,
}

#[derive(Clone, Copy, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct CounterRecord<'b> {
    #[b(0)]
    pub(super) key: &'b str,
    /// Left out: taken away.
    #[n(1)]
    pub(super) value: Option<i64>,
}
