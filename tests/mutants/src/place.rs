//! What earlier runs found, in a file that only grows.

use crate::checks::Outcome;
use crate::mutant::Mutant;
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

/// The file, and what it says.
#[derive(Debug)]
pub(crate) struct Place {
    file: File,
    known: HashMap<String, (u64, Outcome)>,
}

impl Place {
    /// A new file where there is none, or where `anew`.
    pub(crate) fn open(path: &Path, anew: bool) -> Result<Self, String> {
        let trouble = |error| format!("{} can't be opened: {error}", path.display());
        if anew && path.exists() {
            fs::remove_file(path).map_err(trouble)?;
        }
        let text = fs::read_to_string(path).unwrap_or_default();
        let known = text.lines().filter_map(read).collect();
        path.parent().map_or(Ok(()), fs::create_dir_all).map_err(trouble)?;
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(trouble)?;
        Ok(Self { file, known })
    }

    /// What is known of a mutant; nothing, where its function has changed since.
    pub(crate) fn outcome(&self, mutant: &Mutant) -> Option<&Outcome> {
        let (hash, outcome) = self.known.get(&mutant.full_name())?;
        (*hash == mutant.hash).then_some(outcome)
    }

    pub(crate) fn keep(&mut self, mutant: &Mutant, outcome: Outcome) -> Result<(), String> {
        let (word, by) = match &outcome {
            Outcome::Caught(by) => ("caught", by.as_str()),
            Outcome::Stuck(by) => ("stuck", by.as_str()),
            Outcome::Survived => ("survived", ""),
            Outcome::Unviable => ("unviable", ""),
        };
        let name = mutant.full_name();
        writeln!(self.file, "{:016x}\t{word}\t{by}\t{name}", mutant.hash)
            .map_err(|error| format!("the place can't be kept: {error}"))?;
        self.known.insert(name, (mutant.hash, outcome));
        Ok(())
    }
}

fn read(line: &str) -> Option<(String, (u64, Outcome))> {
    let mut parts = line.splitn(4, '\t');
    let hash = u64::from_str_radix(parts.next()?, 16).ok()?;
    let word = parts.next()?;
    let by = parts.next()?.to_owned();
    let outcome = match word {
        "caught" => Outcome::Caught(by),
        "stuck" => Outcome::Stuck(by),
        "survived" => Outcome::Survived,
        "unviable" => Outcome::Unviable,
        _ => return None,
    };
    Some((parts.next()?.to_owned(), (hash, outcome)))
}
