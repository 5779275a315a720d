//! The configuration of a room and of a hub: everything that [`RoomConfigBuilder`] takes.

pub use roomcast_core::RoomConfig;
pub use roomcast_core::broadcasts::BroadcastLimits;
pub use roomcast_core::config::{
    AuditConfig, AuditOverflow, DefaultOutcomeSink, Echo, EvictionPolicy, Exempt, Heartbeat,
    LevelQuotas, Levels, QueueConfig, QueueDiscipline, RateAlgorithm, ReviewConfig, ReviewTimeout,
    RoomConfigBuilder, WhenLate,
};
pub use roomcast_core::data::DataLimits;
pub use roomcast_core::dedup::DedupWindow;
pub use roomcast_core::level_set::LevelSet;
pub use roomcast_core::quota::{Quota, Rate, RateLimit};
pub use roomcast_core::system_messages::SystemMessages;
