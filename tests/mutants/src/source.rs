//! As much of Rust's syntax as finding a function's body takes.

use std::ops::Range;
use std::path::Path;

/// A file's text, by lines and columns.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) text: String,
    lines: Vec<usize>,
}

impl Source {
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{} can't be read: {error}", path.display()))?;
        let starts = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(starts).collect();
        Ok(Self { text, lines })
    }

    /// The byte at a line and a column, both from 1; columns are characters.
    pub(crate) fn offset(&self, line: usize, column: usize) -> usize {
        let start = self.lines[line - 1];
        let rest = &self.text[start..];
        start + rest.char_indices().nth(column - 1).map_or(rest.len(), |(at, _)| at)
    }
}

/// The body of the function that `span` holds, from brace to brace.
pub(crate) fn body(text: &str, span: Range<usize>) -> Option<Range<usize>> {
    let function = &text[span.clone()];
    let mut rest = function;
    loop {
        let at = rest.find(['{', '/', '#', '"'])?;
        rest = &rest[at..];
        let skipped = match rest.as_bytes()[0] {
            b'{' => break,
            b'/' if rest.starts_with("//") => rest.find('\n')?,
            b'/' if rest.starts_with("/*") => rest.find("*/")?,
            b'#' if rest.starts_with("#[") => rest.find(']')?,
            b'"' => 1 + rest[1..].find('"')?,
            _ => 0,
        };
        rest = &rest[skipped + 1..];
    }
    Some(span.start + (function.len() - rest.len())..span.end)
}

/// `text` with `const fn` as `fn`, but for the functions that `keep` names.
pub(crate) fn without_const(text: &str, keep: impl Fn(&str) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("const fn ") {
        let after = &rest[at + "const fn ".len()..];
        let end = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
        out.push_str(&rest[..at]);
        out.push_str(if keep(&after[..end]) { "const fn " } else { "fn " });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_begins_after_attributes_and_comments() {
        let text = "#[doc = \"{\"]\nfn f(/* { */ x: u8) // {\n-> u8 { x }";
        assert_eq!(&text[body(text, 0..text.len()).unwrap()], "{ x }");
    }

    #[test]
    fn const_goes_but_where_it_is_kept() {
        let text = "const fn a() {} pub const fn b<T>() {} const C: u8 = 1;";
        let without = without_const(text, |name| name == "b");
        assert_eq!(without, "fn a() {} pub const fn b<T>() {} const C: u8 = 1;");
    }
}
