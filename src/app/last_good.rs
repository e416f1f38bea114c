//! The packs' files as they last were without mistakes.
//!
//! **A file that has got mistakes changes nothing**: what it said before stays in force, however often the packs are read meanwhile, until it
//! is mended or removed. The same holds for a pack or a folder that cannot be read. **What is in force is always something that the loader
//! has accepted as a whole.**
//!
//! The versions live as long as the process ([decision 9](../../docs/decisions/0009-the-last-good-version-ends-with-the-process.md)).

use crate::adapters::content::read_packs;
use crate::core::content::diagnostic::{Diagnostic, Severity};
use crate::core::content::load::{Loaded, Parsed, examine, load_again};
use crate::core::content::{PackSource, SourceFile};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What was without mistakes, by the names that messages use.
#[derive(Debug, Default)]
pub(super) struct LastGood {
    packs: BTreeMap<String, GoodPack>,
    /// Files that had mistakes when they were looked at last.
    spoilt: BTreeSet<String>,
    parsed: Parsed,
}

/// A pack as it last was without mistakes, file by file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct GoodPack {
    directory: String,
    files: BTreeMap<String, GoodFile>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct GoodFile {
    /// Its path inside the pack.
    inside: String,
    text: String,
}

/// What came of reading the packs.
#[derive(Debug)]
pub(super) struct Reading {
    /// What is in force, with all that is wrong with the files as they are.
    pub(super) loaded: Loaded,
    /// How many files say something else than what was in force before.
    pub(super) differing: usize,
    /// Those in whose place an earlier version is in force.
    pub(super) kept: BTreeSet<String>,
    /// Those that had mistakes and are not there any more.
    pub(super) gone: BTreeSet<String>,
}

/// In which order mistakes are undone: what others depend on comes first, so that nobody is blamed for somebody else's mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Pack,
    Action,
    Other,
}

impl LastGood {
    /// Reads the packs.
    pub(super) fn read(&mut self, packs: &[PathBuf]) -> Reading {
        let mut sources = read_packs(packs);
        let mut reported = Vec::new();
        let mut kept = BTreeSet::new();
        let mut take_back = |good: &Self, sources: &mut [PackSource], diagnostics: &[Diagnostic]| {
            let undone = good.undo(sources, &spoilt(diagnostics), &kept);
            reported.extend(diagnostics.iter().filter(|found| undone.contains(&found.file)).cloned());
            let more = !undone.is_empty();
            kept.extend(undone);
            more
        };
        let mut loaded = loop {
            // Compiling formats takes longer than all else, so it comes last.
            loop {
                let diagnostics = examine(&sources, &mut self.parsed);
                if !take_back(self, &mut sources, &diagnostics) {
                    break;
                }
            }
            let loaded = load_again(&sources, &mut self.parsed);
            if !take_back(self, &mut sources, &loaded.diagnostics) {
                break loaded;
            }
        };
        self.parsed.forget_unused();
        let in_vain = spoilt(&loaded.diagnostics);
        loaded.diagnostics.retain(|found| !kept.contains(&found.file));
        loaded.diagnostics.extend(reported);
        sort(&mut loaded.diagnostics, &sources);
        let differing = self.remember(&sources, &in_vain);
        kept.retain(|file| !in_vain.contains(file));
        let now = spoilt(&loaded.diagnostics);
        let present: BTreeSet<&String> = sources
            .iter()
            .flat_map(|source| std::iter::once(&source.shown).chain(source.files.iter().map(|file| &file.shown)))
            .collect();
        let gone: BTreeSet<String> = self.spoilt.iter().filter(|file| !present.contains(file)).cloned().collect();
        self.spoilt = now;
        Reading { loaded, differing, kept, gone }
    }

    /// Puts the last version without mistakes in the place of the spoilt files that others depend on most. Gives their names.
    fn undo(&self, sources: &mut [PackSource], spoilt: &BTreeSet<String>, kept: &BTreeSet<String>) -> BTreeSet<String> {
        let wanted = |name: &String| spoilt.contains(name) && !kept.contains(name);
        let mut undone: BTreeMap<Rank, BTreeSet<String>> = BTreeMap::new();
        for source in sources.iter() {
            let Some(good) = self.packs.get(&source.shown) else { continue };
            if wanted(&source.shown) {
                undone.entry(Rank::Pack).or_default().insert(source.shown.clone());
            }
            for file in source.files.iter().filter(|file| wanted(&file.shown)) {
                let other = good.files.get(&file.shown).is_some_and(|good| file.text.as_ref() != Ok(&good.text));
                let folder = file.inside.strip_suffix("/.yaml");
                let holds = |folder: &str| good.files.values().any(|good| lies_in(&good.inside, folder));
                // An action may be as it was and miss its script.
                let lacks = rank(&file.inside) == Rank::Action && good.scripts_missing_in(source).next().is_some();
                if other || lacks || folder.is_some_and(holds) {
                    undone.entry(rank(&file.inside)).or_default().insert(file.shown.clone());
                }
            }
        }
        let Some((_, undone)) = undone.pop_first() else { return BTreeSet::new() };
        for source in sources {
            let Some(good) = self.packs.get(&source.shown) else { continue };
            if undone.contains(&source.shown) {
                source.directory.clone_from(&good.directory);
                source.files = good.files.iter().map(|(shown, file)| file.source(shown)).collect();
                continue;
            }
            let mut brought: Vec<SourceFile> = if source.files.iter().any(|file| undone.contains(&file.shown)) {
                good.scripts_missing_in(source).collect()
            } else {
                Vec::new()
            };
            for file in source.files.iter_mut().filter(|file| undone.contains(&file.shown)) {
                match (good.files.get(&file.shown), file.inside.strip_suffix("/.yaml")) {
                    (Some(good), _) => file.text = Ok(good.text.clone()),
                    // It stands for a whole folder that cannot be read.
                    (None, Some(folder)) => {
                        let inside = good.files.iter().filter(|(_, good)| lies_in(&good.inside, folder));
                        brought.extend(inside.map(|(shown, good)| good.source(shown)));
                    }
                    (None, None) => {}
                }
            }
            if !brought.is_empty() {
                // Where a whole folder is brought, its scripts are among it.
                let mut names = BTreeSet::new();
                brought.retain(|file| names.insert(file.shown.clone()));
                source.files.retain(|file| !(undone.contains(&file.shown) && file.text.is_err()));
                source.files.extend(brought);
            }
        }
        undone
    }

    /// Keeps what is in force; of what is not, the version that was. Gives how many files differ from the last time.
    fn remember(&mut self, sources: &[PackSource], spoilt: &BTreeSet<String>) -> usize {
        let mut packs: BTreeMap<String, GoodPack> = BTreeMap::new();
        for source in sources {
            let known = self.packs.get(&source.shown);
            let pack = packs.entry(source.shown.clone()).or_default();
            pack.directory.clone_from(&source.directory);
            for file in &source.files {
                let earlier = known.and_then(|known| known.files.get(&file.shown));
                let good = match &file.text {
                    Ok(text) if !spoilt.contains(&file.shown) => {
                        Some(GoodFile { inside: file.inside.clone(), text: text.clone() })
                    }
                    _ => earlier.cloned(),
                };
                pack.files.extend(good.map(|good| (file.shown.clone(), good)));
            }
        }
        let files = |packs: &BTreeMap<String, GoodPack>| -> BTreeSet<String> {
            packs.values().flat_map(|pack| pack.files.keys().cloned()).collect()
        };
        let text = |packs: &BTreeMap<String, GoodPack>, name: &String| {
            packs.values().find_map(|pack| pack.files.get(name)).map(|file| file.text.clone())
        };
        let names: BTreeSet<String> = files(&packs).union(&files(&self.packs)).cloned().collect();
        let differing = names.iter().filter(|name| text(&packs, name) != text(&self.packs, name)).count();
        self.packs = packs;
        differing
    }
}

impl GoodPack {
    /// The files that its actions run, and that are not there now.
    fn scripts_missing_in<'a>(&'a self, source: &'a PackSource) -> impl Iterator<Item = SourceFile> + 'a {
        let script = |file: &GoodFile| rank(&file.inside) == Rank::Action && !file.inside.ends_with(".yaml");
        let there: BTreeSet<&String> = source.files.iter().map(|file| &file.shown).collect();
        let missing = self.files.iter().filter(move |(shown, file)| script(file) && !there.contains(shown));
        missing.map(|(shown, file)| file.source(shown))
    }
}

impl GoodFile {
    fn source(&self, shown: &str) -> SourceFile {
        SourceFile { shown: shown.to_owned(), inside: self.inside.clone(), text: Ok(self.text.clone()) }
    }
}

fn lies_in(inside: &str, folder: &str) -> bool {
    inside.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

fn rank(inside: &str) -> Rank {
    match inside.split_once('/') {
        None => Rank::Pack,
        Some(("actions", _)) => Rank::Action,
        Some(_) => Rank::Other,
    }
}

fn spoilt(diagnostics: &[Diagnostic]) -> BTreeSet<String> {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    errors.map(|diagnostic| diagnostic.file.clone()).collect()
}

/// In the order of the files and of the lines in each.
fn sort(diagnostics: &mut [Diagnostic], sources: &[PackSource]) {
    let names = sources
        .iter()
        .flat_map(|source| std::iter::once(&source.shown).chain(source.files.iter().map(|file| &file.shown)));
    let mut order: BTreeMap<&String, usize> = BTreeMap::new();
    for (place, name) in names.enumerate() {
        order.entry(name).or_insert(place);
    }
    let place = |file: &String| order.get(file).copied().unwrap_or(usize::MAX);
    diagnostics.sort_by_key(|diagnostic| (place(&diagnostic.file), diagnostic.line.unwrap_or(0)));
}
