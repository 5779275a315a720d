//! Faults that were planted by hand, and which layer of the checks finds each, in how long.
//!
//! All of them are woven into one tree, as mutants are, and a variable of the environment says which
//! one is there.

mod faults;
mod fuzz;

use crate::checks::{Checks, Outcome};
use crate::tree::Tree;
use crate::woven::{WHICH, with_selector};
use faults::{FAULTS, Fault};
use fuzz::Fuzzers;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::time::{Duration, Instant};

const LIB: &str = "core/src/lib.rs";

/// The layers of tests, and their programs.
const LAYERS: &[(&str, &[&str])] = &[
    ("unit tests", &["roomcast_core"]),
    ("clauses", &["clauses"]),
    ("proptest", &["parts", "seam", "memory", "laws"]),
];

/// What is to be found at the least by the properties, or by fuzzing.
const THOROUGH: [&str; 2] = ["proptest", "fuzzing"];

/// What `--planted` asks for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Sequences that each property tries.
    pub(crate) cases: u32,
    /// Time for the fuzzers, for each fault.
    pub(crate) fuzzing: Duration,
    /// Only faults whose name contains this.
    pub(crate) only: Option<String>,
}

/// Plants one fault after another; whether each was found by proptest or by fuzzing.
pub(crate) fn run(root: &Path, wanted: &Wanted) -> Result<bool, String> {
    let is_wanted =
        |fault: &Fault| wanted.only.as_ref().is_none_or(|text| fault.name.contains(text.as_str()));
    let chosen: Vec<(usize, &Fault)> =
        FAULTS.iter().enumerate().filter(|(_, fault)| is_wanted(fault)).collect();
    if chosen.is_empty() {
        return Err(format!("no fault has {:?} in its name", wanted.only.as_deref().unwrap_or("")));
    }
    let tree = Tree::copy(root)?;
    plant(&tree)?;
    println!("builds the tests");
    let programs: BTreeSet<&str> = LAYERS
        .iter()
        .flat_map(|layer| layer.1)
        .copied()
        .filter(|name| *name != "roomcast_core")
        .collect();
    let errors = tree.check(false)?;
    if let Some(error) = errors.first() {
        return Err(format!("a fault does not compile: {} {:?}", error.text, error.places));
    }
    let programs =
        tree.build(&programs)?.ok_or("the tests do not build with the faults in them")?;
    let checks = Checks::of(programs);
    println!("builds the fuzzers");
    let fuzzers = (!wanted.fuzzing.is_zero()).then(|| Fuzzers::build(&tree)).transpose()?;
    let mut layers = Layers {
        checks,
        usual: HashMap::new(),
        cases: wanted.cases,
        fuzzers,
        fuzzing: wanted.fuzzing,
    };
    layers.see_that_nothing_fails()?;
    let mut missed = 0;
    for (number, fault) in &chosen {
        println!("{}", fault.name);
        let found = layers.find(Some(*number))?;
        for (layer, finding) in &found {
            println!("  {layer:10} {finding}");
        }
        let is_found = |name: &&str| {
            found.iter().any(|(layer, finding)| layer == name && finding.what.is_some())
        };
        if !THOROUGH.iter().any(is_found) {
            println!("  MISSED");
            missed += 1;
        }
    }
    println!("{} planted, {missed} missed by both proptest and fuzzing", chosen.len());
    Ok(missed == 0)
}

/// What a layer found of a fault, and after how long.
#[derive(Debug)]
struct Finding {
    /// The test or the target that failed.
    what: Option<String>,
    after: Duration,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.what {
            Some(what) => write!(f, "after {:.1?}: {what}", self.after),
            None => write!(f, "nothing in {:.1?}", self.after),
        }
    }
}

/// What faults are looked for with.
#[derive(Debug)]
struct Layers {
    checks: Checks,
    /// What each program takes where nothing is planted.
    usual: HashMap<&'static str, Duration>,
    cases: u32,
    fuzzers: Option<Fuzzers>,
    fuzzing: Duration,
}

impl Layers {
    /// Sees that nothing is found where nothing is planted, and how long that takes.
    fn see_that_nothing_fails(&mut self) -> Result<(), String> {
        for &program in LAYERS.iter().flat_map(|layer| layer.1) {
            let start = Instant::now();
            let outcome =
                self.checks.program(program, self.cases, None, Duration::from_secs(600))?;
            if outcome != Outcome::Survived {
                return Err(format!("{program} fails where nothing is planted: {outcome:?}"));
            }
            self.usual.insert(program, start.elapsed());
        }
        match self.fuzz(None)?.what {
            Some(target) => Err(format!("{target} fails where nothing is planted")),
            None => Ok(()),
        }
    }

    /// Asks every layer.
    fn find(&self, which: Option<usize>) -> Result<Vec<(&'static str, Finding)>, String> {
        let mut found = Vec::new();
        for (layer, programs) in LAYERS {
            let start = Instant::now();
            let mut what = None;
            for program in *programs {
                let usual = self.usual.get(program).copied().unwrap_or_default();
                let limit = usual * 4 + Duration::from_secs(10);
                match self.checks.program(program, self.cases, which, limit)? {
                    Outcome::Caught(test) => what = Some(test),
                    Outcome::Stuck(program) => what = Some(format!("{program} never ends")),
                    Outcome::Survived | Outcome::Unviable => continue,
                }
                break;
            }
            found.push((*layer, Finding { what, after: start.elapsed() }));
        }
        if self.fuzzers.is_some() {
            found.push(("fuzzing", self.fuzz(which)?));
        }
        Ok(found)
    }

    fn fuzz(&self, which: Option<usize>) -> Result<Finding, String> {
        let start = Instant::now();
        let fuzzers = self.fuzzers.as_ref();
        let what = fuzzers.map_or(Ok(None), |fuzzers| fuzzers.run(which, self.fuzzing))?;
        Ok(Finding { what, after: start.elapsed() })
    }
}

/// Writes all of the core, with every fault beside what is right.
fn plant(tree: &Tree) -> Result<(), String> {
    tree.restore()?;
    let mut texts = BTreeMap::from([(LIB, with_selector(&tree.text(LIB)?))]);
    for (number, Fault { name, file, from, to }) in FAULTS.iter().enumerate() {
        let text = match texts.remove(file) {
            Some(text) => text,
            None => tree.text(file)?,
        };
        if text.matches(from).count() != 1 {
            let times = text.matches(from).count();
            return Err(format!("{name}: {file} has this {times} times instead of once:\n{from}"));
        }
        let both = format!("{{ if crate::woven() == {number} {{ {to} }} else {{ {from} }} }}");
        texts.insert(file, text.replacen(from, &both, 1));
    }
    texts.iter().try_for_each(|(file, text)| tree.write(file, text.as_bytes()))
}

/// Names a fault to what runs it; `None` for none.
fn name_to(command: &mut std::process::Command, which: Option<usize>) {
    if let Some(number) = which {
        command.env(WHICH, number.to_string());
    }
}
