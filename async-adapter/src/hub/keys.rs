//! What calls take where a user or a room can be meant by a name or by a number.

use crate::room::token::ResumeToken;
use roomcast_core::level_set::LevelSet;
use roomcast_core::{Join, RoomId, SessionId, UserId};
use std::sync::Arc;

/// Who joins: a user of a name, or a [`Join`] of a number or of a guest. What
/// [`Room::join`](crate::Room::join) takes.
///
/// ```
/// use roomcast::config::LevelSet;
/// use roomcast::names::Joining;
/// use roomcast::{Hub, Join, Priority, RoomConfig};
///
/// let hub = Hub::<&str>::builder().spawn_threads()?;
/// let room = hub.open_room("stream-42", &RoomConfig::default())?;
/// let ann = room.join("ann")?;
/// let mask = LevelSet::EMPTY.with(Priority::Low);
/// let bob = room.join(Joining::named("bob".into()).profile("Bob").mask(mask))?;
/// let guest = room.join(Join::guest())?;
/// assert_eq!(room.recent_names(), ["bob".into(), "ann".into()]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a join does nothing until a room gets it"]
pub struct Joining<M, U = Arc<str>> {
    pub(super) join: Join<M, ResumeToken>,
    pub(super) name: Option<U>,
}

impl<M, U> Joining<M, U> {
    /// A user of this name. Each session of a user joins for itself.
    pub fn named(name: U) -> Self {
        Self { join: Join::guest(), name: Some(name) }
    }

    /// As [`Join::profile`].
    pub fn profile(self, profile: M) -> Self {
        Self { join: self.join.profile(profile), ..self }
    }

    /// As [`Join::on`].
    pub fn on(self, session: SessionId) -> Self {
        Self { join: self.join.on(session), ..self }
    }

    /// As [`Join::mask`].
    pub fn mask(self, mask: LevelSet) -> Self {
        Self { join: self.join.mask(mask), ..self }
    }

    /// As [`Join::resume`].
    pub fn resume(self, token: ResumeToken) -> Self {
        Self { join: self.join.resume(token), ..self }
    }

    /// The join by number, where `number` looks up the name.
    pub(crate) fn by_number(self, number: impl FnOnce(U) -> UserId) -> Join<M, ResumeToken> {
        match self.name {
            Some(name) => self.join.with_user(number(name)),
            None => self.join,
        }
    }
}

impl<M, U> From<Join<M, ResumeToken>> for Joining<M, U> {
    fn from(join: Join<M, ResumeToken>) -> Self {
        Self { join, name: None }
    }
}

/// A room by its name or its number. What [`Hub::open_room`](crate::Hub::open_room) takes.
///
/// ```
/// use roomcast::names::RoomKey;
/// use roomcast::{Hub, RoomConfig, RoomId};
///
/// let hub = Hub::<&str, u16>::builder().spawn_threads()?;
/// let room = hub.open_room(RoomKey::Name(42), &RoomConfig::default())?;
/// assert_eq!(room.name(), Some(&42));
/// assert!(hub.room(RoomId(42)).is_none(), "a number is not a name");
/// assert!(hub.room(room.id()).is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RoomKey<U = Arc<str>> {
    /// By the host's own number, below 2⁶³, or by that of a named room.
    Id(RoomId),
    /// By the host's name.
    Name(U),
}

impl<U> From<RoomId> for RoomKey<U> {
    fn from(id: RoomId) -> Self {
        Self::Id(id)
    }
}

/// Lets a type be given where a name of another is asked for.
macro_rules! names {
    ($([$($generics:tt)*] $from:ty => $name:ty,)*) => {$(
        impl<M, $($generics)*> From<$from> for Joining<M, $name> {
            fn from(name: $from) -> Self {
                Self::named(name.into())
            }
        }

        impl<$($generics)*> From<$from> for RoomKey<$name> {
            fn from(name: $from) -> Self {
                Self::Name(name.into())
            }
        }
    )*};
}

names! {
    [] &str => Arc<str>,
    [] String => Arc<str>,
    [] Arc<str> => Arc<str>,
    [] &str => String,
    [] String => String,
    [] u128 => u128,
    [const N: usize] [u8; N] => [u8; N],
}

#[cfg(test)]
mod tests {
    use super::*;
    use roomcast_core::Priority;

    #[test]
    fn a_join_keeps_what_was_set_whoever_it_is_for() {
        let joining = Joining::<&str, u8>::named(3)
            .profile("three")
            .mask(LevelSet::EMPTY.with(Priority::Low));
        let join = joining.by_number(|name| UserId(u64::from(name)));
        assert_eq!(join.as_user(), Some(UserId(3)));
        assert_eq!(
            (join.as_profile(), join.masked_levels()),
            (Some(&"three"), LevelSet::EMPTY.with(Priority::Low))
        );
        let join = Joining::<&str, u8>::from(Join::user(UserId(7))).by_number(|_| UserId(0));
        assert_eq!(join.as_user(), Some(UserId(7)));
    }
}
