//! An encoder of payloads that are text already.

use super::Encoder;
use roomcast_core::event::EndReason;
use roomcast_core::{Direct, GapCause, Message, Priority};

/// Text as it is: a frame for each message, and what the library has to say in parentheses.
///
/// A gap reads `(3 normal missed: age)`, the end `(goodbye: the room was closed)`. For payloads of
/// `String`, `Arc<str>` or anything else that is text.
///
/// ```
/// use roomcast::encode::Text;
/// use roomcast::{Direct, Encoder, GapCause, Priority};
///
/// assert_eq!(Text.direct(&Direct::new("welcome")), "welcome");
/// let gap = Encoder::<String>::gap(&mut Text, Priority::Normal, 3, GapCause::Age);
/// assert_eq!(gap.as_deref(), Some("(3 normal missed: age)"));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Text;

impl<M: AsRef<str>> Encoder<M> for Text {
    type Frame = String;

    fn message(&mut self, message: &Message<M>) -> String {
        message.payload.as_ref().to_owned()
    }

    fn direct(&mut self, direct: &Direct<M>) -> String {
        direct.payload.as_ref().to_owned()
    }

    fn gap(&mut self, priority: Priority, count: u64, cause: GapCause) -> Option<String> {
        Some(format!("({count} {priority} missed: {cause})"))
    }

    fn end(&mut self, reason: EndReason) -> Option<String> {
        Some(format!("(goodbye: {reason})"))
    }
}
