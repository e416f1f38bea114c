//! YAQL beside the reference: every recorded case has the reference's value or error.

use halcyon::core::yaql::{
    Arguments, Context, Embedded, Expression, Functions, Kind, Limits, Outcome, Value, YaqlError,
};
use serde_json::{Value as Json, json};
use std::path::PathBuf;

fn data(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/yaql").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Evaluates with `$` and `$data`, as the cases were recorded.
fn evaluate(expression: &str, data: &Json, limits: Limits) -> Outcome<Value> {
    let root = Value::from_json(data)?;
    let names = [("data", root.clone())];
    let now = "2026-01-02T03:04:05Z".parse().unwrap();
    Expression::parse(expression)?.evaluate(&Context {
        root,
        names: &names,
        now,
        entropy: 7,
        limits,
        ..Context::empty()
    })
}

/// A value as the cases write it: what JSON does not have is a map with one telling key.
fn plain(value: &Value) -> Json {
    match value {
        Value::Int(number) => i64::try_from(*number).map_or_else(|_| json!({"int": number.to_string()}), Json::from),
        Value::Float(number) if number.is_finite() => json!(number),
        Value::Float(number) => json!({"float": number.to_string().replace("NaN", "nan")}),
        Value::List(_) => value.as_list().unwrap().iter().map(plain).collect(),
        Value::Map(_) => {
            json!({"map": value.entries().map(|(key, item)| [plain(key), plain(item)]).collect::<Vec<_>>()})
        }
        other => other.to_json().unwrap(),
    }
}

/// Whether a value is what was recorded. The reference has no order in its sets.
fn fits(wanted: &Json, found: &Json) -> bool {
    match (wanted, found) {
        (Json::Array(wanted), Json::Array(found)) => {
            wanted.len() == found.len() && wanted.iter().zip(found).all(|(wanted, found)| fits(wanted, found))
        }
        (Json::Object(wanted), found) => match wanted.iter().next() {
            Some((key, Json::Array(members))) if key == "set" => {
                let Json::Array(found) = found else { return false };
                let unmatched = members.iter().filter(|member| !found.iter().any(|one| fits(member, one))).count();
                members.len() == found.len() && unmatched == 0
            }
            Some((key, Json::Array(entries))) if key == "map" => {
                let Some(Json::Array(found)) = found.get("map") else { return false };
                entries.len() == found.len() && entries.iter().zip(found).all(|(wanted, found)| fits(wanted, found))
            }
            Some((key, text)) if key == "time" || key == "span" => text == found,
            _ => Json::Object(wanted.clone()) == *found,
        },
        (Json::Number(wanted), Json::Number(found)) => wanted == found,
        _ => wanted == found,
    }
}

/// What differs from a recorded case, in a line.
fn difference(case: &Json, data: &Json) -> Option<String> {
    let expression = case["expression"].as_str().unwrap();
    let limits = Limits { items: 1000, ..Limits::default() };
    let found = evaluate(expression, data, limits);
    let wanted = case.get("value").map_or_else(|| Err(case["error"].as_str().unwrap()), Ok);
    match (wanted, found) {
        (Ok(wanted), Ok(found)) if fits(wanted, &plain(&found)) => None,
        (Ok(wanted), Ok(found)) => Some(format!("{expression}\n   wanted {wanted}\n   found  {}", plain(&found))),
        (Ok(wanted), Err(error)) => {
            Some(format!("{expression}\n   wanted {wanted}\n   found  {} {error}", error.kind.name()))
        }
        (Err(wanted), Err(error)) if wanted == error.kind.name() => None,
        (Err(wanted), Err(error)) => {
            Some(format!("{expression}\n   wanted {wanted}\n   found  {} {error}", error.kind.name()))
        }
        (Err(wanted), Ok(found)) => Some(format!("{expression}\n   wanted {wanted}\n   found  {}", plain(&found))),
    }
}

/// The cases have one `$` together.
#[test]
fn every_recorded_case_is_as_in_the_reference() {
    let about: Json = serde_json::from_str(&data("data.json")).unwrap();
    let cases: Vec<Json> = data("cases.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(cases.len() >= 1500, "only {} cases", cases.len());
    let different: Vec<_> = cases.iter().filter_map(|case| difference(case, &about)).collect();
    assert!(different.is_empty(), "{} of {} cases differ:\n{}", different.len(), cases.len(), different.join("\n"));
}

/// The recorded cases of the shared material, where there is any.
#[test]
fn every_shared_case_is_as_in_the_reference() {
    let Some(folder) = std::env::var_os("HALCYON_CONFORMANCE") else { return };
    let text = std::fs::read_to_string(PathBuf::from(folder).join("yaql_cases.json")).unwrap();
    let cases: Vec<Json> = serde_json::from_str(&text).unwrap();
    let limits = Limits { items: 100, ..Limits::default() };
    // The reference's own tests have functions and names of their own, which these are about.
    let own =
        ["foo(", "foo1(", "foo2(", "bar(", "bar1(", "bar2(", "baz2(", "f(", "func(", "($dt", "$dt", "123.negValue"];
    let of_the_library = |case: &&Json| !own.iter().any(|own| case["expression"].as_str().unwrap().starts_with(own));
    let cases: Vec<_> = cases.iter().filter(of_the_library).collect();
    assert!(cases.len() >= 386, "only {} cases", cases.len());
    let different: Vec<_> = cases
        .iter()
        .filter_map(|case| {
            let expression = case["expression"].as_str().unwrap();
            let outcome = evaluate(expression, &case["data"], limits).and_then(|value| value.to_json());
            // Those cases do not tell sets from lists.
            let sorted = |json: &Json| match json {
                Json::Array(items)
                    if ["set(", "Set(", "keys()", "characters("]
                        .iter()
                        .any(|unordered| expression.contains(unordered)) =>
                {
                    let mut items: Vec<_> = items.iter().map(Json::to_string).collect();
                    items.sort();
                    items.join(" ")
                }
                other => other.to_string(),
            };
            let found = match outcome {
                Ok(value) => sorted(&value),
                Err(error) => error.kind.name().to_owned(),
            };
            let wanted = match case.get("error") {
                Some(error) => error.as_str().unwrap().to_owned(),
                None => sorted(&case["value"]),
            };
            (found != wanted).then(|| format!("{expression}\n   wanted {wanted}\n   found  {found}"))
        })
        .collect();
    assert!(different.is_empty(), "{} of {} cases differ:\n{}", different.len(), cases.len(), different.join("\n"));
}

/// `expression → JSON` or `expression → error Kind`, in the blocks of the page.
#[test]
fn the_examples_of_the_page_are_true() {
    let page = std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/yaql.md")).unwrap();
    let block = |language: &str| {
        let mut inside = false;
        let mut lines = Vec::new();
        for line in page.lines() {
            let fence = line.trim();
            if fence.starts_with("```") {
                inside = fence == format!("```{language}");
            } else if inside {
                lines.push(line.trim().to_owned());
            }
        }
        lines
    };
    let data: Json = serde_json::from_str(&block("json").concat()).unwrap();
    let examples = block("yaql");
    assert!(examples.len() > 60, "only {} examples", examples.len());
    for example in examples {
        let (expression, wanted) = example.split_once('→').unwrap_or_else(|| panic!("no arrow in {example}"));
        let outcome = evaluate(expression.trim(), &data, Limits::default()).and_then(|value| value.to_json());
        match (outcome, wanted.trim().strip_prefix("error ")) {
            (Err(error), Some(kind)) => assert_eq!(error.kind.name(), kind, "{example}: {error}"),
            (Ok(value), None) => assert_eq!(value, serde_json::from_str::<Json>(wanted).unwrap(), "{example}"),
            (Ok(value), Some(_)) => panic!("{example}: found {value}"),
            (Err(error), None) => panic!("{example}: {error}"),
        }
    }
}

/// Functions as an engine has them.
struct Engine;

impl Functions for Engine {
    fn call(&self, name: &str, arguments: &Arguments<'_>) -> Option<Outcome<Value>> {
        match name {
            "ctx" => Some(arguments.take(0, ["key"]).and_then(|[key]| {
                let known = Value::from_json(&json!({"x": 5, "secret": "<% ctx(x) %>"}))?;
                match key.as_ref().and_then(Value::as_text) {
                    None => Ok(known),
                    Some(key) => known
                        .get(key)
                        .cloned()
                        .ok_or_else(|| Box::new(YaqlError::new(Kind::Caller, format!("there is no variable {key}")))),
                }
            })),
            "zip" => Some(arguments.all().and_then(|(lists, named)| {
                assert!(named.iter().all(|(name, _)| **name == *"pad"));
                Value::tuple(lists)
            })),
            _ => None,
        }
    }
}

fn with_engine(text: &str) -> Result<Json, String> {
    let context = Context { functions: &Engine, ..Context::empty() };
    let embedded = Embedded::parse(text).map_err(|errors| errors[0].to_string())?.unwrap();
    embedded.evaluate(&context).and_then(|value| value.to_json()).map_err(|error| error.to_string())
}

#[test]
fn the_caller_has_functions_of_its_own() {
    for (text, wanted) in [
        ("<% ctx(x) %>", json!(5)),
        ("<% ctx().x + 1 %>", json!(6)),
        ("<% ctx(key => x) %>", json!(5)),
        ("<% zip([1], [2], pad => 0) %>", json!([[1], [2]])),
        ("<% [1].zip([2]) %>", json!([[1, 2]])),
        ("x=<% ctx(x) %>, <% {a => ctx(x)} %>", json!("x=5, {'a': 5}")),
        ("<% ctx(x) %> ", json!("5 ")),
        ("<%\n  ctx(x)\n  + 1\n%>", json!(6)),
        ("<% [1, null, true] %>!", json!("[1, None, True]!")),
        ("<% ctx(secret) %>", json!("<% ctx(x) %>")),
        ("<% ctx(secret) %> <% ctx(x) %>", json!("<% ctx(x) %> 5")),
    ] {
        assert_eq!(with_engine(text), Ok(wanted), "{text}");
    }
}

#[test]
fn errors_tell_what_where_and_what_was_expected() {
    for (text, wanted) in [
        ("<% 1 + %>", "the expression ends where a value should stand, in `1 +`"),
        ("<% (1 %>", "the expression ends where `)` should stand, in `(1`"),
        ("<% a b %>", "`b` is not expected: an operator or the end should stand here, in `a b` at character 3"),
        ("<% 1 # 2 %>", "the character `#` has no meaning here, in `1 # 2` at character 3"),
        ("<% 1 + nosuch() %>", "there is no function `nosuch`, in `1 + nosuch()` at character 5"),
        (
            "<% toUpper(x) %>",
            "there is no function `toUpper`; it is called behind a dot, as value.toUpper(), in `toUpper(x)` at character 1",
        ),
        ("<% 'a' + 1 %>", "`+` does not take text and a whole number, in `'a' + 1` at character 5"),
        ("<% ctx(y) %>", "there is no variable y, in `ctx(y)` at character 1"),
        ("<% ctx(x, y) %>", "`ctx` does not take text and text, in `ctx(x, y)` at character 1"),
        ("<% ctx().y %>", "the map has no key 'y'; its keys are x, secret, in `ctx().y` at character 6"),
        ("<% null.x %>", "null has no `.x`; `?.` passes over null, in `null.x` at character 5"),
    ] {
        assert_eq!(with_engine(text), Err(wanted.to_owned()), "{text}");
    }
}

/// Whatever is written ends soon, and does not take the stack.
#[test]
fn every_evaluation_ends() {
    let nested = |open: &str, inside: &str, close: &str, times: usize| {
        format!("{}{inside}{}", open.repeat(times), close.repeat(times))
    };
    let expressions = [
        "range(1000000000).select($ * 2).len()".to_owned(),
        "sequence().where($ < 0)".to_owned(),
        "1.repeat().len()".to_owned(),
        "range(100000).aggregate([$1], [])".to_owned(),
        "range(100000).aggregate($1.select($), [])".to_owned(),
        "range(100000).aggregate({a => $1}, 0)".to_owned(),
        "range(64).aggregate([$1, $1], 0)".to_owned(),
        "str(range(64).aggregate([$1, $1], 0))".to_owned(),
        "range(64).aggregate($1 + $1, [1])".to_owned(),
        "range(64).aggregate($1 + $1, ab)".to_owned(),
        "'x' * 100000000000".to_owned(),
        "[1] * 100000000000".to_owned(),
        "''.join(range(1000000000))".to_owned(),
        "'abc'.replace('', 'x' * 1000000)".to_owned(),
        "def(f, f($) + f($)) -> f(1)".to_owned(),
        "let(f => lambda($1($1))) -> $f".to_owned(),
        "generate(1, true, $ + 1).last()".to_owned(),
        "generateMany(1, [$, $]).len()".to_owned(),
        "[1].cycle().toSet()".to_owned(),
        "pow(10, 1000000000)".to_owned(),
        "shiftBitsLeft(1, 1000000000000)".to_owned(),
        "('a' * 100) =~ '(?=(a+)+$)b'".to_owned(),
        "('a' * 50000) =~ '(a*)*b'".to_owned(),
        "regex('(((a{100}){100}){100})')".to_owned(),
        nested("(", "1", ")", 10_000),
        nested("[", "1", "]", 10_000),
        nested("-", "1", "", 10_000),
        nested("f(", "1", ")", 10_000),
        nested("", "1", " + 1", 10_000),
        nested("", "$", ".a", 10_000),
        nested("", "a", " -> a", 10_000),
        nested("", "[]", ".select($)", 90),
        nested("[1].select(", "$", ")", 40),
    ];
    for expression in expressions {
        // Whether it has a value does not matter here.
        let _ = evaluate(&expression, &Json::Null, Limits::default());
    }
}
