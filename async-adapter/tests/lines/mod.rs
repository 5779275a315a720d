//! The encoder of the pump's tests.

use roomcast::event::EndReason;
use roomcast::{Direct, Encoder, GapCause, Message, Priority};

/// A line for each thing that there is to say.
#[derive(Clone)]
pub(crate) struct Lines;

impl Encoder<String> for Lines {
    fn message(&mut self, message: &Message<String>, frame: &mut Vec<u8>) {
        frame.extend_from_slice(message.payload.as_bytes());
        frame.push(b'\n');
    }

    fn direct(&mut self, direct: &Direct<String>, frame: &mut Vec<u8>) {
        frame.extend_from_slice(format!("to you: {}\n", direct.payload).as_bytes());
    }

    fn gap(&mut self, priority: Priority, count: u64, _: GapCause, frame: &mut Vec<u8>) {
        frame.extend_from_slice(format!("missed {count} {priority:?}\n").as_bytes());
    }

    fn end(&mut self, reason: EndReason, frame: &mut Vec<u8>) {
        frame.extend_from_slice(format!("end: {reason}\n").as_bytes());
    }
}
