//! Writes the sequences that once failed, or that random ones seldom reach, as seeds for the targets `room` and
//! `hub`: `cargo run --example seeds` in `fuzz`. With `--check` it writes nothing and sees that they are what they
//! would be.

#[path = "../../tests/tests/laws/kept.rs"]
mod kept;

use arbitrary::{Arbitrary, Unstructured};
use roomcast_tests::fuzzed::Sequence;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::{env, fs, io};

fn main() -> Result<(), Box<dyn Error>> {
    let checks = match env::args().nth(1).as_deref() {
        None => false,
        Some("--check") => true,
        Some(other) => return Err(format!("{other} is not known; there is --check").into()),
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds/room");
    let wanted = wanted()?;
    if checks {
        if there(&folder)? != wanted {
            return Err(
                "fuzz/seeds/room is not what is kept: cargo run --example seeds writes it".into()
            );
        }
    } else {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        for (name, bytes) in &wanted {
            fs::write(folder.join(name), bytes)?;
        }
    }
    println!("{} seeds", wanted.len());
    Ok(())
}

/// The seeds by the names of their files.
fn wanted() -> Result<BTreeMap<String, Vec<u8>>, Box<dyn Error>> {
    let mut seeds = BTreeMap::new();
    for (name, setup, ops) in kept::sequences() {
        let sequence = Sequence { setup, ops };
        let bytes = sequence.to_bytes().map_err(|error| format!("{name}: {error}"))?;
        if Sequence::arbitrary(&mut Unstructured::new(&bytes))? != sequence {
            return Err(format!("{name}: what was written is read as something else").into());
        }
        let letters = name.to_lowercase();
        let words: Vec<&str> = letters
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        if seeds.insert(words.join("-"), bytes).is_some() {
            return Err(format!("two sequences are called {name}").into());
        }
    }
    Ok(seeds)
}

fn there(folder: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    fs::read_dir(folder)?
        .map(|entry| {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            Ok((name.unwrap_or_default(), fs::read(&path)?))
        })
        .collect()
}
