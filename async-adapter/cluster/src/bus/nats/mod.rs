//! A bus over NATS with `JetStream`.
//!
//! The logs of all rooms are one stream, with a subject for each room; the keys are another one. What
//! the log has accepted is republished by the server on a subject of its own, and only there nodes
//! subscribe: plain subscribers of the log's own subjects would see what was refused.

mod calls;
mod heard;
mod options;
mod streams;

pub use async_nats::ConnectOptions;
pub use options::{NatsError, NatsOptions, Storage};

use super::{Answer, CallId, Connection, FromBus, Key, Push, Request, Said};
use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::push::{Ordered, OrderedConfig, OrderedError};
use async_nats::jetstream::consumer::{DeliverPolicy, ReplayPolicy};
use async_nats::jetstream::context::ContextBuilder;
use async_nats::{Client, Event};
use calls::Called;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use heard::Heard;
use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use streams::Streams;
use tokio::sync::mpsc;

/// The oldest server that can do what is needed.
const OLDEST: (i64, i64, i64) = (2, 12, 0);

/// How long something is left alone that the server would not do.
const AGAIN: Duration = Duration::from_secs(1);

/// A connection to a bus over NATS with `JetStream`, of one node: the calls and answers of
/// [`bus`](crate::bus).
///
/// Requests are [put in](Self::request) without waiting, and what comes of them is awaited with
/// [`next`](Self::next), by which alone anything happens: there is no task behind it, and to drop it
/// ends all that it has subscribed to. Where the connection is lost, calls are answered as
/// [`Unknown`](Answer::Unknown), and when it is there again, [`Said::Reconnected`] says that
/// everything is to be subscribed to anew.
///
/// ```no_run
/// use roomcast_cluster::bus::{Answer, CallId, FromBus, NatsBus, NatsOptions, Request, Said};
/// use roomcast_core::RoomId;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let mut bus = NatsBus::connect("nats://10.0.0.1:4222", NatsOptions::new().replicas(3)).await?;
/// bus.request(Some(CallId(1)), Request::Last { room: RoomId(42) });
/// while let Some(said) = bus.next().await {
///     if let Said::Bus(FromBus::Answer(CallId(1), Answer::Read(record))) = said {
///         println!("the log ends with {record:?}");
///         break;
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct NatsBus {
    client: Client,
    options: NatsOptions,
    streams: Arc<Streams>,
    waiting: VecDeque<(Option<CallId>, Request)>,
    flying: FuturesUnordered<BoxFuture<'static, Done>>,
    heard: Heard,
    watch: Option<Box<Ordered>>,
    /// The keys that a watch has begun with, until all have come; then they are told.
    first_keys: Option<Vec<Push>>,
    ready: VecDeque<Push>,
    connected: mpsc::UnboundedReceiver<bool>,
    is_connected: bool,
    /// There is a connection, and the streams were seen over it.
    is_ready: bool,
    /// How often the streams were looked for: what was begun before counts no more.
    life: u64,
}

/// Something that was on its way has come to an end.
enum Done {
    Called(CallId, Called),
    Watching(u64, Result<Box<Ordered>, String>),
    Opened(u64, Result<Arc<Streams>, NatsError>),
}

impl Connection for NatsBus {
    fn request(&mut self, call: Option<CallId>, request: Request) {
        Self::request(self, call, request);
    }

    fn next(&mut self) -> impl Future<Output = Option<Said>> + Send {
        Self::next(self)
    }
}

impl NatsBus {
    /// Connects to the server at one of these addresses, separated by commas, and makes the streams
    /// of the cluster there, unless there are some.
    ///
    /// # Errors
    ///
    /// [`NatsError`], if there is no such server or it cannot be used.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn connect(addresses: &str, options: NatsOptions) -> Result<Self, NatsError> {
        options.check()?;
        let (tell, connected) = mpsc::unbounded_channel();
        let connect = options.connection.clone().event_callback(move |event| {
            // Nobody hears it any more when the bus has been dropped.
            let _ = match event {
                Event::Connected => tell.send(true),
                Event::Disconnected | Event::Closed => tell.send(false),
                _ => Ok(()),
            };
            std::future::ready(())
        });
        let addresses: Vec<&str> = addresses.split(',').map(str::trim).collect();
        let client = connect.connect(addresses).await?;
        let (major, minor, patch) = OLDEST;
        if !client.is_server_compatible(major, minor, patch) {
            let found = client.server_info().version;
            return Err(NatsError::TooOld { found });
        }
        let context = ContextBuilder::new();
        let context = context.timeout(options.answer).ack_timeout(options.answer);
        let streams = Streams::open(context.build(client.clone()), &options).await?;
        Ok(Self {
            client,
            options,
            streams,
            waiting: VecDeque::new(),
            flying: FuturesUnordered::new(),
            heard: Heard::default(),
            watch: None,
            first_keys: None,
            ready: VecDeque::new(),
            connected,
            is_connected: true,
            is_ready: true,
            life: 0,
        })
    }

    /// Puts in a request. One that is answered has a number, which comes back with the answer.
    pub fn request(&mut self, call: Option<CallId>, request: Request) {
        self.waiting.push_back((call, request));
    }

    /// The next thing that the bus says; `None` if the connection is closed for good. To drop the
    /// future loses nothing.
    pub async fn next(&mut self) -> Option<Said> {
        loop {
            while let Some((call, request)) = self.waiting.pop_front() {
                self.begin(call, request);
            }
            if let Some(push) = self.ready.pop_front() {
                return Some(Said::Bus(FromBus::Push(push)));
            }
            let said = tokio::select! {
                connected = self.connected.recv() => self.connection(connected?),
                Some(push) = self.heard.next() => Some(Said::Bus(FromBus::Push(push))),
                Some(done) = self.flying.next() => self.done(done),
                told = next_of(&mut self.watch), if self.watch.is_some() => self.told(told),
            };
            if said.is_some() {
                return said;
            }
        }
    }

    /// Sends a request on its way.
    fn begin(&mut self, call: Option<CallId>, request: Request) {
        if !self.is_ready {
            // The rest is asked for anew, or may get lost.
            let wait = tokio::time::sleep(self.options.answer);
            self.fly(call, wait.map(|()| Called::Answered(Answer::Unknown)));
            return;
        }
        let streams = self.streams.clone();
        match request {
            Request::Append { room, expected, bytes } => {
                self.fly(call, calls::append(streams, room, expected, bytes));
            }
            Request::Last { room } => self.fly(call, calls::last(streams, room)),
            Request::After { room, at } => self.fly(call, calls::after(streams, room, at)),
            Request::Put { key, expected, value, ttl } => {
                self.fly(call, calls::put(streams, key, expected, Some(value), ttl));
            }
            Request::Delete { key, expected } => {
                self.fly(call, calls::delete(streams, key, expected));
            }
            Request::Subscribe { room } => {
                let subject = self.streams.names.out(room);
                self.heard.records(&self.client, subject, room);
            }
            Request::Unsubscribe { room } => self.heard.end_records(room),
            Request::Listen { room } => {
                let subject = self.streams.names.forward(room);
                self.heard.sent(&self.client, subject, room);
            }
            Request::Unlisten { room } => self.heard.end_sent(room),
            Request::Send { room, bytes } => {
                let send = self.client.publish(self.streams.names.forward(room), bytes);
                // At once or not at all: what is sent may get lost, and is sent again.
                let _ = tokio::task::unconstrained(send).now_or_never();
            }
            Request::Watch => self.watch(Duration::ZERO),
        }
    }

    fn fly(&mut self, call: Option<CallId>, answer: impl Future<Output = Called> + Send + 'static) {
        if let Some(call) = call {
            self.flying.push(answer.map(move |called| Done::Called(call, called)).boxed());
        }
    }

    /// Begins to watch the keys, after a while.
    fn watch(&mut self, wait: Duration) {
        let (streams, inbox, life) = (self.streams.clone(), self.client.new_inbox(), self.life);
        self.watch = None;
        let watching = async move {
            tokio::time::sleep(wait).await;
            let config = OrderedConfig {
                deliver_subject: inbox,
                deliver_policy: DeliverPolicy::LastPerSubject,
                replay_policy: ReplayPolicy::Instant,
                filter_subject: streams.names.all_keys(),
                ..OrderedConfig::default()
            };
            let consumer = streams.keys.create_consumer(config).await;
            let consumer = consumer.map_err(|error| error.to_string())?;
            let messages = consumer.messages().await;
            messages.map(Box::new).map_err(|error| error.to_string())
        };
        self.flying.push(watching.map(move |watch| Done::Watching(life, watch)).boxed());
    }

    /// Ends what is subscribed to, looks for the streams, and makes them anew if they are lost.
    fn open(&mut self, wait: Duration) {
        self.close();
        let (context, options) = (self.streams.context.clone(), self.options.clone());
        let life = self.life;
        let opening = async move {
            tokio::time::sleep(wait).await;
            Streams::open(context, &options).await
        };
        self.flying.push(opening.map(move |opened| Done::Opened(life, opened)).boxed());
    }

    fn close(&mut self) {
        self.is_ready = false;
        self.life += 1;
        self.heard = Heard::default();
        self.watch = None;
        self.first_keys = None;
        self.ready.clear();
    }

    fn connection(&mut self, is_there: bool) -> Option<Said> {
        // The first one is told as well.
        if std::mem::replace(&mut self.is_connected, is_there) != is_there {
            if is_there {
                self.open(Duration::ZERO);
            } else {
                self.close();
            }
        }
        None
    }

    fn done(&mut self, done: Done) -> Option<Said> {
        match done {
            Done::Called(call, Called::Answered(answer)) => {
                Some(Said::Bus(FromBus::Answer(call, answer)))
            }
            Done::Called(call, Called::NoStream) => {
                if self.is_ready {
                    self.open(Duration::ZERO);
                }
                Some(Said::Bus(FromBus::Answer(call, Answer::Unknown)))
            }
            Done::Watching(life, _) | Done::Opened(life, _) if life != self.life => None,
            Done::Watching(_, Ok(watch)) => {
                self.watch = Some(watch);
                self.first_keys = Some(Vec::new());
                None
            }
            Done::Watching(_, Err(_)) => {
                self.watch(AGAIN);
                None
            }
            Done::Opened(_, Ok(streams)) => {
                self.streams = streams;
                self.is_ready = true;
                Some(Said::Reconnected)
            }
            Done::Opened(_, Err(_)) => {
                self.open(AGAIN);
                None
            }
        }
    }

    /// The watch tells of a key, or breaks off.
    fn told(&mut self, told: Option<Result<Message, OrderedError>>) -> Option<Said> {
        let Some(Ok(message)) = told else {
            self.open(AGAIN);
            return None;
        };
        let info = message.info().ok()?;
        let (revision, is_last) = (info.stream_sequence, info.pending == 0);
        let is_gone = message.headers.as_ref().is_some_and(calls::is_gone);
        let value = (!is_gone).then(|| message.payload.clone());
        let key = self.streams.names.key_of(&message.subject);
        let push = key.map(|key| Push::Key { key, revision, value });
        let Some(first) = &mut self.first_keys else {
            return push.map(|push| Said::Bus(FromBus::Push(push)));
        };
        first.extend(push);
        if is_last {
            let mut first = self.first_keys.take().unwrap_or_default();
            // Who lives, before who owns what: a lease that was renewed is younger than what it is for.
            first.sort_by_key(|push| matches!(push, Push::Key { key: Key::Room(_), .. }));
            self.ready.extend(first);
        }
        None
    }
}

/// What a watch tells next; nothing if there is none.
async fn next_of(watch: &mut Option<Box<Ordered>>) -> Option<Result<Message, OrderedError>> {
    match watch {
        Some(watch) => watch.next().await,
        None => std::future::pending().await,
    }
}

impl std::fmt::Debug for NatsBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NatsBus")
            .field("options", &self.options)
            .field("is_ready", &self.is_ready)
            .finish_non_exhaustive()
    }
}
