//! What the owner and the admins want done to someone.

use serde::Deserialize;

/// The longest time for which someone may be muted or banned, unless it is for good: a day.
pub(super) const MAX_SECONDS: u32 = 24 * 60 * 60;

/// What to do to whom.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    /// The page's number.
    pub(crate) id: u64,
    /// What to do.
    pub(crate) act: Act,
    /// To whom, by nick.
    pub(crate) name: String,
    /// For how long, 1 s to a day; left out, it is for good. A mute or a ban only.
    #[serde(default)]
    pub(crate) seconds: Option<u32>,
}

/// What is done to someone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Act {
    /// Keep from speaking.
    Mute,
    /// Let speak again.
    Unmute,
    /// Take out.
    Kick,
    /// Take out and keep out.
    Ban,
    /// Let in again.
    Unban,
    /// Name admin.
    SetAdmin,
    /// Take back being admin.
    RemoveAdmin,
    /// Let speak where only the marked may.
    Mark,
    /// No longer.
    Unmark,
    /// Take back all that they have said, as far as the room still has it.
    Retract,
}

impl Order {
    /// What is wrong with it, if anything is.
    pub(super) fn flaw(&self) -> Option<String> {
        let seconds = self.seconds?;
        match self.act {
            Act::Mute | Act::Ban => out_of("the seconds", seconds, 1, MAX_SECONDS),
            _ => Some("only a mute or a ban has seconds: leave them out".to_owned()),
        }
    }
}

/// What is wrong with a number that is to lie in a range, if it does not.
pub(super) fn out_of(what: &str, value: u32, least: u32, most: u32) -> Option<String> {
    (!(least..=most).contains(&value))
        .then(|| format!("{what}: {value} is not in {least} to {most}"))
}
