//! What people use today: a channel, and a task for each member.

use crate::contender::{Fanout, count_handed};
use crate::tasks::{count_waiting, until_handed, until_waiting};
use bytes::Bytes;
use roomcast_benches::payload;
use std::hint::black_box;
use tokio::sync::{broadcast, mpsc};

/// Messages that a shared channel holds.
const SHARED: usize = 256;
/// Messages that a channel of one member holds.
const OWN: usize = 32;

/// `tokio::sync::broadcast`.
pub(crate) struct TokioBroadcast(broadcast::Sender<Bytes>);

impl Fanout for TokioBroadcast {
    async fn with_members(members: u32) -> Result<Self, String> {
        let (sender, _) = broadcast::channel(SHARED);
        for _ in 0..members {
            let mut receiver = sender.subscribe();
            tokio::spawn(async move {
                count_waiting();
                while let Ok(message) = receiver.recv().await {
                    drop(black_box(message));
                    count_handed(1);
                }
            });
        }
        until_waiting(members).await;
        Ok(Self(sender))
    }

    fn publish(&mut self) -> Result<(), String> {
        self.0.send(payload()).map(drop).map_err(|error| error.to_string())
    }

    async fn deliver(&mut self, handed: u64) -> Result<(), String> {
        until_handed(handed).await
    }
}

/// A bounded `tokio::sync::mpsc` for each member; publishing sends into each.
pub(crate) struct TokioMpsc(Vec<mpsc::Sender<Bytes>>);

impl Fanout for TokioMpsc {
    async fn with_members(members: u32) -> Result<Self, String> {
        let mut senders = Vec::with_capacity(members as usize);
        for _ in 0..members {
            let (sender, mut receiver) = mpsc::channel(OWN);
            senders.push(sender);
            tokio::spawn(async move {
                count_waiting();
                while let Some(message) = receiver.recv().await {
                    drop(black_box(message));
                    count_handed(1);
                }
            });
        }
        until_waiting(members).await;
        Ok(Self(senders))
    }

    fn publish(&mut self) -> Result<(), String> {
        let message = payload();
        self.0.iter().try_for_each(|sender| sender.try_send(message.clone())).map_err(|error| error.to_string())
    }

    async fn deliver(&mut self, handed: u64) -> Result<(), String> {
        until_handed(handed).await
    }
}

/// The crate `async-broadcast`, set so that a publish never waits: a full channel lets its oldest message go.
pub(crate) struct AsyncBroadcast {
    sender: async_broadcast::Sender<Bytes>,
}

impl Fanout for AsyncBroadcast {
    async fn with_members(members: u32) -> Result<Self, String> {
        let (mut sender, first) = async_broadcast::broadcast(SHARED);
        sender.set_overflow(true);
        sender.set_await_active(false);
        for _ in 0..members {
            let mut receiver = first.new_receiver();
            tokio::spawn(async move {
                count_waiting();
                while let Ok(message) = receiver.recv_direct().await {
                    drop(black_box(message));
                    count_handed(1);
                }
            });
        }
        // The receiver that the others were made from would keep every message in the channel.
        drop(first);
        until_waiting(members).await;
        Ok(Self { sender })
    }

    fn publish(&mut self) -> Result<(), String> {
        self.sender.try_broadcast(payload()).map(drop).map_err(|error| error.to_string())
    }

    async fn deliver(&mut self, handed: u64) -> Result<(), String> {
        until_handed(handed).await
    }
}
