//! An encoder of payloads as they are.

use roomcast::event::EndReason;
use roomcast::{Bytes, Direct, Encoder, GapCause, Message, Priority};

#[derive(Clone)]
pub(crate) struct Plain;

impl Encoder<Bytes> for Plain {
    fn message(&mut self, message: &Message<Bytes>, frame: &mut Vec<u8>) {
        frame.extend_from_slice(&message.payload);
    }

    fn direct(&mut self, direct: &Direct<Bytes>, frame: &mut Vec<u8>) {
        frame.extend_from_slice(&direct.payload);
    }

    fn gap(&mut self, priority: Priority, count: u64, _: GapCause, frame: &mut Vec<u8>) {
        frame.extend_from_slice(format!("missed {count} {priority:?}").as_bytes());
    }

    fn end(&mut self, reason: EndReason, frame: &mut Vec<u8>) {
        frame.extend_from_slice(reason.to_string().as_bytes());
    }
}
