//! roomcast in axum: a task for each socket, which forwards a subscription.

use super::broadcast::{BUFFER, HEAD, serve};
use super::room::Hall;
use super::{Site, Written};
use crate::load::Load;
use crate::orders::{Counts, Fates};
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use futures_util::StreamExt;
use roomcast::net::TcpTransport;
use roomcast::session::{ForwardOptions, forward_batches};
use roomcast::{Batch, Bytes, Encoder, Join, Priority, Subscription};
use roomcast_benches::record::Records;
use std::sync::Arc;
use tokio::net::TcpListener;

struct Subscribed {
    hall: Hall,
    written: Written,
}

pub(super) fn open(load: &Load, listener: TcpListener) -> Result<Arc<dyn Site>, String> {
    let site = Arc::new(Subscribed { hall: Hall::open(load)?, written: Written::default() });
    let router = Router::new().route("/", get(upgrade)).with_state(Arc::clone(&site));
    serve(listener, router, |stream| {
        TcpTransport::prepare_for_sink(stream, TcpTransport::SINK_BUFFER)
    });
    Ok(site)
}

async fn upgrade(upgrade: WebSocketUpgrade, State(site): State<Arc<Subscribed>>) -> Response {
    let upgrade = upgrade.read_buffer_size(BUFFER).write_buffer_size(BUFFER);
    upgrade.on_upgrade(async move |socket| {
        if let Ok(subscription) = site.hall.room.join(Join::guest()) {
            member(socket, subscription.with_budget(site.hall.budget), &site.written).await;
        }
    })
}

async fn member(socket: WebSocket, subscription: Subscription<Bytes>, written: &Written) {
    let (sink, mut said) = socket.split();
    let encode = |batch: &Batch<Bytes>| {
        let records = Records.batch(batch);
        let bytes: u64 = records.iter().map(|record| HEAD + record.len() as u64).sum();
        // Counted before it is written; what is not written in the end is `unsent` in the room's
        // books.
        written.add(batch.messages().len() as u64, bytes);
        records.into_iter().map(|record| Message::Binary(record.into()))
    };
    tokio::select! {
        _ = forward_batches(subscription, sink, encode, ForwardOptions::default()) => {}
        () = async { while let Some(Ok(_)) = said.next().await {} } => {}
    }
}

impl Site for Subscribed {
    fn connections(&self) -> u64 {
        self.hall.connections()
    }

    fn publish(&self, _: u64, level: Priority, sent: u64) {
        self.hall.publish(level, sent);
    }

    fn counts(&self) -> Counts {
        self.written.counts()
    }

    fn fates(&self) -> Fates {
        self.hall.fates()
    }
}
