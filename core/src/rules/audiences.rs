//! The audiences that a call holds, one or several, whichever locks they stand behind.

use crate::admission::Admission;
use crate::audience::Audience;
use crate::ids::SessionId;
use crate::shard_index::ShardIndex;

/// The audiences of a room that a call holds: all of them, or those that it needs.
pub trait Audiences<M> {
    /// Returns the part that is number 0 of as many as the room may have.
    fn part(&self) -> ShardIndex;

    /// Returns the audience with this number, if it is held.
    fn at(&mut self, index: u32) -> Option<&mut Audience<M>>;

    /// Returns every audience that is held, in the order of their numbers.
    fn held<'a>(&'a mut self) -> impl Iterator<Item = &'a mut Audience<M>>
    where
        M: 'a;

    /// Returns whether every open audience of the room is held: what is looked for among all is
    /// looked for only then.
    fn are_all_held(&self) -> bool;

    /// Hands over to every audience that is held what it has yet to apply.
    fn catch_up(&mut self, admission: &mut Admission<M>);

    /// Returns the audience that a session would be in, if that is held.
    fn of(&mut self, session: SessionId) -> Option<&mut Audience<M>> {
        self.at(self.part().at(session.slot()).index())
    }
}
