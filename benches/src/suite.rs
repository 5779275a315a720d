//! What a suite was asked for: `cargo bench` hands the same arguments to each, and criterion honours
//! them for its own benches. What a suite measures besides, its figures, honours them by this.

use std::env;

/// Options of criterion that are followed by no value.
const FLAGS: [&str; 18] = [
    "-v",
    "--verbose",
    "--quiet",
    "-n",
    "--noplot",
    "--discard-baseline",
    "--list",
    "--ignored",
    "--exact",
    "--quick",
    "--test",
    "--bench",
    "--nocapture",
    "--show-output",
    "--include-ignored",
    "-V",
    "--version",
    "--help",
];

/// Options that ask for something else than measuring all anew.
const ELSE: [&str; 10] = [
    "--test",
    "--list",
    "-s",
    "--save-baseline",
    "-b",
    "--baseline",
    "--baseline-lenient",
    "--load-baseline",
    "--profile-time",
    "--quick",
];

/// What makes a filter a regular expression that is more than its text.
const PATTERN: [char; 14] = ['.', '*', '+', '?', '|', '(', ')', '[', ']', '{', '}', '^', '$', '\\'];

/// Returns whether the suite only checks that its benches run (`cargo bench -- --test`).
pub fn is_test_run() -> bool {
    env::args().any(|argument| argument == "--test")
}

/// Returns whether a figure is to be measured: its name contains the filter, if there is one, and the
/// run is neither a test nor quick, nor one that lists benches or compares them with another run.
pub fn wants_figure(name: &str) -> bool {
    wants(name, &env::args().skip(1).collect::<Vec<_>>())
}

/// Returns whether what a bench of this name needs is to be made: the name contains the filter, if there
/// is one and it is no pattern. Criterion itself decides what it runs; this is for what takes long to
/// make.
pub fn wants_bench(name: &str) -> bool {
    passes(name, &env::args().skip(1).collect::<Vec<_>>())
}

fn wants(name: &str, arguments: &[String]) -> bool {
    let is_else =
        |argument: &String| ELSE.contains(&argument.split('=').next().unwrap_or_default());
    !arguments.iter().any(is_else) && passes(name, arguments)
}

fn passes(name: &str, arguments: &[String]) -> bool {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if !argument.starts_with('-') {
            return argument.contains(PATTERN) || name.contains(argument.as_str());
        }
        if !argument.contains('=') && !FLAGS.contains(&argument.as_str()) {
            arguments.next();
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &str, arguments: &str) -> bool {
        wants(name, &arguments.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_filter_is_the_first_argument_that_belongs_to_no_option() {
        assert!(wanted("sweep/ratio", "--bench"));
        assert!(wanted("sweep/ratio", "--bench sweep"));
        assert!(wanted("sweep/ratio", "--sample-size 10 sweep --noplot"));
        assert!(wanted("sweep/ratio", "--sample-size=10 ratio"));
        assert!(wanted("sweep/ratio", "--bench ^publish|^sweep"));
        assert!(!wanted("sweep/ratio", "--bench publish"));
        assert!(!wanted("sweep/ratio", "--color always publish"));
    }

    #[test]
    fn what_compares_runs_measures_no_figures() {
        for arguments in
            ["--save-baseline x", "--baseline=x", "--list", "--test", "-b x", "--quick"]
        {
            assert!(!wanted("sweep/ratio", arguments), "{arguments}");
        }
    }
}
