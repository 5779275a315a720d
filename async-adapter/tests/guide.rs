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
