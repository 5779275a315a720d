//! Simulated viewers: a task and a subscription each, as for real connections.

use roomcast::error::JoinError;
use roomcast::{Join, Room, Subscription};
use tokio::sync::watch;

use crate::room::{Said, nap, viewer};

/// What the viewers are like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Those with a number below this are slow.
    pub(super) slow: u32,
    /// The room ends: nobody looks away any more.
    pub(super) ending: bool,
}

/// Lets so many viewers in.
pub(super) fn seat(
    room: &Room<Said>,
    count: u32,
    pace: &watch::Receiver<Pace>,
) -> Result<(), JoinError> {
    for number in 0..count {
        let subscription = room.join(viewer(number).map_or(Join::guest(), Join::user))?;
        tokio::spawn(watch_along(number, subscription, pace.clone()));
    }
    Ok(())
}

async fn watch_along(
    number: u32,
    mut subscription: Subscription<Said>,
    mut pace: watch::Receiver<Pace>,
) {
    loop {
        let Pace { slow, ending } = *pace.borrow_and_update();
        if number < slow && !ending {
            tokio::select! {
                () = tokio::time::sleep(nap(number)) => {}
                changed = pace.changed() => if changed.is_err() { return } else { continue },
            }
        }
        if subscription.next_batch().await.is_err() {
            return;
        }
    }
}
