//! How far a room's life has come.

/// What a room still does with messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum RoomStatus {
    /// Takes messages and members.
    #[default]
    Open,
    /// Takes nothing more; what waits still goes out at the room's rate.
    Draining,
    /// Closed: nothing goes out any more.
    Closed,
}
