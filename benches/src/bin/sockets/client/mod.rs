//! A client process: it holds its share of the connections on one thread, reads what comes, and
//! counts.

mod connection;
mod latencies;

use crate::orders::{Call, Connected, Counted, Order, Seen};
use connection::{connect, read_all};
use futures_util::{StreamExt, stream};
use latencies::Latencies;
use roomcast_benches::books::Books;
use roomcast_benches::child::{orders, tell};
use roomcast_benches::record;
use socket2::SockRef;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};

/// Connections that are on their way at once.
const AT_ONCE: usize = 64;
/// How often it is looked at whether everything has arrived.
const LOOK: Duration = Duration::from_millis(10);
/// Nothing came for so long: nothing will.
const QUIET: Duration = Duration::from_secs(5);
/// How often it is looked at what has come. Meanwhile the thread sleeps beside the poller and not
/// in it, so that no server pays for waking it: clients on other machines do not make it pay
/// either.
const NAP: Duration = Duration::from_millis(1);
/// Of so many messages that are not High one is timed, at fast clients.
const SAMPLE: u32 = 64;
/// What one read takes at the most.
const BUFFER: usize = 64 << 10;

/// What all connections of this process share.
struct Share {
    buffer: RefCell<Vec<u8>>,
    /// What was offered from one instant until the other is timed.
    window: Cell<(u64, u64)>,
    /// Whether those that read slowly are to read all there is.
    hurry: Cell<bool>,
    bytes: Cell<u64>,
    /// What they were when the window ended.
    bytes_in_time: Cell<u64>,
    fast: RefCell<Latencies>,
    slow: RefCell<Latencies>,
    trouble: RefCell<Option<String>>,
}

/// What is known of one connection.
struct Member {
    is_slow: bool,
    /// Whether it reads little at a time.
    sips: bool,
    books: RefCell<Books>,
    is_closed: Cell<bool>,
    /// Bytes that the kernel takes ahead, where it was asked for few.
    receive_buffer: Option<u64>,
}

/// Reads until the process that started this one is done with it.
pub(crate) fn run(call: &Call) -> Result<(), String> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    LocalSet::new().block_on(&runtime, obey(call))
}

async fn obey(call: &Call) -> Result<(), String> {
    let share = Rc::new(Share {
        buffer: RefCell::new(vec![0; BUFFER]),
        window: Cell::new((u64::MAX, u64::MAX)),
        hurry: Cell::new(false),
        bytes: Cell::new(0),
        bytes_in_time: Cell::new(0),
        fast: RefCell::new(Latencies::one_in(SAMPLE)?),
        slow: RefCell::new(Latencies::one_in(1)?),
        trouble: RefCell::new(None),
    });
    tokio::task::spawn_local(async {
        loop {
            std::thread::sleep(NAP);
            tokio::task::yield_now().await;
        }
    });
    let (members, stopped_by) = let_all_in(call, &share).await;
    tell(&Connected { connections: u32::try_from(members.len()).unwrap_or(u32::MAX), stopped_by })?;
    let mut orders = orders();
    while let Some(order) = orders.recv().await {
        match order {
            Order::Await { .. } => {}
            Order::Measure { from, to } => {
                share.window.set((from, to));
                let share = Rc::clone(&share);
                tokio::task::spawn_local(async move {
                    sleep(Duration::from_nanos(to.saturating_sub(record::now()))).await;
                    share.bytes_in_time.set(share.bytes.get());
                });
            }
            Order::Finish { messages } => {
                share.hurry.set(true);
                until_all_has_come(&share, &members, messages).await;
                tell(&counted(&share, &members))?;
            }
        }
    }
    Ok(())
}

/// Connects until all are in, or until one is not let in: then why.
async fn let_all_in(call: &Call, share: &Rc<Share>) -> (Vec<Rc<Member>>, Option<String>) {
    let mut members = Vec::new();
    let numbers = call.first..call.first + call.count;
    let mut coming =
        stream::iter(numbers).map(|number| connect(call, number)).buffer_unordered(AT_ONCE);
    while let Some(answer) = coming.next().await {
        match answer {
            Ok((stream, is_slow)) => {
                let sips = is_slow && call.load.link.is_none();
                let buffer = sips.then(|| SockRef::from(&stream).recv_buffer_size().ok()).flatten();
                let member = Rc::new(Member {
                    is_slow,
                    sips,
                    receive_buffer: buffer.map(|bytes| bytes as u64),
                    books: RefCell::default(),
                    is_closed: Cell::new(false),
                });
                tokio::task::spawn_local(read_all(
                    call.wire,
                    stream,
                    Rc::clone(&member),
                    Rc::clone(share),
                ));
                members.push(member);
            }
            Err(line) => return (members, Some(line)),
        }
    }
    (members, None)
}

/// Waits until every connection has got so many messages or was told that it missed them, or until
/// nothing comes any more.
async fn until_all_has_come(share: &Share, members: &[Rc<Member>], messages: u64) {
    let (mut seen, mut since) = (share.bytes.get(), Instant::now());
    let is_done = |member: &Rc<Member>| {
        member.is_closed.get() || member.books.borrow().accounted() >= messages
    };
    while since.elapsed() < QUIET && !members.iter().all(is_done) {
        sleep(LOOK).await;
        if share.bytes.get() != seen {
            (seen, since) = (share.bytes.get(), Instant::now());
        }
    }
    // What comes though nothing is due is found out as well.
    sleep(LOOK).await;
}

fn counted(share: &Share, members: &[Rc<Member>]) -> Counted {
    let seen = |is_slow, latencies: &Latencies| {
        let mut all = Seen::default();
        for member in members.iter().filter(|member| member.is_slow == is_slow) {
            let books = member.books.borrow();
            all.add(Seen::by(&books, member.is_closed.get(), member.receive_buffer));
        }
        (all.high, all.normal) = latencies.times();
        all
    };
    Counted {
        fast: seen(false, &share.fast.borrow()),
        slow: seen(true, &share.slow.borrow()),
        bytes: share.bytes.get(),
        bytes_in_time: share.bytes_in_time.get(),
        trouble: share.trouble.borrow().clone(),
    }
}
