//! What a room carries over, as it is written: a version, lists, and tables by key.
//!
//! A version says how the keys that it knows are to be understood. A new key does not make a new
//! version: who does not know it leaves it out.

use super::PersistedState;
use crate::dedup::SaidKey;
use crate::ids::UserId;
use crate::message::{DedupKey, Sender};
use crate::priority::Priority;
use crate::speak_mode::SpeakMode;
use crate::time::Instant;
use crate::timed::Until;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

impl PersistedState {
    /// The version that is written, and the newest that is read. Feature `serde`.
    pub const VERSION: u32 = 1;
}

impl Serialize for PersistedState {
    /// Writes all of it, the version first. Instants are nanoseconds of the host's clock; the value
    /// of an attribute is a text where it is one and people are to read the format.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Form<'a> {
            version: u32,
            admins: &'a [UserId],
            mutes: List<'a, (UserId, Until)>,
            bans: List<'a, (UserId, Until)>,
            room_muted: bool,
            marks: &'a [UserId],
            speak_mode: SpeakMode,
            attributes: Map<'a, Arc<[u8]>>,
            attributes_version: u64,
            counters: Map<'a, i64>,
            said: List<'a, (Sender, SaidKey)>,
        }
        let Self {
            admins,
            mutes,
            bans,
            room_muted,
            marks,
            speak_mode,
            attributes,
            attributes_version,
            counters,
            said,
        } = self;
        let form = Form {
            version: Self::VERSION,
            admins,
            mutes: List(mutes),
            bans: List(bans),
            room_muted: *room_muted,
            marks,
            speak_mode: *speak_mode,
            attributes: Map(attributes),
            attributes_version: *attributes_version,
            counters: Map(counters),
            said: List(said),
        };
        form.serialize(to)
    }
}

impl<'de> Deserialize<'de> for PersistedState {
    /// Reads it, of this version or an older one. It has no more than the input said; whether a
    /// room may have so much, [`import`](crate::Admission::import) says.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        /// The version is looked at before anything else is understood, wherever it stands.
        #[derive(serde::Deserialize)]
        struct Form {
            #[serde(rename = "version", deserialize_with = "known_version")]
            _version: (),
            #[serde(flatten)]
            body: Body,
        }
        #[derive(Default, serde::Deserialize)]
        #[serde(default)]
        struct Body {
            admins: Vec<UserId>,
            mutes: Vec<End>,
            bans: Vec<End>,
            room_muted: bool,
            marks: Vec<UserId>,
            speak_mode: SpeakMode,
            attributes: Entries<Value>,
            attributes_version: u64,
            counters: Entries<i64>,
            said: Vec<Spoken>,
        }
        let body = Form::deserialize(from)?.body;
        let ends = |ends: Vec<End>| ends.into_iter().map(End::into_pair).collect();
        let attribute = |(key, Value(value))| (key, value);
        Ok(Self {
            admins: body.admins,
            mutes: ends(body.mutes),
            bans: ends(body.bans),
            room_muted: body.room_muted,
            marks: body.marks,
            speak_mode: body.speak_mode,
            attributes: body.attributes.0.into_iter().map(attribute).collect(),
            attributes_version: body.attributes_version,
            counters: body.counters.0,
            said: body.said.into_iter().map(Spoken::into_pair).collect(),
        })
    }
}

/// Reads a version up to the newest that is known.
fn known_version<'de, D: Deserializer<'de>>(from: D) -> Result<(), D::Error> {
    let (version, newest) = (u64::deserialize(from)?, PersistedState::VERSION);
    match version {
        0 => Err(D::Error::custom("version must be at least 1, not 0")),
        _ if version <= newest.into() => Ok(()),
        _ => Err(D::Error::custom(format_args!(
            "written by version {version}, and this reads up to version {newest}"
        ))),
    }
}

/// Until when something holds for a user: until ever, if nothing is said.
#[derive(serde::Serialize, serde::Deserialize)]
struct End {
    user: UserId,
    until: Option<Instant>,
}

impl End {
    fn into_pair(self) -> (UserId, Until) {
        (self.user, self.until.map_or(Until::Forever, Until::At))
    }
}

/// A key of what was said: by the host, if no user is named.
#[derive(serde::Serialize, serde::Deserialize)]
struct Spoken {
    user: Option<UserId>,
    key: DedupKey,
    priority: Priority,
    said_at: Instant,
}

impl Spoken {
    fn into_pair(self) -> (Sender, SaidKey) {
        let Self { user, key, priority, said_at } = self;
        (user.map_or(Sender::Host, Sender::User), SaidKey { key, priority, said_at })
    }
}

/// One of a list, as it is written.
trait Entry {
    type Form: Serialize;

    fn form(&self) -> Self::Form;
}

impl Entry for (UserId, Until) {
    type Form = End;

    fn form(&self) -> End {
        End { user: self.0, until: self.1.instant() }
    }
}

impl Entry for (Sender, SaidKey) {
    type Form = Spoken;

    fn form(&self) -> Spoken {
        let (sender, SaidKey { key, priority, said_at }) = *self;
        let user = match sender {
            Sender::Host => None,
            Sender::User(user) => Some(user),
        };
        Spoken { user, key, priority, said_at }
    }
}

struct List<'a, T>(&'a [T]);

impl<T: Entry> Serialize for List<'_, T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(Entry::form))
    }
}

/// What goes by key, as it is written.
struct Map<'a, V>(&'a [(Box<str>, V)]);

impl Serialize for Map<'_, i64> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl Serialize for Map<'_, Arc<[u8]>> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(key, value)| (key, Bytes(value))))
    }
}

struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let text = to.is_human_readable().then(|| str::from_utf8(self.0).ok()).flatten();
        match text {
            Some(text) => to.serialize_str(text),
            None => to.serialize_bytes(self.0),
        }
    }
}

/// What goes by key, as it is read.
struct Entries<V>(Vec<(Box<str>, V)>);

impl<V> Default for Entries<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Entries<V> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for EntriesVisitor<V> {
    type Value = Entries<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of values by key")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, V>()? {
            entries.push((key.into_boxed_str(), value));
        }
        Ok(Entries(entries))
    }
}

/// The value of an attribute: bytes, a list of them, or the bytes of a text.
struct Value(Arc<[u8]>);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, or bytes")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value(text.as_bytes().into()))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(Value(bytes.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = list.next_element::<u8>()? {
            bytes.push(byte);
        }
        Ok(Value(bytes.into()))
    }
}
