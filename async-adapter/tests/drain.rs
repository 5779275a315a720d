//! The orderly end of a hub, in paused time: when it comes, and what its report counts (clause B14).
#![cfg(feature = "tokio")]

use roomcast::error::{CreateRoomError, DropReason, RefusalReason, SessionEnd};
use roomcast::event::EndReason;
use roomcast::{
    Actor, Hub, Join, Outcome, PerLevel, Priority, Publish, Room, RoomConfig, RoomId, Source,
    UserId,
};
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// One message a second; High waits for ever, everything else half a second.
fn slow() -> RoomConfig {
    let half = Some(Duration::from_millis(500));
    RoomConfig::builder(UserId(1))
        .rate(1)
        .burst(1)
        .fresh_within(PerLevel([None, half, half, half]))
        .build()
        .unwrap()
}

fn hub_with(rooms: u64) -> (Hub<&'static str>, Vec<Room<&'static str>>) {
    let hub = Hub::<&'static str>::builder().workers(2).spawn();
    let rooms = (0..rooms).map(|id| hub.create_room(RoomId(id), &slow()).unwrap()).collect();
    (hub, rooms)
}

fn say(room: &Room<&'static str>, priority: Priority, times: usize) {
    for _ in 0..times {
        let _ = room.try_publish(Publish::new(Source::Host, "x").priority(priority)).unwrap();
    }
}

/// Messages still wait then.
#[tokio::test(start_paused = true)]
async fn b14_a_drain_ends_at_its_deadline() {
    let (hub, rooms) = hub_with(1);
    say(&rooms[0], Priority::High, 100);
    let never_reads = rooms[0].join(Join::guest()).unwrap();
    let last = tokio::spawn({
        let room = rooms[0].clone();
        async move { room.publish(Publish::new(Source::Host, "last").priority(Priority::High)).await }
    });
    sleep(Duration::from_millis(1)).await;
    let start = Instant::now();
    let report = hub.drain(Duration::from_millis(2_500)).await;
    let took = start.elapsed().as_millis();
    // It looks every few milliseconds whether it is done; going on until nothing waits would take a hundred seconds.
    assert!((2_500..2_550).contains(&took), "took {took} ms");
    // One had gone out before it began, and one each second since.
    assert_eq!((report.dispatched, report.expired, report.dropped), (2, 0, 98));
    assert!(matches!(
        last.await.unwrap(),
        Ok(Outcome::Dropped { reason: DropReason::RoomClosed, .. })
    ));
    drop(never_reads);
}

/// It takes nothing new meanwhile.
#[tokio::test(start_paused = true)]
async fn b14_a_drain_ends_as_soon_as_nothing_waits() {
    let (hub, rooms) = hub_with(2);
    say(&rooms[0], Priority::High, 4);
    let drain = tokio::spawn(async move {
        let start = Instant::now();
        (hub.drain(Duration::from_secs(60)).await, start.elapsed().as_millis())
    });
    sleep(Duration::from_millis(1_500)).await;
    for room in &rooms {
        let refused = room.try_publish(Publish::new(Source::Host, "late")).unwrap_err();
        assert_eq!((refused.reason, refused.payload), (RefusalReason::RoomClosed, "late"));
    }
    let (report, took) = drain.await.unwrap();
    assert_eq!((report.rooms, report.dispatched, report.dropped), (2, 3, 0));
    assert!((3_000..3_050).contains(&took), "took {took} ms");
}

/// What expired during the drain, and what its deadline dropped.
#[tokio::test(start_paused = true)]
async fn b14_the_drain_report_counts_expired_and_dropped() {
    let (hub, rooms) = hub_with(3);
    // What became of messages before the drain is not the drain's: 5 expire, and 6 are dropped with a room that closes early.
    say(&rooms[0], Priority::High, 1);
    say(&rooms[0], Priority::Low, 5);
    say(&rooms[1], Priority::High, 7);
    rooms[1].close(Actor::Host).unwrap();
    sleep(Duration::from_millis(600)).await;
    let books = |room: &Room<&'static str>| room.stats().room.admission.ledger.total();
    assert_eq!(books(&rooms[0]).dropped.count(DropReason::Expired), 5);
    assert_eq!(books(&rooms[1]).dropped.count(DropReason::RoomClosed), 6);

    say(&rooms[0], Priority::High, 10);
    say(&rooms[0], Priority::Low, 3);
    say(&rooms[2], Priority::High, 1);
    say(&rooms[2], Priority::Normal, 4);
    let report = hub.drain(Duration::from_millis(1_900)).await;
    // The first room's tokens come 0.4 and 1.4 s into the drain. Nothing but High waits long enough for one.
    assert_eq!(
        (report.rooms, report.dispatched),
        (2, 2),
        "the one that has ended is no room any more"
    );
    assert_eq!(report.expired, 3 + 4);
    assert_eq!(report.dropped, 8);
    for room in &rooms {
        assert!(room.stats().room.balances());
        assert_eq!(books(room).queued, 0);
    }
}

/// They have until then to take what they are due.
#[tokio::test(start_paused = true)]
async fn b14_sessions_have_until_the_drains_deadline() {
    let (hub, rooms) = hub_with(1);
    let join = || rooms[0].join(Join::guest()).unwrap();
    let (mut late, mut gone, never_reads) = (join(), join(), join());
    say(&rooms[0], Priority::High, 1);
    // Before the drain: one delivery is made, and one is given up.
    assert!(late.next_batch().await.is_ok());
    assert!(rooms[0].session(gone.session()).close() && gone.next_batch().await.is_err());
    sleep(Duration::from_secs(1)).await;
    say(&rooms[0], Priority::High, 1);
    let reading = tokio::spawn(async move {
        sleep(Duration::from_millis(1_900)).await;
        assert_eq!(late.next_batch().await.unwrap().messages().len(), 1);
        late.next_batch().await.map(drop)
    });
    let start = Instant::now();
    let report = hub.drain(Duration::from_secs(2)).await;
    assert_eq!(reading.await.unwrap(), Err(SessionEnd::Closed(EndReason::RoomClosed)));
    assert!(start.elapsed() >= Duration::from_secs(2), "one never reads");
    // The one that never reads was due both messages.
    assert_eq!((report.dispatched, report.delivered, report.abandoned), (0, 1, 2));
    assert!(rooms[0].stats().room.balances());
    drop(never_reads);
}

#[tokio::test(start_paused = true)]
async fn b14_no_room_is_opened_in_a_drain() {
    let (hub, rooms) = hub_with(1);
    say(&rooms[0], Priority::High, 2);
    let mut drain = std::pin::pin!(hub.drain(Duration::from_secs(9)));
    assert!(poll_fn(|cx| Poll::Ready(drain.as_mut().poll(cx).is_pending())).await);
    assert_eq!(hub.open_room(RoomId(7), &slow()).unwrap_err(), CreateRoomError::ShuttingDown);
    assert!(!hub.open_room(RoomId(0), &slow()).unwrap().is_new(), "it is still there");
    assert_eq!(drain.await.rooms, 1);
    assert_eq!(hub.open_room(RoomId(0), &slow()).unwrap_err(), CreateRoomError::ShuttingDown);
}

/// One thread for all: whoever else runs there has a turn after each 64 rooms.
#[tokio::test(start_paused = true)]
async fn b14_a_drain_lets_other_tasks_run() {
    let (hub, _rooms) = hub_with(2_000);
    tokio::task::yield_now().await;
    let turns = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&turns);
    let other = tokio::spawn(async move {
        loop {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    let report = hub.drain(Duration::from_secs(9)).await;
    other.abort();
    assert_eq!((report.rooms, report.unended), (2_000, 0));
    // Five times through all of them.
    assert!(turns.load(Ordering::Relaxed) >= 5 * 2_000 / 64, "{turns:?}");
}

/// Its runtime has ended, and with it the workers.
#[test]
fn b14_a_drain_ends_without_its_workers() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (hub, rooms) = runtime.block_on(async { hub_with(3) });
    let reader = rooms[1].join(Join::guest()).unwrap();
    say(&rooms[1], Priority::High, 1);
    drop(runtime);
    let report = hub.drain_blocking(Duration::from_millis(20));
    assert_eq!((report.rooms, report.unended, report.abandoned), (1, 0, 1), "two were empty");
    assert!(rooms.iter().all(|room| room.stats().room.balances()));
    drop(reader);
}
