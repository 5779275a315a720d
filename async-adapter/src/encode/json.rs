//! An encoder of what serde serializes.

use super::Encoder;
use roomcast_core::event::EndReason;
use roomcast_core::{Direct, GapCause, Message, Priority};
use serde::Serialize;

/// JSON: each payload as serde serializes it, with nothing around it, so that clients read what
/// they read before.
///
/// What the library has to say is an object with one key: `{"gap":{"level":"normal","count":3,
/// "cause":"age"}}` and `{"end":"the room was closed"}`. A payload that cannot be serialized, such as
/// a map whose keys are no strings, is told in its place as `{"error":"…"}`.
///
/// ```
/// use roomcast::encode::Json;
/// use roomcast::{Direct, Encoder, GapCause, Priority};
///
/// #[derive(serde::Serialize)]
/// struct Said {
///     from: &'static str,
///     text: &'static str,
/// }
///
/// let frame = Json.direct(&Direct::new(Said { from: "ann", text: "hi" }));
/// assert_eq!(frame, r#"{"from":"ann","text":"hi"}"#);
/// let gap = Encoder::<Said>::gap(&mut Json, Priority::Normal, 3, GapCause::Age);
/// assert_eq!(gap.unwrap(), r#"{"gap":{"level":"normal","count":3,"cause":"age"}}"#);
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "json")))]
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value)
        .unwrap_or_else(|error| serde_json::json!({ "error": error.to_string() }).to_string())
}

impl<M: Serialize> Encoder<M> for Json {
    type Frame = String;

    fn message(&mut self, message: &Message<M>) -> String {
        json(&message.payload)
    }

    fn direct(&mut self, direct: &Direct<M>) -> String {
        json(&direct.payload)
    }

    fn gap(&mut self, priority: Priority, count: u64, cause: GapCause) -> Option<String> {
        let gap = format!(r#"{{"level":"{priority}","count":{count},"cause":"{cause}"}}"#);
        Some(format!(r#"{{"gap":{gap}}}"#))
    }

    fn end(&mut self, reason: EndReason) -> Option<String> {
        Some(serde_json::json!({ "end": reason.to_string() }).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// It is neither left out in silence nor does it take others along.
    #[test]
    fn what_is_no_json_is_told_in_its_place() {
        let keys: BTreeMap<(u8, u8), u8> = BTreeMap::from([((1, 2), 3)]);
        let frame = Json.direct(&Direct::new(keys));
        assert_eq!(frame, r#"{"error":"key must be a string"}"#);
        let end = Encoder::<()>::end(&mut Json, EndReason::RoomClosed);
        assert_eq!(end.unwrap(), format!(r#"{{"end":"{}"}}"#, EndReason::RoomClosed));
    }
}
