//! A payload of a type that is not the host's own.

use roomcast_core::Payload;
use std::ops::Deref;

/// A payload of any type, with the size that counts for it: for types of other crates, such as
/// `serde_json::Value`, for which a host cannot implement [`Payload`](crate::Payload).
///
/// The size is said once, where the host knows it anyhow: of what was parsed it is the length of
/// the text. It reads as what it holds, and is serialized as such, so the encoders of [`encode`]
/// take it.
///
/// [`encode`]: crate::encode
///
/// ```
/// # #[cfg(not(feature = "json"))] fn main() {}
/// # #[cfg(feature = "json")] fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use roomcast::encode::Json;
/// use roomcast::message::Measured;
/// use roomcast::{Encoder, Hub, RoomConfig};
/// use serde_json::Value;
/// use std::time::Duration;
///
/// let hub = Hub::<Measured<Value>>::builder().spawn_threads()?;
/// let room = hub.open_room("lobby", &RoomConfig::fan_out())?;
/// let (say, mut hear) = room.join("ann")?.split();
///
/// let frame = r#"{"text":"hello"}"#; // As it comes from the socket.
/// say.send(Measured::new(serde_json::from_str(frame)?, frame.len()))?;
///
/// let batch = hear.next_batch_timeout(Duration::from_secs(60))?.expect("it is echoed");
/// assert_eq!(batch.messages()[0].payload["text"], "hello");
/// assert_eq!(Json.batch(&batch), [frame]);
/// # Ok(()) }
/// ```
///
/// A type of the host's own does without: three lines implement `Payload` for it, which is also
/// what it takes to tell the room of what happens in it
/// ([`Payload::system_message`](crate::Payload::system_message)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Measured<T> {
    value: T,
    size: usize,
    content_key: Option<u64>,
}

impl<T> Measured<T> {
    /// A payload that counts as so many bytes.
    pub const fn new(value: T, size: usize) -> Self {
        Self { value, size, content_key: None }
    }

    /// With a number that is the same for contents that count as the same: see
    /// [`Payload::content_key`](crate::Payload::content_key).
    #[must_use]
    pub fn with_content_key(mut self, key: u64) -> Self {
        self.content_key = Some(key);
        self
    }

    /// Returns what it holds.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> Deref for Measured<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: AsRef<U>, U: ?Sized> AsRef<U> for Measured<T> {
    fn as_ref(&self) -> &U {
        self.value.as_ref()
    }
}

impl<T> Payload for Measured<T> {
    fn size(&self) -> usize {
        self.size
    }

    fn content_key(&self) -> Option<u64> {
        self.content_key
    }
}

#[cfg(any(feature = "json", feature = "serde"))]
impl<T: serde::Serialize> serde::Serialize for Measured<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::Text;
    use crate::{Encoder, Hub, Publish, RoomConfig, RoomId, Source};
    use roomcast_core::message::Limit;
    use std::ffi::OsString;

    /// Of another crate, and as large as it is said to be.
    #[test]
    fn what_is_said_of_a_size_counts() {
        let hub = Hub::<Measured<OsString>>::builder().undriven();
        let config = RoomConfig::fan_out().to_builder().payload_bytes(100).build().unwrap();
        let room = hub.create_room(RoomId(1), &config).unwrap();
        let say = |size| {
            room.try_publish(Publish::new(Source::Host, Measured::new(OsString::from("a"), size)))
        };
        assert!(say(100).is_ok());
        let refused = say(101).unwrap_err();
        assert_eq!(refused.payload.into_inner(), "a");
        assert_eq!(refused.limit, Some(Limit::PayloadBytes { size: 101, max: 100 }));
    }

    #[test]
    fn what_it_holds_is_encoded() {
        let direct = roomcast_core::Direct::new(Measured::new("hello", 1).with_content_key(7));
        assert_eq!((direct.payload.content_key(), direct.payload.len()), (Some(7), 5));
        assert_eq!(Text.direct(&direct), "hello");
    }
}
