//! The load: a recording at a chosen speed with gifts, likes and a flooder on top, as one series in
//! order of time.

use roomcast_replay::random::SplitMix64;
use roomcast_replay::recording::{Content, Entry, Recording};

use crate::scatter::Scatter;
use crate::speed::Speed;
use crate::stream::Stream;

/// What a gift, a like and a flooder's text weigh, in bytes.
const BYTES: usize = 16;

/// What is on top of the recording, and how fast that is replayed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Settings {
    /// How fast the recording is replayed.
    pub(crate) speed: Speed,
    /// Gifts in each second, from anyone in the recording.
    pub(crate) gifts: u32,
    /// Likes in each second, from anyone in the recording.
    pub(crate) likes: u32,
    /// Texts in each second from one user who is not in the recording.
    pub(crate) flood: u32,
    /// The seed of all that is drawn.
    pub(crate) seed: u64,
}

/// Something that is offered to the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offer {
    /// When, in nanoseconds.
    pub(crate) at_ns: u64,
    /// Who: a place among the recording's senders, or one after the last of them for the flooder.
    pub(crate) sender: u32,
    /// What sort it is of.
    pub(crate) stream: Stream,
    /// How large it is.
    pub(crate) bytes: usize,
}

/// The load as an iterator over what is offered. A clone of a fresh one gives the same series.
#[derive(Debug, Clone)]
pub(crate) struct Load<'a> {
    entries: std::iter::Peekable<std::slice::Iter<'a, Entry>>,
    senders: u32,
    speed: Speed,
    seconds: u64,
    gifts: Scatter,
    flood: Scatter,
    likes: Scatter,
    anyone: SplitMix64,
}

impl<'a> Load<'a> {
    /// The load that these settings make of a recording. Gifts, likes and the flooder last for each
    /// second that it has, the begun one included.
    pub(crate) fn new(recording: &'a Recording, settings: &Settings) -> Self {
        let seconds = settings.speed.of(recording.length_us()) / 1_000_000_000 + 1;
        let scatter = |number, per_second| {
            Scatter::new(per_second, seconds, SplitMix64::at(settings.seed, number))
        };
        Self {
            entries: recording.entries().iter().peekable(),
            senders: u32::try_from(recording.senders().len()).unwrap_or(u32::MAX - 1),
            speed: settings.speed,
            seconds,
            gifts: scatter(1, settings.gifts),
            flood: scatter(2, settings.flood),
            likes: scatter(3, settings.likes),
            anyone: SplitMix64::at(settings.seed, 4),
        }
    }

    /// How many seconds it lasts.
    pub(crate) fn seconds(&self) -> u64 {
        self.seconds
    }

    /// How many speak, the flooder included.
    pub(crate) fn senders(&self) -> u32 {
        self.senders + 1
    }

    /// Which source is next; of those that are at the same time, the first one named here. `None`
    /// is the recording.
    fn next_source(&mut self) -> Option<(u64, Option<Stream>)> {
        let entry = self.entries.peek().map(|entry| (self.speed.of(entry.at_us), None));
        let scattered = [
            (&self.gifts, Stream::Gifts),
            (&self.flood, Stream::Flood),
            (&self.likes, Stream::Likes),
        ];
        let scattered = scattered
            .into_iter()
            .filter_map(|(scatter, stream)| Some((scatter.next_at()?, Some(stream))));
        entry.into_iter().chain(scattered).min_by_key(|(at_ns, _)| *at_ns)
    }

    fn anyone(&mut self) -> u32 {
        u32::try_from(self.anyone.below(self.senders.into())).unwrap_or(0)
    }
}

impl Iterator for Load<'_> {
    type Item = Offer;

    fn next(&mut self) -> Option<Offer> {
        let (at_ns, source) = self.next_source()?;
        let (sender, stream, bytes) = match source {
            None => {
                let entry = self.entries.next()?;
                let (stream, bytes) = of_content(&entry.content);
                (entry.sender, stream, bytes)
            }
            Some(stream @ Stream::Gifts) => {
                self.gifts.take();
                (self.anyone(), stream, BYTES)
            }
            Some(stream @ Stream::Likes) => {
                self.likes.take();
                (self.anyone(), stream, BYTES)
            }
            Some(stream @ (Stream::Flood | Stream::Texts)) => {
                self.flood.take();
                (self.senders, stream, BYTES)
            }
        };
        Some(Offer { at_ns, sender, stream, bytes })
    }
}

fn of_content(content: &Content) -> (Stream, usize) {
    match content {
        Content::Text(text) => (Stream::Texts, text.len()),
        Content::TextLength(bytes) => (Stream::Texts, *bytes as usize),
        Content::SuperChat { text, .. } => (Stream::Gifts, text.len()),
        Content::Gift { .. } | Content::Guard { .. } => (Stream::Gifts, BYTES),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str = "<i><d p=\"0.5\" user=\"a\">hello</d><gift ts=\"1\" user=\"b\"/>\
                       <sc ts=\"2\" user=\"a\" price=\"1\">hi</sc></i>";

    fn settings() -> Settings {
        Settings { speed: Speed::new(1.0).unwrap(), gifts: 0, likes: 0, flood: 0, seed: 1 }
    }

    #[test]
    fn the_recording_is_replayed_at_its_speed() {
        let recording = Recording::parse("room", XML.as_bytes()).unwrap();
        let load =
            Load::new(&recording, &Settings { speed: Speed::new(2.0).unwrap(), ..settings() });
        let offers: Vec<_> = load
            .map(|offer| (offer.at_ns / 1_000_000, offer.sender, offer.stream, offer.bytes))
            .collect();
        assert_eq!(
            offers,
            [
                (250, 0, Stream::Texts, 5),
                (500, 1, Stream::Gifts, BYTES),
                (1_000, 0, Stream::Gifts, 2)
            ]
        );
    }

    #[test]
    fn each_second_has_what_is_asked_for_in_order() {
        let recording = Recording::parse("room", XML.as_bytes()).unwrap();
        let load = Load::new(&recording, &Settings { gifts: 2, likes: 5, flood: 3, ..settings() });
        assert_eq!((load.seconds(), load.senders()), (3, 3));
        let offers: Vec<_> = load.clone().collect();
        assert!(offers.is_sorted_by_key(|offer| offer.at_ns));
        let count = |stream| offers.iter().filter(|offer| offer.stream == stream).count();
        assert_eq!(Stream::ALL.map(count), [2 * 3 + 2, 1, 3 * 3, 5 * 3]);
        assert!(
            offers.iter().all(|offer| (offer.stream == Stream::Flood) == (offer.sender == 2)),
            "{offers:?}"
        );
        assert_eq!(load.collect::<Vec<_>>(), offers);
    }

    #[test]
    fn another_seed_is_another_load() {
        let recording = Recording::parse("room", XML.as_bytes()).unwrap();
        let load = |seed| Load::new(&recording, &Settings { likes: 5, seed, ..settings() });
        assert!(load(1).eq(load(1)));
        let times = |seed| load(seed).map(|offer| offer.at_ns).collect::<Vec<_>>();
        assert_ne!(times(1), times(2));
        let likes = |seed| load(seed).filter(|offer| offer.stream == Stream::Likes);
        let senders = |seed| likes(seed).map(|offer| offer.sender).collect::<Vec<_>>();
        assert_ne!(senders(1), senders(2));
    }
}
