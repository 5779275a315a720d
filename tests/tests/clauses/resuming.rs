//! Going on where another session was, again and again, and how far a token reaches (B18, B23).

use crate::scene::{ANN, BOB, Scene};
use roomcast_core::Priority::{High, Low, Normal};
use roomcast_core::event::StartPosition;
use roomcast_core::ids::Seq;
use roomcast_core::level_set::LevelSet;
use roomcast_core::resume::{MAX_FORMERS, ResumeToken, TokenAt};
use roomcast_core::time::Duration;
use roomcast_core::{Batch, Budget, Instant, Join, Joined, PerLevel, SessionId};

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

/// What a session reads at all levels until nothing is left, and how many messages it is told that
/// it missed.
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
        let _ = scene.host(Normal, "before").unwrap();
        let _ = scene.say(first, "hers").unwrap();
        let mut session = first;
        for n in 0..resumed {
            session = reconnect(&mut scene, session);
            let _ = scene.host(Normal, &format!("{n}")).unwrap();
            let _ = scene.say(session, "hers as well").unwrap();
            scene.wait_millis(100);
        }
        assert_eq!(token(&scene, session).formers.len(), resumed);
        let mut host = vec!["before".into()];
        host.extend((0..resumed).map(|n| n.to_string()));
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

/// The connection broke with this batch on its way; what the client acknowledged before stays read.
#[test]
fn b23_what_was_not_acknowledged_comes_again() {
    let mut scene = Scene::new();
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    for n in 0..4 {
        let _ = scene.host(Normal, &format!("{n}")).unwrap();
    }
    let _ = scene.host(High, "gift").unwrap();
    let _ = scene.say(ann, "hers").unwrap();
    let _ = scene.say(bob, "Bob's").unwrap();
    let batch = scene.next(ann).unwrap().unwrap();
    assert_eq!(batch.messages().len(), 6);
    let seq_of =
        |text: &str| batch.messages().iter().find(|message| message.payload == text).unwrap().seq;
    let at = |scene: &Scene, at| scene.room.resume_token_at(scene.now, ann, at).unwrap();
    let positions = |scene: &Scene| at(scene, TokenAt::Acknowledged).positions;
    assert_eq!(positions(&scene), PerLevel([0; 4]), "nothing yet");
    assert!(scene.room.ack(ann, Normal, seq_of("1")));
    assert_eq!(positions(&scene), PerLevel([0, 2, 0, 0]));
    // Never back.
    assert!(scene.room.ack(ann, Normal, seq_of("0")));
    assert_eq!(positions(&scene), PerLevel([0, 2, 0, 0]));
    assert_eq!(at(&scene, TokenAt::HandedOver).positions, PerLevel([1, 6, 0, 0]));
    let token = at(&scene, TokenAt::Acknowledged);
    assert!(scene.room.close_session(scene.now, ann));
    assert!(!scene.room.ack(ann, High, seq_of("gift")), "it is gone");
    let again = back(&mut scene, token).session;
    let (texts, missed) = read_all(&mut scene, again);
    assert_eq!((texts, missed), (["gift", "2", "3", "Bob's"].map(String::from).into(), 0));
    assert!(scene.room.snapshot(scene.now).balances());
}

#[test]
fn b23_nothing_is_acknowledged_before_it_was_handed_over() {
    let mut scene = Scene::with(|builder| builder.log_messages(PerLevel([3; 4])));
    let ann = scene.user(ANN);
    for n in 0..2 {
        let _ = scene.host(Normal, &format!("{n}")).unwrap();
    }
    let positions = |scene: &Scene| {
        scene.room.resume_token_at(scene.now, ann, TokenAt::Acknowledged).unwrap().positions
    };
    assert!(scene.room.ack(ann, Normal, Seq(u64::MAX)));
    assert_eq!(positions(&scene), PerLevel([0; 4]));
    assert_eq!(scene.read(ann), ["0", "1"]);
    // A number of another level stands between those of this one.
    let _ = scene.host(Low, "low").unwrap();
    assert!(scene.room.ack(ann, Normal, Seq(3)));
    assert_eq!(positions(&scene), PerLevel([0, 2, 0, 0]));
    // What has fallen out of the log meanwhile is a gap, and told as one.
    for n in 2..7 {
        let _ = scene.host(Normal, &format!("{n}")).unwrap();
    }
    assert!(scene.room.ack(ann, Normal, Seq(3)), "the log does not reach back so far");
    assert_eq!(positions(&scene), PerLevel([0, 2, 0, 0]));
    let batch = scene.next(ann).unwrap().unwrap();
    assert_eq!(batch.gap(Normal), 2);
    assert!(scene.room.ack(ann, Normal, batch.messages()[0].seq));
    assert_eq!(positions(&scene), PerLevel([0, 5, 0, 0]));
    // Of a masked level nothing is wanted.
    assert!(scene.room.set_masked_levels(scene.now, ann, LevelSet::EMPTY.with(Normal)));
    assert_eq!(positions(&scene), PerLevel([0, 7, 0, 0]));
}

/// Whatever a batch held, a token of just after it that goes back over it brings the same again.
#[test]
fn b23_a_token_goes_back_over_a_batch() {
    for own in [false, true] {
        for budget in [1, 2, 100] {
            let mut scene = Scene::with(|builder| builder.log_messages(PerLevel([3; 4])));
            let ann = scene.user(ANN);
            for level in [Normal, High, Low] {
                for n in 0..6 {
                    let _ = scene.host(level, &format!("{level} {n}")).unwrap();
                    if own {
                        let _ = scene.say(ann, "hers").unwrap();
                    }
                }
            }
            let budget = Budget { messages: budget, bytes: u64::MAX };
            let mut session = ann;
            let (mut texts, mut missed) = (Vec::new(), 0);
            // Each batch is lost once, and comes again in a new session.
            while let Some(lost) = scene.room.next_batch(scene.now, session, budget).unwrap() {
                let token = token(&scene, session).rewound(&lost.rewind());
                assert!(scene.room.close_session(scene.now, session));
                session = back(&mut scene, token).session;
                let batch = scene.room.next_batch(scene.now, session, budget).unwrap().unwrap();
                let shape = |batch: &Batch<String>| {
                    let gaps = [High, Normal, Low].map(|level| batch.gap(level));
                    let seqs: Vec<_> = batch.messages().iter().map(|message| message.seq).collect();
                    (gaps, seqs)
                };
                // Which of what fell out of the log was her own, nobody knows any more.
                let gaps = shape(&batch).0.into_iter().zip(shape(&lost).0);
                assert_eq!(shape(&batch).1, shape(&lost).1, "own {own}, {budget:?}");
                assert!(gaps.clone().all(|(again, gap)| again == gap || (own && again > gap)));
                missed += shape(&batch).0.iter().sum::<u64>();
                texts.extend(batch.messages().iter().map(|message| message.payload.clone()));
            }
            let total = texts.len() as u64 + missed;
            assert!(total == 18 || (own && total > 18), "own {own}: {texts:?}");
            assert!(scene.room.snapshot(scene.now).balances());
        }
    }
}
