//! How old what is due may be (B21): what a session that was in all the time misses for its age,
//! what is exempt, what a gap says of why, and a log that lets go of what is too old.

use crate::scene::{ANN, OWNER, Scene};
use roomcast_core::Priority::{High, Low, Normal};
use roomcast_core::config::RoomConfigBuilder;
use roomcast_core::level_set::LevelSet;
use roomcast_core::time::Duration;
use roomcast_core::{
    Batch, Budget, Group, Handoff, Instant, Item, Join, PerLevel, Priority, RoomConfig, SessionId,
};

const MINUTE: Duration = Duration::from_secs(60);
const TEXT: Duration = Duration::from_secs(2);

/// Text is handed over for two seconds, High for a minute.
fn fresh(builder: RoomConfigBuilder) -> RoomConfigBuilder {
    builder.deliver_within(PerLevel([Some(MINUTE), Some(TEXT), Some(TEXT), Some(TEXT)]))
}

/// What a session is handed, in words.
fn told(batch: &Batch<String>) -> Vec<String> {
    let words = |item: Item<'_, String>| match item {
        Item::Gap { priority, count, cause } => format!("missed {count} {priority}: {cause}"),
        Item::Message(message) if batch.is_history(message) => {
            format!("before: {}", message.payload)
        }
        Item::Message(message) => message.payload.clone(),
        Item::Direct(direct) => format!("to you: {}", direct.payload),
    };
    batch.items().map(words).collect()
}

fn next(scene: &mut Scene, session: SessionId) -> Vec<String> {
    scene.next(session).unwrap().map_or_else(Vec::new, |batch| told(&batch))
}

fn host(scene: &mut Scene, level: Priority, texts: &[&str]) {
    for text in texts {
        assert!(scene.host(level, text).unwrap().outcome.is_some(), "{text} goes out at once");
    }
}

fn log(scene: &Scene) -> u32 {
    scene.room.snapshot(scene.now).audience.log.values().sum()
}

#[test]
fn b21_text_as_old_as_its_bound_is_skipped() {
    let mut scene = Scene::with(fresh);
    let (slow, swift) = (scene.guest(), scene.guest());
    host(&mut scene, Normal, &["a", "b"]);
    scene.wait_millis(1_000);
    host(&mut scene, Normal, &["c"]);
    scene.now = scene.now + Duration::from_nanos(999_999_999);
    // One nanosecond before it is as old as that.
    assert_eq!(next(&mut scene, swift), ["a", "b", "c"]);
    scene.now = scene.now + Duration::from_nanos(1);
    assert!(scene.room.is_ready(slow));
    assert_eq!(next(&mut scene, slow), ["missed 2 normal: age", "c"]);
    assert_eq!(next(&mut scene, slow), Vec::<String>::new());
    let books = scene.room.deliveries(slow).unwrap()[Normal];
    assert_eq!((books.due, books.delivered, books.skipped, books.pending), (3, 1, 2, 0));
    let audience = scene.room.snapshot(scene.now).audience;
    assert_eq!((audience.skips[Normal].age, audience.skips[Normal].overrun), (2, 0));
    assert_eq!(audience.cold_sessions, 0, "a gap that is told leaves nothing aside");
}

#[test]
fn b21_each_session_knows_why_it_skipped() {
    let mut scene =
        Scene::with(|builder| fresh(builder).log_messages(PerLevel([512, 2, 512, 512])));
    let (slow, swift) = (scene.guest(), scene.guest());
    host(&mut scene, Normal, &["a", "b", "c"]);
    scene.wait_millis(2_000);
    host(&mut scene, Normal, &["d"]);
    assert_eq!(next(&mut scene, slow), ["missed 1 normal: overrun", "missed 2 normal: age", "d"]);
    host(&mut scene, Normal, &["e", "f", "g"]);
    assert_eq!(next(&mut scene, slow), ["missed 1 normal: overrun", "f", "g"]);
    let skips = scene.room.skips(slow).unwrap();
    assert_eq!((skips[Normal].overrun, skips[Normal].age), (2, 2));
    assert_eq!(scene.room.deliveries(slow).unwrap()[Normal].skipped, 4);
    // Nobody else's, and over all sessions it is the room's, when they are gone as well.
    assert_eq!(scene.room.skips(swift).unwrap()[Normal].total(), 0);
    scene.room.close_session(scene.now, slow);
    assert_eq!(scene.room.skips(slow), None);
    assert_eq!(scene.room.snapshot(scene.now).audience.skips[Normal], skips[Normal]);
}

#[test]
fn b21_high_is_handed_over_for_a_minute() {
    let mut scene = Scene::with(fresh);
    let slow = scene.guest();
    host(&mut scene, High, &["gift"]);
    host(&mut scene, Normal, &["text"]);
    host(&mut scene, Low, &["like"]);
    scene.wait_millis(59_999);
    host(&mut scene, High, &["rose"]);
    let other = scene.guest();
    host(&mut scene, Low, &["heart"]);
    assert_eq!(
        next(&mut scene, slow),
        ["gift", "rose", "missed 1 normal: age", "missed 1 low: age", "heart"]
    );
    scene.wait_millis(1);
    host(&mut scene, High, &["car"]);
    scene.wait_millis(60_000);
    assert_eq!(next(&mut scene, other), ["missed 1 high: age", "missed 1 low: age"]);
}

/// Sessions that stand at one place take one batch, which must not outlive what is in it.
#[test]
fn b21_a_batch_that_others_took_is_not_handed_on() {
    let mut scene = Scene::with(fresh);
    let sessions = [scene.guest(), scene.guest(), scene.guest()];
    host(&mut scene, Normal, &["a"]);
    scene.wait_millis(1_000);
    host(&mut scene, Normal, &["b"]);
    assert_eq!(next(&mut scene, sessions[0]), ["a", "b"]);
    assert_eq!(next(&mut scene, sessions[1]), ["a", "b"]);
    scene.now = scene.now + Duration::from_secs(1);
    assert_eq!(next(&mut scene, sessions[2]), ["missed 1 normal: age", "b"]);
}

#[test]
fn b21_a_sweep_hands_over_nothing_too_old() {
    let mut scene = Scene::with(fresh);
    let _sessions: Vec<SessionId> = (0..20).map(|_| scene.guest()).collect();
    host(&mut scene, Normal, &["a"]);
    scene.wait_millis(2_000);
    host(&mut scene, Normal, &["b"]);
    let mut handed = Vec::new();
    scene.room.sweep(scene.now, Group::DEFAULT, 0..20, Budget::default(), |_, due| {
        let roomcast_core::audience::Delivery::Batch(due) = due else { unreachable!() };
        assert_eq!(due.key(), None, "each has a gap of its own");
        handed.push(told(&due.to_batch()));
        Handoff::Taken
    });
    assert_eq!(handed, vec![vec!["missed 1 normal: age".to_owned(), "b".to_owned()]; 20]);
}

#[test]
fn b21_a_time_that_runs_backwards_stands_still() {
    let mut scene = Scene::with(fresh);
    let slow = scene.guest();
    host(&mut scene, Normal, &["a"]);
    scene.wait_millis(2_000);
    scene.now = Instant::ZERO;
    assert_eq!(next(&mut scene, slow), ["missed 1 normal: age"]);
}

/// One of each cause, the overrun first.
#[test]
fn b21_a_gap_names_its_cause() {
    let four = |builder: RoomConfigBuilder| fresh(builder).log_messages(PerLevel([4; 4]));
    let mut scene = Scene::with(four);
    let slow = scene.guest();
    host(&mut scene, Normal, &["a", "b", "c", "d", "e", "f"]);
    scene.wait_millis(1_000);
    host(&mut scene, Normal, &["g"]);
    // "a", "b" and "c" were given up while they were fresh; "d", "e" and "f" have become too old.
    scene.wait_millis(1_000);
    assert_eq!(next(&mut scene, slow), ["missed 3 normal: overrun", "missed 3 normal: age", "g"]);
    // These fall out of the log too, but nobody would have got them any more.
    host(&mut scene, Normal, &["h", "i", "j"]);
    scene.wait_millis(2_000);
    host(&mut scene, Normal, &["k", "l", "m", "n"]);
    assert_eq!(next(&mut scene, slow), ["missed 3 normal: age", "k", "l", "m", "n"]);
    let skips = scene.room.snapshot(scene.now).audience.skips[Normal];
    assert_eq!((skips.overrun, skips.age), (3, 6));
}

/// Her own messages are no part of a gap.
#[test]
fn b21_own_messages_are_not_missed() {
    let mut scene = Scene::with(fresh);
    let ann = scene.user(ANN);
    host(&mut scene, Normal, &["a"]);
    let _ = scene.say(ann, "hers").unwrap();
    host(&mut scene, Normal, &["b"]);
    scene.wait_millis(1_000);
    host(&mut scene, Normal, &["c"]);
    scene.wait_millis(1_000);
    assert_eq!(next(&mut scene, ann), ["missed 2 normal: age", "c"]);
    let books = scene.room.deliveries(ann).unwrap()[Normal];
    assert_eq!((books.due, books.delivered, books.skipped, books.excluded), (4, 1, 2, 1));
    assert!(books.balances());
}

#[test]
fn b21_what_a_resume_asks_for_is_exempt_and_marked() {
    let mut scene = Scene::with(fresh);
    let first = scene.user(ANN);
    let token = scene.room.resume_token(scene.now, first).unwrap();
    host(&mut scene, Normal, &["a", "b"]);
    scene.wait_millis(10_000);
    assert!(scene.room.close_session(scene.now, first));
    let back = scene.room.join(scene.now, Join::user(ANN).resume(token)).unwrap().session;
    host(&mut scene, Normal, &["c"]);
    scene.wait_millis(1_000);
    host(&mut scene, Normal, &["d"]);
    // Not too old yet: one batch, of which the first two were there before.
    assert_eq!(next(&mut scene, back), ["before: a", "before: b", "c", "d"]);
    assert_eq!(scene.room.snapshot(scene.now).audience.cold_sessions, 0, "it has read all that");
}

/// A range that a batch covers has no hole.
#[test]
fn b21_a_gap_behind_history_begins_a_batch() {
    let mut scene = Scene::with(fresh);
    let first = scene.user(ANN);
    let token = scene.room.resume_token(scene.now, first).unwrap();
    host(&mut scene, Normal, &["a", "b"]);
    host(&mut scene, Low, &["like"]);
    assert!(scene.room.close_session(scene.now, first));
    let back = scene.room.join(scene.now, Join::user(ANN).resume(token)).unwrap().session;
    host(&mut scene, Normal, &["c"]);
    scene.wait_millis(2_000);
    host(&mut scene, Normal, &["d"]);
    let batch = scene.next(back).unwrap().unwrap();
    assert_eq!((told(&batch), batch.more()), (vec!["before: a".into(), "before: b".into()], true));
    // Nothing lower comes in between.
    assert_eq!(next(&mut scene, back), ["missed 1 normal: age", "d", "before: like"]);
    let books = scene.room.deliveries(back).unwrap();
    assert!(books.values().all(roomcast_core::ledger::Deliveries::balances));
}

#[test]
fn b21_a_late_joiner_still_gets_its_replay() {
    let mut scene = Scene::with(|builder| fresh(builder).log_age(Some(TEXT)).replay_on_join(2));
    host(&mut scene, Normal, &["a", "b"]);
    host(&mut scene, Low, &["like"]);
    // An hour later all that is left is what a late joiner gets.
    scene.wait_millis(3_600_000);
    assert_eq!((log(&scene), scene.room.poll_timeout()), (2, None));
    let late = scene.guest();
    scene.wait_millis(3_600_000);
    assert_eq!(next(&mut scene, late), ["before: b", "before: like"]);
    // What it is kept for no more goes with the next message.
    host(&mut scene, Normal, &["c"]);
    assert_eq!(log(&scene), 2);
    let late = scene.guest();
    assert_eq!(next(&mut scene, late), ["before: c", "before: like"]);
}

/// Her own messages behind what was there before are no reason to stop.
#[test]
fn b21_own_messages_behind_history_are_passed() {
    let mut scene = Scene::with(fresh);
    let first = scene.user(ANN);
    let token = scene.room.resume_token(scene.now, first).unwrap();
    host(&mut scene, Normal, &["a"]);
    assert!(scene.room.close_session(scene.now, first));
    let back = scene.room.join(scene.now, Join::user(ANN).resume(token)).unwrap().session;
    let _ = scene.say(back, "hers").unwrap();
    host(&mut scene, Normal, &["b"]);
    scene.wait_millis(2_000);
    assert_eq!(next(&mut scene, back), ["before: a"]);
    assert_eq!(scene.room.snapshot(scene.now).audience.cold_sessions, 0);
    assert_eq!(next(&mut scene, back), ["missed 1 normal: age"]);
}

/// What had become too old when a level was masked was missed, and the rest is excluded.
#[test]
fn b21_a_mask_settles_what_was_too_old() {
    let mut scene = Scene::with(fresh);
    let slow = scene.guest();
    host(&mut scene, Normal, &["a"]);
    scene.wait_millis(2_000);
    host(&mut scene, Normal, &["b"]);
    assert!(scene.room.set_masked_levels(scene.now, slow, LevelSet::EMPTY.with(Normal)));
    assert_eq!(next(&mut scene, slow), ["missed 1 normal: age"]);
    let books = scene.room.deliveries(slow).unwrap()[Normal];
    assert_eq!((books.skipped, books.excluded, books.delivered), (1, 1, 0));
}

#[test]
fn b21_a_room_that_goes_quiet_empties_its_log() {
    let mut scene = Scene::with(|builder| builder.log_age(Some(MINUTE)));
    let slow = scene.guest();
    host(&mut scene, Normal, &["a"]);
    scene.wait_millis(30_000);
    host(&mut scene, High, &["b"]);
    let last = scene.now;
    assert_eq!(scene.room.poll_timeout(), Some(last + MINUTE), "one look, for all of it");
    scene.wait_millis(59_999);
    assert_eq!(log(&scene), 2);
    scene.wait_millis(1);
    assert_eq!((log(&scene), scene.room.poll_timeout()), (0, None));
    assert_eq!(next(&mut scene, slow), ["missed 1 high: age", "missed 1 normal: age"]);
}

/// It is never asked for a look.
#[test]
fn b21_a_busy_room_lets_go_of_what_is_old() {
    let mut scene = Scene::with(|builder| builder.log_age(Some(MINUTE)));
    for second in 0..200_u32 {
        host(&mut scene, Normal, &["text"]);
        assert_eq!(scene.room.poll_timeout(), Some(scene.now + MINUTE));
        assert_eq!(log(&scene), (second + 1).min(60));
        scene.now = scene.now + Duration::from_secs(1);
    }
}

/// A session that comes back in time finds what it had not read.
#[test]
fn b21_the_log_keeps_what_a_resume_reads() {
    let mut scene =
        Scene::with(|builder| builder.log_age(Some(Duration::from_secs(1))).resume_within(MINUTE));
    let first = scene.user(ANN);
    let token = scene.room.resume_token(scene.now, first).unwrap();
    host(&mut scene, Normal, &["a"]);
    assert!(scene.room.close_session(scene.now, first));
    scene.wait_millis(59_999);
    let back = scene.room.join(scene.now, Join::user(ANN).resume(token)).unwrap().session;
    assert_eq!(next(&mut scene, back), ["before: a"]);
    let config = |builder: RoomConfigBuilder| builder.build().unwrap().log_age();
    let builder = RoomConfig::builder(OWNER).log_age(Some(Duration::from_secs(1)));
    assert_eq!(config(builder.clone().resume_within(TEXT)), Some(TEXT));
    assert_eq!(config(fresh(builder.resume_within(TEXT))), Some(MINUTE));
}

/// Of what a token does not reach back to, what is too old for it is told as that.
#[test]
fn b21_what_is_out_of_a_tokens_reach_names_its_cause() {
    let mut scene = Scene::with(|builder| builder.resume_within(MINUTE).resume_messages(3));
    let first = scene.user(ANN);
    host(&mut scene, Normal, &["a", "b"]);
    scene.wait_millis(30_000);
    let token = scene.room.resume_token(scene.now, first);
    let mut token = token.unwrap();
    token.positions[Normal] = 0;
    assert!(scene.room.close_session(scene.now, first));
    host(&mut scene, Normal, &["c", "d", "e"]);
    let back = |scene: &mut Scene, token| {
        let joined = scene.room.join(scene.now, Join::guest().resume(token)).unwrap();
        next(scene, joined.session)
    };
    assert_eq!(
        back(&mut scene, token.clone()),
        ["missed 2 normal: overrun", "before: c", "before: d", "before: e"]
    );
    scene.wait_millis(30_000);
    host(&mut scene, High, &["f"]);
    token.taken_at = scene.now;
    scene.wait_millis(30_000);
    assert_eq!(
        back(&mut scene, token),
        ["before: f", "missed 2 normal: overrun", "missed 3 normal: age"]
    );
}

#[test]
fn b21_other_ages_hold_from_then_on() {
    let mut scene = Scene::new();
    let (slow, other) = (scene.guest(), scene.guest());
    host(&mut scene, Normal, &["a"]);
    scene.wait_millis(3_000);
    let reconfigure = |scene: &mut Scene, builder: RoomConfigBuilder| {
        scene.room.reconfigure(scene.now, &builder.build().unwrap()).unwrap();
    };
    reconfigure(&mut scene, fresh(RoomConfig::builder(OWNER)));
    assert_eq!(next(&mut scene, slow), ["missed 1 normal: age"]);
    reconfigure(&mut scene, RoomConfig::builder(OWNER));
    assert_eq!(next(&mut scene, other), ["a"]);
    let builder = RoomConfig::builder(OWNER).log_age(Some(TEXT)).resume_within(TEXT);
    reconfigure(&mut scene, builder);
    assert_eq!((log(&scene), scene.room.poll_timeout()), (0, None), "it was too old at once");
}
