//! A chat over `wss://` with tokio-rustls, whose connections a pump writes to.
//!
//! `cargo run --example pump_tls --features websocket CERTIFICATES KEY`, both in PEM files, then connect
//! to `wss://127.0.0.1:9008/ann`. What is over 12 KiB is refused.

use roomcast::encode::Text;
use roomcast::net::{
    FromPeer, StreamTransport, TcpTransport, WebSocketFrames, WebSocketOptions, WebSocketRequest,
    accept,
};
use roomcast::pump::PumpOptions;
use roomcast::{Direct, Hub, Publish, Pump, Recipient, Room, RoomConfig, Source};
use std::error::Error;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

type Tls = StreamTransport<TlsStream<TcpStream>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut given = std::env::args().skip(1);
    let (Some(certificates), Some(key)) = (given.next(), given.next()) else {
        return Err("usage: pump_tls CERTIFICATES KEY [ADDRESS]".into());
    };
    let address = given.next().unwrap_or_else(|| "127.0.0.1:9008".to_owned());
    let certificates = CertificateDer::pem_file_iter(certificates)?.collect::<Result<_, _>>()?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates, PrivateKeyDer::from_pem_file(key)?)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));

    let hub = Hub::<String>::start();
    let room = hub.open_room("lobby", &RoomConfig::default())?;
    let pump: Pump<_, Tls> = room.pump(WebSocketFrames::text(Text), PumpOptions::default())?;
    let listener = TcpListener::bind(address).await?;
    println!("wss://{}", listener.local_addr()?);
    loop {
        let (stream, peer) = accept(&listener).await;
        let (acceptor, room, pump) = (acceptor.clone(), room.clone(), pump.clone());
        tokio::spawn(async move {
            if let Err(error) = visit(stream, &acceptor, &room, &pump).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

/// Reads one connection until it ends, by its peer or because the pump has let go.
async fn visit(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    room: &Room<String>,
    pump: &Pump<String, Tls>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let options = WebSocketOptions::default();
    TcpTransport::prepare(&stream, options.unsent)?;
    let stream = timeout(options.handshake_timeout, acceptor.accept(stream)).await??;
    let request = WebSocketRequest::read(stream, options).await?;
    let user = request.uri().path().trim_matches('/').to_owned();
    let (mut reader, transport) = request.accept_stream().await?;
    let pumped = pump.join(&*user, transport).map_err(|refused| refused.error)?;
    while let Some(said) = reader.next(|answer| pumped.control(answer)).await {
        let FromPeer::Text(text) = said? else { continue };
        let text = format!("{user}: {}", String::from_utf8_lossy(&text));
        let publish = Publish::new(Source::Session(pumped.session()), text);
        if let Err(refused) = room.try_publish(publish) {
            // Only the one who spoke is told, in its place among the messages.
            let note = Direct::new(format!("not sent, {refused}"));
            let _ = room.send_direct(Recipient::Session(pumped.session()), note);
        }
    }
    Ok(())
}
