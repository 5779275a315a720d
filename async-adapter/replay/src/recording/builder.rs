//! A recording that is being read: who said what, and what was left out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::flaw::{Flaw, Quoted, Reason};
use super::time::Time;
use super::{Content, Damage, Entry, MAX_SECONDS, MAX_TEXT_BYTES, Reading, Recording, Words};

/// Who sent what names no sender.
const NOBODY: &str = "someone";

/// So much of a recording is kept in memory: some million messages.
const MAX_KEPT_BYTES: usize = 1 << 30;

/// A longer name is cut.
const MAX_NAME_BYTES: usize = 100;

/// So many kinds of what is passed over are told apart.
const MAX_KINDS: usize = 8;

/// What a reader found.
pub(super) struct Said<'a> {
    /// The line that it begins on.
    pub(super) line: u64,
    pub(super) time: Time,
    pub(super) sender: Sender<'a>,
    pub(super) content: Content,
}

/// Who sent something: the id decides, and the name where there is none.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sender<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) name: Option<&'a str>,
}

/// What was left out for one reason.
#[derive(Clone, Copy)]
struct LeftOut {
    count: u64,
    first_line: u64,
}

/// A recording that is being read.
#[derive(Default)]
pub(super) struct Builder {
    reading: Reading,
    entries: Vec<(Time, u32, Content)>,
    /// The line of the first one whose time is a date.
    first_date: Option<(u64, i64)>,
    has_offsets: bool,
    /// When the recording began, where the file says so.
    start: Option<i64>,
    senders: Vec<Arc<str>>,
    /// Whether a sender is known by an id.
    has_id: Vec<bool>,
    by_id: HashMap<Box<str>, u32>,
    by_name: HashMap<Arc<str>, u32>,
    by_nobody: u64,
    kept_bytes: usize,
    left_out: BTreeMap<Reason, LeftOut>,
    passed_over: BTreeMap<Box<str>, u64>,
    remarks: Vec<String>,
}

impl Builder {
    pub(super) fn new(reading: Reading) -> Self {
        Self { reading, ..Self::default() }
    }

    /// Takes what a reader made of a record. The error ends the reading.
    pub(super) fn take(&mut self, found: Result<Option<Said<'_>>, Flaw>) -> Result<(), Flaw> {
        match found.and_then(|said| said.map_or(Ok(()), |said| self.push(said))) {
            Ok(()) => Ok(()),
            Err(flaw) => self.leave_out(flaw),
        }
    }

    /// Leaves something out that is wrong, if that is allowed.
    pub(super) fn leave_out(&mut self, flaw: Flaw) -> Result<(), Flaw> {
        if self.reading.damage == Damage::Stop || flaw.reason == Reason::Fatal {
            return Err(flaw);
        }
        if flaw.reason == Reason::End {
            // Nothing that is there is left out.
            self.remark(flaw.what());
            return Ok(());
        }
        let first_line = flaw.line.unwrap_or_default();
        let left_out = self.left_out.entry(flaw.reason);
        left_out.or_insert(LeftOut { count: 0, first_line }).count += 1;
        Ok(())
    }

    /// Counts what is whole and no message.
    pub(super) fn pass_over(&mut self, kind: &str) {
        let kind = &*shortened(kind).replace(char::is_control, " ");
        let is_new = !self.passed_over.contains_key(kind);
        let kind = if is_new && self.passed_over.len() >= MAX_KINDS { "other" } else { kind };
        *self.passed_over.entry(kind.into()).or_default() += 1;
    }

    /// Notes when the recording began, of which a message with both times says something, unless
    /// that is known.
    pub(super) fn began(&mut self, date: Option<i64>, offset: i64) {
        self.start = self.start.or(date.map(|date| date - offset));
    }

    /// Notes when the recording began, whatever was thought before.
    pub(super) fn began_surely(&mut self, date: Option<i64>) {
        self.start = date.or(self.start);
    }

    /// Notes something that whoever reads the recording should know.
    pub(super) fn remark(&mut self, remark: impl Into<String>) {
        self.remarks.push(remark.into());
    }

    fn push(&mut self, said: Said<'_>) -> Result<(), Flaw> {
        let Said { line, time, sender, mut content } = said;
        let text = match &content {
            Content::Text(text) | Content::SuperChat { text, .. } => text,
            Content::Gift { name, .. } => name,
            Content::TextLength(_) | Content::Guard { .. } => "",
        };
        if text.len() > MAX_TEXT_BYTES as usize {
            let what = format!("a text has {} bytes: want at most {MAX_TEXT_BYTES}", text.len());
            return Err(Flaw::at(line, Reason::Length, what));
        }
        self.check_date(line, time)?;
        match &content {
            Content::Text(text) if self.reading.words == Words::Count => {
                content = Content::TextLength(u32::try_from(text.len()).unwrap_or(MAX_TEXT_BYTES));
            }
            _ => self.kept_bytes += text.len(),
        }
        self.has_offsets |= matches!(time, Time::Offset(_));
        let sender = self.sender(sender);
        self.kept_bytes += size_of::<Entry>();
        if self.kept_bytes > MAX_KEPT_BYTES {
            return Err(Flaw::of_file(format!(
                "has over {} MiB of messages, {} up to line {line}: want a smaller recording",
                MAX_KEPT_BYTES >> 20,
                self.entries.len()
            )));
        }
        self.entries.push((time, sender, content));
        Ok(())
    }

    /// Dates lie near each other.
    fn check_date(&mut self, line: u64, time: Time) -> Result<(), Flaw> {
        let Time::Date(date) = time else { return Ok(()) };
        let near = self.start.or(self.first_date.map(|(_, date)| date)).unwrap_or(date);
        if date.abs_diff(near) > u64::from(MAX_SECONDS) * 1_000_000 {
            let days = MAX_SECONDS / 86_400;
            let what =
                format!("the time is {}: want at most {days} days from {}", show(date), show(near));
            return Err(Flaw::at(line, Reason::Time, what));
        }
        self.first_date.get_or_insert((line, date));
        Ok(())
    }

    fn sender(&mut self, Sender { id, name }: Sender<'_>) -> u32 {
        let id = id.filter(|id| !id.trim().is_empty());
        let name = name.filter(|name| !name.trim().is_empty()).map(shortened);
        match (id, name) {
            (Some(id), _) if self.by_id.contains_key(id) => self.by_id[id],
            (Some(id), name) => {
                // Who had no id before is the same.
                let known = name.and_then(|name| self.by_name.get(name).copied());
                let known = known.filter(|&known| !self.has_id[known as usize]);
                let sender = known.unwrap_or_else(|| {
                    let shown = shortened(id);
                    self.new_sender(&match name {
                        Some(name) if !self.by_name.contains_key(name) => name.to_owned(),
                        Some(name) => format!("{name} ({shown})"),
                        None => format!("viewer {shown}"),
                    })
                });
                self.has_id[sender as usize] = true;
                self.kept_bytes += id.len();
                self.by_id.insert(id.into(), sender);
                sender
            }
            (None, name) => {
                self.by_nobody += u64::from(name.is_none());
                let name = name.unwrap_or(NOBODY);
                let known = self.by_name.get(name).copied();
                known.unwrap_or_else(|| self.new_sender(name))
            }
        }
    }

    /// A sender of this name, or of one that is like it and nobody has.
    fn new_sender(&mut self, wanted: &str) -> u32 {
        let mut name = wanted.to_owned();
        let mut number = 1_u64;
        while self.by_name.contains_key(&name[..]) {
            number += 1;
            name = format!("{wanted} {number}");
        }
        // What is kept bounds them far below.
        let sender = u32::try_from(self.senders.len()).unwrap_or(u32::MAX);
        let name: Arc<str> = name.into();
        self.kept_bytes += name.len() + size_of::<(Arc<str>, u32)>() * 2;
        self.senders.push(Arc::clone(&name));
        self.has_id.push(false);
        self.by_name.insert(name, sender);
        sender
    }

    /// The recording, if anything was said.
    pub(super) fn finish(mut self, name: &str) -> Result<Recording, Flaw> {
        let dates_to_nowhere = self.has_offsets && self.start.is_none();
        if let Some((line, date)) = self.first_date.filter(|_| dates_to_nowhere) {
            let what = format!(
                "the time is {}, others are seconds, and nothing says when those began: want one \
                 sort of time, or the start of the recording",
                show(date)
            );
            let is_date = |time: &Time| matches!(time, Time::Date(_));
            for _ in 0..self.entries.iter().filter(|(time, ..)| is_date(time)).count() {
                self.leave_out(Flaw::at(line, Reason::Time, what.as_str()))?;
            }
            self.entries.retain(|(time, ..)| !is_date(time));
        }
        let only_dates = !self.has_offsets;
        let dates = self.entries.iter().filter_map(|(time, ..)| match time {
            Time::Date(date) => Some(*date),
            Time::Offset(_) => None,
        });
        let first = dates.min().filter(|_| only_dates);
        let start = self.start.or(first).unwrap_or_default();
        let at = |time: Time| match time {
            Time::Offset(offset) => offset,
            Time::Date(date) => date - start,
        };
        // The start may have come after dates that are far from it.
        let is_near = |time: Time| at(time).unsigned_abs() <= u64::from(MAX_SECONDS) * 1_000_000;
        for _ in 0..self.entries.iter().filter(|(time, ..)| !is_near(*time)).count() {
            let line = self.first_date.map_or(1, |(line, _)| line);
            let what = format!("the time is over 30 days from {}, the start", show(start));
            self.leave_out(Flaw::at(line, Reason::Time, what))?;
        }
        self.entries.retain(|(time, ..)| is_near(*time));
        let earliest = self.entries.iter().map(|(time, ..)| at(*time)).min();
        let Some(earliest) = earliest else { return Err(self.nothing()) };
        let shift = earliest.min(0).unsigned_abs();
        if shift > 0 {
            let seconds = shift as f64 / 1e6;
            self.remark(format!(
                "the first message is {seconds} s before the recording begins: all are moved by so \
                 much"
            ));
        }
        let entries = std::mem::take(&mut self.entries).into_iter();
        let mut entries: Vec<Entry> = entries
            .map(|(time, sender, content)| {
                let at_us = at(time).saturating_add_unsigned(shift).unsigned_abs();
                Entry { at_us, sender, content }
            })
            .collect();
        entries.sort_by_key(|entry| entry.at_us);
        self.tell();
        let Self { senders, remarks, .. } = self;
        Ok(Recording { name: name.to_owned(), entries, senders, remarks })
    }

    fn nothing(&self) -> Flaw {
        let left_out = self.told_left_out().map(|told| format!("; {told}")).unwrap_or_default();
        Flaw::of_file(format!("has no messages: want at least one{left_out}"))
    }

    /// Remarks on what is not in the recording.
    fn tell(&mut self) {
        if let Some(told) = self.told_left_out() {
            self.remark(told);
        }
        let passed_over: Vec<_> =
            self.passed_over.iter().map(|(kind, count)| format!("{kind} ({count})")).collect();
        if !passed_over.is_empty() {
            let passed_over = passed_over.join(", ");
            self.remark(format!("passed over, since they are no messages: {passed_over}"));
        }
        if self.by_nobody > 0 {
            let (count, one) = (self.by_nobody, Quoted(NOBODY));
            self.remark(format!("without a sender: {count}, which count as of one, {one}"));
        }
    }

    fn told_left_out(&self) -> Option<String> {
        let total: u64 = self.left_out.values().map(|left_out| left_out.count).sum();
        let reasons = self.left_out.iter().map(|(reason, LeftOut { count, first_line })| {
            format!("{count} {} (the first at line {first_line})", reason.name())
        });
        let reasons = reasons.collect::<Vec<_>>().join(", ");
        (total > 0).then(|| format!("left out {total}: {reasons}"))
    }
}

/// A name of a bearable length.
fn shortened(name: &str) -> &str {
    let is_end = |&end: &usize| name.is_char_boundary(end);
    let end = (0..=MAX_NAME_BYTES.min(name.len())).rev().find(is_end);
    &name[..end.unwrap_or_default()]
}

fn show(date: i64) -> String {
    jiff::Timestamp::from_microsecond(date)
        .map_or_else(|_| format!("{date} µs after 1970"), |date| date.to_string())
}
