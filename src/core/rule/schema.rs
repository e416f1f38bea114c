//! What a trigger's parameters and its payload have to be like: the JSON Schema draft 4 that StackStorm takes, as far as it says types, what has to
//! be there and what may be. Defaults fill in what is absent at the top.

use super::operator::word;
use serde_json::{Map, Value};

/// How deep a value is looked into.
const DEEPEST: usize = 32;

/// What is wrong with a value: where, and what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", if .path.is_empty() { .what.clone() } else { format!("`{}` {}", .path, .what) })]
pub struct Mismatch {
    /// The keys that lead to it, with points between.
    pub path: String,
    /// The rest of a sentence.
    pub what: String,
}

/// Fills in the defaults of a schema at the top of a map.
pub fn fill(schema: &Map<String, Value>, values: &mut Map<String, Value>) {
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, of) in properties.into_iter().flatten() {
        if let Some(default) = of.get("default").filter(|default| !default.is_null())
            && values.get(name).is_none_or(Value::is_null)
        {
            values.insert(name.clone(), default.clone());
        }
    }
}

/// Everything that is wrong with a value. A schema that says nothing is content with everything.
pub fn mismatches(schema: &Map<String, Value>, value: &Value) -> Vec<Mismatch> {
    let mut found = Vec::new();
    check(schema, value, String::new(), 0, &mut found);
    found
}

/// The value with everything masked that the schema calls secret.
pub fn masked(schema: &Map<String, Value>, value: &Value) -> Value {
    if schema.get("secret") == Some(&Value::Bool(true)) && !value.is_null() {
        return Value::from(crate::core::action::params::MASK);
    }
    let (Value::Object(map), Some(properties)) = (value, schema.get("properties").and_then(Value::as_object)) else {
        return value.clone();
    };
    let mask = |(name, value): (&String, &Value)| {
        let of = properties.get(name).and_then(Value::as_object);
        (name.clone(), of.map_or_else(|| value.clone(), |of| masked(of, value)))
    };
    map.iter().map(mask).collect()
}

fn check(schema: &Map<String, Value>, value: &Value, path: String, depth: usize, found: &mut Vec<Mismatch>) {
    if depth > DEEPEST {
        return;
    }
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if let Some(kinds) = kinds(schema)
        && !kinds.iter().any(|kind| is(value, kind))
    {
        found.push(Mismatch { path, what: format!("has to be {}, and is {}", kinds.join(" or "), word(value)) });
        return;
    }
    if let Some(choices) = schema.get("enum").and_then(Value::as_array)
        && !choices.contains(value)
    {
        let choices: Vec<String> = choices.iter().map(ToString::to_string).collect();
        found.push(Mismatch { path, what: format!("has to be one of {}", choices.join(", ")) });
        return;
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    match value {
        Value::Object(map) => {
            for (name, of) in properties.into_iter().flatten() {
                match (map.get(name).filter(|value| !value.is_null()), of.as_object()) {
                    (Some(value), Some(of)) => check(of, value, below(name), depth + 1, found),
                    (None, Some(of)) if of.get("required") == Some(&Value::Bool(true)) => {
                        found.push(Mismatch { path: below(name), what: "is missing".to_owned() });
                    }
                    _ => {}
                }
            }
            let required = schema.get("required").and_then(Value::as_array);
            for name in required.into_iter().flatten().filter_map(Value::as_str) {
                if map.get(name).is_none_or(Value::is_null) {
                    found.push(Mismatch { path: below(name), what: "is missing".to_owned() });
                }
            }
            if schema.get("additionalProperties") == Some(&Value::Bool(false)) {
                let unknown = map.keys().filter(|name| properties.is_none_or(|known| !known.contains_key(*name)));
                found.extend(unknown.map(|name| Mismatch { path: below(name), what: "is not known".to_owned() }));
            }
        }
        Value::Array(items) => {
            let Some(of) = schema.get("items").and_then(Value::as_object) else { return };
            for (place, item) in items.iter().enumerate() {
                check(of, item, format!("{path}[{place}]"), depth + 1, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The types that a schema allows, where it says so.
fn kinds(schema: &Map<String, Value>) -> Option<Vec<&str>> {
    match schema.get("type")? {
        Value::String(kind) => Some(vec![kind]),
        Value::Array(kinds) => Some(kinds.iter().filter_map(Value::as_str).collect()),
        _ => None,
    }
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    }
}
