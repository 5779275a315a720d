//! The rows of a CSV, one at a time, with the lines that they begin on.
//!
//! A quote that is not closed would swallow the rest of a file. So a row that is wrong and has more
//! lines than one costs its first line alone: the second is tried as a row of its own.

use std::collections::VecDeque;

use super::MAX_RECORD_BYTES;
use super::flaw::{Flaw, Quoted, Reason};
use super::source::{self, Source};

/// A text in quotes may have so many lines.
const MAX_LINES: usize = 100;

/// A line and its number, or what is wrong with it.
type Line = Result<(u64, Vec<u8>), Flaw>;

/// The rows of a file.
pub(super) struct Rows<'s, 'a> {
    source: &'s mut Source<'a>,
    delimiter: u8,
    /// Lines that were taken and are to be tried again.
    waiting: VecDeque<Line>,
    parser: csv_core::Reader,
}

/// A row.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// The line that it begins on.
    pub(super) line: u64,
    lines: Vec<Vec<u8>>,
    /// The values one after the other, and where each ends.
    values: Vec<u8>,
    ends: Vec<usize>,
}

impl Row {
    /// Its values, without the white space around them.
    pub(super) fn values(&self) -> Result<Vec<&str>, Flaw> {
        let text = source::text(self.line, &self.values)?;
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        let value = |(begin, end): (usize, &usize)| text.get(begin..*end).unwrap_or_default();
        Ok(begins.zip(&self.ends).map(value).map(str::trim).collect())
    }

    /// Its values, if there are as many as there are columns.
    pub(super) fn values_of(&self, columns: &[&str]) -> Result<Vec<&str>, Flaw> {
        let values = self.values()?;
        if values.len() == columns.len() {
            return Ok(values);
        }
        let (found, columns) = (values.join(","), (columns.len(), columns.join(",")));
        let (found, values) = (Quoted(&found), values.len());
        let what = format!("{found} has {values} values: want {}, {}", columns.0, columns.1);
        Err(Flaw::at(self.line, Reason::Columns, what))
    }
}

impl<'s, 'a> Rows<'s, 'a> {
    /// The rows from here on, whose values this stands between.
    pub(super) fn new(source: &'s mut Source<'a>, delimiter: u8) -> Self {
        let parser = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
        Self { source, delimiter, waiting: VecDeque::new(), parser }
    }

    /// Takes the next row that is not empty; answers whether there was one.
    pub(super) fn next_into(&mut self, row: &mut Row) -> Result<bool, Flaw> {
        row.lines.clear();
        let (mut is_open, mut bytes) = (false, 0);
        while let Some(line) = self.line()? {
            let (number, line) = match line {
                Ok(line) => line,
                Err(flaw) if row.lines.is_empty() => return Err(flaw),
                Err(flaw) => {
                    self.waiting.push_front(Err(flaw));
                    break;
                }
            };
            if row.lines.is_empty() && line.trim_ascii().is_empty() {
                continue;
            }
            if row.lines.is_empty() {
                row.line = number;
            }
            is_open = ends_in_quotes(&line, self.delimiter, is_open);
            bytes += line.len();
            row.lines.push(line);
            if !is_open || row.lines.len() > MAX_LINES || bytes > MAX_RECORD_BYTES {
                break;
            }
        }
        if is_open {
            let line = row.line;
            self.try_again(row);
            let what = format!("a quote is not closed within {MAX_LINES} lines: want a \"");
            return Err(Flaw::at(line, Reason::Cut, what));
        }
        if !row.lines.is_empty() {
            self.parse(row);
        }
        Ok(!row.lines.is_empty())
    }

    /// This row was wrong: all of its lines but the first are tried again.
    pub(super) fn try_again(&mut self, row: &mut Row) {
        let lines = (row.line..).zip(row.lines.drain(..)).skip(1).collect::<Vec<_>>();
        for line in lines.into_iter().rev() {
            self.waiting.push_front(Ok(line));
        }
    }

    fn line(&mut self) -> Result<Option<Line>, Flaw> {
        if let Some(waiting) = self.waiting.pop_front() {
            return Ok(Some(waiting));
        }
        let mut line = Vec::new();
        match self.source.line_into(&mut line) {
            Ok(number) => Ok(number.map(|number| Ok((number, line)))),
            Err(flaw) if flaw.reason == Reason::Fatal => Err(flaw),
            Err(flaw) => Ok(Some(Err(flaw))),
        }
    }

    fn parse(&mut self, row: &mut Row) {
        let mut text = row.lines.join(&b'\n');
        text.push(b'\n');
        row.values.resize(text.len(), 0);
        row.ends.resize(text.len() + 1, 0);
        self.parser.reset();
        // Its input ends a record, so one call reads it, into room that suffices for any.
        let (_, _, values, ends) = self.parser.read_record(&text, &mut row.values, &mut row.ends);
        row.values.truncate(values);
        row.ends.truncate(ends);
    }
}

/// Whether a line ends within quotes, which open where a value begins.
fn ends_in_quotes(line: &[u8], delimiter: u8, was_open: bool) -> bool {
    let (mut is_open, mut value_begins) = (was_open, !was_open);
    for &byte in line {
        match byte {
            b'"' if is_open => is_open = false,
            // After a closing quote this one belongs to the text.
            b'"' if value_begins => is_open = true,
            _ => {}
        }
        value_begins = !is_open && (byte == delimiter || byte == b'"');
    }
    is_open
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(u64, Result<Vec<String>, String>)> {
        let mut source = Source::new(text.as_bytes()).unwrap();
        let mut rows = Rows::new(&mut source, b',');
        let (mut row, mut found) = (Row::default(), Vec::new());
        loop {
            match rows.next_into(&mut row) {
                Ok(false) => return found,
                Ok(true) => {
                    let values = row.values().unwrap().into_iter().map(str::to_owned).collect();
                    found.push((row.line, Ok(values)));
                }
                Err(_) => found.push((row.line, Err("open".to_owned()))),
            }
        }
    }

    fn row(line: u64, values: &[&str]) -> (u64, Result<Vec<String>, String>) {
        (line, Ok(values.iter().map(|&value| value.to_owned()).collect()))
    }

    #[test]
    fn quotes_hold_commas_quotes_and_lines() {
        let found = rows("a,\"b, c\"\r\n\n1,\"say \"\"hi\"\"\"\n2,\"two\nlines\"\n3, x \n");
        let expected = [
            row(1, &["a", "b, c"]),
            row(3, &["1", "say \"hi\""]),
            row(4, &["2", "two\nlines"]),
            row(6, &["3", "x"]),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_quote_within_a_value_opens_nothing() {
        assert_eq!(rows("1,5\" disk\n2,b\n"), [row(1, &["1", "5\" disk"]), row(2, &["2", "b"])]);
    }

    /// Only its own line is lost.
    #[test]
    fn a_quote_that_is_never_closed_costs_a_line() {
        let open = (2, Err("open".to_owned()));
        assert_eq!(rows("1,a\n2,\"b\n3,c\n"), [row(1, &["1", "a"]), open, row(3, &["3", "c"])]);
    }
}
