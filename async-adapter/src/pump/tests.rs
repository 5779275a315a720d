use super::*;
use crate::encode::Encoder;
use crate::hub::Hub;
use bytes::Bytes;
use roomcast_core::{Direct, GapCause, Join, Message, Priority, RoomConfig, RoomId, UserId};
use std::task::{Context, Poll};

#[derive(Clone)]
struct Nothing;

impl Encoder<&'static str> for Nothing {
    type Frame = Bytes;
    fn message(&mut self, _: &Message<&'static str>) -> Bytes {
        Bytes::new()
    }
    fn direct(&mut self, _: &Direct<&'static str>) -> Bytes {
        Bytes::new()
    }
    fn gap(&mut self, _: Priority, _: u64, _: GapCause) -> Option<Bytes> {
        None
    }
}

impl Transport for Arc<()> {
    fn try_write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn poll_writable(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// It lets everyone go and takes nobody.
#[test]
fn a_pump_without_its_runtime_holds_nobody() {
    let hub = Hub::<&'static str>::builder().workers(1).spawn_threads().unwrap();
    let room = hub.create_room(RoomId(1), &RoomConfig::av_chat_room(UserId(1))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let transport = Arc::new(());
    let (pump, served, unserved) = runtime.block_on(async {
        let pump = room.pump(Nothing, PumpOptions::default()).unwrap();
        let served = pump.join(Join::guest(), Arc::clone(&transport)).unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        // Its connection is on its way when the runtime ends.
        let unserved = pump.join(Join::guest(), Arc::clone(&transport)).unwrap();
        (pump, served, unserved)
    });
    assert_eq!((Arc::strong_count(&transport), room.stats().room.audience.sessions), (3, 2));
    drop(runtime);
    assert_eq!((Arc::strong_count(&transport), room.stats().room.audience.sessions), (1, 0));
    let shard = room.shared().shard(0);
    assert!(shard.lock().pump_notifies.is_empty(), "nobody is told any more");
    let refused = pump.join(Join::guest(), Arc::clone(&transport)).unwrap_err();
    assert_eq!(refused.error, PumpRefusal::Stopped);
    assert_eq!(
        (Arc::strong_count(&refused.transport), room.stats().room.audience.sessions),
        (2, 0)
    );
    let unheard = served.control(Bytes::from_static(b"nobody hears this"));
    assert_eq!(unheard, Err(ControlRefused::Ended));
    drop((served, unserved));
    assert_eq!(pump.stats().connections, 0);
    assert!(pump.inner.pump_shard(0).pump_notify.take_gone().is_empty());
}

/// However much is said to the connection until the pump comes by.
#[test]
fn an_idle_pump_hears_of_a_connection_once() {
    let hub = Hub::<&'static str>::builder().workers(1).spawn_threads().unwrap();
    let room = hub.create_room(RoomId(1), &RoomConfig::av_chat_room(UserId(1))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let pump = room.pump(Nothing, PumpOptions::default()).unwrap();
    let pumped = [(); 3].map(|()| pump.join(Join::guest(), Arc::new(())).unwrap());
    for n in 0..10_000 {
        for one in &pumped {
            let _ = one.control(Bytes::from_static(b"note"));
            one.control(Control::Pong(Bytes::from_static(b"pong"))).unwrap();
        }
        assert_eq!(pump.inner.pump_shard(0).commands.len(), 6, "after {n}");
    }
    runtime.block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
    assert_eq!(pump.inner.pump_shard(0).commands.len(), 0);
    assert_eq!(pump.stats().bytes, 3 * (16 * 4 + 4));
    pumped[0].control(Control::Pong(Bytes::from_static(b"pong"))).unwrap();
    assert_eq!(
        pump.inner.pump_shard(0).commands.len(),
        1,
        "it is told again once it has found the mailbox empty"
    );
}
