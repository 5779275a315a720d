//! Pinned messages (clause C4).

use crate::scene::{ANN, OWNER, Scene};
use roomcast_core::error::ModerationError;
use roomcast_core::pins::{PinId, PinReason};
use roomcast_core::rights::{Action, NotAllowed, Rule};
use roomcast_core::system_messages::{SystemMessage, SystemMessageKind, SystemMessages};
use roomcast_core::time::Duration;
use roomcast_core::{
    Actor, Batch, Budget, Direct, Instant, Item, Join, Payload, Priority, RoomConfig, RoomState,
    SessionId, UserId,
};

fn pin(scene: &mut Scene, id: u64, text: &str) {
    let direct = Direct::new(text.to_owned());
    scene.room.pin(scene.now, Actor::Host, PinId(id), direct).expect("the host may");
}

/// All that the next batch has, what is pinned with its number.
fn read(scene: &mut Scene, session: SessionId) -> Vec<(Option<u64>, String)> {
    let batch = scene.next(session).expect("the session is in");
    let items = batch.iter().flat_map(Batch::items);
    items
        .map(|item| match item {
            Item::Direct(direct) => (direct.pin.map(|pin| pin.0), direct.payload.clone()),
            Item::Message(message) => (None, message.payload.clone()),
            Item::Gap { .. } => panic!("a gap"),
        })
        .collect()
}

fn shown(expected: &[(Option<u64>, &str)]) -> Vec<(Option<u64>, String)> {
    expected.iter().map(|&(pin, text)| (pin, text.to_owned())).collect()
}

/// Before what went out first, at whatever level, and before what is sent to the session.
#[test]
fn c4_each_joiner_gets_them_first() {
    let mut scene = Scene::with(|builder| builder.replay_on_join(2));
    pin(&mut scene, 7, "no spoilers");
    pin(&mut scene, 9, "be kind");
    assert!(
        scene.host(Priority::High, "gift").is_ok() && scene.host(Priority::Low, "like").is_ok()
    );
    let all = [(Some(7), "no spoilers"), (Some(9), "be kind"), (None, "gift"), (None, "like")];
    let ann = scene.user(ANN);
    assert!(scene.room.is_ready(ann));
    assert_eq!(read(&mut scene, ann), shown(&all));
    assert_eq!(read(&mut scene, ann), []);
    // A guest, and whoever has masked the level.
    let join = Join::guest().mask([Priority::High].into_iter().collect());
    let guest = scene.room.join(scene.now, join).unwrap().session;
    let without_gift = [all[0], all[1], all[3]];
    assert_eq!(read(&mut scene, guest), shown(&without_gift));
    assert!(scene.room.snapshot(scene.now).balances());
}

#[test]
fn c4_resumers_too() {
    let mut scene = Scene::with(|builder| builder.resume_within(Duration::from_secs(60)));
    let ann = scene.user(ANN);
    let token = scene.room.resume_token(scene.now, ann).unwrap();
    scene.room.close_session(scene.now, ann);
    pin(&mut scene, 1, "no spoilers");
    let back = scene.room.join(scene.now, Join::user(ANN).resume(token)).unwrap().session;
    assert_eq!(read(&mut scene, back), shown(&[(Some(1), "no spoilers")]));
}

#[test]
fn c4_replaced_and_taken_away() {
    let mut scene = Scene::new();
    for (id, text) in [(1, "one"), (2, "two"), (3, "three")] {
        pin(&mut scene, id, text);
    }
    let refused = scene.room.pin(scene.now, Actor::Host, PinId(4), Direct::new("four".into()));
    let refused = refused.unwrap_err();
    assert_eq!((refused.reason, &*refused.payload), (PinReason::Full { max: 3 }, "four"));
    assert_eq!(
        refused.to_string(),
        "not pinned: too many pinned messages (limit 3); replace or unpin one"
    );
    // In its place.
    pin(&mut scene, 2, "zwei");
    assert_eq!(scene.room.unpin(scene.now, Actor::Host, PinId(1)), Ok(true));
    assert_eq!(scene.room.unpin(scene.now, Actor::Host, PinId(1)), Ok(false));
    pin(&mut scene, 1, "uno");
    assert_eq!(scene.room.pinned(), [PinId(2), PinId(3), PinId(1)]);
    let guest = scene.guest();
    let now = [(Some(2), "zwei"), (Some(3), "three"), (Some(1), "uno")];
    assert_eq!(read(&mut scene, guest), shown(&now));
    // Whoever has joined gets what was pinned then.
    let early = scene.guest();
    for id in 1..=3 {
        assert_eq!(scene.room.unpin(scene.now, Actor::Host, PinId(id)), Ok(true));
    }
    assert_eq!(read(&mut scene, early).len(), 3);
    let late = scene.guest();
    assert!(!scene.room.is_ready(late));
}

/// They have places of their own, whatever else waits for a session.
#[test]
fn c4_they_take_no_place_of_direct_messages() {
    let mut scene = Scene::with(|builder| builder.direct_messages(1));
    for id in 1..=3 {
        pin(&mut scene, id, "pinned");
    }
    let guest = scene.guest();
    assert_eq!(read(&mut scene, guest).len(), 3);
    let books = scene.room.snapshot(scene.now).audience.directs[Priority::High];
    assert_eq!((books.sent, books.delivered, books.refused), (3, 3, 0));
}

#[test]
fn c4_staff_and_host_pin() {
    let mut scene = Scene::with(|builder| builder.payload_bytes(8));
    let by = |scene: &mut Scene, actor, text: &str| {
        let direct = Direct::new(text.to_owned());
        scene.room.pin(scene.now, actor, PinId(1), direct).map_err(|refused| refused.reason)
    };
    let (action, rule) = (Action::Pin, Rule::AdminsOnly);
    let denied = NotAllowed { actor: Some(ANN), action, target: None, rule };
    let ann = Actor::User(ANN);
    assert_eq!(by(&mut scene, ann, "hi"), Err(PinReason::Moderation(denied.into())));
    assert_eq!(
        denied.to_string(),
        "user 7 may not pin messages in the room: only the host, the owner and the admins may"
    );
    scene.room.add_admin(scene.now, Actor::Host, ANN).unwrap();
    assert_eq!(by(&mut scene, ann, "hi"), Ok(()));
    assert_eq!(by(&mut scene, ann, "too long!"), Err(PinReason::TooLarge { size: 9, max: 8 }));
    assert_eq!(scene.room.snapshot(scene.now).admission.bytes.data, 2);
    scene.room.close(scene.now, Actor::Host).unwrap();
    let closed = ModerationError::RoomClosed;
    assert_eq!(by(&mut scene, Actor::Host, "hi"), Err(PinReason::Moderation(closed)));
    assert_eq!(scene.room.unpin(scene.now, Actor::Host, PinId(1)), Err(closed));
}

/// Those who are in are told what is pinned now.
#[test]
fn c4_a_tip_tells_of_a_change() {
    #[derive(Debug)]
    struct Words(String);
    impl Payload for Words {
        fn size(&self) -> usize {
            self.0.len()
        }
        fn system_message(tip: &SystemMessage<'_>) -> Option<Self> {
            let SystemMessage::Pinned { count, pinned } = tip else { return None };
            Some(Self(format!("{count}: {:?}", pinned.iter().map(|pin| pin.0).collect::<Vec<_>>())))
        }
    }
    let tips = SystemMessages::NONE.with(SystemMessageKind::Pinned, Some(Priority::Normal));
    let config = RoomConfig::builder(OWNER).system_messages(tips).build().unwrap();
    let mut room: RoomState<Words> = RoomState::new(&config);
    let now = Instant::from_secs(100);
    let ann = room.join(now, Join::user(UserId(7))).unwrap().session;
    let told = |room: &mut RoomState<Words>, now| {
        room.handle_timeout(now);
        let batch = room.next_batch(now, ann, Budget::default()).unwrap();
        let messages = batch.iter().flat_map(|batch| batch.messages().to_vec());
        messages.map(|message| message.payload.0.clone()).collect::<Vec<_>>()
    };
    let words = |text: &str| Direct::new(Words(text.to_owned()));
    room.pin(now, Actor::Host, PinId(5), words("a")).unwrap();
    assert_eq!(told(&mut room, now), ["1: [5]"]);
    room.pin(now, Actor::Host, PinId(5), words("b")).unwrap();
    room.pin(now, Actor::Host, PinId(2), words("c")).unwrap();
    room.unpin(now, Actor::Host, PinId(5)).unwrap();
    room.unpin(now, Actor::Host, PinId(5)).unwrap();
    assert_eq!(told(&mut room, now + Duration::from_secs(1)), ["3: [2]"]);
}
