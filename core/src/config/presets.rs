//! Presets that follow the public documents of chat services:
//! [clause B12](crate::rulebook#b12-presets-of-how-others-do-it).

use super::{
    Echo, EvictionPolicy, LevelQuotas, Levels, QueueDiscipline, RateAlgorithm, RoomConfig,
    RoomConfigBuilder,
};
use crate::ids::UserId;
use crate::priority::PerLevel;
use crate::quota::{Quota, Rate, RateLimit};
use crate::time::Duration;
use core::num::NonZeroU32;

/// The rate and the burst of an `AVChatRoom`.
const FORTY: NonZeroU32 = NonZeroU32::new(40).unwrap();
pub(super) const FORTY_A_SECOND: Quota = Quota::per_second(FORTY);

impl RoomConfig {
    /// A room that only fans out: without a rate and an owner, in which a message comes back to the
    /// session that sent it, as a chat server's own broadcast does. What is let in goes out in the
    /// same call; a session that was away for a moment finds the last 4,096 messages of each level
    /// in the log, or as many as its bytes hold. What arrives is not old, as in the
    /// [default room](Self::default).
    ///
    /// ```
    /// use roomcast_core::{Instant, Join, Outcome, Publish, RoomConfig, RoomState, Source};
    ///
    /// let mut room: RoomState<&str> = RoomState::new(&RoomConfig::fan_out());
    /// let _ = room.join(Instant::ZERO, Join::guest())?;
    /// for _ in 0..3_000 {
    ///     let receipt = room.publish(Instant::ZERO, Publish::new(Source::Host, "at once"))?;
    ///     assert!(matches!(receipt.outcome, Some(Outcome::Dispatched { .. })));
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fan_out() -> Self {
        let mut settings = Self::default().to_settings();
        settings.rate_algorithm = RateAlgorithm::Unlimited;
        settings.echo = Echo::On;
        settings.log_messages = PerLevel([4_096; 4]);
        settings.outbox_capacity = 4_096;
        Self::of(settings, RateLimit::Unlimited)
    }

    /// A room as Tencent's `AVChatRoom` documents it: 40 messages a second from every source
    /// together, higher priority first, first come first served inside one priority, payloads of at
    /// most 12 KiB, no echo to the sender, nothing for late joiners ("Rate limits" and "Message
    /// priority" of the Chat documentation).
    ///
    /// Its second limit of 40 a second for each priority can never decide while the room's own is
    /// 40: whoever raises the rate sets [`level_quotas`](RoomConfigBuilder::level_quotas), to
    /// [`LevelQuotas::HIGH_AND_STAFF_EXEMPT`] or [`LevelQuotas::NOBODY_EXEMPT`].
    pub fn av_chat_room(owner: impl Into<Option<UserId>>) -> Self {
        Self::of(Self::builder(owner).settings, RateLimit::Bucket(FORTY_A_SECOND))
    }

    /// An `AVChatRoom` that tells three priorities apart, as the same documentation describes it
    /// for rooms without `Lowest`: what is offered as `Lowest` counts as `Low`, and the second
    /// limit of 40 a second binds every priority and everyone ("Message priority" of the Chat
    /// documentation).
    pub fn av_chat_room_three_levels(owner: impl Into<Option<UserId>>) -> Self {
        let builder =
            Self::builder(owner).levels(Levels::Three).level_quotas(LevelQuotas::NOBODY_EXEMPT);
        Self::of(builder.settings, RateLimit::Bucket(FORTY_A_SECOND))
    }

    /// A chatroom of `RongCloud`: 40 messages in each 200 ms, of which those of low priority take
    /// at most 20; what is over that is discarded at once, the latest first ("Add Low-Priority
    /// Message Types" of its server API, and its "Chatroom message discard policy").
    ///
    /// Messages there are of high priority unless their type is listed as low: here `High` and
    /// `Normal` are the high ones, `Low` and `Lowest` the low ones.
    pub fn rong_cloud(owner: impl Into<Option<UserId>>) -> Self {
        let low = Some(windows(20, Duration::from_millis(200)));
        let builder = by_windows(owner, 40, Duration::from_millis(200))
            .levels(Levels::Three)
            .level_quotas(LevelQuotas {
                levels: PerLevel([None, None, low, low]),
                ..LevelQuotas::NONE
            })
            .eviction(EvictionPolicy::Newest)
            .fresh_within(PerLevel([Some(Duration::ZERO); 4]));
        built(builder, 40, Duration::from_millis(200))
    }

    /// A chatroom of `NetEase` Yunxin: 20 messages a second, and beside them 10 of high priority;
    /// what is over that is dropped at random ("Delivery of important chatroom messages" of its IM
    /// documentation).
    ///
    /// There are two priorities: all but `High` count as `Normal`. What comes in one second is
    /// drawn for in the next one.
    pub fn net_ease(owner: impl Into<Option<UserId>>) -> Self {
        let second = Duration::from_secs(1);
        let [high, normal] = [10, 20].map(|count| Some(windows(count, second)));
        let builder = by_windows(owner, 30, second)
            .levels(Levels::Two)
            .level_quotas(LevelQuotas {
                levels: PerLevel([high, normal, normal, normal]),
                ..LevelQuotas::NONE
            })
            .discipline(QueueDiscipline::Random)
            .eviction(EvictionPolicy::Random)
            .fresh_within(PerLevel([Some(second); 4]));
        built(builder, 30, second)
    }

    /// A chat room of Easemob: 20 messages a second; of what is over that, the lower priority is
    /// dropped first, and of one priority what came later ("Chatroom messages" of its product
    /// documentation). There are three priorities.
    pub fn easemob(owner: impl Into<Option<UserId>>) -> Self {
        let second = Duration::from_secs(1);
        let builder = by_windows(owner, 20, second)
            .levels(Levels::Three)
            .eviction(EvictionPolicy::Newest)
            .queue_messages(20)
            .fresh_within(PerLevel([Some(second); 4]));
        built(builder, 20, second)
    }
}

fn rate(count: u32, period: Duration) -> Rate {
    let count = NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
    Rate::new(count, period).unwrap_or(Rate::per_second(count))
}

fn windows(count: u32, period: Duration) -> RateLimit {
    RateLimit::Window(rate(count, period))
}

fn by_windows(owner: impl Into<Option<UserId>>, count: u32, period: Duration) -> RoomConfigBuilder {
    RoomConfig::builder(owner)
        .rate(count)
        .rate_period(period)
        .burst(count)
        .rate_algorithm(RateAlgorithm::FixedWindow)
}

/// What the builder would make of it; a preset is known to be valid, and a test says so.
fn built(builder: RoomConfigBuilder, count: u32, period: Duration) -> RoomConfig {
    RoomConfig::of(builder.settings, windows(count, period))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::WhenLate;

    #[test]
    fn each_preset_is_what_its_builder_would_build() {
        let owner = UserId(1);
        for preset in [
            RoomConfig::av_chat_room(owner),
            RoomConfig::av_chat_room_three_levels(owner),
            RoomConfig::rong_cloud(owner),
            RoomConfig::net_ease(owner),
            RoomConfig::easemob(owner),
            RoomConfig::default(),
            RoomConfig::fan_out(),
        ] {
            assert_eq!(preset.to_builder().build(), Ok(preset));
        }
    }

    /// Their documents know no ages.
    #[test]
    fn b21_only_the_crates_own_room_has_ages() {
        let secs = |secs| Some(Duration::from_secs(secs));
        let ours = RoomConfig::default();
        assert_eq!(ours.deliver_within(), PerLevel([secs(60), secs(2), secs(2), secs(2)]));
        assert_eq!((ours.log_age(), ours.owner()), (secs(60), None));
        let service = RoomConfig::av_chat_room(None);
        assert_eq!((service.deliver_within(), service.log_age()), (PerLevel([None; 4]), None));
        let millis = |millis| Some(Duration::from_millis(millis));
        let (queue, theirs) = (ours.queue(), service.queue());
        assert_eq!(
            queue.fresh_within,
            PerLevel([millis(3_000), millis(200), millis(200), millis(200)])
        );
        assert_eq!((queue.when_late, theirs.when_late), (WhenLate::RefuseAtOnce, WhenLate::Wait));
        let like_it = ours
            .to_builder()
            .deliver_within(service.deliver_within())
            .log_age(None)
            .fresh_within(theirs.fresh_within)
            .when_late(theirs.when_late)
            .discipline(theirs.discipline)
            .turn_memory(theirs.turn_memory)
            .build();
        assert_eq!(like_it, Ok(service), "nothing else is another");
    }
}
