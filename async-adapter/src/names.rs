//! Names of the host's own for users and rooms: strings by default, or any other key.
//!
//! The core knows users and rooms by 64-bit numbers. A [`Hub`](crate::Hub) gives each name a number
//! when it first hears it, from 2⁶³ on, never the same twice; a host that has numbers of its own
//! below that uses them as they are, beside names if it likes. [`Hub::user_id`] tells the number,
//! for moderation and direct messages, and [`Hub::user_name`] the name, for events.
//!
//! A name keeps its number for as long as a room needs it (a session, a role, a mute, a ban) and
//! for a minute after that was found to be over, or after somebody last asked for it. Numbers are
//! for use at once: who comes back much later under the same name may have another. Memory is
//! bounded by those who are needed, without a task that cleans up.
//!
//! A message carries its sender's number, and the profile: what is to be shown long after the
//! sender has left belongs there. A room is carried over a restart by
//! [`export_named`](crate::moderation::RoomData::export_named), for numbers mean nobody in another
//! process.
//!
//! [`Hub::user_id`]: crate::Hub::user_id
//! [`Hub::user_name`]: crate::Hub::user_name

pub use crate::hub::keys::{Joining, RoomKey};
pub use crate::hub::name::Name;
pub use crate::hub::named_state::NamedState;
