//! What fuzzing has found, again: every file of the committed corpora goes through the check of its target. `fuzz/README.md` tells more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

#[path = "../../fuzz/src/targets/mod.rs"]
mod targets;

/// Runs a check over its corpus and tells which files it does not hold for.
fn check_corpus(name: &str, check: targets::Check) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 20, "the corpus of {name} has {} files", files.len());
    let holds = |input: &[u8]| catch_unwind(AssertUnwindSafe(|| check(input))).is_ok();
    let inputs = files.iter().map(|file| (file.display().to_string(), std::fs::read(file).unwrap()));
    inputs.filter(|(_, input)| !holds(input)).map(|(file, _)| file).collect()
}

#[test]
fn the_corpora_hold() {
    let wrong: Vec<String> = targets::TARGETS.iter().flat_map(|(name, check)| check_corpus(name, *check)).collect();
    assert!(wrong.is_empty(), "the checks of these do not hold:\n{}", wrong.join("\n"));
}
