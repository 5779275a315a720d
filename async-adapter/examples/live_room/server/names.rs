//! Which user a nick stands for, as long as someone is here under it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use roomcast::UserId;

use crate::room::FIRST_VISITOR;

/// Those who are here by the page.
#[derive(Debug, Default)]
pub(super) struct Names {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    users: HashMap<String, (UserId, u32)>,
    /// Visits at the moment, those of guests included.
    visits: u64,
    numbers: u64,
}

/// One visit; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    names: Arc<Names>,
    nick: Option<String>,
    user: Option<UserId>,
}

impl Names {
    /// Someone comes in; two who come under one nick are one user.
    pub(super) fn sit(self: &Arc<Self>, nick: Option<&str>) -> Seat {
        let mut table = self.table.lock();
        table.visits += 1;
        let user = nick.map(|nick| {
            let fresh = UserId(FIRST_VISITOR + table.numbers);
            table.numbers += 1;
            let (user, visits) = table.users.entry(nick.to_owned()).or_insert((fresh, 0));
            *visits += 1;
            *user
        });
        Seat { names: Arc::clone(self), nick: nick.map(str::to_owned), user }
    }

    /// How many pages are open.
    pub(super) fn visits(&self) -> u64 {
        self.table.lock().visits
    }
}

impl Seat {
    /// The user; `None` for a guest.
    pub(super) fn user(&self) -> Option<UserId> {
        self.user
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut table = self.names.table.lock();
        table.visits -= 1;
        let Some(nick) = self.nick.take() else { return };
        if let Some((_, visits)) = table.users.get_mut(&nick) {
            *visits -= 1;
            if *visits == 0 {
                table.users.remove(&nick);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nick_is_one_user_while_anyone_has_it() {
        let names = Arc::new(Names::default());
        let (kim, kim_again, lee, guest) =
            (names.sit(Some("kim")), names.sit(Some("kim")), names.sit(Some("lee")), names.sit(None));
        assert_eq!(kim.user(), kim_again.user());
        assert_ne!(kim.user(), lee.user());
        assert_eq!((guest.user(), names.visits()), (None, 4));
        let user = kim.user();
        drop((kim, kim_again, guest));
        assert_eq!(names.visits(), 1);
        assert_ne!(names.sit(Some("kim")).user(), user, "whoever comes next is someone else");
    }
}
