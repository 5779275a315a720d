//! Frames of the server side, for the pump's encoder.

use crate::encode::Encoder;
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
}

const TEXT: u8 = 1;
const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const FIN: u8 = 0x80;
/// "Going away": the room has ended or the session was taken out (RFC 6455, section 7.4.1).
const GOING_AWAY: u16 = 1001;
/// Bytes of a reason in a close frame: a control frame has at most 125, of which two are the code.
const MAX_REASON: usize = 123;
/// Bytes before the longest payload of a frame that is not masked.
const MAX_HEADER: usize = 10;

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
    /// Text frames: what the encoder makes is UTF-8.
    pub fn text(encoder: E) -> Self {
        Self { encoder, opcode: TEXT }
    }

    /// Binary frames.
    pub fn binary(encoder: E) -> Self {
        Self { encoder, opcode: BINARY }
    }

    /// A message as one frame; nothing when it is empty.
    fn framed(&self, message: impl AsRef<[u8]>) -> Vec<u8> {
        let (message, mut frame) = (message.as_ref(), Vec::new());
        if !message.is_empty() {
            frame.reserve(MAX_HEADER + message.len());
            put_frame(self.opcode, message, &mut frame);
        }
        frame
    }
}

impl<M, E: Encoder<M, Frame: AsRef<[u8]>>> Encoder<M> for WebSocketFrames<E> {
    type Frame = Vec<u8>;

    fn message(&mut self, message: &Message<M>) -> Vec<u8> {
        let message = self.encoder.message(message);
        self.framed(message)
    }

    fn direct(&mut self, direct: &Direct<M>) -> Vec<u8> {
        let direct = self.encoder.direct(direct);
        self.framed(direct)
    }

    fn pinned(&mut self, direct: &Direct<M>) -> Vec<u8> {
        let pinned = self.encoder.pinned(direct);
        self.framed(pinned)
    }

    fn gap(&mut self, priority: Priority, count: u64, cause: GapCause) -> Option<Vec<u8>> {
        let gap = self.encoder.gap(priority, count, cause)?;
        Some(self.framed(gap))
    }

    fn tip(&mut self, message: &Message<M>) -> Vec<u8> {
        let tip = self.encoder.tip(message);
        self.framed(tip)
    }

    fn history(&mut self, message: &Message<M>) -> Vec<u8> {
        let history = self.encoder.history(message);
        self.framed(history)
    }

    fn end(&mut self, reason: EndReason) -> Option<Vec<u8>> {
        let mut frame = self.encoder.end(reason).map_or_else(Vec::new, |end| self.framed(end));
        put_frame(CLOSE, &GOING_AWAY.to_be_bytes(), &mut frame);
        Some(frame)
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
