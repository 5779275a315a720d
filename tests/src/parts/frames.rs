//! What a WebSocket reader makes of a peer's bytes (RFC 6455), however they are cut into pieces.
//!
//! The model reads the whole at once, as sections 5 and 7 have it. Where a frame breaks more than
//! one rule, the reader may name any of them; and where the bytes end within such a frame, it may
//! not have looked yet.

use crate::violation::{Check, Law, same};
use roomcast::Bytes;
use roomcast::net::{FromPeer, WebSocketFrames, WebSocketOptions, WebSocketReader};
use roomcast::pump::Control;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a peer sends, and how it comes.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Sequence {
    /// What it sends, one after the other.
    pub pieces: Vec<Piece>,
    /// In pieces of so many bytes, round and round; 0 is a pause.
    pub cuts: Vec<u8>,
}

/// Something that a peer sends.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Piece {
    /// A whole frame: mostly one as it should be.
    Frame {
        /// What kind, by a table; from 192 on any opcode.
        kind: u8,
        /// Whether it is the last of its message.
        is_last: bool,
        /// What else is wrong: below 6 a reserved bit, no mask, or a long form of its length.
        odd: u8,
        /// The mask.
        mask: [u8; 4],
        /// What it carries.
        payload: Vec<u8>,
    },
    /// A close with a code and a reason.
    Close {
        /// The code.
        code: u16,
        /// The reason.
        reason: Vec<u8>,
        /// The mask.
        mask: [u8; 4],
    },
    /// A text, in two frames cut anywhere.
    Text {
        /// The text.
        text: String,
        /// Where it is cut.
        cut: u8,
        /// The mask.
        mask: [u8; 4],
    },
    /// So much of one byte, to come over the bounds.
    Large {
        /// Of what: text or binary.
        is_text: bool,
        /// How much, up to twice what may be.
        size: u16,
    },
    /// Any bytes.
    Raw(Vec<u8>),
}

/// Bytes of a message at the most.
const MOST: usize = 300;

fn frame(first: u8, mask: Option<[u8; 4]>, long: u8, payload: &[u8], to: &mut Vec<u8>) {
    to.push(first);
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let length = payload.len();
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ 0..=125), _) if long == 0 => to.push(masked | length),
        (_, Ok(length)) if long <= 1 => {
            to.push(masked | 0x7e);
            to.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            to.push(masked | 0x7f);
            to.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    let mask_bytes = mask.unwrap_or_default();
    to.extend(mask.into_iter().flatten());
    to.extend(payload.iter().zip(mask_bytes.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

impl Piece {
    fn put(&self, to: &mut Vec<u8>) {
        match self {
            Self::Frame { kind, is_last, odd, mask, payload } => {
                let opcode = match kind {
                    0..48 => 1,
                    48..80 => 2,
                    80..128 => 0,
                    128..160 => 9,
                    160..176 => 10,
                    176..192 => 8,
                    any => any & 15,
                };
                let fin = if *is_last || opcode >= 8 && *odd != 5 { 0x80 } else { 0 };
                let reserved = if *odd == 0 { 0x40 } else { 0 };
                let mask = (*odd != 1).then_some(*mask);
                let long = if *odd == 2 { 1 } else { u8::from(*odd == 3) * 2 };
                frame(fin | reserved | opcode, mask, long, payload, to);
            }
            Self::Close { code, reason, mask } => {
                let payload = [&code.to_be_bytes(), &reason[..]].concat();
                frame(0x88, Some(*mask), 0, &payload, to);
            }
            Self::Text { text, cut, mask } => {
                let (first, rest) = text.as_bytes().split_at(usize::from(*cut) % (text.len() + 1));
                frame(0x01, Some(*mask), 0, first, to);
                frame(0x80, Some(*mask), 0, rest, to);
            }
            Self::Large { is_text, size } => {
                let size = usize::from(*size) % (2 * MOST);
                let opcode = if *is_text { 1 } else { 2 };
                frame(0x80 | opcode, Some([1, 2, 3, 4]), 0, &vec![b'a'; size], to);
            }
            Self::Raw(bytes) => to.extend_from_slice(bytes),
        }
    }
}

/// What a peer has said, and what it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
}

/// How it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// The peer is gone.
    Gone,
    /// It said a close, and is answered so.
    Closed(Vec<u8>),
    /// It said a close with a code that none may have, and is answered with 1002.
    Corrected,
    /// It broke the protocol, and is told with this code.
    Broken(u16),
}

/// One whole frame of a peer, or as much as there is.
struct Frame<'a> {
    first: u8,
    is_masked: bool,
    is_minimal: bool,
    length: u64,
    payload: Option<Vec<u8>>,
    rest: &'a [u8],
}

/// Section 5.2. `None` where the header is not whole.
fn parse(bytes: &[u8]) -> Option<Frame<'_>> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    let (length, is_minimal, rest) = match second & 0x7f {
        126 => {
            let (length, rest) = rest.split_first_chunk()?;
            let length = u64::from(u16::from_be_bytes(*length));
            (length, length > 125, rest)
        }
        127 => {
            let (length, rest) = rest.split_first_chunk()?;
            let length = u64::from_be_bytes(*length);
            (length, length > 0xffff, rest)
        }
        length => (length.into(), true, rest),
    };
    let is_masked = second & 0x80 != 0;
    let (mask, rest) = if is_masked {
        let (mask, rest) = rest.split_first_chunk::<4>()?;
        (*mask, rest)
    } else {
        ([0; 4], rest)
    };
    let whole = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length));
    let (payload, rest) = whole.unzip();
    let unmasked = |payload: &[u8]| {
        payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect()
    };
    let (payload, rest) = (payload.map(unmasked), rest.unwrap_or_default());
    Some(Frame { first, is_masked, is_minimal, length, payload, rest })
}

/// Whether a text may go on from these bytes.
fn may_become_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true)
}

/// The codes that a close may be answered with (section 7.4).
fn replies(payload: &[u8]) -> Vec<End> {
    let Some(&[high, low]) = payload.first_chunk() else {
        return vec![End::Closed(Vec::new())];
    };
    let echo = End::Closed(payload.to_vec());
    match u16::from_be_bytes([high, low]) {
        1_000..=1_003 | 1_007..=1_011 | 3_000..=4_999 => vec![echo],
        0..=999 | 1_004..=1_006 | 1_015 => vec![End::Corrected],
        // Registered since, or nobody's: a server may know it or not.
        _ => vec![echo, End::Corrected],
    }
}

/// What the peer has said, and all ways in which that may end.
fn model(mut bytes: &[u8]) -> (Vec<Seen>, Vec<End>) {
    let (mut seen, mut message): (_, Option<(bool, Vec<u8>)>) = (Vec::new(), None);
    loop {
        let Some(frame) = parse(bytes) else { return (seen, vec![End::Gone]) };
        let (is_last, opcode) = (frame.first & 0x80 != 0, frame.first & 15);
        let mut wrong = Vec::new();
        let is_control = opcode >= 8;
        let is_known = matches!(opcode, 0..=2 | 8..=10);
        let out_of_order = match opcode {
            0 => message.is_none(),
            1 | 2 => message.is_some(),
            _ => false,
        };
        if frame.first & 0x70 != 0
            || !frame.is_masked
            || !is_known
            || is_control && (!is_last || frame.length > 125)
            || out_of_order
            || frame.length > u64::MAX / 2
        {
            wrong.push(End::Broken(1_002));
        }
        let before = message.as_ref().map_or(0, |(_, text)| text.len()) as u64;
        let before = if opcode == 0 { before } else { 0 };
        if frame.length > MOST as u64 || !is_control && before + frame.length > MOST as u64 {
            wrong.push(End::Broken(1_009));
        }
        let Some(payload) = frame.payload else {
            // The header is enough for some; for what is too large it has to be.
            if frame.length <= MOST as u64 {
                wrong.push(End::Gone);
            }
            let text = message.as_ref().is_some_and(|(is_text, _)| *is_text);
            if text && opcode == 0 || opcode == 1 {
                // A part of it may have been looked at.
                wrong.push(End::Broken(1_007));
            }
            return (seen, wrong);
        };
        let mut is_bad_text = false;
        let mut whole = None;
        match opcode {
            0..=2 => {
                let (is_text, mut parts) = match message.take() {
                    Some(begun) => begun,
                    None => (opcode == 1, Vec::new()),
                };
                parts.extend_from_slice(&payload);
                let is_text_yet = if is_last {
                    std::str::from_utf8(&parts).is_ok()
                } else {
                    may_become_text(&parts)
                };
                is_bad_text = is_text && !is_text_yet;
                whole = Some((is_text, parts));
            }
            8 => {
                if payload.len() == 1 {
                    wrong.push(End::Broken(1_002));
                }
                is_bad_text = std::str::from_utf8(payload.get(2..).unwrap_or_default()).is_err();
            }
            _ => {}
        }
        if is_bad_text {
            wrong.push(End::Broken(1_007));
        }
        if !wrong.is_empty() {
            return (seen, wrong);
        }
        match (opcode, whole) {
            (8, _) => return (seen, replies(&payload)),
            (9, _) => seen.push(Seen::Pong(payload)),
            (_, Some((is_text, parts))) if is_last => {
                seen.push(if is_text { Seen::Text(parts) } else { Seen::Binary(parts) });
            }
            (_, whole @ Some(_)) => message = whole,
            _ => {}
        }
        // A long form of a short length is forbidden, and let pass as most do.
        bytes = frame.rest;
    }
}

/// Bytes that come in pieces, and then no more.
struct Cut {
    pieces: VecDeque<Vec<u8>>,
}

impl AsyncRead for Cut {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(mut piece) = self.pieces.pop_front() else { return Poll::Ready(Ok(())) };
        if piece.is_empty() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let rest = piece.split_off(piece.len().min(into.remaining()));
        into.put_slice(&piece);
        if !rest.is_empty() {
            self.pieces.push_front(rest);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Cut {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The payload of a control frame that a server says: whole, not masked, at most 125 bytes.
fn said(frame: &[u8], opcode: u8) -> Option<Vec<u8>> {
    let parsed = parse(frame)?;
    let fits = parsed.first == 0x80 | opcode && !parsed.is_masked && parsed.length <= 125;
    parsed.payload.filter(|_| fits && parsed.rest.is_empty())
}

/// What the reader makes of it. `None` where it says something that is no frame, or goes on after
/// the end.
async fn read(before: Bytes, pieces: VecDeque<Vec<u8>>) -> Option<(Vec<Seen>, End)> {
    let mut options = WebSocketOptions::default();
    options.max_message = MOST;
    let (mut reader, _transport) =
        WebSocketReader::upgraded_stream(Cut { pieces }, before, options).await;
    let (mut seen, mut close, mut is_sound) = (Vec::new(), None, true);
    let mut failed = false;
    loop {
        let mut answers = Vec::new();
        let next = reader.next(|answer| answers.push(answer)).await;
        for answer in answers {
            match answer {
                Control::Pong(frame) => match said(&frame, 10) {
                    Some(payload) if close.is_none() => seen.push(Seen::Pong(payload)),
                    _ => is_sound = false,
                },
                Control::Close(frame) => match said(&frame, 8) {
                    Some(payload) if close.is_none() => close = Some(payload),
                    _ => is_sound = false,
                },
                _ => is_sound = false,
            }
        }
        match next {
            Some(Ok(FromPeer::Text(text))) => seen.push(Seen::Text(text.to_vec())),
            Some(Ok(FromPeer::Binary(bytes))) => seen.push(Seen::Binary(bytes.to_vec())),
            Some(Err(_)) => failed = true,
            _ => break,
        }
    }
    // After the end there is nothing.
    let after = reader.next(|_| ()).await;
    let end = match (failed, close) {
        (true, Some(close)) => {
            let (code, reason) = close.split_first_chunk()?;
            std::str::from_utf8(reason).ok()?;
            End::Broken(u16::from_be_bytes(*code))
        }
        (false, Some(close)) => End::Closed(close),
        (_, None) => End::Gone,
    };
    (is_sound && after.is_none()).then_some((seen, end))
}

fn cut(bytes: &[u8], cuts: &[u8]) -> VecDeque<Vec<u8>> {
    let (mut pieces, mut rest) = (VecDeque::new(), bytes);
    for &count in cuts.iter().cycle() {
        // Each round takes something, or it would never end.
        if rest.is_empty() || cuts.iter().all(|&count| count == 0) {
            break;
        }
        let (piece, left) = rest.split_at(rest.len().min(count.into()));
        pieces.push_back(piece.to_vec());
        rest = left;
    }
    if !rest.is_empty() {
        pieces.push_back(rest.to_vec());
    }
    pieces
}

/// Lets a reader read it, cut in several ways.
pub fn run(sequence: &Sequence) -> Check {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.unwrap_or_else(|error| unreachable!("no runtime: {error}"));
    let mut bytes = Vec::new();
    sequence.pieces.iter().for_each(|piece| piece.put(&mut bytes));
    let at_once = runtime.block_on(read(Bytes::new(), cut(&bytes, &[])));
    let in_pieces = runtime.block_on(read(Bytes::new(), cut(&bytes, &sequence.cuts)));
    let one_by_one = runtime.block_on(read(Bytes::new(), cut(&bytes, &[1])));
    // As after a handshake that had read some of it.
    let ahead = usize::from(sequence.cuts.first().copied().unwrap_or(0)).min(bytes.len());
    let before = Bytes::copy_from_slice(&bytes[..ahead]);
    let after_another = runtime.block_on(read(before, cut(&bytes[ahead..], &sequence.cuts)));
    same(Law::L9Deterministic, "what is read in pieces", &at_once, &in_pieces)?;
    same(Law::L9Deterministic, "what is read byte by byte", &at_once, &one_by_one)?;
    same(Law::L9Deterministic, "what is read after another", &at_once, &after_another)?;
    let (seen, ends) = model(&bytes);
    let Some((found, end)) = at_once else {
        return same(Law::L8NothingLost, "whether what a reader says are frames", true, false);
    };
    same(Law::Batches, "what a peer has said", seen, found)?;
    let is_corrected = matches!(&end, End::Closed(said) if said.starts_with(&[0x03, 0xea]));
    let may_end = ends.contains(&end) || is_corrected && ends.contains(&End::Corrected);
    same(
        Law::Events,
        format_args!("whether it may end as {end:?}, and not {ends:?}"),
        true,
        may_end,
    )?;
    // What a server frames itself reads back, whatever it is.
    for piece in &sequence.pieces {
        if let Piece::Raw(raw) = piece {
            framed(raw)?;
        }
    }
    Ok(())
}

/// Frames of the server's own.
fn framed(payload: &[u8]) -> Check {
    let mut frames = Vec::new();
    WebSocketFrames::put_binary(payload, &mut frames);
    let text = String::from_utf8_lossy(payload);
    WebSocketFrames::put_text(&text, &mut frames);
    let code = payload.first_chunk().map_or(1_000, |code| u16::from_be_bytes(*code));
    WebSocketFrames::put_close(code, &text, &mut frames);
    let mut rest = &frames[..];
    let mut found = Vec::new();
    while let Some(Frame {
        first,
        is_masked: false,
        is_minimal: true,
        payload: Some(payload),
        rest: left,
        ..
    }) = parse(rest)
    {
        found.push((first, payload));
        rest = left;
    }
    let reason = text.as_bytes();
    let is_close = |frame: &(u8, Vec<u8>)| {
        let said = frame.1.get(2..).unwrap_or_default();
        frame.0 == 0x88
            && frame.1.len() <= 125
            && frame.1.starts_with(&code.to_be_bytes())
            && std::str::from_utf8(said).is_ok()
            && reason.starts_with(said)
            && (said.len() == reason.len() || said.len() >= 120)
    };
    let others = found.get(..2);
    let expected = [(0x82, payload.to_vec()), (0x81, reason.to_vec())];
    same(Law::L8NothingLost, "what is framed", Some(&expected[..]), others)?;
    let closes = rest.is_empty() && found.len() == 3 && found.last().is_some_and(is_close);
    same(Law::L8NothingLost, "whether a close is framed", true, closes)
}
