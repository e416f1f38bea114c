//! What packs say of themselves, tried: lines of chat beside aliases, and rehearsals of workflows.

use crate::adapters::content::read_packs;
use crate::config::Config;
use crate::core::content::diagnostic::{Diagnostic, Severity};
use crate::core::content::load::load;
use crate::core::content::{Catalog, example, yaml};
use crate::core::rehearsal::{self, Script, Verdict};
use crate::core::workflow::graph::Graph;
use crate::core::workflow::orquesta::{self, Unloadable};
use anyhow::{Context, bail};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The names that whoever starts a workflow always hands down.
const HANDED_DOWN: [&str; 2] = ["parent", "st2"];

/// The folders below a pack's `tests` that hold files of ours; StackStorm's packs have folders of their own there.
const FOLDERS: [&str; 3] = ["", "aliases", "workflows"];

/// What came of lines of chat that a pack gives for its aliases.
#[derive(Debug, Clone, Default)]
pub struct Tried {
    /// Each of them.
    pub examples: Vec<TriedExample>,
    /// What is wrong with their files.
    pub problems: Vec<Diagnostic>,
}

/// What came of an example.
#[derive(Debug, Clone)]
pub struct TriedExample {
    /// Its file.
    pub file: String,
    /// Its line there.
    pub line: usize,
    /// What is said.
    pub say: String,
    /// What was expected and what came, where those differ.
    pub complaint: Option<(String, String)>,
}

/// What came of a rehearsal.
#[derive(Debug, Clone)]
pub struct Played {
    /// Its file.
    pub file: String,
    /// Its line there.
    pub line: usize,
    /// What it shows.
    pub name: String,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of all files that were asked for.
#[derive(Debug, Clone, Default)]
pub struct Rehearsed {
    /// The lines of chat.
    pub examples: Vec<TriedExample>,
    /// The rehearsals.
    pub plays: Vec<Played>,
    /// What is wrong with files.
    pub problems: Vec<Diagnostic>,
}

/// Tries the examples of a file, or all those of a pack, on the packs of a configuration and on the pack that they belong to.
///
/// # Errors
/// A file cannot be read, or belongs to no pack.
pub fn try_examples(path: &Path, config: Option<&Config>) -> anyhow::Result<Tried> {
    let (pack, files) = if path.is_dir() {
        (path.to_owned(), example_files(path)?)
    } else {
        let pack = pack_of(path);
        let pack =
            pack.with_context(|| format!("{} lies in no pack: nothing above it has a pack.yaml", path.display()))?;
        (pack, vec![path.to_owned()])
    };
    let catalog = catalog(&[pack], config);
    let mut tried = Tried::default();
    for file in files {
        try_file(&shown(&file), &text(&file)?, &catalog, &mut tried.examples, &mut tried.problems);
    }
    Ok(tried)
}

/// Tries everything that files and packs have to try.
///
/// # Errors
/// There is no such file or directory, one cannot be read, or a directory holds nothing that could be tried.
pub fn rehearse(paths: &[PathBuf], config: Option<&Config>) -> anyhow::Result<Rehearsed> {
    let (mut packs, mut files) = (Vec::new(), Vec::new());
    for path in paths {
        let before = files.len();
        find(path, &mut packs, &mut files)?;
        if files.len() == before {
            bail!(
                "there is nothing to try in {}; rehearsals are YAML files in a pack's tests/, tests/workflows/ or tests/aliases/",
                path.display()
            );
        }
    }
    let catalog = catalog(&packs, config);
    let mut done = Rehearsed::default();
    for file in files {
        let (name, text) = (shown(&file), text(&file)?);
        // Whatever is wrong with its YAML is told by the one who reads it for its content.
        let is_list = yaml::read(&name, &text).0.is_some_and(|root| matches!(root.value, yaml::Value::List(_)));
        if is_list {
            try_file(&name, &text, &catalog, &mut done.examples, &mut done.problems);
        } else {
            let (script, problems) = rehearsal::read(&name, &text);
            done.problems.extend(problems);
            if let Some(script) = script {
                play(&file, &name, &script, &catalog, &mut done);
            }
        }
    }
    Ok(done)
}

fn try_file(file: &str, text: &str, catalog: &Catalog, tried: &mut Vec<TriedExample>, problems: &mut Vec<Diagnostic>) {
    let (examples, wrong) = example::read(file, text);
    problems.extend(wrong);
    tried.extend(examples.into_iter().map(|example| TriedExample {
        file: file.to_owned(),
        line: example.line,
        complaint: example.judge(catalog),
        say: example.say,
    }));
}

fn play(file: &Path, name: &str, script: &Script, catalog: &Catalog, done: &mut Rehearsed) {
    let graph = match workflow(file, name, script) {
        Ok(graph) => graph,
        Err(problems) => return done.problems.extend(problems),
    };
    done.plays.extend(script.rehearsals.iter().map(|rehearsal| Played {
        file: name.to_owned(),
        line: rehearsal.line,
        name: rehearsal.name.clone(),
        verdict: rehearsal.play(&graph, catalog),
    }));
}

/// The workflow of a file of rehearsals, or what is wrong with it.
fn workflow(file: &Path, name: &str, script: &Script) -> Result<Arc<Graph>, Vec<Diagnostic>> {
    let path = plain(&file.parent().unwrap_or(Path::new("")).join(&script.workflow));
    let text = fs::read_to_string(&path).map_err(|error| {
        vec![Diagnostic {
            file: name.to_owned(),
            line: Some(script.line),
            key_path: "workflow".to_owned(),
            severity: Severity::Error,
            message: format!("cannot read {}: {error}", path.display()),
            suggestion: None,
        }]
    })?;
    let handed_down = script.rehearsals.iter().flat_map(|rehearsal| rehearsal.handed_down());
    let known: BTreeSet<&str> = HANDED_DOWN.into_iter().chain(handed_down).collect();
    let shown = shown(&path);
    match orquesta::read(&shown, &text, &known.into_iter().collect::<Vec<_>>()) {
        Ok(Ok(graph)) => Ok(Arc::new(graph)),
        Ok(Err(inspection)) => Err(inspection.diagnostics(&shown)),
        Err(Unloadable(diagnostics)) => Err(diagnostics),
    }
}

/// Everything that the packs of a configuration define, and these packs.
fn catalog(more: &[PathBuf], config: Option<&Config>) -> Catalog {
    let mut packs = config.map(|config| config.content.packs.clone()).unwrap_or_default();
    for pack in more {
        let same = |other: &PathBuf| fs::canonicalize(other).ok() == fs::canonicalize(pack).ok();
        if !packs.iter().any(same) {
            packs.push(pack.clone());
        }
    }
    load(&read_packs(&packs)).catalog
}

/// The pack that a file lies in.
fn pack_of(path: &Path) -> Option<PathBuf> {
    let above = path.ancestors().skip(1);
    let above = above.map(|above| if above.as_os_str().is_empty() { Path::new(".") } else { above });
    above.into_iter().find(|above| above.join("pack.yaml").is_file()).map(Path::to_owned)
}

/// The files of a pack, of the packs in a directory, or of a directory; a file stands for itself.
fn find(path: &Path, packs: &mut Vec<PathBuf>, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    if path.is_file() {
        packs.extend(pack_of(path));
        files.push(path.to_owned());
        return Ok(());
    }
    if !path.is_dir() {
        bail!("there is no file or directory {}", path.display());
    }
    if path.join("pack.yaml").is_file() {
        packs.push(path.to_owned());
        for folder in FOLDERS {
            let folder = path.join("tests").join(folder);
            if folder.is_dir() {
                files.extend(yaml_files(&folder)?);
            }
        }
        return Ok(());
    }
    let inside = entries(path)?;
    let below: Vec<&PathBuf> = inside.iter().filter(|inside| inside.join("pack.yaml").is_file()).collect();
    for pack in &below {
        find(pack, packs, files)?;
    }
    if below.is_empty() {
        packs.extend(pack_of(&path.join("any")));
        files.extend(yaml_files(path)?);
    }
    Ok(())
}

/// `tests/aliases.yaml` and what lies in `tests/aliases/`.
fn example_files(pack: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let tests = pack.join("tests");
    let mut files = vec![tests.join("aliases.yaml"), tests.join("aliases.yml")];
    files.retain(|file| file.is_file());
    let folder = tests.join("aliases");
    if folder.is_dir() {
        files.extend(yaml_files(&folder)?);
    }
    Ok(files)
}

/// The YAML files that lie directly in a directory, by name.
fn yaml_files(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut inside = entries(directory)?;
    inside.retain(|path| path.is_file() && path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml"));
    Ok(inside)
}

fn entries(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))?;
    let mut inside = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<PathBuf>>>()?;
    inside.sort();
    Ok(inside)
}

fn text(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// The path as the user wrote it, without a leading `./`.
fn shown(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

/// A path without `..` where a folder stands before it.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match (part, plain.components().next_back()) {
            (Component::ParentDir, Some(Component::Normal(_))) => {
                plain.pop();
            }
            (Component::CurDir, Some(_)) => {}
            (part, _) => plain.push(part),
        }
    }
    plain
}
