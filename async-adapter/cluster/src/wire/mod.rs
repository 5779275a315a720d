//! What goes over the wire: [flights](Flight) from the owner of a room, [forwards](Forwards) to it,
//! and the two small records that say who lives and who owns what.
//!
//! Every record is a CBOR map with numbered fields. Field 0 is the version, field 1 says which record
//! it is. A reader skips fields that it does not know, so a later version may add some; one that
//! changes what a field means takes a new version, and is refused by its number
//! ([`WireError::Version`]). Golden files of every version lie in `tests/golden`.
//!
//! Reading never panics and never sets aside memory by what a record claims: what is held while it is
//! read is at most [64 times](READ_FACTOR) the bytes that came.

mod books;
mod command;
mod direct;
mod flight;
mod forward;
mod host;
mod lasting;
mod lease;
mod message;
mod numbers;
mod outcome;
mod parts;
mod persisted;
mod record;
mod withdrawn;

pub use books::{EdgeBooks, EdgeMessages, NodeBooks};
pub use command::{Command, What};
pub use direct::{EncodedDirect, Pin, ToUser};
pub use flight::{Books, EdgeSeen, Fate, Flight};
pub use forward::{Forward, Forwards};
pub(crate) use host::payload_of;
pub use host::{HostIds, Numbers, PayloadError, Wire};
pub use lasting::Lasting;
pub use lease::{NodeLease, RoomKey};
pub use message::{Origin, Sent};
pub use outcome::{Decided, NotDone};
pub use persisted::{Attribute, Change};
pub use withdrawn::Withdrawn;

use minicbor::{Decode, Decoder, Encode};

/// The version that this build writes, and the only one so far.
pub const VERSION: u32 = 1;

/// The most bytes that a record may have: what a NATS server takes by default.
pub const MAX_BYTES: usize = 1 << 20;

/// While a record is read, at most this many times its bytes are held.
pub const READ_FACTOR: usize = 64;

/// Why bytes are not the record that they were read as.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// More bytes than a record may have. They were not looked at.
    #[error("record too large: {size} bytes (limit {max})")]
    TooLarge {
        /// How many.
        size: usize,
        /// The most.
        max: usize,
    },
    /// It ends before it is whole.
    #[error("record cut off after {size} bytes")]
    CutOff {
        /// How many there are.
        size: usize,
    },
    /// A version that this build does not read.
    #[error("version {found} of the wire is not read here (this is {VERSION})")]
    Version {
        /// Which.
        found: u64,
    },
    /// Something else than a record, or another record than the one that is read.
    #[error("not a {wanted} record: {found}")]
    Foreign {
        /// What was to be read.
        wanted: &'static str,
        /// What it is, as far as that can be told.
        found: Found,
    },
    /// A field that is no such field.
    #[error("malformed {record} record at byte {at}: {what}")]
    Malformed {
        /// Which record.
        record: &'static str,
        /// How far it could be read.
        at: usize,
        /// What is wrong.
        what: String,
    },
    /// The fields are well formed, and what they say contradicts itself.
    #[error("{record} record makes no sense: {what}")]
    Contradiction {
        /// Which record.
        record: &'static str,
        /// What is wrong.
        what: String,
    },
}

/// What bytes are that are not the record that was wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found {
    /// Nothing that begins as a record does.
    Other,
    /// A record with another number in field 1.
    Record(u64),
}

impl core::fmt::Display for Found {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Other => f.write_str("no record of this wire at all"),
            Self::Record(kind) => write!(f, "it is marked {kind}"),
        }
    }
}

/// A record as it is written: a map whose first two fields are the version and the mark.
trait Record {
    /// What errors call it.
    const NAME: &'static str;
    /// The number in field 1.
    const MARK: u64;
}

/// Writes a record.
fn write<R: Record + Encode<()>>(record: &R) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    // A vector takes everything, and no record here has a field that refuses to be written.
    let written = minicbor::encode(record, &mut bytes);
    debug_assert!(written.is_ok(), "{} record", R::NAME);
    bytes
}

/// Reads a record: all of the bytes, or an error that says why not.
fn read<'b, R: Record + Decode<'b, ()>>(bytes: &'b [u8]) -> Result<R, WireError> {
    let size = bytes.len();
    if size > MAX_BYTES {
        return Err(WireError::TooLarge { size, max: MAX_BYTES });
    }
    check_head::<R>(bytes)?;
    let mut decoder = Decoder::new(bytes);
    let record = R::decode(&mut decoder, &mut ()).map_err(|error| malformed::<R>(&error, size))?;
    let at = decoder.position();
    if at != size {
        let what = format!("{} bytes after its end", size - at);
        return Err(WireError::Malformed { record: R::NAME, at, what });
    }
    Ok(record)
}

/// Whether it is a record of this version and kind, by its first two fields.
fn check_head<R: Record>(bytes: &[u8]) -> Result<(), WireError> {
    let mut decoder = Decoder::new(bytes);
    let foreign = |found| WireError::Foreign { wanted: R::NAME, found };
    let mut head = || -> Result<Option<(u64, Option<u64>)>, minicbor::decode::Error> {
        if decoder.map()?.is_none_or(|fields| fields < 2) || decoder.u64()? != 0 {
            return Ok(None);
        }
        let version = decoder.u64()?;
        // What follows is as that version has it.
        if version != u64::from(VERSION) {
            return Ok(Some((version, None)));
        }
        Ok((decoder.u64()? == 1).then_some((version, Some(decoder.u64()?))))
    };
    match head() {
        Ok(Some((_, Some(mark)))) if mark == R::MARK => Ok(()),
        Ok(Some((_, Some(mark)))) => Err(foreign(Found::Record(mark))),
        Ok(Some((found, None))) => Err(WireError::Version { found }),
        Err(error) if error.is_end_of_input() => Err(WireError::CutOff { size: bytes.len() }),
        Ok(None) | Err(_) => Err(foreign(Found::Other)),
    }
}

fn malformed<R: Record>(error: &minicbor::decode::Error, size: usize) -> WireError {
    if error.is_end_of_input() {
        return WireError::CutOff { size };
    }
    let at = error.position().unwrap_or(size);
    WireError::Malformed { record: R::NAME, at, what: error.to_string() }
}

fn contradiction<R: Record>(what: impl core::fmt::Display) -> WireError {
    WireError::Contradiction { record: R::NAME, what: what.to_string() }
}
