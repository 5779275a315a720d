//! What is written: what a room carries over a restart, books and outcomes, as JSON and as CBOR. What
//! was written is read as it was, a room goes on with it as with what was never written, and no bytes
//! make a reader or a room panic.

use crate::violation::{Check, Law, Violation, same};
use roomcast::names::NamedState;
use roomcast_core::admission::PersistedState;
use roomcast_core::dedup::{DedupWindow, SaidKey};
use roomcast_core::message::{DedupKey, Sender};
use roomcast_core::room::RoomSnapshot;
use roomcast_core::speak_mode::{MaySpeak, SpeakMode};
use roomcast_core::time::Duration;
use roomcast_core::{
    Actor, Instant, Join, Outcome, Priority, Publish, RoomConfig, RoomState, Source, UserId,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// What is tried with exports.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Sequence {
    /// What happens before the restart.
    pub before: Vec<Call>,
    /// What happens after it.
    pub after: Vec<Call>,
    /// Bytes of the file that are changed: where, and to what.
    pub edits: Vec<(u16, u8)>,
    /// Any file.
    pub bytes: Vec<u8>,
}

/// One call, in small numbers.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Call {
    /// A user becomes an admin.
    Appoint(u8),
    /// Somebody mutes a user.
    Mute {
        /// Who: the host from 128 on.
        actor: u8,
        /// Whom.
        user: u8,
        /// For so many milliseconds; `None`: for good.
        millis: Option<u16>,
    },
    /// The host bans a user.
    Ban {
        /// Whom.
        user: u8,
        /// For so many milliseconds; `None`: for good.
        millis: Option<u16>,
    },
    /// The host marks a user.
    Mark(u8),
    /// The whole room is muted, or is no more.
    MuteRoom(bool),
    /// Who may speak.
    SpeakMode {
        /// Everyone, members of an age, who is marked, or the staff.
        who: u8,
        /// How long in seconds nobody may say the same.
        unique: Option<u8>,
    },
    /// An attribute is written.
    Attribute {
        /// Its key.
        key: String,
        /// Its value; `None`: it is taken away.
        value: Option<Vec<u8>>,
    },
    /// A counter is added to.
    Count {
        /// Its key.
        key: String,
        /// How much.
        delta: i64,
    },
    /// A user joins, if not in, and speaks.
    Say {
        /// Who: the host from 128 on.
        who: u8,
        /// At which level.
        level: u8,
        /// Under which key.
        key: Option<u8>,
    },
    /// So many milliseconds later.
    Wait(u16),
}

/// How many users there are.
const USERS: u8 = 6;

struct Scene {
    room: RoomState<&'static str>,
    now: Instant,
}

impl Scene {
    fn new(now: Instant) -> Result<Self, Violation> {
        let window = DedupWindow { window: Duration::from_secs(20), keys: 12 };
        let config = RoomConfig::av_chat_room(UserId(0)).to_builder();
        let config = config.dedup_window(window).mutes(8).bans(8).marks(4).burst(4).build();
        let wrong = |error| Violation::new(Law::L8NothingLost, "the rules", "some", error);
        Ok(Self { room: RoomState::new(&config.map_err(wrong)?), now })
    }

    /// Does it; returns all that it came to.
    fn call(&mut self, call: &Call) -> String {
        let Self { room, now } = self;
        let now = *now;
        let user = |n: u8| UserId((n % USERS).into());
        let actor = |n: u8| if n < 128 { Actor::User(user(n)) } else { Actor::Host };
        let time = |millis: &Option<u16>| millis.map(|n| Duration::from_millis(n.into()));
        match call {
            Call::Appoint(n) => format!("{:?}", room.add_admin(now, Actor::Host, user(*n))),
            Call::Mute { actor: by, user: n, millis } => {
                format!("{:?}", room.mute(now, actor(*by), &[user(*n)], time(millis)))
            }
            Call::Ban { user: n, millis } => {
                format!("{:?}", room.ban(now, Actor::Host, &[user(*n)], time(millis)))
            }
            Call::Mark(n) => format!("{:?}", room.mark(now, Actor::Host, &[user(*n)])),
            Call::MuteRoom(true) => format!("{:?}", room.mute_room(now, Actor::Host)),
            Call::MuteRoom(false) => format!("{:?}", room.unmute_room(now, Actor::Host)),
            Call::SpeakMode { who, unique } => {
                let who = match who % 4 {
                    0 => MaySpeak::Everyone,
                    1 => MaySpeak::MembersFor(Duration::from_millis(u64::from(*who) * 50)),
                    2 => MaySpeak::Marked,
                    _ => MaySpeak::Admins,
                };
                let mut mode = SpeakMode::new(who);
                mode.unique_within = unique.map(|seconds| Duration::from_secs(seconds.into()));
                format!("{:?}", room.set_speak_mode(now, Actor::Host, mode))
            }
            Call::Attribute { key, value } => {
                format!("{:?}", room.write_attributes(now, None, &[(key, value.as_deref())]))
            }
            Call::Count { key, delta } => format!("{:?}", room.add_counter(key, *delta)),
            Call::Say { who, level, key } => {
                let mut publish = Publish::new(Source::Host, "hello");
                if *who < 128 {
                    let joined = match room.sessions_of(user(*who)).first() {
                        Some(&session) => Ok(session),
                        None => room.join(now, Join::user(user(*who))).map(|joined| joined.session),
                    };
                    match joined {
                        Ok(session) => publish.source = Source::Session(session),
                        Err(error) => return format!("{error:?}"),
                    }
                }
                publish.priority = Priority::ALL[usize::from(level % 4)];
                publish.dedup_key = key.map(|key| DedupKey((key % 16).into()));
                format!("{:?}", room.publish(now, publish))
            }
            Call::Wait(millis) => {
                self.now = now + Duration::from_millis((*millis).into());
                room.handle_timeout(self.now);
                String::new()
            }
        }
    }
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, String> {
    serde_json::to_vec(value).map_err(|error| error.to_string())
}

fn cbor<T: Serialize>(value: &T) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn of_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

fn of_cbor<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    ciborium::from_reader(bytes).map_err(|error| error.to_string())
}

/// What is written is read as it was, in both forms.
fn comes_back<T>(what: &str, value: &T) -> Check
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let again = json(value).and_then(|bytes| of_json(&bytes));
    same(Law::L8NothingLost, format!("{what} as JSON"), Ok(value), again.as_ref())?;
    let again = cbor(value).and_then(|bytes| of_cbor(&bytes));
    same(Law::L8NothingLost, format!("{what} as CBOR"), Ok(value), again.as_ref())
}

/// What any bytes are read as comes back, and a room takes it or says why not, and is as it was.
pub fn any(bytes: &[u8]) -> Check {
    for read in [of_json::<PersistedState>, of_cbor] {
        if let Ok(state) = read(bytes) {
            comes_back("a state", &state)?;
            taken(state)?;
        }
    }
    for read in [of_json::<NamedState<String>>, of_cbor] {
        if let Ok(state) = read(bytes) {
            comes_back("a state by names", &state)?;
        }
    }
    for read in [of_json::<RoomSnapshot>, of_cbor] {
        if let Ok(books) = read(bytes) {
            comes_back("books", &books)?;
            let _ = books.balances();
        }
    }
    for read in [of_json::<Outcome>, of_cbor] {
        if let Ok(outcome) = read(bytes) {
            comes_back("an outcome", &outcome)?;
            let _ = outcome.to_string();
        }
    }
    Ok(())
}

fn taken(state: PersistedState) -> Check {
    let mut scene = Scene::new(Instant::from_secs(1_000))?;
    let before = scene.room.export(scene.now);
    if scene.room.import(scene.now, state).is_err() {
        let after = scene.room.export(scene.now);
        return same(Law::Unchanged, "a room that took nothing over", before, after);
    }
    for who in 0..USERS {
        scene.call(&Call::Say { who, level: 1, key: Some(who) });
    }
    same(Law::L1Messages, "whether it balances", true, scene.room.snapshot(scene.now).balances())
}

/// Tries what there is to try.
pub fn run(sequence: &Sequence) -> Check {
    any(&sequence.bytes)?;
    let mut old = Scene::new(Instant::from_secs(1_000))?;
    for call in &sequence.before {
        old.call(call);
    }
    comes_back("the books", &old.room.snapshot(old.now))?;
    while let Some(event) = old.room.poll_event() {
        if let roomcast_core::Event::Outcome { outcome, .. } = event {
            comes_back("an outcome", &outcome)?;
        }
    }
    let state = old.room.export(old.now);
    comes_back("a state", &state)?;
    comes_back("a state by names", &by_names(state.clone()))?;
    for form in [json(&state), cbor(&state)] {
        let wrong = |error| Violation::new(Law::L8NothingLost, "a state", "written", error);
        let mut file = form.map_err(wrong)?;
        let read = of_json(&file).or_else(|_| of_cbor::<PersistedState>(&file)).map_err(wrong)?;
        goes_on(old.now, &state, read, &sequence.after)?;
        for &(at, byte) in sequence.edits.iter().take(8) {
            let length = file.len();
            file[usize::from(at) % length] = byte;
        }
        any(&file)?;
    }
    Ok(())
}

/// A room that takes over what was read goes on as one that takes over what was never written.
fn goes_on(now: Instant, state: &PersistedState, read: PersistedState, after: &[Call]) -> Check {
    let (mut one, mut other) = (Scene::new(now)?, Scene::new(now)?);
    let imports = [one.room.import(now, state.clone()), other.room.import(now, read)];
    same(Law::Unchanged, "whether it is taken over", &imports[0], &imports[1])?;
    for (step, call) in after.iter().enumerate() {
        let (wanted, found) = (one.call(call), other.call(call));
        same(Law::L9Deterministic, format!("{call:?}"), wanted, found)
            .map_err(|violation| violation.at(step))?;
    }
    let books = [&one, &other].map(|scene| scene.room.snapshot(scene.now));
    same(Law::L1Messages, "the books after it", books[0], books[1])?;
    let states = [&one, &other].map(|scene| scene.room.export(scene.now));
    same(Law::L8NothingLost, "the state after it", &states[0], &states[1])
}

/// Some of the users have a name.
fn by_names(mut rest: PersistedState) -> NamedState<String> {
    let has_name = |user: UserId| user.0 % 2 == 1;
    let name = |user: UserId| format!("user \"{}\"", user.0);
    let admins = rest.admins.extract_if(.., |user| has_name(*user)).map(name).collect();
    let marks = rest.marks.extract_if(.., |user| has_name(*user)).map(name).collect();
    let mutes = rest.mutes.extract_if(.., |(user, _)| has_name(*user));
    let mutes = mutes.map(|(user, until)| (name(user), until)).collect();
    let bans = rest.bans.extract_if(.., |(user, _)| has_name(*user));
    let bans = bans.map(|(user, until)| (name(user), until)).collect();
    let named = |&mut (sender, _): &mut (Sender, SaidKey)| match sender {
        Sender::Host => false,
        Sender::User(user) => has_name(user),
    };
    let said = rest.said.extract_if(.., named).filter_map(|(sender, key)| match sender {
        Sender::Host => None,
        Sender::User(user) => Some((name(user), key)),
    });
    let said = said.collect();
    let mut state = NamedState::new(rest);
    (state.admins, state.marks, state.mutes, state.bans) = (admins, marks, mutes, bans);
    state.said = said;
    state
}
