//! Commands: what only the owner of a room can do, as an edge asks for it.

use super::direct::{DirectRecord, EncodedDirect};
use super::host::HostIds;
use super::numbers::{mode_of, mode_record};
use super::parts::{AttributeRecord, Blob, CounterRecord, SpeakModeRecord};
use super::withdrawn::Withdrawn;
use minicbor::{Decode, Encode};
use roomcast_core::ids::Seq;
use roomcast_core::message::EdgeMessage;
use roomcast_core::pins::PinId;
use roomcast_core::speak_mode::SpeakMode;
use roomcast_core::time::Duration;
use roomcast_core::{Actor, RoomConfig, UserId};
use std::sync::Arc;

/// What an edge has for the owner.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum What<M> {
    /// A message that the edge has let in. Its session has no life on the wire, and its id is none
    /// of the room's.
    Message(EdgeMessage<M>),
    /// What a counter has gained at the edge.
    Count {
        /// The counter.
        key: Box<str>,
        /// How much.
        gained: i64,
    },
    /// Something that only the owner can do.
    Command {
        /// Who asks for it.
        actor: Actor,
        /// What is to be done.
        command: Command,
    },
    /// Something of a later version, which has to be told that this one does not know it.
    Unknown,
}

/// Something that only the owner of a room can do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Mutes a user for a time; `None`: for good.
    Mute(UserId, Option<Duration>),
    /// Ends a mute.
    Unmute(UserId),
    /// Bans a user for a time; `None`: for good.
    Ban(UserId, Option<Duration>),
    /// Ends a ban.
    Unban(UserId),
    /// Takes a user out.
    Kick(UserId),
    /// Names an admin.
    AddAdmin(UserId),
    /// Makes an admin a member.
    RemoveAdmin(UserId),
    /// Mutes the room, or ends that.
    MuteRoom(bool),
    /// Sets what is asked of those who speak.
    SetSpeakMode(SpeakMode),
    /// Marks a user.
    Mark(UserId),
    /// Takes a user's mark away.
    Unmark(UserId),
    /// Writes an attribute, or takes it away.
    WriteAttribute {
        /// Its key.
        key: Box<str>,
        /// Its value; `None`: it is taken away.
        value: Option<Arc<[u8]>>,
        /// The version of the attributes that the writer has seen; `None`: whatever is there.
        based_on: Option<u64>,
    },
    /// Hands the room over to another owner.
    SetOwner(UserId),
    /// Sets a counter, or takes it away.
    SetCounter {
        /// Its key.
        key: Box<str>,
        /// Its value; `None`: it is taken away.
        value: Option<i64>,
    },
    /// Adds to a counter.
    AddCounter {
        /// Its key.
        key: Box<str>,
        /// How much.
        delta: i64,
    },
    /// Goes on under another configuration, as [`reconfigure`](Self::reconfigure) has it.
    Reconfigure(Box<str>),
    /// Sends a direct message to all sessions of a user.
    SendDirect(UserId, EncodedDirect),
    /// Closes the room, at every node.
    Close,
    /// Takes messages back.
    Retract(Withdrawn),
    /// Pins a message.
    Pin(PinId, EncodedDirect),
    /// Unpins one.
    Unpin(PinId),
}

impl Command {
    /// A configuration crosses as a file in JSON, with the names that people write: a version that does not
    /// know all of them goes on by its own. Its owner does not cross:
    /// [`SetOwner`](Self::SetOwner) says whose the room is.
    pub fn reconfigure(config: &RoomConfig) -> Self {
        let config = config.clone().with_owner(None);
        // Its tables have keys that are text, and values that every format has.
        Self::Reconfigure(serde_json::to_string(&config).unwrap_or_default().into())
    }

    /// About how many bytes it takes on the way, beside a few dozen.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::WriteAttribute { value, .. } => value.as_ref().map_or(0, |value| value.len()),
            Self::Reconfigure(config) => config.len(),
            Self::SendDirect(_, direct) | Self::Pin(_, direct) => direct.payload.len(),
            _ => 0,
        }
    }
}

#[derive(Clone, Debug, Default, Encode, Decode)]
#[cbor(map)]
pub(super) struct CommandRecord<'b> {
    #[n(0)]
    pub(super) what: u8,
    #[b(1)]
    pub(super) user: Option<Blob<'b>>,
    /// Nanoseconds; left out: for good.
    #[n(2)]
    pub(super) time: Option<u64>,
    /// The user who asks for it; left out: the host.
    #[b(3)]
    pub(super) actor: Option<Blob<'b>>,
    #[b(4)]
    pub(super) attribute: Option<AttributeRecord<'b>>,
    #[n(5)]
    pub(super) based_on: Option<u64>,
    #[n(6)]
    pub(super) speak_mode: Option<SpeakModeRecord>,
    #[b(7)]
    pub(super) counter: Option<CounterRecord<'b>>,
    #[b(8)]
    pub(super) config: Option<&'b str>,
    #[b(9)]
    pub(super) direct: Option<DirectRecord<'b>>,
    #[n(10)]
    pub(super) seq: Option<u64>,
    #[n(11)]
    pub(super) pin: Option<u64>,
}

pub(super) fn asked<'a>(
    actor: Actor,
    command: &'a Command,
    ids: &'a impl HostIds,
) -> CommandRecord<'a> {
    let blob = |user: UserId| Some(Blob(ids.encode(user)));
    let nanos = |time: Duration| time.as_nanos().try_into().unwrap_or(u64::MAX);
    let by = match actor {
        Actor::Host => None,
        Actor::User(user) => blob(user),
    };
    let none = CommandRecord { actor: by, ..CommandRecord::default() };
    match command {
        Command::Mute(user, time) => {
            CommandRecord { what: 0, user: blob(*user), time: time.map(nanos), ..none }
        }
        Command::Unmute(user) => CommandRecord { what: 1, user: blob(*user), ..none },
        Command::Ban(user, time) => {
            CommandRecord { what: 2, user: blob(*user), time: time.map(nanos), ..none }
        }
        Command::Unban(user) => CommandRecord { what: 3, user: blob(*user), ..none },
        Command::Kick(user) => CommandRecord { what: 4, user: blob(*user), ..none },
        Command::AddAdmin(user) => CommandRecord { what: 5, user: blob(*user), ..none },
        Command::RemoveAdmin(user) => CommandRecord { what: 6, user: blob(*user), ..none },
        Command::MuteRoom(true) => CommandRecord { what: 7, ..none },
        Command::MuteRoom(false) => CommandRecord { what: 8, ..none },
        Command::SetSpeakMode(mode) => {
            CommandRecord { what: 10, speak_mode: Some(mode_record(*mode)), ..none }
        }
        Command::Mark(user) => CommandRecord { what: 11, user: blob(*user), ..none },
        Command::Unmark(user) => CommandRecord { what: 12, user: blob(*user), ..none },
        Command::WriteAttribute { key, value, based_on } => {
            let value = value.as_deref().map(|value| Blob(value.into()));
            let attribute = Some(AttributeRecord { key, value });
            CommandRecord { what: 9, attribute, based_on: *based_on, ..none }
        }
        Command::SetOwner(user) => CommandRecord { what: 13, user: blob(*user), ..none },
        Command::SetCounter { key, value } => {
            let counter = Some(CounterRecord { key, value: *value });
            CommandRecord { what: 14, counter, ..none }
        }
        Command::AddCounter { key, delta } => {
            let counter = Some(CounterRecord { key, value: Some(*delta) });
            CommandRecord { what: 15, counter, ..none }
        }
        Command::Reconfigure(config) => CommandRecord { what: 16, config: Some(config), ..none },
        Command::SendDirect(user, direct) => {
            let direct = Some(direct.record(ids));
            CommandRecord { what: 17, user: blob(*user), direct, ..none }
        }
        Command::Close => CommandRecord { what: 18, ..none },
        Command::Retract(Withdrawn::Sent(seq)) => {
            CommandRecord { what: 19, seq: Some(seq.0), ..none }
        }
        Command::Retract(Withdrawn::AllOf(user)) => {
            CommandRecord { what: 20, user: blob(*user), ..none }
        }
        Command::Pin(id, direct) => {
            let direct = Some(direct.record(ids));
            CommandRecord { what: 21, pin: Some(id.0), direct, ..none }
        }
        Command::Unpin(id) => CommandRecord { what: 22, pin: Some(id.0), ..none },
    }
}

pub(super) fn to_do<M>(
    record: &CommandRecord<'_>,
    ids: &mut impl HostIds,
) -> Result<What<M>, String> {
    let mut user_of = |blob: &Blob<'_>| ids.decode(&blob.0).map_err(|error| error.to_string());
    let actor = record.actor.as_ref().map(&mut user_of).transpose()?;
    let actor = actor.map_or(Actor::Host, Actor::User);
    let user = record.user.as_ref().map(&mut user_of).transpose()?;
    let time = record.time.map(Duration::from_nanos);
    let command = match record {
        CommandRecord { what: 7, .. } => Command::MuteRoom(true),
        CommandRecord { what: 8, .. } => Command::MuteRoom(false),
        CommandRecord { what: 9, attribute: Some(AttributeRecord { key, value }), .. } => {
            let value = value.as_ref().map(|value| Arc::from(&*value.0));
            Command::WriteAttribute { key: (*key).into(), value, based_on: record.based_on }
        }
        CommandRecord { what: 10, speak_mode: Some(mode), .. } => {
            Command::SetSpeakMode(mode_of(*mode))
        }
        CommandRecord { what: 14, counter: Some(CounterRecord { key, value }), .. } => {
            Command::SetCounter { key: (*key).into(), value: *value }
        }
        CommandRecord {
            what: 15,
            counter: Some(CounterRecord { key, value: Some(delta) }),
            ..
        } => Command::AddCounter { key: (*key).into(), delta: *delta },
        CommandRecord { what: 16, config: Some(config), .. } => {
            Command::Reconfigure((*config).into())
        }
        CommandRecord { what: 17, direct: Some(direct), .. } if user.is_some() => {
            let direct = EncodedDirect::read(direct, ids)?;
            Command::SendDirect(user.unwrap_or(UserId(0)), direct)
        }
        CommandRecord { what: 18, .. } => Command::Close,
        CommandRecord { what: 19, seq: Some(seq), .. } => {
            Command::Retract(Withdrawn::Sent(Seq(*seq)))
        }
        CommandRecord { what: 21, pin: Some(id), direct: Some(direct), .. } => {
            Command::Pin(PinId(*id), EncodedDirect::read(direct, ids)?)
        }
        CommandRecord { what: 22, pin: Some(id), .. } => Command::Unpin(PinId(*id)),
        &CommandRecord { what, .. } => match user.and_then(|user| of_user(what, user, time)) {
            Some(command) => command,
            None if what <= LAST => {
                return Err(format!("command {what} without what it is about"));
            }
            None => return Ok(What::Unknown),
        },
    };
    Ok(What::Command { actor, command })
}

/// The last command that this version knows.
const LAST: u8 = 22;

/// A command that is about a user.
fn of_user(what: u8, user: UserId, time: Option<Duration>) -> Option<Command> {
    Some(match what {
        0 => Command::Mute(user, time),
        1 => Command::Unmute(user),
        2 => Command::Ban(user, time),
        3 => Command::Unban(user),
        4 => Command::Kick(user),
        5 => Command::AddAdmin(user),
        6 => Command::RemoveAdmin(user),
        11 => Command::Mark(user),
        12 => Command::Unmark(user),
        13 => Command::SetOwner(user),
        20 => Command::Retract(Withdrawn::AllOf(user)),
        _ => return None,
    })
}
