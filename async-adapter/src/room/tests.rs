use super::*;
use crate::hub::Hub;
use crate::sync::Mutex as Locked;
use roomcast_core::{Broadcast, CorrelationId, DedupKey, Join, OutcomeSink, Source};
use std::sync::mpsc;
use std::time::Duration;

type Told = Arc<Locked<Vec<Event>>>;

/// A hub of two workers that nobody drives, and what its hook is told.
fn hub() -> (Hub<&'static str>, Told) {
    let told = Told::default();
    let hook = {
        let told = Arc::clone(&told);
        move |_, event: &Event| told.lock().push(*event)
    };
    (Hub::<&'static str>::builder().workers(2).on_event(hook).by_hand().0, told)
}

/// Time for a thread to come to where it waits for a lock.
const A_WHILE: Duration = Duration::from_millis(50);

#[test]
fn what_is_polled_while_another_shard_opens_is_told() {
    let (hub, told) = hub();
    let room =
        hub.create_room(RoomId(1), &RoomConfig::builder(UserId(1)).build().unwrap()).unwrap();
    let (shared, now) = (room.shared(), hub.now());
    std::thread::scope(|scope| {
        let first = shared.shard(0).lock();
        // Both wait for the first shard, and this one gets it first.
        scope.spawn(|| shared.open_shard(1));
        std::thread::sleep(A_WHILE);
        let all = scope.spawn(|| shared.in_all(|_, _| ()));
        std::thread::sleep(A_WHILE);
        // Something is to be told.
        shared.admission.lock().admission.add_session(now, UserId(7), SessionId::from_bits(1));
        drop(first);
        all.join().unwrap();
    });
    assert_eq!(shared.shards().count(), 2);
    assert!(
        matches!(told.lock()[..], [Event::Presence { user: UserId(7), .. }]),
        "{:?}",
        told.lock()
    );
}

#[test]
fn that_a_room_has_ended_waits_for_what_another_thread_is_about_to_tell() {
    let told = Told::default();
    let shared = Arc::new(OnceLock::<Arc<SharedRoom<&'static str>>>::new());
    let hook = {
        let (told, shared) = (Arc::clone(&told), Arc::clone(&shared));
        move |_, event: &Event| {
            told.lock().push(*event);
            if matches!(event, Event::Outcome { .. }) {
                // As another thread may while this one tells what it has polled: nobody is in any
                // more.
                shared.get().unwrap().visit(0);
            }
        }
    };
    let (hub, _drivers) = Hub::<&'static str>::builder().workers(1).on_event(hook).by_hand();
    let config = RoomConfig::builder(UserId(1)).rate(1).burst(1).build().unwrap();
    let room = hub.create_room(RoomId(1), &config).unwrap();
    shared.set(Arc::clone(room.shared())).unwrap();
    for waits in [false, true] {
        let publish =
            Publish::new(Source::Host, "hello").outcome_sink(OutcomeSink::Event(CorrelationId(1)));
        assert_eq!(room.try_publish(publish).unwrap().outcome.is_none(), waits);
    }
    room.close(Actor::Host).unwrap();
    assert!(
        matches!(told.lock()[..], [Event::Outcome { .. }, Event::RoomClosed, Event::RoomEnded]),
        "{:?}",
        told.lock()
    );
    assert!(room.shared().is_ended());
}

/// A payload that looks at its room when it is dropped.
struct Looks(Arc<OnceLock<crate::Room<Self>>>);

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
            room.stats();
        }
    }
}

/// Calls a room that has yet to hear a broadcast that is too large for it.
fn call_after_broadcast(call: impl FnOnce(&crate::Room<Looks>) + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        // Nobody drives it, so that nobody hears it before.
        let (hub, _) = Hub::<Looks>::builder().workers(1).by_hand();
        let config = RoomConfig::builder(UserId(1)).payload_bytes(100).build().unwrap();
        let room = hub.create_room(RoomId(1), &config).unwrap();
        let looks = Looks(Arc::default());
        let _ = looks.0.set(room.clone());
        assert!(hub.broadcast(Broadcast::new(DedupKey(1), looks)).is_ok());
        call(&room);
        done.send(()).unwrap();
    });
    is_done.recv_timeout(Duration::from_secs(20)).expect("nothing that is locked is waited for");
}

#[test]
fn what_is_heard_under_all_locks_and_dropped_may_call_the_room() {
    call_after_broadcast(|room| room.moderation(Actor::Host).kick(&[UserId(7)]).unwrap());
}

#[test]
fn what_is_heard_under_two_locks_and_dropped_may_call_the_room() {
    call_after_broadcast(|room| drop(room.join(Join::guest())));
}
