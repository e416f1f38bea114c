//! Whole packs. A line that begins with `=== ` begins a file of that name; what stands before the first is `pack.yaml`.

use halcyon::core::content::load::load;
use halcyon::core::content::{PackSource, SourceFile};
use std::collections::BTreeMap;

pub(crate) fn check(data: &[u8]) {
    let text = super::text(data);
    let source = pack(&text);
    let texts: BTreeMap<&str, &str> = source
        .files
        .iter()
        .filter_map(|file| Some((file.shown.as_str(), file.text.as_deref().ok()?)))
        .chain([(source.shown.as_str(), "")])
        .collect();
    let loaded = load(std::slice::from_ref(&source));
    for diagnostic in &loaded.diagnostics {
        let said = diagnostic.to_string();
        let Some(text) = texts.get(diagnostic.file.as_str()) else { panic!("about no file of this pack: {said}") };
        super::inside(diagnostic.line, text);
        assert!(!diagnostic.message.is_empty());
    }
    let catalog = &loaded.catalog;
    assert!(catalog.packs.contains_key("core"), "the built-in pack is always there");
    for alias in &catalog.aliases {
        assert!(catalog.actions.contains_key(&alias.action), "{} starts nothing", alias.reference);
    }
    for (reference, action) in &catalog.actions {
        assert_eq!(*reference, action.reference);
        assert!(catalog.packs.contains_key(reference.pack()), "{reference} is of no pack");
    }
    // Loading costs most of the time, so only some are loaded twice.
    if data.len().is_multiple_of(4) {
        assert_eq!(loaded.diagnostics, load(&[source]).diagnostics, "a pack means one thing");
    }
}

fn pack(text: &str) -> PackSource {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut name = "pack.yaml".to_owned();
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("=== ") {
            Some(next) => name = next.trim().to_owned(),
            None => files.entry(name.clone()).or_default().push_str(line),
        }
    }
    let files = files.into_iter().take(20);
    let files = files.map(|(inside, text)| SourceFile { shown: format!("trial/{inside}"), inside, text: Ok(text) });
    PackSource {
        directory: "trial".to_owned(),
        shown: "trial".to_owned(),
        files: files.collect(),
        programs: Vec::new(),
    }
}
