//! Payloads whose size changes, or that panic when they are asked for it: that concerns who offers
//! them, and nobody else.

use roomcast_core::broadcasts::{Broadcast, BroadcastLimits, Broadcasts};
use roomcast_core::config::{ReviewConfig, ReviewTimeout};
use roomcast_core::message::DedupKey;
use roomcast_core::quota::Quota;
use roomcast_core::{
    Actor, Admission, Budget, Direct, Group, Handoff, Instant, Join, Payload, PerLevel, Priority,
    Publish, Recipient, RoomConfig, RoomState, SessionId, Source, UserId,
};
use std::cell::Cell;
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    Is(usize),
    Panics,
}

/// Asked for its size, it says what stands here by then.
#[derive(Clone, Debug)]
struct Fickle(Rc<Cell<Size>>);

impl Payload for Fickle {
    fn size(&self) -> usize {
        match self.0.get() {
            Size::Is(size) => size,
            Size::Panics => panic!("as wanted"),
        }
    }
}

const NOW: Instant = Instant::from_secs(1);

fn room(review: bool) -> (RoomState<Fickle>, Rc<Cell<Size>>) {
    let builder = RoomConfig::builder(UserId(1)).rate(1).burst(4).log_messages(PerLevel([3; 4]));
    let mut reviewed = ReviewConfig::HIGH_AND_NORMAL;
    reviewed.on_timeout = ReviewTimeout::Open;
    let builder = if review { builder.review(reviewed) } else { builder };
    (RoomState::new(&builder.build().unwrap()), Rc::new(Cell::new(Size::Is(5))))
}

fn all_books_hold(room: &RoomState<Fickle>, now: Instant) {
    let books = room.snapshot(now);
    assert!(books.balances());
    assert!(books.audience.log_bytes.values().all(|&bytes| bytes <= 3 * 10));
}

/// Everything that a room does with what it has taken.
fn go_on(room: &mut RoomState<Fickle>, sessions: &[SessionId]) {
    for seconds in 2..10 {
        let now = Instant::from_secs(seconds);
        room.handle_timeout(now);
        drop(room.next_batch(now, sessions[0], Budget::default()).unwrap());
        room.sweep(now, Group::DEFAULT, 0..8, Budget { messages: 1, bytes: 3 }, |_, _| {
            Handoff::Taken
        });
        while room.poll_event().is_some() {}
        all_books_hold(room, now);
    }
}

#[test]
fn d45_what_was_taken_is_not_asked_again() {
    for then in [Size::Panics, Size::Is(0), Size::Is(usize::MAX)] {
        for review in [false, true] {
            let (mut room, size) = room(review);
            let fickle = || Fickle(Rc::clone(&size));
            let ann = Join::user(UserId(2)).profile(fickle());
            let ann = room.join(NOW, ann).unwrap().session;
            let guests = [(); 2].map(|()| room.join(NOW, Join::guest()).unwrap().session);
            // More than goes out, and more than the log holds.
            for priority in [Priority::High, Priority::Normal, Priority::Low] {
                for source in [Source::Session(ann), Source::Host].repeat(3) {
                    let publish = Publish::new(source, fickle()).priority(priority);
                    let _ = room.publish(NOW, publish).unwrap();
                }
            }
            let direct = Direct::new(fickle());
            let _ = room.send_direct(NOW, Recipient::Session(guests[0]), direct).unwrap();
            size.set(then);
            go_on(&mut room, &guests);
            room.close(Instant::from_secs(20), Actor::Host).unwrap();
            all_books_hold(&room, Instant::from_secs(20));
        }
    }
}

/// Whoever offers it panics, and the room is as it was.
#[test]
fn d45_who_offers_what_panics_leaves_nothing() {
    let (mut room, size) = room(false);
    let ann = room.join(NOW, Join::user(UserId(2))).unwrap().session;
    let fickle = || Fickle(Rc::clone(&size));
    let before = room.snapshot(NOW);
    size.set(Size::Panics);
    for source in [Source::Session(ann), Source::Host] {
        let publish = Publish::new(source, fickle());
        assert!(catch_unwind(AssertUnwindSafe(|| room.publish(NOW, publish))).is_err());
    }
    let direct = Direct::new(fickle());
    let to = Recipient::Session(ann);
    assert!(catch_unwind(AssertUnwindSafe(|| room.send_direct(NOW, to, direct))).is_err());
    let join = Join::user(UserId(3)).profile(fickle());
    assert!(catch_unwind(AssertUnwindSafe(|| room.join(NOW, join))).is_err());
    let profile = Some(fickle());
    assert!(catch_unwind(AssertUnwindSafe(|| room.set_profile(UserId(2), profile))).is_err());
    assert_eq!(room.snapshot(NOW), before);
    size.set(Size::Is(5));
    let _ = room.publish(NOW, Publish::new(Source::Session(ann), fickle())).unwrap();
    go_on(&mut room, &[ann]);
}

/// A broadcast whose copy panics, or panics when asked for its size, costs each room itself: the
/// next call goes on behind it.
#[test]
fn d45_a_broadcast_that_panics_is_missed() {
    #[derive(Debug)]
    struct Copied(bool, Rc<Cell<Size>>);

    impl Clone for Copied {
        fn clone(&self) -> Self {
            assert!(!self.0, "as wanted");
            Self(self.0, Rc::clone(&self.1))
        }
    }

    impl Payload for Copied {
        fn size(&self) -> usize {
            Fickle(Rc::clone(&self.1)).size()
        }
    }

    let mut limits = BroadcastLimits::default();
    limits.quota = Quota::per_second(NonZeroU32::MAX);
    let mut broadcasts = Broadcasts::new(limits, 1);
    let sizes = [(); 3].map(|()| Rc::new(Cell::new(Size::Is(5))));
    for (key, (panics, size)) in [false, true, false].into_iter().zip(&sizes).enumerate() {
        let copied = Copied(panics, Rc::clone(size));
        broadcasts.publish(NOW, Broadcast::new(DedupKey(key as u64), copied)).unwrap();
    }
    sizes[2].set(Size::Panics);
    let config = RoomConfig::builder(UserId(1)).build().unwrap();
    let mut admission = Admission::<Copied>::new(&config);
    let mut import = || {
        let call = AssertUnwindSafe(|| admission.import_broadcasts(NOW, &broadcasts));
        let panicked = catch_unwind(call).is_err();
        let books = admission.snapshot(NOW);
        (panicked, books.ledger.total().dispatched, books.broadcasts_missed)
    };
    // The first goes out, the second is missed, and so is the third.
    assert_eq!([import(), import(), import()], [(true, 1, 1), (true, 1, 2), (false, 1, 2)]);
}
