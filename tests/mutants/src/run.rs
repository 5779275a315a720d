//! Builds the mutants and tries them.

use crate::checks::{self, Checks, Outcome};
use crate::explained::Explained;
use crate::mutant::Mutant;
use crate::place::Place;
use crate::tree::{CompileError, Tree};
use crate::woven::{Apart, Woven, weave, with_selector};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Instant;

const LIB: &str = "core/src/lib.rs";
/// The note of which functions stay const.
const CONSTANT: &str = "const";

/// Tries all whose outcome is not known, and the survivors that nobody has explained.
pub(crate) fn run(
    root: &Path,
    mutants: &[Mutant],
    explained: &Explained,
    place: &mut Place,
) -> Result<(), String> {
    let is_pending = |mutant: &Mutant| match place.outcome(mutant) {
        None => true,
        Some(Outcome::Survived) => explained.reason(&mutant.full_name()).is_none(),
        Some(_) => false,
    };
    let pending: Vec<(usize, &Mutant)> =
        mutants.iter().enumerate().filter(|(_, mutant)| is_pending(mutant)).collect();
    if pending.is_empty() {
        return Ok(());
    }
    println!("{} of {} mutants to try", pending.len(), mutants.len());
    let tree = Tree::copy(root)?;
    let woven = woven(&tree, mutants, place)?;
    let programs =
        tree.build(&checks::programs())?.ok_or("the woven tree checks, but does not build")?;
    let mut checks = Checks::new(programs)?;
    let mut alone = Vec::new();
    for &(number, mutant) in &pending {
        if place.outcome(mutant) == Some(&Outcome::Unviable) {
            continue;
        }
        if woven.contains(&number) {
            let start = Instant::now();
            let outcome = checks.run(Some(number))?;
            tell(mutant, &outcome, start);
            place.keep(mutant, outcome)?;
        } else {
            alone.push(mutant);
        }
    }
    checks.time_deeper()?;
    for &(number, mutant) in &pending {
        if woven.contains(&number) && place.outcome(mutant) == Some(&Outcome::Survived) {
            let start = Instant::now();
            let outcome = checks.run_deeper(Some(number))?;
            tell(mutant, &outcome, start);
            place.keep(mutant, outcome)?;
        }
    }
    if !alone.is_empty() {
        println!("{} that have to be built by themselves", alone.len());
    }
    for mutant in alone {
        let start = Instant::now();
        let outcome = by_itself(&tree, &checks, mutant)?;
        tell(mutant, &outcome, start);
        place.keep(mutant, outcome)?;
    }
    Ok(())
}

/// Builds a tree with this change alone, and tries it.
fn by_itself(tree: &Tree, checks: &Checks, mutant: &Mutant) -> Result<Outcome, String> {
    tree.restore()?;
    let text = tree.text(&mutant.file)?;
    tree.write(&mutant.file, mutant.applied(&text, 0..text.len()).as_bytes())?;
    if !tree.check(false)?.is_empty() {
        return Ok(Outcome::Unviable);
    }
    let Some(programs) = tree.build(&checks::programs())? else { return Ok(Outcome::Unviable) };
    let checks = checks.over(programs);
    match checks.run(None)? {
        Outcome::Survived => checks.run_deeper(None),
        outcome => Ok(outcome),
    }
}

fn tell(mutant: &Mutant, outcome: &Outcome, start: Instant) {
    println!("{:.1?} {outcome:?} {}:{}", start.elapsed(), mutant.full_name(), mutant.line);
}

/// Weaves all that can be, whatever is known of it: what is woven twice in the same way is built
/// once. Keeps what does not compile, and returns the numbers of what is in the tree.
fn woven(tree: &Tree, mutants: &[Mutant], place: &mut Place) -> Result<HashSet<usize>, String> {
    let all: Vec<(usize, &Mutant)> = mutants.iter().enumerate().collect();
    let is_unviable = |mutant: &Mutant| place.outcome(mutant) == Some(&Outcome::Unviable);
    let mut apart = Apart {
        unviable: all.iter().filter(|of| is_unviable(of.1)).map(|(number, _)| *number).collect(),
        constant: tree.note(CONSTANT).lines().map(ToOwned::to_owned).collect(),
    };
    let mut tests = false;
    loop {
        let files = write(tree, &all, &apart)?;
        let errors = tree.check(tests)?;
        if errors.is_empty() && tests {
            for number in apart.unviable {
                if place.outcome(&mutants[number]) != Some(&Outcome::Unviable) {
                    place.keep(&mutants[number], Outcome::Unviable)?;
                }
            }
            let mut constant: Vec<String> = apart.constant.into_iter().collect();
            constant.sort();
            tree.set_note(CONSTANT, &constant.join("\n"))?;
            return Ok(files.values().flat_map(Woven::numbers).collect());
        }
        tests |= errors.is_empty();
        let before = (apart.unviable.len(), apart.constant.len());
        for error in &errors {
            set_apart(error, &files, &mut apart);
        }
        let after = (apart.unviable.len(), apart.constant.len());
        println!("{} do not compile, {} functions stay const", after.0, after.1);
        if before == after && !errors.is_empty() {
            return Err(format!("the woven tree does not compile: {errors:?}"));
        }
    }
}

/// Notes what an error tells of.
fn set_apart(error: &CompileError, files: &HashMap<String, Woven>, apart: &mut Apart) {
    let mut of_mutants = error
        .places
        .iter()
        .filter_map(|(file, line)| files.get(file).and_then(|woven| woven.mutant_at(*line)));
    if let Some(number) = of_mutants.next() {
        apart.unviable.insert(number);
    } else if error.code == "E0015" {
        // cannot call non-const associated function `Type::<T>::name` in constants
        let path = error.text.split('`').nth(1).unwrap_or_default();
        let name = path.rsplit("::").next().unwrap_or_default();
        apart.constant.insert(name.to_owned());
    }
}

/// Writes all of the core; the woven files by their names.
fn write(
    tree: &Tree,
    all: &[(usize, &Mutant)],
    apart: &Apart,
) -> Result<HashMap<String, Woven>, String> {
    let mut files = HashMap::new();
    for file in tree.files_of_the_core() {
        let of_file: Vec<(usize, &Mutant)> =
            all.iter().filter(|(_, mutant)| mutant.file == *file).copied().collect();
        let mut woven = weave(&tree.text(file)?, &of_file, apart);
        if file == LIB {
            woven.text = with_selector(&woven.text);
        }
        tree.write(file, woven.text.as_bytes())?;
        files.insert(file.clone(), woven);
    }
    Ok(files)
}
