//! The orderly end of a node: its rooms go to other nodes, and so do its members.

use super::order::Order;
use super::{ClusterHub, ClusterRoom};
use crate::wire::Wire;
use roomcast::session::ResumeToken;
use roomcast::stats::DrainReport;
use roomcast::{Direct, Payload, SessionId};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// How often some members are moved.
const STEP: Duration = Duration::from_millis(20);

/// So long after a member the next one is moved at the latest, however much time there is: those of a node
/// with few need not wait.
const PACE: Duration = Duration::from_millis(2);

/// Members that are moved in one go.
const AT_ONCE: usize = 256;

/// What became of a node's rooms and members while it was drained: [`ClusterHub::drain`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterDrainReport {
    /// Rooms that were open here.
    pub rooms: usize,
    /// Whether every one of them that is open at another node was handed over before the members were
    /// moved. Else the others take them when this node has left.
    pub handed_over: bool,
    /// Sessions that ended as moved.
    pub moved: usize,
    /// Those of them whose last words were too large, and were left out.
    pub unsaid: usize,
    /// Whether the bus has heard that the node has left. Else others wait for its lease to lapse.
    pub has_left: bool,
    /// What the end of the rooms here did to their books.
    pub hub: DrainReport,
}

impl<M: Payload + Wire + Clone + Send + Sync + 'static> ClusterHub<M> {
    /// Ends the node in order, as in a deploy, within about so much time. Nobody joins here any more, and
    /// no room is opened. Rooms that it owns are handed over to nodes at which they are open: a pause of
    /// about two round trips to the bus. Then its members are moved, spread over the time, lest all come
    /// back at once: each takes what it is due, then what `farewell` makes of its token, then
    /// [`EndReason::Moved`](roomcast::event::EndReason::Moved). Where hubs have the same
    /// [token key](roomcast::HubBuilder::token_key), the token is good at every node. Last, the rooms are
    /// closed here, and the node gives back its lease.
    ///
    /// What was published here and has no fate at the end is dropped and told, as
    /// [`EdgeLost`](roomcast::error::DropReason::EdgeLost).
    ///
    /// ```
    /// use roomcast::{Direct, Hub, Join, RoomConfig, RoomId};
    /// use roomcast_cluster::ClusterHub;
    /// use roomcast_cluster::bus::LocalBus;
    /// use roomcast_cluster::proto::NodeOptions;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let bus = LocalBus::new();
    /// let node = |name| {
    ///     let hub = Hub::<String>::builder().token_key(&[7; 32]).spawn();
    ///     ClusterHub::join(hub, bus.connect(), NodeOptions::new(name))
    /// };
    /// let (old, new) = (node(1), node(2));
    /// let room = old.open_room(RoomId(42), &RoomConfig::default()).await?;
    /// new.open_room(RoomId(42), &RoomConfig::default()).await?;
    /// let mut guest = room.join(Join::guest())?;
    /// let reader = tokio::spawn(async move { while guest.next_batch().await.is_ok() {} });
    ///
    /// // First stop accepting connections; then:
    /// let words = |token| Direct::new(format!("go on at another server with {token}"));
    /// let report = old.drain(Duration::from_secs(5), |_, _, token| Some(words(token))).await;
    /// assert_eq!((report.moved, report.handed_over), (1, true));
    /// reader.await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cost
    /// Of a room what [`Room::move_sessions`](roomcast::Room::move_sessions) costs, up to 256 sessions at
    /// a time; between two such steps other tasks run.
    ///
    /// # Cancel safety
    /// What has been done stays done; calling again goes on from there.
    pub async fn drain(
        &self,
        time: Duration,
        mut farewell: impl FnMut(&ClusterRoom<M>, SessionId, ResumeToken) -> Option<Direct<M>>,
    ) -> ClusterDrainReport {
        let start = Instant::now();
        let end = start + time;
        let (rooms, handed_over) = self.retire(start + time / 4).await;
        let mut report =
            ClusterDrainReport { rooms: rooms.len(), handed_over, ..Default::default() };
        move_members(&rooms, end, &mut farewell, &mut report).await;
        while Instant::now() < end && sessions(&rooms) > 0 {
            sleep(STEP).await;
        }
        report.hub = self.hub.drain(end.saturating_duration_since(Instant::now())).await;
        let (tell, told) = oneshot::channel();
        if self.orders.send(Order::Leave { tell }).await.is_ok() {
            // The bus may be gone; a lease of a second or two lapses by itself.
            let until = end.max(Instant::now() + Duration::from_secs(1));
            report.has_left = matches!(timeout_at(until, told).await, Ok(Ok(())));
        }
        report
    }

    /// The node hands over what it owns. Returns its rooms, and whether it has by then.
    async fn retire(&self, until: Instant) -> (Vec<ClusterRoom<M>>, bool) {
        let (tell, mut told) = oneshot::channel();
        if self.orders.send(Order::Retire { tell }).await.is_err() {
            return (Vec::new(), false);
        }
        match timeout_at(until, &mut told).await {
            Ok(Ok(rooms)) => (rooms, true),
            // The node has ended.
            Ok(Err(_)) => (Vec::new(), false),
            Err(_) => (self.open_rooms().await, false),
        }
    }

    /// The rooms that are open here.
    async fn open_rooms(&self) -> Vec<ClusterRoom<M>> {
        let (tell, told) = oneshot::channel();
        match self.orders.send(Order::Rooms { tell }).await {
            Ok(()) => told.await.unwrap_or_default(),
            Err(_) => Vec::new(),
        }
    }
}

/// Sessions that are in and have not ended.
fn sessions<M: Payload + Send + Sync + 'static>(rooms: &[ClusterRoom<M>]) -> u64 {
    rooms.iter().map(|room| room.here().sessions()).sum()
}

/// Moves all members of these rooms, spread over the time up to `end`.
async fn move_members<M: Payload + Send + Sync + 'static>(
    rooms: &[ClusterRoom<M>],
    end: Instant,
    farewell: &mut impl FnMut(&ClusterRoom<M>, SessionId, ResumeToken) -> Option<Direct<M>>,
    report: &mut ClusterDrainReport,
) {
    let start = Instant::now();
    // The rest is for them to take what they are due.
    let span = end.saturating_duration_since(start) * 7 / 10;
    let members = u32::try_from(sessions(rooms)).unwrap_or(u32::MAX).max(1);
    let pace = (span / members).clamp(Duration::from_nanos(1), PACE);
    for room in rooms {
        loop {
            let is_over = Instant::now() >= start + span;
            let so_far = start.elapsed().as_nanos() / pace.as_nanos() + 1;
            let behind = so_far.saturating_sub(report.moved as u128);
            let due = if is_over {
                AT_ONCE
            } else {
                usize::try_from(behind).unwrap_or(AT_ONCE).min(AT_ONCE)
            };
            let moved =
                room.here().move_sessions(due, |session, token| farewell(room, session, token));
            report.moved += moved.sessions;
            report.unsaid += moved.unsaid;
            if due > 0 && moved.sessions == 0 {
                break;
            }
            if is_over || moved.sessions == AT_ONCE {
                tokio::task::yield_now().await;
            } else {
                sleep_until((Instant::now() + STEP).min(end)).await;
            }
        }
    }
}
