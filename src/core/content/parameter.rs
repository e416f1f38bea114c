//! One parameter's schema: the JSON Schema draft 4 that StackStorm takes, with its own `required`, `immutable`, `secret`, `position`.

use super::fields::{Report, Table, not_among, shorten, wrong_kind};
use super::yaml::{Entry, Node, Value};
use crate::core::action::spec::{Parameter, ParameterType};
use crate::core::template::render::{names_inside, unknown_filters_inside};
use serde_json::Map;
use std::collections::BTreeSet;

/// What a keyword of the schema has to be.
#[derive(Clone, Copy)]
enum Shape {
    Anything,
    Text,
    Pattern,
    Flag,
    Number,
    Whole,
    Words,
    Choices,
    Type,
    Schema,
    SchemaOrFlag,
    SchemaOrSchemas,
    Schemas,
    SchemaMap,
    Dependencies,
}

const KEYWORDS: &[(&str, Shape)] = &[
    ("$schema", Shape::Text),
    ("id", Shape::Text),
    ("title", Shape::Text),
    ("description", Shape::Text),
    ("default", Shape::Anything),
    ("type", Shape::Type),
    ("enum", Shape::Choices),
    ("format", Shape::Text),
    ("pattern", Shape::Pattern),
    ("required", Shape::Flag),
    ("immutable", Shape::Flag),
    ("secret", Shape::Flag),
    ("position", Shape::Whole),
    ("minimum", Shape::Number),
    ("maximum", Shape::Number),
    ("exclusiveMinimum", Shape::Flag),
    ("exclusiveMaximum", Shape::Flag),
    ("multipleOf", Shape::Number),
    ("minLength", Shape::Whole),
    ("maxLength", Shape::Whole),
    ("minItems", Shape::Whole),
    ("maxItems", Shape::Whole),
    ("uniqueItems", Shape::Flag),
    ("minProperties", Shape::Whole),
    ("maxProperties", Shape::Whole),
    ("items", Shape::SchemaOrSchemas),
    ("additionalItems", Shape::SchemaOrFlag),
    ("properties", Shape::SchemaMap),
    ("patternProperties", Shape::SchemaMap),
    ("additionalProperties", Shape::SchemaOrFlag),
    ("definitions", Shape::SchemaMap),
    ("dependencies", Shape::Dependencies),
    ("allOf", Shape::Schemas),
    ("anyOf", Shape::Schemas),
    ("oneOf", Shape::Schemas),
    ("not", Shape::Schema),
];

const TYPES: &[(&str, ParameterType)] = &[
    ("string", ParameterType::String),
    ("integer", ParameterType::Integer),
    ("number", ParameterType::Number),
    ("boolean", ParameterType::Boolean),
    ("array", ParameterType::Array),
    ("object", ParameterType::Object),
    ("null", ParameterType::Null),
];

/// The type that a word of a schema means.
pub(crate) fn kind_of(word: &str) -> Option<ParameterType> {
    TYPES.iter().find(|(known, _)| *known == word).map(|(_, kind)| *kind)
}

/// Checks a schema and all schemas inside it.
pub(crate) fn check_schema(node: &Node, line: usize, path: &str, report: &mut Report<'_>) {
    let Some(table) = Table::nested(node, line, path.to_owned(), report) else { return };
    let keywords: Vec<&str> = KEYWORDS.iter().map(|(keyword, _)| *keyword).collect();
    table.only(&keywords, report);
    for (keyword, shape) in KEYWORDS {
        if let Some(entry) = table.entry(keyword) {
            check_keyword(&table, entry, *shape, report);
        }
    }
    for (limit, needs) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if let (Some(entry), None) = (table.entry(limit), table.entry(needs)) {
            report.error(Some(entry.line), &table.path_of(limit), format!("means nothing without `{needs}`"));
        }
    }
}

fn check_keyword(table: &Table<'_>, entry: &Entry, shape: Shape, report: &mut Report<'_>) {
    let key = entry.key.as_str();
    let path = table.path_of(key);
    let node = &entry.node;
    match shape {
        Shape::Anything if key == "default" => check_template(node, entry.line, &path, report),
        Shape::Anything => {}
        Shape::Text => {
            table.text(key, report);
        }
        Shape::Pattern => check_pattern(table, entry, report),
        Shape::Flag => {
            if table.boolean(key, report).is_none()
                && key == "required"
                && matches!(node.value, Value::List(_))
                && let Some(diagnostic) = report.diagnostics.last_mut()
            {
                diagnostic.suggestion = Some("StackStorm writes `required: true` inside each property".to_owned());
            }
        }
        Shape::Number => {
            if !matches!(node.value, Value::Number(_)) {
                wrong_kind(node, entry.line, &path, "a number", report);
            }
        }
        Shape::Whole => {
            table.whole(key, 0, report);
        }
        Shape::Words => {
            table.texts(key, report);
        }
        Shape::Choices => check_choices(table, entry, report),
        Shape::Type => check_type(table, entry, report),
        Shape::Schema => check_schema(node, entry.line, &path, report),
        Shape::SchemaOrFlag => {
            if !matches!(node.value, Value::Boolean(_)) {
                check_schema(node, entry.line, &path, report);
            }
        }
        Shape::SchemaOrSchemas => match &node.value {
            Value::List(items) => check_all(items, &path, report),
            _ => check_schema(node, entry.line, &path, report),
        },
        Shape::Schemas => {
            if let Some(items) = table.list(key, report) {
                check_all(items, &path, report);
            }
        }
        Shape::SchemaMap => {
            if let Some(inner) = table.table(key, report) {
                for property in inner.entries {
                    check_schema(&property.node, property.line, &inner.path_of(&property.key), report);
                }
            }
        }
        Shape::Dependencies => {
            if let Some(inner) = table.table(key, report) {
                for property in inner.entries {
                    let shape =
                        if matches!(property.node.value, Value::List(_)) { Shape::Words } else { Shape::Schema };
                    check_keyword(&inner, property, shape, report);
                }
            }
        }
    }
}

fn check_all(items: &[Node], path: &str, report: &mut Report<'_>) {
    for (index, item) in items.iter().enumerate() {
        check_schema(item, item.line, &format!("{path}[{index}]"), report);
    }
}

/// The dialect is Python's, which is not known here to its last corner, so what cannot be read is no error of the file.
fn check_pattern(table: &Table<'_>, entry: &Entry, report: &mut Report<'_>) {
    if let Some(pattern) = table.text(&entry.key, report)
        && fancy_regex::Regex::new(pattern).is_err()
    {
        let message = format!("`{}` is no regular expression that is understood here", shorten(pattern));
        report.warning(Some(entry.line), &table.path_of(&entry.key), message);
    }
}

/// What only looks like a template stands for itself, in StackStorm as here; who meant one is told.
fn check_template(node: &Node, line: usize, path: &str, report: &mut Report<'_>) {
    let value = node.json();
    if let Err(error) = names_inside(&value) {
        let message = format!("this is no template and stands for itself: {error}");
        report.warning(Some(line), path, message);
    } else {
        check_filters(&unknown_filters_inside(&value), Some(line), path, report);
    }
}

/// Warns of filters that there are not, before a run fails of them.
pub(super) fn check_filters(unknown: &BTreeSet<String>, line: Option<usize>, path: &str, report: &mut Report<'_>) {
    for name in unknown {
        let message = format!("there is no filter `{name}`, so what gets there fails");
        report.warning(line, path, message).suggestion = Some("docs/templates.md lists them all".to_owned());
    }
}

fn check_choices(table: &Table<'_>, entry: &Entry, report: &mut Report<'_>) {
    let path = table.path_of(&entry.key);
    let Some(items) = table.list(&entry.key, report) else { return };
    if items.is_empty() {
        report.error(Some(entry.line), &path, "must not be empty");
    }
    let mut seen: Vec<serde_json::Value> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let value = item.json();
        if seen.contains(&value) {
            let message = format!("{} stands here twice", shorten(&value.to_string()));
            report.error(Some(item.line), &format!("{path}[{index}]"), message);
        }
        seen.push(value);
    }
}

fn check_type(table: &Table<'_>, entry: &Entry, report: &mut Report<'_>) {
    let path = table.path_of(&entry.key);
    if matches!(entry.node.value, Value::List(_)) {
        report.error(Some(entry.line), &path, "has to be one type; StackStorm takes no list of types");
        return;
    }
    let words: Vec<&str> = TYPES.iter().map(|(word, _)| *word).collect();
    if let Some(word) = table.text(&entry.key, report)
        && !words.contains(&word)
    {
        let familiar = match word {
            "str" | "text" | "raw_string" => Some("string"),
            "int" => Some("integer"),
            "float" | "double" => Some("number"),
            "bool" => Some("boolean"),
            "list" => Some("array"),
            "dict" | "map" | "hash" => Some("object"),
            _ => None,
        };
        not_among(Some(entry.line), &path, word, &words, report);
        if let (Some(familiar), Some(diagnostic)) = (familiar, report.diagnostics.last_mut()) {
            diagnostic.suggestion = Some(format!("did you mean \"{familiar}\"?"));
        }
    }
}

/// The parameter that a checked schema describes.
pub(crate) fn from_schema(schema: Map<String, serde_json::Value>) -> Parameter {
    let flag = |key: &str| schema.get(key).and_then(serde_json::Value::as_bool).unwrap_or(false);
    let text = |key: &str| schema.get(key).and_then(serde_json::Value::as_str);
    Parameter {
        kind: text("type").and_then(|word| TYPES.iter().find(|(known, _)| *known == word).map(|(_, kind)| *kind)),
        description: text("description").unwrap_or_default().to_owned(),
        default: schema.get("default").cloned(),
        required: flag("required"),
        immutable: flag("immutable"),
        secret: flag("secret"),
        choices: schema.get("enum").and_then(serde_json::Value::as_array).cloned(),
        position: schema.get("position").and_then(serde_json::Value::as_u64),
        schema,
    }
}

/// Warns of a default that the parameter's own schema would refuse. Templates and nothing are let through.
pub(crate) fn check_default(parameter: &Parameter, line: Option<usize>, path: &str, report: &mut Report<'_>) {
    let Some(default) = parameter.default.as_ref().filter(|default| !default.is_null()) else { return };
    if default.as_str().is_some_and(|text| text.contains("{{") || text.contains("{%")) {
        return;
    }
    let path = format!("{path}.default");
    if let Some(kind) = parameter.kind
        && !castable(default, kind)
    {
        let word = TYPES.iter().find(|(_, known)| *known == kind).map_or("", |(word, _)| *word);
        let message = format!("{} is not of the parameter's type, {word}", shorten(&default.to_string()));
        let diagnostic = report.warning(line, &path, message);
        if kind == ParameterType::String && !default.is_array() && !default.is_object() {
            diagnostic.suggestion = Some("put quotes around it".to_owned());
        }
    } else if let Some(choices) = &parameter.choices
        && !choices.contains(default)
    {
        report.warning(line, &path, format!("{} is not in `enum`", shorten(&default.to_string())));
    }
}

/// Whether StackStorm's casts make this type of the value. Text for a list or a map is parsed when it is used.
pub(crate) fn castable(value: &serde_json::Value, kind: ParameterType) -> bool {
    let text = value.as_str();
    match kind {
        ParameterType::String => text.is_some(),
        ParameterType::Integer => {
            value.is_i64() || value.is_u64() || text.is_some_and(|text| text.trim().parse::<i64>().is_ok())
        }
        ParameterType::Number => value.is_number() || text.is_some_and(|text| text.trim().parse::<f64>().is_ok()),
        ParameterType::Boolean => {
            value.is_boolean() || text.is_some_and(|text| matches!(text, "true" | "True" | "false" | "False"))
        }
        ParameterType::Array => value.is_array() || text.is_some(),
        ParameterType::Object => value.is_object() || text.is_some(),
        ParameterType::Null => value.is_null(),
    }
}
