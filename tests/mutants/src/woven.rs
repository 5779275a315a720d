//! All mutants in one tree: a function holds its mutants beside what it was, and the number in an
//! environment variable says which of them runs. One build then serves for hundreds.

use crate::mutant::{Function, Mutant};
use crate::source::without_const;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::ops::Range;

/// Says to the woven core which mutant it is.
pub(crate) const WHICH: &str = "ROOMCAST_MUTANT";

/// The end of the woven core's `lib.rs`.
const SELECTOR: &str = r#"
extern crate std as woven_std;
pub(crate) fn woven() -> usize {
    static WHICH: woven_std::sync::OnceLock<usize> = woven_std::sync::OnceLock::new();
    *WHICH.get_or_init(|| {
        let number = woven_std::env::var("ROOMCAST_MUTANT").ok();
        number.and_then(|number| number.parse().ok()).unwrap_or(usize::MAX)
    })
}
"#;

const BOX: &str = "alloc::boxed::Box";

/// A woven file.
#[derive(Debug)]
pub(crate) struct Woven {
    pub(crate) text: String,
    /// The lines of each mutant, by its number.
    lines: Vec<(Range<usize>, usize)>,
}

impl Woven {
    /// The mutant whose text is at this line.
    pub(crate) fn mutant_at(&self, line: usize) -> Option<usize> {
        self.lines.iter().find(|(lines, _)| lines.contains(&line)).map(|(_, number)| *number)
    }
}

/// What can't be woven.
#[derive(Debug, Default)]
pub(crate) struct Apart {
    /// Numbers of mutants that don't compile.
    pub(crate) unviable: HashSet<usize>,
    /// Names of functions that are called where only a `const fn` can be.
    pub(crate) constant: HashSet<String>,
}

impl Apart {
    /// Whether this mutant can't stand beside others.
    fn alone(&self, mutant: &Mutant) -> bool {
        let Some(function) = &mutant.function else { return true };
        self.constant.contains(&function.name) || (is_opaque(function) && !is_iterator(function))
    }
}

/// `text`, the file's, with the mutants of it that `pending` has.
pub(crate) fn weave(text: &str, pending: &[(usize, &Mutant)], apart: &Apart) -> Woven {
    let mut functions: BTreeMap<usize, Vec<(usize, &Mutant)>> = BTreeMap::new();
    for &(number, mutant) in pending {
        if let Some(function) = &mutant.function
            && !apart.alone(mutant)
            && !apart.unviable.contains(&number)
        {
            functions.entry(function.body.start).or_default().push((number, mutant));
        }
    }
    let plain = |text: &str| without_const(text, |name| apart.constant.contains(name));
    let mut woven = Woven { text: String::new(), lines: Vec::new() };
    let mut end = 0;
    for mutants in functions.values() {
        let Some(function) = &mutants[0].1.function else { continue };
        // A function within a function whose mutants are here already.
        if function.body.start < end {
            continue;
        }
        woven.text += &plain(&text[end..function.body.start]);
        woven.text += "{ match crate::woven() {\n";
        for (number, mutant) in mutants {
            let first = woven.line();
            let body = mutant.applied(text, function.body.clone());
            let _ = writeln!(woven.text, "{number} => {}", arm(&plain(&body), function));
            woven.lines.push((first..woven.line(), *number));
        }
        let body = arm(&plain(&text[function.body.clone()]), function);
        let _ = write!(woven.text, "_ => {body} }} }}");
        end = function.body.end;
    }
    woven.text += &plain(&text[end..]);
    woven
}

impl Woven {
    /// The numbers of the mutants that are in it.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = usize> {
        self.lines.iter().map(|(_, number)| *number)
    }

    fn line(&self) -> usize {
        1 + self.text.matches('\n').count()
    }
}

/// The core's `lib.rs` with what the woven functions ask.
pub(crate) fn with_selector(text: &str) -> String {
    debug_assert!(SELECTOR.contains(WHICH), "the selector reads {WHICH}");
    format!("{text}{SELECTOR}")
}

/// One type for all arms: an iterator that has no name is boxed.
fn arm(body: &str, function: &Function) -> String {
    if is_iterator(function) {
        format!("{BOX}::new({body}) as {BOX}<dyn Iterator<Item = _> + '_>,")
    } else {
        format!("{body},")
    }
}

fn is_opaque(function: &Function) -> bool {
    function.returns.contains("impl ")
}

fn is_iterator(function: &Function) -> bool {
    function.returns.starts_with("-> impl Iterator<")
}
