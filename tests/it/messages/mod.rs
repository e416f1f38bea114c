//! Every sentence that the bot can say, in one golden file, and the escaping that keeps outside text harmless.

use crate::{data, golden};
use cards::cards;
use halcyon::adapters::ssh::reason::meanings;
use halcyon::core::action::run::{Captured, Exit, HostOutcome};
use halcyon::core::chat::command::COMMANDS;
use halcyon::core::id::Host;
use halcyon::core::message::markdown;
use halcyon::core::message::output::{self, Detail};
use halcyon::core::message::overrides::{examine, samples};
use halcyon::core::message::sentences::{PHRASES, Sentences, TEMPLATES, names};
use halcyon::core::message::span::{size, span};
use halcyon::core::message::zone::{moment, zone};
use phrases::phrases;
use reasons::{reasons, refusals};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

mod cards;
mod phrases;
mod reasons;

fn outcome(exit: Exit, stdout: &str, stderr: &str) -> HostOutcome {
    let inline = |text: &str| Captured::Inline { text: text.into() };
    HostOutcome { exit, stdout: inline(stdout), stderr: inline(stderr), seconds: 0.5 }
}

#[test]
fn every_sentence_is_in_the_golden_file() {
    let sentences = Sentences::new();
    let mut text = String::from("# Every sentence that Halcyon says\n");
    for (title, card) in cards() {
        let said = sentences.say(&card);
        assert!(!said.contains("is broken"), "{title}: {said}");
        assert!(!said.is_empty(), "{title} says nothing");
        text.push_str(&format!("\n## {title}\n\n{said}\n"));
    }
    text.push_str("\n# The pieces that they are made of\n");
    phrases(&mut |phrase, said| {
        let said = if said.is_empty() { "(nothing)" } else { said };
        text.push_str(&format!("\n- {}: {said}", phrase.template()));
    });
    text.push_str("\n\n# Why something cannot be as asked\n");
    for said in refusals() {
        text.push_str(&format!("\n- {said}"));
    }
    text.push_str("\n\n# Why a command did not begin, or nobody knows how it ended\n");
    for said in reasons() {
        text.push_str(&format!("\n- {said}"));
    }
    text.push_str("\n\n# What is wrong with a connection, in plain words\n");
    for said in meanings() {
        text.push_str(&format!("\n- {said}"));
    }
    text.push_str("\n\n# The bot's own commands\n");
    for (name, said) in COMMANDS {
        text.push_str(&format!("\n- `{name}`: {said}"));
    }
    text.push('\n');
    golden("messages/all.md", &text);
}

#[test]
fn every_template_has_samples() {
    let mut samples = Vec::new();
    for (title, card) in cards() {
        samples.push(json!({"template": card.template(), "about": title, "data": card}));
    }
    phrases(&mut |phrase, said| {
        let template = format!("phrases/{}", phrase.template());
        samples.push(json!({"template": template, "about": said, "data": phrase}));
    });
    golden("../../templates/samples.json", &format!("{:#}\n", Value::Array(samples)));
}

#[test]
fn the_data_of_every_template_is_documented() {
    let mut text = fs::read_to_string(data("messages/templates-of-messages.head.md")).unwrap();
    for name in names().filter(|name| !name.starts_with("partials/")) {
        let mut fields: BTreeMap<String, (BTreeSet<&'static str>, String)> = BTreeMap::new();
        let mut about = Vec::new();
        for sample in samples().iter().filter(|sample| sample.template == name) {
            about.push(sample.about.as_str());
            describe("", &sample.data, &mut fields);
        }
        text.push_str(&format!("\n### {name}\n\n"));
        if !name.contains('/') {
            text.push_str(&format!("Said for: {}.\n", about.join("; ")));
        }
        fields.retain(|field, _| field != "card" && field != "phrase");
        if fields.is_empty() {
            text.push_str("It has no data.\n");
            continue;
        }
        text.push_str("\n| data | kind | such as |\n|---|---|---|\n");
        for (field, (kinds, example)) in fields {
            let kinds: Vec<&str> = kinds.into_iter().collect();
            text.push_str(&format!("| `{field}` | {} | {example} |\n", kinds.join(", ")));
        }
    }
    golden("../../docs/templates-of-messages.md", &text);
}

/// Collects the fields of data with their kinds and an example of each.
fn describe(path: &str, data: &Value, fields: &mut BTreeMap<String, (BTreeSet<&'static str>, String)>) {
    let kind = match data {
        Value::Object(inner) => {
            for (name, value) in inner {
                describe(&format!("{path}{}{name}", if path.is_empty() { "" } else { "." }), value, fields);
            }
            return;
        }
        Value::Array(items) => {
            fields.entry(path.to_owned()).or_default().0.insert("list");
            items.iter().for_each(|item| describe(&format!("{path}[]"), item, fields));
            return;
        }
        Value::String(_) => "text",
        Value::Number(_) => "number",
        Value::Bool(_) => "yes or no",
        Value::Null => "nothing",
    };
    let entry = fields.entry(path.to_owned()).or_default();
    entry.0.insert(kind);
    let shown = data.as_str().map_or_else(|| data.to_string(), str::to_owned);
    let shown: String =
        shown.lines().collect::<Vec<_>>().join("⏎").replace('|', "\\|").replace('`', "ˋ").chars().take(60).collect();
    if entry.1.is_empty() && !shown.is_empty() {
        entry.1 = format!("`{shown}`");
    }
}

#[test]
fn a_sites_own_text_is_examined() {
    let check =
        |name: &str, text: &str, expected: Result<(), (Option<usize>, &str)>| match (examine(name, text), expected) {
            (Ok(()), Ok(())) => {}
            (Err(problem), Err((line, said))) => {
                assert_eq!(problem.line, line, "{name}: {problem:?}");
                assert!(problem.message.contains(said), "{name}: {problem:?}");
            }
            (found, _) => panic!("{name} {text:?}: {found:?}"),
        };
    check("called", "At your service.", Ok(()));
    check("called", "At your service, {{name}}.", Err((Some(1), "name")));
    check("called", "At\nyour {{#if}} service.", Err((Some(2), "")));
    check("called", "One\ntwo {{#each x}} three.", Err((Some(2), "")));
    check("called", "  ", Err((None, "says nothing")));
    check("no_executon", "{{id}}", Err((None, "there is no message `no_executon`")));
    check("phrases/no_output", "quiet", Ok(()));
    check("phrases/no_output", "{{quiet}}", Err((Some(1), "quiet")));
    check("partials/outputs", "{{outputs.rows}}", Ok(()));
    check("partials/outputs", "\n{{outputs.row}}", Err((Some(2), "row")));
    check("mail/ended", "", Err((None, "there is no message")));
    // What is handed to a helper is looked at as everything else is.
    check("whoami", "{{code name}} {{join_bold roles}} {{join_code grants \"or\"}} {{join roles \"and\"}}", Ok(()));
    for (text, said) in [
        ("{{code rolez}}", "there is no `rolez` in its data"),
        ("{{plural rolez \"role\" \"roles\"}}", "there is no `rolez` in its data"),
        ("{{join_code rolez \"or\"}}", "there is no `rolez` in its data"),
        ("{{plural name \"role\" \"roles\"}}", "`plural` takes a number as its value number 1"),
        ("{{join_code name}}", "`join_code` takes a list as its value number 1"),
        ("{{join}}", "`join` takes a list as its value number 1"),
        ("{{join roles 3}}", "`join` takes a word as its value number 2"),
    ] {
        check("whoami", text, Err((Some(1), said)));
    }
    let all = names().map(|name| fs::read_to_string(format!("templates/{name}.hbs")).map(|text| (name, text)));
    for (name, text) in all.collect::<Result<Vec<_>, _>>().unwrap() {
        check(&name, &text, Ok(()));
    }
}

#[test]
fn moments_are_told_by_the_clock_of_the_one_who_asks() {
    let check = |name: &str, then: &str, said: &str| {
        let now = "2026-11-22T12:30:00Z".parse().unwrap();
        assert_eq!(moment(then.parse().unwrap(), now, &zone(name)), said);
    };
    check("Europe/Zurich", "2026-11-22T12:02:00Z", "13:02 CET");
    check("Europe/Zurich", "2026-11-21T23:02:00Z", "00:02 CET");
    check("Europe/Zurich", "2026-11-21T12:02:00Z", "21 Nov 13:02 CET");
    check("Europe/Zurich", "2026-07-01T12:02:00Z", "1 Jul 14:02 CEST");
    check("America/New_York", "2025-12-31T12:02:00Z", "31 Dec 2025 07:02 EST");
    check("Asia/Kathmandu", "2026-11-22T12:02:00Z", "17:47 +0545");
    check("", "2026-11-22T12:02:00Z", "12:02 UTC");
    check("Middle/Earth", "2026-11-22T12:02:00Z", "12:02 UTC");
}

#[test]
fn phrases_are_said_as_they_should_be() {
    let sentences = Sentences::new();
    let mut used = BTreeSet::new();
    phrases(&mut |phrase, said| {
        used.insert(phrase.template());
        assert_eq!(sentences.phrase(&phrase), said, "{phrase:?}");
    });
    let known: BTreeSet<&str> = PHRASES.iter().map(|(name, _)| *name).collect();
    assert_eq!(used, known);
}

#[test]
fn every_template_is_rendered_by_a_card() {
    let used: BTreeSet<&str> = cards().iter().map(|(_, card)| card.template()).collect();
    let known: BTreeSet<&str> = TEMPLATES.iter().map(|(name, _)| *name).collect();
    assert_eq!(used, known);
}

#[test]
fn outside_text_is_harmless() {
    let check = |text: &str, escaped: &str| assert_eq!(markdown::escape(text), escaped, "{text:?}");
    check("plain words, 12:30 and a.b-c", "plain words, 12:30 and a.b-c");
    check("@all look", "@\u{200b}all look");
    check("a\u{202e}b\u{2066}c\u{200f}d\u{2028}e", "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}e");
    check("\u{1f468}\u{200d}\u{1f469}", "\u{1f468}\u{200d}\u{1f469}");
    check("**bold** _it_ `code`", "\\*\\*bold\\*\\* \\_it\\_ \\`code\\`");
    check(":wave: http://evil", ":\u{200b}wave: http:\u{200b}//evil");
    check("[text](http://evil)", "\\[text\\]\\(http:\u{200b}//evil\\)");
    check(":100: at 12:34:56", ":\u{200b}100: at 12:34:56");
    check("fe80::8ball:1", "fe80::\u{200b}8ball:1");
    check("two\nlines\ttab", "two lines tab");
    check("bell\u{7}", "bell\u{fffd}");
}

#[test]
fn output_cannot_leave_its_fence() {
    let check =
        |text: &str, inner: &str| assert_eq!(markdown::fence(text), format!("```text\n{inner}\n```"), "{text:?}");
    check("one\ntwo\n", "one\ntwo");
    check("```\n@all", "``\u{200b}`\n@all");
    check("rm \u{202e}txt.a\u{2069}", "rm \u{fffd}txt.a\u{fffd}");
    check("``````", "``\u{200b}``\u{200b}``");
    check("\u{1b}[31mred\u{1b}[0m", "red");
    check("\u{1b}]0;title\u{7}text", "text");
    check("\u{1b}]0;a\\b\u{1b}\\text", "text");
    check("\u{1b}(Bplain\u{1b}[", "plain");
    check("\u{1b}]0;cut off\nnext\u{1b}\nline\u{1b}[1\nend", "\nnext\nline\nend");
    check("10%\r50%\r100%", "100%");
    check("windows\r\nline", "windows\nline");
    check("a\u{8}b", "b");
}

#[test]
fn mentions_are_made_of_user_names_only() {
    let check = |name: &str, said: &str| assert_eq!(markdown::mention(name), said);
    check("operator", "@operator");
    check("all", "all");
    check("here", "here");
    check("x @all", "x @\u{200b}all");
    check("", "");
}

#[test]
fn times_are_said_as_people_say_them() {
    let check = |seconds: f64, said: &str| assert_eq!(span(Duration::from_secs_f64(seconds)), said);
    check(0.0, "0.1 s");
    check(1.26, "1.3 s");
    check(10.9, "10 s");
    check(60.0, "1 min");
    check(200.0, "3 min 20 s");
    check(7_500.0, "2 h 5 min");
    check(86_400.0, "1 day");
    check(100_800.0, "1 day 4 h");
    check(273_600.0, "3 days 4 h");
}

#[test]
fn sizes_are_never_overstated() {
    let check = |bytes: u64, said: &str| assert_eq!(size(bytes), said);
    check(0, "0 bytes");
    check(1023, "1023 bytes");
    check(2047, "1 KiB");
    check((64 << 20) - 1, "63 MiB");
    check(64 << 20, "64 MiB");
    check((2 << 30) - 1, "1.9 GiB");
    check(u64::MAX, "17179869183.9 GiB");
}

#[test]
fn a_crowd_of_equal_outputs_costs_no_more_than_its_hosts() {
    let text = "x".repeat(4_000);
    let order: Vec<Host> = (0..2_000).map(|number| Host::new(format!("wn{number:04}"))).collect();
    let outcomes: BTreeMap<Host, HostOutcome> =
        order.iter().map(|host| (host.clone(), outcome(Exit::Code { code: 0 }, &text, ""))).collect();
    let folded = output::outputs(&order, &outcomes, Detail::Post, &Sentences::new());
    assert_eq!(folded.groups.len(), 1);
    assert_eq!((folded.groups[0].count, folded.groups[0].hosts.as_str()), (2_000, "wn[0000-1999]"));
    let nothing = output::outputs(&order, &BTreeMap::new(), Detail::Post, &Sentences::new());
    assert_eq!(nothing.groups, vec![], "no outcomes, nothing to show");
}
