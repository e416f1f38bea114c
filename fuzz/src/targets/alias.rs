//! Formats, each a line, and behind an empty line what people type, each a line. A line of chat that ends in `...` is repeated.

use halcyon::core::alias::grammar::{Format, Reading};
use halcyon::core::alias::matcher::{Matcher, Selection};
use halcyon::core::alias::spec::{Alias, FormatSpec, Representation};
use halcyon::core::alias::suggest::{MOST_SUGGESTIONS, suggest};
use halcyon::core::id::{ActionRef, AliasRef, Host};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) fn check(data: &[u8]) {
    let text = super::text(data);
    let (formats, typed) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut compiled = BTreeMap::new();
    let formats: Vec<&str> = formats.lines().take(4).collect();
    for format in &formats {
        let Ok(read) = Format::compile(format) else { continue };
        let names: Vec<&str> = read.parameter_names().collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "two parameters of one name");
        example(format, &read);
        compiled.insert(*format, read);
    }
    let aliases: Vec<_> = formats.iter().enumerate().map(|(number, format)| alias(number, format)).collect();
    let (matcher, problems) = Matcher::new(&aliases, &|_| None);
    for problem in problems {
        assert_eq!(problem.diagnostic.file, "trial.yaml");
        assert_eq!(problem.diagnostic.line, Some(1));
    }
    let lines: Vec<String> = typed.lines().take(4).map(written_out).collect();
    for line in &lines {
        understand(line, &compiled, &matcher);
    }
    // Comparing formats costs as much as the rest, so only some are.
    let some = if data.len().is_multiple_of(4) { matcher.ambiguities() } else { Vec::new() };
    for ambiguity in some {
        let meant = matcher.select(&ambiguity.example);
        assert!(matches!(meant, Selection::Ambiguous(_)), "`{}` is {meant:?}", ambiguity.example);
    }
}

fn understand(line: &str, compiled: &BTreeMap<&str, Format>, matcher: &Matcher) {
    let hits = matcher.matches(line);
    let found: BTreeSet<&str> = hits.iter().map(|hit| &*hit.representation).collect();
    for (text, format) in compiled {
        let reading = format.read(line, None);
        assert!(!format.is_linear() || reading.is_ok(), "`{text}` ran out of steps");
        let Ok(reading) = reading else { continue };
        assert_eq!(found.contains(text), reading.is_some(), "`{text}` on `{line}`: the index and the format differ");
        if let Some(reading) = reading {
            kept_to_the_letter(line, &reading);
            let known = format.parameter_names().map(str::to_owned).collect();
            // With fewer pairs to take away it may match differently, and never not at all.
            assert!(format.read(line, Some(&known)).is_ok_and(|reading| reading.is_some()), "`{text}` on `{line}`");
        }
    }
    if let Selection::One(hit) = matcher.select(line) {
        assert!(hits.iter().any(|other| other.representation == hit.representation));
    }
    let hosts = ["wn001", "wn002", "se01"].map(Host::new).into();
    let suggestions = suggest(line, matcher, &|_| true, &hosts);
    assert!(suggestions.len() <= MOST_SUGGESTIONS);
    for suggestion in suggestions {
        let meant = matcher.select(&suggestion);
        assert!(matches!(meant, Selection::One(_)), "`{suggestion}` is {meant:?}");
    }
}

fn kept_to_the_letter(line: &str, reading: &Reading) {
    for (name, value) in &reading.parameters {
        let said = line.contains(value.as_str()) || value.trim().is_empty() || reading.defaulted.contains(name);
        // The white space around a line is one blank each for the format.
        assert!(said || line.contains(value.trim()), "`{name}` is {value:?}, which `{line}` does not say");
    }
    assert!(reading.defaulted.iter().all(|name| reading.parameters.contains_key(name)));
    assert!(reading.literal_length <= line.chars().filter(|character| !character.is_whitespace()).count());
    assert!(!reading.exact || reading.defaulted.is_empty());
}

/// A format of plain words and parameters reads itself, with words in the place of parameters, and once more without the optional ones.
fn example(format: &str, compiled: &Format) {
    let mut whole = Vec::new();
    let mut shortest = Vec::new();
    let word = |text: &str| {
        let plain = |character: char| character.is_ascii_alphanumeric() || "_-,:/@".contains(character);
        !text.is_empty() && text.chars().all(plain)
    };
    let mut rest = format.trim();
    while !rest.is_empty() {
        let (next, behind) = match rest.strip_prefix("{{").and_then(|rest| rest.split_once("}}")) {
            Some((inside, behind)) => {
                let (name, default) = inside.split_once('=').unwrap_or((inside, ""));
                let value = format!("v{}", whole.len());
                if !word(name.trim()) || !(default.trim().is_empty() || word(default.trim())) {
                    return;
                }
                if !inside.contains('=') {
                    shortest.push(value.clone());
                }
                (value, behind)
            }
            None => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                if !word(&rest[..end]) {
                    return;
                }
                shortest.push(rest[..end].to_owned());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        if !behind.is_empty() && !behind.starts_with(char::is_whitespace) {
            return;
        }
        whole.push(next);
        rest = behind.trim_start();
    }
    for line in [whole.join(" "), shortest.join(" ")] {
        assert!(compiled.read(&line, None).is_ok_and(|reading| reading.is_some()), "`{format}` does not read `{line}`");
    }
}

fn written_out(line: &str) -> String {
    match line.strip_suffix("...") {
        Some(part) if !part.is_empty() => part.repeat(4_000 / part.len()),
        _ => line.to_owned(),
    }
}

fn alias(number: usize, format: &str) -> Arc<Alias> {
    let representation = Representation { text: format.to_owned(), line: 1, key_path: "formats[0]".to_owned() };
    Arc::new(Alias {
        reference: AliasRef::new(format!("trial.a{number}")),
        description: String::new(),
        enabled: true,
        action: ActionRef::new("trial.action"),
        formats: vec![FormatSpec {
            display: None,
            representations: vec![representation],
            help: None,
            match_multiple: false,
        }],
        ack: None,
        result: None,
        immutable_parameters: serde_json::Map::new(),
        extra: serde_json::Map::new(),
        file: "trial.yaml".to_owned(),
    })
}
