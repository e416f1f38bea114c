//! The shape of a definition: which keys there are, and what kind of value each takes.
//!
//! The rules are data (`schema.json`), in the words of JSON Schema draft 4 as far as they are needed, so that what is wrong is found at the
//! same places as by Orquesta, whose inspection goes by such a schema.

use super::Problem;
use crate::core::content::suggest::did_you_mean;
use crate::core::content::yaml::{Entry, Node, Value};
use regex::Regex;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::sync::LazyLock;

static SCHEMA: LazyLock<Json> = LazyLock::new(|| {
    serde_json::from_str(include_str!("schema.json")).expect("the schema is JSON, and every test reads it")
});

/// `a, b in <expression>`, or an expression alone.
static ITEMS: LazyLock<Regex> = LazyLock::new(|| {
    let expression = r"(?s:\{\{.*?\}\}|<%.*?%>)";
    let pattern = format!(r"^\s*{expression}\s*$|^\s*(?:\w+\s*,\s*)*\w+\s+in\s+{expression}\s*$");
    Regex::new(&pattern).expect("the pattern is a constant, and every workflow with items goes through it")
});

/// The keys of a task, for guesses.
const NAME: &str = r"^\w+$";

/// What is wrong with the shape of a document.
pub(super) fn check(document: &Node) -> Vec<Problem> {
    let mut checker = Checker { found: Vec::new() };
    checker.node(document, document.line, &SCHEMA["workflow"], "", "");
    checker.found
}

struct Checker {
    found: Vec<Problem>,
}

fn resolved(schema: &Json) -> &Json {
    match schema["$ref"].as_str() {
        Some("task") => &SCHEMA["task"],
        Some(name) => &SCHEMA["definitions"][name],
        None => schema,
    }
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

impl Checker {
    fn tell(&mut self, line: usize, path: &str, rule: String, message: String) {
        self.found.push(Problem::new(line, path, rule, message));
    }

    fn node(&mut self, node: &Node, line: usize, schema: &Json, path: &str, rules: &str) {
        let schema = resolved(schema);
        // `with: <items>` is short for `with: {items: <items>}`.
        if let (Value::Text(_), Some(key)) = (&node.value, schema["shorthand"].as_str()) {
            let rules = below(&below(rules, "properties"), key);
            return self.node(node, line, &schema["properties"][key], &below(path, key), &rules);
        }
        if let Some(kind) = schema["type"].as_str()
            && !is_of(node, kind)
        {
            let message = format!("has to be {}, and it is {}", spoken(kind), node.kind());
            self.tell(line, path, below(rules, "type"), message);
        }
        if let Some(allowed) = schema["enum"].as_array()
            && !allowed.iter().any(|one| same(node, one))
        {
            let list: Vec<String> =
                allowed.iter().map(|one| one.as_str().map_or(one.to_string(), str::to_owned)).collect();
            self.tell(line, path, below(rules, "enum"), format!("has to be {}", list.join(" or ")));
        }
        if let Some(choices) = schema["oneOf"].as_array()
            && choices.iter().filter(|choice| fits(node, choice)).count() != 1
        {
            let message = format!("has to be {}", schema["says"].as_str().unwrap_or("something else"));
            self.tell(line, path, below(rules, "oneOf"), message);
        }
        match &node.value {
            Value::Text(text) => {
                if text.is_empty() && schema["minLength"].is_number() {
                    self.tell(line, path, below(rules, "minLength"), "must not be empty".to_owned());
                }
                if schema["pattern"].is_string() && !ITEMS.is_match(text) {
                    let message = "has to be an expression that gives a list, or `name in` and such an expression";
                    self.tell(line, path, below(rules, "pattern"), message.to_owned());
                }
            }
            Value::Number(number) => {
                if let Some(least) = schema["minimum"].as_f64()
                    && number.as_f64().is_some_and(|number| number < least)
                {
                    self.tell(line, path, below(rules, "minimum"), format!("has to be at least {least}"));
                }
            }
            Value::List(items) => self.list(items, line, schema, path, rules),
            Value::Map(entries) => self.map(entries, line, schema, path, rules),
            Value::Null | Value::Boolean(_) => {}
        }
    }

    fn list(&mut self, items: &[Node], line: usize, schema: &Json, path: &str, rules: &str) {
        if schema["minItems"].is_number() && items.is_empty() {
            self.tell(line, path, below(rules, "minItems"), "must not be empty".to_owned());
        }
        if schema["uniqueItems"] == Json::Bool(true) {
            let mut seen = BTreeSet::new();
            if let Some(second) = items.iter().find(|item| !seen.insert(item.json().to_string())) {
                self.tell(second.line, path, below(rules, "uniqueItems"), "holds the same thing twice".to_owned());
            }
        }
        if schema["items"].is_object() {
            for (at, item) in items.iter().enumerate() {
                self.node(item, item.line, &schema["items"], &format!("{path}[{at}]"), &below(rules, "items"));
            }
        }
    }

    fn map(&mut self, entries: &[Entry], line: usize, schema: &Json, path: &str, rules: &str) {
        if schema["minProperties"].is_number() && entries.is_empty() {
            self.tell(line, path, below(rules, "minProperties"), "must not be empty".to_owned());
        }
        if schema["maxProperties"].is_number() && entries.len() > 1 {
            self.tell(line, path, below(rules, "maxProperties"), "has to be one name with its value".to_owned());
        }
        for key in schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str) {
            if !entries.iter().any(|entry| entry.key == key) {
                self.tell(line, path, below(rules, "required"), format!("the key `{key}` is missing"));
            }
        }
        let known = schema["properties"].as_object();
        for entry in entries {
            let inside = below(path, &entry.key);
            if let Some(schema) = known.and_then(|known| known.get(&entry.key)) {
                self.node(&entry.node, entry.line, schema, &inside, &below(&below(rules, "properties"), &entry.key));
            } else if let Some(schema) = schema["patternProperties"].get(NAME) {
                let rules = below(&below(rules, "patternProperties"), NAME);
                self.node(&entry.node, entry.line, schema, &inside, &rules);
            } else if schema["additionalProperties"] == Json::Bool(false) {
                let names = known.into_iter().flat_map(|known| known.keys().map(String::as_str));
                let mut problem = Problem::new(
                    entry.line,
                    path,
                    below(rules, "additionalProperties"),
                    format!("unknown key `{}`", entry.key),
                );
                problem.suggestion = did_you_mean(&entry.key, names);
                self.found.push(problem);
            }
        }
    }
}

/// Whether a value passes a schema, whatever is wrong with it.
fn fits(node: &Node, schema: &Json) -> bool {
    let mut checker = Checker { found: Vec::new() };
    checker.node(node, node.line, schema, "", "");
    checker.found.is_empty()
}

fn is_of(node: &Node, kind: &str) -> bool {
    match (&node.value, kind) {
        (Value::Text(_), "string") | (Value::List(_), "array") | (Value::Map(_), "object") => true,
        (Value::Number(number), "integer") => !number.is_f64(),
        _ => false,
    }
}

fn spoken(kind: &str) -> &'static str {
    match kind {
        "string" => "text",
        "array" => "a list",
        "object" => "a map",
        _ => "a whole number",
    }
}

fn same(node: &Node, wanted: &Json) -> bool {
    match (&node.value, wanted) {
        (Value::Number(number), Json::Number(wanted)) => number.as_f64() == wanted.as_f64(),
        _ => node.json() == *wanted,
    }
}
