//! What a session needs for a time is let go when it is even again, and its books stay right (D47).

use crate::scene::{ANN, OWNER, Scene, texts};
use roomcast_core::Priority::{High, Low, Normal};
use roomcast_core::audience::Delivery;
use roomcast_core::event::EndReason;
use roomcast_core::ledger::Deliveries;
use roomcast_core::level_set::LevelSet;
use roomcast_core::{
    Budget, Direct, Group, Handoff, Join, PerLevel, Priority, Recipient, RoomConfig, SessionId,
};

fn cold(scene: &Scene) -> u32 {
    scene.room.snapshot(scene.now).audience.cold_sessions
}

/// Due, delivered, skipped, pending, excluded.
fn books(scene: &Scene, session: SessionId, level: Priority) -> [u64; 5] {
    row(scene.room.deliveries(session).expect("the session is in")[level])
}

fn row(row: Deliveries) -> [u64; 5] {
    [row.due, row.delivered, row.skipped, row.pending, row.excluded]
}

fn say(scene: &mut Scene, level: Priority, count: usize) {
    for n in 0..count {
        let _ = scene.host(level, &format!("{n}")).unwrap();
    }
}

/// With a log of so many messages for each level.
fn short(messages: u32) -> Scene {
    Scene::with(|builder| builder.rate(1_000).burst(1_000).log_messages(PerLevel([messages; 4])))
}

/// Sweeps all; the gap, the number of messages and whether others may share it, of each that is
/// handed something.
fn sweep(scene: &mut Scene, answer: Handoff) -> Vec<(u64, u32, bool)> {
    let mut handed = Vec::new();
    let end = scene.room.slots();
    scene.room.sweep(scene.now, Group::DEFAULT, 0..end, Budget::default(), |_, due| {
        if let Delivery::Batch(batch) = due {
            handed.push((batch.to_batch().gap(Normal), batch.messages(), batch.key().is_some()));
        }
        answer
    });
    handed
}

#[test]
fn d47_a_gap_leaves_nothing_once_it_is_told() {
    let mut scene = short(2);
    let guests = [scene.guest(), scene.guest(), scene.guest()];
    say(&mut scene, Normal, 5);
    assert_eq!(cold(&scene), 0, "nothing is done for a session until it reads");
    let batch = scene.next(guests[0]).unwrap().expect("a gap and two messages");
    assert_eq!((batch.gap(Normal), batch.messages().len(), cold(&scene)), (3, 2, 0));
    assert_eq!(sweep(&mut scene, Handoff::NotNow), [(3, 2, false); 2]);
    assert_eq!(sweep(&mut scene, Handoff::Taken), [(3, 2, false); 2]);
    assert_eq!(cold(&scene), 0);
    say(&mut scene, Normal, 1);
    assert_eq!(sweep(&mut scene, Handoff::Taken), [(0, 1, true); 3]);
    for guest in guests {
        assert_eq!(books(&scene, guest, Normal), [6, 3, 3, 0, 0]);
    }
    assert!(scene.room.snapshot(scene.now).balances());
}

#[test]
fn d47_own_words_leave_nothing_once_they_are_passed() {
    let mut scene = short(100);
    let (ann, guest) = (scene.user(ANN), scene.guest());
    for swept in [false, true] {
        say(&mut scene, Normal, 1);
        let _ = scene.say(ann, "hers").unwrap();
        say(&mut scene, Normal, 1);
        assert_eq!(cold(&scene), 1);
        if swept {
            assert_eq!(sweep(&mut scene, Handoff::Taken), [(0, 2, false), (0, 3, true)]);
        } else {
            assert_eq!((scene.read(ann).len(), scene.read(guest).len()), (2, 3));
        }
        assert_eq!(cold(&scene), 0);
    }
    assert_eq!(books(&scene, ann, Normal), [6, 4, 0, 0, 2]);
    assert!(scene.room.snapshot(scene.now).balances());
}

/// She stands before them.
#[test]
fn d47_own_words_of_a_reader_who_is_up_need_nothing() {
    let mut scene = short(4);
    let ann = scene.user(ANN);
    for spoken in 1..=10 {
        let _ = scene.say(ann, "hers").unwrap();
        assert_eq!((cold(&scene), scene.room.is_ready(ann)), (0, false));
        assert_eq!(books(&scene, ann, Normal), [spoken, 0, 0, 0, spoken]);
    }
    // Not those of another level, behind which something waits for her at this one.
    say(&mut scene, High, 1);
    let _ = scene.say(ann, "hers").unwrap();
    assert_eq!((cold(&scene), scene.read(ann).len(), cold(&scene)), (0, 1, 0));
    assert!(scene.room.snapshot(scene.now).balances());
}

/// Two of the log, read with a budget of one: they are passed with what stands before.
#[test]
fn d47_own_words_are_passed_with_the_last_before_them() {
    let mut scene = short(100);
    let ann = scene.user(ANN);
    say(&mut scene, Normal, 2);
    let _ = scene.say(ann, "hers").unwrap();
    let _ = scene.say(ann, "hers, too").unwrap();
    let budget = Budget { messages: 1, ..Budget::default() };
    for (more, left) in [(true, 1), (false, 0)] {
        let batch = scene.room.next_batch(scene.now, ann, budget).unwrap().expect("a message");
        assert_eq!((batch.messages().len(), batch.more(), cold(&scene)), (1, more, left));
    }
    assert_eq!(books(&scene, ann, Normal), [4, 2, 0, 0, 2]);
}

/// What she says behind them comes no nearer.
#[test]
fn d47_own_words_take_nothing_from_an_untold_gap() {
    let mut scene = short(4);
    let ann = scene.user(ANN);
    say(&mut scene, Normal, 6);
    for mask in [LevelSet::EMPTY.with(Normal), LevelSet::EMPTY] {
        assert!(scene.room.set_masked_levels(scene.now, ann, mask));
    }
    let _ = scene.say(ann, "hers").unwrap();
    let token = scene.room.resume_token(scene.now, ann).expect("she is in");
    assert_eq!((token.positions[Normal], cold(&scene)), (4, 1), "two missed, behind which she is");
    let batch = scene.next(ann).unwrap().expect("a gap");
    assert_eq!((batch.gap(Normal), batch.messages().len(), cold(&scene)), (2, 0, 0));
    assert_eq!(books(&scene, ann, Normal), [7, 0, 2, 0, 5]);
}

/// Through a mask, a direct message, other bounds of the log and its end; and whoever takes its
/// slot begins with nothing.
#[test]
fn d47_the_books_outlive_what_a_session_needed() {
    let mut scene = short(4);
    let ann = scene.user(ANN);
    say(&mut scene, Low, 6);
    let _ = scene.send(ann, Low, "hers", 1);
    assert_eq!((scene.read(ann).len(), cold(&scene)), (3, 0));
    assert_eq!(books(&scene, ann, Low), [7, 3, 3, 0, 1]);
    // A mask.
    assert!(scene.room.set_masked_levels(scene.now, ann, LevelSet::EMPTY.with(Low)));
    say(&mut scene, Low, 2);
    assert_eq!((cold(&scene), books(&scene, ann, Low)), (1, [9, 3, 3, 0, 3]));
    assert!(scene.room.set_masked_levels(scene.now, ann, LevelSet::EMPTY));
    assert_eq!((cold(&scene), books(&scene, ann, Low)), (0, [9, 3, 3, 0, 3]));
    // A direct message.
    let direct = Direct::new("to you".to_owned()).priority(Low);
    let _ = scene.room.send_direct(scene.now, Recipient::Session(ann), direct).unwrap();
    say(&mut scene, Low, 1);
    let batch = scene.next(ann).unwrap().expect("both");
    assert_eq!((batch.directs().len(), texts(&batch).len(), cold(&scene)), (1, 1, 0));
    // A log that holds less.
    say(&mut scene, Low, 4);
    let _ = scene.send(ann, Low, "hers", 2);
    let bounds = RoomConfig::builder(OWNER).log_messages(PerLevel([2; 4]));
    scene.room.reconfigure(scene.now, &bounds.build().unwrap()).unwrap();
    assert_eq!((scene.read(ann).len(), cold(&scene)), (1, 0));
    assert_eq!(books(&scene, ann, Low), [15, 5, 6, 0, 4]);
    // An end, with one message left.
    say(&mut scene, Low, 1);
    scene.room.leave(scene.now, ANN).unwrap();
    assert_eq!((cold(&scene), books(&scene, ann, Low)), (1, [16, 5, 6, 1, 4]));
    assert_eq!(scene.read(ann).len(), 1);
    assert_eq!(books(&scene, ann, Low), [16, 6, 6, 0, 4]);
    let end = scene.next(ann).unwrap_err();
    assert_eq!(end, roomcast_core::error::SessionEnd::Closed(EndReason::Left));
    let sums = scene.room.snapshot(scene.now);
    assert_eq!((row(sums.audience.deliveries[Low]), cold(&scene)), ([16, 6, 6, 0, 4], 0));
    let next = scene.guest();
    assert_eq!((next.slot(), books(&scene, next, Low)), (ann.slot(), [0; 5]));
    assert!(sums.balances());
}

/// What a session goes on with is its own, or missed, in its own books.
#[test]
fn d47_a_resumed_session_counts_for_itself() {
    let mut scene = short(4);
    let ann = scene.user(ANN);
    say(&mut scene, Normal, 6);
    let _ = scene.say(ann, "hers").unwrap();
    assert_eq!((scene.read(ann).len(), cold(&scene)), (3, 0));
    say(&mut scene, Normal, 5);
    let _ = scene.say(ann, "hers").unwrap();
    let token = scene.room.resume_token(scene.now, ann).expect("she is in");
    assert!(scene.room.close_session(scene.now, ann));
    assert_eq!(cold(&scene), 0);
    let joined = scene.room.join(scene.now, Join::user(ANN).resume(token)).unwrap();
    assert_eq!((cold(&scene), books(&scene, joined.session, Normal)), (1, [6, 0, 0, 5, 1]));
    let batch = scene.next(joined.session).unwrap().expect("what came since");
    assert_eq!((batch.gap(Normal), batch.messages().len(), cold(&scene)), (2, 3, 0));
    assert_eq!(books(&scene, joined.session, Normal), [6, 3, 2, 0, 1]);
    assert!(scene.room.close_session(scene.now, joined.session));
    let sums = scene.room.snapshot(scene.now);
    // Of the first: thirteen, of which five were abandoned.
    assert_eq!(row(sums.audience.deliveries[Normal]), [19, 6, 5, 0, 3]);
    assert_eq!(sums.audience.deliveries[Normal].abandoned, 5);
    assert!(sums.balances());
}
