//! What one session asks for by itself: calls of the hall that it is in.

use super::{After, Cell};
use roomcast_core::{Direct, DirectReason, DirectReceipt, DirectRefused, Mask, Payload, Recipient, ResumeToken, SessionId};
use std::sync::Arc;

impl<M: Payload + Send + Sync + 'static> Cell<M> {
    /// Sets the levels that a session does not want; what was dispatched before the call is settled first. Answers whether it is in.
    pub(crate) fn set_mask(&self, session: SessionId, mask: Mask) -> bool {
        let Some(hall) = self.hall_of(session) else { return false };
        hall.enter(|seats| {
            self.catch_up(hall, &mut seats.audience);
            seats.audience.set_mask(session, mask)
        })
    }

    /// Where a session stands; `None` when it is not in, or ends.
    pub(crate) fn resume_token(&self, session: SessionId) -> Option<ResumeToken> {
        let hall = self.hall_of(session)?;
        // What has been dispatched and not picked up lies behind a masked level's head.
        hall.enter(|seats| {
            self.catch_up(hall, &mut seats.audience);
            seats.audience.resume_token(self.now(), session)
        })
    }

    /// Sends a message to one session or to one user: behind all that was dispatched before the call. Those who wait for it are woken.
    pub(crate) fn send_direct(self: &Arc<Self>, to: Recipient, direct: Direct<M>) -> Result<DirectReceipt, DirectRefused<M>> {
        let now = self.now();
        let (answer, after) = match to {
            Recipient::Session(session) => {
                // Nobody is in a hall that is not open; the first says so.
                let hall = self.hall_of(session).unwrap_or_else(|| self.hall(0));
                self.in_both(hall, |admission, seats| {
                    admission.send_direct(to, direct, |session, direct| {
                        hall.advance();
                        seats.audience.send_direct(now, session, direct)
                    })
                })
            }
            Recipient::User(_) => self.in_all(|admission, seats| {
                admission.send_direct(to, direct, |session, direct| {
                    let hall = self.hall_of(session).ok_or(DirectReason::NoRecipient { to })?;
                    hall.advance();
                    seats[hall.part.index() as usize].audience.send_direct(now, session, direct)
                })
            }),
        };
        self.finish(After { news: after.news || answer.is_ok(), ..after });
        answer
    }
}
