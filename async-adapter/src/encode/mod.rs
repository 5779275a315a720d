//! Encoding: what a message, a gap and the last words are in the host's protocol.

#[cfg(feature = "json")]
mod json;
mod text;

#[cfg(feature = "json")]
pub use json::Json;
pub use text::Text;

use roomcast_core::event::EndReason;
use roomcast_core::{Batch, Direct, GapCause, Item, Kind, Message, Priority};

/// Turns what a session gets into frames of the host's protocol: for
/// [`forward`](crate::Subscription::forward), for a pump, or in a loop of the host's own.
///
/// [`Text`] is one for payloads that are text, and `Json` (feature `json`) one for whatever serde
/// serializes.
///
/// # What a frame is
/// - [`forward`](crate::Subscription::forward) takes whatever its sink's items are made `From`. So
///   `String` serves a sink of strings, and one of axum's or tungstenite's messages, as text;
///   `Vec<u8>` is a binary message there.
/// - A pump takes what becomes [`Bytes`](crate::Bytes): those, a `String`, a `Vec<u8>`. It encodes
///   a message once for all who read it, so the same message has to give the same bytes. A frame
///   goes out in one piece; between two of them, where a transport took only a part of what it was
///   handed, a word of the host's may go, or a High message that came later. If a call panics, the
///   message goes without, and the pump counts it (`PumpStats::panics`).
///
/// ```
/// use roomcast::{Direct, Encoder, GapCause, Message, Priority};
///
/// /// A line for each message, a number for each gap.
/// #[derive(Clone)]
/// struct Lines;
///
/// impl Encoder<String> for Lines {
///     type Frame = String;
///
///     fn message(&mut self, message: &Message<String>) -> String {
///         format!("{}\n", message.payload)
///     }
///
///     fn direct(&mut self, direct: &Direct<String>) -> String {
///         format!("to you: {}\n", direct.payload)
///     }
///
///     fn gap(&mut self, level: Priority, count: u64, cause: GapCause) -> Option<String> {
///         Some(format!("{count} of {level} missed: {cause}\n"))
///     }
/// }
/// # assert_eq!(Lines.gap(Priority::Low, 3, GapCause::Age).unwrap(), "3 of low missed: age\n");
/// ```
pub trait Encoder<M> {
    /// What one message becomes.
    type Frame;

    /// Returns the frame of a message.
    fn message(&mut self, message: &Message<M>) -> Self::Frame;

    /// Returns the frame of a direct message, which goes to this session alone.
    fn direct(&mut self, direct: &Direct<M>) -> Self::Frame;

    /// Returns the frame of a message that is [pinned](Direct::pin), which goes to whoever joins. Default:
    /// that of any [`direct`](Self::direct) message.
    fn pinned(&mut self, direct: &Direct<M>) -> Self::Frame {
        self.direct(direct)
    }

    /// Returns the frame that says that the session missed so many messages of a priority, and why,
    /// just before those that follow. `None`: the protocol has no word for it.
    fn gap(&mut self, priority: Priority, count: u64, cause: GapCause) -> Option<Self::Frame>;

    /// Returns the frame of a [system message](Kind::System), a tip: of what happened in the room.
    /// Default: that of any [`message`](Self::message).
    fn tip(&mut self, message: &Message<M>) -> Self::Frame {
        self.message(message)
    }

    /// Returns the frame of a message that was there before the session came, and that a resume or
    /// a late join asked for: see [`Batch::is_history`]. Default: as if it were new.
    fn history(&mut self, message: &Message<M>) -> Self::Frame {
        match message.kind {
            Kind::System => self.tip(message),
            _ => self.message(message),
        }
    }

    /// Returns the last words to a session that has ended, behind all that it was due. Default:
    /// none.
    fn end(&mut self, reason: EndReason) -> Option<Self::Frame> {
        let _ = reason;
        None
    }

    /// Returns the frame of one item of a batch.
    fn item(&mut self, batch: &Batch<M>, item: Item<'_, M>) -> Option<Self::Frame> {
        match item {
            Item::Message(message) if batch.is_history(message) => Some(self.history(message)),
            Item::Message(message) if message.kind == Kind::System => Some(self.tip(message)),
            Item::Message(message) => Some(self.message(message)),
            Item::Direct(direct) if direct.pin.is_some() => Some(self.pinned(direct)),
            Item::Direct(direct) => Some(self.direct(direct)),
            Item::Gap { priority, count, cause } => self.gap(priority, count, cause),
        }
    }

    /// Returns the frames of a batch, in its order: for hosts with a loop of their own.
    fn batch(&mut self, batch: &Batch<M>) -> Vec<Self::Frame> {
        batch.items().filter_map(|item| self.item(batch, item)).collect()
    }
}

impl<M, E: Encoder<M> + ?Sized> Encoder<M> for &mut E {
    type Frame = E::Frame;

    fn message(&mut self, message: &Message<M>) -> Self::Frame {
        (**self).message(message)
    }

    fn direct(&mut self, direct: &Direct<M>) -> Self::Frame {
        (**self).direct(direct)
    }

    fn pinned(&mut self, direct: &Direct<M>) -> Self::Frame {
        (**self).pinned(direct)
    }

    fn gap(&mut self, priority: Priority, count: u64, cause: GapCause) -> Option<Self::Frame> {
        (**self).gap(priority, count, cause)
    }

    fn tip(&mut self, message: &Message<M>) -> Self::Frame {
        (**self).tip(message)
    }

    fn history(&mut self, message: &Message<M>) -> Self::Frame {
        (**self).history(message)
    }

    fn end(&mut self, reason: EndReason) -> Option<Self::Frame> {
        (**self).end(reason)
    }
}
