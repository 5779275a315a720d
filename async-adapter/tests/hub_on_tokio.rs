//! The hub on tokio, in paused time: what its docs promise.
#![cfg(feature = "tokio")]

use roomcast::error::{DropReason, RefusalReason, SessionEnd};
use roomcast::event::{EndReason, Presence};
use roomcast::message::{CorrelationId, OutcomeSink};
use roomcast::time::{Instant, TokioClock};
use roomcast::{
    Actor, Budget, Clock, Event, Hub, Join, Outcome, PerLevel, Priority, Publish, Room, RoomConfig,
    RoomId, Source, Subscription, UserId,
};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{sleep, timeout};

const OWNER: UserId = UserId(1);

fn config() -> RoomConfig {
    RoomConfig::builder(OWNER).rate(10).burst(2).build().unwrap()
}

fn room(config: &RoomConfig) -> (Hub<&'static str>, Room<&'static str>) {
    // Paused, it runs the same every time.
    let clock = TokioClock::starting_at(Instant::from_secs(100));
    let hub = Hub::<&'static str>::builder().workers(2).clock(clock).spawn();
    let room = hub.create_room(RoomId(1), config).unwrap();
    (hub, room)
}

fn user(room: &Room<&'static str>, id: u64) -> Subscription<&'static str> {
    room.join(Join::user(UserId(id))).unwrap()
}

fn say(text: &'static str) -> Publish<&'static str> {
    Publish::new(Source::Host, text)
}

async fn texts(subscription: &mut Subscription<&'static str>) -> Vec<&'static str> {
    subscription
        .next_batch()
        .await
        .unwrap()
        .messages()
        .iter()
        .map(|message| message.payload)
        .collect()
}

/// What a server does that had a broadcast channel: it sends as fast as it can, and its own sessions
/// hear themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b12_a_burst_into_a_room_that_fans_out_arrives() {
    let hub = Hub::<String>::start();
    let room = hub.open_room(RoomId(1), &RoomConfig::fan_out()).unwrap();
    let mut sessions = [7, 8].map(|user| room.join(Join::user(UserId(user))).unwrap());
    let ann = Source::Session(sessions[0].session());
    for number in 0..3_000_u32 {
        let receipt = room.try_publish(Publish::new(ann, number.to_string())).unwrap();
        assert!(matches!(receipt.outcome, Some(Outcome::Dispatched { .. })));
    }
    for session in &mut sessions {
        let mut heard = Vec::new();
        while heard.len() < 3_000 {
            let batch = session.next_batch().await.unwrap();
            assert_eq!(batch.gap(Priority::Normal), 0);
            heard.extend(batch.messages().iter().map(|message| message.payload.clone()));
        }
        assert!(heard.into_iter().eq((0..3_000).map(|number: u32| number.to_string())));
    }
    assert!(room.stats().balances());
}

#[tokio::test(start_paused = true)]
async fn a_message_wakes_every_other_session() {
    let (_hub, room) = room(&config());
    let (mut ann, mut bob) = (user(&room, 7), user(&room, 8));
    let reader = tokio::spawn(async move { texts(&mut bob).await });
    sleep(Duration::from_millis(1)).await;
    let outcome = room.publish(Publish::new(Source::Session(ann.session()), "hi")).await.unwrap();
    assert!(matches!(outcome, Outcome::Dispatched { .. }));
    assert_eq!(reader.await.unwrap(), ["hi"]);
    assert!(timeout(Duration::from_secs(9), ann.next_batch()).await.is_err(), "no echo");
}

/// Its publisher is told.
#[tokio::test(start_paused = true)]
async fn what_the_rate_holds_back_goes_out_in_time() {
    let (_hub, room) = room(&config());
    let start = tokio::time::Instant::now();
    let mut waits = Vec::new();
    for _ in 0..5 {
        assert!(matches!(room.publish(say("x")).await.unwrap(), Outcome::Dispatched { .. }));
        waits.push(start.elapsed().as_millis());
    }
    // Two at once, then one each tenth of a second; tokio's timer counts whole milliseconds.
    for (wait, least) in waits.into_iter().zip([0, 0, 100, 200, 300]) {
        assert!((least..least + 5).contains(&wait), "waited {wait} ms instead of {least}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_expiry_is_told_to_the_publisher_alone() {
    let config = RoomConfig::builder(OWNER)
        .rate(1)
        .burst(1)
        .fresh_within(PerLevel([Some(Duration::from_millis(50)); 4]))
        .build()
        .unwrap();
    let (_hub, room) = room(&config);
    let mut reader = user(&room, 7);
    let _ = room.publish(say("first")).await.unwrap();
    let outcome = room.publish(say("late")).await.unwrap();
    assert!(matches!(outcome, Outcome::Dropped { reason: DropReason::Expired, .. }));
    assert_eq!(texts(&mut reader).await, ["first"]);
    assert!(room.stats().room.balances());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_subscription_leaves_exactly_once() {
    let (_hub, room) = room(&config());
    let (first, second, guest) =
        (user(&room, 7), user(&room, 7), room.join(Join::guest()).unwrap());
    drop(first);
    drop(guest);
    sleep(Duration::from_millis(1)).await;
    let books = room.stats().room;
    assert_eq!(
        (books.audience.sessions, books.admission.users, books.admission.user_sessions),
        (1, 1, 1)
    );
    drop(second);
    sleep(Duration::from_millis(1)).await;
    let books = room.stats().room;
    assert_eq!((books.audience.sessions, books.admission.users), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_wait_loses_nothing() {
    let (_hub, room) = room(&config());
    let mut reader = user(&room, 7);
    for _ in 0..3 {
        assert!(timeout(Duration::from_millis(1), reader.next_batch()).await.is_err());
    }
    let _ = room.try_publish(say("kept")).unwrap();
    // Woken, and cancelled before it polls again.
    sleep(Duration::from_millis(1)).await;
    assert_eq!(texts(&mut reader).await, ["kept"]);
}

#[tokio::test(start_paused = true)]
async fn giving_up_on_an_answer_withdraws_nothing() {
    let (_hub, room) = room(&config());
    let mut reader = user(&room, 7);
    for text in ["a", "b"] {
        let _ = room.try_publish(say(text)).unwrap();
    }
    assert!(timeout(Duration::from_millis(10), room.publish(say("c"))).await.is_err());
    assert_eq!(texts(&mut reader).await, ["a", "b"]);
    assert_eq!(texts(&mut reader).await, ["c"]);
}

/// They go with what they are due.
#[tokio::test(start_paused = true)]
async fn leaving_takes_all_devices_out() {
    let (_hub, room) = room(&config());
    let (mut phone, mut laptop) = (user(&room, 7), user(&room, 7));
    let waiting = tokio::spawn(async move { laptop.next_batch().await.map(drop) });
    sleep(Duration::from_millis(1)).await;
    room.leave(UserId(7)).unwrap();
    assert_eq!(waiting.await.unwrap().unwrap_err(), SessionEnd::Closed(EndReason::Left));
    assert_eq!(phone.next_batch().await.unwrap_err(), SessionEnd::Closed(EndReason::Left));
    assert_eq!(
        phone.next_batch().await.unwrap_err(),
        SessionEnd::Closed(EndReason::Left),
        "every later call says the same"
    );
    assert_eq!(phone.end_reason(), Some(EndReason::Left));
    assert!(room.leave(OWNER).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_close_hands_out_the_due_then_reason_and_end() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let events = Arc::clone(&seen);
    let hub = Hub::<&'static str>::builder()
        .workers(1)
        .on_event(move |_, event| events.lock().unwrap().push(*event))
        .spawn();
    let room = hub.create_room(RoomId(1), &config()).unwrap();
    let mut reader = user(&room, 7);
    for text in ["a", "b", "never"] {
        let _ =
            room.try_publish(say(text).outcome_sink(OutcomeSink::Event(CorrelationId(9)))).unwrap();
    }
    room.close(Actor::User(OWNER)).unwrap();
    let refused = room.try_publish(say("late")).unwrap_err();
    assert_eq!((refused.reason, refused.payload), (RefusalReason::RoomClosed, "late"));
    assert_eq!(texts(&mut reader).await, ["a", "b"]);
    assert_eq!(reader.next_batch().await.unwrap_err(), SessionEnd::Closed(EndReason::RoomClosed));
    sleep(Duration::from_millis(1)).await;
    let seen = seen.lock().unwrap();
    assert!(matches!(seen[0], Event::Presence { presence: Presence::Online, .. }));
    assert!(matches!(
        seen[1],
        Event::Outcome { outcome: Outcome::Dropped { reason: DropReason::RoomClosed, .. }, .. }
    ));
    assert_eq!(seen[1].correlation_id(), Some(CorrelationId(9)));
    assert_eq!(seen[2], Event::RoomClosed);
    assert_eq!(*seen.last().unwrap(), Event::RoomEnded);
    assert!(room.stats().room.balances());
}

#[tokio::test(start_paused = true)]
async fn a_session_taken_out_by_the_host_learns_of_it() {
    let (_hub, room) = room(&config());
    let mut reader = user(&room, 7);
    let session = reader.session();
    let waiting = tokio::spawn(async move { reader.next_batch().await.map(drop) });
    sleep(Duration::from_millis(1)).await;
    assert!(room.session(session).close());
    assert_eq!(waiting.await.unwrap().unwrap_err(), SessionEnd::NoSession(session));
    assert!(!room.session(session).close());
}

#[tokio::test(start_paused = true)]
async fn b14_drain_lets_out_what_waits_and_counts_the_rest() {
    let (hub, room) = room(&config());
    let mut reader = user(&room, 7);
    let idle = user(&room, 8);
    for _ in 0..10 {
        let _ = room.try_publish(say("x").priority(Priority::High)).unwrap();
    }
    let reading = tokio::spawn(async move { while reader.next_batch().await.is_ok() {} });
    let report = hub.drain(Duration::from_secs(3)).await;
    reading.await.unwrap();
    assert_eq!((report.rooms, report.dispatched, report.dropped), (1, 8, 0));
    // All ten for the reader, none for the one that never reads.
    assert_eq!((report.delivered, report.abandoned), (10, 10));
    assert!(room.stats().room.balances());
    drop(idle);
}

#[tokio::test(start_paused = true)]
async fn a_panicking_hook_costs_its_own_event_only() {
    let hub = Hub::<&'static str>::builder()
        .workers(1)
        .on_event(|_, _| panic!("a hook of the test panics on purpose"))
        .spawn();
    let room = hub.create_room(RoomId(1), &config()).unwrap();
    let mut reader = user(&room, 7);
    assert!(matches!(room.publish(say("still here")).await.unwrap(), Outcome::Dispatched { .. }));
    assert_eq!(texts(&mut reader).await, ["still here"]);
    assert_eq!(hub.caught_panics(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_batch_keeps_its_budget_and_says_of_more() {
    let (_hub, room) = room(&RoomConfig::av_chat_room(OWNER));
    let mut reader = user(&room, 7).with_budget(Budget { messages: 2, bytes: 1_000 });
    for text in ["a", "b", "c"] {
        let _ = room.try_publish(say(text)).unwrap();
    }
    let batch = reader.next_batch().await.unwrap();
    assert_eq!((batch.messages().len(), batch.more()), (2, true));
    assert_eq!(texts(&mut reader).await, ["c"]);
}

/// They run on many threads.
#[tokio::test]
async fn many_publishers_and_readers_balance() {
    // A dropped subscription is in the room until its shard comes by, so a user who comes and goes this fast has many for a moment.
    let config = RoomConfig::builder(OWNER)
        .rate(1_000_000)
        .burst(1_000_000)
        .sessions_per_user(1_000)
        .build()
        .unwrap();
    let hub = Hub::<&'static str>::builder().spawn();
    let room = hub.create_room(RoomId(1), &config).unwrap();
    let runtime = std::thread::spawn({
        let room = room.clone();
        move || {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap()
                .block_on(async move {
                    let publishers = (0..4).map(|_| {
                        let room = room.clone();
                        tokio::spawn(async move {
                            for _ in 0..2_000 {
                                let _ = room.try_publish(say("x").priority(Priority::Low));
                                tokio::task::yield_now().await;
                            }
                        })
                    });
                    let publishers: Vec<_> = publishers.collect();
                    let churn = (0..4).map(|id| {
                        let room = room.clone();
                        tokio::spawn(async move {
                            for _ in 0..500 {
                                let mut reader = room.join(Join::user(UserId(id))).unwrap();
                                let _ =
                                    timeout(Duration::from_micros(50), reader.next_batch()).await;
                            }
                        })
                    });
                    let churn: Vec<_> = churn.collect();
                    for task in publishers.into_iter().chain(churn) {
                        task.await.unwrap();
                    }
                });
        }
    });
    while !runtime.is_finished() {
        assert!(room.stats().room.balances());
        sleep(Duration::from_millis(1)).await;
    }
    runtime.join().unwrap();
    while room.stats().room.audience.sessions > 0 {
        sleep(Duration::from_millis(1)).await;
    }
    let books = room.stats().room;
    assert!(books.balances());
    assert_eq!(books.admission.ledger.total().submitted, 8_000);
    assert_eq!((books.admission.users, books.audience.cold_sessions), (0, 0));
}

/// A reader that is not woken waits for ever, so every reader that counts to the end shows that no wake-up was lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_message_wakes_every_waiting_reader() {
    const MESSAGES: u32 = 3_000;
    let config = RoomConfig::builder(OWNER)
        .rate(1_000_000)
        .burst(1_000_000)
        .log_messages(PerLevel([MESSAGES; 4]))
        .build()
        .unwrap();
    let (_hub, room) = room(&config);
    let readers: Vec<_> = (0..40)
        .map(|number| {
            let mut reader = room.join(Join::guest()).unwrap();
            tokio::spawn(async move {
                let mut read = 0;
                while read < MESSAGES {
                    // Some give up now and then and come back: a cancelled wait must not be taken for a parked one.
                    let batch = if number % 4 == 0 {
                        let Ok(batch) =
                            timeout(Duration::from_micros(number), reader.next_batch()).await
                        else {
                            continue;
                        };
                        batch
                    } else {
                        reader.next_batch().await
                    };
                    read += u32::try_from(batch.unwrap().messages().len()).unwrap();
                }
                read
            })
        })
        .collect();
    for number in 0..MESSAGES {
        let _ = room.try_publish(say("x")).unwrap();
        // In bursts and one by one, so that readers park and are woken in between.
        if number % 7 == 0 {
            tokio::task::yield_now().await;
        }
        if number % 500 == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
    for reader in readers {
        assert_eq!(
            timeout(Duration::from_secs(60), reader)
                .await
                .expect("no reader waits for ever")
                .unwrap(),
            MESSAGES
        );
    }
}

#[tokio::test(start_paused = true)]
async fn b19_a_burst_is_answered_as_one_by_one_would_be() {
    let config = RoomConfig::builder(OWNER).rate(10).burst(2).queue_messages(100).build().unwrap();
    let ((_first, one_by_one), (_second, at_once)) = (room(&config), room(&config));
    let publish = |n: usize| say("like").priority(Priority::ALL[n % 4]);
    let singly: Vec<_> = (0..300).map(|n| one_by_one.try_publish(publish(n))).collect();
    let burst = at_once.try_publish_many((0..300).map(publish).collect());
    assert_eq!(burst, singly);
    // The two rooms are told apart by their lives, and by nothing else.
    let mut books = one_by_one.stats();
    books.room.admission.life = at_once.stats().room.admission.life;
    assert_eq!(at_once.stats(), books);
    assert!(at_once.try_publish_many(Vec::new()).is_empty());
    let queued = at_once.stats().room.admission.ledger.total().queued;
    assert_eq!(queued, 100, "the queue is full, and the rest was refused or gave way");
}

/// A clock that is a second later each time that it is read.
#[derive(Default)]
struct Hasty(AtomicU64);

impl Clock for Hasty {
    fn now(&self) -> Instant {
        Instant::from_secs(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// It is answered in order, however long it is.
#[tokio::test(start_paused = true)]
async fn b19_a_burst_is_offered_at_one_instant() {
    let hub: Hub<String> = Hub::<String>::builder().workers(1).clock(Hasty::default()).spawn();
    let config = RoomConfig::builder(OWNER).rate(1).burst(150).queue_messages(200).build().unwrap();
    let room = hub.create_room(RoomId(1), &config).unwrap();
    let mut reader = room.join(Join::guest()).unwrap();
    let answers = room
        .try_publish_many((0..500).map(|n| Publish::new(Source::Host, n.to_string())).collect());
    assert_eq!(answers.len(), 500);
    let (mut instants, mut ids) = (Vec::new(), Vec::new());
    for (n, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(receipt) => {
                ids.push((n, receipt.id));
                if let Some(Outcome::Dispatched { seq, at }) = receipt.outcome {
                    assert_eq!(seq.0, n as u64 + 1);
                    instants.push(at);
                }
            }
            Err(refused) => assert_eq!(
                (refused.reason, refused.payload),
                (RefusalReason::QueueFull, n.to_string())
            ),
        }
    }
    // A second later a message more would have gone out.
    assert_eq!((instants.len(), ids.len()), (150, 350));
    assert!(instants.iter().all(|at| *at == instants[0]), "{instants:?}");
    assert!(ids.iter().map(|(n, _)| *n).eq(0..350) && ids.is_sorted_by_key(|(_, id)| *id));
    let batch = reader.try_next_batch().unwrap().unwrap();
    assert!(
        batch
            .messages()
            .iter()
            .map(|message| &message.payload)
            .eq(&(0..150).map(|n| n.to_string()).collect::<Vec<_>>())
    );
}

/// It wakes those who wait, and tells what became of messages before it.
#[tokio::test(start_paused = true)]
async fn b19_a_burst_wakes_and_tells_earlier_outcomes() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let events = Arc::clone(&seen);
    let hub = Hub::<&'static str>::builder()
        .workers(1)
        .on_event(move |_, event| events.lock().unwrap().push(event.correlation_id()))
        .spawn();
    let config = RoomConfig::builder(OWNER).rate(1).burst(1).queue_messages(1).build().unwrap();
    let room = hub.create_room(RoomId(1), &config).unwrap();
    let mut reader = room.join(Join::guest()).unwrap();
    let reading = tokio::spawn(async move {
        let first = timeout(Duration::from_millis(500), reader.next_batch())
            .await
            .map(|batch| batch.unwrap().messages()[0].payload);
        (
            first,
            timeout(Duration::from_secs(60), reader.next_batch())
                .await
                .map(|batch| batch.unwrap().messages()[0].payload),
        )
    });
    sleep(Duration::from_millis(1)).await;
    let burst =
        [("like", Priority::Low, 1), ("like", Priority::Low, 2), ("gift", Priority::High, 3)];
    let burst = burst.map(|(text, priority, tag)| {
        say(text).priority(priority).outcome_sink(OutcomeSink::Event(CorrelationId(tag)))
    });
    assert!(room.try_publish_many(burst.into()).iter().all(Result::is_ok));
    assert_eq!(
        *seen.lock().unwrap(),
        [Some(CorrelationId(2))],
        "the second like gave way to the gift"
    );
    assert_eq!(reading.await.unwrap(), (Ok("like"), Ok("gift")));
}

/// The next one joins where there is room.
#[tokio::test(start_paused = true)]
async fn a_session_that_went_twice_is_counted_once() {
    let (_hub, room) = room(&config());
    let mut gone = user(&room, 7);
    assert!(room.session(gone.session()).close());
    assert!(gone.next_batch().await.is_err());
    // A room that thought itself crowded would open its next part, whose slots begin at 1,024.
    assert_eq!(user(&room, 8).session().slot(), 0);
}
