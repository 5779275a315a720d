//! Whose nick it is.
//!
//! Who a nick stands for is the hub's to know: nicks are its names of users, so what was ruled about one holds for whoever comes under it.
//! Only the owner has a number, the one that the room was made with. A nick belongs to the browser that brought it first, by a key that
//! only this browser knows. There are no accounts: whoever takes another nick is someone else.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use roomcast::names::Joining;
use roomcast::{Join, Room, UserId};

use crate::room::{OWNER, Said};

/// Nicks of people who have left whose keys are remembered; those who left first are forgotten first, and the owner never.
const MOST_GONE: usize = 10_000;

/// Who holds which nick.
#[derive(Debug, Default)]
pub(super) struct Nicks {
    crowd: HashSet<Arc<str>>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    holders: HashMap<Arc<str>, Holder>,
    /// Who has left, with the number of that leave.
    gone: VecDeque<(Arc<str>, u64)>,
    leaves: u64,
    /// The first who came by name.
    owner: Option<Arc<str>>,
    /// The first who came by name since someone asked.
    newcomer: Option<Arc<str>>,
}

#[derive(Debug)]
struct Holder {
    key: String,
    visits: u32,
    /// The number of the last leave.
    left: u64,
}

/// A nick that is held for one visit, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    nicks: Arc<Nicks>,
    nick: Arc<str>,
}

impl Nicks {
    /// Nobody holds a nick yet but the crowd, under those of the recording.
    pub(super) fn new(crowd: &[Arc<str>]) -> Self {
        Self { crowd: crowd.iter().cloned().collect(), table: Mutex::default() }
    }

    /// Someone comes in by name; several visits may hold one nick with one key. The error is a line for the visitor.
    pub(super) fn hold(self: &Arc<Self>, nick: &str, key: &str) -> Result<Held, String> {
        let taken = || format!("the name {nick:?} is taken: choose another");
        if self.crowd.contains(nick) {
            return Err(taken());
        }
        let mut table = self.table.lock();
        let table = &mut *table;
        let nick = match table.holders.get_key_value(nick) {
            Some((_, holder)) if holder.key != key => return Err(taken()),
            Some((nick, _)) => Arc::clone(nick),
            None => nick.into(),
        };
        let fresh = || Holder { key: key.to_owned(), visits: 0, left: 0 };
        table.holders.entry(Arc::clone(&nick)).or_insert_with(fresh).visits += 1;
        table.owner.get_or_insert_with(|| Arc::clone(&nick));
        table.newcomer.get_or_insert_with(|| Arc::clone(&nick));
        Ok(Held { nicks: Arc::clone(self), nick })
    }

    /// The user of a nick; `None` for one under which nobody has been, as far as room and table remember.
    pub(super) fn user(&self, room: &Room<Said>, nick: &str) -> Option<UserId> {
        let table = self.table.lock();
        if table.owner.as_deref() == Some(nick) {
            return Some(OWNER);
        }
        let held = table.holders.contains_key(nick) || self.crowd.contains(nick);
        drop(table);
        let user = room.user_id(nick);
        let known = held || room.banned_until(user).is_some() || room.muted_until(user).is_some();
        known.then_some(user)
    }

    /// The nick of the room's owner, once there is one.
    pub(super) fn owner(&self) -> Option<Arc<str>> {
        self.table.lock().owner.clone()
    }

    /// The first who came by name since this was asked last.
    pub(super) fn take_newcomer(&self) -> Option<Arc<str>> {
        self.table.lock().newcomer.take()
    }
}

impl Table {
    fn leave(&mut self, nick: &Arc<str>) {
        let Some(holder) = self.holders.get_mut(nick) else { return };
        holder.visits -= 1;
        if holder.visits > 0 || self.owner.as_ref() == Some(nick) {
            return;
        }
        self.leaves += 1;
        holder.left = self.leaves;
        self.gone.push_back((Arc::clone(nick), self.leaves));
        if self.gone.len() > MOST_GONE
            && let Some((nick, left)) = self.gone.pop_front()
            && self.holders.get(&nick).is_some_and(|gone| gone.visits == 0 && gone.left == left)
        {
            self.holders.remove(&nick);
        }
    }
}

impl Held {
    /// The nick.
    pub(super) fn nick(&self) -> &Arc<str> {
        &self.nick
    }

    /// Who joins under it.
    pub(super) fn join(&self) -> Joining<Said> {
        if self.nicks.owner().as_ref() == Some(&self.nick) {
            Join::user(OWNER).into()
        } else {
            Joining::named(Arc::clone(&self.nick))
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.nicks.table.lock().leave(&self.nick);
    }
}

#[cfg(test)]
mod tests {
    use roomcast::{Actor, Hub, RoomConfig};

    use super::*;

    fn room() -> (Hub<Said>, Room<Said>) {
        let hub = Hub::<Said>::builder().spawn();
        let room = hub.open_room("room", &RoomConfig::builder(OWNER).build().unwrap()).unwrap();
        (hub, room)
    }

    #[tokio::test]
    async fn a_nick_is_one_user_also_after_a_leave() {
        let (_hub, room) = room();
        let nicks = Arc::new(Nicks::default());
        let hold = |nick: &str| nicks.hold(nick, "").unwrap();
        let (_kim, lee) = (hold("kim"), hold("lee"));
        drop(room.join(lee.join()).unwrap());
        let user = nicks.user(&room, "lee").unwrap();
        room.moderation(Actor::Host).mute(&[user], None).unwrap();
        drop(lee);
        for number in 0..=MOST_GONE {
            drop(hold(&format!("visitor {number}")));
        }
        assert_eq!(nicks.user(&room, "lee"), Some(user), "a mute outlives a leave");
        assert_eq!(nicks.user(&room, "visitor 0"), None);
    }

    #[tokio::test]
    async fn the_first_by_name_owns_the_room_for_good() {
        let (_hub, room) = room();
        let nicks = Arc::new(Nicks::default());
        assert_eq!(nicks.owner(), None);
        drop(nicks.hold("kim", "k").unwrap());
        for number in 0..MOST_GONE + 2 {
            drop(nicks.hold(&format!("visitor {number}"), "").unwrap());
        }
        assert_eq!(nicks.owner().as_deref(), Some("kim"));
        assert_eq!(nicks.user(&room, "kim"), Some(OWNER));
        let _kim = room.join(nicks.hold("kim", "k").unwrap().join()).unwrap();
        assert_eq!(room.recent_users(), [OWNER]);
    }

    #[tokio::test]
    async fn a_nick_of_someone_else_is_taken() {
        let (_hub, room) = room();
        let nicks = Arc::new(Nicks::new(&["viewer 1".into(), "viewer 2".into()]));
        let kim = nicks.hold("kim", "secret").unwrap();
        let _again = nicks.hold("kim", "secret").unwrap();
        for (nick, key) in [("kim", ""), ("kim", "guess"), ("viewer 2", "secret")] {
            let error = nicks.hold(nick, key).unwrap_err();
            assert_eq!(error, format!("the name {nick:?} is taken: choose another"));
        }
        assert_eq!(nicks.user(&room, "viewer 2"), Some(room.user_id("viewer 2")));
        assert_eq!(nicks.user(&room, "lee"), None);
        let newcomers = (nicks.take_newcomer(), nicks.take_newcomer());
        assert_eq!(newcomers, (Some(Arc::clone(kim.nick())), None));
    }
}
