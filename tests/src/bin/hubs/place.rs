//! Where a run is to go on: a file of one line.

use std::fs;
use std::path::PathBuf;

/// The number of the next hub, and the file that keeps it.
#[derive(Debug)]
pub(crate) struct Place {
    file: Option<PathBuf>,
    operations: usize,
    next: u64,
}

impl Place {
    /// Where the file says; at 0 where there is none.
    pub(crate) fn open(file: Option<PathBuf>, operations: usize) -> Result<Self, String> {
        let next = match &file {
            Some(path) if path.exists() => {
                let shown = path.display();
                let text = fs::read_to_string(path)
                    .map_err(|error| format!("{shown} can't be read: {error}"))?;
                read(&text, operations).map_err(|trouble| format!("{shown} {trouble}"))?
            }
            _ => 0,
        };
        Ok(Self { file, operations, next })
    }

    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// All before `next` are done. Who is interrupted finds the old file or the new one.
    pub(crate) fn keep(&mut self, next: u64) -> Result<(), String> {
        self.next = next;
        let Some(path) = &self.file else { return Ok(()) };
        let new = path.with_extension("new");
        fs::write(&new, format!("{next} hubs of {} operations\n", self.operations))
            .and_then(|()| fs::rename(&new, path))
            .map_err(|error| format!("{} can't be written: {error}", path.display()))
    }
}

/// Reads `1000 hubs of 40 operations`.
fn read(text: &str, operations: usize) -> Result<u64, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [next, "hubs", "of", other, "operations"] = words[..] else {
        return Err(format!("says {:?}, want \"1000 hubs of 40 operations\"", text.trim()));
    };
    if other.parse() != Ok(operations) {
        return Err(format!("is of hubs of {other} operations, want {operations}"));
    }
    next.parse().map_err(|error| format!("says {next:?} hubs: {error}"))
}
