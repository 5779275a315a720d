//! Those of the crowd who speak: users with a session each, which also reads, now and then.

use std::sync::Arc;
use std::time::Duration;

use roomcast::error::JoinError;
use roomcast::names::Joining;
use roomcast::{Room, SessionId, Subscription};

use crate::room::Said;

/// Looks between two rounds of the last reading.
const PAUSE: Duration = Duration::from_millis(10);

/// Who has spoken so far. One task reads for all of them.
#[derive(Debug)]
pub(super) struct Cast {
    room: Room<Said>,
    /// Which reader a sender is.
    seats: Vec<Option<usize>>,
    readers: Vec<Subscription<Said>>,
    /// The reader whose turn it is.
    turn: usize,
}

impl Cast {
    /// Nobody has spoken yet, of so many senders.
    pub(super) fn new(room: Room<Said>, senders: usize) -> Self {
        Self { room, seats: vec![None; senders], readers: Vec::new(), turn: 0 }
    }

    /// The session of a sender, who joins to say the first thing, and again when kicked; `None` for one who is banned.
    pub(super) fn session(
        &mut self,
        number: u64,
        nick: &Arc<str>,
    ) -> Result<Option<SessionId>, JoinError> {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        let seat = self.seats.get(place).copied().flatten();
        if let Some(reader) =
            seat.map(|seat| &self.readers[seat]).filter(|reader| reader.end_reason().is_none())
        {
            return Ok(Some(reader.session()));
        }
        let reader = match self.room.join(Joining::named(Arc::clone(nick))) {
            Ok(reader) => reader,
            Err(JoinError::Banned { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let session = reader.session();
        if let Some(seat) = seat {
            self.readers[seat] = reader;
            return Ok(Some(session));
        }
        if let Some(seat) = self.seats.get_mut(place) {
            *seat = Some(self.readers.len());
        }
        self.readers.push(reader);
        Ok(Some(session))
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
