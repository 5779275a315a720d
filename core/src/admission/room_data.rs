//! What a room says of itself: attributes, counters, and the tips that tell what happened in it.

use super::people::People;
use super::persisted::{ImportError, PersistedState};
use crate::config::{Checked, Settings};
use crate::data::{Attributes, Counters, DataError};
use crate::deferred_drops::DeferredDrops;
use crate::direct::Direct;
use crate::ids::{Seq, UserId};
use crate::message::Payload;
use crate::pins::{MAX_PINS, PinId, Pins};
use crate::priority::Priority;
use crate::profile::Profile;
use crate::speak_mode::SpeakMode;
use crate::system_messages::{
    Fold, Folds, MAX_RETRACTED, MAX_UNTOLD, SystemMessage, SystemMessageKind, SystemMessages,
};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use smallvec::SmallVec;

/// A room's own data, and what has changed in the room and is still to be told.
#[derive(Debug)]
pub(super) struct RoomData<M> {
    /// None while none has been written.
    own: Option<Box<Own>>,
    settings: Arc<Checked>,
    /// None while the room gives no tips.
    tips: Option<Box<Tips<M>>>,
    /// What is pinned; none where nothing is.
    pins: Option<Box<Pins<M>>>,
}

/// A room's own data.
#[derive(Debug)]
struct Own {
    attributes: Attributes,
    counters: Counters,
}

/// What is still to be told.
#[derive(Debug)]
struct Tips<M> {
    folds: Folds,
    /// Profiles of users who are gone, for tips that are still to tell it: at most one of each
    /// kind.
    kept_profiles: Vec<(SystemMessageKind, Profile<M>)>,
    /// The numbers of messages that were taken back, for tips that are still to tell them.
    retracted: Option<Box<Retractions>>,
}

/// The numbers of messages that were taken back, in order of the calls.
#[derive(Debug, Default)]
struct Retractions(Vec<Seq>);

impl<M> Tips<M> {
    /// Those of a room that gives these, if it gives any.
    fn new(system_messages: SystemMessages) -> Option<Box<Self>> {
        let tips = || Self {
            folds: Folds::new(system_messages),
            kept_profiles: Vec::new(),
            retracted: None,
        };
        system_messages.are_any().then(|| Box::new(tips()))
    }

    /// Returns the profile that was kept for a tip, which is kept no more.
    fn take_kept(&mut self, kind: SystemMessageKind) -> Option<Profile<M>> {
        let place = self.kept_profiles.iter().position(|&(of, _)| of == kind)?;
        Some(self.kept_profiles.swap_remove(place).1)
    }
}

/// A tip that is to be told now.
pub(super) struct DueSystemMessage<M> {
    pub(super) level: Priority,
    /// None if the host has no words for it.
    pub(super) payload: Option<M>,
    /// The profile of the user whom it is about, if it is about one.
    pub(super) profile: Option<Profile<M>>,
}

impl<M> RoomData<M> {
    /// Returns the data of a new room that gives these tips.
    pub(super) fn new(settings: &Arc<Checked>, system_messages: SystemMessages) -> Self {
        let settings = Arc::clone(settings);
        Self { own: None, settings, tips: Tips::new(system_messages), pins: None }
    }

    #[inline(never)]
    fn own_mut(&mut self) -> &mut Own {
        let limits = self.settings.data;
        self.own.get_or_insert_with(|| {
            Box::new(Own { attributes: Attributes::new(limits), counters: Counters::new(limits) })
        })
    }

    /// From now on other limits and tips; what is there stays.
    pub(super) fn reconfigure(
        &mut self,
        now: Instant,
        settings: &Arc<Checked>,
        system_messages: SystemMessages,
    ) {
        if self.own.is_some() || self.settings.data != settings.data {
            // What the quota of the writes has left counts on.
            let own = self.own_mut();
            own.attributes.reconfigure(now, settings.data);
            own.counters.reconfigure(settings.data);
        }
        self.settings = Arc::clone(settings);
        match &mut self.tips {
            Some(tips) => {
                tips.folds.reconfigure(system_messages);
                if system_messages.level(SystemMessageKind::Retracted).is_none() {
                    tips.retracted = None;
                }
            }
            None => self.tips = Tips::new(system_messages),
        }
    }

    /// Messages with these numbers were taken back.
    pub(super) fn note_retracted(&mut self, now: Instant, seqs: &[Seq]) {
        let kind = SystemMessageKind::Retracted;
        if let Some(tips) = self.tips.as_mut().filter(|tips| tips.folds.tells(kind))
            && !seqs.is_empty()
        {
            let Retractions(untold) = &mut **tips.retracted.get_or_insert_default();
            untold.extend_from_slice(seqs);
            // Of more than a log remembers the oldest are long out of it.
            drop(untold.drain(..untold.len().saturating_sub(MAX_UNTOLD)));
            tips.folds.note(now, kind, None);
        }
    }

    /// Something happened, to a user or to the room.
    #[inline]
    pub(super) fn note(&mut self, now: Instant, kind: SystemMessageKind, user: Option<UserId>) {
        if let Some(tips) = &mut self.tips {
            tips.folds.note(now, kind, user);
        }
    }

    /// A user has gone; the profile is kept for the tip that tells it, if that is to tell of nobody
    /// else so far.
    #[inline]
    pub(super) fn note_going(
        &mut self,
        now: Instant,
        kind: SystemMessageKind,
        user: UserId,
        profile: Option<Profile<M>>,
        drops: &mut DeferredDrops<M>,
    ) {
        let Some(tips) = &mut self.tips else { return drops.add_profile(profile) };
        tips.folds.note(now, kind, Some(user));
        if tips.folds.count(kind) == 1 {
            // What is there was kept for a tip that was never given.
            drops.add_profile(tips.take_kept(kind));
            tips.kept_profiles.extend(profile.map(|profile| (kind, profile)));
        } else {
            drops.add_profile(profile);
        }
    }

    /// Makes all changes of attributes or none. Returns the new version. Nobody is told of what
    /// changes nothing.
    pub(super) fn write_attributes(
        &mut self,
        now: Instant,
        owner: Option<UserId>,
        based_on: Option<u64>,
        changes: &[(&str, Option<&[u8]>)],
    ) -> Result<u64, DataError> {
        let before = self.attributes_version();
        let version = self.own_mut().attributes.write(now, owner, based_on, changes)?;
        if version != before {
            self.note(now, SystemMessageKind::AttributesChanged, None);
        }
        Ok(version)
    }

    /// The last session of a user has gone, and with it the attributes that end with that user.
    pub(super) fn end_attributes_of(&mut self, now: Instant, user: UserId) {
        if self.own.as_mut().is_some_and(|own| own.attributes.end_with(user)) {
            self.note(now, SystemMessageKind::AttributesChanged, None);
        }
    }

    /// Returns what attributes, counters and pinned messages hold, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        let pinned = self.pins.as_ref().map_or(0, |pins| pins.bytes());
        let own = self.own.as_ref().map_or(0, |own| own.attributes.bytes() + own.counters.bytes());
        own + pinned
    }

    /// Returns what is pinned, if anything is.
    #[inline]
    pub(super) fn pins(&self) -> Option<&Pins<M>> {
        self.pins.as_deref()
    }

    /// Returns whether one more may be pinned under this number, or takes the place of what is.
    pub(super) fn has_place_for_pin(&self, id: PinId) -> bool {
        self.pins.as_ref().is_none_or(|pins| pins.has_place_for(id))
    }

    /// Pins a message; returns what it takes the place of.
    pub(super) fn pin(
        &mut self,
        id: PinId,
        direct: Direct<M>,
        size: u64,
    ) -> Option<Arc<Direct<M>>> {
        self.pins.get_or_insert_default().pin(id, direct, size)
    }

    /// Takes out what is pinned under a number.
    pub(super) fn unpin(&mut self, id: PinId) -> Option<Arc<Direct<M>>> {
        let old = self.pins.as_mut()?.unpin(id);
        self.pins.take_if(|pins| pins.is_empty());
        old
    }

    /// Returns the attributes, to read them, if any have been written.
    pub(super) fn attributes(&self) -> Option<&Attributes> {
        self.own.as_ref().map(|own| &own.attributes)
    }

    /// Returns the version of the attributes.
    pub(super) fn attributes_version(&self) -> u64 {
        self.attributes().map_or(0, Attributes::version)
    }

    /// Sets a counter; returns what it said before.
    pub(super) fn set_counter(
        &mut self,
        now: Instant,
        key: &str,
        value: i64,
    ) -> Result<Option<i64>, DataError> {
        let before = self.own_mut().counters.set(key, value)?;
        self.note(now, SystemMessageKind::Counters, None);
        Ok(before)
    }

    /// Adds to a counter; returns the sum.
    pub(super) fn add_counter(
        &mut self,
        now: Instant,
        key: &str,
        delta: i64,
    ) -> Result<i64, DataError> {
        let sum = self.own_mut().counters.add(key, delta)?;
        self.note(now, SystemMessageKind::Counters, None);
        Ok(sum)
    }

    /// Returns what a counter has gained that the room does not know of.
    pub(super) fn hand_on_count(&mut self) -> Option<(Box<str>, i64)> {
        self.own.as_mut()?.counters.hand_on()
    }

    /// Takes a counter away; returns what it said.
    pub(super) fn remove_counter(&mut self, key: &str) -> Option<i64> {
        self.own.as_mut()?.counters.remove(key)
    }

    /// Returns the counters, to read them, if any have been written.
    #[inline]
    pub(super) fn counters(&self) -> Option<&Counters> {
        self.own.as_ref().map(|own| &own.counters)
    }

    /// Checks that so much may be added to a counter.
    #[cold]
    #[inline(never)]
    pub(super) fn check_add(&self, key: &str, delta: i64) -> Result<(), DataError> {
        match self.counters() {
            Some(counters) => counters.check_add(key, delta),
            None => Counters::new(self.settings.data).check_add(key, delta),
        }
    }

    /// Adds the data to what a room carries over.
    pub(super) fn export(&self, to: &mut PersistedState) {
        let Some(own) = &self.own else { return };
        let (attributes, version) = own.attributes.lasting();
        to.attributes = attributes.map(|(key, value)| (key.into(), Arc::clone(value))).collect();
        to.attributes_version = version;
        to.counters = own.counters.iter().map(|(key, value)| (key.into(), value)).collect();
    }

    /// Takes over the data that a room carried, in place of what is here: all of it, or with an
    /// error nothing.
    pub(super) fn import(
        &mut self,
        settings: &Settings,
        carried: PersistedState,
    ) -> Result<(), ImportError> {
        let mut attributes = Attributes::new(settings.data);
        attributes.import(carried.attributes_version, carried.attributes)?;
        let mut counters = Counters::new(settings.data);
        counters.import(carried.counters)?;
        let own = self.own_mut();
        // The quota of the writes is the room's, not what it carried.
        own.attributes.replace(attributes);
        own.counters = counters;
        Ok(())
    }

    /// Returns when the next tip is due.
    #[inline]
    pub(super) fn next_system_message(&self) -> Option<Instant> {
        self.tips.as_ref()?.folds.next()
    }
}

impl<M: Payload> RoomData<M> {
    /// Takes the next tip that is due at `now`: of each kind one in a window.
    pub(super) fn take_system_message(
        &mut self,
        now: Instant,
        people: &People<M>,
        mode: SpeakMode,
        drops: &mut DeferredDrops<M>,
    ) -> Option<DueSystemMessage<M>> {
        let (kind, level, fold) = self.tips.as_mut()?.folds.take(now)?;
        let payload = self.payload_of(now, kind, &fold, mode);
        let kept = self.tips.as_mut()?.take_kept(kind);
        let profile =
            subject(kind, &fold).and_then(|user| people.profile(user).or(kept.as_ref()).cloned());
        drops.add_profile(kept);
        Some(DueSystemMessage { level, payload, profile })
    }

    /// Returns what the host says of something that happened, if it has words for it.
    fn payload_of(
        &mut self,
        now: Instant,
        kind: SystemMessageKind,
        fold: &Fold,
        mode: SpeakMode,
    ) -> Option<M> {
        match kind {
            SystemMessageKind::AttributesChanged => M::system_message(&SystemMessage::Attributes {
                count: fold.count,
                version: self.attributes_version(),
            }),
            SystemMessageKind::Counters => {
                let own = self.own.as_mut()?;
                let changed: SmallVec<[(&str, i64); 8]> = own.counters.changed().collect();
                let payload = if changed.is_empty() {
                    None
                } else {
                    M::system_message(&SystemMessage::Counters { changed: &changed })
                };
                drop(changed);
                own.counters.told();
                payload
            }
            SystemMessageKind::SpeakModeSet => {
                M::system_message(&SystemMessage::SpeakMode { count: fold.count, mode })
            }
            SystemMessageKind::Retracted => self.retracted_payload(now),
            SystemMessageKind::Pinned => {
                let pins = self.pins.iter().flat_map(|pins| pins.ids());
                let pinned: SmallVec<[PinId; MAX_PINS as usize]> = pins.collect();
                let count = fold.count;
                M::system_message(&SystemMessage::Pinned { count, pinned: &pinned })
            }
            _ => M::system_message(&SystemMessage::Users {
                kind,
                count: fold.count,
                first: &fold.first,
            }),
        }
    }
}

impl<M: Payload> RoomData<M> {
    /// Returns what the host says of messages that were taken back. What is more than one tip may tell
    /// waits for the next.
    #[cold]
    fn retracted_payload(&mut self, now: Instant) -> Option<M> {
        let Retractions(mut seqs) = *self.tips.as_mut()?.retracted.take()?;
        let told = seqs.len().min(MAX_RETRACTED);
        let payload = M::system_message(&SystemMessage::Retracted { seqs: &seqs[..told] });
        drop(seqs.drain(..told));
        self.note_retracted(now, &seqs);
        payload
    }
}

/// Returns the one user whom a tip is about, if it is about one: it travels with that user's
/// profile, the one that the user has now, or had when going.
fn subject(kind: SystemMessageKind, fold: &Fold) -> Option<UserId> {
    match (kind, fold.count, &fold.first[..]) {
        (
            SystemMessageKind::AttributesChanged
            | SystemMessageKind::Counters
            | SystemMessageKind::SpeakModeSet
            | SystemMessageKind::Retracted
            | SystemMessageKind::Pinned,
            ..,
        ) => None,
        (_, 1, &[user]) => Some(user),
        _ => None,
    }
}
