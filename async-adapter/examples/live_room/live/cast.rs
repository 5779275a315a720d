//! Those of the crowd who speak: users with a session each, which also reads, now and then.

use std::time::Duration;

use roomcast::{Join, JoinError, RoomHandle, SessionId, Subscription};

use crate::room::{Said, sender};

/// Looks between two rounds of the last reading.
const PAUSE: Duration = Duration::from_millis(10);

/// Who has spoken so far. One task reads for all of them.
#[derive(Debug)]
pub(super) struct Cast {
    room: RoomHandle<Said>,
    /// Which reader a sender is.
    seats: Vec<Option<usize>>,
    readers: Vec<Subscription<Said>>,
    /// The reader whose turn it is.
    turn: usize,
}

impl Cast {
    /// Nobody has spoken yet, of so many senders.
    pub(super) fn new(room: RoomHandle<Said>, senders: usize) -> Self {
        Self { room, seats: vec![None; senders], readers: Vec::new(), turn: 0 }
    }

    /// The session of a sender, who joins to say the first thing.
    pub(super) fn session(&mut self, number: u64) -> Result<SessionId, JoinError> {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(&Some(reader)) = self.seats.get(place) {
            return Ok(self.readers[reader].session());
        }
        let reader = self.room.join(Join::user(sender(number)))?;
        let session = reader.session();
        if let Some(seat) = self.seats.get_mut(place) {
            *seat = Some(self.readers.len());
        }
        self.readers.push(reader);
        Ok(session)
    }

    /// Reads for one in `share` of those who spoke, and next time for the next ones.
    pub(super) fn read_some(&mut self, share: usize) {
        for _ in 0..self.readers.len().div_ceil(share) {
            self.turn = (self.turn + 1) % self.readers.len();
            read(&mut self.readers[self.turn]);
        }
    }

    /// Reads until all sessions have ended.
    pub(super) async fn read_to_the_end(mut self) {
        while !self.readers.is_empty() {
            self.readers.retain_mut(read);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Takes a batch if there is one, and no more, so that the others have their turn; answers whether the session goes on.
fn read(reader: &mut Subscription<Said>) -> bool {
    reader.try_next_batch().is_ok()
}
