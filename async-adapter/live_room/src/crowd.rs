//! A crowd that fills the room: a recording at a chosen speed, a flood of likes, and a gift now and then, merged into
//! one series in order of time.
//!
//! It has no clock. Room time is nanoseconds since an epoch of the caller's choosing; the same recording, settings,
//! seed and changes at the same times give the same series.

mod playhead;
mod pulse;

use std::sync::Arc;

pub(crate) use playhead::Speed;
use roomcast_replay::random::SplitMix64;
use roomcast_replay::recording::{Content, Recording};

use crate::gifts::GIFTS;
use crate::message::What;
use crate::phrases::phrase;
use playhead::Playhead;
use pulse::Pulse;

/// The most likes a second.
pub(crate) const MAX_LIKES_PER_SECOND: u32 = 100_000;
/// The most gifts a minute.
pub(crate) const MAX_GIFTS_PER_MINUTE: u32 = 6_000;

/// The rest between the end of a recording and its next start, in recorded time.
const REST_NS: f64 = 2e9;

/// What a crowd does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Settings {
    /// How fast the recording is replayed.
    pub(crate) speed: Speed,
    /// Likes on top of the recording.
    pub(crate) likes_per_second: u32,
    /// Gifts on top of the recording, at uneven distances.
    pub(crate) gifts_per_minute: u32,
}

/// What a crowd does when the recording is at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtEnd {
    /// It goes: likes and gifts end with the recording.
    Stop,
    /// The recording starts again.
    Repeat,
}

/// Something that someone in the crowd sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    /// When, in room time.
    pub(crate) at_ns: u64,
    /// Who: the same number for the same name.
    pub(crate) sender: u64,
    /// The sender's name.
    pub(crate) nick: Arc<str>,
    /// What.
    pub(crate) what: What,
}

/// The crowd, as an iterator over what it sends; settings may change between two items.
#[derive(Debug, Clone)]
pub(crate) struct Crowd {
    recording: Arc<Recording>,
    at_end: AtEnd,
    seed: u64,
    playhead: Playhead,
    likes: Pulse,
    gifts: Pulse,
    random: SplitMix64,
    /// The entry that comes next.
    entry: usize,
    /// How often the recording has been replayed whole.
    lap: u64,
    /// No offer is earlier than the one before it.
    last_at_ns: u64,
}

#[derive(Clone, Copy)]
enum Source {
    Recording,
    Gifts,
    Likes,
}

impl Crowd {
    /// A crowd that begins at room time 0 and stops at the end of the recording.
    pub(crate) fn new(recording: Arc<Recording>, settings: Settings, seed: u64) -> Self {
        let mut crowd = Self {
            recording,
            at_end: AtEnd::Stop,
            seed,
            playhead: Playhead::starting_at(0, settings.speed),
            likes: Pulse::per_second(settings.likes_per_second, 0),
            gifts: Pulse::per_minute(settings.gifts_per_minute, 0),
            random: SplitMix64::new(seed),
            entry: 0,
            lap: 0,
            last_at_ns: 0,
        };
        crowd.restart(0, settings);
        crowd
    }

    /// Sets what happens at the end of the recording.
    pub(crate) fn at_end(mut self, at_end: AtEnd) -> Self {
        self.at_end = at_end;
        self
    }

    /// Begins again from the first entry at `now_ns`.
    pub(crate) fn restart(&mut self, now_ns: u64, settings: Settings) {
        let now_ns = now_ns.max(self.last_at_ns);
        self.playhead = Playhead::starting_at(now_ns, settings.speed);
        self.likes = Pulse::per_second(settings.likes_per_second, now_ns);
        self.gifts = Pulse::per_minute(settings.gifts_per_minute, now_ns);
        self.random = SplitMix64::new(self.seed);
        self.entry = 0;
        self.lap = 0;
        self.last_at_ns = now_ns;
    }

    /// Replays at another speed from `now_ns` on, without a jump in the recording.
    pub(crate) fn set_speed(&mut self, now_ns: u64, speed: Speed) {
        self.playhead.set_speed(now_ns, speed);
    }

    /// Sends likes at another rate from `now_ns` on.
    pub(crate) fn set_likes(&mut self, now_ns: u64, per_second: u32) {
        self.likes.set_rate(now_ns, per_second);
    }

    /// Sends gifts at another rate from `now_ns` on.
    pub(crate) fn set_gifts(&mut self, now_ns: u64, per_minute: u32) {
        self.gifts.set_rate(now_ns, per_minute);
    }

    /// The speed of the recording.
    pub(crate) fn speed(&self) -> Speed {
        self.playhead.speed()
    }

    /// How many senders the recording has.
    pub(crate) fn senders(&self) -> usize {
        self.recording.senders().len()
    }

    /// When the next offer is due; `None` once the crowd is [finished](Self::finished).
    pub(crate) fn next_at(&self) -> Option<u64> {
        self.next_source().map(|(at_ns, _)| at_ns)
    }

    /// Whether the recording was sent to its end and is not repeated.
    pub(crate) fn finished(&self) -> bool {
        self.entry >= self.recording.entries().len()
    }

    /// How far into the recording the last offer was, from 0 to 1.
    pub(crate) fn progress(&self) -> f64 {
        let length = self.recording.length_us() as f64 * 1e3;
        if self.finished() || length <= 0.0 {
            return if self.finished() { 1.0 } else { 0.0 };
        }
        let within = self.playhead.recorded(self.last_at_ns) - self.lap_begins();
        (within / length).clamp(0.0, 1.0)
    }

    fn lap_begins(&self) -> f64 {
        self.lap as f64 * (self.recording.length_us() as f64 * 1e3 + REST_NS)
    }

    fn next_source(&self) -> Option<(u64, Source)> {
        let entry = self.recording.entries().get(self.entry)?;
        let recorded = self.playhead.room(self.lap_begins() + entry.at_us as f64 * 1e3);
        let mut next = (recorded, Source::Recording);
        for (at, source) in
            [(self.gifts.next_at(), Source::Gifts), (self.likes.next_at(), Source::Likes)]
        {
            if let Some(at) = at.filter(|&at| at < next.0) {
                next = (at, source);
            }
        }
        // A setting that was changed late finds some offers overdue.
        Some((next.0.max(self.last_at_ns), next.1))
    }

    fn take_entry(&mut self) -> Option<(u32, What)> {
        let entry = self.recording.entries().get(self.entry)?;
        let index = self.entry as u64 + (self.lap << 32);
        let what = match &entry.content {
            Content::Text(text) => What::Text { text: text.clone() },
            Content::TextLength(bytes) => {
                What::Text { text: phrase(self.seed, index, *bytes as usize) }
            }
            Content::Gift { name, count } => What::Gift { name: name.clone(), count: *count },
            Content::SuperChat { text, price } => {
                What::SuperChat { text: text.clone(), price: *price }
            }
            Content::Guard { rank } => What::Guard { rank: *rank },
        };
        let sender = entry.sender;
        self.entry += 1;
        if self.at_end == AtEnd::Repeat && self.finished() {
            self.entry = 0;
            self.lap += 1;
        }
        Some((sender, what))
    }

    fn take_gift(&mut self) -> What {
        // Between half and one and a half times the mean distance.
        self.gifts.take(500 + self.random.below(1_001));
        // The dearer, the rarer: of 15 gifts 8 are of the cheapest kind, then 4, 2, 1.
        let draw = self.random.below((1 << GIFTS.len()) - 1) + 1;
        let kind = GIFTS.len() - 1 - draw.ilog2() as usize;
        let count = if kind == 0 { 1 + self.random.below(9) } else { 1 };
        What::Gift { name: GIFTS[kind].name.to_owned(), count: u32::try_from(count).unwrap_or(1) }
    }

    fn anyone(&mut self) -> u32 {
        let senders = self.recording.senders().len() as u64;
        u32::try_from(self.random.below(senders)).unwrap_or(0)
    }
}

impl Iterator for Crowd {
    type Item = Offer;

    /// Takes the next offer; when it is due, [`next_at`](Crowd::next_at) has told.
    fn next(&mut self) -> Option<Offer> {
        let (at_ns, source) = self.next_source()?;
        let (sender, what) = match source {
            Source::Recording => self.take_entry()?,
            Source::Gifts => (self.anyone(), self.take_gift()),
            Source::Likes => {
                self.likes.take(1_000);
                (self.anyone(), What::Like { count: 1 })
            }
        };
        self.last_at_ns = at_ns;
        let nick = Arc::clone(self.recording.senders().get(sender as usize)?);
        Some(Offer { at_ns, sender: sender.into(), nick, what })
    }
}

#[cfg(test)]
mod tests;
