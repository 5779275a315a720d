//! Types of one session: where it stands, and how its batches get to a sink.

pub use crate::hub::session::Session;
pub use crate::reading::forward::forward_batches;
pub use crate::reading::forwarded::{ForwardEnd, ForwardOptions, Forwarded};
pub use crate::reading::when_high_lost::WhenHighLost;
pub use crate::room::personal::Moved;
pub use crate::room::token::ResumeToken;
pub use roomcast_core::ids::SessionKey;
pub use roomcast_core::resume::TokenAt;
