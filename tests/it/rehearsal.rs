//! `halcyon test`: rehearsals of workflows and lines of chat, as somebody at a terminal meets them.

use halcyon::cli::{self, Surroundings};
use std::path::{Path, PathBuf};

/// What `halcyon test` prints on both streams, and how it ends.
pub(crate) fn test(words: &[&str]) -> (String, String, u8) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    // No configuration stands beside the packs that are tried here.
    let words = ["halcyon", "--config", "/absent/config.toml", "test"].iter().chain(words).map(Into::into);
    let now = || jiff::Timestamp::UNIX_EPOCH;
    let surroundings =
        Surroundings { out: &mut out, err: &mut err, terminal: false, environment: Default::default(), now };
    let code = cli::main(words, surroundings);
    (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap(), code)
}

/// The printed text without the place of the repository.
fn printed(words: &[&str]) -> String {
    let (out, err, code) = test(words);
    let here = format!("{}/", env!("CARGO_MANIFEST_DIR"));
    format!("{out}{}{err}exit code {code}\n", if err.is_empty() { "" } else { "standard error:\n" }).replace(&here, "")
}

fn data(name: &str) -> String {
    super::data("rehearsal").join(name).display().to_string()
}

#[test]
fn what_holds_is_a_line_each() {
    super::golden("rehearsal/holds.txt", &printed(&[&data("tests/workflows/holds.yaml"), &data("tests/aliases.yaml")]));
}

#[test]
fn a_failure_tells_place_difference_and_what_happened() {
    super::golden(
        "rehearsal/fails.txt",
        &printed(&[&data("tests/workflows/fails.yaml"), &data("tests/aliases/fail.yaml")]),
    );
}

#[test]
fn a_file_is_told_everything_that_is_wrong_with_it() {
    super::golden("rehearsal/wrong.txt", &printed(&[&data("wrong")]));
}

#[test]
fn a_pack_has_its_tests_in_its_folder() {
    let (out, _, code) = test(&[&data("")]);
    assert!(out.ends_with("18 rehearsals, 7 lines of chat, 12 failed\n"), "{out}");
    assert_eq!(code, 1);
}

#[test]
fn wrong_asking_ends_with_two() {
    let (out, err, code) = test(&["absent"]);
    assert_eq!((out.as_str(), err.as_str(), code), ("", "halcyon: there is no file or directory absent\n", 2));
    let empty = tempfile::tempdir().unwrap();
    let (_, err, code) = test(&[empty.path().to_str().unwrap()]);
    assert!(err.contains("there is nothing to try in") && code == 2, "{err}");
}

#[test]
fn json_has_all_of_it() {
    let (out, _, code) = test(&["--json", &data("tests/workflows/fails.yaml")]);
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 1);
    assert_eq!(told[0]["name"], "a task has no mock");
    assert_eq!(told[0]["ok"], false);
    assert_eq!(told[0]["complaints"][0]["line"], 7);
    assert_eq!(told[0]["steps"][0]["event"], "starts");
}

/// Everything between two fences of a page that begin alike.
fn blocks(page: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    let parts = page.split("```").scan(1, |line, part| {
        let at = *line;
        *line += part.matches('\n').count();
        Some((at, part))
    });
    parts.skip(1).step_by(2).filter_map(|(line, block)| {
        let (language, text) = block.split_once('\n')?;
        Some((line, language, text))
    })
}

/// The examples of the pages: every file that a page shows is written down by the name in its first line, and then `halcyon test` plays them.
#[test]
fn the_examples_of_the_pages_hold() {
    for name in ["docs/workflows.md", "docs/rehearsals.md"] {
        let page = std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let (mut workflows, mut rehearsed) = (Vec::new(), String::new());
        for (line, language, text) in blocks(&page).filter(|(_, language, _)| *language == "yaml") {
            let file = text.lines().next().and_then(|first| first.strip_prefix("# "));
            let file = file.unwrap_or_else(|| panic!("{name}:{line}: a {language} block without the name of its file"));
            let path = directory.path().join(file);
            assert!(!path.exists(), "{name}:{line}: {file} is there already");
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            match file.starts_with("tests/") {
                true => rehearsed += text,
                false => workflows.push(file.to_owned()),
            }
        }
        std::fs::write(directory.path().join("pack.yaml"), PACK).unwrap();
        let (out, err, code) = test(&[directory.path().to_str().unwrap()]);
        assert_eq!((err.as_str(), code), ("", 0), "{name}:\n{out}");
        for workflow in workflows.iter().filter(|file| file.contains("workflows/")) {
            let stem = Path::new(workflow).file_stem().unwrap().to_str().unwrap();
            let named = [format!("/{stem}.yaml"), format!("workflow: example.{stem}\n")];
            assert!(named.iter().any(|named| rehearsed.contains(named)), "{name}: nothing rehearses {workflow}");
        }
        assert!(workflows.len() >= 2, "{name}: {workflows:?}");
    }
}

const PACK: &str =
    "ref: example\nname: example\ndescription: the examples of a page\nversion: 0.1.0\nauthor: the page\n";
