//! What a session is due, looked at in place.

use super::batch::{Batch, Contents, Gaps, Item};
use super::cold_state::ColdState;
use super::plan::{BatchKey, LevelRange, Plan, is_own};
use crate::event::EndReason;
use crate::gap::{GapCause, Skips};
use crate::log::Log;
use crate::message::{Message, Payload};
use crate::priority::{PerLevel, Priority};
use alloc::boxed::Box;
use alloc::sync::Arc;
use smallvec::SmallVec;

/// What a session is due in a [sweep](crate::Audience::sweep).
#[derive(Debug)]
pub enum Delivery<'a, M> {
    /// Messages, direct ones, gaps.
    Batch(BatchRef<'a, M>),
    /// The session has ended and has taken all that it was due; it is gone with this.
    End(EndReason),
}

/// A batch that is looked at in place: nothing is copied, counted or allocated for it.
#[derive(Debug)]
pub struct BatchRef<'a, M> {
    log: &'a Log<M>,
    cold: Option<&'a ColdState<M>>,
    plan: &'a Plan,
    key: Option<&'a BatchKey>,
    messages: u32,
}

impl<'a, M: Payload> BatchRef<'a, M> {
    /// What was planned for a session with this aside.
    #[inline]
    pub(super) fn new(log: &'a Log<M>, cold: Option<&'a ColdState<M>>, plan: &'a Plan) -> Self {
        Self { log, cold, plan, key: plan.key.as_ref(), messages: plan.messages }
    }

    /// The same once more, for a session that is due the same.
    #[inline]
    pub(super) fn again(&self) -> Self {
        Self { ..*self }
    }

    /// The key under which what is encoded for one session serves all that read the same range;
    /// `None` when this batch is this session's alone.
    pub fn key(&self) -> Option<&'a BatchKey> {
        self.key
    }

    /// Gaps and messages in the order in which the session should see them, direct ones among them.
    pub fn items(&self) -> impl Iterator<Item = Item<'a, M>> + use<'a, M> {
        let (log, cold) = (self.log, self.cold);
        self.plan.levels.iter().flat_map(move |(level, plan)| {
            let gaps = GapCause::ALL.into_iter();
            let gaps = gaps.filter_map(move |cause| Item::gap(level, plan.gap, cause));
            gaps.chain(level_items(log, cold, level, plan))
        })
    }

    /// Whether one of its messages was there before the session came, and is handed over however
    /// old: what a resume or a late join asked for.
    pub fn is_history(&self, message: &Message<M>) -> bool {
        self.cold.is_some_and(|cold| message.position < cold.history(message.priority))
    }

    /// The same as a [`Batch`], to be kept.
    pub fn to_batch(&self) -> Batch<M> {
        let mut contents = Contents {
            messages: SmallVec::with_capacity(self.messages as usize),
            more: self.plan.more,
            ..Contents::default()
        };
        if self.plan.levels.values().any(|level| level.gap != Skips::NONE) {
            let skips = PerLevel(self.plan.levels.0.map(|level| level.gap));
            contents.gaps = Some(Box::new(Gaps { skips, starts: self.gap_starts() }));
        }
        if let Some(cold) = self.cold.filter(|cold| self.plan.has_history(cold)) {
            contents.history = Some(Box::new(PerLevel::from_fn(|level| cold.history(level))));
        }
        for (level, plan) in self.plan.levels.iter() {
            if self.cold.is_none() && plan.withdrawn == 0 {
                let messages = (plan.from..plan.to).filter_map(|at| self.log.get(level, at));
                contents.messages.extend(messages.map(Arc::clone));
                continue;
            }
            for item in level_items(self.log, self.cold, level, plan) {
                match item {
                    Item::Message(message) => contents.messages.push(Arc::clone(message)),
                    Item::Direct(direct) => {
                        contents.directs.push((contents.messages.len(), Arc::clone(direct)));
                    }
                    Item::Gap { .. } => {}
                }
            }
        }
        Batch::new(contents)
    }

    /// Where each level with a gap stands, as far back as what it has missed and not been told of.
    fn gap_starts(&self) -> PerLevel<u64> {
        PerLevel::from_fn(|level| {
            let LevelRange { from, gap, .. } = self.plan.levels[level];
            if gap == Skips::NONE {
                return from;
            }
            from - gap.total() - self.cold.map_or(0, |cold| cold.level(level).own_below(from))
        })
    }

    /// Messages of the room in it.
    pub fn messages(&self) -> u32 {
        self.messages
    }

    /// Direct messages in it.
    pub fn directs(&self) -> u32 {
        self.plan.directs
    }

    /// Whether the budget cut it short: the session is due more at once.
    pub fn more(&self) -> bool {
        self.plan.more
    }
}

/// What a session takes of one level, but for the gaps.
fn level_items<'a, M: Payload>(
    log: &'a Log<M>,
    cold: Option<&'a ColdState<M>>,
    level: Priority,
    plan: &'a LevelRange,
) -> impl Iterator<Item = Item<'a, M>> + use<'a, M> {
    let waiting = cold.filter(|_| plan.directs > 0).and_then(ColdState::inbox);
    let waiting = waiting.map(|inbox| inbox.at(level));
    let (mut position, mut directs, withdrawn) = (plan.from, 0, plan.withdrawn);
    core::iter::from_fn(move || {
        loop {
            if directs < plan.directs
                && let Some(held) = waiting.and_then(|waiting| waiting.get(directs as usize))
                && (held.follows <= position || position >= plan.to)
            {
                directs += 1;
                return Some(Item::Direct(&held.direct));
            }
            if position >= plan.to {
                return None;
            }
            let at = position;
            position += 1;
            if !is_own(cold, level, at)
                && (withdrawn == 0 || !log.is_withdrawn(level, at))
                && let Some(message) = log.get(level, at)
            {
                return Some(Item::Message(message));
            }
        }
    })
}
