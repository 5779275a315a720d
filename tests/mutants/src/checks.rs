//! The tests that a mutant has to survive: cheapest first, until one fails.

use crate::tree::Program;
use crate::woven::WHICH;
use std::collections::{BTreeSet, HashMap};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// One program and how many sequences its properties try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Step {
    name: &'static str,
    cases: u32,
}

/// In this order. What takes longer than all before it together comes last, for survivors.
const STEPS: &[Step] = &[
    Step { name: "clauses", cases: 0 },
    Step { name: CORE, cases: 0 },
    Step { name: "words", cases: 0 },
    Step { name: "edges", cases: 0 },
    Step { name: "fickle", cases: 0 },
    Step { name: "memory", cases: 20 },
    Step { name: "seam", cases: 20 },
    Step { name: "parts", cases: 20 },
    Step { name: "laws", cases: 40 },
];

/// For the survivors of those.
const DEEPER: &[Step] = &[
    Step { name: "bounded", cases: 0 },
    Step { name: "parts", cases: 200 },
    Step { name: "laws", cases: 300 },
];

/// The unit tests of the core.
const CORE: &str = "roomcast_core";

/// The names of the programs, without the core's unit tests.
pub(crate) fn programs() -> BTreeSet<&'static str> {
    let all = STEPS.iter().chain(DEEPER).map(|step| step.name);
    all.filter(|name| *name != CORE).collect()
}

/// What a test said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// This test failed.
    Caught(String),
    /// It went on for too long, or took too much memory.
    Stuck(String),
    Survived,
    /// It does not compile.
    Unviable,
}

/// The tests' programs.
#[derive(Debug)]
pub(crate) struct Checks {
    programs: Vec<Program>,
    /// What each step takes where nothing is changed.
    usual: HashMap<Step, Duration>,
}

impl Checks {
    /// Of a tree whose tests pass as it is; sees whether they do.
    pub(crate) fn new(programs: Vec<Program>) -> Result<Self, String> {
        let mut checks = Self::of(programs);
        checks.time(STEPS)?;
        Ok(checks)
    }

    /// Of a tree about whose tests nothing is known.
    pub(crate) fn of(programs: Vec<Program>) -> Self {
        Self { programs, usual: HashMap::new() }
    }

    /// Runs one program, whose properties try so many sequences, for so long at the most.
    pub(crate) fn program(
        &self,
        name: &'static str,
        cases: u32,
        mutant: Option<usize>,
        limit: Duration,
    ) -> Result<Outcome, String> {
        self.step(&Step { name, cases }, mutant, limit)
    }

    /// Sees that these pass where nothing is changed, and how long they take.
    fn time(&mut self, steps: &[Step]) -> Result<(), String> {
        for step in steps {
            let start = Instant::now();
            let outcome = self.step(step, None, Duration::from_secs(600))?;
            if outcome != Outcome::Survived {
                return Err(format!("{} fails where nothing is changed: {outcome:?}", step.name));
            }
            self.usual.insert(*step, start.elapsed());
            println!("{}, {} cases: {:.1?}", step.name, step.cases, start.elapsed());
        }
        Ok(())
    }

    /// Gets ready for [`run_deeper`](Self::run_deeper).
    pub(crate) fn time_deeper(&mut self) -> Result<(), String> {
        self.time(DEEPER)
    }

    /// The same steps over other programs.
    pub(crate) fn over(&self, programs: Vec<Program>) -> Self {
        Self { programs, usual: self.usual.clone() }
    }

    /// Runs the tests until one fails.
    pub(crate) fn run(&self, mutant: Option<usize>) -> Result<Outcome, String> {
        self.steps(STEPS, mutant)
    }

    /// Looks deeper at a survivor.
    pub(crate) fn run_deeper(&self, mutant: Option<usize>) -> Result<Outcome, String> {
        self.steps(DEEPER, mutant)
    }

    fn steps(&self, steps: &[Step], mutant: Option<usize>) -> Result<Outcome, String> {
        for step in steps {
            let usual = self.usual.get(step).copied().unwrap_or_default();
            let outcome = self.step(step, mutant, usual * 4 + Duration::from_secs(4))?;
            if outcome != Outcome::Survived {
                return Ok(outcome);
            }
        }
        Ok(Outcome::Survived)
    }

    fn step(&self, step: &Step, mutant: Option<usize>, limit: Duration) -> Result<Outcome, String> {
        let program = self
            .programs
            .iter()
            .find(|program| program.name == step.name)
            .ok_or_else(|| format!("there are no tests {} any more", step.name))?;
        // A mutant that never stops allocating may not take the machine with it.
        let mut command = Command::new("sh");
        command
            .args(["-c", "ulimit -v 8000000 2>/dev/null; exec \"$0\" \"$@\""])
            .arg(&program.path)
            .current_dir(&program.folder)
            .env("PROPTEST_CASES", step.cases.to_string())
            // The same sequences each time; which is the shortest does not matter here.
            .env("PROPTEST_RNG_SEED", "5")
            .env("PROPTEST_MAX_SHRINK_ITERS", "0")
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some(number) = mutant {
            command.env(WHICH, number.to_string());
        }
        watch(command, step.name, limit)
    }
}

/// Runs a program of tests until its first failure.
fn watch(mut command: Command, name: &str, limit: Duration) -> Result<Outcome, String> {
    let mut child = command.spawn().map_err(|error| format!("{name}: {error}"))?;
    let output = child.stdout.take().ok_or("no output")?;
    let done = AtomicBool::new(false);
    let end = Instant::now() + limit;
    let (failed, child, late) = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut lines = BufReader::new(output).lines().map_while(Result::ok);
            let failed = lines.find_map(|line| {
                let test = line.strip_suffix(" ... FAILED")?.strip_prefix("test ")?;
                Some(test.to_owned())
            });
            done.store(true, Ordering::Release);
            failed
        });
        while !done.load(Ordering::Acquire) && Instant::now() < end {
            thread::sleep(Duration::from_millis(5));
        }
        let late = !done.load(Ordering::Acquire);
        if late {
            // The reader waits for the end of the output.
            let _ = child.kill();
        }
        (reader.join().unwrap_or_default(), child, late)
    });
    let mut child = child;
    if late {
        let _ = child.wait();
        return Ok(Outcome::Stuck(name.to_owned()));
    }
    if let Some(test) = failed {
        let _ = child.kill();
        let _ = child.wait();
        return Ok(Outcome::Caught(format!("{name} {test}")));
    }
    let status = child.wait().map_err(|error| format!("{name}: {error}"))?;
    Ok(if status.success() { Outcome::Survived } else { Outcome::Stuck(name.to_owned()) })
}
