//! Rules: operators, criteria, the index, and what is made of a rule's parameters.

use halcyon::core::action::spec::Action;
use halcyon::core::content::load::load;
use halcyon::core::content::{Catalog, PackSource, SourceFile};
use halcyon::core::id::{ActionRef, RuleRef, TriggerRef};
use halcyon::core::rule::criterion::{Criterion, Scene};
use halcyon::core::rule::operator::Operator;
use halcyon::core::rule::parameters::render;
use halcyon::core::rule::schema;
use halcyon::core::rule::spec::{Rule, Verdict};
use halcyon::core::template::surroundings::{Entry, Fixed, Surroundings};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::sync::Arc;

fn now() -> Timestamp {
    "2026-11-29T12:00:00Z".parse().unwrap()
}

/// Criteria as they stand in a rule.
fn criterion(key: &str, of: &Value) -> Criterion {
    let operator = Operator::named(of["type"].as_str().unwrap()).unwrap();
    let (pattern, inner) = match (&of["pattern"], operator) {
        (Value::Object(map), Operator::Search) => {
            (Value::Null, map.iter().map(|(key, of)| criterion(key, of)).collect())
        }
        (pattern, _) => (pattern.clone(), Vec::new()),
    };
    let condition = of["condition"].as_str().unwrap_or_default().to_owned();
    Criterion::new(key, operator, pattern, condition, inner).unwrap()
}

fn holds(key: &str, of: &Value, payload: &Value) -> Result<bool, String> {
    let around = Surroundings::default();
    criterion(key, of).holds(&Scene::new(payload, &around, now()))
}

/// One case recorded of StackStorm's operators.
fn check_recorded(case: &Value) -> Result<(), String> {
    let mut of = json!({"type": case["operator"], "pattern": case["pattern"], "condition": case["condition"]});
    if let Value::Object(inner) = &case["pattern"] {
        // The recording took the value of each item from `to_value`, whatever the key.
        let key = |key: &String| key.replace("item.waterLevel", "item.to_value");
        of["pattern"] = inner.iter().map(|(name, of)| (key(name), of.clone())).collect();
    }
    let found = holds("trigger.value", &of, &json!({"value": case["value"]}));
    match (&found, case["result"].as_bool()) {
        (Ok(found), Some(expected)) if *found == expected => Ok(()),
        (Err(_), None) => Ok(()),
        _ => Err(format!("{case}: {found:?}")),
    }
}

fn check_recording(json: &str) {
    let cases: Vec<Value> = serde_json::from_str(json).unwrap();
    assert!(cases.len() >= 200, "the recording is cut short: {} cases", cases.len());
    let wrong: Vec<String> = cases.iter().filter_map(|case| check_recorded(case).err()).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn operators_do_what_stackstorms_do() {
    check_recording(include_str!("../data/rules/st2_operators.json"));
}

#[test]
fn operators_do_what_the_shared_recording_says() {
    let Ok(folder) = std::env::var("HALCYON_CONFORMANCE") else { return };
    let path = std::path::Path::new(&folder).join("st2_operator_cases.json");
    check_recording(&std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
}

/// Key, operator, pattern, payload, and what comes of it: true, false, or `?` with a part of the reason.
#[test]
fn criteria_mean_what_is_written() {
    let table: Vec<(String, Value)> = serde_json::from_str(include_str!("../data/rules/criteria.json")).unwrap();
    let mut wrong = Vec::new();
    for (why, case) in &table {
        let found = holds(case["key"].as_str().unwrap(), case, &case["payload"]);
        let expected = &case["gives"];
        let sound = match (&found, expected) {
            (Ok(found), Value::Bool(expected)) => found == expected,
            (Err(found), Value::String(part)) => found.contains(part.as_str()),
            _ => false,
        };
        if !sound {
            wrong.push(format!("{why}: {case} gives {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), table.len(), wrong.join("\n"));
}

fn pack(files: &[(&str, &str)]) -> Catalog {
    let manifest = ("pack.yaml", "{ref: t, name: t, description: t, version: 1.0.0, author: t}");
    let file = |(inside, text): &(&str, &str)| SourceFile {
        shown: (*inside).to_owned(),
        inside: (*inside).to_owned(),
        text: Ok((*text).to_owned()),
    };
    let files = [manifest].iter().chain(files).map(file).collect();
    let source = PackSource { directory: "t".to_owned(), shown: "t".to_owned(), files, programs: Vec::new() };
    let loaded = load(&[source]);
    let errors: Vec<String> =
        loaded.diagnostics.iter().map(ToString::to_string).filter(|told| !told.contains("warning")).collect();
    assert!(errors.is_empty(), "{errors:?}");
    loaded.catalog
}

/// A rule with these criteria and this action.
fn rule(criteria: &str, action: &str) -> (Arc<Rule>, Arc<Action>) {
    let text = format!(
        "name: r\nenabled: true\ntrigger: {{type: check_mk.event_handler}}\ncriteria:\n{criteria}\naction:\n{action}\n"
    );
    let catalog = pack(&[("rules/r.yaml", &text)]);
    let rule = catalog.rules.get(&RuleRef::new("t.r")).unwrap();
    (Arc::clone(rule), Arc::clone(&catalog.actions[&rule.action]))
}

fn around(payload: &Value) -> Surroundings {
    let entry = |value: &Value, trusted| Arc::new(Fixed(Entry { value: value.clone(), secret: false, trusted }));
    Surroundings::default()
        .with("trigger", entry(payload, false) as _)
        .with("action_context", entry(&json!({"rule": "t.r"}), true) as _)
}

/// Criteria of a rule over a payload, and what the rule says.
#[test]
fn rules_hold_as_a_whole() {
    let critical =
        "  trigger.service.state: {type: equals, pattern: CRITICAL}\n  trigger.host.name: {type: regex, pattern: ^wn0}";
    let any = "  any:\n    - trigger.a: {type: equals, pattern: 1}\n      trigger.b: {type: equals, pattern: 1}\n    - trigger.a: {type: gt, pattern: 5}";
    let host = |state: &str, name: &str| json!({"service": {"state": state}, "host": {"name": name}});
    let table = [
        (critical, host("CRITICAL", "wn001"), "matches"),
        (critical, host("OK", "wn001"), "differs"),
        (critical, host("CRITICAL", "se001"), "differs"),
        (critical, json!({"service": null, "host": {"name": "wn001"}}), "differs"),
        (critical, json!({"service": {"state": "CRITICAL"}}), "troubled"),
        (critical, json!({}), "differs"),
        ("  {}", json!({}), "matches"),
        ("  trigger.a: {type: nexists}", json!({}), "differs"),
        ("  trigger.a: {type: nexists}", json!({"b": 1}), "matches"),
        (any, json!({"a": 1, "b": 1}), "matches"),
        (any, json!({"a": 1, "b": 2}), "differs"),
        (any, json!({"a": 6, "b": 2}), "matches"),
        (any, json!({"a": "x", "b": 1}), "troubled"),
    ];
    for (criteria, payload, expected) in table {
        let (rule, _) = rule(criteria, "  ref: core.noop");
        let around = around(&payload);
        let said = rule.judge(&Scene::new(&payload, &around, now()), &payload);
        let word = match said {
            Verdict::Matches => "matches",
            Verdict::Differs => "differs",
            Verdict::Troubled { .. } => "troubled",
        };
        assert_eq!(word, expected, "{criteria} on {payload}: {said:?}");
        let explained = rule.explain(&Scene::new(&payload, &around, now()));
        let all = explained.iter().all(|explained| explained.holds);
        let empty = !rule.criteria.is_empty() && payload == json!({});
        assert_eq!(all && !empty, word == "matches", "{criteria} on {payload}: {explained:?}");
    }
}

/// The index gives every rule that matches, whatever the rules and the events are.
#[test]
fn the_index_loses_no_rule() {
    let criteria = [
        "trigger.s: {type: equals, pattern: CRITICAL}",
        "trigger.s: {type: in, pattern: [CRITICAL, WARNING]}",
        "trigger.s: {type: equals, pattern: 1}",
        "trigger.h: {type: regex, pattern: \"^wn0\"}",
        "trigger.h: {type: regex, pattern: \"^wn[0-9]\"}",
        "trigger.h: {type: regex, pattern: \"^wn0|^se\"}",
        "trigger.h: {type: regex, pattern: \"(?i)^WN\"}",
        "trigger.h: {type: regex, pattern: \"^w*n\"}",
        "trigger.h: {type: regex, pattern: \"^\\\\.x\"}",
        "trigger.h: {type: startswith, pattern: wn00}",
        "trigger.h: {type: startswith, pattern: \"\"}",
        "trigger.h: {type: equals, pattern: \"{{ trigger.s }}\"}",
        "trigger.h[0]: {type: equals, pattern: w}",
        "trigger.no: {type: nexists}",
    ];
    let mut files = Vec::new();
    for (first, one) in criteria.iter().enumerate() {
        for (second, other) in criteria.iter().enumerate() {
            let other = other.replacen(':', "#2:", 1);
            let name = format!("r{first:02}x{second:02}");
            let text = format!(
                "name: {name}\nenabled: true\ntrigger: {{type: check_mk.event_handler}}\ncriteria:\n  {one}\n  {other}\naction: {{ref: core.noop}}\n"
            );
            files.push((format!("rules/{name}.yaml"), text));
        }
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    let catalog = pack(&files);
    let trigger = TriggerRef::new("check_mk.event_handler");
    assert_eq!(catalog.rules.listening(&trigger).len(), criteria.len() * criteria.len());
    let mut fewer = 0;
    for state in [json!("CRITICAL"), json!("WARNING"), json!("OK"), json!(1), json!(null), json!("wn001")] {
        for host in [
            json!("wn001"),
            json!("wn1"),
            json!("se1"),
            json!("n"),
            json!(".x"),
            json!(""),
            json!("é"),
            json!(null),
            json!(5),
        ] {
            let payload = json!({"s": state, "h": host});
            let around = around(&payload);
            let scene = Scene::new(&payload, &around, now());
            let matches = |rule: &Arc<Rule>| rule.judge(&scene, &payload) == Verdict::Matches;
            let all: Vec<&RuleRef> =
                catalog.rules.all().filter(|rule| matches(rule)).map(|rule| &rule.reference).collect();
            let concerned = catalog.rules.concerned(&trigger, &Map::new(), &payload);
            fewer += usize::from(concerned.len() * 2 < catalog.rules.listening(&trigger).len());
            let found: Vec<&RuleRef> =
                concerned.into_iter().filter(|rule| matches(rule)).map(|rule| &rule.reference).collect();
            assert_eq!(found, all, "{payload}");
        }
    }
    assert!(fewer > 10, "the index leaves hardly anything out: {fewer}");
}

#[test]
fn rules_hear_only_events_of_their_trigger() {
    let hook = |name: &str, url: &str| {
        format!(
            "name: {name}\nenabled: true\ntrigger: {{type: core.st2.webhook, parameters: {{url: {url}}}}}\naction: {{ref: core.noop}}\n"
        )
    };
    let catalog = pack(&[("rules/a.yaml", &hook("a", "/sample/")), ("rules/b.yaml", &hook("b", "other"))]);
    let heard = |url: &str| {
        let parameters = Map::from_iter([("url".to_owned(), json!(url))]);
        let rules = catalog.rules.concerned(&TriggerRef::new("core.st2.webhook"), &parameters, &json!({"body": 1}));
        rules.into_iter().map(|rule| rule.reference.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(heard("sample"), ["t.a"]);
    assert_eq!(heard("other"), ["t.b"]);
    assert!(heard("more").is_empty());
}

/// The action of a rule over a payload: the parameters that it is asked for with, or why not.
#[test]
fn parameters_are_rendered_once_and_stay_suspect() {
    let event = json!({
        "host": {"name": "wn001", "bad": "wn001; reboot", "many": "wn[001-100]", "group": "@all", "n": 5, "l": [1, "x"]},
        "text": "it's {{ 1 + 1 }} $(reboot)",
    });
    let table = [
        (
            "  ref: core.remote\n  parameters: {hosts: puppet, cmd: 'pdsh -w {{trigger.host.name}} \"uptime\"'}",
            "cmd=pdsh -w wn001 \"uptime\" hosts=puppet!",
        ),
        ("  ref: core.remote\n  parameters: {hosts: '{{trigger.host.name}}', cmd: uptime}", "cmd=uptime! hosts=wn001"),
        (
            "  ref: core.remote\n  parameters: {hosts: '{{trigger.host.many}}', cmd: uptime}",
            "`trigger.host.many` is `wn[001-100]`, which is not the name of a machine, and `hosts` takes machines",
        ),
        (
            "  ref: core.remote\n  parameters: {hosts: 'wn002,{{trigger.host.group}}', cmd: uptime}",
            "is not the name of a machine",
        ),
        (
            "  ref: core.local\n  parameters: {cmd: 'echo {{trigger.host.bad}}'}",
            "`trigger.host.bad` may not contain `;`",
        ),
        (
            "  ref: core.local\n  parameters: {cmd: 'echo {{ trigger.host.bad | replace(\";\", \"\") }}'}",
            "`trigger.host.bad` may not contain `;`",
        ),
        (
            "  ref: core.local\n  parameters: {cmd: 'echo {{cwd}}', cwd: '{{trigger.host.bad}}'}",
            "`trigger.host.bad` may not contain `;`",
        ),
        (
            "  ref: core.local\n  parameters: {cmd: 'echo \"$TEXT\"', env: {TEXT: '{{trigger.text}}'}}",
            "cmd=echo \"$TEXT\"! env={\"TEXT\":\"it's {{ 1 + 1 }} $(reboot)\"}!",
        ),
        (
            "  ref: core.local\n  parameters: {cmd: env, env: {'{{trigger.text}}': x}}",
            "names of variables in `env` cannot be templates",
        ),
        (
            "  ref: core.local\n  parameters: {cmd: 'echo {{trigger.no}}'}",
            "`cmd` cannot be had: `trigger.no` has no value (rules/r.yaml: action.parameters.cmd)",
        ),
        (
            "  ref: core.local\n  parameters: {cmd: 'echo {{trigger.no | default(\"x\")}}', timeout: '{{trigger.host.n}}'}",
            "cmd=echo x! timeout=5",
        ),
        (
            "  ref: core.ask\n  parameters: {route: '{{action_context.rule}}', roles: ['{{trigger.host.name}}', a], schema: {a: {type: string, default: '{{trigger.text}}'}}}",
            "roles=[\"wn001\",\"a\"] route=t.r! schema={\"a\":{\"type\":\"string\",\"default\":\"it's {{ 1 + 1 }} $(reboot)\"}}",
        ),
        (
            "  ref: core.http\n  parameters: {url: 'https://x', body: '{{trigger.host | to_json_string}}', method: POST}",
            "body={",
        ),
        ("  ref: core.noop\n  parameters: {}", ""),
    ];
    for (action, expected) in table {
        let (rule, action) = rule("  {}", action);
        let said = match render(&rule, &action, &around(&event)) {
            Ok(rendered) => {
                let trust = |name: &String| if rendered.trusted.contains(name) { "!" } else { "" };
                let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let words = rendered.given.iter().map(|(name, value)| format!("{name}={}{}", text(value), trust(name)));
                words.collect::<Vec<_>>().join(" ")
            }
            Err(problems) => problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        };
        assert!(
            said == expected || (!expected.is_empty() && said.contains(expected)),
            "{:?} gives\n{said}\ninstead of\n{expected}",
            rule.parameters
        );
    }
}

#[test]
fn an_action_that_takes_everything_is_refused_nothing_by_policy() {
    let raw = "name: raw\npolicy_type: action.effect\nresource_ref: core.local\nparameters: {raw: true}\n";
    let text = "name: r\nenabled: true\ntrigger: {type: core.st2.webhook, parameters: {url: x}}\naction: {ref: core.local, parameters: {cmd: 'echo \"{{trigger.body}}\"'}}\n";
    let catalog = pack(&[("policies/raw.yaml", raw), ("rules/r.yaml", text)]);
    let rule = catalog.rules.get(&RuleRef::new("t.r")).unwrap();
    let action = &catalog.actions[&ActionRef::new("core.local")];
    let rendered = render(rule, action, &around(&json!({"body": {"a": 1}}))).unwrap();
    assert_eq!(rendered.given["cmd"], "echo \"{'a': 1}\"");
}

#[test]
fn schemas_say_what_is_wrong_with_a_payload() {
    let schema = json!({
        "type": "object",
        "required": ["c"],
        "additionalProperties": false,
        "properties": {
            "a": {"type": "string", "required": true},
            "b": {"type": ["integer", "null"]},
            "c": {"type": "array", "items": {"type": "object", "properties": {"d": {"enum": ["x", "y"]}}}},
            "e": {"type": "object", "secret": true},
        },
    });
    let check = |payload: Value, expected: &str| {
        let found = schema::mismatches(schema.as_object().unwrap(), &payload);
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "), expected, "{payload}");
    };
    check(json!({"a": "x", "b": 1, "c": []}), "");
    check(json!({"a": "x", "b": null, "c": [{"d": "x"}]}), "");
    check(json!({"a": 1, "c": []}), "`a` has to be string, and is a number");
    check(json!({"b": "x"}), "`a` is missing; `b` has to be integer or null, and is text; `c` is missing");
    check(json!({"a": "x", "c": [{"d": "z"}], "f": 1}), "`c[0].d` has to be one of \"x\", \"y\"; `f` is not known");
    check(json!([]), "has to be object, and is a list");
    let hidden = schema::masked(schema.as_object().unwrap(), &json!({"a": "x", "e": {"password": "p"}}));
    assert_eq!(hidden, json!({"a": "x", "e": "********"}));
}
