//! The fuzzers, over a tree with faults in it.

use super::name_to;
use crate::tree::Tree;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// The targets that run the core, what finds most first, and where their seeds are.
const TARGETS: &[(&str, Option<&str>)] = &[
    ("room", Some("fuzz/seeds/room")),
    ("bucket", None),
    ("queue", None),
    ("keyed", None),
    ("duplicates", None),
    ("fresh", None),
    ("resume", None),
    ("shards", None),
    ("edges", None),
];

/// The programs.
#[derive(Debug)]
pub(super) struct Fuzzers {
    folder: PathBuf,
    tree: PathBuf,
}

impl Fuzzers {
    /// Builds them; cargo-fuzz and a nightly toolchain have to be there.
    pub(super) fn build(tree: &Tree) -> Result<Self, String> {
        let target = tree.path().with_file_name("fuzz");
        let mut command = Command::new("cargo");
        command
            .current_dir(tree.path())
            .env("RUSTFLAGS", "--cap-lints=allow")
            .env_remove("CARGO_TARGET_DIR")
            .args(["+nightly", "fuzz", "build", "-s", "none", "--target-dir"])
            .arg(&target);
        let output = command.output().map_err(|error| format!("cargo fuzz: {error}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!(
                "the fuzzers do not build (CONTRIBUTING.md says what they need):\n{said}"
            ));
        }
        // `<target>/<triple>/release`
        let folder = fs::read_dir(&target)
            .map_err(|error| format!("{}: {error}", target.display()))?
            .filter_map(|entry| Some(entry.ok()?.path().join("release")))
            .find(|folder| folder.join(TARGETS[0].0).is_file())
            .ok_or_else(|| format!("no fuzzers below {}", target.display()))?;
        Ok(Self { folder, tree: tree.path().to_owned() })
    }

    /// Runs them for so long in all, or until one fails; says which.
    pub(super) fn run(
        &self,
        which: Option<usize>,
        time: Duration,
    ) -> Result<Option<String>, String> {
        let end = Instant::now() + time;
        for (at, (target, seeds)) in TARGETS.iter().enumerate() {
            let left = end.saturating_duration_since(Instant::now());
            let share = left.div_f64((TARGETS.len() - at) as f64);
            if self.fails(target, *seeds, which, share)? {
                return Ok(Some((*target).to_owned()));
            }
        }
        Ok(None)
    }

    fn fails(
        &self,
        target: &str,
        seeds: Option<&str>,
        which: Option<usize>,
        time: Duration,
    ) -> Result<bool, String> {
        let trouble = |error| format!("{target}: {error}");
        // An own corpus each time: what one fault led to says nothing of another.
        let corpus = self.tree.with_file_name("corpus");
        let _ = fs::remove_dir_all(&corpus);
        fs::create_dir_all(&corpus).map_err(trouble)?;
        let mut command = Command::new(self.folder.join(target));
        command
            .current_dir(&corpus)
            .arg(&corpus)
            .args(seeds.map(|seeds| self.tree.join(seeds)))
            .args(["-len_control=0", "-max_len=4096", "-seed=5", "-artifact_prefix=crash-of-"])
            .arg(format!("-max_total_time={}", time.as_secs().max(1)))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        name_to(&mut command, which);
        let mut child = command.spawn().map_err(trouble)?;
        // It looks at its time only between two inputs, and a fault may never end.
        let end = Instant::now() + time * 2 + Duration::from_secs(20);
        loop {
            if let Some(status) = child.try_wait().map_err(trouble)? {
                return Ok(!status.success());
            }
            if Instant::now() > end {
                let _ = child.kill();
                let _ = child.wait();
                return Ok(true);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}
