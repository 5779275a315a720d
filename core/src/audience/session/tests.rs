use super::*;
use crate::index::Rng;
use alloc::vec::Vec;

#[test]
fn a_slot_is_used_again_under_another_name() {
    let group = Group::default();
    let mut sessions = Sessions::new(ShardIndex::WHOLE, u32::MAX);
    let first = sessions.insert(SessionKind::User, group, [0; 4]);
    sessions.insert(SessionKind::Guest, group, [0; 4]);
    sessions.remove(first.slot());
    assert_eq!(sessions.slot_of(first), None);
    let second = sessions.insert(SessionKind::Guest, group, [9; 4]);
    assert_eq!((second.slot(), sessions.len(), sessions.slots()), (first.slot(), 2, 2));
    assert!(second != first && second.is_guest());
    assert_eq!(sessions.slot_of(second), Some(second.slot()));
}

#[test]
fn a_sweep_does_what_single_looks_would_do() {
    let (group, other) = (Group::default(), Group::new(1).unwrap());
    let [here, there, heads, elsewhere] = [[1; 4], [2; 4], [3; 4], [1, 1, 1, 2]];
    let mut rng = Rng::new(5);
    for round in 0..3_000 {
        let part = ShardIndex::new(rng.below(2), 2).unwrap();
        let mut sessions = Sessions::new(part, u32::MAX);
        // Mostly alike: the rarest of the others are in every thirtieth room only.
        let rare = [40, 400, 4_000][round % 3];
        for slot in 0..rng.below(200) {
            let at = if rng.below(rare) == 0 {
                elsewhere
            } else {
                [here, heads][usize::from(rng.below(rare / 4) == 0)]
            };
            sessions.insert(
                SessionKind::User,
                if rng.below(rare) == 0 { other } else { group },
                at,
            );
            match rng.below(rare) {
                0 => sessions.mark_aside(slot),
                1 => _ = sessions.remove(slot),
                _ => {}
            }
            // Whoever comes now takes a new slot.
            sessions.free = NIL;
        }
        let end = rng.below(sessions.slots() + 1);
        let start = rng.below(end + 1);
        let seed = rng.below(u32::MAX);
        let taken = |session: SessionKey| session.slot().wrapping_mul(seed | 1) >> 28 > 0;
        // One by one.
        let mut expected = (Vec::new(), end, Vec::new(), None);
        for slot in start..end {
            let (flags, at) =
                (sessions.at(slot).0.flags[(slot % BLOCK) as usize], *sessions.cursors(slot));
            let is_in = sessions.is_in(slot, group);
            if expected.3.is_none() && is_in && (flags.is_cold() || at != heads) {
                expected.3 = Some(slot);
            }
            if is_in && (flags.is_cold() || (at != here && at != heads)) {
                expected.1 = slot;
                break;
            }
            if let Some(session) = sessions.holder(slot).filter(|_| is_in && at == here) {
                expected.0.push(session);
                expected.2.extend(taken(session).then_some(slot));
            }
        }
        assert_eq!(
            sessions.first_behind(start..end, group, heads),
            expected.3.or_else(|| (expected.1 < end).then_some(expected.1))
        );
        let before: Vec<Positions> =
            (0..sessions.slots()).map(|slot| *sessions.cursors(slot)).collect();
        let mut handed = Vec::new();
        let swept = sessions.sweep(start..end, group, [here, there, heads], |session| {
            handed.push(session);
            if taken(session) { Handoff::Taken } else { Handoff::NotNow }
        });
        assert_eq!((&handed, swept.stopped), (&expected.0, expected.1));
        assert_eq!(
            (swept.handed as usize, swept.taken as usize),
            (expected.0.len(), expected.2.len())
        );
        for (slot, before) in (0..).zip(before) {
            assert_eq!(
                *sessions.cursors(slot),
                if expected.2.contains(&slot) { there } else { before }
            );
        }
    }
}
