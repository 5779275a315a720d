//! The encoder of the pump's tests.

use roomcast::event::EndReason;
use roomcast::{Direct, Encoder, GapCause, Message, Priority};

/// A line for each thing that there is to say.
#[derive(Clone)]
pub(crate) struct Lines;

impl Encoder<String> for Lines {
    type Frame = String;

    fn message(&mut self, message: &Message<String>) -> String {
        format!("{}\n", message.payload)
    }

    fn direct(&mut self, direct: &Direct<String>) -> String {
        format!("to you: {}\n", direct.payload)
    }

    fn gap(&mut self, priority: Priority, count: u64, _: GapCause) -> Option<String> {
        Some(format!("missed {count} {priority:?}\n"))
    }

    fn end(&mut self, reason: EndReason) -> Option<String> {
        Some(format!("end: {reason}\n"))
    }
}
