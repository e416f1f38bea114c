//! Packs: from files on disk to a catalog and diagnostics.
//!
//! The cases are text under `tests/data/content`: `=== name` starts a case, `@@ path` a file of its pack, `--- said` the diagnostics it
//! gets, line for line, and `--- in force` what the catalog holds afterwards.

use halcyon::adapters::content::read_packs;
use halcyon::core::action::spec::{Action, Parameter, ParameterType};
use halcyon::core::content::diagnostic::Severity;
use halcyon::core::content::glob::covers;
use halcyon::core::content::load::{Loaded, Parsed, examine, load, load_again};
use halcyon::core::content::yaml::{self, MAX_BYTES, MAX_DEPTH, MAX_NODES};
use halcyon::core::content::{Catalog, PackSource, SourceFile};
use halcyon::core::id::ActionRef;
use halcyon::core::policy::{Excess, RetryOn};
use halcyon::core::rule::spec::Kind;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

const DATA: &str = "tests/data/content";

/// A case file cut into `(name, sections)`, each section its heading and its text.
fn cases(file: &str) -> Vec<(String, Vec<(String, String)>)> {
    let text = fs::read_to_string(Path::new(DATA).join(file)).unwrap();
    let mut cases: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("=== ") {
            cases.push((name.to_owned(), Vec::new()));
            continue;
        }
        let Some((_, sections)) = cases.last_mut() else { continue };
        match line.strip_prefix("@@ ").or_else(|| line.strip_prefix("--- ")) {
            Some(heading) => sections.push((heading.to_owned(), String::new())),
            None => {
                if let Some((_, body)) = sections.last_mut() {
                    body.push_str(line);
                    body.push('\n');
                }
            }
        }
    }
    assert!(!cases.is_empty(), "{file} holds no case");
    cases
}

fn section(sections: &[(String, String)], heading: &str) -> String {
    sections.iter().find(|(found, _)| found == heading).map(|(_, body)| body.trim_end().to_owned()).unwrap_or_default()
}

fn said(loaded: &Loaded) -> String {
    loaded.diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The packs that are always there.
const BUILT_IN: [&str; 8] = ["alertmanager", "chatops", "check_mk", "core", "icinga2", "linux", "monitoring", "nagios"];

/// What is in force beyond the built-in packs, a line each.
fn in_force(catalog: &Catalog) -> String {
    let mut lines = String::new();
    for pack in catalog.packs.values().filter(|pack| !BUILT_IN.contains(&pack.reference.as_str())) {
        writeln!(lines, "pack {} {}", pack.reference, pack.version).unwrap();
    }
    for action in catalog.actions.values().filter(|action| !BUILT_IN.contains(&action.reference.pack())) {
        let state = if action.enabled { "" } else { " disabled" };
        let raw = if action.raw { " raw" } else { "" };
        let approvals = catalog.approvals.get(&action.reference).into_iter().flatten();
        let approvals: String = approvals.map(|policy| format!(" approval {}", policy.terms.policy)).collect();
        let effect = serde_json::to_value(action.effect).unwrap();
        writeln!(lines, "action {} {}{raw}{state}{approvals}", action.reference, effect.as_str().unwrap()).unwrap();
        for policy in policies(catalog, action) {
            writeln!(lines, "  {policy}").unwrap();
        }
    }
    for alias in catalog.aliases.iter().filter(|alias| !alias.file.starts_with("built in")) {
        writeln!(lines, "alias {} -> {}", alias.reference, alias.action).unwrap();
        for format in &alias.formats {
            let display = format.display.as_deref().unwrap_or("(not in help)");
            writeln!(lines, "  {display}{}", if format.match_multiple { " (many)" } else { "" }).unwrap();
            for matched in &format.representations {
                writeln!(lines, "    {}: {}: {}", matched.line, matched.key_path, matched.text).unwrap();
            }
        }
    }
    for kind in catalog.triggers.values().filter(|kind| !kind.file.starts_with("built in")) {
        writeln!(lines, "trigger {}", kind.reference).unwrap();
    }
    for rule in catalog.rules.all() {
        let words = [
            (!rule.enabled, " disabled"),
            (rule.dry_run, " dry run"),
            (rule.offer.is_some(), " offers"),
            (rule.kind == Kind::Backstop, " backstop"),
        ];
        let words: String = words.iter().filter(|(holds, _)| *holds).map(|(_, word)| *word).collect();
        let (trigger, criteria) = (&rule.trigger, rule.criteria.len());
        writeln!(lines, "rule {} on {trigger} -> {} ({criteria} criteria){words}", rule.reference, rule.action)
            .unwrap();
    }
    lines.trim_end().to_owned()
}

/// What policies say of when an action runs, a line each.
fn policies(catalog: &Catalog, action: &Action) -> Vec<String> {
    let Some(policies) = catalog.policies.get(&action.reference) else { return Vec::new() };
    let concurrency = policies.concurrency.iter().map(|policy| {
        let same = if policy.attributes.is_empty() {
            String::new()
        } else {
            format!(" of the same {}", policy.attributes.join(", "))
        };
        let excess = if policy.excess == Excess::Delay { "wait" } else { "are canceled" };
        format!("at most {} at once{same}, others {excess} ({})", policy.threshold, policy.policy)
    });
    let retry = policies.retry.iter().map(|policy| {
        let on = if policy.on == RetryOn::Failure { "failure" } else { "timeout" };
        format!("again after {on}, {} times, after {:?} ({})", policy.most, policy.delay, policy.policy)
    });
    concurrency.chain(retry).collect()
}

fn source(directory: &str, files: &[(&str, Result<String, String>)]) -> PackSource {
    let file = |(inside, text): &(&str, Result<String, String>)| SourceFile {
        shown: (*inside).to_owned(),
        inside: (*inside).to_owned(),
        text: text.clone(),
    };
    PackSource {
        directory: directory.to_owned(),
        shown: directory.to_owned(),
        files: files.iter().map(file).collect(),
        programs: Vec::new(),
    }
}

#[test]
fn yaml_means_what_it_means_to_stackstorm() {
    for (name, sections) in cases("yaml.txt") {
        let text = section(&sections, "yaml");
        let (root, diagnostics) = yaml::read("f", &text);
        let mut got: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
        got.extend(root.map(|root| root.json().to_string()));
        assert_eq!(got.join("\n"), section(&sections, "means"), "{name}");
    }
}

#[test]
fn yaml_knows_where_everything_stands() {
    let text = "a:\n  - one\n  - {b: two,\n     c: three}\nd: |\n  text\n";
    let (root, _) = yaml::read("f", text);
    let mut places = Vec::new();
    list_places(&root.unwrap(), "", &mut places);
    for (text, line) in [("---", 1), ("--- # only\n", 1), ("a: 1\nb:", 1), ("", 1), ("\r\r- a\r", 3)] {
        assert_eq!(yaml::read("f", text).0.unwrap().line, line, "{text:?}");
    }
    assert_eq!(places, ["1:1 ", "2:3 .a", "2:5 .a[0]", "3:5 .a[1]", "3:9 .a[1].b", "4:9 .a[1].c", "6:3 .d"]);
}

fn list_places(node: &yaml::Node, path: &str, places: &mut Vec<String>) {
    places.push(format!("{}:{} {path}", node.line, node.column));
    match &node.value {
        yaml::Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                list_places(item, &format!("{path}[{index}]"), places);
            }
        }
        yaml::Value::Map(entries) => {
            for entry in entries {
                list_places(&entry.node, &format!("{path}.{}", entry.key), places);
            }
        }
        _ => {}
    }
}

#[test]
fn yaml_cannot_cost_more_than_its_bounds() {
    let check = |text: &str, expected: &str| {
        let (root, diagnostics) = yaml::read("f", text);
        let got = diagnostics.first().map(ToString::to_string).unwrap_or_default();
        assert_eq!((root.is_none(), got.as_str()), (!expected.is_empty(), expected));
    };
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let again = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(laughs, "a{level}: &a{level} [{again}]").unwrap();
    }
    check(&laughs, &format!("f:5: the file means more than {MAX_NODES} values"));
    let mut ladder = "a0: &a0 [x]\n".to_owned();
    for level in 1..=MAX_DEPTH {
        writeln!(ladder, "a{level}: &a{level} [*a{}]", level - 1).unwrap();
    }
    check(&ladder, &format!("f:{MAX_DEPTH}: the nesting is deeper than {MAX_DEPTH}"));
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    check(&nested(MAX_DEPTH), "");
    check(&nested(MAX_DEPTH + 1), &format!("f:1: the nesting is deeper than {MAX_DEPTH}"));
    check(&"- ".repeat(MAX_BYTES / 2), &format!("f:1: the nesting is deeper than {MAX_DEPTH}"));
    check(&" ".repeat(MAX_BYTES + 1), &format!("f: the file is longer than {MAX_BYTES} bytes"));
    check(&format!("[{}]", "x,".repeat(MAX_NODES)), &format!("f:1: the file means more than {MAX_NODES} values"));
    let outdented = |count: usize| -> String { (0..count).map(|at| format!("k{at}:\n  a: \"x\ny\"\n")).collect() };
    check(&outdented(100), "");
    check(&outdented(101), "f:2: this is not YAML: invalid indentation in quoted scalar");
    let long = format!("{}# {}\n", outdented(3), "-".repeat(MAX_BYTES - 100));
    check(&long, "f:2: this is not YAML: invalid indentation in quoted scalar");
    check("a: \u{0}b", "f:1: the character U+0000 cannot stand in YAML");
    check("a: b\nc: \u{1b}[2J", "f:2: the character U+001B cannot stand in YAML");
}

/// A site has thousands of aliases, and somebody mends one of them.
#[test]
fn only_what_has_changed_is_parsed_and_compiled_again() {
    const MANY: usize = 1_000;
    let manifest = "{ref: t, name: t, description: t, version: 1, author: t}".to_owned();
    let action = "{name: work, runner_type: noop, parameters: {hosts: {type: string}}}".to_owned();
    let mut files = vec![("pack.yaml".to_owned(), manifest), ("actions/work.yaml".to_owned(), action)];
    for at in 0..MANY {
        let text = format!("{{name: a{at}, action_ref: t.work, formats: [\"do thing{at} on {{{{hosts}}}}\"]}}");
        files.push((format!("aliases/a{at}.yaml"), text));
    }
    let mut parsed = Parsed::default();
    let mut again = |files: &[(String, String)]| {
        let before = parsed.work();
        let files: Vec<_> = files.iter().map(|(inside, text)| (inside.as_str(), Ok(text.clone()))).collect();
        let sources = [source("t", &files)];
        assert!(examine(&sources, &mut parsed).is_empty());
        let loaded = load_again(&sources, &mut parsed);
        assert_eq!(said(&loaded), "");
        parsed.forget_unused();
        let after = parsed.work();
        (loaded.catalog, (after.files - before.files, after.formats - before.formats))
    };
    assert_eq!(again(&files).1, (MANY + 1, MANY));
    assert_eq!(again(&files).1, (0, 0));
    files[500].1 = files[500].1.replace("do thing", "mend thing");
    let (catalog, work) = again(&files);
    assert_eq!(work, (1, 1));
    let named = catalog.matcher.matches("mend thing498 on wn001");
    assert_eq!(named.iter().map(|hit| hit.alias.reference.as_str()).collect::<Vec<_>>(), ["t.a498"]);
    assert!(catalog.matcher.matches("do thing498 on wn001").is_empty());
    files.remove(500);
    let (catalog, work) = again(&files);
    assert_eq!((catalog.aliases.len() - load(&[]).catalog.aliases.len(), work), (MANY - 1, (0, 0)));
    // What was not there for a while has been forgotten.
    assert_eq!(again(&files[..2]).1, (0, 0));
    assert_eq!(again(&files).1, (MANY - 1, MANY - 1));
}

/// Cuts, doubles and replaces pieces of real files. Whatever comes of it must be read to an end, and a file that is spoilt must never
/// take the others with it.
#[test]
fn no_text_makes_the_loader_fall_over() {
    let originals = read_packs(&[PathBuf::from("."), Path::new(DATA).join("mistakes")]);
    let originals: Vec<&SourceFile> = originals.iter().flat_map(|source| &source.files).collect();
    let pieces = [
        "{", "}", "[", "]", "&a ", "*a", "<<: ", ": ", "- ", "\n", "\n  ", "\t", "\"", "'", "|\n", "!!x ", "é", "{{",
        "---\n", "? ",
    ];
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut below = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(bound).unwrap()).unwrap()
    };
    for _ in 0..1500 {
        let original = originals[below(originals.len())];
        let Ok(text) = &original.text else { continue };
        let mut characters: Vec<char> = text.chars().collect();
        for _ in 0..=below(4) {
            let at = below(characters.len() + 1);
            let until = (at + below(5)).min(characters.len());
            let piece = pieces[below(pieces.len())];
            characters.splice(at..until, piece.chars());
        }
        let spoilt: String = characters.into_iter().collect();
        let manifest = "{ref: t, name: t, description: t, version: 1, author: t}".to_owned();
        let good = "{name: zz_good, runner_type: noop}".to_owned();
        let files =
            [("pack.yaml", Ok(manifest)), (original.inside.as_str(), Ok(spoilt)), ("actions/zz_good.yaml", Ok(good))];
        if original.inside == "pack.yaml" {
            load(&[source("t", &files[1..])]);
        } else {
            let loaded = load(&[source("t", &files)]);
            assert!(loaded.catalog.actions.contains_key(&ActionRef::new("t.zz_good")), "{files:?}");
        }
    }
}

#[test]
fn packs_load_as_the_cases_say() {
    for (name, sections) in cases("load.txt").into_iter().chain(cases("rules.txt")) {
        let mut packs: Vec<PackSource> = Vec::new();
        for (path, text) in &sections {
            // `@@ directory//inside`; without a directory the file is in `t`, which has a sound pack.yaml.
            let (directory, inside) = path.split_once("//").unwrap_or(("t", path));
            if !inside.contains('/') && inside != "pack.yaml" && inside != "pack.yml" {
                continue;
            }
            if packs.last().is_none_or(|pack| pack.directory != directory) {
                packs.push(source(directory, &[]));
                if directory == "t" {
                    let manifest = "{ref: t, name: t, description: t, version: 1.0.0, author: t}".to_owned();
                    packs.last_mut().unwrap().files = source("t", &[("pack.yaml", Ok(manifest))]).files;
                }
            }
            let text = match text.strip_prefix("(unreadable) ") {
                Some(why) => Err(why.trim_end().to_owned()),
                None => Ok(text.clone()),
            };
            let mut file = source(directory, &[(inside, text)]).files;
            if path.contains("//") {
                file[0].shown = format!("{directory}/{inside}");
            }
            packs.last_mut().unwrap().files.append(&mut file);
        }
        let loaded = load(&packs);
        assert_eq!(said(&loaded), section(&sections, "said"), "{name}: said");
        assert_eq!(in_force(&loaded.catalog), section(&sections, "in force"), "{name}: in force");
    }
}

#[test]
fn a_file_that_is_wrong_from_end_to_end_is_not_told_from_end_to_end() {
    let mut text = "name: a\nrunner_type: noop\n".to_owned();
    for number in 0..150 {
        writeln!(text, "wrong{number}: 1").unwrap();
    }
    let manifest = "{ref: t, name: t, description: t, version: 1, author: t}";
    let loaded = load(&[source("t", &[("pack.yaml", Ok(manifest.into())), ("actions/a.yaml", Ok(text))])]);
    assert_eq!(loaded.diagnostics.len(), 101);
    assert_eq!(
        loaded.diagnostics.last().unwrap().to_string(),
        "actions/a.yaml:103: from here on 50 more problems are not listed"
    );
}

#[test]
fn every_mistake_of_a_pack_is_told_at_once() {
    let loaded = load(&read_packs(&[Path::new(DATA).join("mistakes")]));
    let got = said(&loaded).replace(&format!("{DATA}/mistakes/"), "");
    crate::golden("content/mistakes.txt", &format!("{got}\n--- in force\n{}\n", in_force(&loaded.catalog)));
    assert!(loaded.diagnostics.len() >= 30);
}

#[test]
fn the_site_pack_and_core_load_without_a_word() {
    let loaded = load(&read_packs(&[PathBuf::from(".")]));
    assert_eq!(said(&loaded), "");
    let packs: Vec<&str> = loaded.catalog.packs.keys().map(String::as_str).collect();
    assert_eq!(packs, [&BUILT_IN[..], &["site"]].concat());
    crate::golden("content/site.txt", &format!("{}\n", in_force(&loaded.catalog)));
    for action in loaded.catalog.actions.values() {
        assert!(!action.description.is_empty(), "{} says nothing for itself", action.reference);
        assert_eq!(action.content.len(), 64);
    }
    for alias in &loaded.catalog.aliases {
        assert!(!alias.description.is_empty(), "{} says nothing for itself", alias.reference);
        assert!(loaded.catalog.actions.contains_key(&alias.action));
    }
}

fn core_action(name: &str) -> Action {
    let loaded = load(&[]);
    assert_eq!(said(&loaded), "");
    Action::clone(&loaded.catalog.actions[&ActionRef::new(format!("core.{name}"))])
}

fn outline(action: &Action) -> Vec<String> {
    let line = |(name, parameter): (&String, &Parameter)| {
        let mut line = name.clone();
        if let Some(kind) = parameter.kind {
            write!(line, " {}", format!("{kind:?}").to_lowercase()).unwrap();
        }
        for (flag, word) in
            [(parameter.required, "required"), (parameter.immutable, "immutable"), (parameter.secret, "secret")]
        {
            if flag {
                write!(line, " {word}").unwrap();
            }
        }
        if let Some(default) = &parameter.default {
            write!(line, " = {default}").unwrap();
        }
        line
    };
    action.parameters.iter().map(line).collect()
}

/// Names, types and defaults are StackStorm's; packs rely on them.
#[test]
fn core_actions_have_stackstorms_parameters() {
    assert_eq!(
        outline(&core_action("local")),
        [
            "cmd string required",
            "cwd string",
            "env object",
            r#"kwarg_op string = "--""#,
            "sudo boolean immutable = false",
            "sudo_password string secret = null",
            "timeout integer = 60",
        ]
    );
    assert_eq!(
        outline(&core_action("remote")),
        [
            "bastion_host string",
            "cmd string required",
            r#"cwd string = "/tmp""#,
            r#"dir string immutable = "/tmp""#,
            "env object",
            "hosts string required",
            r#"kwarg_op string = "--""#,
            "parallel boolean immutable = false",
            "passphrase string secret",
            "password string secret",
            "port integer",
            "private_key string secret",
            "sudo boolean immutable = false",
            "sudo_password string secret = null",
            "timeout integer = 60",
            "username string",
        ]
    );
    assert_eq!(
        outline(&core_action("echo")),
        [
            r#"cmd string immutable = "printf '%s\\n' \"$HALCYON_ECHO\"""#,
            "cwd string",
            r#"env object immutable = {"HALCYON_ECHO":"{{message}}"}"#,
            r#"kwarg_op string immutable = "--""#,
            "message string required",
            "sudo boolean immutable = false",
            "sudo_password string immutable secret = null",
            "timeout integer = 60",
        ]
    );
    assert_eq!(outline(&core_action("noop")), Vec::<String>::new());
    let pause = core_action("pause");
    assert_eq!(outline(&pause), ["max_pause integer required", "random boolean = false"]);
    assert_eq!(pause.parameters["max_pause"].position, Some(0));
    assert_eq!(pause.runner_parameters, Vec::<String>::new());
    assert_eq!(pause.file, "built in: core/actions/pause.yaml");
    assert!(core_action("remote").runner_parameters.contains(&"hosts".to_owned()));
    assert!(!core_action("echo").runner_parameters.contains(&"message".to_owned()));
}

#[test]
fn a_parameter_keeps_its_whole_schema() {
    let text = "{name: a, runner_type: noop, parameters: {n: {type: integer, description: How many., default: 3, \
                enum: [1, 3], minimum: 1, position: 2}}}";
    let manifest = "{ref: t, name: t, description: t, version: 1, author: t}";
    let loaded = load(&[source("t", &[("pack.yaml", Ok(manifest.into())), ("actions/a.yaml", Ok(text.into()))])]);
    let parameter = &loaded.catalog.actions[&ActionRef::new("t.a")].parameters["n"];
    assert_eq!(parameter.kind, Some(ParameterType::Integer));
    assert_eq!(parameter.description, "How many.");
    assert_eq!(parameter.default, Some(3.into()));
    assert_eq!(parameter.choices, Some(vec![1.into(), 3.into()]));
    assert_eq!(parameter.position, Some(2));
    assert_eq!(parameter.schema["minimum"], 1);
}

#[test]
fn globs_cover_whole_texts() {
    for (pattern, text, expected) in [
        ("*", "site.reboot", true),
        ("*", "", true),
        ("site.*", "site.reboot", true),
        ("site.*", "sites.reboot", false),
        ("*.reboot", "site.reboot", true),
        ("*.reboot", "site.reboot_all", false),
        ("site.*_all", "site._all", true),
        ("s*e*t", "site.reboot", true),
        ("s*t*t", "st", false),
        ("a*a", "a", false),
        ("**a**", "bab", true),
        ("site.reboot", "site.reboot", true),
        ("site.rebo", "site.reboot", false),
        ("site.?eboot", "site.reboot", false),
        ("", "", true),
        ("", "a", false),
    ] {
        assert_eq!(covers(pattern, text), expected, "{pattern} over {text}");
    }
    assert!(!covers(&"*a".repeat(5_000), &"a".repeat(4_999)));
}

#[test]
fn packs_are_read_from_disk() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path();
    let write = |path: &str, text: &[u8]| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("secret.yaml", b"name: not yours");
    write("packs/b/pack.yaml", b"b");
    write("packs/b/actions/z.yaml", b"z");
    write("packs/b/actions/a.yml", b"a");
    write("packs/b/actions/a.py", b"no content");
    write("packs/b/actions/.hidden.yaml", b"no content");
    write("packs/b/actions/workflows/w.yaml", b"no content");
    write("packs/b/actions/latin.yaml", b"fine\nna\xefve");
    write("packs/b/actions/long.yaml", &vec![b' '; MAX_BYTES + 1]);
    write("packs/b/aliases/x.yaml", b"x");
    write("packs/b/etc/x.yaml", b"no content");
    write("packs/a/pack.yml", b"a");
    write("packs/README.md", b"no pack");
    std::os::unix::fs::symlink(root.join("secret.yaml"), root.join("packs/b/actions/link.yaml")).unwrap();
    std::os::unix::fs::symlink("a.yml", root.join("packs/b/actions/near.yaml")).unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", root.join("packs/b/actions/broken.yaml")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("packs/b/actions/socket.yaml")).unwrap();
    let show = |paths: &[PathBuf]| -> Vec<String> {
        let mut lines = Vec::new();
        for pack in read_packs(paths) {
            lines.push(pack.directory.clone());
            for file in pack.files {
                let text = file.text.unwrap_or_else(|why| format!("({why})"));
                let shown = file.shown.replace(&root.display().to_string(), "");
                lines.push(format!("  {} {shown} {text}", file.inside));
            }
        }
        lines
    };
    let b = [
        "b",
        "  pack.yaml /packs/b/pack.yaml b",
        "  actions/a.yml /packs/b/actions/a.yml a",
        "  actions/broken.yaml /packs/b/actions/broken.yaml (No such file or directory (os error 2))",
        "  actions/latin.yaml /packs/b/actions/latin.yaml (line 2 is not UTF-8)",
        "  actions/link.yaml /packs/b/actions/link.yaml (it is a link that leads out of the pack)",
        "  actions/long.yaml /packs/b/actions/long.yaml (it is longer than 1048576 bytes)",
        "  actions/near.yaml /packs/b/actions/near.yaml a",
        "  actions/socket.yaml /packs/b/actions/socket.yaml (it is not a plain file)",
        "  actions/z.yaml /packs/b/actions/z.yaml z",
        "  aliases/x.yaml /packs/b/aliases/x.yaml x",
        "  actions/a.py /packs/b/actions/a.py no content",
        "  actions/workflows/w.yaml /packs/b/actions/workflows/w.yaml no content",
    ];
    let a = ["a", "  pack.yml /packs/a/pack.yml a"];
    assert_eq!(show(&[root.join("packs/b")]), b);
    assert_eq!(show(&[root.join("packs")]), [&a[..], &b[..]].concat());
    assert_eq!(
        show(&[root.join("none"), root.join("packs/a")]),
        [&["none", "  pack.yaml /none (cannot list /none: No such file or directory (os error 2))"][..], &a[..]]
            .concat()
            .into_iter()
            .map(|line| line.replace("list /none", &format!("list {}/none", root.display())))
            .collect::<Vec<_>>()
    );
}

/// The page on the format shows nothing that does not load.
#[test]
fn the_snippets_of_the_documentation_load() {
    let page = fs::read_to_string("docs/packs.md").unwrap();
    let mut files: Vec<(String, String)> = Vec::new();
    for snippet in page.split("```yaml\n").skip(1) {
        let text = snippet.split("```").next().unwrap();
        let path =
            text.lines().next().and_then(|line| line.strip_prefix("# ")).expect("a snippet names its file first");
        files.push((path.to_owned(), text.to_owned()));
    }
    files.sort_by_key(|(path, _)| path != "pack.yaml");
    let files: Vec<(&str, Result<String, String>)> =
        files.iter().map(|(path, text)| (path.as_str(), Ok(text.clone()))).collect();
    let loaded = load(&[source("example", &files)]);
    let wrong: Vec<String> = loaded
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity != Severity::NotSupported)
        .map(ToString::to_string)
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
    assert!(loaded.catalog.aliases.len() >= 3 && loaded.catalog.packs.contains_key("example"));
}
