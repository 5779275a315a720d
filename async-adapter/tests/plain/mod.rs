//! An encoder of payloads as they are.

use roomcast::event::EndReason;
use roomcast::{Bytes, Direct, Encoder, GapCause, Message, Priority};

#[derive(Clone)]
pub(crate) struct Plain;

impl Encoder<Bytes> for Plain {
    type Frame = Bytes;

    fn message(&mut self, message: &Message<Bytes>) -> Bytes {
        message.payload.clone()
    }

    fn direct(&mut self, direct: &Direct<Bytes>) -> Bytes {
        direct.payload.clone()
    }

    fn gap(&mut self, priority: Priority, count: u64, _: GapCause) -> Option<Bytes> {
        Some(format!("missed {count} {priority:?}").into())
    }

    fn end(&mut self, reason: EndReason) -> Option<Bytes> {
        Some(reason.to_string().into())
    }
}
