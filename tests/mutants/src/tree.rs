//! A copy of the workspace, below `target`, in which the mutants are built.

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The copy.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
    path: PathBuf,
    files: Vec<String>,
}

/// What the compiler says of an error.
#[derive(Debug)]
pub(crate) struct CompileError {
    /// Such as `E0015`.
    pub(crate) code: String,
    pub(crate) text: String,
    /// Files and lines.
    pub(crate) places: Vec<(String, usize)>,
}

/// A test program.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// Such as `clauses`, or `roomcast_core` for its unit tests.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// Where it runs.
    pub(crate) folder: PathBuf,
}

impl Tree {
    /// Copies what git knows of below `root`, and what it does not ignore; not the sources of the
    /// core, which are woven.
    pub(crate) fn copy(root: &Path) -> Result<Self, String> {
        let list = Command::new("git")
            .current_dir(root)
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .output()
            .map_err(|error| format!("git ls-files: {error}"))?;
        let list = String::from_utf8_lossy(&list.stdout);
        let files = list.split('\0').filter(|file| root.join(file).is_file());
        let files = files.map(ToOwned::to_owned).collect();
        let tree = Self { root: root.to_owned(), path: root.join("target/mutants/tree"), files };
        for file in tree.files.iter().filter(|file| !is_source(file)) {
            tree.write(file, &tree.original(file)?)?;
        }
        Ok(tree)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the sources of the core as they are.
    pub(crate) fn restore(&self) -> Result<(), String> {
        self.files_of_the_core().try_for_each(|file| self.write(file, &self.original(file)?))
    }

    /// A text that was kept for later runs; empty where there was none.
    pub(crate) fn note(&self, name: &str) -> String {
        fs::read_to_string(self.path.with_file_name(name)).unwrap_or_default()
    }

    pub(crate) fn set_note(&self, name: &str, text: &str) -> Result<(), String> {
        let path = self.path.with_file_name(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The files of the core that are more than its tests.
    pub(crate) fn files_of_the_core(&self) -> impl Iterator<Item = &String> {
        self.files.iter().filter(|file| is_source(file))
    }

    /// The bytes of a file of the workspace.
    fn original(&self, file: &str) -> Result<Vec<u8>, String> {
        fs::read(self.root.join(file)).map_err(|error| format!("{file} can't be read: {error}"))
    }

    /// The text of a file of the workspace.
    pub(crate) fn text(&self, file: &str) -> Result<String, String> {
        String::from_utf8(self.original(file)?).map_err(|error| format!("{file}: {error}"))
    }

    /// Writes a file of the copy, where it differs: cargo builds what is newer.
    pub(crate) fn write(&self, file: &str, contents: &[u8]) -> Result<(), String> {
        let path = self.path.join(file);
        if fs::read(&path).is_ok_and(|old| old == contents) {
            return Ok(());
        }
        path.parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&path, contents))
            .map_err(|error| format!("{} can't be written: {error}", path.display()))
    }

    /// Whether it compiles: the core alone, or with all tests.
    pub(crate) fn check(&self, tests: bool) -> Result<Vec<CompileError>, String> {
        let mut command = self.cargo("check");
        command.args(["--package", "roomcast-core"]);
        if tests {
            command.args(["--package", "roomcast-tests", "--all-targets"]);
        }
        let (done, messages) = messages(command)?;
        let errors: Vec<CompileError> = messages.iter().filter_map(compile_error).collect();
        if !done && errors.is_empty() {
            return Err("cargo check failed, and no error says why".to_owned());
        }
        Ok(errors)
    }

    /// Builds the core's unit tests and these; `None` where they don't compile.
    pub(crate) fn build(&self, tests: &BTreeSet<&str>) -> Result<Option<Vec<Program>>, String> {
        let mut command = self.cargo("test");
        command.args(["--package", "roomcast-core", "--package", "roomcast-tests"]);
        command.args(["--lib", "--no-run"]);
        command.args(tests.iter().flat_map(|test| ["--test", test]));
        let (done, messages) = messages(command)?;
        Ok(done.then(|| messages.iter().filter_map(program).collect()))
    }

    fn cargo(&self, what: &str) -> Command {
        let mut command = Command::new("cargo");
        // A crate that forbids warnings is no place for mutants.
        command
            .current_dir(&self.path)
            .env("CARGO_TARGET_DIR", self.root.join("target/mutants/build"))
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
            .env("RUSTFLAGS", "--cap-lints=allow")
            .args([what, "--quiet", "--message-format=json"]);
        command
    }
}

fn is_source(file: &str) -> bool {
    let is_rust = Path::new(file).extension().is_some_and(|extension| extension == "rs");
    file.starts_with("core/src/") && is_rust
}

/// Runs cargo; whether it succeeded, and what it said.
fn messages(mut command: Command) -> Result<(bool, Vec<Value>), String> {
    let output = command.output().map_err(|error| format!("cargo: {error}"))?;
    let lines = output.stdout.split(|byte| *byte == b'\n');
    let messages: Vec<Value> = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
    if messages.is_empty() {
        return Err(format!("cargo: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok((output.status.success(), messages))
}

fn compile_error(message: &Value) -> Option<CompileError> {
    let message = message.get("message")?;
    if message["level"] != "error" {
        return None;
    }
    let spans = message["spans"].as_array()?;
    let place = |span: &Value| {
        let line = usize::try_from(span["line_start"].as_u64()?).ok()?;
        Some((span["file_name"].as_str()?.to_owned(), line))
    };
    Some(CompileError {
        code: message["code"]["code"].as_str().unwrap_or_default().to_owned(),
        text: message["message"].as_str().unwrap_or_default().to_owned(),
        places: spans.iter().filter_map(place).collect(),
    })
}

fn program(message: &Value) -> Option<Program> {
    if message["reason"] != "compiler-artifact" || message["profile"]["test"] != true {
        return None;
    }
    Some(Program {
        name: message["target"]["name"].as_str()?.to_owned(),
        path: message["executable"].as_str()?.into(),
        folder: Path::new(message["manifest_path"].as_str()?).parent()?.to_owned(),
    })
}
