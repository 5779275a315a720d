//! Types of the events that a hub tells its host:
//! [`HubBuilder::on_event`](crate::HubBuilder::on_event).

pub use roomcast_core::Event;
pub use roomcast_core::event::{EndReason, Presence, PresenceCause, StartPosition};
pub use roomcast_core::system_messages::{SystemMessage, SystemMessageKind};
