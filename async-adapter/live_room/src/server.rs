//! The room for everyone: a page, a WebSocket for each who opens it, and the crowd around them.

mod announcer;
mod connections;
mod metrics;
mod moderation;
mod nicks;
mod stats;
mod visit;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, State, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use roomcast::observe::ObserveOptions;
use roomcast::{Room, RoomConfig};
use roomcast_replay::recording::Recording;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::books::Books;
use crate::crowd::AtEnd;
use crate::live::{Change, LiveRoom, RoomClock};
use crate::options::Options;
use crate::page::{CONTENT_SECURITY_POLICY, asset};
use crate::protocol::{MAX_FRAME_BYTES, Visitor, token_of};
use crate::room::Said;
use crate::stop;
use metrics::Metrics;
use nicks::Nicks;
use stats::StatsFrame;

/// Buffers of a WebSocket: enough for what a page says at once; the defaults hold 137 KB for each idle page.
const SOCKET_BUFFER_BYTES: usize = 4 * 1024;

/// The longest silence of a recording that people are made to sit through, in recorded time.
const LONGEST_SILENCE_US: u64 = 3_000_000;

/// How long the last frames may take when the server ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// What every visit needs.
#[derive(Debug)]
struct House {
    room: Room<Said>,
    clock: RoomClock,
    changes: mpsc::Sender<Change>,
    nicks: Arc<Nicks>,
    stats: watch::Receiver<StatsFrame>,
    recording: String,
    config: watch::Receiver<RoomConfig>,
    /// Each visit holds one end.
    doors: watch::Sender<()>,
}

/// Serves the room until Ctrl-C, or for the duration that the options name. The error is a line for the person who started it.
pub(crate) async fn run(recording: &Arc<Recording>, options: &Options) -> Result<Books, String> {
    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|error| cannot_listen(options.listen, &error))?;
    let address = listener.local_addr().map_err(|error| cannot_listen(options.listen, &error))?;
    let recording = &Arc::new(Recording::clone(recording).without_silences(LONGEST_SILENCE_US));
    let recorder = metrics::install()?;
    let observe = Some(ObserveOptions::default());
    let mut live = LiveRoom::open(recording, options, AtEnd::Repeat, observe)?;
    let (stats_sender, stats) = watch::channel(StatsFrame::default());
    let nicks = Arc::new(Nicks::new(recording.senders()));
    // Each visit holds one end, so that the server can count them and wait for the last one.
    let doors = watch::Sender::default();
    let reporter = stats::report(
        live.room.clone(),
        live.clock,
        live.crowd.clone(),
        Arc::clone(&nicks),
        watch::Sender::clone(&doors),
        stats_sender,
    );
    let reporter = tokio::spawn(reporter);
    let announcer =
        announcer::announce(live.room.clone(), Arc::clone(&nicks), Arc::clone(&live.joins));
    let announcer = tokio::spawn(announcer);
    let house = Arc::new(House {
        room: live.room.clone(),
        clock: live.clock,
        changes: live.changes.clone(),
        nicks,
        stats,
        recording: recording.name().to_owned(),
        config: live.config.clone(),
        doors,
    });
    let metrics = Metrics { hub: live.hub.clone(), recorder };
    let routes = Router::new()
        .route("/ws", get(enter))
        .route("/metrics", get(metrics::metrics).with_state(metrics))
        .fallback(page)
        .with_state(Arc::clone(&house));
    let server = tokio::spawn(connections::serve(listener, routes));
    println!("the room is open at http://{address} · Ctrl-C closes it and prints the ledger");
    println!("what it counts is at http://{address}/metrics, for Prometheus");
    println!("the first to join by name is its host, who may mute, kick and ban");
    tokio::select! {
        () = stop::requested() => {}
        // It fails when the crowd is gone, which here is when the duration is over.
        () = async { while live.crowd.changed().await.is_ok() {} } => {}
    }
    // Nobody new from here on; those who are here get what is due, and a last word.
    server.abort();
    eprintln!("closing; Ctrl-C again does not wait for anyone");
    announcer.abort();
    let mut books = live.end(stop::requested()).await;
    reporter.abort();
    // A page that does not take its last word in time goes without.
    let _ = tokio::time::timeout(FAREWELL, house.doors.closed()).await;
    // The pages spoke too, and the host.
    books.offered = None;
    Ok(books)
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!(
                "{address} is taken by another program: choose another port with --listen, such as --listen {}:0",
                address.ip()
            )
        }
        _ => format!("cannot listen at {address}: {error}"),
    }
}

async fn page(uri: Uri) -> Response {
    let Some(asset) = asset(uri.path()) else {
        return (StatusCode::NOT_FOUND, "there is nothing here: the room is at /\n")
            .into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, asset.body).into_response()
}

async fn enter(
    State(house): State<Arc<House>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !same_origin(&headers) {
        return (StatusCode::FORBIDDEN, "a page from elsewhere may not enter the room\n")
            .into_response();
    }
    let open = house.doors.subscribe();
    let query = query.unwrap_or_default();
    let visitor = Visitor::from_query(&query);
    // A token that cannot be read is worth as much as none.
    let token = token_of(&query).and_then(|token| token.parse().ok());
    upgrade
        .max_frame_size(MAX_FRAME_BYTES)
        .max_message_size(MAX_FRAME_BYTES)
        .read_buffer_size(SOCKET_BUFFER_BYTES)
        .write_buffer_size(SOCKET_BUFFER_BYTES)
        .on_upgrade(move |socket| async move {
            visit::run(socket, (visitor, token), &house).await;
            drop(open);
        })
}

/// A browser says which page opens the socket; other programs need not say.
fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    match (text(header::ORIGIN), text(header::HOST)) {
        (None, _) => true,
        (Some(origin), Some(host)) => origin
            .split_once("://")
            .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host)),
        (Some(_), None) => false,
    }
}
