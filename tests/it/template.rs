//! Templates: what they print, what stops them, and what text becomes by its declared type.

use halcyon::core::action::spec::ParameterType;
use halcyon::core::template::render::{names, render, render_in, render_value};
use halcyon::core::template::surroundings::{Entry, Fixed, Found, Lookup, Surroundings, Unseal};
use halcyon::core::template::value::cast;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Arc;

fn table(json: &str) -> Vec<Value> {
    serde_json::from_str(json).unwrap()
}

fn context(case: &Value) -> Map<String, Value> {
    case["context"].as_object().unwrap().clone()
}

#[test]
fn prints_as_stackstorm_does() {
    for case in table(include_str!("../data/template/rendered.json")) {
        let found = match render(case["template"].as_str().unwrap(), &context(&case)) {
            Ok(output) => json!({"output": output}),
            Err(error) => json!({"error": error.to_string()}),
        };
        let expected = if case["error"].is_null() { "output" } else { "error" };
        assert_eq!(found[expected], case[expected], "{}: {found}", case["why"]);
    }
}

/// Runs cases as they were recorded, tells how many agree, and fails where one differs without a word in `docs/templates.md`.
fn check_filters(cases: &[Value]) {
    let documented = include_str!("../../docs/templates.md");
    let (mut agreeing, mut differing, mut wrong) = (0, 0, Vec::new());
    for case in cases {
        let template = case["template"].as_str().unwrap();
        let found = render(template, &context(case));
        let agrees = match case["output"].as_str() {
            Some(output) => found.as_deref() == Ok(output),
            None => found.is_err(),
        };
        if agrees {
            agreeing += 1;
        } else if documented.contains(&format!("`{template}`")) {
            differing += 1;
        } else {
            wrong.push(format!("{template}: {found:?} and not {case}"));
        }
    }
    // Past the harness, which keeps the output of tests that pass to itself.
    let _ = writeln!(std::io::stderr(), "StackStorm's filters: {agreeing} cases agree, {differing} differ on purpose");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(agreeing >= 57, "only {agreeing} cases agree");
}

#[test]
fn filters_do_what_stackstorms_do() {
    check_filters(&table(include_str!("../data/template/st2_filter_cases.json")));
}

#[test]
fn filters_do_what_the_shared_recording_says() {
    let Ok(folder) = std::env::var("HALCYON_CONFORMANCE") else { return };
    let path = std::path::Path::new(&folder).join("st2_filter_cases.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    check_filters(&table(&text));
}

/// What Jinja2 3.1 with StackStorm's filters gave for the same templates.
#[test]
fn templates_do_what_jinja_does() {
    let mut wrong = Vec::new();
    for group in table(include_str!("../data/template/jinja.json")) {
        for case in group["cases"].as_array().unwrap() {
            let found = render(case["template"].as_str().unwrap(), &context(&group));
            let agrees = match case["output"].as_str() {
                Some(output) => found.as_deref() == Ok(output),
                None => found.is_err() && case["refused"] == true,
            };
            if !agrees {
                wrong.push(format!("{found:?} and not {case}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every difference that the page on templates tells of is one: ours is held here, and it is not Jinja2's.
#[test]
fn differs_from_jinja_where_the_page_says_so() {
    let documented = include_str!("../../docs/templates.md");
    for case in table(include_str!("../data/template/differs.json")) {
        let template = case["template"].as_str().unwrap();
        // A bar would end the cell of a table.
        assert!(
            documented.contains(&format!("`{}`", template.replace('|', "\\|"))),
            "the page does not speak of {template}"
        );
        match (render(template, &context(&case)), case["output"].as_str()) {
            (Ok(output), Some(expected)) => {
                assert_eq!(output, expected, "{template}");
                assert_ne!(case["jinja"], *expected, "{template} does not differ");
            }
            (Err(_), None) => assert!(case["jinja"].is_string(), "{template} does not differ"),
            (found, _) => panic!("{template}: {found:?}"),
        }
    }
}

#[test]
fn every_filter_is_on_its_page() {
    let documented = include_str!("../../docs/templates.md");
    let stackstorm = "basename decrypt_kv dirname from_json_string from_yaml_string json_escape jsonpath_query regex_match regex_replace \
        regex_search regex_substring to_complex to_human_time_from_seconds to_json_string to_yaml_string use_none version_bump_major \
        version_bump_minor version_bump_patch version_compare version_equal version_less_than version_match version_more_than \
        version_strip_patch";
    let jinja = "abs attr batch capitalize center count d default dictsort e escape filesizeformat first float forceescape format \
        groupby indent int items join last length list lower map max min pprint reject rejectattr replace reverse round safe select \
        selectattr slice sort string striptags sum title tojson trim truncate unique upper urlencode urlize wordcount wordwrap xmlattr";
    assert_eq!(stackstorm.split_whitespace().count(), 25);
    for name in stackstorm.split_whitespace().chain(jinja.split_whitespace()) {
        assert_eq!(render(&format!("{{{{ '{name}' is filter }}}}"), &Map::new()).as_deref(), Ok("True"), "{name}");
        assert!(documented.contains(&format!("`{name}")), "{name} is not on the page");
    }
}

#[test]
fn text_becomes_its_declared_type() {
    for case in table(include_str!("../data/template/casts.json")) {
        let kind = match case["type"].as_str().unwrap() {
            "string" => ParameterType::String,
            "integer" => ParameterType::Integer,
            "number" => ParameterType::Number,
            "boolean" => ParameterType::Boolean,
            "array" => ParameterType::Array,
            "object" => ParameterType::Object,
            _ => ParameterType::Null,
        };
        assert_eq!(cast(&case["text"], kind).as_ref(), case.get("value"), "{case}");
    }
}

#[test]
fn other_values_have_to_be_of_the_type_already() {
    let check = |value: Value, kind, expected: Option<Value>| assert_eq!(cast(&value, kind), expected, "{value}");
    check(json!(5), ParameterType::String, None);
    check(json!(5), ParameterType::Boolean, None);
    check(json!(5.0), ParameterType::Integer, Some(json!(5)));
    check(json!(5.5), ParameterType::Integer, None);
    check(json!([1]), ParameterType::Array, Some(json!([1])));
    check(json!({}), ParameterType::Array, None);
    check(json!(null), ParameterType::Integer, Some(json!(null)));
}

#[test]
fn a_bare_name_inside_a_structure_keeps_its_type() {
    let context = json!({"n": 5, "list": [1, 2], "o": {"x": 1}}).as_object().unwrap().clone();
    let check = |value: Value, expected: Value| assert_eq!(render_value(&value, &context).unwrap(), expected);
    check(json!(["{{n}}", "{{ n }}", "n={{n}}"]), json!([5, "5", "n=5"]));
    check(
        json!({"a": {"b": "{{list}}"}, "c": "{{o.x}}", "{{n}}": true}),
        json!({"a": {"b": [1, 2]}, "c": "1", "5": true}),
    );
    check(json!("{{o}}"), json!("{'x': 1}"));
    check(json!(true), json!(true));
}

#[test]
fn tells_the_names_that_a_template_uses() {
    let check = |template: &str, expected: &[&str]| {
        assert_eq!(names(template).unwrap(), expected.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>());
    };
    check("{{ a.b }} {{ c | default(d) }}", &["a", "c", "d"]);
    check("{% set x = a %}{{ x }}{% for i in b %}{{ i }}{% endfor %}", &["a", "b"]);
    check("{% if a %}{{ range(3) }}{% endif %}", &["a"]);
    check("{% macro m(x) %}{{ x }}{{ y }}{% endmacro %}{{ m(z) }}", &["y", "z"]);
    check("plain", &[]);
    check("{{ a[1:] }}{{ b.c[:x] }}{{ (d | first)[::-1] }}", &["a", "b", "d", "x"]);
    check(
        "{% set x = 1 %}{{ x[1:] }}{% for i in y %}{{ i[:1] }}{% endfor %}{{ 'z[1:]' }}{% raw %}{{ r[1:] }}{% endraw %}",
        &["y"],
    );
    check("{{ f(g=h[1:]) | join(sep=i) is divisibleby j }}{{ {'k': l}[m].n }}", &["f", "h", "i", "j", "l", "m"]);
}

/// Keys as a datastore has them: points in a name are part of it.
#[derive(Debug)]
struct Keys(Vec<(&'static str, &'static str)>);

impl Lookup for Keys {
    fn find(&self, path: &[String]) -> Found {
        let entry = |value: &str| Entry { value: json!(value), secret: value.starts_with("secret"), trusted: false };
        match path {
            [] => Found::Step(None),
            [scope] if scope == "system" => Found::Step(None),
            [scope, ..] if scope != "system" => Found::Missing,
            [_, key @ ..] => {
                let key = key.join(".");
                let value = self.0.iter().find(|(name, _)| *name == key).map(|(_, value)| entry(value));
                let goes_on = self.0.iter().any(|(name, _)| name.starts_with(&format!("{key}.")));
                match value {
                    Some(value) if !goes_on => Found::Value(value),
                    value => Found::Step(value),
                }
            }
        }
    }
}

#[derive(Debug)]
struct Backwards;

impl Unseal for Backwards {
    fn unseal(&self, sealed: &str) -> Result<String, String> {
        if sealed.ends_with('!') { Err("cannot open it".into()) } else { Ok(sealed.chars().rev().collect()) }
    }
}

fn surroundings() -> Surroundings {
    let keys = Keys(vec![("a", "one"), ("a.b", "two"), ("c", "{{ x }}"), ("s", "secret"), ("d", "cba"), ("bad", "x!")]);
    let config = json!({"url": "http://x", "ports": [1, 2], "login": {"name": "n"}});
    Surroundings::default()
        .with("st2kv", Arc::new(keys))
        .with("config_context", Arc::new(Fixed(Entry { value: config, secret: false, trusted: true })))
        .unsealing(Arc::new(Backwards))
}

#[test]
fn looks_at_its_surroundings() {
    for case in table(include_str!("../data/template/surroundings.json")) {
        let found = match render_in(case["template"].as_str().unwrap(), &context(&case), &surroundings()) {
            Ok(rendered) => {
                let taken = rendered.taken.iter().map(|taken| {
                    let mark = if taken.entry.secret { " (secret)" } else { "" };
                    format!("{}={}{mark}", taken.name, taken.entry.value)
                });
                json!({"output": rendered.output, "taken": taken.collect::<Vec<_>>()})
            }
            Err(error) => json!({"error": error.to_string()}),
        };
        for key in ["output", "taken", "error"] {
            assert_eq!(found[key], case[key], "{}: {found}", case["why"]);
        }
    }
}
