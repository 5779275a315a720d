//! Ids as newtypes, so that no bare number means two things.

use core::fmt;

/// A room, as the host numbers its rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RoomId(pub u64);

/// A user, as the host numbers its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct UserId(pub u64);

/// One session of one life of a room: a slot, the generation of that slot, and the life.
///
/// A session that has ended is never mistaken for the one that took its slot: the generation
/// differs. Nor is one of another room, or of this room before it was made anew: the life differs,
/// where the host gives each room one of its own ([`RoomState::with_life`]). Checking an id is
/// O(1), without hashing. It says by itself whether it belongs to a guest.
///
/// [`RoomState::with_life`]: crate::RoomState::with_life
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    life: u64,
    key: SessionKey,
}

/// A session within one life of a room: half of its id, for where the room is known and memory
/// counts.
///
/// Between rooms, and between the lives of one, keys are the same again and again: whoever has one
/// from elsewhere, as from a client, wants the whole [`SessionId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    slot: u32,
    generation: u32,
}

/// Whose session it is, as far as an audience has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionKind {
    /// Somebody's who has an id and may speak.
    User,
    /// Somebody's who has none: it receives and does not speak.
    Guest,
}

impl SessionKey {
    /// The bit of a generation that marks a guest.
    const GUEST: u32 = 1 << 31;

    pub(crate) const fn new(slot: u32, generation: u32) -> Self {
        Self { slot, generation }
    }

    /// The generation that follows `generation` in its slot, for a guest or a user. It is never
    /// zero.
    pub(crate) const fn next_generation(generation: u32, kind: SessionKind) -> u32 {
        let count = generation.wrapping_add(1) & !Self::GUEST;
        let count = if count == 0 { 1 } else { count };
        match kind {
            SessionKind::User => count,
            SessionKind::Guest => count | Self::GUEST,
        }
    }

    /// The session with this key in one life of a room.
    #[inline]
    pub const fn in_life(self, life: u64) -> SessionId {
        SessionId { life, key: self }
    }

    /// Whether the session belongs to a guest, who receives and may not speak.
    #[inline]
    pub const fn is_guest(self) -> bool {
        self.generation & Self::GUEST != 0
    }

    /// As [`SessionId::slot`].
    #[inline]
    pub const fn slot(self) -> u32 {
        self.slot
    }

    #[inline]
    pub(crate) const fn generation(self) -> u32 {
        self.generation
    }

    /// The key as one number.
    pub const fn to_bits(self) -> u64 {
        (self.slot as u64) << 32 | self.generation as u64
    }

    /// The key that [`to_bits`](Self::to_bits) gave. Any number is safe: one that was never given
    /// out names no session.
    pub const fn from_bits(bits: u64) -> Self {
        Self { slot: (bits >> 32) as u32, generation: bits as u32 }
    }
}

impl SessionId {
    /// Whether the session belongs to a guest, who receives and may not speak.
    #[inline]
    pub const fn is_guest(self) -> bool {
        self.key.is_guest()
    }

    /// The slot: a small number, below the most sessions that the room ever had at once, that no
    /// two sessions of a room have at the same time.
    #[inline]
    pub const fn slot(self) -> u32 {
        self.key.slot
    }

    /// The life of the room that it is a session of.
    #[inline]
    pub const fn life(self) -> u64 {
        self.life
    }

    /// What tells it from the other sessions of this life.
    #[inline]
    pub const fn key(self) -> SessionKey {
        self.key
    }

    /// The key, if the session is of this life.
    #[inline]
    pub(crate) const fn key_in(self, life: u64) -> Option<SessionKey> {
        if self.life == life { Some(self.key) } else { None }
    }

    /// The id as one number, for a host's own tables and logs.
    pub const fn to_bits(self) -> u128 {
        (self.life as u128) << 64 | self.key.to_bits() as u128
    }

    /// The id that [`to_bits`](Self::to_bits) gave. Any number is safe: one that was never given
    /// out names no session.
    pub const fn from_bits(bits: u128) -> Self {
        SessionKey::from_bits(bits as u64).in_life((bits >> 64) as u64)
    }
}

/// Who reads a session: the sessions of one group are swept together, and the others' are passed
/// over.
///
/// A server whose connections are served in different ways (a task each, one pump for all) gives
/// each way a group of its own. 0 to 63; the default is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group(u8);

impl Group {
    /// The group of whoever names none.
    pub const DEFAULT: Self = Self(0);
    /// The last group.
    pub const MAX: u8 = 63;

    /// The group with this number; `None` above [`MAX`](Self::MAX).
    pub const fn new(number: u8) -> Option<Self> {
        if number <= Self::MAX { Some(Self(number)) } else { None }
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// An accepted message of one room: the count of publish calls at the time, so later messages have
/// larger ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MessageId(pub u64);

/// The host's own number for a [pinned](crate::pins) message: that of the message in the room, say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PinId(pub u64);

impl fmt::Display for PinId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pin {}", self.0)
    }
}

/// A message that waits for the host's verdict, as the verdict must name it. Nobody else's verdict
/// can hit it: a ticket is never given out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Ticket {
    pub(crate) id: MessageId,
    /// Its place among those that wait.
    pub(crate) slot: u32,
}

impl Ticket {
    /// The message.
    pub const fn message(self) -> MessageId {
        self.id
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the ticket of {}", self.id)
    }
}

/// The sequence number of a dispatched message: 1 for a room's first, without holes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Seq(pub u64);

/// A number of the caller's own that comes back with the outcome of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CorrelationId(pub u64);

macro_rules! display {
    ($($name:ident => $prefix:literal),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    )*};
}
display!(RoomId => "room ", UserId => "user ", MessageId => "message ", Seq => "#", CorrelationId => "correlation id ");

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_guest() { "guest session" } else { "session" };
        write!(f, "{kind} {}.{}", self.slot, self.generation & !Self::GUEST)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)?;
        if self.life == 0 { Ok(()) } else { write!(f, "@{:x}", self.life) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn generations_wrap_past_zero_and_the_guest_bit() {
        assert_eq!(SessionKey::next_generation(u32::MAX >> 1, SessionKind::User), 1);
        assert!(SessionKey::new(0, SessionKey::next_generation(0, SessionKind::Guest)).is_guest());
        assert!(
            !SessionKey::new(0, SessionKey::next_generation(u32::MAX, SessionKind::User))
                .is_guest()
        );
    }

    #[test]
    fn bits_go_there_and_back() {
        let key = SessionKey::new(7, SessionKey::next_generation(3, SessionKind::Guest));
        assert_eq!(SessionKey::from_bits(key.to_bits()), key);
        for life in [0, 1, u64::MAX] {
            let id = key.in_life(life);
            assert_eq!(SessionId::from_bits(id.to_bits()), id);
            assert_eq!((id.key_in(life), id.key_in(life ^ 1)), (Some(key), None));
        }
        assert_eq!(size_of::<SessionId>(), 16);
    }

    #[test]
    fn an_id_shows_its_life_where_there_is_one() {
        let key = SessionKey::new(7, 4);
        assert_eq!(key.in_life(0).to_string(), "session 7.4");
        assert_eq!(key.in_life(0xbeef).to_string(), "session 7.4@beef");
    }
}
