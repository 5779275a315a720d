//! Types of the events that a hub tells its host:
//! [`HubBuilder::on_event`](crate::HubBuilder::on_event).

pub use roomcast_core::{
    EndReason, Event, Presence, PresenceCause, StartPosition, SystemMessage, SystemMessageKind,
};
