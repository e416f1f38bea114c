//! The rules of the repository that a compiler does not know. Each is a function over the path and the text of a file, and each is shown to
//! complain about a planted violation.

use regex::Regex;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Lines of code in one file, comments and blank lines not counted.
const LONGEST: usize = 700;
/// Directories that are not the repository's text.
const OUTSIDE: [&str; 7] = ["target", ".git", "var", "fuzz/target", "fuzz/corpus", "fuzz/fresh", "fuzz/artifacts"];

/// Where executions are decided about and carried out. What stands there between quotes reaches people, so no sentence does: it belongs to
/// `templates/` or to the table of an error type, and so into the golden file of all that is said.
const MUTE: [&str; 12] = [
    "src/core/bot/",
    "src/adapters/http.rs",
    "src/adapters/local/",
    "src/adapters/mail.rs",
    "src/adapters/ssh/fanout.rs",
    "src/adapters/ssh/master.rs",
    "src/adapters/ssh/pool.rs",
    "src/adapters/ssh/session.rs",
    "src/runtime/attend.rs",
    "src/runtime/dispatch.rs",
    "src/runtime/outward.rs",
    "src/runtime/watch.rs",
];
/// Texts there that are said to nobody, and those that StackStorm's own action writes.
const NOT_SAID: [&str; 10] = [
    "a checkpoint is due",
    "what waits is looked after",
    "an inquiry ends",
    "control socket of {uid}",
    "a line is due",
    "a post is to be brought up to date",
    "none has been read yet",
    "the chat server did not answer in time",
    "Failed to send mail to {}",
    "Successfully sent mail to {}",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every text of the repository by its path with slashes.
fn texts() -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    let mut directories = vec![root()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let inside = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                if !OUTSIDE.contains(&inside.as_str()) {
                    directories.push(path);
                }
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                texts.insert(inside, text);
            }
        }
    }
    texts
}

/// The code without comments. A `//` inside a string ends the line too, which hides nothing that these rules look for.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| line.find("//").map_or(line, |at| &line[..at]));
    lines.filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n")
}

/// Texts between quotes that read like a sentence: three words or more, outside of attributes, logs and what is said of a bug.
fn sentences(text: &str) -> Vec<String> {
    let said = |line: &&str| !line.trim_start().starts_with("//") && !line.trim_start().starts_with("#[");
    let code = text.lines().filter(said).collect::<Vec<_>>().join("\n").replace("'\"'", "' '");
    let literal = Regex::new(r#"(?s)"((?:[^"\\]|\\.)*)""#).unwrap();
    let word = Regex::new(r"[a-z]{2,}").unwrap();
    let aside = Regex::new(r"\b(?:expect|(?:trace|debug|info|warn|error|panic|unreachable)!)\(").unwrap();
    let open = |from: &str| from.matches('(').count() > from.matches(')').count();
    let reads = |found: &regex::Captures<'_>| {
        let (text, before) = (&found[1], &code[..found.get(0).unwrap().start()]);
        let logged = aside.find_iter(before).last().is_some_and(|call| open(&before[call.end() - 1..]));
        (text.contains(' ') && word.find_iter(text).count() >= 3 && !logged).then(|| text.to_owned())
    };
    literal.captures_iter(&code).filter_map(|found| reads(&found)).collect()
}

/// What is wrong with one file.
fn complaints(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut complain = |what: String| found.push(format!("{path}: {what}"));
    if path.starts_with("src/") && path.ends_with(".rs") {
        let code = code(text);
        for (pattern, why) in forbidden(path) {
            if let Some(hit) = Regex::new(&pattern).unwrap().find(&code) {
                complain(format!("`{}`: {why}", hit.as_str()));
            }
        }
        if !text.starts_with("//!") {
            complain("begins without a module doc".to_owned());
        }
        let length = code.lines().count();
        if length > LONGEST {
            complain(format!("{length} lines of code, more than {LONGEST}"));
        }
        if MUTE.iter().any(|place| path.starts_with(place)) {
            for said in sentences(text).into_iter().filter(|said| !NOT_SAID.contains(&said.as_str())) {
                complain(format!("\"{said}\" is a sentence for people outside of templates and error types"));
            }
        }
        let vague = ["utils", "util", "helpers", "common", "types", "manager", "misc"];
        if path.split(['/', '.']).any(|part| vague.contains(&part)) {
            complain("has a name that names nothing".to_owned());
        }
    }
    // The words are put together here, because this file is checked as well.
    let markers = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    for marker in markers {
        if Regex::new(&format!(r"\b{marker}\b")).unwrap().is_match(text) {
            complain(format!("the marker word {marker}"));
        }
    }
    // The nodes of the sandbox have directories of their own under these names.
    let nodes = path.starts_with("src/sandbox/") || path.starts_with("tests/it/sandbox");
    for place in [concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/Us", "ers/")] {
        if text.contains(place) && !nodes {
            complain(format!("a path of somebody's machine ({place})"));
        }
    }
    found
}

/// A pattern for a use of one of these modules of `layer`, which is the crate when it is empty. The code of `path` can write the layer by its
/// path from the crate or by going up.
fn uses(path: &str, layer: &str, names: &str) -> String {
    let module = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    let depth = module.split('/').count() - usize::from(!layer.is_empty());
    let layer = if layer.is_empty() { String::new() } else { format!("(?:\\{{[^}}]*)?{layer}::") };
    format!(r"(?:\bcrate::{layer}|\b(?:super::){{{depth}}})(?:\{{[^}}]*)?\b(?:{names})\b")
}

/// Patterns that the code of a file must not contain, by where the file is.
fn forbidden(path: &str) -> Vec<(String, &'static str)> {
    let layers = |names: &str| uses(path, "", names);
    let mut rules = Vec::new();
    let mut rule = |pattern: String, why| rules.push((pattern, why));
    if path.starts_with("src/core/") {
        rule(r"\btokio\b".to_owned(), "the core is synchronous");
        rule(
            r"\bstd::(?:\{[^}]*)?\b(?:fs|net|process|env|thread)\b".to_owned(),
            "the core touches nothing; an adapter does",
        );
        rule(r"::now\(|\b(?:SystemTime|Instant)\b".to_owned(), "time is an argument in the core");
        rule(r"\b(?:getrandom|rand)::".to_owned(), "entropy is an argument in the core");
        rule(r"\bHash(?:Map|Set)\b".to_owned(), "decisions go through collections in a fixed order");
        rule(layers("runtime|adapters|app|cli|config|sandbox"), "the core imports nothing from above");
    } else if path.starts_with("src/runtime/") {
        rule(layers("adapters|app|cli|config|sandbox"), "the runtime knows adapters by their ports only");
    } else if path.starts_with("src/sandbox/") {
        rule(
            layers("adapters|runtime|app|cli|config"),
            "the sandbox is written from the protocol, not from our client",
        );
    } else if let Some(inside) = path.strip_prefix("src/adapters/") {
        rule(layers("app|cli|sandbox"), "adapters are joined by the application, not the other way round");
        let own = inside.split(['/', '.']).next().unwrap_or_default();
        if own != "mod" {
            let others: Vec<_> = adapters().into_iter().filter(|name| name != own).collect();
            rule(uses(path, "adapters", &others.join("|")), "adapters do not name each other");
        }
    }
    rules
}

/// The names of all adapters.
fn adapters() -> Vec<String> {
    let entries = std::fs::read_dir(root().join("src/adapters")).unwrap();
    let names = entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
    let mut names: Vec<_> = names.filter(|name| name != "mod").collect();
    // A folder that exists everywhere, so that the planted violations below do not depend on what else there is.
    names.push("elsewhere".to_owned());
    names
}

#[test]
fn the_repository_keeps_its_rules() {
    let complaints: Vec<_> = texts().iter().flat_map(|(path, text)| complaints(path, text)).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn planted_violations_are_noticed() {
    let check = |path: &str, text: &str, expected: Option<&str>| {
        let text = if path.ends_with(".rs") { format!("//! Doc.\n{text}") } else { text.to_owned() };
        let said = complaints(path, &text);
        match expected {
            Some(expected) => assert!(said.iter().any(|line| line.contains(expected)), "{path}: {text}\n{said:?}"),
            None => assert!(said.is_empty(), "{path}: {text}\n{said:?}"),
        }
    };
    let nothing = None;
    let core = "src/core/alias/matcher.rs";
    check(core, "use std::collections::BTreeMap;", nothing);
    check(core, "// std::fs would be wrong here, tokio too", nothing);
    check(core, "use crate::core::id::Host;", nothing);
    check(core, "use std::fs;", Some("the core touches nothing"));
    check(core, "let text = std::fs::read(path);", Some("the core touches nothing"));
    check(core, "use std::{fmt, fs};", Some("the core touches nothing"));
    check(core, "use std::{\n    fmt,\n    net::IpAddr,\n};", Some("the core touches nothing"));
    check(core, "use tokio::sync::mpsc;", Some("the core is synchronous"));
    check(core, "let at = jiff::Timestamp::now();", Some("time is an argument"));
    check(core, "use std::time::Instant;", Some("time is an argument"));
    check(core, "use std::collections::HashMap;", Some("a fixed order"));
    check(core, "use crate::runtime::ports::Store;", Some("imports nothing from above"));
    check(core, "use crate::{core::id, config::Config};", Some("imports nothing from above"));
    check("src/runtime/dispatch.rs", "use crate::adapters::ssh::Runner;", Some("by their ports"));
    check("src/sandbox/server.rs", "use crate::adapters::mattermost::wire;", Some("from the protocol"));
    let control = "src/adapters/control/server.rs";
    check(control, "use crate::runtime::ports::ControlCall;\nuse crate::config::Control;", nothing);
    check(control, "use crate::adapters::control::wire;", nothing);
    check(control, "use crate::adapters::elsewhere::wire;", Some("do not name each other"));
    check(control, "use crate::adapters::{control, elsewhere};", Some("do not name each other"));
    check(control, "use crate::{adapters::elsewhere, core::id};", Some("do not name each other"));
    check(control, "use super::super::elsewhere::wire;", Some("do not name each other"));
    check(control, "use super::elsewhere;", nothing);
    check("src/adapters/control/mod.rs", "use super::elsewhere;", Some("do not name each other"));
    check("src/core/id.rs", "use super::super::config;", Some("imports nothing from above"));
    check(control, "use crate::app::serve;", Some("joined by the application"));
    check("src/adapters/mod.rs", "pub mod elsewhere;", nothing);
    check("src/core/host/utils.rs", "", Some("names nothing"));
    check("src/cli/look.rs", &"let a = 1;\n".repeat(LONGEST + 1), Some("lines of code"));
    check("src/cli/look.rs", &"// a comment\n".repeat(LONGEST + 1), nothing);
    let room = "src/core/bot/start.rs";
    check(room, "let why = \"the machine is not there\";", Some("a sentence for people"));
    check(room, "Err(format!(\n    \"`{name}` is not\n     there\"\n))", Some("a sentence for people"));
    check(
        room,
        "tracing::warn!(%id, \"the machine is not there\"); let why = \"it is not there\";",
        Some("a sentence"),
    );
    check(room, "tracing::warn!(host = %name(id), \"the machine is not there\");", nothing);
    check(room, "known.expect(\"it was there a moment ago\")", nothing);
    check(room, "// \"the machine is not there\"\nlet name = \"sudo_password\"; let quote = '\"';", nothing);
    check("src/core/action/reason.rs", "#[error(\"the machine is not there\")]", nothing);
    check("docs/aliases.md", concat!("TO", "DO: write this"), Some("marker word"));
    check("docs/aliases.md", "mastodon and todos are no markers", nothing);
    check("README.md", concat!("see /ho", "me/me/halcyon"), Some("somebody's machine"));
    check("src/sandbox/nodes/files.rs", concat!("// cd /ho", "me/operator"), nothing);
    assert_eq!(complaints("src/cli/look.rs", "use std::fmt;"), ["src/cli/look.rs: begins without a module doc"]);
}

#[test]
fn every_folder_of_the_source_says_what_it_is() {
    let texts = texts();
    let mut folders: Vec<_> = texts
        .keys()
        .filter(|path| path.starts_with("src/") && path.ends_with(".rs"))
        .filter_map(|path| Path::new(path).parent())
        .filter(|folder| *folder != Path::new("src"))
        .collect();
    folders.dedup();
    assert!(folders.len() > 5);
    for folder in folders {
        let path = format!("{}/mod.rs", folder.display());
        let text = texts.get(&path).unwrap_or_else(|| panic!("there is no {path}"));
        let doc = text.lines().take_while(|line| line.starts_with("//!")).collect::<Vec<_>>();
        assert!(doc.first().is_some_and(|line| line.starts_with("//! # ")), "{path} begins without a title");
    }
}

#[test]
fn the_licence_is_there_and_named() {
    let texts = texts();
    assert!(texts["LICENSE"].contains("Apache License") && texts["LICENSE"].contains("Version 2.0, January 2004"));
    assert!(texts["Cargo.toml"].contains("license = \"Apache-2.0\""));
}

/// The targets of all links in a page, as paths from the root, without anchors. Addresses of the web are left out.
fn links(page: &str, text: &str) -> Vec<String> {
    let directory = Path::new(page).parent().unwrap_or(Path::new(""));
    let pattern = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let targets = pattern.captures_iter(text).map(|link| link[1].split('#').next().unwrap_or_default().to_owned());
    let inside =
        targets.filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"));
    inside
        .map(|target| {
            let mut parts: Vec<String> = Vec::new();
            for part in directory.join(target).iter() {
                match part.to_str().unwrap() {
                    ".." => drop(parts.pop()),
                    "." => {}
                    part => parts.push(part.to_owned()),
                }
            }
            parts.join("/")
        })
        .collect()
}

#[test]
fn every_page_is_linked_and_every_link_leads_somewhere() {
    assert_eq!(links("docs/a/b.md", "[x](../c.md#d) [y](https://e) [z](f.md)"), ["docs/c.md", "docs/a/f.md"]);
    let texts = texts();
    let pages: Vec<_> = texts.keys().filter(|path| path.ends_with(".md") && !path.starts_with("tests/")).collect();
    for page in &pages {
        for target in links(page, &texts[*page]) {
            assert!(root().join(&target).exists(), "{page} links to {target}, which does not exist");
        }
    }
    for page in pages.iter().filter(|page| page.starts_with("docs/") && *page != &"docs/architecture.md") {
        let index = format!("{}/README.md", Path::new(page).parent().unwrap().display());
        let from = ["README.md", "docs/architecture.md", &index];
        let linked = from.iter().filter_map(|from| Some(links(from, texts.get(*from)?))).flatten();
        assert!(linked.into_iter().any(|target| target == **page), "{page} is linked from none of {from:?}");
    }
}
