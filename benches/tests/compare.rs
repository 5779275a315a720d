//! The program `compare`, run as a user runs it.

use serde_json::Value;
use std::process::{Command, Output};

const MEMBERS: u64 = 10;
const MESSAGES: u64 = 2;

fn compare(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_compare"))
        .args(arguments)
        .output()
        .expect("the program starts")
}

fn json(arguments: &[&str]) -> Value {
    let run = compare(&[arguments, &["--json"]].concat());
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    serde_json::from_slice(&run.stdout).expect("the output is JSON")
}

fn table(arguments: &[&str]) -> String {
    let run = compare(arguments);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).expect("text")
}

/// The contenders of a run on so many threads.
fn contenders(report: &Value, threads: u64) -> &Vec<Value> {
    let runs = report["runs"].as_array().expect("a list of runs");
    let run = runs
        .iter()
        .find(|run| run["threads"] == threads)
        .unwrap_or_else(|| panic!("a run on {threads} threads"));
    run["contenders"].as_array().expect("a list of contenders")
}

const ALONE: [&str; 3] = ["bare-sweep", "roomcast-sweep", "vec-deques"];
const TASKS: [&str; 6] = [
    "wake-and-poll",
    "roomcast-pump",
    "roomcast-subscriptions",
    "tokio-broadcast",
    "tokio-mpsc",
    "async-broadcast",
];

/// Every contender was measured on as many threads as it can use, and its sinks were handed so many
/// messages.
fn check(report: &Value, threads: u64, deliveries: u64) {
    let contenders = contenders(report, threads);
    let named = |wanted: &str| contenders.iter().find(|one| one["contender"] == wanted);
    for name in ALONE.into_iter().chain(TASKS) {
        let one = named(name).unwrap_or_else(|| panic!("{name} was measured"));
        assert_eq!(one["deliveries"], deliveries, "{name}");
        assert_eq!(one["threads"], if TASKS.contains(&name) { threads } else { 1 }, "{name}");
        assert!(one["ns_per_delivery"].as_f64().is_some_and(|ns| ns > 0.0), "{name}: {one}");
        assert!(
            one["to_tokio_broadcast"].as_f64().is_some_and(|ratio| ratio > 0.0),
            "{name}: {one}"
        );
        assert!(one["publish_p50"].as_u64() <= one["publish_max"].as_u64(), "{name}: {one}");
    }
    let append = named("bare-append").expect("the floor of a publish was measured");
    assert!(append["deliveries"].is_null(), "it has no members: {append}");
    assert_eq!(contenders.len(), ALONE.len() + TASKS.len() + 1);
}

/// On one thread and on two.
#[test]
fn every_contender_hands_all_to_every_member() {
    let report = json(&["--members", "10", "--messages", "2"]);
    assert_eq!(report["members"], MEMBERS);
    assert_eq!(report["messages"], MESSAGES);
    assert_eq!(report["burst"], 1);
    assert_eq!(report["coalescing_window_ns"], 0);
    check(&report, 1, MEMBERS * MESSAGES);
    check(&report, 2, MEMBERS * MESSAGES);
}

/// Each burst is handed over whole.
#[test]
fn the_last_burst_may_be_short() {
    for (threads, burst, messages) in [("1", "2", 5), ("2", "32", 33)] {
        let report = json(&[
            "--members",
            "1500",
            "--messages",
            &messages.to_string(),
            "--burst",
            burst,
            "--threads",
            threads,
        ]);
        assert_eq!(report["burst"].to_string(), burst);
        assert_eq!(report["runs"].as_array().map(Vec::len), Some(1), "only what was asked for");
        check(&report, threads.parse().expect("a number"), 1_500 * messages);
    }
}

/// It says why.
#[test]
fn a_contender_over_the_memory_is_skipped() {
    let few = ["--members", "4000", "--messages", "1", "--threads", "1", "--memory", "4"];
    let report = json(&few);
    for one in contenders(&report, 1) {
        let skipped = one["contender"] == "tokio-mpsc";
        assert_eq!(one["skipped"].is_string(), skipped, "{one}");
        assert_eq!(one["publish_p50"].is_null(), skipped, "{one}");
    }
    let table = table(&few);
    let line = table.lines().find(|line| line.starts_with("tokio mpsc")).expect("its line");
    assert!(line.contains("skipped: needs about 10 MiB of memory, and may take 4 MiB"), "{line}");
}

/// The surroundings are the cores, the threads and the window.
#[test]
fn a_table_names_contenders_and_surroundings() {
    let table = table(&["--members", "1", "--messages", "1"]);
    for words in [
        "Hub, a task each",
        "Hub, a pump for all",
        "tokio broadcast",
        "async-broadcast",
        "VecDeques",
        "wake and poll",
        "cores",
        "Coalescing window: none",
        "On one thread",
        "On two threads",
        "core's Room *",
    ] {
        assert!(table.contains(words), "`{words}` is missing from:\n{table}");
    }
}

#[test]
fn a_publish_is_timed_beside_a_sweep_and_alone() {
    let arguments = ["--while-sweeping", "--members", "3000", "--messages", "101"];
    let report = json(&arguments);
    assert_eq!(report["deliveries"], 2 * 3_000 * 101, "everyone gets what was published in both");
    assert!(report["sweeps"].as_u64() >= Some(5), "{report}");
    for kind in ["without_a_sweep", "during_sweeps"] {
        let at = |quantile: &str| report[kind][quantile].as_u64().expect("a time");
        assert!(
            at("p50") > 0
                && at("p50") <= at("p99")
                && at("p99") <= at("p999")
                && at("p999") <= at("max"),
            "{report}"
        );
    }
    let table = table(&arguments);
    for words in ["3,000 guests", "without a sweep", "while sweeping", "p99.9", "606,000 messages"]
    {
        assert!(table.contains(words), "`{words}` is missing from:\n{table}");
    }
}

#[test]
fn a_wrong_option_gets_one_line_and_status_2() {
    for (arguments, option, value) in [
        (&["--members", "0"][..], "--members", "0"),
        (&["--members", "-3"], "--members", "-3"),
        (&["--members=10000001"], "--members", "10000001"),
        (&["--messages", "many"], "--messages", "many"),
        (&["--messages"], "--messages", ""),
        (&["--threads", "3"], "--threads", "3"),
        (&["--threads=0"], "--threads", "0"),
        (&["--burst", "33"], "--burst", "33"),
        (&["--burst", "3", "--messages", "2"], "--burst", "with --messages 2"),
        (&["--memory", "much"], "--memory", "much"),
        (&["--while-sweeping", "--threads", "1"], "--while-sweeping", "--threads"),
        (&["--burst", "2", "--while-sweeping"], "--while-sweeping", "--burst"),
        (&["--while-sweeping=1"], "--while-sweeping", "1"),
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
