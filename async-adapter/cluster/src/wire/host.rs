//! What the host's own types are on the wire: its payload, and its users.

use bytes::Bytes;
use roomcast_core::UserId;
use std::borrow::Cow;
use std::panic::catch_unwind;
use std::sync::Arc;

/// A host's type that crosses the wire as bytes: a payload, or what the host calls a user.
///
/// What is identical to its bytes is implemented here. A type with a format of its own says which:
///
/// ```
/// use roomcast_cluster::wire::{PayloadError, Wire};
/// use std::borrow::Cow;
///
/// #[derive(Debug, PartialEq)]
/// struct Coins(u16);
///
/// impl Wire for Coins {
///     fn encode(&self) -> Cow<'_, [u8]> {
///         self.0.to_be_bytes().to_vec().into()
///     }
///     fn decode(bytes: &[u8]) -> Result<Self, PayloadError> {
///         let coins = bytes.try_into().map_err(|_| PayloadError("want two bytes".into()))?;
///         Ok(Self(u16::from_be_bytes(coins)))
///     }
/// }
/// assert_eq!(Coins::decode(&Coins(500).encode()), Ok(Coins(500)));
/// assert_eq!(Coins::decode(b"x").unwrap_err().to_string(), "want two bytes");
/// ```
pub trait Wire: Sized {
    /// Returns the bytes.
    fn encode(&self) -> Cow<'_, [u8]>;

    /// Reads what [`encode`](Self::encode) returned, on another machine and perhaps by another
    /// version of the host. The bytes may be anybody's.
    ///
    /// # Errors
    /// The bytes are none of this type. The whole record that they came in is refused; so it is if this
    /// panics.
    fn decode(bytes: &[u8]) -> Result<Self, PayloadError>;
}

/// Why bytes are no payload, or no user, in the host's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PayloadError(
    /// What was wrong, and what would be right.
    pub String,
);

/// Reads a payload by the host's own code. One that panics takes nothing else with it: the bytes are
/// refused.
pub(crate) fn payload_of<M: Wire>(bytes: &[u8]) -> Result<M, PayloadError> {
    let read = catch_unwind(|| M::decode(bytes));
    read.unwrap_or_else(|_| Err(PayloadError("the host's code panicked at it".into())))
}

macro_rules! wire_by_bytes {
    ($($type:ty),*) => {$(
        impl Wire for $type {
            fn encode(&self) -> Cow<'_, [u8]> {
                Cow::Borrowed(self.as_ref())
            }

            fn decode(bytes: &[u8]) -> Result<Self, PayloadError> {
                Ok(Self::from(bytes))
            }
        }
    )*};
}
wire_by_bytes!(Vec<u8>, Box<[u8]>, Arc<[u8]>);

macro_rules! wire_by_text {
    ($($type:ty),*) => {$(
        impl Wire for $type {
            fn encode(&self) -> Cow<'_, [u8]> {
                Cow::Borrowed(self.as_bytes())
            }

            fn decode(bytes: &[u8]) -> Result<Self, PayloadError> {
                let text = str::from_utf8(bytes).map_err(|error| PayloadError(error.to_string()))?;
                Ok(Self::from(text))
            }
        }
    )*};
}
wire_by_text!(String, Box<str>, Arc<str>);

impl Wire for Bytes {
    fn encode(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self)
    }

    fn decode(bytes: &[u8]) -> Result<Self, PayloadError> {
        Ok(Self::copy_from_slice(bytes))
    }
}

/// What a host calls its users, on the wire.
///
/// A [`UserId`] is a number of one process: where the host's own ids are of another kind, each
/// machine numbers them by itself. So what crosses the wire is the host's id, and each machine gives
/// it the number that it has here. A host whose ids are numbers anyway, the same on every machine,
/// takes [`Numbers`].
pub trait HostIds {
    /// Returns what the host calls this user.
    fn encode(&self, user: UserId) -> Cow<'_, [u8]>;

    /// Returns the number of this user here, and gives one to whom has none yet. The bytes may be
    /// anybody's: of a record that is refused afterwards, as many users may have been numbered as it
    /// has bytes for.
    ///
    /// # Errors
    /// The bytes are no id of this host's.
    fn decode(&mut self, id: &[u8]) -> Result<UserId, PayloadError>;
}

/// The ids of a host that numbers its users itself: eight bytes, the highest first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numbers;

impl HostIds for Numbers {
    fn encode(&self, user: UserId) -> Cow<'_, [u8]> {
        user.0.to_be_bytes().to_vec().into()
    }

    fn decode(&mut self, id: &[u8]) -> Result<UserId, PayloadError> {
        let wrong = || PayloadError(format!("a user of {} bytes, want 8", id.len()));
        Ok(UserId(u64::from_be_bytes(id.try_into().map_err(|_| wrong())?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A payload whose code has a fault.
    #[derive(Debug, PartialEq)]
    struct Fragile(u8);

    impl Wire for Fragile {
        fn encode(&self) -> Cow<'_, [u8]> {
            vec![self.0].into()
        }

        fn decode(bytes: &[u8]) -> Result<Self, PayloadError> {
            Ok(Self(bytes[0]))
        }
    }

    #[test]
    fn bytes_at_which_the_host_panics_are_refused() {
        assert_eq!(payload_of(&[7]), Ok(Fragile(7)));
        let refused = payload_of::<Fragile>(&[]).unwrap_err();
        assert_eq!(refused.to_string(), "the host's code panicked at it");
    }
}
