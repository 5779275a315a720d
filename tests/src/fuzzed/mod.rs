//! A room and operations on it out of a fuzzer's bytes, so that few bytes make many operations and a
//! byte that changes changes one thing.
//!
//! A room is the calm one with a few of its numbers changed, and only at times one whose numbers are
//! all drawn; an operation is one byte that says which, by weight, and its fields.

mod bytes;

pub use bytes::Unwritable;

use crate::ops::{Op, Setup};
use arbitrary::{Arbitrary, Result, Unstructured};
use std::fmt;

/// How often each operation comes, in the order in which [`Op`] has them: often what makes a room live,
/// seldom what ends it or is hundreds of calls.
const WEIGHTS: [(&str, u32); 40] = [
    ("Speak", 24),
    ("Host", 8),
    ("Forward", 8),
    ("Broadcast", 3),
    ("Decide", 6),
    ("Join", 12),
    ("Batch", 16),
    ("Sweep", 6),
    ("Direct", 10),
    ("Token", 6),
    ("Ack", 8),
    ("Return", 8),
    ("LevelSet", 4),
    ("Leave", 2),
    ("Gone", 2),
    ("End", 2),
    ("Touch", 6),
    ("Moderate", 8),
    ("Retract", 8),
    ("Pin", 3),
    ("Attribute", 4),
    ("Count", 4),
    ("Restart", 1),
    ("Profile", 3),
    ("Poll", 6),
    ("Audit", 4),
    ("Wake", 5),
    ("Tick", 5),
    ("OnTime", 6),
    ("Wait", 14),
    ("Back", 2),
    ("Astray", 2),
    ("Close", 1),
    ("Reconfigure", 6),
    ("Trim", 3),
    ("Memory", 2),
    ("Stranger", 2),
    ("Throng", 2),
    ("Burst", 3),
    ("SweepAll", 2),
];

/// More bytes than any operation has.
const LONGEST: usize = 32;

/// From this first byte on, all numbers of the room are drawn; below, it says how many are changed.
const ALL_DRAWN: u8 = 224;

/// More than are changed. A room in which everything is odd soon lets nothing happen.
const CHANGES: u8 = 16;

/// A room's settings, and what happens there.
#[derive(Clone, PartialEq, Eq)]
pub struct Sequence {
    /// The settings.
    pub setup: Setup,
    /// What happens.
    pub ops: Vec<Op>,
}

impl Sequence {
    /// Returns bytes that this can be read from. Fails if the settings or an operation have a part
    /// that has no place in them, which no bytes are read as.
    pub fn to_bytes(&self) -> std::result::Result<Vec<u8>, Unwritable> {
        let (calm, own) = (bytes::of_fields(&Setup::CALM)?, bytes::of_fields(&self.setup)?);
        let changed: Vec<usize> = (0..calm.len()).filter(|&at| calm[at] != own[at]).collect();
        let mut written = Vec::new();
        match u8::try_from(changed.len()) {
            Ok(count) if count < CHANGES => {
                written.push(count);
                for at in changed {
                    written.extend([u8::try_from(at).map_err(|_| Unwritable)?, own[at]]);
                }
            }
            _ => {
                written.push(ALL_DRAWN);
                written.extend(own);
            }
        }
        for op in &self.ops {
            let (name, fields) = bytes::of_variant(op)?;
            written.push(kind_byte(name).ok_or(Unwritable)?);
            written.extend(fields);
        }
        Ok(written)
    }
}

/// As a test that is kept has them: each operation on a line of its own, and what the numbers of the
/// settings stand for.
impl fmt::Debug for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:#?}\n{:?}", self.setup.rules(), self.setup)?;
        self.ops.iter().enumerate().try_for_each(|(at, op)| writeln!(f, "{at:4} Op::{op:?},"))
    }
}

impl<'a> Arbitrary<'a> for Sequence {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let setup = setup(u)?;
        let mut ops = Vec::new();
        while !u.is_empty() {
            ops.push(op(u)?);
        }
        Ok(Self { setup, ops })
    }
}

/// A room's settings: the calm ones with a few numbers changed, and at times all drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FuzzedSetup(pub Setup);

impl<'a> Arbitrary<'a> for FuzzedSetup {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        setup(u).map(Self)
    }
}

/// The calm room, with as many numbers changed as the first byte says.
fn setup(u: &mut Unstructured<'_>) -> Result<Setup> {
    let first = u.arbitrary::<u8>()?;
    if first >= ALL_DRAWN {
        return Setup::arbitrary(u);
    }
    let Ok(mut numbers) = bytes::of_fields(&Setup::CALM) else {
        return Err(arbitrary::Error::IncorrectFormat);
    };
    let places = numbers.len();
    for _ in 0..first % CHANGES {
        let (place, number) = u.arbitrary::<(u8, u8)>()?;
        numbers[usize::from(place) % places] = number;
    }
    Setup::arbitrary(&mut Unstructured::new(&numbers))
}

/// One operation: which, by weight, and its fields, zero where the bytes have come to their end.
fn op(u: &mut Unstructured<'_>) -> Result<Op> {
    let kind = kind(u.arbitrary()?);
    let there = u.peek_bytes(LONGEST.min(u.len())).unwrap_or_default();
    // What `arbitrary` derives multiplies four bytes by the number of variants to choose between them.
    let chosen = ((kind as u64) << 32).div_ceil(WEIGHTS.len() as u64);
    let mut fields = chosen.to_le_bytes()[..4].to_vec();
    fields.extend_from_slice(there);
    fields.resize(4 + LONGEST, 0);
    let mut fields = Unstructured::new(&fields);
    let op = Op::arbitrary(&mut fields)?;
    u.bytes((LONGEST - fields.len()).min(there.len()))?;
    Ok(op)
}

fn total() -> u32 {
    WEIGHTS.iter().map(|(_, weight)| weight).sum()
}

/// Which of the operations a byte stands for.
fn kind(byte: u8) -> usize {
    let mut left = u32::from(byte) * total() / 256;
    WEIGHTS
        .iter()
        .position(|&(_, weight)| {
            let is_it = left < weight;
            left = left.saturating_sub(weight);
            is_it
        })
        .unwrap_or_default()
}

/// The first byte that stands for this operation.
fn kind_byte(name: &str) -> Option<u8> {
    let at = WEIGHTS.iter().position(|(known, _)| *known == name)?;
    (0..=u8::MAX).find(|&byte| kind(byte) == at)
}
