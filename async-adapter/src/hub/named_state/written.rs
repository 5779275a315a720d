//! What a room of names carries over, as it is written: as [`PersistedState`] is, and beside that
//! those who have a name.

use super::NamedState;
use crate::room::mentions::FIRST_NAMED;
use roomcast_core::admission::PersistedState;
use roomcast_core::dedup::SaidKey;
use roomcast_core::message::Sender;
use roomcast_core::timed::Until;
use roomcast_core::{Instant, UserId};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Error as _, Serialize, Serializer};

/// A user of a name, and until when something holds: until ever, if nothing is said.
#[derive(serde::Serialize, serde::Deserialize)]
struct End<U> {
    user: U,
    until: Option<Instant>,
}

impl<U> End<U> {
    fn into_pair(self) -> (U, Until) {
        (self.user, self.until.map_or(Until::Forever, Until::At))
    }
}

/// A key of what a user of a name has said.
#[derive(serde::Serialize, serde::Deserialize)]
struct Said<U> {
    user: U,
    #[serde(flatten)]
    key: SaidKey,
}

/// Those who have a name.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(default, bound(deserialize = "U: Deserialize<'de>"))]
struct Names<U> {
    admins: Vec<U>,
    mutes: Vec<End<U>>,
    bans: Vec<End<U>>,
    marks: Vec<U>,
    said: Vec<Said<U>>,
}

impl<U> Default for Names<U> {
    fn default() -> Self {
        let (admins, mutes, bans, marks, said) = Default::default();
        Self { admins, mutes, bans, marks, said }
    }
}

impl<U: Serialize> Serialize for NamedState<U> {
    /// Writes all of it. An error if a number stands for a name: it would be nobody's elsewhere.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Form<'a, U> {
            #[serde(flatten)]
            rest: &'a PersistedState,
            names: Names<&'a U>,
        }
        if let Some(user) = stands_for_a_name(&self.rest) {
            return Err(S::Error::custom(format_args!("{user} stands for a name in this process")));
        }
        let names = Names {
            admins: self.admins.iter().collect(),
            mutes: self.mutes.iter().map(ended).collect(),
            bans: self.bans.iter().map(ended).collect(),
            marks: self.marks.iter().collect(),
            said: self.said.iter().map(|(user, key)| Said { user, key: *key }).collect(),
        };
        Form { rest: &self.rest, names }.serialize(to)
    }
}

fn ended<U>((user, until): &(U, Until)) -> End<&U> {
    End { user, until: until.instant() }
}

impl<'de, U: Deserialize<'de>> Deserialize<'de> for NamedState<U> {
    /// Reads it, as [`PersistedState`] is read.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        /// What comes first of these says whether the version is known.
        #[derive(serde::Deserialize)]
        #[serde(bound(deserialize = "U: Deserialize<'de>"))]
        struct Form<U> {
            #[serde(flatten)]
            rest: PersistedState,
            #[serde(flatten)]
            beside: Beside<U>,
        }
        #[derive(serde::Deserialize)]
        #[serde(bound(deserialize = "U: Deserialize<'de>"))]
        struct Beside<U> {
            #[serde(default)]
            names: Names<U>,
        }
        let Form { rest, beside } = Form::<U>::deserialize(from)?;
        if let Some(user) = stands_for_a_name(&rest) {
            return Err(D::Error::custom(format_args!(
                "{user}: numbers from {FIRST_NAMED} on stand for names in one process; want the name"
            )));
        }
        let Names { admins, mutes, bans, marks, said } = beside.names;
        Ok(Self {
            admins,
            mutes: mutes.into_iter().map(End::into_pair).collect(),
            bans: bans.into_iter().map(End::into_pair).collect(),
            marks,
            said: said.into_iter().map(|Said { user, key }| (user, key)).collect(),
            rest,
        })
    }
}

/// Returns a user whose number stands for a name.
fn stands_for_a_name(state: &PersistedState) -> Option<UserId> {
    let timed = state.mutes.iter().chain(&state.bans).map(|&(user, _)| user);
    let said = state.said.iter().filter_map(|&(sender, _)| match sender {
        Sender::Host => None,
        Sender::User(user) => Some(user),
    });
    let listed = state.admins.iter().chain(&state.marks).copied();
    listed.chain(timed).chain(said).find(|user| user.0 >= FIRST_NAMED)
}
