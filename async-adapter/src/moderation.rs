//! Types of moderation: who may do what to whom, and what a room knows of its people.

pub use crate::hub::data::{AttributesSnapshot, RoomData};
pub use crate::hub::moderation::Moderation;
pub use roomcast_core::admission::PersistedState;
pub use roomcast_core::dedup::SaidKey;
pub use roomcast_core::member::{Member, MemberList};
pub use roomcast_core::pins::{MAX_PINS, PinId, PinReason, PinRefused};
pub use roomcast_core::retraction::{Retracted, Retraction};
pub use roomcast_core::rights::{Action, Role, Rule};
pub use roomcast_core::speak_mode::{MaySpeak, SpeakMode};
pub use roomcast_core::timed::Until;
