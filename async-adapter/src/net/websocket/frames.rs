//! Frames of the server side, for the pump's encoder.

use crate::pump::frames::Encoder;
use roomcast_core::event::EndReason;
use roomcast_core::{Direct, GapCause, Message, Priority};

/// Puts what an encoder writes into WebSocket frames: one for each message, each gap and the last
/// words, then a close frame.
///
/// Ready-made: a server's frames are not masked, so the same bytes serve every connection (RFC
/// 6455, section 5.1).
#[derive(Clone, Debug)]
pub struct WebSocketFrames<E> {
    encoder: E,
    opcode: u8,
    scratch: Vec<u8>,
}

const TEXT: u8 = 1;
const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const FIN: u8 = 0x80;
/// "Going away": the room has ended or the session was taken out (RFC 6455, section 7.4.1).
const GOING_AWAY: u16 = 1001;
/// Bytes of a reason in a close frame: a control frame has at most 125, of which two are the code.
const MAX_REASON: usize = 123;

impl WebSocketFrames<()> {
    /// Appends one text frame: something of the host's own, for
    /// [`Pumped::control`](crate::pump::Pumped::control).
    pub fn put_text(text: &str, frame: &mut Vec<u8>) {
        put_frame(TEXT, text.as_bytes(), frame);
    }

    /// Appends a close frame, for [`Control::Close`](crate::pump::Control::Close): with a code of
    /// RFC 6455 (section 7.4) and a reason, of which the first 123 bytes go.
    ///
    /// ```
    /// use roomcast::Bytes;
    /// use roomcast::net::WebSocketFrames;
    /// use roomcast::pump::Control;
    ///
    /// let mut frame = Vec::new();
    /// WebSocketFrames::put_close(1008, "say hello first", &mut frame);
    /// let goodbye = Control::Close(Bytes::from(frame));
    /// # assert!(matches!(goodbye, Control::Close(bytes) if bytes.starts_with(b"\x88\x11\x03\xf0say")));
    /// ```
    pub fn put_close(code: u16, reason: &str, frame: &mut Vec<u8>) {
        let fits =
            (0..=reason.len().min(MAX_REASON)).rev().find(|&end| reason.is_char_boundary(end));
        let reason = &reason[..fits.unwrap_or(0)];
        put_frame(CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat(), frame);
    }

    /// Appends one binary frame.
    pub fn put_binary(bytes: &[u8], frame: &mut Vec<u8>) {
        put_frame(BINARY, bytes, frame);
    }
}

impl<E> WebSocketFrames<E> {
    /// Text frames: the encoder writes UTF-8.
    pub fn text(encoder: E) -> Self {
        Self { encoder, opcode: TEXT, scratch: Vec::new() }
    }

    /// Binary frames.
    pub fn binary(encoder: E) -> Self {
        Self { encoder, opcode: BINARY, scratch: Vec::new() }
    }

    /// What `call` has the encoder write, as one frame; nothing when that is nothing.
    fn framed(&mut self, frame: &mut Vec<u8>, call: impl FnOnce(&mut E, &mut Vec<u8>)) {
        self.scratch.clear();
        call(&mut self.encoder, &mut self.scratch);
        if !self.scratch.is_empty() {
            put_frame(self.opcode, &self.scratch, frame);
        }
    }
}

impl<M, E: Encoder<M>> Encoder<M> for WebSocketFrames<E> {
    fn message(&mut self, message: &Message<M>, frame: &mut Vec<u8>) {
        self.framed(frame, |encoder, scratch| encoder.message(message, scratch));
    }

    fn direct(&mut self, direct: &Direct<M>, frame: &mut Vec<u8>) {
        self.framed(frame, |encoder, scratch| encoder.direct(direct, scratch));
    }

    fn history(&mut self, message: &Message<M>, frame: &mut Vec<u8>) {
        self.framed(frame, |encoder, scratch| encoder.history(message, scratch));
    }

    fn gap(&mut self, priority: Priority, count: u64, cause: GapCause, frame: &mut Vec<u8>) {
        self.framed(frame, |encoder, scratch| encoder.gap(priority, count, cause, scratch));
    }

    fn end(&mut self, reason: EndReason, frame: &mut Vec<u8>) {
        self.framed(frame, |encoder, scratch| encoder.end(reason, scratch));
        put_frame(CLOSE, &GOING_AWAY.to_be_bytes(), frame);
    }
}

/// Appends one whole frame that is not masked (RFC 6455, section 5.2).
fn put_frame(opcode: u8, payload: &[u8], frame: &mut Vec<u8>) {
    frame.push(FIN | opcode);
    match payload.len() {
        length @ 0..=125 => frame.push(length as u8),
        length @ 126..=0xffff => {
            frame.push(126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
}
