//! What one session asks for by itself: masks (B10); where it starts (A24, B18).

use crate::scene::{ANN, BOB, Scene, texts};
use Priority::{High, Low, Lowest, Normal};
use roomcast_core::config::RoomConfigBuilder;
use roomcast_core::error::{JoinError, SessionEnd};
use roomcast_core::event::{EndReason, StartPosition};
use roomcast_core::ledger::Deliveries;
use roomcast_core::level_set::LevelSet;
use roomcast_core::resume::ResumeToken;
use roomcast_core::time::Duration;
use roomcast_core::{Budget, Instant, Join, Joined, PerLevel, Priority, SessionId};

const LIKES: LevelSet = LevelSet::EMPTY.with(Low).with(Lowest);

fn books(scene: &Scene, session: SessionId, level: Priority) -> Deliveries {
    scene.room.deliveries(session).expect("the session is in")[level]
}

/// Whoever sent it.
#[test]
fn b10_what_goes_out_at_a_masked_level_is_excluded() {
    let mut scene = Scene::new();
    let ann = scene.room.join(scene.now, Join::user(ANN).mask(LIKES)).unwrap().session;
    let guest = scene.guest();
    for (level, text) in [(Low, "like"), (Normal, "text"), (Lowest, "seen"), (High, "gift")] {
        let _ = scene.host(level, text).unwrap();
    }
    let _ = scene.send(ann, Low, "her own like", 1);
    assert_eq!((scene.read(ann), scene.read(guest).len()), (vec!["gift".into(), "text".into()], 5));
    let likes = books(&scene, ann, Low);
    assert_eq!((likes.due, likes.excluded, likes.pending, likes.skipped), (2, 2, 0, 0));
    assert!(scene.room.snapshot(scene.now).balances());
}

/// Unmasking starts at the head.
#[test]
fn b10_masking_settles_the_unread() {
    let mut scene = Scene::with(|builder| builder.log_messages(PerLevel([4; 4])));
    let guest = scene.guest();
    for n in 0..6 {
        let _ = scene.host(Low, &format!("like {n}")).unwrap();
    }
    assert!(scene.room.set_masked_levels(scene.now, guest, LIKES));
    let likes = books(&scene, guest, Low);
    assert_eq!((likes.excluded, likes.skipped), (4, 2), "two were not to be had any more");
    let _ = scene.host(Low, "while masked").unwrap();
    let batch = scene.next(guest).unwrap().expect("what it missed before is told, masked or not");
    assert_eq!((batch.gap(Low), batch.messages().len(), batch.more()), (2, 0, false));
    assert!(scene.next(guest).unwrap().is_none(), "nothing of what it masked");
    assert!(scene.room.set_masked_levels(scene.now, guest, LevelSet::EMPTY.with(High)));
    let _ = scene.host(Low, "after").unwrap();
    assert_eq!(scene.read(guest), ["after"]);
    let likes = books(&scene, guest, Low);
    assert_eq!((likes.due, likes.excluded, likes.delivered, likes.skipped), (8, 5, 1, 2));
    assert_eq!(scene.room.masked_levels(guest), Some(LevelSet::EMPTY.with(High)));
}

#[test]
fn b10_a_mask_changes_nothing_for_other_sessions() {
    let mut scene = Scene::new();
    let sessions: Vec<SessionId> = (0..40).map(|_| scene.guest()).collect();
    assert!(
        scene.room.set_masked_levels(scene.now, sessions[0], LIKES)
            && scene.room.set_masked_levels(scene.now, sessions[0], LevelSet::EMPTY)
    );
    assert!(scene.room.set_masked_levels(scene.now, sessions[20], LevelSet::EMPTY.with(Normal)));
    assert_eq!(
        scene.room.snapshot(scene.now).audience.cold_sessions,
        1,
        "a mask that excluded nothing leaves nothing behind"
    );
    let _ = scene.host(Normal, "text").unwrap();
    let mut got = Vec::new();
    let count = scene.room.sweep(
        scene.now,
        roomcast_core::Group::DEFAULT,
        0..64,
        Budget::default(),
        |session, _| {
            got.push(session);
            roomcast_core::Handoff::Taken
        },
    );
    let others: Vec<SessionId> =
        sessions.iter().copied().filter(|&session| session != sessions[20]).collect();
    assert_eq!((got, count), (others, 39));
    let sums = scene.room.snapshot(scene.now).audience.deliveries[Normal];
    assert_eq!((sums.due, sums.delivered, sums.excluded, sums.pending), (40, 39, 1, 0));
}

#[test]
fn b10_a_masked_session_ends_with_rest_and_reason() {
    let mut scene = Scene::new();
    let ann = scene.user(ANN);
    for (level, text) in [(Low, "like"), (Normal, "text")] {
        let _ = scene.host(level, text).unwrap();
    }
    assert!(scene.room.set_masked_levels(scene.now, ann, LIKES));
    scene.room.leave(scene.now, ANN).unwrap();
    let _ = scene.host(Low, "too late").unwrap();
    assert_eq!(books(&scene, ann, Low).due, 1);
    let batch = scene.next(ann).unwrap().unwrap();
    assert_eq!((texts(&batch), batch.more()), (vec!["text".into()], false));
    assert_eq!(scene.next(ann).unwrap_err(), SessionEnd::Closed(EndReason::Left));
    assert!(
        !scene.room.set_masked_levels(scene.now, ann, LevelSet::EMPTY)
            && scene.room.masked_levels(ann).is_none()
    );
    assert!(scene.room.snapshot(scene.now).balances());
}

/// The texts that somebody gets who comes now, and the message before them.
fn comes(scene: &mut Scene) -> (Vec<String>, u64, StartPosition) {
    let joined = scene.room.join(scene.now, Join::guest()).unwrap();
    (scene.read(joined.session), joined.starts_after.0, joined.start)
}

#[test]
fn a24_a_late_joiner_gets_no_past_by_default() {
    let mut scene = Scene::new();
    let _ = scene.host(Normal, "before").unwrap();
    assert_eq!(comes(&mut scene), (vec![], 1, StartPosition::Head));
}

/// Its books start there.
#[test]
fn a24_a_late_joiner_gets_the_last_n_of_all_levels() {
    let mut scene = Scene::with(|builder| builder.replay_on_join(3));
    assert_eq!(comes(&mut scene), (vec![], 0, StartPosition::Head));
    let _ = scene.host(Normal, "one").unwrap();
    assert_eq!(comes(&mut scene), (vec!["one".into()], 0, StartPosition::Late));
    for (level, text) in [(Low, "two"), (High, "three"), (Normal, "four")] {
        let _ = scene.host(level, text).unwrap();
    }
    let late = scene.room.join(scene.now, Join::guest()).unwrap();
    assert_eq!((late.starts_after.0, late.start), (1, StartPosition::Late));
    assert_eq!(books(&scene, late.session, Normal).due, 1);
    let _ = scene.host(High, "five").unwrap();
    assert_eq!(scene.read(late.session), ["three", "five", "four", "two"]);
    assert_eq!(books(&scene, late.session, High).delivered, 2);
    let masked =
        scene.room.join(scene.now, Join::guest().mask(LevelSet::EMPTY.with(High))).unwrap().session;
    assert_eq!(scene.read(masked), ["four"]);
    assert!(scene.room.snapshot(scene.now).balances());
}

/// A hole is a message that the log has lost.
#[test]
fn a24_a_late_joiner_gets_nothing_before_a_hole() {
    let mut scene =
        Scene::with(|builder| builder.replay_on_join(10).log_messages(PerLevel([4, 4, 1, 4])));
    for (level, text) in [(High, "gift"), (Low, "lost"), (Normal, "text"), (Low, "like")] {
        let _ = scene.host(level, text).unwrap();
    }
    // The log still holds the gift, but not what came between it and the text.
    assert_eq!(comes(&mut scene), (vec!["text".into(), "like".into()], 2, StartPosition::Late));
}

/// Comes back with a token, as Ann.
fn back(scene: &mut Scene, token: &ResumeToken) -> Joined {
    scene.room.join(scene.now, Join::user(ANN).resume(token.clone())).unwrap()
}

fn token(scene: &Scene, session: SessionId) -> ResumeToken {
    scene.room.resume_token(scene.now, session).expect("the session is in")
}

#[test]
fn b18_a_returning_session_goes_on_where_it_was() {
    let mut scene = Scene::new();
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    let _ = scene.host(Normal, "read").unwrap();
    assert_eq!(scene.read(ann), ["read"]);
    let _ = scene.host(Normal, "unread").unwrap();
    let token = token(&scene, ann);
    assert_eq!(token.positions, PerLevel([0, 1, 0, 0]));
    let _ = scene.say(ann, "her own").unwrap();
    assert_eq!(
        scene.room.join(scene.now, Join::user(ANN).resume(token.clone())),
        Err(JoinError::AlreadyJoined { session: ann })
    );
    assert!(scene.room.close_session(scene.now, ann));
    let _ = scene.say(bob, "meanwhile").unwrap();
    let joined = back(&mut scene, &token);
    assert_eq!((joined.start, joined.starts_after.0), (StartPosition::Resumed, 1));
    assert_eq!(scene.read(joined.session), ["unread", "meanwhile"]);
    let row = books(&scene, joined.session, Normal);
    assert_eq!((row.due, row.delivered, row.excluded, row.skipped), (3, 2, 1, 0));
    // What she says now is her own as well.
    let _ = scene.say(joined.session, "again").unwrap();
    assert!(scene.next(joined.session).unwrap().is_none());
    assert!(scene.room.snapshot(scene.now).balances());
}

#[test]
fn b18_what_the_log_no_longer_holds_is_a_gap() {
    let mut scene = Scene::with(|builder| builder.log_messages(PerLevel([2; 4])).replay_on_join(1));
    let ann = scene.user(ANN);
    let token = token(&scene, ann);
    assert!(scene.room.close_session(scene.now, ann));
    for n in 0..5 {
        let _ = scene.host(Normal, &format!("{n}")).unwrap();
    }
    let joined = back(&mut scene, &token);
    let batch = scene.next(joined.session).unwrap().unwrap();
    assert_eq!((batch.gap(Normal), texts(&batch)), (3, vec!["3".into(), "4".into()]));
}

/// A token of another machine goes on, unless that one's clock is further ahead than is allowed.
#[test]
fn b18_a_token_of_a_clock_that_is_ahead_goes_on() {
    let second = Duration::from_secs(1);
    for (skew, ahead, start) in [
        (None, Duration::from_millis(1), StartPosition::Resumed),
        (None, 5 * second, StartPosition::Resumed),
        (Some(second), second, StartPosition::Resumed),
        (Some(second), second + Duration::from_nanos(1), StartPosition::Head),
        (Some(Duration::ZERO), Duration::from_nanos(1), StartPosition::Head),
    ] {
        let mut scene =
            Scene::with(|builder| skew.into_iter().fold(builder, RoomConfigBuilder::resume_skew));
        let ann = scene.user(ANN);
        let _ = scene.host(Normal, "unread").unwrap();
        let token = token(&scene, ann);
        assert!(scene.room.close_session(scene.now, ann));
        let taken_at = scene.now + ahead;
        let joined = back(&mut scene, &ResumeToken { taken_at, ..token });
        assert_eq!(joined.start, start, "{ahead:?} ahead of {skew:?}");
        let read = if start == StartPosition::Resumed { vec!["unread".to_owned()] } else { vec![] };
        assert_eq!(scene.read(joined.session), read);
    }
}

/// It is of another machine, where more has come: it goes on behind all that is here.
#[test]
fn b18_a_token_may_be_ahead() {
    let mut scene = Scene::new();
    let ann = scene.user(ANN);
    let _ = scene.host(Normal, "read there").unwrap();
    let token = token(&scene, ann);
    assert!(scene.room.close_session(scene.now, ann));
    let ahead = ResumeToken { positions: PerLevel([0, 2, 0, 0]), ..token };
    let joined = back(&mut scene, &ahead);
    assert_eq!((joined.start, joined.starts_after.0), (StartPosition::Resumed, 1));
    let _ = scene.host(Normal, "read there as well").unwrap();
    assert_eq!(scene.read(joined.session), ["read there as well"], "its number tells the client");
}

/// It is too old, or of a time that is not yet.
#[test]
fn b18_a_bad_token_makes_a_plain_join() {
    let mut scene = Scene::with(|builder| builder.resume_within(Duration::from_secs(5)));
    let ann = scene.user(ANN);
    let _ = scene.host(Normal, "unread").unwrap();
    let token = token(&scene, ann);
    assert!(scene.room.close_session(scene.now, ann));
    let skew = Duration::from_secs(5);
    let later = scene.now + skew + Duration::from_nanos(1);
    let later = ResumeToken { taken_at: later, ..token.clone() };
    assert_eq!(back(&mut scene, &later).start, StartPosition::Head);
    scene.now = Instant::from_nanos(scene.now.as_nanos() + 4_999_999_999);
    let joined = back(&mut scene, &token);
    assert_eq!(
        (joined.start, scene.read(joined.session)),
        (StartPosition::Resumed, vec!["unread".into()])
    );
    scene.wait_millis(1);
    let joined = back(&mut scene, &token);
    assert_eq!(
        (joined.start, joined.starts_after.0, scene.read(joined.session)),
        (StartPosition::Head, 1, vec![])
    );
}

/// Who ends gets none.
#[test]
fn b18_a_token_stands_at_the_head_of_masked_levels() {
    let mut scene = Scene::new();
    let ann = scene.room.join(scene.now, Join::user(ANN).mask(LIKES)).unwrap().session;
    for level in [Low, Normal, Low] {
        let _ = scene.host(level, "text").unwrap();
    }
    let token = token(&scene, ann);
    assert_eq!(token.positions, PerLevel([0, 0, 2, 0]));
    scene.room.leave(scene.now, ANN).unwrap();
    assert_eq!(scene.room.resume_token(scene.now, ann), None);
    // It ends, so it is as good as gone; the mask is not in the token.
    let joined = back(&mut scene, &token);
    let _ = scene.host(Low, "like").unwrap();
    assert_eq!(scene.read(joined.session), ["text", "like"]);
    assert_eq!(scene.read(ann), ["text"]);
}
