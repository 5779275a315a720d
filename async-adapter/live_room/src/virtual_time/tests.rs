use super::*;
use roomcast::Priority;
use roomcast::error::DropReason;

fn run_with(arguments: &[&str]) -> Books {
    let options =
        Options::read([&["live_room", "--headless", "--virtual"], arguments].concat()).unwrap();
    let recording = Arc::new(Recording::premiere().unwrap());
    run(&recording, &options, &ProgressBar::hidden()).unwrap()
}

/// The same seed prints the same books, and another seed prints others.
#[test]
fn the_seed_alone_decides_the_books() {
    let run = |seed| {
        run_with(&[
            "--speed",
            "10",
            "--likes",
            "200",
            "--viewers",
            "100",
            "--slow-viewers",
            "5%",
            "--duration",
            "20s",
            "--seed",
            seed,
        ])
        .to_string()
    };
    let first = run("1");
    assert_eq!(first, run("1"));
    assert_ne!(first, run("2"));
}

/// Ten thousand likes come each second.
#[test]
fn no_gift_is_lost_while_likes_are_shed() {
    let books = run_with(&[
        "--speed",
        "10",
        "--likes",
        "10000",
        "--gifts",
        "600",
        "--viewers",
        "50",
        "--duration",
        "20s",
    ]);
    assert!(books.balance(), "{books}");
    let levels = &books.room.admission.ledger.levels;
    assert!(levels[Priority::High].submitted > 150, "{books}");
    assert_eq!(levels[Priority::High].submitted, levels[Priority::High].dispatched, "{books}");
    assert!(levels[Priority::Low].dropped.total() > 170_000, "{books}");
    assert!(levels[Priority::Normal].dropped.count(DropReason::Expired) > 0, "{books}");
}

#[test]
fn slow_viewers_skip_chat_and_miss_no_gift() {
    let books = run_with(&[
        "--speed",
        "10",
        "--gifts",
        "60",
        "--viewers",
        "100",
        "--slow-viewers",
        "20",
        "--duration",
        "40s",
    ]);
    let deliveries = &books.room.audience.deliveries;
    assert!(books.balance(), "{books}");
    assert_eq!(
        (deliveries[Priority::High].skipped, deliveries[Priority::High].abandoned),
        (0, 0),
        "{books}"
    );
    assert!(deliveries[Priority::Normal].skipped > 0, "{books}");
    assert_eq!(deliveries.values().map(|row| row.pending).sum::<u64>(), 0, "{books}");
}

#[test]
fn a_duration_ends_the_run_early() {
    let books = run_with(&["--duration", "5s"]);
    assert_eq!(books.lasted, Duration::from_secs(5));
    assert!(books.balance(), "{books}");
}
