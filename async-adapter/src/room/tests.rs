use super::*;
use crate::hub::Hub;
use crate::sync::Mutex as Locked;
use roomcast_core::broadcasts::Broadcast;
use roomcast_core::config::Heartbeat;
use roomcast_core::ids::{CorrelationId, SessionKey};
use roomcast_core::message::{DedupKey, OutcomeSink};
use roomcast_core::{Join, Publish, Source};
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
    (Hub::<&'static str>::builder().workers(2).on_event(hook).undriven(), told)
}

/// Time for a thread to come to where it waits for a lock.
const A_WHILE: Duration = Duration::from_millis(50);

#[test]
fn what_is_polled_as_a_shard_opens_is_told() {
    let (hub, told) = hub();
    let room =
        hub.create_room(RoomId(1), &RoomConfig::builder(UserId(1)).build().unwrap()).unwrap();
    let (shared, now) = (room.shared(), hub.now());
    let session = SessionKey::from_bits(1).in_life(room.stats().room.admission.life);
    std::thread::scope(|scope| {
        let first = shared.shard(0).lock();
        // Both wait for the first shard, and this one gets it first.
        scope.spawn(|| shared.open_shard(1));
        std::thread::sleep(A_WHILE);
        let all = scope.spawn(|| shared.in_all(|_, _| ()));
        std::thread::sleep(A_WHILE);
        // Something is to be told.
        shared.body().admission.lock().admission.add_session(now, UserId(7), session);
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
fn a_room_has_no_halves_until_it_is_called() {
    let (hub, _drivers) = Hub::<&'static str>::builder().workers(2).by_hand();
    let config = RoomConfig::builder(UserId(1)).build().unwrap();
    let room = hub.create_room(RoomId(1), &config).unwrap();
    let shared = room.shared();
    // Whoever only looks calls nobody.
    let (fresh, now) = (room.stats(), hub.now());
    assert!(shared.peek(|admission| admission.knows(now, UserId(1))));
    assert!(shared.is_idle() && shared.shards().count() == 0);
    assert!(shared.body.get().is_none());
    shared.in_all(|_, _| ());
    assert_eq!((room.stats(), shared.shards().count()), (fresh, 1));
}

#[test]
fn a8_a_room_under_an_id_of_before_is_another() {
    let hub = Hub::<&'static str>::builder().workers(1).exclusive_membership();
    let (hub, _drivers) = hub.by_hand();
    let config = RoomConfig::builder(UserId(1)).build().unwrap();
    let make = |id| hub.create_room(RoomId(id), &config).unwrap();
    let other = make(2);
    let _before = make(1).join(Join::user(UserId(7))).unwrap();
    hub.remove_room(RoomId(1)).unwrap();
    let anew = make(1);
    let _after = other.join(Join::user(UserId(7))).unwrap();
    assert!(anew.shared().body.get().is_none());
}

/// Another thread is about to tell it.
#[test]
fn the_end_waits_for_what_is_about_to_be_told() {
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
        let (hub, _drivers) = Hub::<Looks>::builder().workers(1).by_hand();
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

/// What is heard there and dropped may call the room.
#[test]
fn what_is_heard_under_all_locks_may_call() {
    call_after_broadcast(|room| room.moderation(Actor::Host).kick(&[UserId(7)]).unwrap());
}

/// What is heard there and dropped may call the room.
#[test]
fn what_is_heard_under_two_locks_may_call() {
    call_after_broadcast(|room| drop(room.join(Join::guest())));
}

/// A room of a hub that nobody drives, where a user may have one session.
fn undriven() -> (Hub<&'static str>, crate::Room<&'static str>) {
    let hub = Hub::<&'static str>::builder().workers(2).undriven();
    let config = RoomConfig::builder(UserId(1)).sessions_per_user(1).build().unwrap();
    let room = hub.create_room(RoomId(1), &config).unwrap();
    (hub, room)
}

/// This holds for every call that counts.
#[test]
fn a6_who_drops_a_subscription_has_left() {
    let (_hub, room) = undriven();
    let ann = || Join::user(UserId(7));
    for _ in 0..200 {
        let subscription = room.join(ann()).expect("nobody is in");
        assert!(room.join(ann()).is_err(), "one session is the most");
        drop(subscription);
        assert_eq!((room.stats().sessions(), room.stats().users_online()), (0, 0));
    }
    // As any other session that has gone: nobody is there to be taken out, or to be sent something.
    drop(room.join(ann()).unwrap());
    assert!(room.leave(UserId(7)).is_err());
    assert!(room.stats().balances());
}

#[test]
fn a6_dropping_a_half_of_a_session_ends_the_other() {
    let (_hub, room) = undriven();
    let (say, mut hear) = room.join(Join::user(UserId(7))).unwrap().split();
    let _ = say.send("hello").unwrap();
    drop(say);
    assert_eq!(room.stats().sessions(), 0);
    assert!(hear.try_next_batch().is_err());
    let (say, hear) = room.join(Join::user(UserId(7))).unwrap().split();
    drop(hear);
    assert_eq!(room.stats().sessions(), 0);
    assert_eq!(say.send("hello").unwrap_err().payload, "hello");
}

#[test]
fn a7_a_publisher_waits_for_no_reader_to_show_life() {
    let (hub, _drivers) = Hub::<&'static str>::builder().workers(1).by_hand();
    let config = RoomConfig::builder(UserId(1)).heartbeat(Some(Heartbeat::AV_CHAT_ROOM));
    let room = hub.create_room(RoomId(1), &config.build().unwrap()).unwrap();
    let ann = room.join(Join::user(UserId(7))).unwrap();
    let shard = room.shared().shard(0);
    let readers = shard.lock();
    // This would wait for ever.
    let _ = room.try_publish(Publish::new(Source::Session(ann.session()), "hello")).unwrap();
    drop(readers);
    assert_eq!(shard.take_signs(), [ann.session()]);
}
