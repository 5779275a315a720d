//! What people use today: a channel, and a task for each member.

use super::tally::{count_handed, count_waiting};
use super::{Fanout, MAX_BURST};
use crate::payload;
use bytes::Bytes;
use std::hint::black_box;
use tokio::sync::{broadcast, mpsc};

/// Messages that a shared channel holds.
const SHARED: usize = 256;
/// Messages that a channel of one member holds.
const OWN: usize = MAX_BURST as usize;

/// `tokio::sync::broadcast`.
#[derive(Debug)]
pub struct TokioBroadcast(broadcast::Sender<Bytes>);

impl Fanout for TokioBroadcast {
    const TASKS: bool = true;

    fn with_members(members: u32) -> Result<Self, String> {
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
        Ok(Self(sender))
    }

    fn publish(&mut self) -> Result<(), String> {
        self.0.send(payload()).map(drop).map_err(|error| error.to_string())
    }
}

/// A bounded `tokio::sync::mpsc` for each member; publishing sends into each.
#[derive(Debug)]
pub struct TokioMpsc(Vec<mpsc::Sender<Bytes>>);

impl Fanout for TokioMpsc {
    const TASKS: bool = true;

    fn with_members(members: u32) -> Result<Self, String> {
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
        Ok(Self(senders))
    }

    fn publish(&mut self) -> Result<(), String> {
        let message = payload();
        self.0
            .iter()
            .try_for_each(|sender| sender.try_send(message.clone()))
            .map_err(|error| error.to_string())
    }
}

/// The crate `async-broadcast`, set so that a publish never waits: a full channel lets its oldest
/// message go.
#[derive(Debug)]
pub struct AsyncBroadcast(async_broadcast::Sender<Bytes>);

impl Fanout for AsyncBroadcast {
    const TASKS: bool = true;

    fn with_members(members: u32) -> Result<Self, String> {
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
        // The receiver that the others were made from would keep every message in the channel; it
        // goes.
        Ok(Self(sender))
    }

    fn publish(&mut self) -> Result<(), String> {
        self.0.try_broadcast(payload()).map(drop).map_err(|error| error.to_string())
    }
}
