//! The configuration of a room and of a hub: everything that [`RoomConfigBuilder`] takes.

pub use roomcast_core::{
    BroadcastLimits, DataLimits, DedupWindow, DefaultOutcomeSink, Echo, EvictionPolicy, Exempt,
    Heartbeat, LevelQuotas, LevelSet, Levels, QueueConfig, QueueDiscipline, Quota, Rate,
    RateAlgorithm, RateLimit, ReviewConfig, ReviewTimeout, RoomConfig, RoomConfigBuilder,
    SystemMessages,
};
