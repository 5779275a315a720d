//! The mutants of a file, as cargo-mutants lists them.

use crate::source::{Source, body};
use serde::Deserialize;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::path::Path;
use std::process::Command;

/// One change of one place.
#[derive(Debug)]
pub(crate) struct Mutant {
    /// From the root of the workspace.
    pub(crate) file: String,
    /// What is changed, without lines: it stays the same when code above moves.
    pub(crate) name: String,
    /// The line, for people.
    pub(crate) line: usize,
    /// Of the function's text: a result counts until that changes.
    pub(crate) hash: u64,
    pub(crate) function: Option<Function>,
    /// The bytes that go, and what comes instead.
    pub(crate) span: Range<usize>,
    pub(crate) replacement: String,
}

/// The function around it.
#[derive(Debug, Clone)]
pub(crate) struct Function {
    /// Without its type.
    pub(crate) name: String,
    pub(crate) returns: String,
    pub(crate) span: Range<usize>,
    /// From brace to brace.
    pub(crate) body: Range<usize>,
}

#[derive(Deserialize)]
struct Listed {
    file: String,
    name: String,
    function: Option<ListedFunction>,
    span: Span,
    replacement: String,
}

#[derive(Deserialize)]
struct ListedFunction {
    function_name: String,
    return_type: String,
    span: Span,
}

#[derive(Deserialize)]
struct Span {
    start: Place,
    end: Place,
}

#[derive(Deserialize)]
struct Place {
    line: usize,
    column: usize,
}

/// All mutants of `files`, in the order of the files' text.
pub(crate) fn list(root: &Path, files: &[String]) -> Result<Vec<Mutant>, String> {
    let mut command = Command::new("cargo");
    command.current_dir(root).args(["mutants", "--list", "--json", "--no-config"]);
    for file in files {
        command.args(["--file", file]);
    }
    let output = command.output().map_err(|error| format!("cargo mutants: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo mutants: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let listed: Vec<Listed> = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cargo mutants lists its mutants in another way: {error}"))?;
    let mut sources: HashMap<String, Source> = HashMap::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut mutants = Vec::new();
    for Listed { file, name, function, span, replacement } in listed {
        if !sources.contains_key(&file) {
            sources.insert(file.clone(), Source::read(&root.join(&file))?);
        }
        let source = &sources[&file];
        // `file:line:column: what`
        let what = name.splitn(4, ':').nth(3).unwrap_or(&name).trim().to_owned();
        let count = seen.entry(format!("{file}: {what}")).or_default();
        *count += 1;
        let name = if *count == 1 { what } else { format!("{what} #{count}") };
        let bytes = |span: &Span| {
            source.offset(span.start.line, span.start.column)
                ..source.offset(span.end.line, span.end.column)
        };
        let function = function.and_then(|listed| {
            let span = bytes(&listed.span);
            let body = body(&source.text, span.clone())?;
            let name = listed.function_name.rsplit("::").next().unwrap_or_default().to_owned();
            Some(Function { name, returns: listed.return_type, span, body })
        });
        let mut hasher = DefaultHasher::new();
        let around = function.as_ref().map_or(bytes(&span), |function| function.span.clone());
        source.text[around].hash(&mut hasher);
        mutants.push(Mutant {
            line: span.start.line,
            span: bytes(&span),
            hash: hasher.finish(),
            file,
            name,
            function,
            replacement,
        });
    }
    Ok(mutants)
}

impl Mutant {
    /// Its name in lists.
    pub(crate) fn full_name(&self) -> String {
        format!("{}: {}", self.file, self.name)
    }

    /// The text of the range `around` with this change.
    pub(crate) fn applied(&self, text: &str, around: Range<usize>) -> String {
        let before = &text[around.start..self.span.start];
        let after = &text[self.span.end..around.end];
        format!("{before}{}{after}", self.replacement)
    }
}
