//! How the sessions of a room are spread over its audiences: each slot is in one audience and has
//! one place there, and whoever joins goes where the fewest are.

use crate::violation::{Check, Law, Violation, same};
use roomcast_core::error::JoinError;
use roomcast_core::event::{Joined, StartPosition};
use roomcast_core::ids::Seq;
use roomcast_core::rules::NotJoined;
use roomcast_core::shard_index::ShardIndex;
use roomcast_core::{SessionId, Sharding};

/// How many audiences there may be, and who comes and goes.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Sequence {
    /// How many: a power of two, 1 to 1,024.
    pub shards: u8,
    /// How many sessions each open one has before another is opened: 0 to 7.
    pub open_at: u8,
    /// How many sessions each may have: 0 to 7.
    pub shares: Vec<u8>,
    /// Who comes, below 160, or goes from one of them.
    pub calls: Vec<u8>,
    /// Slots of the room.
    pub slots: Vec<u32>,
}

struct Room {
    loads: Vec<u32>,
    shares: Vec<u32>,
}

impl Room {
    /// Where somebody goes: of those that are open and have room, where the fewest are; or into the
    /// next, once each of them has enough.
    fn expected(&self, sharding: Sharding) -> Option<usize> {
        let has_room = |&index: &usize| self.loads[index] < self.shares[index];
        let open = (0..self.loads.len()).filter(has_room);
        let fewest = open.min_by_key(|&index| self.loads[index]);
        let next = self.loads.len();
        let may_open = next < sharding.shards() as usize;
        match fewest {
            Some(index) if self.loads[index] < sharding.open_at() || !may_open => Some(index),
            // One that is opened and may have nobody is passed over.
            _ => (next..self.shares.len()).find(|&index| self.shares[index] > 0).or(fewest),
        }
    }
}

fn come(room: &mut Room, sharding: Sharding) -> Check {
    let expected = room.expected(sharding);
    let answer = sharding.place(
        room,
        |room| room.loads.iter().copied().collect(),
        |room, index| {
            let index = index as usize;
            if index == room.loads.len() {
                room.loads.push(0);
            }
            let load = &mut room.loads[index];
            if *load >= room.shares[index] {
                return Err(NotJoined::ShareFull { max: room.shares[index] });
            }
            *load += 1;
            let session = SessionId::from_bits(index as u128);
            Ok(Joined { session, starts_after: Seq(0), start: StartPosition::Head })
        },
    );
    let found = match answer {
        Ok(joined) => Some(joined.session.to_bits() as usize),
        Err(JoinError::RoomFull { .. }) => None,
        Err(error) => return Err(Violation::new(Law::Members, "a join", expected, error)),
    };
    same(Law::Members, format_args!("where to, of {:?}", room.loads), expected, found)
}

/// Lets them come and go.
pub fn run(sequence: &Sequence) -> Check {
    let shards = 1 << (sequence.shards % 11);
    let open_at = u32::from(sequence.open_at % 8);
    let Some(sharding) = Sharding::new(shards, open_at) else {
        return Err(Violation::new(Law::Members, "a sharding", shards, "none"));
    };
    for &slot in &sequence.slots {
        let homes: Vec<_> = (0..shards)
            .filter_map(|index| Some((index, sharding.part(index).place(slot)?)))
            .collect();
        let (index, round) = (slot / 1_024 % shards, slot / 1_024 / shards);
        let place = round * 1_024 + slot % 1_024;
        same(Law::Members, format_args!("where slot {slot} is"), vec![(index, place)], homes)?;
        let at = sharding.part(shards - 1).at(slot);
        same(Law::Members, "which part says so", Some(at), ShardIndex::new(index, shards))?;
    }
    let share = |index: usize| sequence.shares.get(index % sequence.shares.len().max(1));
    let shares =
        (0..shards as usize).map(|index| share(index).map_or(3, |&most| (most % 8).into()));
    let mut room = Room { loads: vec![0], shares: shares.collect() };
    for (step, &call) in sequence.calls.iter().enumerate() {
        if call < 160 {
            come(&mut room, sharding).map_err(|violation| violation.at(step))?;
        } else {
            let index = usize::from(call) % room.loads.len();
            room.loads[index] = room.loads[index].saturating_sub(1);
        }
    }
    Ok(())
}
