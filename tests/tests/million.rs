//! The books of a very large audience under churn: every column of every sum after every step,
//! against counts of our own, and now and then against a walk over all sessions (law L2).

use roomcast_core::ledger::Deliveries;
use roomcast_core::{
    Budget, Instant, Join, PerLevel, Priority, Publish, RoomConfig, RoomState, SessionId, Source,
    UserId,
};
use roomcast_tests::sim::Random;

const STEPS: u64 = 2_000;

/// `ROOMCAST_SESSIONS=10000000` for as many; a debug build is thirty times slower and takes fewer.
fn sessions() -> usize {
    let wanted = std::env::var("ROOMCAST_SESSIONS").ok();
    let wanted =
        wanted.map(|text| text.parse().expect("ROOMCAST_SESSIONS is a whole number of sessions"));
    wanted.unwrap_or(if cfg!(debug_assertions) { 50_000 } else { 1_000_000 })
}

struct Crowd {
    room: RoomState<&'static str>,
    here: Vec<SessionId>,
    own: PerLevel<Deliveries>,
    gone: PerLevel<Deliveries>,
    random: Random,
    now: Instant,
}

impl Crowd {
    fn any(&mut self) -> usize {
        usize::try_from(self.random.below(self.here.len() as u64)).unwrap()
    }

    fn join(&mut self) {
        let join = match self.random.below(4) {
            0 => Join::user(UserId(self.random.below(1 << 40))),
            _ => Join::guest(),
        };
        self.here.push(self.room.join(self.now, join).unwrap().session);
    }

    fn part(&mut self) {
        let at = self.any();
        let session = self.here.swap_remove(at);
        let books = self.room.deliveries(session).unwrap();
        assert!(self.room.close_session(self.now, session));
        for level in Priority::ALL {
            let mut row = books[level];
            self.own[level].abandoned += row.pending;
            row.abandoned = std::mem::take(&mut row.pending);
            self.gone[level] = self.gone[level] + row;
        }
    }

    fn speak(&mut self) {
        let level = self.random.of(&Priority::ALL);
        let at = self.any();
        let session = self.here[at];
        let source = if session.is_guest() { Source::Host } else { Source::Session(session) };
        let receipt =
            self.room.publish(self.now, Publish::new(source, "text").priority(level)).unwrap();
        assert!(receipt.outcome.is_some(), "the rate allows it");
        self.own[level].due += self.here.len() as u64;
        self.own[level].excluded += u64::from(!session.is_guest());
        while self.room.poll_event().is_some() {}
    }

    fn read(&mut self) {
        let at = self.any();
        let budget = Budget {
            messages: 1 + u32::try_from(self.random.below(9)).unwrap(),
            ..Budget::default()
        };
        if let Some(batch) = self.room.next_batch(self.now, self.here[at], budget).unwrap() {
            for level in Priority::ALL {
                self.own[level].skipped += batch.gap(level);
                self.own[level].delivered +=
                    batch.messages().iter().filter(|message| message.priority == level).count()
                        as u64;
            }
        }
    }

    fn check(&self) {
        let snapshot = self.room.snapshot(self.now);
        assert!(snapshot.balances());
        assert_eq!(snapshot.audience.sessions as usize, self.here.len());
        for (level, &sums) in snapshot.audience.deliveries.iter() {
            let mut own = self.own[level];
            own.pending = own.due - own.delivered - own.skipped - own.excluded - own.abandoned;
            assert_eq!(sums, own, "{level}");
        }
    }

    fn walk(&self) {
        let mut sums = self.gone;
        for &session in &self.here {
            for (level, &row) in self.room.deliveries(session).unwrap().iter() {
                assert!(row.balances());
                sums[level] = sums[level] + row;
            }
        }
        assert_eq!(sums, self.room.snapshot(self.now).audience.deliveries);
    }
}

/// They are right at every step of the sessions' churn.
#[test]
fn sums_over_a_million_sessions_stay_right() {
    let config = RoomConfig::builder(UserId(0))
        .rate(1_000_000)
        .burst(1_000)
        .log_messages(PerLevel([64, 32, 8, 1]));
    let mut crowd = Crowd {
        room: RoomState::new(&config.build().unwrap()),
        here: Vec::new(),
        own: PerLevel::default(),
        gone: PerLevel::default(),
        random: Random::new(7),
        now: Instant::ZERO,
    };
    for _ in 0..sessions() {
        crowd.join();
    }
    for step in 0..STEPS {
        crowd.now = Instant::from_millis(step);
        for _ in 0..20 {
            crowd.part();
            crowd.join();
            crowd.read();
        }
        crowd.speak();
        crowd.check();
        if step % (STEPS / 5) == 7 {
            crowd.walk();
        }
    }
    crowd.walk();
}
