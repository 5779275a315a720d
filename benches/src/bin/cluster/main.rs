//! Figures of rooms on several machines: nodes of one process over real nats-servers.

mod chat;
mod many;
mod nodes;
mod options;
mod owners;
#[path = "../../../../async-adapter/cluster/tests/server/mod.rs"]
mod server;
mod table;

use nodes::Bus;
use options::Options;
use roomcast_benches::command_line::{begin, print};
use roomcast_benches::machine::Machine;
use std::process::ExitCode;
use table::Table;

fn main() -> ExitCode {
    begin(Options::from_args(), |options| match run_with(&options) {
        Ok(text) => print(&text),
        Err(line) => {
            eprintln!("cluster: {line}");
            ExitCode::FAILURE
        }
    })
}

fn run_with(options: &Options) -> Result<String, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    let bus = Bus::start(options.servers)?;
    let mut table = Table::default();
    runtime.block_on(async {
        if options.asks("kill") {
            owners::killed(&bus, options, &mut table).await?;
        }
        if options.asks("handover") {
            owners::handed_over(&bus, options, &mut table).await?;
        }
        if options.asks("latency") {
            chat::latency(&bus, options, &mut table).await?;
        }
        if options.asks("publish") {
            chat::publish(&bus, options, &mut table).await?;
        }
        if options.asks("resume") {
            owners::resumed(&bus, options, &mut table).await?;
        }
        if options.asks("rooms") {
            many::rooms(&bus, options, &mut table).await?;
        }
        if options.asks("takeover") {
            many::taken_over(&bus, options, &mut table).await?;
        }
        Ok::<(), String>(())
    })?;
    // What is still driven ends with the process.
    runtime.shutdown_background();
    let servers = options.servers;
    Ok(format!(
        "{}\n\n{}, {servers} nats-server(s), lease {} s",
        table.text(),
        Machine::this(),
        options.lease
    ))
}
