//! The list of survivors that no test can see, each with the reason.
//!
//! A line at the margin names a mutant, as a run prints it; the indented lines below say why it is
//! the same program to all who can look. Several names may stand over one reason. `#` begins a
//! comment.

use std::collections::HashMap;
use std::path::Path;

/// Mutants and reasons.
#[derive(Debug, Default)]
pub(crate) struct Explained {
    reasons: HashMap<String, String>,
}

impl Explained {
    /// Reads all lists of a folder.
    pub(crate) fn read(folder: &Path) -> Result<Self, String> {
        let trouble = |error| format!("{} can't be read: {error}", folder.display());
        let mut explained = Self::default();
        for entry in std::fs::read_dir(folder).map_err(trouble)? {
            let path = entry.map_err(trouble)?.path();
            let text = std::fs::read_to_string(&path).map_err(trouble)?;
            explained.add(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(explained)
    }

    fn add(&mut self, text: &str) -> Result<(), String> {
        let mut names: Vec<&str> = Vec::new();
        let mut reason = String::new();
        for line in text.lines().chain(["end"]) {
            let inner = line.trim();
            if inner.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with(' ') {
                if !reason.is_empty() {
                    reason.push(' ');
                }
                reason.push_str(inner);
                continue;
            }
            if !reason.is_empty() {
                for name in names.drain(..) {
                    if self.reasons.insert(name.to_owned(), reason.clone()).is_some() {
                        return Err(format!("explains this twice: {name}"));
                    }
                }
                reason.clear();
            }
            names.push(inner);
        }
        match names.first() {
            Some(&"end") | None => Ok(()),
            Some(name) => Err(format!("does not say why this is the same: {name}")),
        }
    }

    /// Why this mutant is the same.
    pub(crate) fn reason(&self, full_name: &str) -> Option<&str> {
        self.reasons.get(full_name).map(String::as_str)
    }

    /// All that it names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.reasons.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_share_the_reason_below_them() {
        let mut explained = Explained::default();
        explained.add("# all\na: x\na: y\n    So\n    it is.\n\nb: z\n    Too.\n").unwrap();
        assert_eq!(explained.reason("a: x"), Some("So it is."));
        assert_eq!(explained.reason("a: y"), Some("So it is."));
        assert_eq!(explained.reason("b: z"), Some("Too."));
        assert_eq!(explained.names().count(), 3);
    }

    #[test]
    fn a_name_without_a_reason_is_refused() {
        let error = Explained::default().add("a: x\n    So.\nb: y\n").unwrap_err();
        assert!(error.contains("b: y"), "{error}");
        let error = Explained::default().add("a: x\n    So.\na: x\n    So.\n").unwrap_err();
        assert!(error.contains("twice"), "{error}");
    }
}
