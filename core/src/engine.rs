//! Many rooms: finds them, wakes those that are due, gathers their events. It has no rules of its
//! own but [clause A8](crate::rulebook#a8-one-room-for-each-user).

mod broadcast;
mod memory;
mod one_room;

pub use one_room::EngineJoinError;

use crate::broadcasts::{BroadcastLimits, Broadcasts};
use crate::chunked::Slab;
use crate::config::RoomConfig;
use crate::event::Event;
use crate::ids::RoomId;
use crate::index::{Hasher, Index};
use crate::list::{Links, List};
use crate::message::Payload;
use crate::room::{RoomSnapshot, RoomState};
use crate::time::Instant;
use crate::user_rooms::UserRooms;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use broadcast::Spread;
use core::ops::{Deref, DerefMut};
use memory::{Shared, Weight};

/// The maximum number of rooms that one call of [`Engine::handle_timeout`] looks after.
const MAX_ROOMS_A_CALL: usize = 256;

/// Many rooms in one state machine, for a host that drives the core itself.
///
/// A room that has nothing to do costs nothing. Rooms are handed events and time in an order that
/// depends on the calls alone.
///
/// ```
/// use roomcast_core::{Engine, Instant, Join, RoomConfig, RoomId, UserId};
///
/// let mut engine: Engine<&str> = Engine::new(1_000, 0);
/// engine.create_room(RoomId(5), &RoomConfig::av_chat_room(UserId(1)))?;
/// let joined = engine.room_mut(RoomId(5))?.join(Instant::ZERO, Join::guest())?;
/// assert!(engine.room_mut(RoomId(6)).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Engine<M> {
    rooms: Slab<Entry<M>>,
    index: Index,
    hasher: Hasher,
    max_rooms: u32,
    seed: u64,
    /// The life of the next room.
    next_life: u64,
    /// Which room each user is in, where that is one at a time.
    user_rooms: Option<UserRooms>,
    broadcasts: Broadcasts<M>,
    /// On the way to the rooms that have yet to hear what was broadcast last; `None` when all
    /// have.
    spread: Option<Spread>,
    /// The rooms that asked for a timeout, the first to be due first.
    timers: BTreeSet<(Instant, u32)>,
    /// The rooms that may have events.
    eventful: List,
    /// What all rooms hold together, where that has a limit.
    memory: Option<Box<Shared>>,
}

#[derive(Debug)]
struct Entry<M> {
    id: RoomId,
    room: RoomState<M>,
    timer: Option<Instant>,
    /// Whether `eventful` lists the room, and its place there.
    listed: bool,
    links: Links,
    /// What the room held when it was noted last, where that is asked for.
    weight: Weight,
}

fn links<M>(entry: &mut Entry<M>) -> &mut Links {
    &mut entry.links
}

/// Why a room was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CreateRoomError {
    /// There is one with that id.
    #[error("{0} already exists")]
    Exists(RoomId),
    /// There are as many rooms as there may be.
    #[error("too many rooms (limit {max})")]
    TooManyRooms {
        /// The most.
        max: u32,
    },
    /// The hub that the room would be in is about to end, or has. An engine never says so.
    #[error("the hub is shutting down and opens no rooms")]
    ShuttingDown,
}

/// No room has that id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} does not exist")]
pub struct NoSuchRoom(pub RoomId);

impl<M: Payload> Engine<M> {
    /// An engine without rooms, which takes at most `max_rooms`. The seed keeps outsiders from
    /// choosing ids that collide.
    pub fn new(max_rooms: u32, seed: u64) -> Self {
        Self {
            rooms: Slab::new(),
            index: Index::new(),
            hasher: Hasher::new(seed),
            max_rooms,
            seed,
            next_life: 0,
            user_rooms: None,
            broadcasts: Broadcasts::new(BroadcastLimits::default(), seed),
            spread: None,
            timers: BTreeSet::new(),
            eventful: List::EMPTY,
            memory: None,
        }
    }

    /// The same engine, whose rooms have this [life](RoomState::with_life) and those that follow,
    /// one after the other. A host whose session ids or tokens outlive the process gives a number
    /// that is random, or that grows from one process to the next by more than the rooms of one.
    /// Default 0.
    #[must_use]
    pub fn with_lives_from(mut self, first: u64) -> Self {
        self.next_life = first;
        self
    }

    /// Makes a room. Its life is another one than that of any room that was made before.
    pub fn create_room(&mut self, id: RoomId, config: &RoomConfig) -> Result<(), CreateRoomError> {
        if self.slot(id).is_some() {
            return Err(CreateRoomError::Exists(id));
        }
        if self.rooms.len() >= self.max_rooms {
            return Err(CreateRoomError::TooManyRooms { max: self.max_rooms });
        }
        let slot = self.rooms.insert(Entry {
            id,
            room: RoomState::new(config)
                .with_life(self.next_life)
                .with_broadcast_position(&self.broadcasts),
            timer: None,
            listed: false,
            links: Links::NONE,
            weight: Weight::default(),
        });
        self.next_life = self.next_life.wrapping_add(1);
        let (rooms, hasher) = (&self.rooms, self.hasher);
        self.index.insert(hasher.hash(id.0), slot, |slot| hasher.hash(rooms[slot].id.0));
        self.note(slot);
        Ok(())
    }

    /// Takes a room out, with whatever is in it, and returns its books. A host closes the room
    /// first and waits for [`Event::RoomEnded`] if everyone is to get what is due.
    pub fn remove_room(&mut self, now: Instant, id: RoomId) -> Result<RoomSnapshot, NoSuchRoom> {
        let slot = self.slot(id).ok_or(NoSuchRoom(id))?;
        self.index.remove(self.hasher.hash(id.0), slot);
        if self.rooms[slot].listed {
            self.eventful.unlink(&mut self.rooms, slot, links);
        }
        self.weigh_no_more(slot);
        let entry = self.rooms.remove(slot).ok_or(NoSuchRoom(id))?;
        if let Some(at) = entry.timer {
            self.timers.remove(&(at, slot));
        }
        Ok(entry.room.snapshot(now))
    }

    /// The books of a room, with what was broadcast and it has yet to hear
    /// ([`broadcasts_pending`](crate::admission::AdmissionSnapshot::broadcasts_pending)). It
    /// changes nothing.
    pub fn snapshot(&self, now: Instant, id: RoomId) -> Result<RoomSnapshot, NoSuchRoom> {
        let room = self.room(id)?;
        let mut snapshot = room.snapshot(now);
        snapshot.admission.broadcasts_pending = room.broadcasts_pending(self.broadcasts.count());
        Ok(snapshot)
    }

    /// A room, to look at. O(1).
    pub fn room(&self, id: RoomId) -> Result<&RoomState<M>, NoSuchRoom> {
        self.slot(id).map(|slot| &self.rooms[slot].room).ok_or(NoSuchRoom(id))
    }

    /// A room, to call; when the answer is dropped, the engine notes what the room wants next.
    /// O(1), and O(log rooms) when its timeout changes.
    pub fn room_mut(&mut self, id: RoomId) -> Result<RoomMut<'_, M>, NoSuchRoom> {
        match self.slot(id) {
            Some(slot) => {
                self.let_hear(slot);
                self.tell_memory(slot);
                Ok(RoomMut { slot, engine: self })
            }
            None => Err(NoSuchRoom(id)),
        }
    }

    /// Rooms there are.
    pub fn len(&self) -> u32 {
        self.rooms.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next event of any room, if there is one; the rooms take turns.
    pub fn poll_event(&mut self) -> Option<(RoomId, Event)> {
        while let Some(slot) = self.eventful.front() {
            self.eventful.unlink(&mut self.rooms, slot, links);
            let entry = &mut self.rooms[slot];
            entry.listed = false;
            if let Some(event) = entry.room.poll_event() {
                let id = entry.id;
                self.note(slot);
                return Some((id, event));
            }
        }
        None
    }

    /// When [`handle_timeout`](Self::handle_timeout) should be called next; `None` while no room
    /// waits for anything. O(log rooms).
    pub fn poll_timeout(&self) -> Option<Instant> {
        let timer = self.timers.first().map(|&(at, _)| at);
        let spread = self.spread.map(|spread| spread.since);
        timer.into_iter().chain(spread).chain(self.next_trim()).min()
    }

    /// Does what is due in the rooms, at most 256 of them in one call, and lets as many hear what
    /// was broadcast. Where rooms hold [more than they may](Self::memory_limit), up to 4,096
    /// messages give way first. A call when nothing is due is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.trim();
        self.spread_broadcasts(MAX_ROOMS_A_CALL as u32);
        for _ in 0..MAX_ROOMS_A_CALL {
            let Some(&(at, slot)) = self.timers.first() else { break };
            if at > now {
                break;
            }
            self.timers.pop_first();
            self.rooms[slot].timer = None;
            let room = &mut self.rooms[slot].room;
            if room.has_broadcasts_to_import(&self.broadcasts) {
                room.import_broadcasts(now, &self.broadcasts);
            }
            room.handle_timeout(now);
            self.note(slot);
        }
    }

    fn slot(&self, id: RoomId) -> Option<u32> {
        self.index.find(self.hasher.hash(id.0), |slot| self.rooms[slot].id == id)
    }

    /// Notes what a room wants and holds after a call. Where all rooms hold too much by now, others
    /// than this one may give way.
    fn note(&mut self, slot: u32) {
        self.note_wants(slot);
        if self.memory.is_some() {
            self.weigh(slot);
            self.trim();
        }
    }

    /// Notes what a room wants after a call.
    fn note_wants(&mut self, slot: u32) {
        let Some(entry) = self.rooms.get_mut(slot) else { return };
        let timer = entry.room.poll_timeout();
        if timer != entry.timer {
            if let Some(old) = core::mem::replace(&mut entry.timer, timer) {
                self.timers.remove(&(old, slot));
            }
            if let Some(new) = timer {
                self.timers.insert((new, slot));
            }
        }
        if !entry.listed && entry.room.has_events() {
            entry.listed = true;
            self.eventful.push_back(&mut self.rooms, slot, links);
        }
    }
}

/// A room of an engine, to call. See [`Engine::room_mut`].
#[derive(Debug)]
pub struct RoomMut<'a, M: Payload> {
    engine: &'a mut Engine<M>,
    slot: u32,
}

impl<M: Payload> Deref for RoomMut<'_, M> {
    type Target = RoomState<M>;

    fn deref(&self) -> &RoomState<M> {
        &self.engine.rooms[self.slot].room
    }
}

impl<M: Payload> DerefMut for RoomMut<'_, M> {
    fn deref_mut(&mut self) -> &mut RoomState<M> {
        &mut self.engine.rooms[self.slot].room
    }
}

impl<M: Payload> Drop for RoomMut<'_, M> {
    fn drop(&mut self) {
        self.engine.note(self.slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Actor, Join, Priority, Publish, Source, UserId};

    fn engine(rooms: u64) -> Engine<&'static str> {
        let mut engine = Engine::new(10, 0);
        let config = RoomConfig::builder(UserId(1)).burst(1).rate(1).build().unwrap();
        for id in 0..rooms {
            engine.create_room(RoomId(id), &config).unwrap();
        }
        engine
    }

    #[test]
    fn rooms_are_made_once_found_and_removed() {
        let mut engine = engine(2);
        let config = RoomConfig::av_chat_room(UserId(1));
        assert_eq!(engine.create_room(RoomId(1), &config), Err(CreateRoomError::Exists(RoomId(1))));
        assert!(engine.remove_room(Instant::ZERO, RoomId(1)).unwrap().balances());
        assert_eq!(
            engine.remove_room(Instant::ZERO, RoomId(1)).unwrap_err(),
            NoSuchRoom(RoomId(1))
        );
        assert_eq!(engine.room(RoomId(1)).unwrap_err(), NoSuchRoom(RoomId(1)));
        for id in 10..19 {
            engine.create_room(RoomId(id), &config).unwrap();
        }
        assert_eq!(
            engine.create_room(RoomId(20), &config),
            Err(CreateRoomError::TooManyRooms { max: 10 })
        );
    }

    /// Idle rooms ask for nothing.
    #[test]
    fn the_earliest_room_is_due_first() {
        let mut engine = engine(3);
        assert_eq!(engine.poll_timeout(), None);
        for (id, second) in [(0, 2), (2, 1)] {
            let mut room = engine.room_mut(RoomId(id)).unwrap();
            for text in ["sent", "waits"] {
                let publish = Publish::new(Source::Host, text).priority(Priority::High);
                let _ = room.publish(Instant::from_secs(second), publish).unwrap();
            }
        }
        assert_eq!(engine.poll_timeout(), Some(Instant::from_secs(2)));
        engine.handle_timeout(Instant::from_secs(2));
        assert_eq!(engine.poll_event().map(|(id, _)| id), Some(RoomId(2)));
        assert_eq!(engine.poll_event(), None);
        assert_eq!(engine.poll_timeout(), Some(Instant::from_secs(3)));
        engine.handle_timeout(Instant::from_secs(3));
        assert_eq!(engine.poll_event().map(|(id, _)| id), Some(RoomId(0)));
        assert_eq!(engine.poll_timeout(), None);
    }

    #[test]
    fn a_closed_room_says_when_its_books_are_final() {
        let mut engine = engine(1);
        let mut room = engine.room_mut(RoomId(0)).unwrap();
        room.join(Instant::ZERO, Join::guest()).unwrap();
        room.close(Instant::ZERO, Actor::Host).unwrap();
        drop(room);
        assert_eq!(engine.poll_event(), Some((RoomId(0), Event::RoomClosed)));
        assert_eq!(engine.poll_event(), None);
        let grace_over = engine.poll_timeout().unwrap();
        assert_eq!(grace_over, Instant::from_secs(10));
        engine.handle_timeout(grace_over);
        assert_eq!(engine.poll_event(), Some((RoomId(0), Event::RoomEnded)));
        assert_eq!((engine.poll_event(), engine.poll_timeout()), (None, None));
    }
}
