//! The people of an evening and their habits.

use super::random::Random;
use roomcast_core::resume::ResumeToken;
use roomcast_core::speak_mode::{MaySpeak, SpeakMode};
use roomcast_core::time::Duration;
use roomcast_core::{Group, Priority, SessionId, UserId};

/// What somebody is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// Says something now and then.
    Talks,
    /// Sends likes without end.
    Floods,
    /// Sends gifts.
    Gives,
    /// Reads a little, seldom.
    Dawdles,
    /// Reads.
    Watches,
}

/// Somebody, on one device.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// `None` for a guest.
    pub(super) user: Option<UserId>,
    pub(super) room: usize,
    pub(super) session: Option<SessionId>,
    /// To come back with.
    pub(super) token: Option<ResumeToken>,
    habit: Habit,
}

/// What somebody does next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Speak {
        level: Priority,
        size: usize,
    },
    Read {
        messages: u32,
    },
    /// The host's pump goes over the room; one in `busy` connections cannot write.
    Sweep {
        busy: u32,
    },
    /// The host asks whether those who wait are to be told.
    Wake,
    /// The host has something to say to a user.
    Direct {
        level: Priority,
        user: UserId,
        size: usize,
    },
    /// Turns the levels of likes off, or on again.
    LevelSet {
        off: bool,
    },
    Rename {
        size: usize,
    },
    /// The host writes an attribute and counts.
    Note {
        size: usize,
    },
    /// The host says something to every room.
    Broadcast {
        level: Priority,
    },
    /// The host deals with a user.
    Moderate {
        act: u8,
        user: UserId,
    },
    /// The host takes back one of the last messages, or all of a user's: by this number.
    Retract {
        draw: u64,
    },
    /// The host pins something, or unpins it: by this number.
    Pin {
        draw: u64,
    },
    /// The host changes the room's rules: by this number.
    Reconfigure {
        draw: u64,
    },
    /// The client's heartbeat.
    Touch,
    HangUp,
    Leave,
    /// The host shows somebody out.
    ShownOut {
        size: usize,
    },
}

impl Person {
    /// Every second user has a second device somewhere among the others.
    pub(super) fn new(n: usize, rooms: usize, random: &mut Random) -> Self {
        use Habit::{Dawdles, Floods, Gives, Talks, Watches};
        let habit = match n % 16 {
            0..5 => Talks,
            5 => Floods,
            6 => Gives,
            7..10 => Dawdles,
            _ => Watches,
        };
        let is_guest = habit == Watches && random.below(2) == 0;
        let user = (!is_guest).then(|| UserId(100 + n as u64 * 2 / 3));
        Self { user, room: n % rooms.max(1), session: None, token: None, habit }
    }

    /// Those who only read are swept apart from the others.
    pub(super) fn group(&self) -> Group {
        Group::new(u8::from(matches!(self.habit, Habit::Watches | Habit::Dawdles)))
            .unwrap_or_default()
    }

    /// How long until the next step.
    pub(super) fn pause(&self, random: &mut Random) -> Duration {
        let (least, spread) = match self.habit {
            _ if self.session.is_none() => (1_000, 4_000),
            Habit::Floods => (2, 20),
            Habit::Talks => (200, 1_500),
            Habit::Gives | Habit::Watches => (100, 900),
            Habit::Dawdles => (2_000, 8_000),
        };
        Duration::from_millis(least + random.below(spread))
    }

    pub(super) fn next_act(&self, random: &mut Random) -> Act {
        let chance = random.below(1_000);
        let size = usize::try_from(random.below(200)).unwrap_or(0);
        let read = if self.habit == Habit::Dawdles {
            Act::Read { messages: 2 }
        } else {
            Act::Read { messages: 100 }
        };
        match (chance, self.habit) {
            (0..3, _) => Act::HangUp,
            (3, _) => Act::ShownOut { size },
            (4, Habit::Dawdles | Habit::Talks) => Act::Retract { draw: random.below(64) },
            (4, Habit::Gives | Habit::Watches) => Act::Pin { draw: random.below(16) },
            (4..7, _) => Act::Leave,
            (7..20, _) => Act::Rename { size },
            (930..950, _) => Act::Direct {
                level: random.of(&Priority::ALL),
                user: UserId(100 + random.below(40)),
                size,
            },
            (950..960, _) => Act::LevelSet { off: random.below(2) == 0 },
            (960..965, _) => Act::Note { size },
            (965..970, _) => Act::Moderate {
                act: u8::try_from(random.below(9)).unwrap_or(0),
                user: UserId(100 + random.below(40)),
            },
            (970..972, _) => {
                Act::Broadcast { level: random.of(&[Priority::High, Priority::Normal]) }
            }
            (972..979, _) => Act::Wake,
            (979, _) => Act::Reconfigure { draw: random.draw() },
            (980.., _) => Act::Sweep { busy: 2 + u32::try_from(random.below(6)).unwrap_or(0) },
            (700..760, _) => Act::Touch,
            (20..700, Habit::Talks) => Act::Speak { level: Priority::Normal, size },
            (20..960, Habit::Floods) => {
                Act::Speak { level: random.of(&[Priority::Low, Priority::Lowest]), size: 4 }
            }
            (20..600, Habit::Gives) => Act::Speak { level: Priority::High, size: 40 },
            _ => read,
        }
    }
}

/// What is asked of those who speak, by whose name the host thinks of it: not of all of them much.
pub(super) fn speak_mode(user: UserId) -> SpeakMode {
    let second = Duration::from_secs(1);
    match user.0 % 5 {
        0 => SpeakMode::new(MaySpeak::MembersFor(second)),
        1 => SpeakMode::EVERYONE.unique_within(second),
        2 => SpeakMode::new(MaySpeak::Marked),
        _ => SpeakMode::EVERYONE,
    }
}
