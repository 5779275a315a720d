//! The guide's tables name every reason that there is, and none that there is not.

use roomcast::GapCause;
use roomcast::stats::{DropReason, Reason, RefusalReason};

const OPERATIONS: &str = include_str!("../docs/guide/operations.md");

/// The first cells of the table below a heading.
fn rows(heading: &str) -> Vec<&'static str> {
    let (_, below) = OPERATIONS.split_once(heading).expect("the heading is there");
    let section = below.split("\n## ").next().unwrap_or_default();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `"));
    cells.filter_map(|row| row.split_once("` | ").map(|(name, _)| name)).collect()
}

fn names<R: Reason>() -> Vec<&'static str> {
    R::ALL.iter().map(|reason| reason.name()).collect()
}

#[test]
fn every_reason_is_explained() {
    assert_eq!(rows("\n## Why a message was refused\n"), names::<RefusalReason>());
    assert_eq!(rows("\n## Why a message was dropped\n"), names::<DropReason>());
    assert_eq!(rows("\n## Why a session missed messages\n"), GapCause::ALL.map(GapCause::name));
}

/// The configuration file of the guide is one, and the errors are those that it shows.
#[cfg(feature = "serde")]
#[test]
fn the_file_of_the_guide_is_read_and_a_wrong_one_is_told_as_it_says() {
    use roomcast::RoomConfig;
    use std::time::Duration;

    let limits = include_str!("../docs/guide/limits.md");
    let (_, rest) = limits.split_once("```toml\n").expect("a file");
    let (file, _) = rest.split_once("```").expect("its end");
    let config: RoomConfig = toml::from_str(file).unwrap();
    assert_eq!(config.idle_timeout(), Some(Duration::from_secs(600)));
    // What is written is read again as the same.
    assert_eq!(toml::from_str::<RoomConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
    let refused = |file: &str| toml::from_str::<RoomConfig>(file).unwrap_err().to_string();
    for (file, error) in [
        (
            "grace = \"5 parsecs\"",
            "grace: invalid value: string \"5 parsecs\", expected a duration",
        ),
        ("queue_bytes = 100", "queue_bytes must be at least 12288, not 100"),
    ] {
        assert!(refused(file).contains(error), "{}", refused(file));
        assert!(limits.contains(error), "the guide says something else than {error}");
    }
    assert!(refused("rates = 5").contains("rates"), "{}", refused("rates = 5"));
}
