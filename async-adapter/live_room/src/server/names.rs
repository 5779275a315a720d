//! Which user a nick stands for, and whose nick it is.
//!
//! A nick stays the same user when its visitor leaves and comes again: what the room's owner has ruled about a user would mean nothing
//! otherwise. It belongs to the browser that brought it first, by a key that only this browser knows. There are no accounts: whoever takes
//! another nick is someone else.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use roomcast::UserId;

use crate::room::{FIRST_VISITOR, OWNER, sender};

/// Nicks of people who have left that are remembered; those who left first are forgotten first, and the owner never.
const MOST_GONE: usize = 10_000;

/// Those who are here by the page, those who have been, and the crowd.
#[derive(Debug, Default)]
pub(super) struct Names {
    crowd: HashMap<Arc<str>, UserId>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    users: HashMap<Arc<str>, Person>,
    /// Who has left, with the number of that leave.
    gone: VecDeque<(Arc<str>, u64)>,
    /// Visits at the moment, those of guests included.
    visits: u64,
    numbers: u64,
    leaves: u64,
    /// The first who came by name.
    owner: Option<Arc<str>>,
    /// The first who came by name since someone asked.
    newcomer: Option<Arc<str>>,
}

#[derive(Debug)]
struct Person {
    user: UserId,
    key: String,
    visits: u32,
    /// The number of the last leave.
    left: u64,
}

/// One visit; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    names: Arc<Names>,
    named: Option<(Arc<str>, UserId)>,
}

impl Names {
    /// Nobody is here yet but the crowd, under the nicks of the recording.
    pub(super) fn new(crowd: &[Arc<str>]) -> Self {
        let crowd =
            (0..).map(sender).zip(crowd).map(|(user, nick)| (Arc::clone(nick), user)).collect();
        Self { crowd, table: Mutex::default() }
    }

    /// A guest comes in.
    pub(super) fn sit_as_guest(self: &Arc<Self>) -> Seat {
        self.table.lock().visits += 1;
        Seat { names: Arc::clone(self), named: None }
    }

    /// Someone comes in by name; two who come under one nick with one key are one user. The error is a line for the visitor.
    pub(super) fn sit(self: &Arc<Self>, nick: &str, key: &str) -> Result<Seat, String> {
        let taken = || format!("the name {nick:?} is taken: choose another");
        if self.crowd.contains_key(nick) {
            return Err(taken());
        }
        let mut table = self.table.lock();
        let table = &mut *table;
        let (nick, user) = if let Some((known, _)) = table.users.get_key_value(nick) {
            let known = Arc::clone(known);
            let person =
                table.users.get_mut(nick).filter(|person| person.key == key).ok_or_else(taken)?;
            person.visits += 1;
            (known, person.user)
        } else {
            let nick: Arc<str> = nick.into();
            let user =
                if table.owner.is_none() { OWNER } else { UserId(FIRST_VISITOR + table.numbers) };
            table.numbers += 1;
            table.owner.get_or_insert_with(|| Arc::clone(&nick));
            table.users.insert(
                Arc::clone(&nick),
                Person { user, key: key.to_owned(), visits: 1, left: 0 },
            );
            (nick, user)
        };
        table.visits += 1;
        table.newcomer.get_or_insert_with(|| Arc::clone(&nick));
        Ok(Seat { names: Arc::clone(self), named: Some((nick, user)) })
    }

    /// How many pages are open.
    pub(super) fn visits(&self) -> u64 {
        self.table.lock().visits
    }

    /// Who has this nick, or had it.
    pub(super) fn user(&self, nick: &str) -> Option<UserId> {
        self.crowd
            .get(nick)
            .copied()
            .or_else(|| self.table.lock().users.get(nick).map(|person| person.user))
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
        let Some(person) = self.users.get_mut(nick) else { return };
        person.visits -= 1;
        if person.visits > 0 || person.user == OWNER {
            return;
        }
        self.leaves += 1;
        person.left = self.leaves;
        self.gone.push_back((Arc::clone(nick), self.leaves));
        if self.gone.len() > MOST_GONE
            && let Some((nick, left)) = self.gone.pop_front()
            && self.users.get(&nick).is_some_and(|person| person.visits == 0 && person.left == left)
        {
            self.users.remove(&nick);
        }
    }
}

impl Seat {
    /// The user; `None` for a guest.
    pub(super) fn user(&self) -> Option<UserId> {
        self.named.as_ref().map(|&(_, user)| user)
    }

    /// The nick; `None` for a guest.
    pub(super) fn nick(&self) -> Option<&Arc<str>> {
        self.named.as_ref().map(|(nick, _)| nick)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut table = self.names.table.lock();
        table.visits -= 1;
        if let Some((nick, _)) = &self.named {
            table.leave(nick);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nick_is_one_user_also_after_a_leave() {
        let names = Arc::new(Names::default());
        let sit = |nick| names.sit(nick, "").unwrap();
        let (kim, kim_again, lee, guest) =
            (sit("kim"), sit("kim"), sit("lee"), names.sit_as_guest());
        assert_eq!(kim.user(), kim_again.user());
        assert_ne!(kim.user(), lee.user());
        assert_eq!((guest.user(), names.visits()), (None, 4));
        let user = lee.user();
        drop((kim_again, lee, guest));
        assert_eq!(names.visits(), 1);
        assert_eq!(sit("lee").user(), user, "a mute outlives a leave");
    }

    #[test]
    fn the_first_by_name_owns_the_room_for_good() {
        let names = Arc::new(Names::default());
        drop(names.sit_as_guest());
        assert_eq!(names.owner(), None);
        drop(names.sit("kim", "k").unwrap());
        for number in 0..MOST_GONE + 2 {
            drop(names.sit(&format!("visitor {number}"), "").unwrap());
        }
        assert_eq!(names.owner().as_deref(), Some("kim"));
        assert_eq!(names.sit("kim", "k").unwrap().user(), Some(OWNER));
        assert_eq!((names.user("visitor 0"), names.user("visitor 2").is_some()), (None, true));
    }

    #[test]
    fn a_nick_of_someone_else_is_taken() {
        let names = Arc::new(Names::new(&["viewer 1".into(), "viewer 2".into()]));
        let kim = names.sit("kim", "secret").unwrap();
        for (nick, key) in [("kim", ""), ("kim", "guess"), ("viewer 2", "secret")] {
            let error = names.sit(nick, key).unwrap_err();
            assert_eq!(error, format!("the name {nick:?} is taken: choose another"));
        }
        assert_eq!(
            (names.visits(), names.user("viewer 2"), names.user("lee")),
            (1, Some(sender(1)), None)
        );
        assert_eq!((names.take_newcomer(), names.take_newcomer()), (kim.nick().cloned(), None));
    }
}
