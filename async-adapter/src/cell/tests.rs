use super::*;
use crate::hub::Hub;
use parking_lot::Mutex as Locked;
use roomcast_core::{Broadcast, DuplicateKey, Join};
use std::sync::mpsc;
use std::time::Duration;

type Told = Arc<Locked<Vec<Event>>>;

/// A hub of two shards that nobody drives, and what its hook is told.
fn hub() -> (Hub<&'static str>, Told) {
    let told = Told::default();
    let hook = {
        let told = Arc::clone(&told);
        move |_, event: &Event| told.lock().push(*event)
    };
    (Hub::<&'static str>::builder().shards(2).on_event(hook).by_hand().0, told)
}

/// Time for a thread to come to where it waits for a lock.
const A_WHILE: Duration = Duration::from_millis(50);

#[test]
fn what_is_polled_while_another_hall_opens_is_told() {
    let (hub, told) = hub();
    let room = hub.create_room(RoomId(1), &RoomConfig::builder(UserId(1)).build().unwrap()).unwrap();
    let (cell, now) = (room.cell(), hub.now());
    std::thread::scope(|scope| {
        let first = cell.hall(0).lock();
        // Both wait for the first hall, and this one gets it first.
        scope.spawn(|| cell.open_hall(1));
        std::thread::sleep(A_WHILE);
        let all = scope.spawn(|| cell.snapshot());
        std::thread::sleep(A_WHILE);
        // Something is to be told.
        cell.admission.lock().admission.add_session(now, UserId(7), SessionId::from_bits(1));
        drop(first);
        all.join().unwrap();
    });
    assert_eq!(cell.halls().count(), 2);
    assert!(matches!(told.lock()[..], [Event::Presence { user: UserId(7), .. }]), "{:?}", told.lock());
}

/// A payload that looks at its room when it is dropped.
struct Looks(Arc<OnceLock<crate::RoomHandle<Self>>>);

impl Payload for Looks {
    fn size(&self) -> usize {
        1_000
    }
}

impl Clone for Looks {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Looks {
    fn drop(&mut self) {
        if let Some(room) = self.0.get() {
            room.snapshot();
        }
    }
}

/// Calls a room that has yet to hear a broadcast that is too large for it.
fn call_after_broadcast(call: impl FnOnce(&crate::RoomHandle<Looks>) + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        // Nobody drives it, so that nobody hears it before.
        let (hub, _) = Hub::<Looks>::builder().shards(1).by_hand();
        let config = RoomConfig::builder(UserId(1)).payload_bytes(100).build().unwrap();
        let room = hub.create_room(RoomId(1), &config).unwrap();
        let looks = Looks(Arc::default());
        let _ = looks.0.set(room.clone());
        assert!(hub.broadcast(Broadcast::new(DuplicateKey(1), looks)).is_ok());
        call(&room);
        done.send(()).unwrap();
    });
    is_done.recv_timeout(Duration::from_secs(20)).expect("nothing that is locked is waited for");
}

#[test]
fn what_is_heard_under_all_locks_and_dropped_may_call_the_room() {
    call_after_broadcast(|room| assert!(room.snapshot().room.balances()));
}

#[test]
fn what_is_heard_under_two_locks_and_dropped_may_call_the_room() {
    call_after_broadcast(|room| drop(room.join(Join::guest())));
}
