//! Encoding: batches become bytes once for all connections that read the same.
//! [Decision D29](roomcast_core::design#d29-frames-are-made-once).

use crate::encode::Encoder;
use crate::sync::Arc;
use bytes::{Buf, Bytes};
use roomcast_core::audience::BatchKey;
use roomcast_core::event::EndReason;
use roomcast_core::ids::Seq;
use roomcast_core::resume::Rewind;
use roomcast_core::{Batch, Item, Message, Priority};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// An [`Encoder`] that a pump can use: its frames are bytes, and each task of the pump has a clone.
pub trait PumpEncoder<M>: Encoder<M, Frame: Into<Bytes>> + Clone + Send + 'static {}

impl<M, E: Encoder<M, Frame: Into<Bytes>> + Clone + Send + 'static> PumpEncoder<M> for E {}

/// What one write hands a connection.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) bytes: Bytes,
    /// Messages in it, direct ones too.
    pub(crate) messages: u32,
    /// Where the session stood before it took them.
    pub(crate) rewind: Rewind,
    /// Between what something else can go, if there is more than one.
    pub(crate) bounds: Option<Arc<Bounds>>,
    /// How much of the frame that the bounds are of went before the bytes.
    pub(crate) at: usize,
    /// Whether it tells that a High message was missed.
    pub(crate) lost_high: bool,
}

/// Where the messages of a frame end, its gaps and the direct ones among them.
#[derive(Debug)]
pub(crate) struct Bounds {
    /// Each one's end.
    pub(crate) ends: Box<[usize]>,
    /// The end of those that are High.
    pub(crate) high: usize,
}

impl Frame {
    /// One without messages of the room.
    pub(crate) fn of_bytes(bytes: Bytes) -> Self {
        Self {
            bytes,
            messages: 0,
            rewind: Rewind::default(),
            bounds: None,
            at: 0,
            lost_high: false,
        }
    }

    /// What is left once so many bytes were taken, and not all: of the message that has begun, and
    /// of those that have not. The last of the two counts for all that the frame holds.
    pub(crate) fn cut(mut self, taken: usize) -> (Option<Self>, Option<Self>) {
        self.bytes.advance(taken);
        self.at += taken;
        let ends = self.bounds.as_ref().map_or(&[][..], |bounds| &bounds.ends);
        let (Ok(next) | Err(next)) = ends.binary_search(&self.at);
        if self.at == 0 || ends.get(next) == Some(&self.at) {
            return (None, Some(self));
        }
        match ends.get(next).map(|end| end - self.at).filter(|&left| left < self.bytes.len()) {
            Some(left) => (Some(self.take_front(left)), Some(self)),
            None => (Some(self), None),
        }
    }

    /// Takes the High messages off the front. The rest counts for them, too.
    pub(crate) fn take_high(&mut self) -> Option<Self> {
        let left = self.bounds.as_ref()?.high.checked_sub(self.at).filter(|&left| left > 0)?;
        Some(self.take_front(left))
    }

    fn take_front(&mut self, bytes: usize) -> Self {
        let front = Self { rewind: self.rewind, ..Self::of_bytes(self.bytes.split_to(bytes)) };
        self.at += bytes;
        front
    }
}

/// Ranges that are kept: those who are caught up read one and the same, those who lag few others.
const RANGES: usize = 8;
/// Encoded messages that are kept, by count and by bytes: for those who lag and read ranges of
/// their own.
const MESSAGES: usize = 1_024;
const MESSAGE_BYTES: usize = 1 << 20;

/// Encodes, and keeps what it has encoded: a bounded number of ranges, the one that was asked for
/// last longest, and of the messages the newest. Those who lag behind and scatter over ranges of
/// their own push out none that many ask for.
#[derive(Debug)]
pub(crate) struct Frames<E> {
    encoder: E,
    /// The one that was used last is the last.
    ranges: Vec<(BatchKey, Frame)>,
    /// By their numbers, each as history or not.
    messages: VecDeque<((Seq, bool), Bytes)>,
    message_bytes: usize,
    /// Room for where the messages of a frame end.
    ends: Vec<usize>,
    /// Calls of the encoder that panicked.
    pub(crate) panics: u64,
    /// Messages that were encoded, and frames that were put together.
    pub(crate) encoded: u64,
    pub(crate) framed: u64,
}

impl<E> Frames<E> {
    pub(crate) fn new(encoder: E) -> Self {
        Self {
            encoder,
            ranges: Vec::with_capacity(RANGES),
            messages: VecDeque::new(),
            message_bytes: 0,
            ends: Vec::new(),
            panics: 0,
            encoded: 0,
            framed: 0,
        }
    }

    /// The frame of a range, if it is kept.
    pub(crate) fn kept(&mut self, key: &BatchKey) -> Option<Frame> {
        let place = self.ranges.iter().rposition(|(other, _)| other == key)?;
        self.ranges[place..].rotate_left(1);
        self.ranges.last().map(|(_, frame)| frame.clone())
    }

    /// The frame of a batch, which covers the range `key`, if others may have the same.
    pub(crate) fn frame<M>(&mut self, key: Option<&BatchKey>, batch: &Batch<M>) -> Frame
    where
        E: PumpEncoder<M>,
    {
        if let Some(frame) = key.and_then(|key| self.kept(key)) {
            return frame;
        }
        self.framed += 1;
        let (mut bytes, mut high) = (Vec::new(), 0);
        let mut ends = std::mem::take(&mut self.ends);
        for item in batch.items() {
            let level = match item {
                Item::Gap { priority, .. } => {
                    bytes.extend_from_slice(&self.item(batch, item));
                    priority
                }
                Item::Message(message) => {
                    bytes.extend_from_slice(&self.message(batch, message));
                    message.priority
                }
                Item::Direct(direct) => {
                    self.encoded += 1;
                    bytes.extend_from_slice(&self.item(batch, item));
                    direct.priority
                }
            };
            ends.push(bytes.len());
            if level == Priority::High {
                high = bytes.len();
            }
        }
        let bounds = (ends.len() > 1).then(|| Arc::new(Bounds { ends: (&*ends).into(), high }));
        ends.clear();
        self.ends = ends;
        let frame = Frame {
            bytes: bytes.into(),
            messages: (batch.messages().len() + batch.directs().len()) as u32,
            rewind: batch.rewind(),
            bounds,
            at: 0,
            lost_high: batch.gap(Priority::High) > 0,
        };
        if let Some(&key) = key {
            if self.ranges.len() == RANGES {
                self.ranges.remove(0);
            }
            self.ranges.push((key, frame.clone()));
        }
        frame
    }

    /// The last words.
    pub(crate) fn end<M>(&mut self, reason: EndReason) -> Bytes
    where
        E: PumpEncoder<M>,
    {
        self.guarded(|encoder| encoder.end(reason))
    }

    /// The bytes of one message, which is history or not to whoever gets it.
    fn message<M>(&mut self, batch: &Batch<M>, message: &Arc<Message<M>>) -> Bytes
    where
        E: PumpEncoder<M>,
    {
        // In order of their numbers, but for what a late reader asked for again.
        let key = (message.seq, batch.is_history(message));
        if let Ok(place) = self.messages.binary_search_by_key(&key, |(key, _)| *key) {
            return self.messages[place].1.clone();
        }
        self.encoded += 1;
        let bytes = self.item(batch, Item::Message(message));
        self.keep(key, bytes.clone());
        bytes
    }

    fn item<M>(&mut self, batch: &Batch<M>, item: Item<'_, M>) -> Bytes
    where
        E: PumpEncoder<M>,
    {
        self.guarded(|encoder| encoder.item(batch, item))
    }

    fn keep(&mut self, key: (Seq, bool), bytes: Bytes) {
        let place = self.messages.partition_point(|(other, _)| *other < key);
        if place == 0 && self.messages.len() == MESSAGES {
            return;
        }
        self.message_bytes += bytes.len();
        self.messages.insert(place, (key, bytes));
        while self.messages.len() > MESSAGES || self.message_bytes > MESSAGE_BYTES {
            let Some((_, oldest)) = self.messages.pop_front() else { break };
            self.message_bytes -= oldest.len();
        }
    }

    /// What a call of the encoder gives; nothing if it panics.
    fn guarded<F: Into<Bytes>>(&mut self, call: impl FnOnce(&mut E) -> Option<F>) -> Bytes {
        let encoded = AssertUnwindSafe(|| call(&mut self.encoder).map(Into::into));
        catch_unwind(encoded).inspect_err(|_| self.panics += 1).ok().flatten().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roomcast_core::audience::Delivery;
    use roomcast_core::{
        Budget, Direct, GapCause, Group, Handoff, Instant, Join, Publish, Recipient, RoomConfig,
        RoomState, Source, UserId,
    };

    #[derive(Clone)]
    struct Lines;

    impl Encoder<&'static str> for Lines {
        type Frame = String;

        fn message(&mut self, message: &Message<&'static str>) -> String {
            assert_ne!(message.payload, "bad", "this encoder has a bug");
            format!("{}\n", message.payload)
        }

        fn history(&mut self, message: &Message<&'static str>) -> String {
            format!("before: {}", self.message(message))
        }

        fn direct(&mut self, direct: &Direct<&'static str>) -> String {
            format!("to you: {}\n", direct.payload)
        }

        fn gap(&mut self, priority: Priority, count: u64, _: GapCause) -> Option<String> {
            Some(format!("-{count} {priority:?}\n"))
        }
    }

    fn frames_of(room: &mut RoomState<&'static str>, frames: &mut Frames<Lines>) -> Vec<String> {
        let mut all = Vec::new();
        room.sweep(Instant::ZERO, Group::DEFAULT, 0..9, Budget::default(), |_, due| {
            if let Delivery::Batch(reading) = due {
                let frame = frames.frame(reading.key(), &reading.to_batch());
                assert_eq!(frame.messages, reading.messages() + reading.directs());
                all.push(String::from_utf8_lossy(&frame.bytes).into_owned());
            }
            Handoff::Taken
        });
        all
    }

    fn say(room: &mut RoomState<&'static str>, text: &'static str) {
        let receipt = room.publish(Instant::ZERO, Publish::new(Source::Host, text));
        assert!(
            receipt.is_ok_and(|receipt| receipt.outcome.is_some()),
            "a quiet room sends at once"
        );
    }

    #[test]
    fn each_range_and_message_is_encoded_once() {
        let config = RoomConfig::builder(UserId(1))
            .log_messages(roomcast_core::PerLevel([1, 2, 1, 1]))
            .build()
            .unwrap();
        let (mut room, mut frames) = (RoomState::new(&config), Frames::new(Lines));
        for _ in 0..3 {
            room.join(Instant::ZERO, Join::guest()).unwrap();
        }
        say(&mut room, "a");
        say(&mut room, "b");
        assert_eq!(frames_of(&mut room, &mut frames), ["a\nb\n"; 3]);
        assert_eq!((frames.encoded, frames.framed), (2, 1));
        // One reads what the others leave, and falls out of the log.
        say(&mut room, "c");
        let late = room.join(Instant::ZERO, Join::guest()).unwrap().session;
        say(&mut room, "d");
        assert_eq!(frames_of(&mut room, &mut frames), ["c\nd\n", "c\nd\n", "c\nd\n", "d\n"]);
        assert_eq!((frames.encoded, frames.framed), (4, 3));
        say(&mut room, "e");
        say(&mut room, "f");
        say(&mut room, "g");
        assert!(room.close_session(Instant::ZERO, late));
        assert_eq!(frames_of(&mut room, &mut frames), ["-1 Normal\nf\ng\n"; 3]);
        assert_eq!(frames.encoded, 6, "whoever reads alone gets what was encoded for others");
    }

    /// For all of those together, and apart from those to whom it is no history.
    #[test]
    fn b21_history_is_encoded_once_as_history() {
        let config = RoomConfig::builder(None).replay_on_join(2).build().unwrap();
        let (mut room, mut frames) = (RoomState::new(&config), Frames::new(Lines));
        room.join(Instant::ZERO, Join::guest()).unwrap();
        say(&mut room, "a");
        say(&mut room, "b");
        for _ in 0..2 {
            room.join(Instant::ZERO, Join::guest()).unwrap();
        }
        let replayed = "before: a\nbefore: b\n";
        assert_eq!(frames_of(&mut room, &mut frames), ["a\nb\n", replayed, replayed]);
        assert_eq!(frames.encoded, 4);
        say(&mut room, "c");
        assert_eq!(frames_of(&mut room, &mut frames), ["c\n"; 3]);
        assert_eq!((frames.encoded, frames.framed), (5, 4), "from then on they share");
    }

    /// It is not kept for others.
    #[test]
    fn a_direct_message_is_framed_for_one_session() {
        let (mut room, mut frames) =
            (RoomState::new(&RoomConfig::av_chat_room(UserId(1))), Frames::new(Lines));
        let guests = [(); 3].map(|()| room.join(Instant::ZERO, Join::guest()).unwrap().session);
        say(&mut room, "a");
        for text in ["one", "two"] {
            assert!(
                room.send_direct(Instant::ZERO, Recipient::Session(guests[1]), Direct::new(text))
                    .is_ok()
            );
        }
        say(&mut room, "b");
        assert_eq!(
            frames_of(&mut room, &mut frames),
            ["a\nb\n", "a\nto you: one\nto you: two\nb\n", "a\nb\n"]
        );
        assert_eq!((frames.encoded, frames.framed), (4, 2));
    }

    #[test]
    fn a_panic_in_an_encoder_costs_one_message() {
        let (mut room, mut frames) =
            (RoomState::new(&RoomConfig::av_chat_room(UserId(1))), Frames::new(Lines));
        room.join(Instant::ZERO, Join::guest()).unwrap();
        for text in ["a", "bad", "b"] {
            say(&mut room, text);
        }
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        assert_eq!(frames_of(&mut room, &mut frames), ["a\nb\n"]);
        std::panic::set_hook(hook);
        assert_eq!(frames.panics, 1);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut frames = Frames::new(Lines);
        for seq in 0..5_000 {
            frames.keep((Seq(seq), false), Bytes::from_static(&[0; 2_000]));
            assert!(frames.messages.len() <= MESSAGES && frames.message_bytes <= MESSAGE_BYTES);
        }
        assert!(frames.messages.len() > 500);
    }
}
