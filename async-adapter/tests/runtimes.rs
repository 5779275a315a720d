//! Hubs and pumps in processes that begin outside a runtime.

use roomcast::encode::Text;
use roomcast::net::TcpTransport;
use roomcast::pump::PumpOptions;
use roomcast::{Hub, Join, Publish, RoomConfig, RoomId, Source};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

#[test]
fn a_hub_and_a_pump_run_where_they_are_told_to() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.unwrap();
    let hub = Hub::<String>::builder().workers(1).spawn_on(runtime.handle());
    let room = hub.open_room(RoomId(1), &RoomConfig::fan_out()).unwrap();
    let pump = room.pump_on(runtime.handle(), Text, PumpOptions::default()).unwrap();
    let got = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        let (_read, transport) = TcpTransport::split(socket).unwrap();
        let _session = pump.join(Join::guest(), transport).unwrap();
        let _ = room.try_publish(Publish::new(Source::Host, "hello".to_owned())).unwrap();
        let mut got = [0; 5];
        let read = tokio::time::timeout(Duration::from_secs(60), client.read_exact(&mut got));
        read.await.expect("it comes").unwrap();
        got
    });
    assert_eq!(&got, b"hello");
}

/// Where a runtime is missing, the panic says which line of the host's wanted one.
#[test]
fn what_panics_outside_a_runtime_names_its_caller() {
    let named = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&named);
    std::panic::set_hook(Box::new(move |panic| {
        let file = panic.location().map(|location| location.file().to_owned());
        note.lock().unwrap().extend(file);
    }));
    let threads = Hub::<String>::builder().workers(1).spawn_threads().unwrap();
    let room = threads.open_room(RoomId(1), &RoomConfig::fan_out()).unwrap();
    let hub = catch_unwind(|| Hub::<String>::start());
    let pump = catch_unwind(AssertUnwindSafe(|| {
        room.pump::<TcpTransport, _>(Text, PumpOptions::default())
    }));
    let _ = std::panic::take_hook();
    assert!(hub.is_err() && pump.is_err());
    let named = named.lock().unwrap();
    assert!(
        named.len() == 2 && named.iter().all(|file| file.ends_with("runtimes.rs")),
        "{named:?}"
    );
}
