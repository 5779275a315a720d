//! The audiences of a room in parts, under the calls of a whole one; with the names that the whole room gave its sessions.

use crate::payload::Probe;
use roomcast_core::{
    Audience, AudienceSnapshot, Batch, Budget, Due, Group, HandOver, Instant, Join, JoinError, Joined, Message, Part, PerLevel,
    ReconfigureError, ResumeToken, RoomConfig, SessionEnd, SessionId, Verdict,
};
use std::collections::{BTreeMap, HashMap};
use std::ops::{Deref, Range};
use std::sync::Arc;

/// What a host with several audiences keeps: who joins goes to them in turn. The whole room's ids and the ids here name the same
/// sessions; outside this module only the whole room's are seen.
#[derive(Debug)]
pub struct Parts {
    /// Those that are open: each is opened beside the first when somebody joins it.
    all: Vec<Audience<Probe>>,
    config: RoomConfig,
    count: u32,
    joins: u32,
    /// From the whole room's id to the id here, and back.
    here: HashMap<SessionId, SessionId>,
    whole: HashMap<SessionId, SessionId>,
    /// The last session that the whole room gave each of its slots.
    slots: BTreeMap<u32, SessionId>,
}

/// A dispatched message, with the name that the whole room gave the session that sent it.
#[derive(Clone, Debug)]
pub struct Crossed {
    /// The message.
    pub message: Arc<Message<Probe>>,
    /// The session that sent it.
    pub session: Option<SessionId>,
}

impl Deref for Crossed {
    type Target = Message<Probe>;

    fn deref(&self) -> &Self::Target {
        &self.message
    }
}

impl Parts {
    /// A room's audience, in so many parts.
    pub fn new(whole: Audience<Probe>, config: RoomConfig, heads: PerLevel<u64>, count: u32) -> Self {
        let first = Part::new(0, count).filter(|_| count > 1).map(|part| Audience::part(&config, part, heads));
        let all = vec![first.unwrap_or(whole)];
        Self { all, config, count, joins: 0, here: HashMap::new(), whole: HashMap::new(), slots: BTreeMap::new() }
    }

    fn part_at(&self, slot: u32) -> Part {
        Part::new(0, self.count).unwrap_or(Part::WHOLE).at(slot)
    }

    /// The part with this number, opened if it is not.
    fn open(&mut self, index: u32) -> &mut Audience<Probe> {
        while let Some(part) =
            u32::try_from(self.all.len()).ok().filter(|&next| next <= index).and_then(|next| Part::new(next, self.count))
        {
            self.all.push(Audience::beside(&self.config, part, &self.all[0]));
        }
        &mut self.all[index as usize]
    }

    /// The id here of a session of the whole room's. One that was never given out gets one that nobody here has.
    pub fn here(&self, session: SessionId) -> SessionId {
        let stranger = || SessionId::from_bits(u64::from(u32::MAX) << 32 | session.to_bits());
        self.here.get(&session).copied().unwrap_or_else(stranger)
    }

    /// The whole room's id.
    pub fn whole(&self, session: SessionId) -> SessionId {
        self.whole.get(&session).copied().unwrap_or(session)
    }

    /// The whole room gave a session this id.
    pub fn name(&mut self, here: SessionId, whole: SessionId) {
        self.here.insert(whole, here);
        self.whole.insert(here, whole);
        self.slots.insert(whole.slot(), whole);
    }

    /// The part that a session of ours is in.
    pub fn part_mut(&mut self, here: SessionId) -> &mut Audience<Probe> {
        // Nobody is in a part that is not open, and nobody of it in the first.
        let index = self.part_at(here.slot()).index() as usize;
        let index = if index < self.all.len() { index } else { 0 };
        &mut self.all[index]
    }

    /// Whether there is one part only.
    pub fn is_whole(&self) -> bool {
        self.count == 1
    }

    /// All parts.
    pub fn all(&mut self) -> impl Iterator<Item = &mut Audience<Probe>> {
        self.all.iter_mut()
    }

    /// The first part.
    pub fn first(&self) -> &Audience<Probe> {
        &self.all[0]
    }

    /// Takes over what was dispatched.
    pub fn take_over(&mut self, handed: &HandOver<Probe>) {
        for part in &mut self.all {
            part.take_over(handed.clone());
        }
    }

    /// As `Audience::reconfigure`, in each.
    pub fn reconfigure(&mut self, now: Instant, config: &RoomConfig) -> Result<(), ReconfigureError> {
        self.config = config.clone();
        self.all.iter_mut().try_for_each(|part| part.reconfigure(now, config))
    }

    /// Whether the connection still has the session that it says it had.
    pub fn check_former(&mut self, join: Join) -> Result<(), JoinError> {
        for session in join.known().into_iter().chain(join.token().map(|token| token.session)) {
            let here = self.here(session);
            if self.part_mut(here).is_live(here) {
                return Err(JoinError::AlreadyJoined { session });
            }
        }
        Ok(())
    }

    /// As `Audience::join`, in the next part that has room. The answer names the session by its id here.
    pub fn join(&mut self, now: Instant, join: Join) -> Result<Joined, JoinError> {
        self.joins += 1;
        let token = join.token().map(|token| ResumeToken { session: self.here(token.session), ..token });
        // A part knows its own share, and others may have more than theirs.
        let max = self.config.sessions();
        if self.all.iter().map(Audience::sessions).sum::<u32>() >= max {
            return Err(JoinError::RoomFull { max });
        }
        let mut answer = Err(JoinError::RoomClosed);
        for turn in 0..self.count {
            let audience = self.open((self.joins + turn) % self.count);
            let (guest, group) = (join.as_user().is_none(), join.in_group());
            answer = match token {
                None => audience.join(guest, group, None),
                Some(token) => audience.resume(now, guest, group, None, token),
            };
            if let Ok(joined) = &answer {
                audience.set_mask(joined.session, join.masked());
            }
            if !matches!(answer, Err(JoinError::RoomFull { .. })) {
                break;
            }
        }
        answer
    }

    /// As `Audience::next_batch`.
    pub fn next_batch(&mut self, session: SessionId, budget: Budget) -> Result<Option<Batch<Probe>>, SessionEnd> {
        let here = self.here(session);
        self.part_mut(here).next_batch(here, budget).map_err(|end| match end {
            SessionEnd::NoSession(_) => SessionEnd::NoSession(session),
            end => end,
        })
    }

    /// As `Audience::is_ready`.
    pub fn is_ready(&mut self, session: SessionId) -> bool {
        let here = self.here(session);
        self.part_mut(here).is_ready(here)
    }

    /// As `Audience::sweep` over slots of the whole room; the sink gets the whole room's ids. In several parts each session is swept alone.
    pub fn sweep(
        &mut self,
        group: Group,
        slots: Range<u32>,
        budget: Budget,
        mut sink: impl FnMut(SessionId, SessionId, Due<'_, Probe>) -> Verdict,
    ) -> u32 {
        if let [whole] = &mut self.all[..] {
            return whole.sweep(group, slots, budget, |session, due| sink(session, session, due));
        }
        let inside: Vec<SessionId> = self.slots.range(slots).map(|(_, &session)| session).collect();
        let mut due = 0;
        for whole in inside {
            let here = self.here(whole);
            let part = self.part_at(here.slot());
            let Some(place) = part.place(here.slot()) else { continue };
            let audience = &mut self.all[part.index() as usize];
            if audience.books(here).is_none() {
                // It is gone, and its slot here may be another's.
                continue;
            }
            due += audience.sweep(group, place..place + 1, budget, |session, what| {
                let name = self.whole.get(&session).copied().unwrap_or(session);
                sink(name, session, what)
            });
        }
        due
    }

    /// As `Audience::snapshot`.
    pub fn snapshot(&self) -> AudienceSnapshot {
        self.all[1..].iter().fold(self.all[0].snapshot(), |sum, part| sum.and(&part.snapshot()))
    }

    /// As `Audience::poll_timeout`.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.all.iter().filter_map(Audience::poll_timeout).min()
    }

    /// As `Audience::poll_wake`.
    pub fn poll_wake(&self) -> Option<Instant> {
        self.all.iter().filter_map(Audience::poll_wake).min()
    }

    /// As `Audience::is_ended`.
    pub fn is_ended(&self) -> bool {
        self.all.iter().all(Audience::is_ended)
    }
}
