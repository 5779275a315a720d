//! What is taken back of what the room has dispatched.

use super::host::HostIds;
use super::parts::Blob;
use minicbor::{Decode, Encode};
use roomcast_core::UserId;
use roomcast_core::ids::Seq;
use roomcast_core::retraction::Retraction;

/// What is taken back, of what had gone out before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Withdrawn {
    /// The message with this number.
    Sent(Seq),
    /// All that a user has said, but for messages into which others were merged.
    AllOf(UserId),
}

impl From<Withdrawn> for Retraction {
    fn from(withdrawn: Withdrawn) -> Self {
        match withdrawn {
            Withdrawn::Sent(seq) => Self::Sent(seq),
            Withdrawn::AllOf(user) => Self::AllOf(user),
        }
    }
}

impl Withdrawn {
    pub(super) fn record(self, ids: &impl HostIds) -> WithdrawnRecord<'_> {
        match self {
            Self::Sent(seq) => WithdrawnRecord { seq: Some(seq.0), user: None },
            Self::AllOf(user) => WithdrawnRecord { seq: None, user: Some(Blob(ids.encode(user))) },
        }
    }

    /// `None`: of a kind that a later version has.
    pub(super) fn read(
        record: &WithdrawnRecord<'_>,
        ids: &mut impl HostIds,
    ) -> Result<Option<Self>, String> {
        if let Some(user) = &record.user {
            let user = ids.decode(&user.0).map_err(|error| error.to_string())?;
            return Ok(Some(Self::AllOf(user)));
        }
        Ok(record.seq.map(|seq| Self::Sent(Seq(seq))))
    }
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct WithdrawnRecord<'b> {
    #[n(0)]
    pub(super) seq: Option<u64>,
    #[b(1)]
    pub(super) user: Option<Blob<'b>>,
}
