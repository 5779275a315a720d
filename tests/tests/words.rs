//! What people read in logs and errors, of types that no clause has an error of.

use roomcast_core::direct::{DirectReason, DirectRefused, Recipient};
use roomcast_core::event::EndReason;
use roomcast_core::quota::{NotYet, Quota, Rate, RateLimit};
use roomcast_core::time::Duration;
use roomcast_core::timed::Until;
use roomcast_core::{Instant, UserId};
use std::num::NonZeroU32;

fn count(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).expect("not 0")
}

#[test]
fn an_end_says_why() {
    let ends = [
        (EndReason::Left, "the user left the room"),
        (EndReason::RoomClosed, "the room was closed"),
        (EndReason::Kicked, "the user was kicked"),
        (EndReason::Banned, "the user was banned"),
        (EndReason::JoinedElsewhere, "the user joined another room"),
        (EndReason::Ended, "the session was ended"),
        (EndReason::Silent, "the session was silent for too long"),
    ];
    for (end, says) in ends {
        assert_eq!(end.to_string(), says);
    }
}

#[test]
fn what_was_not_sent_is_shown_without_its_payload() {
    let reason = DirectReason::NoRecipient { to: Recipient::User(UserId(7)) };
    let refused = DirectRefused { reason, payload: "secret" };
    assert_eq!(refused.to_string(), "not sent: user 7 is not in the room");
    let debug = format!("{refused:?}");
    assert_eq!(debug, format!("DirectRefused {{ reason: {reason:?}, .. }}"));
}

#[test]
fn rates_and_limits_are_said_in_words() {
    let five = Rate::per_second(count(5));
    let slow = Rate::new(count(2), Duration::from_millis(1_500)).expect("not 0");
    assert_eq!(five.to_string(), "5 per second");
    assert_eq!(slow.to_string(), "2 per 1.5s");
    let limits = [
        (RateLimit::Bucket(Quota { rate: five, burst: count(9) }), "5 per second, burst 9"),
        (RateLimit::Window(slow), "2 per 1.5s, in aligned windows"),
        (RateLimit::Unlimited, "unlimited"),
    ];
    for (limit, says) in limits {
        assert_eq!(limit.to_string(), says);
    }
    let later = NotYet { retry_at: Some(Instant::from_millis(1_500)) };
    assert_eq!(later.to_string(), "rate exceeded; retry at 1.500000000s");
    assert_eq!(
        NotYet { retry_at: None }.to_string(),
        "never allowed: the bucket cannot hold more than has to be kept back"
    );
}

#[test]
fn a_ban_says_until_when() {
    assert_eq!(Until::At(Instant::from_secs(3)).to_string(), "until 3.000000000s");
    assert_eq!(Until::Forever.to_string(), "for good");
}
