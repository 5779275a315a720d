//! Who deals with whom: A5, A9 to A11.

use crate::scene::{ANN, BOB, OWNER, Scene};
use roomcast_core::error::{
    CloseError, JoinError, LeaveError, ModerationError, ReconfigureError, SessionEnd,
};
use roomcast_core::event::EndReason;
use roomcast_core::ledger::{DropReason, RefusalReason};
use roomcast_core::rights::{Action, NotAllowed, Role, Rule};
use roomcast_core::time::Duration;
use roomcast_core::timed::Until;
use roomcast_core::{Actor, Instant, Join, Outcome, Priority, RoomConfig, UserId};

const CAT: UserId = UserId(9);

fn not_allowed(
    actor: UserId,
    action: Action,
    target: Option<UserId>,
    rule: Rule,
) -> ModerationError {
    NotAllowed { actor: Some(actor), action, target, rule }.into()
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// They stay admins through leave and rejoin.
#[test]
fn a5_the_owner_names_up_to_five_lasting_admins() {
    let mut scene = Scene::new();
    let (now, owner) = (scene.now, Actor::User(OWNER));
    scene.user(ANN);
    assert_eq!(scene.room.add_admin(now, owner, ANN), Ok(true));
    assert_eq!(scene.room.add_admin(now, owner, ANN), Ok(false));
    scene.room.leave(now, ANN).unwrap();
    assert_eq!(scene.room.role_of(ANN), Role::Admin);
    scene.user(ANN);
    let refused = not_allowed(ANN, Action::AddAdmin, Some(BOB), Rule::OwnerOnly);
    assert_eq!(scene.room.add_admin(now, Actor::User(ANN), BOB), Err(refused));
    for id in 20..24 {
        assert_eq!(scene.room.add_admin(now, owner, UserId(id)), Ok(true));
    }
    assert_eq!(
        scene.room.add_admin(now, owner, BOB),
        Err(ModerationError::TooManyAdmins { max: 5 })
    );
    assert_eq!(scene.room.remove_admin(now, owner, ANN), Ok(true));
    assert_eq!((scene.room.role_of(ANN), scene.room.role_of(OWNER)), (Role::Member, Role::Owner));
    assert_eq!(scene.room.add_admin(now, owner, BOB), Ok(true));
}

/// With all that an owner may, and may not.
#[test]
fn a4_the_owner_hands_the_room_over() {
    let mut scene = Scene::new();
    let (now, owner) = (scene.now, Actor::User(OWNER));
    scene.user(OWNER);
    scene.user(ANN);
    scene.room.add_admin(now, owner, ANN).unwrap();
    scene.room.ban(now, owner, &[CAT], Some(seconds(60))).unwrap();
    let refused = not_allowed(ANN, Action::SetOwner, Some(ANN), Rule::OwnerOnly);
    assert_eq!(scene.room.set_owner(now, Actor::User(ANN), ANN), Err(refused));
    let refused = not_allowed(OWNER, Action::SetOwner, Some(OWNER), Rule::NotToTheOwner);
    assert_eq!(scene.room.set_owner(now, owner, OWNER), Err(refused));
    let until = Until::At(now + seconds(60));
    let error = scene.room.set_owner(now, owner, CAT).unwrap_err();
    assert_eq!(error, ModerationError::Banned { user: CAT, until });
    assert!(error.to_string().starts_with("user 9 is banned until "), "{error}");
    assert_eq!(scene.room.owner(), Some(OWNER));

    assert_eq!(scene.room.set_owner(now, owner, ANN), Ok(()));
    assert_eq!((scene.room.role_of(ANN), scene.room.role_of(OWNER)), (Role::Owner, Role::Member));
    // She is no admin any more, so five others may be.
    for id in 20..25 {
        assert_eq!(scene.room.add_admin(now, Actor::User(ANN), UserId(id)), Ok(true));
    }
    let refused = not_allowed(OWNER, Action::Close, None, Rule::OwnerOnly);
    assert_eq!(
        scene.room.close(now, owner),
        Err(CloseError::NotAllowed(match refused {
            ModerationError::NotAllowed(error) => error,
            other => panic!("{other}"),
        }))
    );
    assert_eq!(scene.room.leave(now, ANN), Err(LeaveError::OwnerCannotLeave { owner: ANN }));
    assert_eq!(scene.room.leave(now, OWNER), Ok(()));
    // What the room is reconfigured to names the owner that there is.
    let config = RoomConfig::av_chat_room(ANN).to_builder().rate(9).burst(9).build().unwrap();
    assert_eq!(scene.room.reconfigure(now, &config), Ok(()));
    let fixed = Err(ReconfigureError::Fixed { setting: "owner" });
    assert_eq!(scene.room.reconfigure(now, &config.clone().with_owner(Some(OWNER))), fixed);
    // The host may as well, and nobody but the owner closes it.
    assert_eq!(scene.room.set_owner(now, Actor::Host, BOB), Ok(()));
    assert_eq!(scene.room.close(now, Actor::User(BOB)), Ok(()));
    let closed = scene.room.set_owner(now, Actor::Host, CAT);
    assert_eq!(closed, Err(ModerationError::RoomClosed));
}

/// What waits of theirs is dropped.
#[test]
fn a9_a_kick_takes_all_devices_out_with_the_reason() {
    let mut scene = Scene::busy(|builder| builder);
    let (now, first, second) = (scene.now, scene.user(ANN), scene.user(ANN));
    let bob = scene.user(BOB);
    assert_eq!(scene.send(first, Priority::Normal, "spam", 1), None);
    assert_eq!(scene.send(bob, Priority::Normal, "hello", 2), None);
    scene.room.add_admin(now, Actor::Host, CAT).unwrap();
    let refused = not_allowed(BOB, Action::Kick, Some(ANN), Rule::AdminsOnly);
    assert_eq!(scene.room.kick(now, Actor::User(BOB), &[ANN]), Err(refused));
    assert_eq!(scene.room.kick(now, Actor::User(CAT), &[ANN]), Ok(()));
    assert!(matches!(
        scene.outcomes()[..],
        [(1, Outcome::Dropped { reason: DropReason::SenderOut, .. })]
    ));
    for session in [first, second] {
        assert_eq!(scene.next(session).unwrap_err(), SessionEnd::Closed(EndReason::Kicked));
    }
    assert_eq!(scene.say(first, "again").unwrap_err().reason, RefusalReason::NotMember);
    // It is no ban.
    scene.user(ANN);
    scene.wait_millis(1_000);
    assert_eq!(scene.read(bob), Vec::<String>::new());
    assert!(scene.room.snapshot(scene.now).balances());
}

/// The flood is one of likes, and the kick message reaches its target.
#[test]
fn a9_a_kick_gets_through_the_hottest_flood() {
    let mut scene = Scene::with(|builder| builder.queue_messages(100));
    let target = scene.user(ANN);
    for n in 0..50_000_u64 {
        let _ = scene.host(Priority::Lowest, "like");
        if n == 25_000 {
            let receipt = scene.host(Priority::High, "you are out").expect("High is let in");
            if receipt.outcome.is_none() {
                scene.wait_millis(25);
            }
        }
    }
    let mut seen = Vec::new();
    loop {
        let texts = scene.read(target);
        if texts.is_empty() {
            break;
        }
        seen.extend(texts);
    }
    assert_eq!(seen.iter().filter(|text| *text == "you are out").count(), 1);
    assert_eq!(seen[0], "you are out", "High comes first");
}

/// It ends after its time.
#[test]
fn a10_a_ban_keeps_users_out_and_ends_by_itself() {
    let mut scene = Scene::new();
    let (now, ann) = (scene.now, scene.user(ANN));
    assert_eq!(scene.room.ban(now, Actor::User(OWNER), &[ANN, BOB], Some(seconds(60))), Ok(()));
    assert_eq!(scene.next(ann).unwrap_err(), SessionEnd::Closed(EndReason::Banned));
    let until = scene.room.banned_until(now, ANN).unwrap();
    for user in [ANN, BOB] {
        assert_eq!(scene.room.join(now, Join::user(user)), Err(JoinError::Banned { user, until }));
    }
    assert_eq!(
        JoinError::Banned { user: ANN, until }.to_string(),
        "user 7 is banned until 160.000000000s"
    );
    assert_eq!(scene.room.unban(now, Actor::User(OWNER), &[BOB]), Ok(()));
    scene.user(BOB);
    scene.wait_millis(59_999);
    assert!(scene.room.join(scene.now, Join::user(ANN)).is_err());
    scene.wait_millis(1);
    scene.user(ANN);
    assert_eq!(scene.room.ban(scene.now, Actor::Host, &[ANN], None), Ok(()));
    let later = scene.now + Duration::from_secs(1_000_000_000);
    assert!(scene.room.join(later, Join::user(ANN)).is_err(), "for good");
}

/// A batch with one who may not be banned changes nothing.
#[test]
fn a10_nobody_bans_the_owner_and_batches_are_whole() {
    let mut scene = Scene::new();
    let now = scene.now;
    scene.room.add_admin(now, Actor::Host, CAT).unwrap();
    scene.room.add_admin(now, Actor::Host, BOB).unwrap();
    let error = ModerationError::from(NotAllowed {
        actor: None,
        action: Action::Ban,
        target: Some(OWNER),
        rule: Rule::NotToTheOwner,
    });
    assert_eq!(scene.room.ban(now, Actor::Host, &[ANN, OWNER], None), Err(error));
    assert_eq!(error.to_string(), "the host may not ban user 1: nobody may do that to the owner");
    let among = not_allowed(CAT, Action::Ban, Some(BOB), Rule::NotToAnAdmin);
    assert_eq!(scene.room.ban(now, Actor::User(CAT), &[ANN, BOB], None), Err(among));
    assert_eq!(scene.room.banned_until(now, ANN), None);
}

#[test]
fn a10_a_full_table_refuses_unless_some_have_lapsed() {
    let mut scene = Scene::with(|builder| builder.bans(3));
    let now = scene.now;
    let users = [ANN, BOB, CAT];
    assert_eq!(scene.room.ban(now, Actor::Host, &users, Some(seconds(10))), Ok(()));
    assert_eq!(
        scene.room.ban(now, Actor::Host, &[UserId(50)], None),
        Err(ModerationError::BansFull { max: 3 })
    );
    assert_eq!(
        scene.room.ban(now, Actor::Host, &users, Some(seconds(20))),
        Ok(()),
        "anew, not one more"
    );
    scene.wait_millis(20_000);
    assert_eq!(scene.room.ban(scene.now, Actor::Host, &[UserId(50)], None), Ok(()));
    assert_eq!(scene.room.snapshot(scene.now).admission.moderation.bans, 1);
    let many: Vec<UserId> = (0..300).map(UserId).collect();
    let refused = scene.room.ban(scene.now, Actor::Host, &many, None);
    assert_eq!(refused.unwrap_err().to_string(), "too many users in one call: 300 (limit 256)");
}

/// It says until when it holds.
#[test]
fn a11_a_mute_survives_rejoin_and_ends_by_itself() {
    let mut scene = Scene::new();
    let (now, ann) = (scene.now, scene.user(ANN));
    assert_eq!(scene.room.mute(now, Actor::User(OWNER), &[ANN, BOB], Some(seconds(30))), Ok(()));
    let refused = scene.say(ann, "hello").unwrap_err();
    assert_eq!(
        (refused.reason, refused.retry_at),
        (RefusalReason::Muted, Some(Instant::from_secs(130)))
    );
    assert_eq!(
        (refused.to_string(), refused.payload.as_str()),
        ("refused: the sender is muted; retry at 130.000000000s".into(), "hello")
    );
    scene.room.leave(now, ANN).unwrap();
    let ann = scene.user(ANN);
    assert_eq!(scene.say(ann, "hello").unwrap_err().reason, RefusalReason::Muted);
    // She receives all the same.
    let _ = scene.host(Priority::Normal, "news").unwrap();
    assert_eq!(scene.read(ann), ["news"]);
    scene.wait_millis(30_000);
    assert!(scene.say(ann, "hello").is_ok());
    let bob = scene.user(BOB);
    assert!(scene.say(bob, "hello").is_ok());
    scene.room.mute(scene.now, Actor::Host, &[BOB], None).unwrap();
    assert_eq!(scene.say(bob, "hello").unwrap_err().retry_at, None, "for good");
    scene.room.unmute(scene.now, Actor::Host, &[BOB]).unwrap();
    assert!(scene.say(bob, "hello").is_ok());
}

/// The staff are the owner and the admins.
#[test]
fn a11_in_a_muted_room_staff_and_host_speak() {
    let mut scene = Scene::new();
    let (now, ann, bob, owner) = (scene.now, scene.user(ANN), scene.user(BOB), scene.user(OWNER));
    scene.room.add_admin(now, Actor::User(OWNER), BOB).unwrap();
    let refused = not_allowed(ANN, Action::MuteRoom, None, Rule::AdminsOnly);
    assert_eq!(scene.room.mute_room(now, Actor::User(ANN)), Err(refused));
    assert_eq!(
        refused.to_string(),
        "user 7 may not mute the room: only the host, the owner and the admins may"
    );
    scene.room.mute_room(now, Actor::User(BOB)).unwrap();
    assert_eq!(scene.say(ann, "hello").unwrap_err().reason, RefusalReason::RoomMuted);
    assert!(scene.say(bob, "quiet please").is_ok() && scene.say(owner, "thanks").is_ok());
    assert!(scene.host(Priority::Normal, "news").is_ok());
    scene.room.unmute_room(now, Actor::Host).unwrap();
    assert!(scene.say(ann, "hello").is_ok());
}

/// While the ban lasts; then they are back.
#[test]
fn a10_a_banned_admin_has_no_powers() {
    let mut scene = Scene::new();
    let cat = Actor::User(CAT);
    scene.room.add_admin(scene.now, Actor::Host, CAT).unwrap();
    scene.user(ANN);
    let ban = |scene: &mut Scene| scene.room.ban(scene.now, cat, &[ANN], Some(seconds(1)));
    scene.room.ban(scene.now, Actor::User(OWNER), &[CAT], Some(seconds(60))).unwrap();
    let refused = |action, target| Err(not_allowed(CAT, action, target, Rule::AdminsOnly));
    let now = scene.now;
    assert_eq!(scene.room.kick(now, cat, &[ANN]), refused(Action::Kick, Some(ANN)));
    assert_eq!(ban(&mut scene), refused(Action::Ban, Some(ANN)));
    assert_eq!(scene.room.unban(now, cat, &[CAT]), refused(Action::Unban, Some(CAT)));
    assert_eq!(scene.room.mute(now, cat, &[ANN], None), refused(Action::Mute, Some(ANN)));
    assert_eq!(scene.room.unmute(now, cat, &[ANN]), refused(Action::Unmute, Some(ANN)));
    assert_eq!(scene.room.mute_room(now, cat), refused(Action::MuteRoom, None));
    assert_eq!(scene.room.role_of(CAT), Role::Admin, "the name stays");
    scene.wait_millis(60_000);
    assert_eq!(ban(&mut scene), Ok(()));
}

/// A ban, or a mute, of a second does not end one for good; only lifting it does.
#[test]
fn a10_a_shorter_ban_or_mute_shortens_none() {
    let mut scene = Scene::new();
    let now = scene.now;
    scene.room.add_admin(now, Actor::Host, CAT).unwrap();
    let until = |secs| Some(Until::At(now + seconds(secs)));
    for (first, second, holds) in [
        (None, Some(1), Some(Until::Forever)),
        (Some(60), Some(1), until(60)),
        (Some(1), Some(60), until(60)),
        (Some(1), None, Some(Until::Forever)),
    ] {
        for (actor, time) in [(Actor::Host, first), (Actor::User(CAT), second)] {
            scene.room.ban(now, actor, &[ANN], time.map(seconds)).unwrap();
            scene.room.mute(now, actor, &[ANN], time.map(seconds)).unwrap();
        }
        assert_eq!(scene.room.banned_until(now, ANN), holds, "{first:?}, then {second:?}");
        assert_eq!(scene.room.muted_until(now, ANN), holds, "{first:?}, then {second:?}");
        scene.room.unban(now, Actor::User(CAT), &[ANN]).unwrap();
        scene.room.unmute(now, Actor::User(CAT), &[ANN]).unwrap();
        assert_eq!(scene.room.banned_until(now, ANN), None);
    }
    // One that has lapsed is none.
    scene.room.ban(now, Actor::Host, &[ANN], Some(seconds(5))).unwrap();
    scene.wait_millis(5_000);
    scene.room.ban(scene.now, Actor::Host, &[ANN], Some(seconds(1))).unwrap();
    assert_eq!(scene.room.banned_until(scene.now, ANN), until(6));
}

/// Nobody else may, and nobody bans the owner.
#[test]
fn a9_the_host_may_kick_and_mute_the_owner() {
    let mut scene = Scene::new();
    let (now, owner) = (scene.now, scene.user(OWNER));
    scene.room.add_admin(now, Actor::Host, CAT).unwrap();
    for actor in [Actor::User(CAT), Actor::User(OWNER)] {
        assert!(scene.room.kick(now, actor, &[OWNER]).is_err());
        assert!(scene.room.mute(now, actor, &[OWNER], None).is_err());
    }
    assert_eq!(scene.room.mute(now, Actor::Host, &[OWNER], Some(seconds(9))), Ok(()));
    let refused = scene.say(owner, "hush").unwrap_err();
    assert_eq!((refused.reason, refused.retry_at), (RefusalReason::Muted, Some(now + seconds(9))));
    // It lasts over a restart.
    let carried = scene.room.export(now);
    let mut other = Scene::new();
    other.room.import(now, carried).unwrap();
    assert!(other.room.muted_until(now, OWNER).is_some());
    assert!(scene.room.unmute(now, Actor::User(OWNER), &[OWNER]).is_err());
    assert_eq!(scene.room.unmute(now, Actor::Host, &[OWNER]), Ok(()));
    assert!(scene.say(owner, "hello").is_ok());
    assert_eq!(scene.room.kick(now, Actor::Host, &[OWNER]), Ok(()));
    assert_eq!(scene.next(owner).unwrap_err(), SessionEnd::Closed(EndReason::Kicked));
    assert!(scene.room.ban(now, Actor::Host, &[OWNER], None).is_err());
}
