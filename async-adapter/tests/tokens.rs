//! Resume tokens as clients hold them, and ids and tokens that are not of this room (B23).
#![cfg(feature = "tokio")]

use roomcast::config::LevelSet;
use roomcast::error::{DirectReason, JoinError, ParseTokenError, RefusalReason};
use roomcast::event::StartPosition;
use roomcast::message::Seq;
use roomcast::names::Joining;
use roomcast::pump::PumpOptions;
use roomcast::session::{ForwardEnd, ResumeToken, TokenAt};
use roomcast::{
    Actor, Batch, Budget, Direct, Encoder, GapCause, Hub, Join, Message, Outcome, Priority,
    Publish, Pump, Recipient, Room, RoomConfig, RoomId, SessionId, Source, Subscription, Transport,
    UserId,
};
use std::io;
use std::task::{Context, Poll};

const ANN: UserId = UserId(7);
const BOB: UserId = UserId(8);

type Word = &'static str;

const WORDS: [Word; 5] = ["a", "b", "c", "d", "e"];

/// Writes nothing, to nobody.
#[derive(Clone, Debug)]
struct Nothing;

impl Encoder<Word> for Nothing {
    type Frame = &'static str;
    fn message(&mut self, _: &Message<Word>) -> &'static str {
        ""
    }
    fn direct(&mut self, _: &Direct<Word>) -> &'static str {
        ""
    }
    fn gap(&mut self, _: Priority, _: u64, _: GapCause) -> Option<&'static str> {
        None
    }
}

impl Transport for Nothing {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn poll_writable(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn config() -> RoomConfig {
    RoomConfig::builder(UserId(1)).heartbeat(None).build().unwrap()
}

fn room(hub: &Hub<Word>, id: u64) -> Room<Word> {
    hub.open_room(RoomId(id), &config()).unwrap()
}

fn say(room: &Room<Word>, text: Word) {
    let _ = room.try_publish(Publish::new(Source::Host, text)).unwrap();
}

fn read(subscription: &mut Subscription<Word>) -> Vec<Word> {
    let batch = subscription.try_next_batch().unwrap();
    batch.iter().flat_map(Batch::messages).map(|message| message.payload).collect()
}

/// A token of Ann's, who has gone, and has not read the first message of the room.
fn left_behind(room: &Room<Word>, text: Word) -> ResumeToken {
    let ann = room.join(Join::user(ANN)).unwrap();
    say(room, text);
    ann.resume_token().unwrap()
}

#[tokio::test]
async fn b23_a_token_goes_through_text_and_bytes() {
    let hub = Hub::<Word>::start();
    let room = room(&hub, 1);
    let token = left_behind(&room, "unread");
    let texts: ResumeToken = token.to_string().parse().unwrap();
    let bytes = ResumeToken::try_from(&token.to_vec()[..]).unwrap();
    for token in [token, texts, bytes] {
        let mut back = room.join(Join::user(ANN).resume(token.clone())).unwrap();
        assert_eq!((back.start(), read(&mut back)), (StartPosition::Resumed, vec!["unread"]));
        let twice = room.join(Joining::from(Join::user(ANN).resume(token))).unwrap();
        assert_eq!(twice.start(), StartPosition::Resumed);
    }
    assert_eq!("no token".parse::<ResumeToken>(), Err(ParseTokenError::NotBase64));
}

/// A user of a name comes back by the name, though its number is another one by then.
#[tokio::test(start_paused = true)]
async fn b23_a_token_is_good_for_a_name_not_its_number() {
    let hub = Hub::<Word>::start();
    let config = RoomConfig::builder(UserId(1)).resume_within(std::time::Duration::from_secs(600));
    let room = hub.open_room("stream-42", &config.build().unwrap()).unwrap();
    let ann = room.join("ann").unwrap();
    say(&room, "unread");
    let (token, number) = (ann.resume_token().unwrap(), room.user_id("ann"));
    drop(ann);
    for visitor in 0..400 {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        drop(room.join(format!("visitor {visitor}")).unwrap());
    }
    assert_ne!(room.user_id("ann"), number, "she was forgotten");
    let eve = room.join(Joining::named("eve".into()).resume(token.clone())).unwrap();
    assert_eq!(eve.start(), StartPosition::Unknown);
    let mut ann = room.join(Joining::named("ann".into()).resume(token)).unwrap();
    assert_eq!((ann.start(), read(&mut ann)), (StartPosition::Resumed, vec!["unread"]));
}

/// Each of these is told that nothing is known of it, reads from the head, and hears of nobody,
/// though a session is in that its numbers fit.
#[tokio::test]
async fn b23_a_void_token_resumes_and_names_nobody() {
    let key = [1; 32];
    let hub = || Hub::<Word>::builder().workers(1).seed(7).token_key(&key).spawn();
    let (hub, twin) = (hub(), hub());
    let stranger = Hub::<Word>::builder().workers(1).seed(7).token_key(&[2; 32]).spawn();
    let former_life = left_behind(&room(&hub, 1), "before");
    hub.remove_room(RoomId(1)).unwrap();
    let room = room(&hub, 1);
    let genuine = left_behind(&room, "unread");
    let ann = room.join(Join::user(ANN)).unwrap();
    let of_one_who_is_in = ann.resume_token().unwrap();
    let mut guest = room.join(Join::guest()).unwrap();

    let mut void = vec![
        ("of a former life of the room", former_life),
        ("of another room", left_behind(&self::room(&hub, 2), "elsewhere")),
        ("of another hub with the same key", left_behind(&self::room(&twin, 1), "elsewhere")),
        ("of another key", left_behind(&self::room(&stranger, 1), "elsewhere")),
    ];
    for at in 1..genuine.as_bytes().len() {
        let mut bytes = genuine.to_vec();
        bytes[at] ^= 1;
        void.push(("changed", ResumeToken::try_from(&bytes[..]).unwrap()));
    }
    let mut bytes = genuine.to_vec();
    bytes.splice(57..57, [0; 8]);
    void.push(("longer", ResumeToken::try_from(&bytes[..]).unwrap()));
    let mut table: Vec<(&str, UserId, &ResumeToken)> =
        void.iter().map(|(what, token)| (*what, ANN, token)).collect();
    table.push(("Ann's, whom Bob is not", BOB, &genuine));
    table.push(("Ann's, who is in", BOB, &of_one_who_is_in));
    let pump: Pump<Word, Nothing> = room.pump(Nothing, PumpOptions::default()).unwrap();
    let sessions = room.stats().room.audience.sessions;
    for (what, user, token) in table {
        let join = Join::user(user).resume(token.clone());
        let mut joined = room.join(join.clone()).unwrap();
        assert_eq!((joined.start(), read(&mut joined)), (StartPosition::Unknown, vec![]), "{what}");
        assert_eq!(joined.starts_after().0, 1, "{what}");
        let pumped = pump.join(join, Nothing).unwrap();
        assert_eq!(pumped.start(), StartPosition::Unknown, "{what}");
        room.session(pumped.session()).close();
    }
    for token in void.iter().map(|(_, token)| token).chain([&genuine, &of_one_who_is_in]) {
        let joined = room.join(Join::guest().resume(token.clone())).unwrap();
        assert_eq!(joined.start(), StartPosition::Unknown);
    }
    assert_eq!(room.stats().room.audience.sessions, sessions);
    assert_eq!(read(&mut guest), [""; 0]);
    // What is not void leads on, or names the session of its own bearer.
    let named = room.join(Join::user(ANN).resume(of_one_who_is_in)).unwrap_err();
    assert_eq!(named, JoinError::AlreadyJoined { session: ann.session() });
    let mut back = room.join(Join::user(ANN).resume(genuine)).unwrap();
    assert_eq!((back.start(), read(&mut back)), (StartPosition::Resumed, vec!["unread"]));
    assert!(room.stats().room.balances());
}

/// A guest who logs in goes on where he was.
#[tokio::test]
async fn b23_a_guests_token_is_good_for_whoever_has_it() {
    let hub = Hub::<Word>::start();
    let room = room(&hub, 1);
    let guest = room.join(Join::guest()).unwrap();
    let token = guest.resume_token().unwrap();
    say(&room, "unread");
    drop(guest);
    for join in [Join::user(ANN), Join::user(BOB), Join::guest()] {
        let mut back = room.join(join.resume(token.clone())).unwrap();
        assert_eq!((back.start(), read(&mut back)), (StartPosition::Resumed, vec!["unread"]));
    }
}

/// Every call that takes the id of a session, given one that names nobody here.
#[tokio::test]
async fn b23_no_call_takes_an_id_of_another_life() {
    type Call = (&'static str, fn(&Room<Word>, &Pump<Word, Nothing>, SessionId) -> bool);
    /// What each does, and whether it was as if nobody had that id.
    const CALLS: [Call; 13] = [
        ("publishes", |room, _, id| is_nobody(room.try_publish(speech(id)))),
        ("publishes many", |room, _, id| {
            room.try_publish_many(vec![speech(id), speech(id)]).into_iter().all(is_nobody)
        }),
        ("publishes at an edge", |room, _, id| {
            // The user is the edge's to know; the session excludes nobody here.
            let source = Source::Edge { user: ANN, session: Some(id) };
            room.try_publish(Publish::new(source, "from an edge")).is_ok()
        }),
        ("sends a direct message", |room, _, id| {
            let to = Recipient::Session(id);
            let sent = room.send_direct(to, Direct::new("psst"));
            sent.is_err_and(|refused| refused.reason == DirectReason::NoRecipient { to })
        }),
        ("closes", |room, _, id| !room.session(id).close()),
        ("touches", |room, _, id| !room.session(id).touch()),
        ("masks", |room, _, id| !room.session(id).set_masked_levels(all_levels())),
        ("takes a token", |room, _, id| {
            let at = TokenAt::Acknowledged;
            let session = room.session(id);
            session.resume_token().or(session.resume_token_at(at)).is_none()
        }),
        ("acknowledges", |room, _, id| !room.session(id).ack(Priority::Normal, Seq(1))),
        ("joins as a user", |room, _, id| starts_fresh(room.join(Join::user(BOB).on(id)))),
        ("joins as a guest", |room, _, id| starts_fresh(room.join(Join::guest().on(id)))),
        ("joins by a name", |room, _, id| {
            starts_fresh(room.join(Joining::named("bob".into()).on(id)))
        }),
        ("joins a pump", |_, pump, id| {
            let joined = pump.join(Join::user(BOB).on(id), Nothing).unwrap();
            joined.start() == StartPosition::Head
        }),
    ];

    fn speech(id: SessionId) -> Publish<Word> {
        Publish::new(Source::Session(id), "as somebody else")
    }
    fn is_nobody(answer: Result<roomcast::Receipt, roomcast::Refused<Word>>) -> bool {
        answer.is_err_and(|refused| refused.reason == RefusalReason::NotMember)
    }
    fn all_levels() -> LevelSet {
        Priority::ALL.into_iter().collect()
    }
    fn starts_fresh(joined: Result<Subscription<Word>, JoinError>) -> bool {
        joined.is_ok_and(|joined| joined.start() == StartPosition::Head)
    }

    let hub = Hub::<Word>::builder().workers(1).seed(7).spawn();
    let old = [Join::user(ANN), Join::guest()]
        .map(|join| room(&hub, 1).join(join).unwrap())
        .map(|old| old.session());
    hub.remove_room(RoomId(1)).unwrap();
    let elsewhere = room(&hub, 2);
    let elsewhere = [Join::user(ANN), Join::guest()].map(|join| elsewhere.join(join).unwrap());
    let twin = Hub::<Word>::builder().workers(1).seed(7).spawn();
    let twin = [Join::user(ANN), Join::guest()].map(|join| room(&twin, 1).join(join).unwrap());

    let room = room(&hub, 1);
    let pump = room.pump(Nothing, PumpOptions::default()).unwrap();
    let mut here = [Join::user(ANN), Join::guest()].map(|join| room.join(join).unwrap());
    let _third = room.join(Join::user(UserId(9))).unwrap();
    let ids = old.into_iter().chain(elsewhere.iter().chain(&twin).map(Subscription::session));
    for id in ids {
        assert!(here.iter().any(|here| here.session().key() == id.key()), "but for the life");
        for (what, call) in CALLS {
            assert!(call(&room, &pump, id), "{id} {what}");
            let texts: &[Word] =
                if what == "publishes at an edge" { &["from an edge"] } else { &[] };
            for here in &mut here {
                assert_eq!(read(here), texts, "after {id} {what}");
                assert!(here.touch());
            }
        }
    }
    assert!(room.stats().room.balances());
}

/// A sink that takes so many items and then fails.
fn breaks_after(items: usize) -> impl futures_util::Sink<Word, Error = io::Error> {
    futures_util::sink::unfold(0, move |taken, _: Word| async move {
        if taken < items { Ok(taken + 1) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    })
}

fn payloads(batch: &Batch<Word>) -> Vec<Word> {
    batch.messages().iter().map(|message| message.payload).collect()
}

#[tokio::test]
async fn b23_forward_hands_out_where_the_client_goes_on() {
    let hub = Hub::<Word>::start();
    let room = room(&hub, 1);
    // Two messages a batch: the third batch fails halfway.
    let budget = Budget { messages: 2, bytes: u64::MAX };
    let listener = room.join(Join::user(ANN)).unwrap().with_budget(budget);
    for text in WORDS {
        say(&room, text);
    }
    let done = listener.forward_batches(breaks_after(3), payloads).await;
    assert_eq!((done.batches, done.unsent, done.taken), (1, 2, 2));
    assert!(matches!(done.end, ForwardEnd::Sink(_)));
    let mut back = room.join(Join::user(ANN).resume(done.token.unwrap())).unwrap();
    assert_eq!((back.start(), read(&mut back)), (StartPosition::Resumed, vec!["c", "d", "e"]));

    // One that acknowledges says better where it stands.
    let listener = room.join(Join::user(ANN)).unwrap();
    let (speaker, listener) = listener.split();
    for text in WORDS {
        say(&room, text);
    }
    let acks = |batch: &Batch<Word>| {
        let second = &batch.messages()[1];
        assert!(speaker.ack(second.priority, second.seq));
        payloads(batch)
    };
    let done = listener.forward_batches(breaks_after(5), acks);
    let token = tokio::select! {
        done = done => panic!("{done:?}"),
        () = tokio::time::sleep(std::time::Duration::from_millis(50)) => {
            speaker.resume_token_at(TokenAt::Acknowledged).unwrap()
        }
    };
    drop(speaker);
    let mut back = room.join(Join::user(ANN).resume(token)).unwrap();
    assert_eq!(read(&mut back), ["c", "d", "e"]);

    // A session that ended has nothing to come back to.
    let listener = room.join(Join::user(BOB)).unwrap();
    room.session(listener.session()).close();
    let done = listener.forward_batches(breaks_after(5), payloads).await;
    assert!(done.token.is_none() && matches!(done.end, ForwardEnd::Session(_)));
}

#[tokio::test]
async fn b23_acks_reach_one_session_by_every_handle() {
    let hub = Hub::<Word>::start();
    let room = room(&hub, 1);
    let mut ann = room.join(Join::user(ANN)).unwrap();
    for text in ["a", "b", "c"] {
        say(&room, text);
    }
    let batch = ann.try_next_batch().unwrap().unwrap();
    let seqs: Vec<_> = batch.messages().iter().map(|message| message.seq).collect();
    let at = TokenAt::Acknowledged;
    let first = ann.resume_token_at(at);
    assert!(ann.ack(Priority::Normal, seqs[0]));
    let second = room.session(ann.session()).resume_token_at(at);
    assert!(room.session(ann.session()).ack(Priority::Normal, seqs[1]));
    let third = ann.resume_token_at(at);
    let whole = ann.resume_token();
    let before = ann.resume_token_before(&batch);
    drop(ann);
    let reads = |token: Option<ResumeToken>| {
        let token = token.unwrap();
        let mut back = room.join(Join::user(ANN).resume(token)).unwrap();
        assert_eq!(back.start(), StartPosition::Resumed);
        read(&mut back).len()
    };
    assert_eq!([first, second, third, whole, before].map(reads), [3, 2, 1, 0, 3]);
}

/// Writes each message as it is.
#[derive(Clone, Debug)]
struct Plain;

impl Encoder<Word> for Plain {
    type Frame = &'static str;
    fn message(&mut self, message: &Message<Word>) -> &'static str {
        message.payload
    }
    fn direct(&mut self, _: &Direct<Word>) -> &'static str {
        ""
    }
    fn gap(&mut self, _: Priority, _: u64, _: GapCause) -> Option<&'static str> {
        None
    }
}

/// Takes so many bytes, and then answers this.
#[derive(Debug)]
struct Pipe(usize, io::ErrorKind);

impl Transport for Pipe {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match bytes.len().min(self.0) {
            0 => Err(self.1.into()),
            taken => {
                self.0 -= taken;
                Ok(taken)
            }
        }
    }

    fn poll_writable(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.1 {
            io::ErrorKind::WouldBlock => Poll::Pending,
            error => Poll::Ready(Err(error.into())),
        }
    }
}

/// What the transport took whole stays read; what it was offered beside that comes again.
#[tokio::test(start_paused = true)]
async fn b23_a_pump_hands_out_where_the_client_goes_on() {
    let hub = Hub::<Word>::builder().workers(1).spawn();
    let room = room(&hub, 1);
    let mut options = PumpOptions::default();
    options.budget = Budget { messages: 2, bytes: u64::MAX };
    options.stalled_after = std::time::Duration::from_secs(5);
    let pump: Pump<Word, Pipe> = room.pump(Plain, options).unwrap();
    let (blocks, breaks) = (io::ErrorKind::WouldBlock, io::ErrorKind::BrokenPipe);
    let rest = |taken: usize| WORDS[taken..].to_vec();
    for (bytes, error, whole) in [
        (0, breaks, 0),
        (2, breaks, 2),
        (3, breaks, 2),
        (3, blocks, 2),
        (4, blocks, 4),
        (100, blocks, 5),
    ] {
        for acked in [None, Some(1)] {
            let pumped = pump.join(Join::user(ANN), Pipe(bytes, error)).unwrap();
            let session = pumped.session();
            let mut seqs = Vec::new();
            for text in WORDS {
                let receipt = room.try_publish(Publish::new(Source::Host, text)).unwrap();
                let Some(Outcome::Dispatched { seq, .. }) = receipt.outcome else {
                    panic!("{receipt:?}")
                };
                seqs.push(seq);
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            if let Some(acked) = acked.filter(|_| error == blocks) {
                assert!(pumped.ack(Priority::Normal, seqs[acked]));
            }
            // One whose peer is found to have gone, one that stalls, and one whose host knows first.
            let is_up = bytes > 4;
            let token = if is_up { pumped.leave().await } else { pumped.closed().await };
            assert!(!room.session(session).touch(), "it is out by then");
            let mut back = room.join(Join::user(ANN).resume(token.unwrap())).unwrap();
            let whole =
                if error == blocks { acked.map_or(whole, |acked| acked + 1) } else { whole };
            let read = std::iter::from_fn(|| Some(read(&mut back)).filter(|read| !read.is_empty()));
            assert_eq!(read.flatten().collect::<Vec<_>>(), rest(whole), "{bytes} {acked:?}");
            drop(back);
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    }
    // A session that ended has nothing to come back to, nor one whose pump has.
    let pumped = pump.join(Join::user(ANN), Pipe(100, blocks)).unwrap();
    room.moderation(Actor::Host).kick(&[ANN]).unwrap();
    assert_eq!(pumped.closed().await, None);
    assert_eq!(pumped.leave().await, None);
    assert!(room.stats().room.balances());
}
