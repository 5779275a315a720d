//! What the servers on sockets write and their clients read: a record for each message, and one for
//! what was missed.
//!
//! A message: its kind, when it was offered, how many of its level went before it, and padding. A
//! gap: its kind, nothing, and a count.

use roomcast::{Bytes, Direct, Encoder, GapCause, Message, Priority};
use std::time::SystemTime;

/// Bytes of a message's record: with the four bytes before it on TCP, 128.
pub const MESSAGE: usize = 124;
/// Bytes of the other records: a kind and two numbers.
const HEAD: usize = 17;

/// A gap in a level: this, and the level.
const GAP: u8 = 0x80;
/// A gap in levels that the server cannot tell.
const GAP_SOMEWHERE: u8 = 0xff;
/// The server has let the connection in.
const HELLO: u8 = 0x40;

/// What a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// The connection was let in.
    Hello,
    /// A message of a level, by its place in the list of levels.
    Message {
        /// The level.
        level: usize,
        /// When it was offered, by [`now`].
        sent: u64,
        /// How many of its level went before it.
        position: u64,
    },
    /// So many messages of a level were missed.
    Gap {
        /// The level.
        level: usize,
        /// How many.
        count: u64,
    },
    /// So many messages were missed, and the server does not know of which level.
    GapSomewhere {
        /// How many.
        count: u64,
    },
}

/// The records themselves, as WebSocket frames carry them.
#[derive(Clone, Debug)]
pub struct Records;

impl Encoder<Bytes> for Records {
    type Frame = Vec<u8>;

    fn message(&mut self, message: &Message<Bytes>) -> Vec<u8> {
        let mut frame = Vec::with_capacity(MESSAGE);
        put_numbered(&message.payload, message.position, &mut frame);
        frame
    }

    fn direct(&mut self, direct: &Direct<Bytes>) -> Vec<u8> {
        // Nobody sends any here; a record of the room has a number.
        direct.payload.to_vec()
    }

    fn gap(&mut self, priority: Priority, count: u64, _: GapCause) -> Option<Vec<u8>> {
        let mut frame = Vec::with_capacity(HEAD);
        put_gap(Some(priority), count, &mut frame);
        Some(frame)
    }
}

/// Nanoseconds since 1970: a clock that all processes share.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn put(kind: u8, first: u64, second: u64, length: usize, into: &mut Vec<u8>) {
    let start = into.len();
    into.push(kind);
    into.extend_from_slice(&first.to_be_bytes());
    into.extend_from_slice(&second.to_be_bytes());
    into.resize(start + length, b'.');
}

/// Appends a message.
pub fn put_message(level: Priority, sent: u64, position: u64, into: &mut Vec<u8>) {
    put(level as u8, sent, position, MESSAGE, into);
}

/// Appends a message that was made before it was known how many of its level went before it.
///
/// # Panics
/// If it is not one that [`put_message`] has made.
pub fn put_numbered(message: &[u8], position: u64, into: &mut Vec<u8>) {
    let place = into.len() + 9;
    into.extend_from_slice(message);
    into[place..place + 8].copy_from_slice(&position.to_be_bytes());
}

/// Appends a gap in a level, or somewhere.
pub fn put_gap(level: Option<Priority>, count: u64, into: &mut Vec<u8>) {
    put(level.map_or(GAP_SOMEWHERE, |level| GAP | level as u8), 0, count, HEAD, into);
}

/// Appends that the connection was let in.
pub fn put_hello(into: &mut Vec<u8>) {
    put(HELLO, 0, 0, HEAD, into);
}

impl Record {
    fn parse(body: &[u8]) -> Option<Self> {
        let (&kind, numbers) = body.split_first()?;
        let (first, rest) = numbers.split_first_chunk()?;
        let (second, _) = rest.split_first_chunk()?;
        let (first, second) = (u64::from_be_bytes(*first), u64::from_be_bytes(*second));
        let level = usize::from(kind & !GAP);
        match kind {
            HELLO => Some(Self::Hello),
            GAP_SOMEWHERE => Some(Self::GapSomewhere { count: second }),
            _ if level >= Priority::NUM => None,
            _ if kind & GAP != 0 => Some(Self::Gap { level, count: second }),
            _ if body.len() == MESSAGE => {
                Some(Self::Message { level, sent: first, position: second })
            }
            _ => None,
        }
    }
}

/// How records follow each other on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Wire {
    /// Each behind its length, in four bytes, the high one first.
    Lengths,
    /// Each in a WebSocket frame.
    WebSocket,
}

impl Wire {
    /// Takes the next record off the front of what was read, if all of it is there.
    ///
    /// # Errors
    /// The bytes are nothing that a server here writes.
    pub fn next(self, bytes: &mut &[u8]) -> Result<Option<Record>, String> {
        let (head, length) = match (self, *bytes) {
            (Self::Lengths, &[a, b, c, d, ..]) => (4, u32::from_be_bytes([a, b, c, d]) as usize),
            (Self::WebSocket, &[0x82, length @ 0..=125, ..]) => (2, usize::from(length)),
            (Self::WebSocket, &[first, second, ..]) => {
                return Err(format!("a WebSocket frame that begins with {first} {second}"));
            }
            _ => return Ok(None),
        };
        if length > MESSAGE {
            return Err(format!("a record of {length} bytes, and the longest has {MESSAGE}"));
        }
        let Some((body, rest)) = bytes[head..].split_at_checked(length) else { return Ok(None) };
        *bytes = rest;
        Record::parse(body).map(Some).ok_or_else(|| {
            format!("a record of {length} bytes that begins with {:?}", body.first())
        })
    }
}

/// Appends what `write` appends, behind its length.
pub fn with_length(into: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = into.len();
    into.extend_from_slice(&[0; 4]);
    write(into);
    let length = u32::try_from(into.len() - start - 4).unwrap_or(u32::MAX);
    into[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It comes out once all of it is there.
    #[test]
    fn a_record_comes_out_whole_as_it_went_in() {
        let mut bytes = Vec::new();
        with_length(&mut bytes, |body| put_message(Priority::Low, 7, 9, body));
        assert_eq!(bytes.len(), 128);
        let ends = [bytes.len(), bytes.len() + 21, bytes.len() + 42, bytes.len() + 63];
        with_length(&mut bytes, |body| put_gap(Some(Priority::High), 3, body));
        with_length(&mut bytes, |body| put_gap(None, 4, body));
        with_length(&mut bytes, put_hello);
        let records = [
            Record::Message { level: 2, sent: 7, position: 9 },
            Record::Gap { level: 0, count: 3 },
            Record::GapSomewhere { count: 4 },
            Record::Hello,
        ];
        for length in 0..=bytes.len() {
            let mut rest = &bytes[..length];
            let there = ends.iter().filter(|&&end| end <= length).count();
            for record in &records[..there] {
                assert_eq!(Wire::Lengths.next(&mut rest), Ok(Some(*record)));
            }
            assert_eq!(Wire::Lengths.next(&mut rest), Ok(None));
        }
    }

    #[test]
    fn what_no_server_here_writes_is_told() {
        for bytes in [
            &[0, 0, 0, 17, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &[0, 0, 1, 0],
            &[0, 0, 0, 1, 0],
        ] {
            let mut rest = bytes;
            assert!(Wire::Lengths.next(&mut rest).is_err(), "{bytes:?}");
        }
        assert!(Wire::WebSocket.next(&mut &[0x88, 2, 3, 233][..]).is_err());
    }
}
