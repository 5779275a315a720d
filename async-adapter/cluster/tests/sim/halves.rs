//! Both halves of an edge's room, for the calls that need both.

use super::Text;
use roomcast_core::rules::Audiences;
use roomcast_core::shard_index::ShardIndex;
use roomcast_core::{Admission, Audience};

/// The only audience of an edge.
pub(crate) struct Only<'a>(pub(crate) &'a mut Audience<Text>);

impl Audiences<Text> for Only<'_> {
    fn part(&self) -> ShardIndex {
        ShardIndex::new(0, 1).expect("the only one")
    }

    fn at(&mut self, index: u32) -> Option<&mut Audience<Text>> {
        (index == 0).then_some(&mut *self.0)
    }

    fn held<'a>(&'a mut self) -> impl Iterator<Item = &'a mut Audience<Text>>
    where
        Text: 'a,
    {
        std::iter::once(&mut *self.0)
    }

    fn are_all_held(&self) -> bool {
        true
    }

    fn catch_up(&mut self, admission: &mut Admission<Text>) {
        self.0.take_over(admission.hand_over(self.0.applied()));
        admission.release_through(admission.dispatched());
    }
}
