//! What is known of a room's people and data: all of it, or what has changed.

use super::direct::{Pin, pin_of, pin_record};
use super::host::HostIds;
use super::numbers::{level_number, level_of, mode_of, mode_record, sender_blob, sender_of};
use super::parts::{AttributeRecord, Blob, CounterRecord, List};
use super::record::{ChangeRecord, SaidRecord, UntilRecord};
use roomcast_core::admission::PersistedState;
use roomcast_core::dedup::SaidKey;
use roomcast_core::message::{DedupKey, Sender};
use roomcast_core::speak_mode::SpeakMode;
use roomcast_core::timed::Until;
use roomcast_core::{Instant, UserId};
use std::sync::Arc;

/// The key of an attribute and its value; `None`: it is taken away.
pub type Attribute = (Box<str>, Option<Arc<[u8]>>);

/// What has changed of a room's people and data, in the order in which it is to be taken over:
/// whoever is named last is as the last says.
///
/// Mutes, bans and keys name instants of the owner's clock; a node that hears of them moves them to
/// its own ([`Flight::arrived`](super::Flight::arrived)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Admins from now on.
    pub admins: Vec<UserId>,
    /// Admins no more.
    pub no_admins: Vec<UserId>,
    /// Muted, and until when.
    pub muted: Vec<(UserId, Until)>,
    /// Muted no more.
    pub unmuted: Vec<UserId>,
    /// Banned, and until when. Their sessions end.
    pub banned: Vec<(UserId, Until)>,
    /// Banned no more.
    pub unbanned: Vec<UserId>,
    /// Whose sessions end, and who may come again.
    pub kicked: Vec<UserId>,
    /// Whether the whole room is muted.
    pub room_muted: Option<bool>,
    /// Marked.
    pub marked: Vec<UserId>,
    /// Marked no more.
    pub unmarked: Vec<UserId>,
    /// What is asked of those who speak.
    pub speak_mode: Option<SpeakMode>,
    /// Whose the room is from now on.
    pub owner: Option<UserId>,
    /// By what the room is run from now on: [`Command::Reconfigure`](super::Command::Reconfigure).
    pub config: Option<Box<str>>,
    /// What is pinned.
    pub pins: Vec<Pin>,
    /// Attributes; `None`: taken away.
    pub attributes: Vec<Attribute>,
    /// Their version.
    pub attributes_version: Option<u64>,
    /// Counters; `None`: taken away.
    pub counters: Vec<(Box<str>, Option<i64>)>,
    /// Keys of what was said, beside those that come with the messages.
    pub said: Vec<(Sender, SaidKey)>,
}

impl Change {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Makes this change to what is known, but for what is [`Lasting`](super::Lasting). O(what is
    /// known × what changes), but for keys, which are added.
    pub fn apply(&self, state: &mut PersistedState) {
        for &user in &self.admins {
            if !state.admins.contains(&user) {
                state.admins.push(user);
            }
        }
        state.admins.retain(|user| !self.no_admins.contains(user));
        put_each(&mut state.mutes, self.muted.iter().map(|&(user, until)| (user, Some(until))));
        state.mutes.retain(|(user, _)| !self.unmuted.contains(user));
        put_each(&mut state.bans, self.banned.iter().map(|&(user, until)| (user, Some(until))));
        state.bans.retain(|(user, _)| !self.unbanned.contains(user));
        state.room_muted = self.room_muted.unwrap_or(state.room_muted);
        for &user in &self.marked {
            if !state.marks.contains(&user) {
                state.marks.push(user);
            }
        }
        state.marks.retain(|user| !self.unmarked.contains(user));
        state.speak_mode = self.speak_mode.unwrap_or(state.speak_mode);
        put_each(&mut state.attributes, self.attributes.iter().cloned());
        state.attributes_version = self.attributes_version.unwrap_or(state.attributes_version);
        put_each(&mut state.counters, self.counters.iter().cloned());
        state.said.extend_from_slice(&self.said);
    }

    /// Adds what changed after this.
    pub(crate) fn add(&mut self, later: Self) {
        fn is_other<T>(list: &[(UserId, T)], user: UserId) -> bool {
            list.iter().all(|(other, _)| *other != user)
        }
        self.admins.retain(|user| !later.no_admins.contains(user));
        self.no_admins.retain(|user| !later.admins.contains(user));
        self.muted.retain(|(user, _)| !later.unmuted.contains(user));
        self.unmuted.retain(|user| is_other(&later.muted, *user));
        self.banned.retain(|(user, _)| !later.unbanned.contains(user));
        self.unbanned.retain(|user| is_other(&later.banned, *user));
        self.marked.retain(|user| !later.unmarked.contains(user));
        self.unmarked.retain(|user| !later.marked.contains(user));
        self.admins.extend(later.admins);
        self.no_admins.extend(later.no_admins);
        self.muted.extend(later.muted);
        self.unmuted.extend(later.unmuted);
        self.banned.extend(later.banned);
        self.unbanned.extend(later.unbanned);
        self.kicked.extend(later.kicked);
        self.room_muted = later.room_muted.or(self.room_muted);
        self.marked.extend(later.marked);
        self.unmarked.extend(later.unmarked);
        self.speak_mode = later.speak_mode.or(self.speak_mode);
        self.owner = later.owner.or(self.owner);
        self.config = later.config.or(self.config.take());
        self.pins.extend(later.pins);
        self.attributes.extend(later.attributes);
        self.attributes_version = later.attributes_version.or(self.attributes_version);
        self.counters.extend(later.counters);
        self.said.extend(later.said);
    }

    /// Moves the instants from one clock to another.
    pub(super) fn move_instants(&mut self, to: impl Fn(Instant) -> Instant) {
        for (_, until) in self.muted.iter_mut().chain(&mut self.banned) {
            if let Until::At(at) = until {
                *at = to(*at);
            }
        }
        for (_, said) in &mut self.said {
            said.said_at = to(said.said_at);
        }
    }

    pub(super) fn record<'a>(&'a self, ids: &'a impl HostIds) -> ChangeRecord<'a> {
        let users = |users: &'a [UserId]| -> List<Blob<'a>> {
            users.iter().map(|&user| Blob(ids.encode(user))).collect()
        };
        let ends = |ends: &'a [(UserId, Until)]| -> List<UntilRecord<'a>> {
            let record = |&(user, until): &(UserId, Until)| UntilRecord {
                user: Blob(ids.encode(user)),
                until: until.instant().map(Instant::as_nanos),
            };
            ends.iter().map(record).collect()
        };
        let attribute = |(key, value): &'a Attribute| AttributeRecord {
            key,
            value: value.as_deref().map(|value| Blob(value.into())),
        };
        let said = |&(sender, key): &(Sender, SaidKey)| SaidRecord {
            sender: sender_blob(sender, ids),
            key: key.key.0,
            level: level_number(key.priority),
            said_at: key.said_at.as_nanos(),
        };
        let counter = |(key, value): &'a (Box<str>, _)| CounterRecord { key, value: *value };
        ChangeRecord {
            admins: users(&self.admins),
            no_admins: users(&self.no_admins),
            muted: ends(&self.muted),
            unmuted: users(&self.unmuted),
            banned: ends(&self.banned),
            unbanned: users(&self.unbanned),
            kicked: users(&self.kicked),
            room_muted: self.room_muted,
            marked: users(&self.marked),
            unmarked: users(&self.unmarked),
            speak_mode: self.speak_mode.map(mode_record),
            owner: self.owner.map(|owner| Blob(ids.encode(owner))),
            config: self.config.as_deref(),
            pins: self.pins.iter().map(|pin| pin_record(pin, ids)).collect(),
            attributes: self.attributes.iter().map(attribute).collect(),
            attributes_version: self.attributes_version,
            counters: self.counters.iter().map(counter).collect(),
            said: self.said.iter().map(said).collect(),
        }
    }

    pub(super) fn read(record: &ChangeRecord<'_>, ids: &mut impl HostIds) -> Result<Self, String> {
        let mut user = |blob: &Blob<'_>| ids.decode(&blob.0).map_err(|error| error.to_string());
        let mut users = |blobs: &List<Blob<'_>>| -> Result<Vec<UserId>, String> {
            blobs.0.iter().map(&mut user).collect()
        };
        let (admins, no_admins) = (users(&record.admins)?, users(&record.no_admins)?);
        let (unmuted, unbanned) = (users(&record.unmuted)?, users(&record.unbanned)?);
        let kicked = users(&record.kicked)?;
        let owner = users(&record.owner.iter().cloned().collect())?.pop();
        let (marked, unmarked) = (users(&record.marked)?, users(&record.unmarked)?);
        let mut end = |record: &UntilRecord<'_>| -> Result<(UserId, Until), String> {
            let until =
                record.until.map_or(Until::Forever, |at| Until::At(Instant::from_nanos(at)));
            Ok((user(&record.user)?, until))
        };
        let muted = record.muted.0.iter().map(&mut end).collect::<Result<_, _>>()?;
        let banned = record.banned.0.iter().map(&mut end).collect::<Result<_, _>>()?;
        let pins = record.pins.0.iter().map(|pin| pin_of(pin, ids)).collect::<Result<_, _>>()?;
        let attribute = |record: &AttributeRecord<'_>| {
            (record.key.into(), record.value.as_ref().map(|value| Arc::from(&*value.0)))
        };
        let said = |record: &SaidRecord<'_>| -> Result<(Sender, SaidKey), String> {
            let sender =
                sender_of(record.sender.as_ref(), ids).map_err(|error| error.to_string())?;
            let said_at = Instant::from_nanos(record.said_at);
            let (key, priority) = (DedupKey(record.key), level_of(record.level)?);
            Ok((sender, SaidKey { key, priority, said_at }))
        };
        Ok(Self {
            admins,
            no_admins,
            muted,
            unmuted,
            banned,
            unbanned,
            kicked,
            room_muted: record.room_muted,
            marked,
            unmarked,
            speak_mode: record.speak_mode.map(mode_of),
            owner,
            config: record.config.map(Into::into),
            pins,
            attributes: record.attributes.0.iter().map(attribute).collect(),
            attributes_version: record.attributes_version,
            counters: record.counters.0.iter().map(|one| (one.key.into(), one.value)).collect(),
            said: record.said.0.iter().map(said).collect::<Result<_, _>>()?,
        })
    }
}

/// Puts each value in its place by its key, and takes it away where there is none.
pub(super) fn put_each<K: PartialEq, V>(
    list: &mut Vec<(K, V)>,
    changes: impl IntoIterator<Item = (K, Option<V>)>,
) {
    for (key, value) in changes {
        let place = list.iter().position(|(its, _)| *its == key);
        match (place, value) {
            (Some(place), Some(value)) => list[place].1 = value,
            (Some(place), None) => drop(list.remove(place)),
            (None, Some(value)) => list.push((key, value)),
            (None, None) => {}
        }
    }
}
