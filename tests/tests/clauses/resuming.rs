//! Going on where another session was, again and again, and how far a token reaches (B18, B23).

use crate::scene::{ANN, BOB, Scene};
use roomcast_core::Priority::{High, Low, Normal};
use roomcast_core::event::StartPosition;
use roomcast_core::resume::{MAX_FORMERS, ResumeToken};
use roomcast_core::time::Duration;
use roomcast_core::{Instant, Join, Joined, PerLevel, SessionId};

fn token(scene: &Scene, session: SessionId) -> ResumeToken {
    scene.room.resume_token(scene.now, session).expect("the session is in")
}

fn back(scene: &mut Scene, token: ResumeToken) -> Joined {
    scene.room.join(scene.now, Join::user(ANN).resume(token)).unwrap()
}

/// The session's connection breaks and comes back.
fn reconnect(scene: &mut Scene, session: SessionId) -> SessionId {
    let token = token(scene, session);
    assert!(scene.room.close_session(scene.now, session));
    let joined = back(scene, token);
    assert_eq!(joined.start, StartPosition::Resumed);
    joined.session
}

/// What a session reads at all levels until nothing is left, and how many messages it is told that it missed.
fn read_all(scene: &mut Scene, session: SessionId) -> (Vec<String>, u64) {
    let (mut texts, mut gaps) = (Vec::new(), 0);
    while let Some(batch) = scene.next(session).unwrap() {
        gaps += [High, Normal, Low].map(|level| batch.gap(level)).iter().sum::<u64>();
        texts.extend(batch.messages().iter().map(|message| message.payload.clone()));
    }
    (texts, gaps)
}

#[test]
fn b18_own_messages_stay_own_however_often_resumed() {
    for resumed in [1, 2, 3, 10, MAX_FORMERS] {
        let mut scene = Scene::new();
        let first = scene.user(ANN);
        let _ = scene.say(first, "hers").unwrap();
        let mut session = first;
        for n in 0..resumed {
            session = reconnect(&mut scene, session);
            let _ = scene.host(Normal, &format!("{n}")).unwrap();
            let _ = scene.say(session, "hers as well").unwrap();
            scene.wait_millis(100);
        }
        assert_eq!(token(&scene, session).formers.len(), resumed);
        let host: Vec<String> = (0..resumed).map(|n| n.to_string()).collect();
        assert_eq!(read_all(&mut scene, session), (host, 0), "after {resumed}");
        let books = scene.room.deliveries(session).unwrap()[Normal];
        assert_eq!((books.excluded, books.skipped), (1 + resumed as u64, 0));
        assert!(scene.room.snapshot(scene.now).balances());
    }
}

/// She reads it each time, so there is nothing left to keep in mind of the first ones.
#[test]
fn b18_a_token_does_not_grow_with_every_resume() {
    let mut scene = Scene::new();
    let mut session = scene.user(ANN);
    for _ in 0..200 {
        let _ = scene.say(session, "hers").unwrap();
        session = reconnect(&mut scene, session);
        assert_eq!(read_all(&mut scene, session), (vec![], 0));
        scene.wait_millis(100);
    }
    assert_eq!(token(&scene, session).formers.len(), 8);
}

/// Nothing of her own comes back, and what she does not get for that she is told of.
#[test]
fn b18_more_former_sessions_than_are_kept_are_a_gap() {
    let mut scene = Scene::new();
    let mut session = scene.user(ANN);
    let total = 3 * MAX_FORMERS as u64;
    for n in 0..total {
        let _ = scene.host(Normal, &format!("{n}")).unwrap();
        let _ = scene.say(session, "hers").unwrap();
        session = reconnect(&mut scene, session);
        scene.wait_millis(100);
    }
    assert_eq!(token(&scene, session).formers.len(), MAX_FORMERS);
    let (texts, missed) = read_all(&mut scene, session);
    let kept: Vec<String> =
        (total - MAX_FORMERS as u64 + 1..total).map(|n| n.to_string()).collect();
    assert!(texts.ends_with(&kept) && !texts.iter().any(|text| text == "hers"), "{texts:?}");
    let books = scene.room.deliveries(session).unwrap()[Normal];
    assert_eq!(books.skipped, missed);
    assert_eq!(missed + books.delivered + books.excluded, 2 * total);
    assert!(scene.room.snapshot(scene.now).balances());
}

#[test]
fn b18_what_waits_is_own_when_it_goes_out_later() {
    let mut scene = Scene::with(|builder| builder.rate(1).burst(1));
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    let _ = scene.host(Normal, "out").unwrap();
    let _ = scene.say(ann, "waits").unwrap();
    // Twice, from before it went out; others hear her.
    let again = reconnect(&mut scene, ann);
    let again = reconnect(&mut scene, again);
    scene.wait_millis(1_000);
    assert_eq!(read_all(&mut scene, again), (vec!["out".into()], 0));
    assert_eq!(scene.read(bob), ["out", "waits"]);
    assert!(scene.room.snapshot(scene.now).balances());
    // Two that went on from one session are both of the one who spoke.
    let _ = scene.say(again, "waits again").unwrap();
    let token = token(&scene, again);
    assert!(scene.room.close_session(scene.now, again));
    let heirs = [(); 2].map(|()| back(&mut scene, token.clone()).session);
    scene.wait_millis(1_000);
    for heir in heirs {
        assert_eq!(read_all(&mut scene, heir), (vec![], 0));
    }
    assert_eq!(scene.read(bob), ["waits again"]);
}

#[test]
fn b23_a_resume_reaches_so_many_messages_back() {
    let mut scene = Scene::with(|builder| {
        let builder = builder.log_messages(PerLevel([100; 4])).rate(1_000).burst(1_000);
        builder.resume_messages(10)
    });
    let ann = scene.user(ANN);
    let token = token(&scene, ann);
    assert!(scene.room.close_session(scene.now, ann));
    for n in 0..50 {
        let _ = scene.host(Normal, &format!("{n}")).unwrap();
    }
    let _ = scene.host(Low, "low").unwrap();
    let session = back(&mut scene, token).session;
    let mut expected: Vec<String> = (40..50).map(|n| n.to_string()).collect();
    expected.push("low".into());
    assert_eq!(read_all(&mut scene, session), (expected, 40));
    let books = scene.room.deliveries(session).unwrap()[Normal];
    assert_eq!((books.due, books.skipped, books.delivered), (50, 40, 10));
}

/// Whoever makes a token up reads what one who was in so long ago could have been due, and no more.
#[test]
fn b23_a_made_up_token_opens_no_older_log() {
    for replay in [0, 1, 3] {
        let mut scene = Scene::with(|builder| {
            builder.resume_within(Duration::from_secs(5)).replay_on_join(replay)
        });
        let stranger = scene.user(BOB);
        for text in ["oldest", "old"] {
            let _ = scene.host(Normal, text).unwrap();
        }
        scene.wait_millis(5_000);
        let _ = scene.host(Normal, "lately").unwrap();
        scene.wait_millis(4_999);
        let genuine = token(&scene, stranger);
        let made_up =
            ResumeToken { positions: PerLevel::default(), taken_at: scene.now, ..genuine };
        assert!(scene.room.close_session(scene.now, stranger));
        let session = back(&mut scene, made_up).session;
        let (texts, missed) = read_all(&mut scene, session);
        let expected: &[&str] = match replay {
            3 => &["oldest", "old", "lately"],
            _ => &["lately"],
        };
        assert_eq!(texts, expected, "with {replay}");
        assert_eq!(missed, 3 - expected.len() as u64);
    }
}

/// However long its list of former sessions is, and whatever the log holds.
#[test]
fn b23_a_made_up_list_of_sessions_is_cut_short() {
    let mut scene = Scene::new();
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    let _ = scene.say(bob, "Bob's").unwrap();
    let genuine = token(&scene, ann);
    assert!(scene.room.close_session(scene.now, ann));
    let mut formers = vec![bob.key(); 1_000];
    let made_up = ResumeToken { formers: formers.clone(), ..genuine.clone() };
    // Who leaves out what others say leaves it out for himself alone.
    let session = back(&mut scene, made_up).session;
    assert_eq!(read_all(&mut scene, session), (vec![], 0));
    assert!(token(&scene, session).formers.len() <= MAX_FORMERS);
    formers.extend([ann.key(); MAX_FORMERS]);
    let session = back(&mut scene, ResumeToken { formers, ..genuine }).session;
    assert_eq!(read_all(&mut scene, session), (vec!["Bob's".into()], 0), "only the last count");
    assert!(scene.room.snapshot(scene.now).balances());
    assert!(scene.now > Instant::ZERO);
}
