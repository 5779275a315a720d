//! What is tried, and the files of it.

/// Each subject's files, which are patterns for cargo-mutants.
const SUBJECTS: &[(&str, &[&str])] = &[
    ("quota", &["core/src/quota/*.rs"]),
    ("queue", &["core/src/queue/*.rs"]),
    ("dedup", &["core/src/dedup.rs", "core/src/dedup/*.rs"]),
    ("keyed", &["core/src/keyed.rs"]),
    ("ledger", &["core/src/ledger.rs", "core/src/ledger/*.rs"]),
    ("feed", &["core/src/audience/feed.rs", "core/src/log.rs", "core/src/log/*.rs"]),
    (
        "direct",
        &[
            "core/src/direct.rs",
            "core/src/admission/direct.rs",
            "core/src/audience/crowd/directs.rs",
        ],
    ),
    ("timed", &["core/src/timed.rs"]),
    (
        "presence",
        &[
            "core/src/event.rs",
            "core/src/recent_users.rs",
            "core/src/roster.rs",
            "core/src/index.rs",
        ],
    ),
    ("heartbeat", &["core/src/audience/heartbeat_wheel.rs", "core/src/config/heartbeat.rs"]),
];

/// The files of these subjects, of all where there is none; a path stands for itself.
pub(crate) fn files(asked: &[String]) -> Result<Vec<String>, String> {
    let all: Vec<&str> = SUBJECTS.iter().map(|(name, _)| *name).collect();
    let mut files = Vec::new();
    for name in asked.iter().map(String::as_str).chain(if asked.is_empty() { all } else { vec![] })
    {
        match SUBJECTS.iter().find(|(subject, _)| *subject == name) {
            Some((_, patterns)) => files.extend(patterns.iter().map(ToString::to_string)),
            None if name.starts_with("core/src/") => files.push(name.to_owned()),
            None => {
                let names: Vec<&str> = SUBJECTS.iter().map(|(name, _)| *name).collect();
                return Err(format!(
                    "there is no subject {name:?}, want one of {}, or a file below core/src",
                    names.join(", ")
                ));
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_subject_is_told_the_known_ones() {
        let error = files(&["quotas".to_owned()]).unwrap_err();
        assert!(error.contains("\"quotas\", want one of quota, queue"), "{error}");
        assert_eq!(files(&["keyed".to_owned()]).unwrap(), ["core/src/keyed.rs"]);
        assert!(files(&[]).unwrap().len() > 10);
    }
}
