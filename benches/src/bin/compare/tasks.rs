//! A task for each member: how they start, and how the publisher waits for them.

use crate::contender::handed;
use std::cell::Cell;
use std::time::{Duration, Instant};
use tokio::task::yield_now;

/// Nobody was handed anything for this long: the rest was lost.
const STALLED: Duration = Duration::from_secs(20);

thread_local! {
    static WAITING: Cell<u32> = const { Cell::new(0) };
}

/// A member's task says so in the same poll in which it begins to wait. (It is not wrapped in a future that does: that would hold the
/// member's twice, and the memory of a session would be wrong.)
pub(crate) fn count_waiting() {
    WAITING.set(WAITING.get() + 1);
}

/// Returns when so many members wait.
pub(crate) async fn until_waiting(members: u32) {
    while WAITING.get() < members {
        yield_now().await;
    }
}

/// Returns when the sinks have been handed so many messages in all.
pub(crate) async fn until_handed(target: u64) -> Result<(), String> {
    let (mut seen, mut since) = (handed(), None);
    while seen < target {
        yield_now().await;
        let now_handed = handed();
        if now_handed != seen {
            (seen, since) = (now_handed, None);
        } else if since.get_or_insert_with(Instant::now).elapsed() > STALLED {
            let missing = target - seen;
            return Err(format!("{missing} messages have not arrived, and none did for {} s", STALLED.as_secs()));
        }
    }
    Ok(())
}
