//! The program `siege`, run as a user runs it.

use serde_json::Value;
use std::process::{Command, Output};

fn siege(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_siege")).args(arguments).output().expect("the program starts")
}

/// One second of an attack on few peers, on a machine that may be busy.
fn short(attack: &str, more: &[&str]) -> Output {
    let few = ["--attack", attack, "--seconds", "1", "--peers", "5", "--high-age", "10000"];
    siege(&[&few[..], more].concat())
}

fn json(run: &Output) -> Value {
    serde_json::from_slice(&run.stdout).expect("the output is JSON")
}

#[test]
fn an_attack_is_made_and_measured() {
    for attack in ["deaf-pings", "half-open"] {
        let run = short(attack, &["--json"]);
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let report = json(&run);
        let row = &report["attacks"][0];
        assert_eq!(
            (&row["attack"], report["attacks"].as_array().map(Vec::len)),
            (&attack.into(), Some(1))
        );
        assert!(row["count"].as_u64() > Some(100), "{row}");
        // Four a second, and five peers.
        assert!(row["high_count"].as_u64() >= Some(15), "{row}");
        assert!(row["high_p99"].as_u64() > Some(0), "{row}");
        assert!(row["resident_before"].as_u64() > Some(1 << 20), "{row}");
        // A listener and five peers at the least.
        assert!(row["descriptors_before"].as_u64() > Some(5), "{row}");
        assert_eq!(report["end"]["balances"], true, "{report}");
        assert_eq!(report["broken"], Value::Array(Vec::new()), "{report}");
    }
}

/// Two hundred connections take some memory, and here none is allowed.
#[test]
fn a_broken_bound_is_named_and_ends_with_status_1() {
    let run = short("half-open", &["--memory", "0", "--slack", "0"]);
    let told = String::from_utf8(run.stderr).expect("text");
    assert_eq!(run.status.code(), Some(1), "{told}");
    assert!(told.contains("siege: half-open: memory: the server grew by "), "{told}");
    let table = String::from_utf8(run.stdout).expect("text");
    for words in ["half-open", "BROKEN", "200 connections", "5 healthy peers", "cores", "balance"] {
        assert!(table.contains(words), "`{words}` is missing from:\n{table}");
    }
}

#[test]
fn a_wrong_option_gets_one_line_and_status_2() {
    for (arguments, option, value) in [
        (&["--attack", "politeness"][..], "--attack", "politeness"),
        (&["--seconds", "0"], "--seconds", "0"),
        (&["--peers", "-1"], "--peers", "-1"),
        (&["--messages-a-second=9"], "--messages-a-second", "9"),
        (&["--high-age", "soon"], "--high-age", "soon"),
        (&["--memory"], "--memory", ""),
        (&["--connections", "3"], "--connections", "--peers"),
    ] {
        let run = siege(arguments);
        let line = String::from_utf8(run.stderr).expect("text");
        assert_eq!(run.status.code(), Some(2), "{arguments:?}: {line}");
        assert_eq!(line.lines().count(), 1, "{arguments:?}: {line}");
        assert!(line.contains(option) && line.contains(value), "{arguments:?}: {line}");
        assert!(run.stdout.is_empty(), "{arguments:?}");
    }
}
