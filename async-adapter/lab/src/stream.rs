//! What is offered to the rooms: four streams of messages that are counted apart.

use roomcast::Priority;

/// Messages of one sort: a row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Gifts, and whatever else was paid for.
    Gifts,
    /// The recording's texts.
    Texts,
    /// The texts of one user who never stops.
    Flood,
    /// Likes.
    Likes,
}

impl Stream {
    /// All of them, in the order of the table.
    pub(crate) const ALL: [Self; 4] = [Self::Gifts, Self::Texts, Self::Flood, Self::Likes];

    /// The priority that it is offered at (clause A30).
    pub(crate) fn priority(self) -> Priority {
        match self {
            Self::Gifts => Priority::High,
            Self::Texts | Self::Flood => Priority::Normal,
            Self::Likes => Priority::Low,
        }
    }

    /// Its name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gifts => "gifts",
            Self::Texts => "texts",
            Self::Flood => "flooder",
            Self::Likes => "likes",
        }
    }

    /// Its place in [`ALL`](Self::ALL).
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

/// One value for each stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PerStream<T>([T; Stream::ALL.len()]);

impl<T> PerStream<T> {
    /// Makes the value of each stream.
    pub(crate) fn from_fn(make: impl FnMut(Stream) -> T) -> Self {
        Self(Stream::ALL.map(make))
    }

    /// Each stream with its value, in the order of the table.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Stream, &T)> {
        Stream::ALL.into_iter().zip(&self.0)
    }
}

impl<T> std::ops::Index<Stream> for PerStream<T> {
    type Output = T;

    fn index(&self, stream: Stream) -> &T {
        &self.0[stream.index()]
    }
}

impl<T> std::ops::IndexMut<Stream> for PerStream<T> {
    fn index_mut(&mut self, stream: Stream) -> &mut T {
        &mut self.0[stream.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_knows_its_own_place() {
        for (place, stream) in Stream::ALL.into_iter().enumerate() {
            assert_eq!(stream.index(), place);
        }
    }
}
