//! What levels, kinds, senders and speak modes are on the wire.

use super::host::{HostIds, PayloadError, Wire};
use super::parts::{Blob, SpeakModeRecord};
use roomcast_core::message::Sender;
use roomcast_core::speak_mode::{MaySpeak, SpeakMode};
use roomcast_core::time::Duration;
use roomcast_core::{Kind, Priority};

/// The number of a level on the wire.
pub(super) fn level_number(level: Priority) -> u8 {
    match level {
        Priority::High => 0,
        Priority::Normal => 1,
        Priority::Low => 2,
        Priority::Lowest => 3,
    }
}

pub(super) fn level_of(number: u8) -> Result<Priority, String> {
    let level = Priority::ALL.into_iter().find(|&level| level_number(level) == number);
    level.ok_or_else(|| format!("level {number} (want 0 to 3)"))
}

pub(super) fn kind_number(kind: Kind) -> u8 {
    match kind {
        Kind::Custom => 1,
        Kind::System => 2,
        Kind::Notice => 3,
        _ => 0,
    }
}

/// A kind that is not known here is the host's own.
pub(super) fn kind_of(number: u8) -> Kind {
    match number {
        0 => Kind::Text,
        2 => Kind::System,
        3 => Kind::Notice,
        _ => Kind::Custom,
    }
}

pub(super) fn blob_of<T: Wire>(value: &T) -> Blob<'_> {
    Blob(value.encode())
}

pub(super) fn sender_blob(sender: Sender, ids: &impl HostIds) -> Option<Blob<'_>> {
    match sender {
        Sender::Host => None,
        Sender::User(user) => Some(Blob(ids.encode(user))),
    }
}

pub(super) fn sender_of(
    blob: Option<&Blob<'_>>,
    ids: &mut impl HostIds,
) -> Result<Sender, PayloadError> {
    blob.map_or(Ok(Sender::Host), |blob| Ok(Sender::User(ids.decode(&blob.0)?)))
}

/// What a speak mode is on the wire.
pub(super) fn mode_record(mode: SpeakMode) -> SpeakModeRecord {
    let nanos = |time: Duration| time.as_nanos().try_into().unwrap_or(u64::MAX);
    let (who, age) = match mode.who {
        MaySpeak::MembersFor(age) => (1, Some(nanos(age))),
        MaySpeak::Marked => (2, None),
        MaySpeak::Admins => (3, None),
        _ => (0, None),
    };
    SpeakModeRecord { who, age, unique_within: mode.unique_within.map(nanos) }
}

/// One of a later version that is not known here lets everyone speak: its owner refuses.
pub(super) fn mode_of(record: SpeakModeRecord) -> SpeakMode {
    let who = match record.who {
        1 => MaySpeak::MembersFor(Duration::from_nanos(record.age.unwrap_or(0))),
        2 => MaySpeak::Marked,
        3 => MaySpeak::Admins,
        _ => MaySpeak::Everyone,
    };
    let mode = SpeakMode::new(who);
    record.unique_within.map_or(mode, |window| mode.unique_within(Duration::from_nanos(window)))
}
