//! The program `sockets`, run as a user runs it.

use serde_json::Value;
use std::process::{Command, Output};

fn sockets(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sockets"))
        .args(arguments)
        .output()
        .expect("the program starts")
}

fn json(arguments: &[&str]) -> Value {
    let run = sockets(&[arguments, &["--json"]].concat());
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    serde_json::from_slice(&run.stdout).expect("the output is JSON")
}

fn sum(counts: &Value) -> u64 {
    counts
        .as_array()
        .expect("a count for each level")
        .iter()
        .map(|count| count.as_u64().expect("a count"))
        .sum()
}

const SERVERS: [&str; 5] =
    ["bare", "roomcast-tcp", "roomcast-ws", "roomcast-axum", "axum-broadcast"];

#[test]
fn every_server_gets_all_to_every_client() {
    let report = json(&["--connections", "20", "--seconds", "1"]);
    let contenders = report["contenders"].as_array().expect("a list");
    let names: Vec<_> =
        contenders.iter().map(|one| one["contender"].as_str().expect("a name")).collect();
    assert_eq!(names, SERVERS);
    for one in contenders {
        let name = &one["contender"];
        assert_eq!(one["connections"], 20, "{name}");
        // Warm-up included.
        assert!(sum(&one["dispatched"]) >= 60, "{one}");
        assert_eq!(sum(&one["received"]), 20 * sum(&one["dispatched"]), "{one}");
        assert!(
            one["writes"].as_u64() > Some(0) && one["cpu_ns_per_write"].as_f64() > Some(0.0),
            "{one}"
        );
        assert!(
            one["high"]["p50"].as_u64() <= one["high"]["max"].as_u64()
                && one["high"]["count"].as_u64() > Some(0),
            "{one}"
        );
        assert_eq!(
            (one["high_lost"].as_u64(), one["told_fast"].as_u64()),
            (Some(0), Some(0)),
            "{one}"
        );
        assert!(one["slow_receive_buffer"].is_null(), "nobody reads slowly: {one}");
        assert_eq!(
            one["balances"].as_bool(),
            name.as_str().is_some_and(|name| name.starts_with("roomcast")).then_some(true)
        );
        assert_eq!(one["problems"], Value::Array(Vec::new()), "{one}");
    }
    assert_eq!(contenders[0]["per_write_to_bare"], 1.0);
    assert_eq!(contenders[4]["per_message_to_axum"], 1.0);
}

/// Every client gets every high message.
#[test]
fn overload_and_slow_clients_cost_no_high_one() {
    for name in ["roomcast-tcp", "roomcast-ws"] {
        let report = json(&[
            "--connections",
            "20",
            "--seconds",
            "1",
            "--overload",
            "10",
            "--slow",
            "10",
            "--only",
            name,
        ]);
        let one = &report["contenders"][0];
        assert_eq!(one["contender"], name);
        assert_eq!(one["high_lost"], 0, "{one}");
        assert_eq!(
            one["received"][0].as_u64(),
            one["offered"][0].as_u64().map(|offered| 20 * offered),
            "{one}"
        );
        assert!(sum(&one["dispatched"]) < sum(&one["offered"]), "it was overloaded: {one}");
        assert!(one["slow_high"]["count"].as_u64() > Some(0), "{one}");
        // The kernel gives twice the 4 KiB that it is asked for, or what it gives at the least.
        let buffer = one["slow_receive_buffer"].as_u64().expect("slow clients have one");
        assert!((1_024..=16 << 10).contains(&buffer), "{one}");
        let full = Some(buffer * 1_000_000_000 / 1_024);
        assert_eq!(one["slow_receive_buffer_ns"].as_u64(), full, "1 KiB a second: {one}");
        assert!(one["in_flight"].as_u64() > Some(0), "they are behind: {one}");
        assert!(one["per_write_to_bare"].is_null(), "nothing to compare with: {one}");
    }
}

#[test]
fn a_table_names_servers_load_and_latencies() {
    let run = sockets(&[
        "--connections",
        "3",
        "--seconds",
        "1",
        "--window",
        "0",
        "--rounds",
        "2",
        "--only",
        "roomcast-tcp",
    ]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let table = String::from_utf8(run.stdout).expect("text");
    for words in [
        "roomcast: pump, TCP",
        "3 connections",
        "window 0 ms",
        "CPU/write",
        "p99",
        "High lost",
        "right",
        "cores",
    ] {
        assert!(table.contains(words), "`{words}` is missing from:\n{table}");
    }
}

#[test]
fn a_wrong_option_gets_one_line_and_status_2() {
    for (arguments, option, value) in [
        (&["--connections", "0"][..], "--connections", "0"),
        (&["--connections=60001"], "--connections", "60001"),
        (&["--messages-a-second", "many"], "--messages-a-second", "many"),
        (&["--window", "-1"], "--window", "-1"),
        (&["--seconds"], "--seconds", ""),
        (&["--slow", "101"], "--slow", "101"),
        (&["--link", "24"], "--link", "such as 24kbit"),
        (&["--link-delay", "5"], "--link", "<RATE>"),
        (&["--overload", "0"], "--overload", "0"),
        (&["--overload", "100"], "--high-every", "101 or more"),
        (&["--threads", "3"], "--threads", "3"),
        (&["--only", "nobody"], "--only", "nobody"),
        (&["--members", "3"], "--members", "--connections"),
        (&["--json=3"], "--json", "3"),
    ] {
        let run = sockets(arguments);
        let line = String::from_utf8(run.stderr).expect("text");
        assert_eq!(run.status.code(), Some(2), "{arguments:?}: {line}");
        assert_eq!(line.lines().count(), 1, "{arguments:?}: {line}");
        assert!(line.contains(option) && line.contains(value), "{arguments:?}: {line}");
        assert!(run.stdout.is_empty(), "{arguments:?}");
    }
}
