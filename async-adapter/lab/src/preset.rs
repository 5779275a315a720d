//! The rooms of the lab: how others do it, and how roomcast would.

use std::time::Duration;

use roomcast::config::{QueueDiscipline, WhenLate};
use roomcast::error::ConfigError;
use roomcast::{PerLevel, Priority, RoomConfig, UserId};

use crate::stream::{PerStream, Stream};

/// Who owns every room: nobody in the crowd.
const OWNER: UserId = UserId(0);

/// Whose likes are merged while they wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum MergeLikes {
    /// Nobody's.
    Never,
    /// Those of the tuned room: the services that the other presets follow do not merge.
    Tuned,
    /// Everybody's.
    Always,
}

impl MergeLikes {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Tuned => "tuned",
            Self::Always => "always",
        }
    }
}

/// What becomes of the likes that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Likes {
    /// Each stays for itself.
    Apart,
    /// They become one message that carries their sum (clause B9).
    Merged,
}

/// A room of the lab.
#[derive(Debug, Clone)]
pub(crate) struct Preset {
    /// Its name in the table: that of the constructor, but for the tuned one.
    pub(crate) name: &'static str,
    /// Who does it so, and how much of it there is.
    pub(crate) label: &'static str,
    /// How, in a few words.
    pub(crate) about: &'static str,
    /// Its configuration.
    pub(crate) config: RoomConfig,
    /// What the priority of each stream counts as there.
    pub(crate) levels: PerStream<Priority>,
    /// What becomes of its likes.
    pub(crate) likes: Likes,
}

/// All rooms, in the order of the table; what they draw at random follows the seed.
pub(crate) fn all(merge: MergeLikes, seed: u64) -> Result<Vec<Preset>, ConfigError> {
    let own = Stream::priority;
    // Gifts are told from the rest there, and nothing else.
    let two = |stream| Stream::priority(stream).max(Priority::Normal);
    let service = |name,
                   [label, about]: [&'static str; 2],
                   config: RoomConfig,
                   levels: fn(Stream) -> Priority| {
        let likes = if merge == MergeLikes::Always { Likes::Merged } else { Likes::Apart };
        let config = config.to_builder().seed(seed).build()?;
        Ok(Preset { name, label, about, config, levels: PerStream::from_fn(levels), likes })
    };
    let av_chat_room = ["Tencent, 40 a second", "first come, first served in each priority"];
    let three_levels =
        ["Tencent, 40 a second", "three priorities, each of them at 40 a second as well"];
    let rong_cloud = ["RongCloud, 40 in 200 ms", "at most 20 of them low; nothing waits"];
    let net_ease = [
        "NetEase, 20 + 10 a second",
        "20 drawn at random, 10 more for gifts; likes count as texts",
    ];
    let easemob = ["Easemob, 20 a second", "a queue of 20; the lowest and the latest go first"];
    Ok(vec![
        service("av_chat_room", av_chat_room, RoomConfig::av_chat_room(OWNER), own)?,
        service("three_levels", three_levels, RoomConfig::av_chat_room_three_levels(OWNER), own)?,
        service("rong_cloud", rong_cloud, RoomConfig::rong_cloud(OWNER), own)?,
        service("net_ease", net_ease, RoomConfig::net_ease(OWNER), two)?,
        service("easemob", easemob, RoomConfig::easemob(OWNER), own)?,
        tuned(merge, seed)?,
    ])
}

/// What we would do with the 40 messages of an `AVChatRoom`.
///
/// - The senders take turns, and their turns are remembered: a flooder gets no more of the room
///   than anybody else.
/// - A text that cannot go out within 200 ms, or a gift within 3 s, is refused at once: what gets
///   through is fresh, and nobody waits for nothing. Likes have a second: their turn comes each
///   half a second in a hot room, and one message carries the sum of all that wait.
/// - One message in twenty is for the lowest level that waits, and a tenth of the tokens is kept
///   for gifts.
/// - Likes are merged: one message carries all that wait.
fn tuned(merge: MergeLikes, seed: u64) -> Result<Preset, ConfigError> {
    let [gifts, texts, likes] =
        [3_000, 200, 1_000].map(|millis| Some(Duration::from_millis(millis)));
    let builder = RoomConfig::av_chat_room(OWNER).to_builder().seed(seed);
    let builder = builder
        .discipline(QueueDiscipline::RoundRobin)
        .turn_memory(Duration::from_secs(5))
        .fresh_within(PerLevel([gifts, texts, likes, likes]))
        .when_late(WhenLate::RefuseAtOnce);
    let config = builder.min_share(Some(20)).reserve(PerLevel([4, 0, 0, 0])).build()?;
    let (likes, about) = if merge == MergeLikes::Never {
        (
            Likes::Apart,
            "senders take turns, texts within 200 ms or refused, one in 20 for the lowest",
        )
    } else {
        (
            Likes::Merged,
            "senders take turns, texts within 200 ms or refused, one in 20 for the lowest, likes merged",
        )
    };
    let label = "roomcast, 40 a second";
    Ok(Preset {
        name: "tuned",
        label,
        about,
        config,
        levels: PerStream::from_fn(Stream::priority),
        likes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_room_has_a_name_of_its_own() {
        let rooms = all(MergeLikes::Tuned, 1).unwrap();
        let mut names: Vec<_> = rooms.iter().map(|room| room.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), rooms.len());
    }

    #[test]
    fn likes_are_merged_where_the_switch_says_so() {
        let merging = |merge| {
            all(merge, 1).unwrap().iter().filter(|room| room.likes == Likes::Merged).count()
        };
        assert_eq!(
            [MergeLikes::Never, MergeLikes::Tuned, MergeLikes::Always].map(merging),
            [0, 1, 6]
        );
    }
}
