//! What comes with a join.

use super::scene::OWNER;
use roomcast_core::error::JoinError;
use roomcast_core::system_messages::{SystemMessage, SystemMessageKind, SystemMessages};
use roomcast_core::{
    Batch, Budget, Instant, Join, Kind, Payload, RoomConfig, RoomState, SessionId, UserId,
};

const NOW: Instant = Instant::from_secs(1);
const ANN: UserId = UserId(7);

/// A payload that makes tips.
#[derive(Clone, Debug, PartialEq)]
struct Text(String);

impl Payload for Text {
    fn size(&self) -> usize {
        self.0.len()
    }

    fn system_message(tip: &SystemMessage<'_>) -> Option<Self> {
        Some(Self(format!("{tip:?}")))
    }
}

fn batch(room: &mut RoomState<Text>, now: Instant, session: SessionId) -> Batch<Text> {
    room.next_batch(now, session, Budget::default()).unwrap().expect("something is due")
}

/// The profile came with the join.
#[test]
fn a18_the_joined_tip_carries_the_profile() {
    let config = RoomConfig::builder(OWNER).system_messages(SystemMessages::ALL).build().unwrap();
    let mut room: RoomState<Text> = RoomState::new(&config);
    let guest = room.join(NOW, Join::guest()).unwrap().session;
    let _ann = room.join(NOW, Join::user(ANN).profile(Text("ann".into()))).unwrap();
    let due = room.poll_timeout().expect("a tip is due");
    room.handle_timeout(due);
    let batch = batch(&mut room, due, guest);
    let tip = &batch.messages()[0];
    assert_eq!((tip.kind, tip.profile.as_deref()), (Kind::System, Some(&Text("ann".into()))));
    assert!(
        tip.payload.0.contains(&format!("{:?}", SystemMessageKind::Joined)),
        "{:?}",
        tip.payload
    );
    assert_eq!(batch.messages().len(), 1, "and no tip of a changed profile");
}

#[test]
fn a18_a_profile_that_is_too_large_refuses_the_join() {
    let config = RoomConfig::builder(OWNER).profile_bytes(3).build().unwrap();
    let mut room: RoomState<Text> = RoomState::new(&config);
    let large = || Text("anna".into());
    let refused = room.join(NOW, Join::user(ANN).profile(large()));
    assert_eq!(refused, Err(JoinError::ProfileTooLarge { size: 4, max: 3 }));
    assert_eq!(refused.unwrap_err().to_string(), "profile too large: 4 bytes (limit 3)");
    assert_eq!(room.snapshot(NOW).audience.sessions, 0);
    room.join(NOW, Join::guest().profile(large())).expect("a guest's is not looked at");
}
