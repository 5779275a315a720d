//! Speak modes: who of those who are not muted may speak in a room, and whether what others have
//! just said may be said again. [Clause C2](crate::rulebook#c2-who-may-speak).

use crate::time::Duration;

/// What a room asks of whoever speaks there. The host, the owner and the admins always may.
///
/// ```
/// use roomcast_core::speak_mode::{MaySpeak, SpeakMode};
/// use roomcast_core::time::Duration;
/// use roomcast_core::{Actor, Instant, RoomConfig, RoomState, UserId};
///
/// let config = RoomConfig::av_chat_room(UserId(1));
/// let mut room: RoomState<&str> = RoomState::new(&config);
/// let ten_minutes = Duration::from_secs(600);
/// let mode = SpeakMode::new(MaySpeak::MembersFor(ten_minutes));
/// room.set_speak_mode(Instant::ZERO, Actor::Host, mode)?;
/// room.mark(Instant::ZERO, Actor::Host, &[UserId(7)])?;
/// assert!(room.is_marked(UserId(7)));
/// # Ok::<(), roomcast_core::error::ModerationError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct SpeakMode {
    /// Who may speak. Default everyone.
    pub who: MaySpeak,
    /// How long what somebody has said may be said by nobody, whoever it is: contents are compared
    /// by [`Payload::content_key`](crate::Payload::content_key), those of the last
    /// [`MAX_COMPARED`](Self::MAX_COMPARED) messages that were let in. Default `None`: not at all.
    #[cfg_attr(feature = "serde", serde(with = "crate::text::option"))]
    pub unique_within: Option<Duration>,
}

/// Who may speak, beside the host, the owner and the admins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum MaySpeak {
    /// Every member.
    #[default]
    Everyone,
    /// Whoever has been in the room for so long, on whatever session.
    ///
    /// A room notes when users come from the first time on that it is set to this, be it with no
    /// time at all; whoever was in by then counts as old enough.
    MembersFor(#[cfg_attr(feature = "serde", serde(with = "crate::text"))] Duration),
    /// Whoever was marked: [`RoomState::mark`](crate::RoomState::mark).
    Marked,
    /// Nobody else.
    Admins,
}

impl SpeakMode {
    /// Everyone may speak, and say what others say.
    pub const EVERYONE: Self = Self::new(MaySpeak::Everyone);

    /// How many messages a new one is compared with at the most, the newest.
    pub const MAX_COMPARED: usize = 4_096;

    /// These may speak, and say what others say.
    pub const fn new(who: MaySpeak) -> Self {
        Self { who, unique_within: None }
    }

    /// The same, but what somebody has said may be said by nobody for so long.
    #[must_use]
    pub const fn unique_within(mut self, window: Duration) -> Self {
        self.unique_within = Some(window);
        self
    }
}
