//! The program `compare`, run as a user runs it.

use serde_json::Value;
use std::process::{Command, Output};

const MEMBERS: u64 = 10;
const MESSAGES: u64 = 2;

fn compare(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_compare")).args(arguments).output().expect("the program starts")
}

#[test]
fn every_contender_hands_every_message_to_every_member() {
    let run = compare(&["--members", "10", "--messages", "2", "--json"]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let report: Value = serde_json::from_slice(&run.stdout).expect("the output is JSON");
    assert_eq!(report["members"], MEMBERS);
    assert_eq!(report["messages"], MESSAGES);
    assert_eq!(report["coalescing_window_ns"], 0);
    let contenders = report["contenders"].as_array().expect("a list of contenders");
    let named = |wanted: &str| contenders.iter().find(|one| one["contender"] == wanted);
    for name in
        ["bare-sweep", "roomcast-sweep", "roomcast-subscriptions", "tokio-broadcast", "tokio-mpsc", "async-broadcast", "vec-deques"]
    {
        let one = named(name).unwrap_or_else(|| panic!("{name} was measured"));
        assert_eq!(one["deliveries"], MEMBERS * MESSAGES, "{name}");
        assert!(one["ns_per_delivery"].as_f64().is_some_and(|ns| ns > 0.0), "{name}: {one}");
        assert!(one["publish_p50"].as_u64() <= one["publish_max"].as_u64(), "{name}: {one}");
    }
    let append = named("bare-append").expect("the floor of a publish was measured");
    assert!(append["deliveries"].is_null(), "it has no members: {append}");
    assert_eq!(contenders.len(), 8);
}

#[test]
fn a_table_names_every_contender_the_cores_and_the_window() {
    let run = compare(&["--members", "1", "--messages", "1"]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let table = String::from_utf8(run.stdout).expect("text");
    for words in ["Hub, a task each", "tokio broadcast", "async-broadcast", "VecDeques", "cores", "Coalescing window: none"] {
        assert!(table.contains(words), "`{words}` is missing from:\n{table}");
    }
}

#[test]
fn a_wrong_option_is_answered_by_one_line_and_status_2() {
    for (arguments, option, value) in [
        (&["--members", "0"][..], "--members", "0"),
        (&["--members", "-3"], "--members", "-3"),
        (&["--members=10000001"], "--members", "10000001"),
        (&["--messages", "many"], "--messages", "many"),
        (&["--messages"], "--messages", ""),
        (&["--members", "5", "--members", "6"], "--members", ""),
        (&["--json=3"], "--json", "3"),
        (&["--window", "3"], "--window", ""),
    ] {
        let run = compare(arguments);
        let line = String::from_utf8(run.stderr).expect("text");
        assert_eq!(run.status.code(), Some(2), "{arguments:?}: {line}");
        assert_eq!(line.lines().count(), 1, "{arguments:?}: {line}");
        assert!(line.contains(option) && line.contains(value), "{arguments:?}: {line}");
        assert!(run.stdout.is_empty(), "{arguments:?}");
    }
}
