//! What a run says at its end.

use crate::checks::Outcome;
use crate::explained::Explained;
use crate::mutant::Mutant;
use crate::place::Place;
use std::collections::{BTreeMap, HashSet};

/// Mutants of a file.
#[derive(Debug, Default)]
struct Counts {
    mutants: usize,
    caught: usize,
    stuck: usize,
    unviable: usize,
    explained: usize,
    unexplained: usize,
    unknown: usize,
}

/// Prints the counts and what is wrong; whether nothing is.
pub(crate) fn report(
    mutants: &[Mutant],
    explained: &Explained,
    place: &Place,
    whole: bool,
) -> bool {
    let mut files: BTreeMap<&str, Counts> = BTreeMap::new();
    let mut wrong = Vec::new();
    for mutant in mutants {
        let counts = files.entry(&mutant.file).or_default();
        counts.mutants += 1;
        let name = mutant.full_name();
        let reason = explained.reason(&name);
        match place.outcome(mutant) {
            Some(Outcome::Survived) if reason.is_some() => counts.explained += 1,
            Some(Outcome::Survived) => {
                counts.unexplained += 1;
                wrong
                    .push(format!("survives, and no list says why, line {}:\n{name}", mutant.line));
            }
            Some(Outcome::Caught(_)) => counts.caught += 1,
            Some(Outcome::Stuck(_)) => counts.stuck += 1,
            Some(Outcome::Unviable) => counts.unviable += 1,
            None => counts.unknown += 1,
        }
        if let Some(Outcome::Caught(by) | Outcome::Stuck(by)) = place.outcome(mutant)
            && reason.is_some()
        {
            wrong.push(format!("is explained, but {by} sees it:\n{name}"));
        }
    }
    let names: HashSet<String> = mutants.iter().map(Mutant::full_name).collect();
    let looked =
        |name: &str| name.split_once(": ").is_some_and(|(file, _)| files.contains_key(file));
    for name in explained.names().filter(|name| whole && looked(name) && !names.contains(*name)) {
        wrong.push(format!("is explained, but there is no such mutant:\n{name}"));
    }
    println!("mutants caught stuck unviable explained unexplained unknown file");
    for (file, counts) in &files {
        let Counts { mutants, caught, stuck, unviable, explained, unexplained, unknown } = counts;
        println!(
            "{mutants:7} {caught:6} {stuck:5} {unviable:8} {explained:9} {unexplained:11} \
             {unknown:7} {file}"
        );
    }
    wrong.sort();
    for wrong in &wrong {
        println!("{wrong}");
    }
    wrong.is_empty() && files.values().all(|counts| counts.unknown == 0)
}
