//! What a connection has subscribed to.

use super::calls::handed_on;
use crate::bus::Push;
use async_nats::{Client, Message};
use futures_util::stream::{self, AbortHandle, Abortable, BoxStream, SelectAll};
use futures_util::{FutureExt, StreamExt};
use roomcast_core::RoomId;
use std::collections::HashMap;

/// What is subscribed to. To drop it ends all of it.
#[derive(Default)]
pub(super) struct Heard {
    all: SelectAll<Abortable<BoxStream<'static, Push>>>,
    records: HashMap<RoomId, AbortHandle>,
    sent: HashMap<RoomId, AbortHandle>,
}

impl Heard {
    /// Subscribes to the records of a room.
    pub(super) fn records(&mut self, client: &Client, subject: String, room: RoomId) {
        let handle = self.subscribe(client, subject, move |message| {
            handed_on(message).map(|record| Push::Record { room, record })
        });
        end(self.records.insert(room, handle));
    }

    pub(super) fn end_records(&mut self, room: RoomId) {
        end(self.records.remove(&room));
    }

    /// Subscribes to what is sent to the owner of a room.
    pub(super) fn sent(&mut self, client: &Client, subject: String, room: RoomId) {
        let handle = self.subscribe(client, subject, move |message| {
            Some(Push::Sent { room, bytes: message.payload })
        });
        end(self.sent.insert(room, handle));
    }

    pub(super) fn end_sent(&mut self, room: RoomId) {
        end(self.sent.remove(&room));
    }

    /// The next thing that is heard; `None` while nothing is subscribed to.
    pub(super) async fn next(&mut self) -> Option<Push> {
        self.all.next().await
    }

    fn subscribe(
        &mut self,
        client: &Client,
        subject: String,
        read: impl Fn(Message) -> Option<Push> + Clone + Send + Sync + 'static,
    ) -> AbortHandle {
        let client = client.clone();
        // It fails only when the connection is closed for good.
        let subscribing = async move { client.subscribe(subject).await.ok() };
        let messages = subscribing.map(stream::iter).flatten_stream().flatten();
        let pushes = messages.filter_map(move |message| std::future::ready(read(message)));
        let (pushes, handle) = stream::abortable(pushes.boxed());
        self.all.push(pushes);
        handle
    }
}

fn end(handle: Option<AbortHandle>) {
    if let Some(handle) = handle {
        handle.abort();
    }
}
