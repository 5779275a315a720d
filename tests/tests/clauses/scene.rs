//! A room, its owner, and a clock that the test moves.

use roomcast_core::config::RoomConfigBuilder;
use roomcast_core::error::SessionEnd;
use roomcast_core::ids::CorrelationId;
use roomcast_core::message::OutcomeSink;
use roomcast_core::{
    Batch, Budget, Event, Instant, Join, Outcome, Priority, Publish, Receipt, Refused, RoomConfig,
    RoomState, SessionId, Source, UserId,
};

pub(crate) const OWNER: UserId = UserId(1);
pub(crate) const ANN: UserId = UserId(7);
pub(crate) const BOB: UserId = UserId(8);

pub(crate) struct Scene {
    pub(crate) room: RoomState<String>,
    pub(crate) now: Instant,
}

impl Scene {
    /// The preset of an `AVChatRoom`.
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    /// The preset with some settings changed.
    pub(crate) fn with(change: impl FnOnce(RoomConfigBuilder) -> RoomConfigBuilder) -> Self {
        let config = change(RoomConfig::builder(OWNER)).build().expect("a valid configuration");
        Self { room: RoomState::new(&config), now: Instant::from_secs(100) }
    }

    /// A room that sends one message a second and has sent the one of this second: whatever comes
    /// next waits.
    pub(crate) fn busy(change: impl FnOnce(RoomConfigBuilder) -> RoomConfigBuilder) -> Self {
        let mut scene = Self::with(|builder| change(builder.rate(1).burst(1)));
        assert!(scene.host(Priority::High, "the one of this second").unwrap().outcome.is_some());
        scene
    }

    pub(crate) fn wait_millis(&mut self, millis: u64) {
        self.now = self.now + roomcast_core::time::Duration::from_millis(millis);
        self.room.handle_timeout(self.now);
    }

    pub(crate) fn user(&mut self, user: UserId) -> SessionId {
        self.room.join(self.now, Join::user(user)).expect("there is room").session
    }

    pub(crate) fn guest(&mut self) -> SessionId {
        self.room.join(self.now, Join::guest()).expect("there is room").session
    }

    pub(crate) fn publish(&mut self, publish: Publish<String>) -> Result<Receipt, Refused<String>> {
        self.room.publish(self.now, publish)
    }

    /// Something of `Normal` priority.
    pub(crate) fn say(
        &mut self,
        session: SessionId,
        text: &str,
    ) -> Result<Receipt, Refused<String>> {
        self.publish(Publish::new(Source::Session(session), text.into()))
    }

    pub(crate) fn host(&mut self, level: Priority, text: &str) -> Result<Receipt, Refused<String>> {
        self.publish(Publish::new(Source::Host, text.into()).priority(level))
    }

    /// Something of a user's that waits, with a tag to hear of it by.
    pub(crate) fn send(
        &mut self,
        session: SessionId,
        level: Priority,
        text: &str,
        tag: u64,
    ) -> Option<Outcome> {
        let publish = Publish::new(Source::Session(session), text.into())
            .priority(level)
            .outcome_sink(OutcomeSink::Event(CorrelationId(tag)));
        self.publish(publish).expect("let in").outcome
    }

    pub(crate) fn next(&mut self, session: SessionId) -> Result<Option<Batch<String>>, SessionEnd> {
        self.room.next_batch(self.now, session, Budget::default())
    }

    /// The texts of the next batch; nothing when nothing is due.
    pub(crate) fn read(&mut self, session: SessionId) -> Vec<String> {
        let batch = self.next(session).expect("the session is in");
        batch.map_or_else(Vec::new, |batch| texts(&batch))
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.room.poll_event()).collect()
    }

    /// The outcomes that wait, by tag.
    pub(crate) fn outcomes(&mut self) -> Vec<(u64, Outcome)> {
        let told = |event: Event| match event {
            Event::Outcome {
                outcome_sink: OutcomeSink::Event(CorrelationId(tag)),
                outcome,
                ..
            } => Some((tag, outcome)),
            _ => None,
        };
        self.events().into_iter().filter_map(told).collect()
    }
}

pub(crate) fn texts(batch: &Batch<String>) -> Vec<String> {
    batch.messages().iter().map(|message| message.payload.clone()).collect()
}
