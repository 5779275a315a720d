use super::*;

const SECOND: u64 = 1_000_000_000;

/// One text a second by ten senders, `seconds` + 1 of them.
fn recording(seconds: u64) -> Arc<Recording> {
    let lines = (0..=seconds).map(|i| format!("{},{},{}\n", i * 1_000_000, i % 10, 20));
    let csv = format!("offset_us,sender,bytes\n{}", lines.collect::<String>());
    Arc::new(Recording::parse("test", csv.as_bytes()).unwrap())
}

fn settings(speed: f64, likes_per_second: u32, gifts_per_minute: u32) -> Settings {
    Settings { speed: Speed::new(speed).unwrap(), likes_per_second, gifts_per_minute }
}

fn count(offers: &[Offer]) -> (usize, usize, usize) {
    let of = |test: fn(&What) -> bool| offers.iter().filter(|offer| test(&offer.what)).count();
    (
        of(|what| matches!(what, What::Text { .. })),
        of(|what| matches!(what, What::Like { .. })),
        of(|what| matches!(what, What::Gift { .. })),
    )
}

fn take_until(crowd: &mut Crowd, end_ns: u64) -> Vec<Offer> {
    let mut offers = Vec::new();
    while crowd.next_at().is_some_and(|at| at <= end_ns) {
        offers.extend(crowd.next());
    }
    offers
}

#[test]
fn counts_over_virtual_time_are_right() {
    let offers: Vec<_> = Crowd::new(recording(600), settings(10.0, 1_000, 60), 1).collect();
    let (texts, likes, gifts) = count(&offers);
    assert_eq!(texts, 601);
    // 60 s of room time; a like due at the very end is not sent any more.
    assert_eq!(likes, 59_999);
    assert!((50..=70).contains(&gifts), "{gifts}");
    assert_eq!(offers.last().map(|offer| offer.at_ns), Some(60 * SECOND));
}

#[test]
fn offers_come_in_order_and_next_at_tells_when() {
    let mut crowd = Crowd::new(recording(60), settings(7.3, 333, 120), 9);
    let mut last = 0;
    while let Some(at) = crowd.next_at() {
        let offer = crowd.next().unwrap();
        assert_eq!(offer.at_ns, at);
        assert!(at >= last);
        last = at;
    }
    assert!(crowd.finished());
    assert_eq!(crowd.next(), None);
}

/// The same seed gives the same crowd, and another seed another one.
#[test]
fn the_seed_alone_decides_the_crowd() {
    let run = |seed| Crowd::new(recording(60), settings(5.0, 50, 60), seed).collect::<Vec<_>>();
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_sender_keeps_number_and_name() {
    let offers = Crowd::new(recording(60), settings(1.0, 20, 0), 1);
    let mut names = std::collections::HashMap::new();
    for offer in offers {
        assert_eq!(
            *names.entry(offer.sender).or_insert_with(|| Arc::clone(&offer.nick)),
            offer.nick
        );
    }
    assert_eq!(names.len(), 10);
}

#[test]
fn settings_change_while_running_without_a_jump() {
    let mut crowd = Crowd::new(recording(100), settings(1.0, 0, 0), 1);
    let (texts, likes, _) = count(&take_until(&mut crowd, 10 * SECOND));
    assert_eq!((texts, likes), (11, 0));

    crowd.set_speed(10 * SECOND, Speed::new(10.0).unwrap());
    crowd.set_likes(10 * SECOND, 100);
    let offers = take_until(&mut crowd, 12 * SECOND);
    assert_eq!(count(&offers), (20, 200, 0));
    assert!(offers.iter().all(|offer| offer.at_ns > 10 * SECOND));

    crowd.set_likes(12 * SECOND, 0);
    crowd.set_gifts(12 * SECOND, 600);
    let (texts, likes, gifts) = count(&take_until(&mut crowd, 14 * SECOND));
    assert_eq!((texts, likes), (20, 0));
    assert!((14..=26).contains(&gifts), "{gifts}");
}

/// What is overdue stays in order.
#[test]
fn a_late_change_makes_the_overdue_due_at_once() {
    let mut crowd = Crowd::new(recording(100), settings(1.0, 10, 0), 1);
    crowd.set_speed(5 * SECOND, Speed::MAX);
    let mut last = 0;
    for offer in crowd {
        assert!(offer.at_ns >= last);
        last = offer.at_ns;
    }
    assert_eq!(last, 5 * SECOND + 95 * SECOND / 100);
}

#[test]
fn a_repeated_recording_goes_on_with_other_words() {
    let mut crowd = Crowd::new(recording(3), settings(1.0, 0, 0), 1).at_end(AtEnd::Repeat);
    let offers: Vec<_> = crowd.by_ref().take(8).collect();
    let times: Vec<_> = offers.iter().map(|offer| offer.at_ns / SECOND).collect();
    assert_eq!(times, [0, 1, 2, 3, 5, 6, 7, 8]);
    assert_ne!(offers[0].what, offers[4].what);
    assert!(!crowd.finished());
}

#[test]
fn progress_goes_from_0_to_1() {
    let mut crowd = Crowd::new(recording(10), settings(2.0, 0, 0), 1);
    assert!(crowd.progress() < f64::EPSILON);
    take_until(&mut crowd, 5 * SECOND / 2);
    assert!((crowd.progress() - 0.5).abs() < 1e-9);
    take_until(&mut crowd, 5 * SECOND);
    assert!((crowd.progress() - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_restart_begins_again_at_a_later_time() {
    let mut crowd = Crowd::new(recording(10), settings(1.0, 5, 5), 1);
    let first: Vec<_> = take_until(&mut crowd, 4 * SECOND);
    crowd.restart(7 * SECOND, settings(1.0, 5, 5));
    let again: Vec<_> = take_until(&mut crowd, 11 * SECOND);
    assert_eq!(first.len(), again.len());
    for (a, b) in first.iter().zip(&again) {
        assert_eq!((a.at_ns + 7 * SECOND, &a.what), (b.at_ns, &b.what));
    }
}
