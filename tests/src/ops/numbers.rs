//! What small numbers stand for.

use crate::checked::LIFE;
use crate::moderation::Act;
use crate::oracle::messages::Hop;
use crate::payload::Probe;
use roomcast_core::admission::ReviewDecision;
use roomcast_core::broadcasts::{BroadcastLimits, Broadcasts};
use roomcast_core::config::{AuditConfig, AuditOverflow, Heartbeat, ReviewConfig, ReviewTimeout};
use roomcast_core::data::DataLimits;
use roomcast_core::dedup::DedupWindow;
use roomcast_core::ids::SessionKey;
use roomcast_core::ids::{MessageId, Seq};
use roomcast_core::level_set::LevelSet;
use roomcast_core::message::{DedupKey, MergeKey, Reviewed};
use roomcast_core::quota::{Quota, Rate};
use roomcast_core::resume::{ResumeToken, TokenAt};
use roomcast_core::retraction::Retraction;
use roomcast_core::room::RoomSnapshot;
use roomcast_core::speak_mode::{MaySpeak, SpeakMode};
use roomcast_core::system_messages::{SystemMessageKind, SystemMessages};
use roomcast_core::time::Duration;
use roomcast_core::{Actor, Budget, Group, Instant, Memory, Priority, SessionId, UserId};
use std::num::NonZeroU32;

pub(super) fn pick<T: Copy>(table: &[T], at: u8) -> T {
    table[usize::from(at) % table.len()]
}

/// Half of the time the usual budget, so that sessions that stand at one place share a batch; else
/// a tight one.
pub(super) fn budget(messages: u8, bytes: u8) -> Budget {
    if messages >= 128 {
        Budget::default()
    } else {
        Budget { messages: u32::from(messages % 8), bytes: u64::from(bytes) }
    }
}

/// A user, or the host.
pub(super) fn by(actor: u8) -> Actor {
    if actor % 8 >= 6 { Actor::Host } else { Actor::User(UserId(u64::from(actor % 8))) }
}

/// What all rooms may hold, in bytes.
pub(super) const MEMORY: u64 = 1_000;

/// So many, or all.
pub(super) fn bytes(at: u8) -> u64 {
    if at < 240 { at.into() } else { u64::MAX }
}

/// Mostly enough is left; else less for what does not give way, or nothing.
pub(super) fn memory(left: u8) -> Memory {
    let (limit, half) = (MEMORY, MEMORY / 2);
    match left {
        0..160 => Memory::of(limit, limit + limit / 10, half),
        160..208 => Memory::of(limit, limit, half + 1),
        _ => Memory::of(limit, limit + limit / 10 + 1, 0),
    }
}

pub(super) fn group(at: u8) -> Group {
    Group::new(at / 128).unwrap_or_default()
}

/// A quarter of the time none, else a bit for each level.
pub(super) fn mask(at: u8) -> LevelSet {
    if at < 64 {
        LevelSet::EMPTY
    } else {
        Priority::ALL.into_iter().filter(|level| at >> level.index() & 1 != 0).collect()
    }
}

pub(super) fn token_at(at: u8) -> TokenAt {
    pick(&[TokenAt::HandedOver, TokenAt::Acknowledged, TokenAt::HandedOver, TokenAt::Due], at)
}

/// As it is, or somewhat elsewhere and at another time.
pub(super) fn tampered(token: &ResumeToken, twist: u8) -> Option<ResumeToken> {
    let mut token = token.clone();
    let at = level(twist / 8);
    match twist {
        0..160 => {}
        160..184 => token.positions[at] = token.positions[at].checked_add(1)?,
        184..216 => token.positions[at] = token.positions[at].saturating_sub(u64::from(twist % 4)),
        216..224 => token.positions[at] = token.positions[at].saturating_sub((1 << 30) + 100),
        224..228 => token.formers.clear(),
        228..232 => token.formers.push(SessionKey::from_bits(u64::from(twist))),
        232..240 => token.taken_at = token.taken_at + Duration::from_millis(40),
        240..248 => token.session = SessionKey::from_bits(u64::from(twist)).in_life(LIFE),
        248.. => token.session = of_another_life(token.session, twist),
    }
    Some(token)
}

/// One whose slot and generation are the same, so that the life alone tells it from this one.
pub(super) fn of_another_life(session: SessionId, which: u8) -> SessionId {
    session.key().in_life(pick(&[0, LIFE - 1, LIFE ^ 1 << 63, !LIFE], which))
}

/// What comes with a message from an edge: it is up to a quarter of a second old, by a clock that may
/// be ahead, or as old as deadlines are.
pub(super) fn hop(now: Instant, age: u8, how: u8) -> Hop {
    let age = match age {
        0..200 => Duration::from_millis(age.into()),
        200..232 => Duration::from_millis(u64::from(age - 200) * 100),
        232..248 => Duration::from_nanos(u64::from(age - 232)),
        _ => Duration::MAX,
    };
    let admitted_at = match how % 8 {
        0 => None,
        1 => Some(now + age),
        _ => Some(now.saturating_sub(age)),
    };
    let reviewed = if how.is_multiple_of(2) { Reviewed::NotYet } else { Reviewed::AtEdge };
    Hop { admitted_at, reviewed }
}

pub(super) fn moderation(act: u8, user: u8, time: u8) -> Act {
    let seconds = [
        Some(Duration::ZERO),
        Some(Duration::from_millis(3)),
        Some(Duration::from_secs(60)),
        Some(Duration::MAX),
        None,
    ];
    let time = pick(&seconds, time);
    let first = UserId(u64::from(user % 6));
    let users = if act >= 128 { vec![first, UserId(u64::from(user / 6 % 6))] } else { vec![first] };
    match act % 9 {
        0 => Act::AddAdmin(first),
        1 => Act::RemoveAdmin(first),
        2 => Act::Mute(users, time),
        3 => Act::Unmute(users),
        4 if user.is_multiple_of(4) => Act::MuteRoom,
        4 => Act::UnmuteRoom,
        5 => Act::Kick(users),
        6 => Act::Ban(users, time),
        7 => Act::Unban(users),
        _ => match act / 9 % 4 {
            0 => Act::Mark(users),
            1 => Act::Unmark(users),
            2 if user.is_multiple_of(3) => Act::SetOwner(first),
            _ => Act::SpeakMode(speak_mode(user, time)),
        },
    }
}

/// One of the last that have gone out or were let in, or all of one of six users.
pub(super) fn retraction(what: u8, of: u8, books: &RoomSnapshot) -> Retraction {
    let back = |last: u64| (last + 1).saturating_sub(u64::from(of % 16));
    match what % 4 {
        0 | 1 => Retraction::Sent(Seq(back(books.audience.applied.0))),
        2 => {
            let submitted = books.admission.ledger.total().submitted;
            Retraction::Waiting(MessageId(back(submitted)))
        }
        _ => Retraction::AllOf(UserId(u64::from(of % 6))),
    }
}

/// Everyone, members of an age, marked users, admins; mostly what is said is compared, too.
fn speak_mode(at: u8, time: Option<Duration>) -> SpeakMode {
    let age = time.unwrap_or(Duration::from_millis(40));
    let who = [
        MaySpeak::Everyone,
        MaySpeak::MembersFor(age),
        MaySpeak::Everyone,
        MaySpeak::Marked,
        MaySpeak::MembersFor(Duration::from_millis(5)),
        MaySpeak::Admins,
    ];
    let mode = SpeakMode::new(pick(&who, at));
    if (at / 6).is_multiple_of(4) { mode } else { mode.unique_within(age) }
}

/// One of seven keys: one is empty, one is too long.
pub(super) fn key(at: u8) -> String {
    pick(&["a", "b", "c", "d", "e", "", "far too long"], at).to_owned()
}

/// Three attributes and three counters at the most.
pub(super) fn data_limits() -> DataLimits {
    let mut limits = DataLimits::default();
    (
        limits.attribute_keys,
        limits.attribute_key_bytes,
        limits.attribute_value_bytes,
        limits.attribute_bytes,
    ) = (3, 8, 32, 64);
    limits.attribute_writes = NonZeroU32::new(2).unwrap_or(NonZeroU32::MIN);
    (limits.counters, limits.counter_key_bytes) = (3, 8);
    limits
}

pub(super) fn sender_quota(at: u8) -> Option<Quota> {
    let (count, period, burst) = pick(
        &[
            None,
            Some((1, 1_000_000_000, 1)),
            None,
            Some((3, 1_000_000_000, 2)),
            Some((2, 7_000_003, 3)),
        ],
        at,
    )?;
    let rate = Rate::new(NonZeroU32::new(count)?, Duration::from_nanos(period))?;
    Some(Quota { rate, burst: NonZeroU32::new(burst)? })
}

pub(super) fn level(at: u8) -> Priority {
    pick(&Priority::ALL, at)
}

/// What a message may be merged by, what it stands for, its key, and its counter.
pub(super) fn more(
    (first, second): (u8, u8),
) -> (Option<MergeKey>, u64, Option<DedupKey>, Option<&'static str>) {
    let merge = pick(&[None, None, Some(MergeKey::Number(1)), Some(MergeKey::Number(2))], first);
    let units = pick(&[1, 1, 1, 0, 3, u64::MAX], first / 4);
    let key = pick(&[None, None, Some(DedupKey(1)), Some(DedupKey(2)), None], second);
    let counter = pick(&[None, None, Some("a"), None, Some("b"), Some("far too long")], second / 5);
    (merge, units, key, counter)
}

pub(super) fn duplicates(at: u8) -> DedupWindow {
    let seconds =
        [Duration::from_secs(60), Duration::from_millis(40), Duration::ZERO, Duration::MAX];
    DedupWindow { window: pick(&seconds, at), keys: u32::from(at / 4 % 4) }
}

/// A bit for each level, what happens at the deadline, which is by a table, and 0 to 3 tickets.
pub(super) fn review((levels, more): (u8, u8)) -> ReviewConfig {
    let mut review = ReviewConfig::NONE;
    review.levels = roomcast_core::PerLevel::from_fn(|level| levels >> level.index() & 1 != 0);
    review.timeout = pick(
        &[Duration::from_secs(2), Duration::from_millis(10), Duration::ZERO, Duration::MAX],
        more,
    );
    review.on_timeout = if more & 64 == 0 { ReviewTimeout::Open } else { ReviewTimeout::Closed };
    review.tickets = u32::from(more / 4 % 4);
    review
}

/// A verdict; with the size of a new payload.
pub(super) fn verdict(at: u8) -> ReviewDecision<usize> {
    match at % 4 {
        0 => ReviewDecision::Deny { code: at.into() },
        1 => ReviewDecision::Rewrite(usize::from(at / 4) + usize::from(at / 16)),
        _ => ReviewDecision::Allow,
    }
}

/// A bit for each kind; the levels, the windows and the names by tables.
pub(super) fn tips((kinds, more): (u16, u8)) -> SystemMessages {
    let on = |(place, kind): (u8, SystemMessageKind)| {
        (kinds >> place & 1 != 0).then_some((kind, level(more.wrapping_add(place))))
    };
    let mut tips = (0..)
        .zip(SystemMessageKind::ALL)
        .filter_map(on)
        .fold(SystemMessages::NONE, |tips, (kind, level)| tips.with(kind, Some(level)));
    tips.window = pick(
        &[Duration::from_secs(1), Duration::from_millis(20), Duration::ZERO, Duration::MAX],
        more,
    );
    tips.counters_every =
        pick(&[Duration::from_millis(30), Duration::from_secs(4), Duration::ZERO], more / 4);
    tips.names = u32::from(more / 16 % 4);
    tips
}

/// Silence and looks in microseconds: both longer and shorter than the waits between operations,
/// and at the edges of what may be.
pub(super) fn heartbeat(at: u8) -> Option<Heartbeat> {
    let table = [
        None,
        Some((30_000, 20_000, None)),
        Some((5_000, 1_000, Some(7_500))),
        None,
        Some((1, 7_000, Some(1))),
        Some((100_000, 1_000, None)),
        Some((60_000_000, 20_000_000, Some(30_000_000))),
        Some((30_000, 20_000, Some(40_000))),
    ];
    let (silence, every, leave_after) = pick(&table, at)?;
    let [silence, every] = [silence, every].map(Duration::from_micros);
    Some(Heartbeat { silence, every, leave_after: leave_after.map(Duration::from_micros) })
}

/// With a quota that lets them all through, so that rooms miss some.
pub(super) fn broadcast_limits() -> BroadcastLimits {
    let mut limits = BroadcastLimits::default();
    limits.quota = Quota::per_second(NonZeroU32::MAX);
    limits
}

pub(super) fn broadcasts() -> Broadcasts<Probe> {
    Broadcasts::new(broadcast_limits(), 0)
}

/// At what age messages go, if ever.
pub(super) fn age(at: u8) -> Option<Duration> {
    pick(
        &[
            None,
            Some(Duration::from_secs(1)),
            Some(Duration::from_millis(25)),
            Some(Duration::from_millis(200)),
            None,
            Some(Duration::from_secs(60)),
            Some(Duration::from_nanos(1)),
            Some(Duration::MAX),
        ],
        at,
    )
}

/// How far one call may move the clock, mostly as far as it likes.
pub(super) fn max_step(at: u8) -> Option<Duration> {
    let millis = pick(&[None, None, Some(1_000), None, Some(50), Some(3_600_000), None, None], at);
    millis.map(Duration::from_millis)
}

/// The audit: none, one that is never full, and some that are.
pub(super) fn audit(at: u8) -> Option<AuditConfig> {
    use AuditOverflow::{Count, Refuse};
    let tables =
        [None, Some((1 << 20, Count)), Some((3, Count)), Some((1, Refuse)), Some((8, Refuse))];
    pick(&tables, at).map(|(records, when_full)| {
        let mut audit = AuditConfig::default();
        (audit.records, audit.when_full) = (records, when_full);
        audit
    })
}
