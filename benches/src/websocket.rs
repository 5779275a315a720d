//! The client's side of WebSocket (RFC 6455), as far as a bench needs it.

/// A client's handshake.
pub const HANDSHAKE: &[u8] =
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Marks a frame as the last of its message; beside an opcode.
pub const FIN: u8 = 0x80;
/// Goes on with a message.
pub const CONTINUATION: u8 = 0;
/// A text message.
pub const TEXT: u8 = 1;
/// A binary message.
pub const BINARY: u8 = 2;
/// The end of the connection.
pub const CLOSE: u8 = 8;
/// Asks for a pong.
pub const PING: u8 = 9;

/// Says that a frame is masked; beside its length.
const MASKED: u8 = 0x80;
/// In place of the length: it follows in two bytes, or in eight.
const IN_TWO: u8 = 0x7e;
const IN_EIGHT: u8 = 0x7f;

/// Appends the head of a masked frame that says it has so many bytes: all that is before them. Its
/// mask is zero, so they stand as they are.
pub fn put_head(first: u8, length: u64, into: &mut Vec<u8>) {
    into.push(first);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length), _) if length < IN_TWO => into.push(MASKED | length),
        (_, Ok(length)) => {
            into.push(MASKED | IN_TWO);
            into.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            into.push(MASKED | IN_EIGHT);
            into.extend_from_slice(&length.to_be_bytes());
        }
    }
    into.extend_from_slice(&[0; 4]);
}

/// Appends a client's frame: its first byte, and what it carries.
pub fn put_masked(first: u8, payload: &[u8], into: &mut Vec<u8>) {
    put_head(first, payload.len() as u64, into);
    into.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_written_as_short_as_it_can_be() {
        for (length, head) in [
            (125, &[0x89, 0xfd, 0, 0, 0, 0][..]),
            (126, &[0x89, 0xfe, 0, 126, 0, 0, 0, 0]),
            (255, &[0x89, 0xfe, 0, 255, 0, 0, 0, 0]),
            (65_536, &[0x89, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
        ] {
            let mut frame = Vec::new();
            put_head(FIN | PING, length, &mut frame);
            assert_eq!(frame, head, "{length} bytes");
        }
    }
}
