//! Lines against 100, 1,000 and 10,000 formats, beside a loop over Python's `re` and Hubot's listeners; and the worst lines there are.

use crate::report::{Bound, Report, median};
use crate::{Setting, peers};
use halcyon::adapters::content::read_packs;
use halcyon::core::alias::matcher::Matcher;
use halcyon::core::alias::spec::{Alias, FormatSpec, Representation};
use halcyon::core::content::load::{Parsed, examine, load_again};
use halcyon::core::id::{ActionRef, AliasRef};
use serde_json::{Map, json};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const VERBS: [&str; 10] =
    ["restart", "show", "drain", "upgrade", "check", "resume", "deploy", "reboot", "mount", "count"];

fn format(number: usize) -> String {
    format!("{} thing{} on {{{{hosts}}}} with {{{{mode=fast}}}}", VERBS[number % VERBS.len()], number / VERBS.len())
}

/// The same as an expression for the peers.
fn expression(number: usize) -> String {
    let (verb, thing) = (VERBS[number % VERBS.len()], number / VERBS.len());
    format!(r"^\s*{verb}\s+thing{thing}\s+on\s+(\S+)(?:\s+with\s+(\S+))?\s*$")
}

fn line(number: usize) -> String {
    format!("{} thing{} on wn001 with care", VERBS[number % VERBS.len()], number / VERBS.len())
}

fn alias(number: usize, format: String) -> Arc<Alias> {
    let representation = Representation { text: format, key_path: "formats[0]".to_owned(), line: 1 };
    Arc::new(Alias {
        reference: AliasRef::new(format!("bench.alias{number}")),
        action: ActionRef::new("bench.action"),
        description: String::new(),
        enabled: true,
        formats: vec![FormatSpec {
            display: None,
            representations: vec![representation],
            help: None,
            match_multiple: false,
        }],
        ack: None,
        result: None,
        immutable_parameters: Map::new(),
        extra: Map::new(),
        file: "bench.yaml".to_owned(),
    })
}

fn matcher(formats: impl Iterator<Item = String>) -> Matcher {
    let aliases: Vec<Arc<Alias>> = formats.enumerate().map(|(number, format)| alias(number, format)).collect();
    let names = ["hosts", "mode", "a", "b", "c", "d"].map(str::to_owned).to_vec();
    let (matcher, problems) = Matcher::new(&aliases, &|_| Some(names.clone()));
    assert!(problems.is_empty(), "{problems:?}");
    matcher
}

/// Microseconds for one line: the median of several rounds, each of many lines.
fn time(matcher: &Matcher, lines: &[String], rounds: usize) -> f64 {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let began = Instant::now();
        for line in lines {
            black_box(matcher.select(black_box(line)));
        }
        times.push(began.elapsed().as_secs_f64() * 1e6 / lines.len() as f64);
    }
    median(&times)
}

pub(crate) fn run(setting: &Setting, report: &mut Report) {
    println!("\nalias match");
    let rounds = if setting.quick { 5 } else { 21 };
    for count in [100, 1_000, 10_000] {
        let began = Instant::now();
        let matcher = matcher((0..count).map(format));
        let built = began.elapsed().as_secs_f64() * 1e3;
        let hits: Vec<String> = (0..200).map(|at| line(at * count / 200)).collect();
        let misses: Vec<String> = (0..200).map(|at| format!("please {} not", line(at))).collect();
        // The first of each compiles what it needs; a large site uses dozens of its formats, not thousands.
        let (_, hit, miss) = (time(&matcher, &hits, 1), time(&matcher, &hits, rounds), time(&matcher, &misses, rounds));
        let most = if count == 100 { 5.0 } else { 20.0 };
        report.value("5", &format!("match + extract, {count} formats"), hit, "us", Some(Bound::AtMost(most)));
        report.value("5", &format!("miss, {count} formats"), miss, "us", None);
        let request = json!({
            "expressions": (0..count).map(expression).collect::<Vec<_>>(),
            "hits": &hits, "misses": &misses,
        });
        if let Some((peer, _)) = peers::alias(setting, "python", &request) {
            report.beside("5", &format!("hit, {count} formats"), hit, "us", ("Python re loop", peer), None);
        }
        if let Some((peer, _)) = peers::alias(setting, "hubot", &request) {
            let bound = (count == 10_000).then_some(Bound::AtMost(1.0 / 300.0));
            report.beside("5", &format!("hit, {count} formats"), hit, "us", ("Hubot receive", peer), bound);
        }
        if count == 10_000 {
            report.remark(format!("building 10,000 formats takes {built:.0} ms, once per reload"));
        }
    }
    changed(rounds, report);
    multiple(rounds, report);
    worst(rounds, report);
}

/// One of 10,000 alias files is changed: what lies between the moment of quiet that is waited for and the new matcher's being in force. Chat
/// goes on meanwhile, on another thread.
fn changed(rounds: usize, report: &mut Report) {
    let directory = tempfile::tempdir().expect("a directory for the pack");
    let write = |name: &str, text: String| {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("a folder of the pack");
        std::fs::write(path, text).expect("a file of the pack");
    };
    let of = |number: usize, word: &str| {
        format!("name: a{number}\naction_ref: bench.work\nformats:\n  - \"{word} {}\"\n", format(number))
    };
    write("pack.yaml", "ref: bench\nname: bench\ndescription: many\nversion: 1.0.0\nauthor: us\n".to_owned());
    let parameters = "parameters: {hosts: {type: string}, mode: {type: string}}";
    write("actions/work.yaml", format!("name: work\nrunner_type: noop\n{parameters}\n"));
    for number in 0..10_000 {
        write(&format!("aliases/a{number}.yaml"), of(number, "do"));
    }
    let packs = [directory.path().to_owned()];
    let mut parsed = Parsed::default();
    let mut read = || {
        let began = Instant::now();
        let sources = read_packs(&packs);
        assert!(examine(&sources, &mut parsed).is_empty());
        let loaded = load_again(&sources, &mut parsed);
        assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
        parsed.forget_unused();
        black_box(loaded);
        began.elapsed().as_secs_f64() * 1e3
    };
    let first = read();
    let mut times = Vec::new();
    for round in 0..rounds {
        write("aliases/a5000.yaml", of(5_000, &format!("redo{round}")));
        times.push(read());
    }
    report.value("5", "one of 10,000 aliases changed, in force", median(&times), "ms", Some(Bound::AtMost(500.0)));
    report.remark(format!("reading 10,000 aliases for the first time takes {first:.0} ms, at the start"));
}

/// Formats of `match_multiple` beside others: they are tried on what nothing else reads, all in one pass.
fn multiple(rounds: usize, report: &mut Report) {
    let searched = |number: usize| {
        let mut one = (*alias(10_000 + number, format!(r"(?:\b|^)kind{number} (?P<a>[A-Z]+-\d+)(?:\b|$)"))).clone();
        one.formats[0].match_multiple = true;
        Arc::new(one)
    };
    let ordinary = || (0..1_000).map(|number| alias(number, format(number)));
    let names = ["hosts", "mode", "a"].map(str::to_owned).to_vec();
    let hits: Vec<String> = (0..200).map(|at| line(at * 5)).collect();
    let misses: Vec<String> = (0..200).map(|at| format!("please {} not", line(at))).collect();
    for count in [10, 100] {
        let aliases: Vec<Arc<Alias>> = ordinary().chain((0..count).map(searched)).collect();
        let (matcher, problems) = Matcher::new(&aliases, &|_| Some(names.clone()));
        assert!(problems.is_empty(), "{problems:?}");
        let found: Vec<String> =
            (0..200).map(|at| format!("see kind{} AB-{at} and kind{0} AB-2", at % count)).collect();
        let (_, hit, miss) = (time(&matcher, &hits, 1), time(&matcher, &hits, rounds), time(&matcher, &misses, rounds));
        let several = time(&matcher, &found, rounds);
        let of = format!("beside {count} of match_multiple");
        report.value("5", &format!("match + extract, 1,000 formats {of}"), hit, "us", Some(Bound::AtMost(20.0)));
        report.value("5", &format!("miss, 1,000 formats {of}"), miss, "us", None);
        report.value("5", &format!("two matches of one line, 1,000 formats {of}"), several, "us", None);
    }
}

/// Lines of 4,000 characters that no format reads, though everything about them looks as if.
fn worst(rounds: usize, report: &mut Report) {
    let matcher = matcher(std::iter::once("deploy {{a}} {{b}} {{c}} to {{d}}".to_owned()));
    type Shape = (&'static str, fn(usize) -> String);
    let shapes: [Shape; 5] = [
        ("words", |length| repeat("word ", length)),
        ("pairs a=1", |length| repeat("a=1 ", length)),
        ("unknown pairs z=1", |length| repeat("z=1 ", length)),
        ("quotes a=\"", |length| repeat("a=\"x ", length)),
        ("braces a={", |length| repeat("a={ ", length)),
    ];
    for (name, shape) in shapes {
        let of = |length| format!("deploy {}", shape(length));
        let (short, long) = (of(4_000), of(8_000));
        let took = time(&matcher, &vec![short; 50], rounds);
        let doubled = time(&matcher, &vec![long; 50], rounds);
        report.value("6", &format!("miss, 4,000 characters of {name}"), took, "us", Some(Bound::AtMost(100.0)));
        let grown = doubled / took;
        report.value("6", &format!("8,000 characters of {name}"), grown, "x", Some(Bound::AtMost(2.5)));
    }
}

fn repeat(unit: &str, length: usize) -> String {
    unit.chars().cycle().take(length).collect()
}
