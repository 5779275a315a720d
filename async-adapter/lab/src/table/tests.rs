use indicatif::ProgressBar;
use roomcast_replay::recording::Recording;

use super::*;
use crate::options::Options;

/// The columns are aligned.
#[test]
fn the_table_has_a_row_for_each_sort_and_room() {
    let options =
        Options::read(["lab", "--speed", "100", "--likes", "400", "--flood", "30"]).unwrap();
    let lab = Lab::run(&Recording::premiere().unwrap(), &options, &ProgressBar::hidden()).unwrap();
    let text = text(&lab);
    let (_, rest) = text.split_once("\n\n").unwrap();
    let mut lines = rest.lines().filter(|line| !line.is_empty());
    let (groups, names) = (lines.next().unwrap(), lines.next().unwrap());
    assert!(groups.trim_start().starts_with("dropped:"), "{text}");
    let last: Vec<_> = groups.split_whitespace().rev().take(4).collect();
    assert_eq!(last, ["told", "told", "age", "age"], "{text}");
    let ends = |name: &str| names.find(name).map(|begins| begins + name.len()).unwrap();
    let rows: Vec<_> = lines.take(4 * lab.rooms.len()).collect();
    assert_eq!(rows.len(), 24);
    for row in &rows {
        assert_eq!(row.len(), names.len(), "{row}");
        for name in ["offered", "dispatched", "through", "p50"] {
            let row = row.as_bytes();
            assert!(row[ends(name) - 1] != b' ' && row[ends(name)] == b' ', "{name} in {text}");
        }
    }
    assert!(rows[0].starts_with("av_chat_room    high      gifts "), "{text}");
    assert!(text.ends_with("every figure agrees with the room's own ledger\n"));
}

#[test]
fn times_are_in_seconds() {
    assert_eq!(
        [seconds(0), seconds(12_345), seconds(88_824_000)],
        ["0.000 s", "0.012 s", "88.824 s"]
    );
}
