//! What the host of an edge asks of its room.

use super::SharedRoom;
use super::gate::AtEdge;
use crate::sync::Arc;
use roomcast_core::message::EdgeMessage;
use roomcast_core::{Actor, Payload};
use std::task::{Context, Poll};

impl<M: Payload + Send + Sync + 'static> SharedRoom<M> {
    /// Calls the edge; `None` where the admission is the room's own.
    pub(crate) fn at_edge<R>(
        self: &Arc<Self>,
        call: impl FnOnce(&mut AtEdge<M>) -> R,
    ) -> Option<R> {
        let (answer, after) = self.in_gate(|gate| gate.edge().map(call));
        self.finish(after);
        answer
    }

    /// The next message for the room, once there is one; `None` when there will be none.
    pub(crate) fn poll_edge_message(
        self: &Arc<Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<EdgeMessage<M>>> {
        let Some(news) = &self.edge_news else { return Poll::Ready(None) };
        loop {
            if let Some(message) = self.at_edge(AtEdge::take).flatten() {
                return Poll::Ready(Some(message));
            }
            if self.is_ended() {
                return Poll::Ready(None);
            }
            // Whatever comes from here on is told to this waker, or has been already.
            if news.signal().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Nobody takes what is let in any more, nor tells what became of what was taken.
    pub(crate) fn take_edge_off(self: &Arc<Self>) {
        let _ = self.at_edge(AtEdge::give_up);
        // One that is closed already is as it should be.
        let _ = self.close(Actor::Host);
    }

    /// Tells whoever waits for the edge's messages, outside the locks, if there is something new.
    pub(super) fn tell_edge_news(&self) {
        if let Some(news) = self.edge_news.as_ref().filter(|news| news.take()) {
            self.fence().call(|| news.signal().raise());
        }
    }
}
