//! roomcast with a pump, on TCP and on WebSocket.

use super::room::Hall;
use super::{Site, accept_each, greet, read_on};
use crate::load::Load;
use crate::orders::{Counts, Fates};
use roomcast::net::{TcpTransport, WebSocketFrames, WebSocketOptions, WebSocketReader};
use roomcast::pump::{PumpEncoder, PumpOptions};
use roomcast::{Bytes, Direct, Encoder, GapCause, Join, Message, Priority, Pump};
use roomcast_benches::record::{self, Records};
use std::sync::Arc;
use tokio::net::TcpListener;

struct Pumped {
    hall: Hall,
    pump: Pump<Bytes, TcpTransport>,
}

/// The records behind their lengths.
#[derive(Clone, Debug)]
struct Lengths(Records);

impl Encoder<Bytes> for Lengths {
    type Frame = Vec<u8>;

    fn message(&mut self, message: &Message<Bytes>) -> Vec<u8> {
        behind_length(&self.0.message(message))
    }

    fn direct(&mut self, direct: &Direct<Bytes>) -> Vec<u8> {
        behind_length(&self.0.direct(direct))
    }

    fn gap(&mut self, priority: Priority, count: u64, cause: GapCause) -> Option<Vec<u8>> {
        Encoder::<Bytes>::gap(&mut self.0, priority, count, cause).map(|gap| behind_length(&gap))
    }
}

fn behind_length(record: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(4 + record.len());
    record::with_length(&mut frame, |body| body.extend_from_slice(record));
    frame
}

impl Pumped {
    fn new(load: &Load, encoder: impl PumpEncoder<Bytes> + Sync) -> Result<Self, String> {
        let hall = Hall::open(load)?;
        let mut options = PumpOptions::default();
        options.budget = hall.budget;
        let pump = hall.room.pump(encoder, options).map_err(|error| error.to_string())?;
        Ok(Self { hall, pump })
    }
}

pub(super) fn open_tcp(load: &Load, listener: TcpListener) -> Result<Arc<dyn Site>, String> {
    let site = Pumped::new(load, Lengths(Records))?;
    let pump = site.pump.clone();
    tokio::spawn(accept_each(listener, move |mut stream| {
        let pump = pump.clone();
        async move {
            if greet(&mut stream).await.is_err() {
                return;
            }
            let Ok((read, transport)) = TcpTransport::split(stream) else { return };
            let Ok(_member) = pump.join(Join::guest(), transport) else { return };
            read_on(read).await;
        }
    }));
    Ok(Arc::new(site))
}

pub(super) fn open_websocket(load: &Load, listener: TcpListener) -> Result<Arc<dyn Site>, String> {
    let site = Pumped::new(load, WebSocketFrames::binary(Records))?;
    let pump = site.pump.clone();
    tokio::spawn(accept_each(listener, move |stream| {
        let pump = pump.clone();
        async move {
            let Ok((mut reader, transport)) =
                WebSocketReader::accept(stream, WebSocketOptions::default()).await
            else {
                return;
            };
            let Ok(member) = pump.join(Join::guest(), transport) else { return };
            while let Some(Ok(_)) = reader.next(|frame| member.control(frame)).await {}
        }
    }));
    Ok(Arc::new(site))
}

impl Site for Pumped {
    fn connections(&self) -> u64 {
        self.hall.connections()
    }

    fn publish(&self, _: u64, level: Priority, sent: u64) {
        self.hall.publish(level, sent);
    }

    fn counts(&self) -> Counts {
        let stats = self.pump.stats();
        Counts {
            writes: stats.writes,
            bytes: stats.bytes,
            messages: stats.messages,
            blocked: Some(stats.blocked),
            stalled: stats.stalled,
        }
    }

    fn fates(&self) -> Fates {
        self.hall.fates()
    }
}
