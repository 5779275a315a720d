//! One open page: what the room says goes out, what the page says comes in, in one task and with no queue between.
//!
//! A batch is taken from the room only when the one before it has been written, so a page that is too slow skips and is told
//! so; one that takes nothing at all for a while is let go.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Error;
use axum::extract::ws::{
    CloseCode, CloseFrame, Message as Frame, Utf8Bytes, WebSocket, close_code,
};
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use roomcast::config::Rate;
use roomcast::error::{JoinError, SessionEnd};
use roomcast::event::{EndReason, StartPosition};
use roomcast::message::Seq;
use roomcast::moderation::{PinId, Until};
use roomcast::session::ResumeToken;
use roomcast::stats::Reason;
use roomcast::time::Instant;
use roomcast::{
    Batch, Clock, Direct, Encoder, GapCause, Join, Message, Outcome, Priority, Refused, RoomConfig,
    Source, Subscription, UserId,
};
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::error::ProtocolError;

use super::House;
use super::announcer::likes;
use super::moderation::Moderator;
use super::nicks::Held;
use crate::live::Change;
use crate::message::What;
use crate::protocol::{
    Fate, Hello, Item as Shown, Level, Rejection, Reply, Request, Standing, Visitor, batch_frame,
};
use crate::room::{Said, offer};

/// A page that takes nothing for so long is let go.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a page that broke the rules may take to hear why.
const LAST_WORD: Duration = Duration::from_secs(1);
/// So often a page is told how to come back to where it is.
const TOKEN_EVERY: Duration = Duration::from_secs(1);
/// The longest reason that a close frame has room for, in bytes.
const MAX_CLOSE_REASON: usize = 123;

/// Why a visit ends.
enum End {
    /// The page is gone, or takes nothing any more: nobody hears a last word.
    Gone,
    /// The page has said goodbye, which is answered.
    Left,
    /// It is told why.
    Told { code: CloseCode, reason: String, retry: bool, until_ms: Option<u64> },
}

impl From<Error> for End {
    fn from(_: Error) -> Self {
        Self::Gone
    }
}

/// Who comes, and with what to go on where he was.
pub(super) type Who = (Result<Visitor, String>, Option<ResumeToken>);

/// Runs a visit to its end.
pub(super) async fn run(mut socket: WebSocket, who: Who, house: &House) {
    let end = match visit(&mut socket, who, house).await {
        Ok(never) => match never {},
        Err(end) => end,
    };
    let (code, reason, retry, until_ms) = match end {
        End::Gone => return,
        End::Left => {
            // The answer goes out while it is read on.
            let _ = tokio::time::timeout(LAST_WORD, socket.recv()).await;
            return;
        }
        End::Told { code, reason, retry, until_ms } => (code, reason, retry, until_ms),
    };
    let close = CloseFrame { code, reason: cut(&reason, MAX_CLOSE_REASON).into() };
    let farewell = async {
        socket.send(Frame::Text(Reply::Bye { reason, retry, until_ms }.to_json().into())).await?;
        socket.send(Frame::Close(Some(close))).await?;
        while socket.recv().await.is_some_and(|frame| frame.is_ok()) {}
        Ok::<(), Error>(())
    };
    let _ = tokio::time::timeout(LAST_WORD, farewell).await;
}

async fn visit(
    socket: &mut WebSocket,
    (visitor, token): Who,
    house: &House,
) -> Result<Infallible, End> {
    let refuse = |reason: String| End::Told {
        code: close_code::POLICY,
        reason,
        retry: false,
        until_ms: None,
    };
    let held = match visitor.map_err(refuse)? {
        Visitor::Guest => None,
        Visitor::Named { nick, key } => Some(house.nicks.hold(&nick, &key).map_err(refuse)?),
    };
    let nick = held.as_ref().map(|held| Arc::clone(held.nick()));
    let subscription = join(house, held.as_ref(), token).map_err(|error| match error {
        JoinError::Banned { until, .. } => banned(house, until),
        other => refuse(other.to_string()),
    })?;
    let user = nick.as_ref().and_then(|nick| house.nicks.user(&house.room, nick));
    let role = Standing::from(user.map(|user| house.room.role_of(user)));
    let hello = Hello::to(
        nick.as_deref(),
        (subscription.session().life(), subscription.start() == StartPosition::Resumed),
        role,
        likes(&house.room),
        &house.recording,
        limits(&house.config.borrow()),
    );
    write(socket, Reply::Hello(hello).to_json()).await?;
    let nick = nick.unwrap_or_default();
    let source = Source::Session(subscription.session());
    let mut visit = Visit { house, nick, user, source, outcomes: FuturesUnordered::new() };
    visit.serve(socket, subscription).await
}

/// How many messages a second the room dispatches, and how many may wait.
fn limits(config: &RoomConfig) -> (u32, u32) {
    let a_second = |rate: Rate| {
        let seconds = rate.period().as_secs_f64();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
        let rounded = (f64::from(rate.count().get()) / seconds).round() as u32;
        rounded
    };
    (config.rate().map_or(u32::MAX, a_second), config.queue().messages)
}

/// Joins the room, where the token says if it can be honoured.
fn join(
    house: &House,
    held: Option<&Held>,
    token: Option<ResumeToken>,
) -> Result<Subscription<Said>, JoinError> {
    let join = || held.map_or_else(|| Join::guest().into(), Held::join);
    let Some(token) = token else { return house.room.join(join()) };
    match house.room.join(join().resume(token)) {
        // The former visit has not noticed yet that its connection is gone.
        Err(JoinError::AlreadyJoined { .. }) => house.room.join(join()),
        joined => joined,
    }
}

/// A visit that is under way.
struct Visit<'a> {
    house: &'a House,
    nick: Arc<str>,
    user: Option<UserId>,
    source: Source,
    /// What became of what this page sent, when it is known.
    outcomes: FuturesUnordered<BoxFuture<'a, (u64, Fate)>>,
}

impl Visit<'_> {
    async fn serve(
        &mut self,
        socket: &mut WebSocket,
        mut subscription: Subscription<Said>,
    ) -> Result<Infallible, End> {
        let mut stats = self.house.stats.clone();
        stats.mark_changed();
        let mut told = None;
        loop {
            tokio::select! {
                batch = subscription.next_batch() => match batch {
                    Ok(batch) => {
                        let now = self.house.clock.now();
                        let is_due = told.is_none_or(|told| now.saturating_since(told) >= TOKEN_EVERY);
                        let token = if is_due { subscription.resume_token() } else { None };
                        told = if token.is_some() { Some(now) } else { told };
                        write(socket, encode(&batch, token)).await?;
                    }
                    Err(end) => return Err(self.told(end)),
                },
                frame = socket.recv() => self.hear(socket, frame).await?,
                Some((id, fate)) = self.outcomes.next(), if !self.outcomes.is_empty() => {
                    write(socket, Reply::Outcome { id, fate }.to_json()).await?;
                }
                Ok(()) = stats.changed() => {
                    let frame = stats.borrow_and_update().clone();
                    write(socket, frame).await?;
                }
            }
        }
    }

    async fn hear(
        &mut self,
        socket: &mut WebSocket,
        frame: Option<Result<Frame, Error>>,
    ) -> Result<(), End> {
        let wrong = |code, reason: &str| {
            Err(End::Told { code, reason: reason.to_owned(), retry: false, until_ms: None })
        };
        match frame {
            Some(Ok(Frame::Text(text))) => match Request::parse(&text) {
                Ok(request) => self.carry_out(request).await,
                Err(Rejection::Malformed(reason)) => return wrong(close_code::POLICY, &reason),
                Err(Rejection::Invalid { id: Some(id), reason }) => {
                    write(socket, Reply::Outcome { id, fate: refused(reason) }.to_json()).await?;
                }
                Err(Rejection::Invalid { id: None, reason }) => {
                    write(socket, Reply::Error { reason }.to_json()).await?;
                }
            },
            Some(Ok(Frame::Binary(_))) => {
                return wrong(
                    close_code::UNSUPPORTED,
                    "a binary frame: want text frames with JSON",
                );
            }
            Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => {}
            Some(Ok(Frame::Close(_))) => return Err(End::Left),
            None => return Err(End::Gone),
            Some(Err(error)) => {
                let reason = format!("a frame that cannot be read: {error}");
                return code_of(error).map_or(Err(End::Gone), |code| wrong(code, &reason));
            }
        }
        Ok(())
    }

    async fn carry_out(&mut self, request: Request) {
        match request {
            Request::Say { id, text } => self.send(id, self.source, What::Text { text }),
            Request::Gift { id, name, count } => {
                self.send(id, self.source, What::Gift { name, count });
            }
            Request::Like { id, count } => self.send(id, self.source, What::Like { count }),
            Request::Notice { id, text } => match self.as_moderator().may_give_notice() {
                Ok(()) => self.send(id, Source::Host, What::Notice { text }),
                Err(reason) => self.answer(id, refused(reason)),
            },
            Request::Moderate(order) => {
                let id = order.id;
                let done = self.as_moderator().carry_out(order);
                self.answer(id, done.map_or_else(refused, |()| Fate::Done));
            }
            Request::MuteRoom { id, muted } => {
                let done = self.as_moderator().mute_room(muted);
                self.answer(id, done.map_or_else(refused, |()| Fate::Done));
            }
            Request::Pin { id, text } => {
                let done = self.as_moderator().pin(text);
                self.answer(id, done.map_or_else(refused, |()| Fate::Done));
            }
            Request::Unpin { id, pin } => {
                let done = self.as_moderator().unpin(PinId(pin));
                self.answer(id, done.map_or_else(refused, |()| Fate::Done));
            }
            Request::SpeakMode { id, mode } => {
                let done = self.as_moderator().set_speak_mode(mode);
                self.answer(id, done.map_or_else(refused, |()| Fate::Done));
            }
            Request::Retract { id, seq } => {
                let done = self.as_moderator().retract(Seq(seq));
                self.answer(id, done.map_or_else(refused, |()| Fate::Done));
            }
            // They fail when the crowd is gone: then there is nothing to change.
            Request::Controls(change) => {
                _ = self.house.changes.send(Change::Controls(change)).await;
            }
            Request::Reset => drop(self.house.changes.send(Change::Reset).await),
        }
    }

    fn as_moderator(&self) -> Moderator<'_> {
        Moderator {
            room: &self.house.room,
            nicks: &self.house.nicks,
            user: self.user,
            nick: &self.nick,
        }
    }

    fn answer(&mut self, id: u64, fate: Fate) {
        self.outcomes.push(Box::pin(std::future::ready((id, fate))));
    }

    /// Offers a message at once; what becomes of it is told when it is known.
    fn send(&mut self, id: u64, source: Source, what: What) {
        let house = self.house;
        let offered = house.clock.now();
        let mut publishing =
            Box::pin(house.room.publish(offer(source, Arc::clone(&self.nick), what)));
        // The first poll publishes: a page that goes has said it all the same.
        let known = publishing.as_mut().now_or_never();
        self.outcomes.push(Box::pin(async move {
            let outcome = match known {
                Some(known) => known,
                None => publishing.await,
            };
            (
                id,
                outcome.map_or_else(
                    |refused| refusal(offered, &refused),
                    |outcome| fate(offered, &outcome),
                ),
            )
        }));
    }

    /// What a page is told whose session has ended.
    fn told(&self, end: SessionEnd) -> End {
        let last = |reason: String, retry| End::Told {
            code: close_code::AWAY,
            reason,
            retry,
            until_ms: None,
        };
        match end {
            SessionEnd::Closed(EndReason::Kicked) => {
                last("you were kicked; you may join again".to_owned(), false)
            }
            SessionEnd::Closed(EndReason::Banned) => {
                // Until when, the engine says to whoever asks to be let in.
                match self.user.map(|user| self.house.room.join(Join::user(user))) {
                    Some(Err(JoinError::Banned { until, .. })) => banned(self.house, until),
                    _ => last("you were banned; you may join again".to_owned(), false),
                }
            }
            SessionEnd::Closed(reason) => last(reason.to_string(), true),
            other => last(other.to_string(), true),
        }
    }
}

/// The code for a page whose frame cannot be read; `None` if it is the connection that is gone.
fn code_of(error: Error) -> Option<CloseCode> {
    match *error.into_inner().downcast::<tungstenite::Error>().ok()? {
        tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        tungstenite::Error::Protocol(_) => Some(close_code::PROTOCOL),
        tungstenite::Error::Utf8(_) => Some(close_code::INVALID),
        tungstenite::Error::Capacity(_) => Some(close_code::SIZE),
        _ => None,
    }
}

/// What someone is told who is banned.
fn banned(house: &House, until: Until) -> End {
    let left = until.instant().map(|until| until.saturating_since(house.clock.now()));
    let reason = if left.is_some() { "you are banned" } else { "you are banned for good" };
    End::Told {
        code: close_code::POLICY,
        reason: reason.to_owned(),
        retry: false,
        until_ms: left.map(millis),
    }
}

async fn write(socket: &mut WebSocket, text: impl Into<Utf8Bytes>) -> Result<(), End> {
    match tokio::time::timeout(WRITE_TIMEOUT, socket.send(Frame::Text(text.into()))).await {
        Ok(sent) => Ok(sent?),
        Err(_) => Err(End::Gone),
    }
}

/// The frame of a batch.
fn encode(batch: &Batch<Said>, token: Option<ResumeToken>) -> String {
    batch_frame(Page.batch(batch).iter(), token.map(|token| token.to_string()).as_deref())
}

/// How the page is told what the room says; each message is encoded once, whoever gets it, but for
/// those who came later.
struct Page;

impl Encoder<Said> for Page {
    type Frame = Arc<str>;

    fn message(&mut self, message: &Message<Said>) -> Arc<str> {
        let encoded = &message.payload.encoded;
        Arc::clone(encoded.get_or_init(|| show(message, false).to_json().into()))
    }

    fn history(&mut self, message: &Message<Said>) -> Arc<str> {
        show(message, true).to_json().into()
    }

    fn direct(&mut self, direct: &Direct<Said>) -> Arc<str> {
        let Said { nick, what, .. } = &direct.payload;
        let level = Level::from(direct.priority);
        let (nick, what) = (nick.to_string(), what.clone());
        Shown::Message { seq: 0, level, nick, history: false, what }.to_json().into()
    }

    fn gap(&mut self, priority: Priority, count: u64, cause: GapCause) -> Option<Arc<str>> {
        let cause = cause.to_string();
        Some(Shown::Gap { level: priority.into(), count, cause }.to_json().into())
    }
}

fn show(message: &Message<Said>, history: bool) -> Shown {
    Shown::Message {
        seq: message.seq.0,
        level: Level::from(message.priority),
        nick: message.payload.nick.to_string(),
        history,
        what: message.payload.what.clone(),
    }
}

fn fate(offered: Instant, outcome: &Outcome) -> Fate {
    match outcome {
        Outcome::Dispatched { seq, at } => {
            let waited = at.saturating_since(offered);
            Fate::Dispatched { seq: seq.0, waited_ms: waited.as_secs_f64() * 1e3 }
        }
        Outcome::Dropped { reason, .. } => Fate::Dropped {
            reason: reason.to_string().replace('_', " "),
            code: Some(reason.name().to_owned()),
        },
        other => Fate::Dropped { reason: other.to_string(), code: None },
    }
}

fn refusal(offered: Instant, refused: &Refused<Said>) -> Fate {
    // The page counts down to the retry itself.
    let &Refused { reason, limit, .. } = refused;
    let says = Refused { reason, limit, retry_at: None, payload: () }.to_string();
    Fate::Refused {
        reason: says.trim_start_matches("refused: ").to_owned(),
        code: Some(refused.reason.name().to_owned()),
        retry_ms: refused.retry_at.map(|at| millis(at.saturating_since(offered))),
    }
}

/// A refusal that is not the engine's verdict on a message.
fn refused(reason: String) -> Fate {
    Fate::Refused { reason, code: None, retry_ms: None }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// At most so many bytes of a text, whole characters.
fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
