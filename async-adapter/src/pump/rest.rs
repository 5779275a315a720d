//! What a connection has yet to take that could not take all, in the order in which it goes out.
//! [Decision D49](roomcast_core::design#d49-no-more-in-flight-than-drains-in-a-short-time).

use super::frames::Frame;
use bytes::{Buf, Bytes};
use roomcast_core::resume::Rewind;
use std::collections::VecDeque;

/// A message that has begun goes out whole; between two, what is more urgent goes first: what the
/// host says to the connection, then the room's High messages.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// What goes next, whatever comes: the rest of a message, or a word of the host's.
    next: Option<Frame>,
    /// High messages that came later than what waits.
    ahead: VecDeque<Frame>,
    waiting: VecDeque<Frame>,
}

impl Rest {
    /// What is left of a frame of which so many bytes were taken, and not all.
    pub(super) fn of(frame: &Frame, taken: usize) -> Self {
        let mut rest = Self { waiting: VecDeque::from([frame.clone()]), ..Self::default() };
        rest.wrote(taken);
        rest
    }

    pub(super) fn is_empty(&self) -> bool {
        self.next.is_none() && self.ahead.is_empty() && self.waiting.is_empty()
    }

    /// Behind all else.
    pub(super) fn push(&mut self, frame: Frame) {
        self.waiting.push_back(frame);
    }

    /// Whether nothing has begun, so that a word of the host's may go next.
    pub(super) fn is_between(&self) -> bool {
        self.next.is_none()
    }

    /// A word of the host's, where nothing has begun.
    pub(super) fn put_next(&mut self, frame: Frame) {
        self.next = Some(frame);
    }

    /// Whether High messages would get anywhere earlier than behind all of it. Those that have been
    /// let past go first.
    pub(super) fn may_be_overtaken(&self) -> bool {
        self.ahead.is_empty() && !self.waiting.is_empty()
    }

    /// Puts High messages before all that has not begun, but behind what is High itself.
    pub(super) fn overtake(&mut self, frame: Frame) {
        self.ahead.extend(self.waiting.front_mut().and_then(Frame::take_high));
        self.ahead.push_back(frame);
    }

    /// What goes out next.
    pub(super) fn first(&self) -> Option<&Bytes> {
        let first = self.next.as_ref().or(self.ahead.front()).or(self.waiting.front());
        first.map(|frame| &frame.bytes)
    }

    /// So many bytes of the first were taken. Returns how many messages have gone out by that.
    pub(super) fn wrote(&mut self, taken: usize) -> u32 {
        if let Some(next) = &mut self.next {
            next.bytes.advance(taken);
            return self.next.take_if(|next| next.bytes.is_empty()).map_or(0, |next| next.messages);
        }
        let queue = if self.ahead.is_empty() { &mut self.waiting } else { &mut self.ahead };
        let Some(frame) = queue.pop_front() else { return 0 };
        if taken == frame.bytes.len() {
            return frame.messages;
        }
        let (begun, whole) = frame.cut(taken);
        if let Some(whole) = whole {
            queue.push_front(whole);
        }
        self.next = begun;
        0
    }

    fn frames(&self) -> impl Iterator<Item = &Frame> {
        self.next.iter().chain(&self.ahead).chain(&self.waiting)
    }

    /// How many messages it holds. Those of a batch count until all of it is out.
    pub(super) fn messages(&self) -> u64 {
        self.frames().map(|frame| u64::from(frame.messages)).sum()
    }

    /// Where the session stood before it took any of it.
    pub(super) fn rewind(&self) -> Rewind {
        self.frames().fold(Rewind::default(), |rewind, frame| rewind.and(frame.rewind))
    }

    /// Drops all that has not begun; returns how many messages that was, and where the session stood
    /// before it took them.
    pub(super) fn drop_waiting(&mut self) -> (u64, Rewind) {
        let next = self.next.take();
        let dropped = std::mem::take(self);
        self.next = next;
        (dropped.messages(), dropped.rewind())
    }
}

#[cfg(test)]
mod tests {
    use super::super::frames::Bounds;
    use super::*;
    use std::sync::Arc;

    /// A frame of messages of three bytes, the first few of them High.
    fn frame(text: &'static str, high: usize) -> Frame {
        let ends = (3..=text.len()).step_by(3).collect();
        let bounds = Bounds { ends, high: 3 * high };
        let messages = text.len() as u32 / 3;
        let bytes = Bytes::from_static(text.as_bytes());
        Frame { messages, bounds: Some(Arc::new(bounds)), ..Frame::of_bytes(bytes) }
    }

    /// What goes out, a byte at a time, with what comes before each byte.
    fn written(mut rest: Rest, mut before: impl FnMut(usize, &mut Rest)) -> (String, u32) {
        let (mut text, mut messages) = (String::new(), 0);
        loop {
            before(text.len(), &mut rest);
            let Some(first) = rest.first() else { return (text, messages) };
            text.push(first[0].into());
            messages += rest.wrote(1);
        }
    }

    #[test]
    fn what_is_more_urgent_goes_between_two_messages() {
        for taken in 0..=9 {
            let all = frame("H1.H2.n1.n2.", 2);
            let (text, messages) = written(Rest::of(&all, taken), |at, rest| {
                if at == 0 && rest.may_be_overtaken() {
                    rest.overtake(frame("H3.H4.", 2));
                    assert!(!rest.may_be_overtaken());
                }
                if at == 1 && rest.is_between() {
                    rest.put_next(Frame::of_bytes(Bytes::from_static(b"c0.")));
                }
            });
            // The message that has begun, then High in its order.
            let begun = taken.next_multiple_of(3);
            let high = begun.max(6);
            let mut right =
                format!("{}H3.H4.{}", &"H1.H2.n1.n2."[taken..high], &"H1.H2.n1.n2."[high..]);
            if (taken + 1) % 3 == 0 {
                right.insert_str(1, "c0.");
            }
            assert_eq!((text, messages), (right, 6), "{taken} were taken");
        }
    }

    /// What has no bounds goes out in one.
    #[test]
    fn what_has_no_bounds_is_not_interrupted() {
        let whole = Frame { messages: 1, ..Frame::of_bytes(Bytes::from_static(b"hello")) };
        let mut rest = Rest::of(&whole, 0);
        rest.overtake(frame("H1.", 1));
        assert_eq!(written(rest, |_, _| {}), ("H1.hello".to_owned(), 2));
        let rest = Rest::of(&whole, 2);
        assert!(!rest.may_be_overtaken() && !rest.is_between());
        assert_eq!(written(rest, |_, _| {}), ("llo".to_owned(), 1));
    }

    #[test]
    fn what_has_begun_is_kept_when_the_rest_is_dropped() {
        let mut rest = Rest::of(&frame("n1.n2.n3.", 0), 4);
        rest.overtake(frame("H1.", 1));
        assert_eq!(rest.drop_waiting().0, 4);
        assert_eq!(written(rest, |_, _| {}), ("2.".to_owned(), 0));
    }
}
