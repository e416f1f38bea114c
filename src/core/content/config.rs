//! A pack's configuration: `config.schema.yaml` says what there can be, `configs/<pack>.yaml` what there is.
//!
//! What stands still is checked when it is read. A text with `{{` in it is a template over the datastore and is rendered when it is used; one that
//! the schema calls secret is opened by itself. Defaults of the schema fill in what is absent, at any depth.

use super::fields::{Report, Table, shorten};
use super::parameter::{castable, check_schema, kind_of};
use super::suggest::did_you_mean;
use super::yaml::{Entry as Written, Node, Value as Tree};
use crate::core::datastore::lookup::Values;
use crate::core::datastore::seal::looks_sealed;
use crate::core::template::render::{is_template, render_in};
use crate::core::template::surroundings::{Entry, Fixed, Found, Lookup, Surroundings, Unseal};
use crate::core::template::value::cast;
use serde_json::{Map, Value};
use std::sync::Arc;

/// A pack's configuration as far as it stands still.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PackConfig {
    /// Attribute to schema.
    schema: Map<String, Value>,
    /// What the file says, with the schema's defaults.
    values: Map<String, Value>,
    /// The file that keeps all of it out of force.
    broken: Option<String>,
}

impl PackConfig {
    /// A configuration that cannot be used until this file is mended.
    pub(crate) fn broken(file: &str) -> Self {
        Self { broken: Some(file.to_owned()), ..Self::default() }
    }

    /// What a file says, with the defaults of the schema.
    pub(crate) fn new(schema: Map<String, Value>, mut values: Map<String, Value>) -> Self {
        fill(&schema, &mut values);
        Self { schema, values, broken: None }
    }

    /// What templates may look at where there is no bot: what stands still and is no secret.
    pub(crate) fn at_rest(&self) -> Surroundings {
        let is_secret = |name: &str| self.schema.get(name).is_some_and(|of| of["secret"] == true);
        let moves = |value: &Value| value.as_str().is_some_and(is_template);
        let still = self.values.iter().filter(|(name, value)| !is_secret(name) && !moves(value));
        let value = still.map(|(name, value)| (name.clone(), value.clone())).collect();
        let entry = Entry { value: Value::Object(value), secret: false, trusted: true };
        Surroundings::default().with("config_context", Arc::new(Fixed(entry)))
    }
}

/// Reads `config.schema.yaml`: attribute to schema.
pub(crate) fn read_schema(document: &Node, report: &mut Report<'_>) -> Option<Map<String, Value>> {
    if matches!(document.value, Tree::Null) {
        return Some(Map::new());
    }
    let table = Table::document(document, report)?;
    for entry in table.entries {
        check_schema(&entry.node, entry.line, &table.path_of(&entry.key), report);
    }
    (!report.has_errors()).then(|| object(document.json()))
}

/// Reads `configs/<pack>.yaml` and checks it against the schema. Keys that the schema does not know are allowed, as in StackStorm.
pub(crate) fn read(
    document: &Node,
    schema: &Map<String, Value>,
    report: &mut Report<'_>,
) -> Option<Map<String, Value>> {
    if matches!(document.value, Tree::Null) {
        missing(schema, None, "", &[], report);
        return (!report.has_errors()).then(Map::new);
    }
    let table = Table::document(document, report)?;
    missing(schema, None, "", table.entries, report);
    for entry in table.entries {
        match schema.get(&entry.key).and_then(Value::as_object) {
            Some(of) => check(&entry.node, entry.line, &table.path_of(&entry.key), of, report),
            None => {
                let close = did_you_mean(&entry.key, schema.keys().map(String::as_str));
                if close.is_some() {
                    let message = "the schema of the pack's configuration has no such key";
                    report.warning(Some(entry.line), &table.path_of(&entry.key), message).suggestion = close;
                }
            }
        }
    }
    (!report.has_errors()).then(|| object(document.json()))
}

/// Tells what a pack without a file of its own would have to be given.
pub(crate) fn absent(schema: &Map<String, Value>, file: &str, report: &mut Report<'_>) {
    let needed = schema.iter().filter(|(_, of)| of["required"] == true && of.get("default").is_none());
    let needed: Vec<String> = needed.map(|(name, _)| format!("`{name}`")).collect();
    if !needed.is_empty() {
        let message = format!("the pack needs {} and has no configuration", needed.join(", "));
        report.warning(None, "", message).suggestion = Some(format!("write them into {file}"));
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn missing(schema: &Map<String, Value>, line: Option<usize>, path: &str, entries: &[Written], report: &mut Report<'_>) {
    for (name, of) in schema {
        let there = entries.iter().any(|entry| entry.key == *name && !matches!(entry.node.value, Tree::Null));
        if of["required"] == true && of.get("default").is_none() && !there {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            report.error(line, &path, "is missing");
        }
    }
}

/// Checks a value against its schema, and what is inside of it.
fn check(node: &Node, line: usize, path: &str, schema: &Map<String, Value>, report: &mut Report<'_>) {
    let secret = schema.get("secret") == Some(&Value::Bool(true));
    if let Tree::Text(text) = &node.value
        && is_template(text)
    {
        if secret && text.contains("decrypt_kv") {
            let message = "is secret, so it is opened by itself: `decrypt_kv` would open it twice";
            report.error(Some(line), path, message).suggestion = Some("leave `| decrypt_kv` out".to_owned());
        }
        return;
    }
    if matches!(node.value, Tree::Null) {
        return;
    }
    let value = node.json();
    let shown = || if secret { String::new() } else { format!(", not {}", shorten(&value.to_string())) };
    let word = schema.get("type").and_then(Value::as_str).unwrap_or_default();
    let fits = kind_of(word).is_none_or(|kind| match &node.value {
        // Only what is text can be cast to a text, and a list or a map is written as one here.
        Tree::Text(_) if matches!(word, "array" | "object") => false,
        _ => castable(&value, kind),
    });
    if !fits {
        report.error(Some(line), path, format!("has to be of the type {word}{}", shown()));
        return;
    }
    if let Some(choices) = schema.get("enum").and_then(Value::as_array)
        && !choices.contains(&value)
    {
        let choices: Vec<String> = choices.iter().map(ToString::to_string).collect();
        report.error(Some(line), path, format!("has to be one of {}{}", choices.join(", "), shown()));
    }
    match &node.value {
        Tree::Map(entries) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            if let Some(properties) = properties {
                missing(properties, Some(line), path, entries, report);
            }
            for entry in entries {
                let inside = format!("{path}.{}", entry.key);
                match schema_of(schema, &entry.key) {
                    Some(of) => check(&entry.node, entry.line, &inside, &of, report),
                    None if schema.get("additionalProperties") == Some(&Value::Bool(false)) => {
                        let close =
                            properties.and_then(|known| did_you_mean(&entry.key, known.keys().map(String::as_str)));
                        report.error(Some(entry.line), &inside, "the schema allows no such key here").suggestion =
                            close;
                    }
                    None => {}
                }
            }
        }
        Tree::List(items) => {
            for (place, item) in items.iter().enumerate() {
                if let Some(of) = schema_at(schema, place) {
                    check(item, item.line, &format!("{path}[{place}]"), &of, report);
                }
            }
        }
        _ => {}
    }
}

/// The schema of a key of a map: of its own, of the patterns that it fits, or of all others.
fn schema_of(schema: &Map<String, Value>, key: &str) -> Option<Map<String, Value>> {
    if let Some(own) = schema.get("properties").and_then(|properties| properties.get(key)).and_then(Value::as_object) {
        return Some(own.clone());
    }
    let patterns = schema.get("patternProperties").and_then(Value::as_object);
    let fits = |pattern: &str| {
        let mut builder = fancy_regex::RegexBuilder::new(pattern);
        builder.backtrack_limit(100_000).build().is_ok_and(|regex| regex.is_match(key).unwrap_or(false))
    };
    let fitting = patterns.into_iter().flatten().filter(|(pattern, _)| fits(pattern));
    let mut together: Option<Map<String, Value>> = None;
    for of in fitting.filter_map(|(_, of)| of.as_object()) {
        together.get_or_insert_default().extend(of.clone());
    }
    together.or_else(|| schema.get("additionalProperties").and_then(Value::as_object).cloned())
}

/// The schema of an item of a list.
fn schema_at(schema: &Map<String, Value>, place: usize) -> Option<Map<String, Value>> {
    match schema.get("items") {
        Some(Value::Object(all)) => Some(all.clone()),
        Some(Value::Array(each)) if place < each.len() => each[place].as_object().cloned(),
        _ => schema.get("additionalItems").and_then(Value::as_object).cloned(),
    }
}

/// Fills in the defaults of a map's keys, and of what is inside of them.
fn fill(schemas: &Map<String, Value>, values: &mut Map<String, Value>) {
    for (name, schema) in schemas {
        let Some(schema) = schema.as_object() else { continue };
        if let (None, Some(default)) = (values.get(name), schema.get("default")) {
            values.insert(name.clone(), default.clone());
        }
        let has = |keys: &[&str]| keys.iter().any(|key| schema.contains_key(*key));
        // As in StackStorm, what has a schema inside is there and is empty.
        let empty = match schema.get("type").and_then(Value::as_str) {
            Some("object") if has(&["properties", "patternProperties", "additionalProperties"]) => {
                Value::Object(Map::new())
            }
            Some("array") if has(&["items", "additionalItems"]) => Value::Array(Vec::new()),
            _ => continue,
        };
        let value = values.entry(name.clone()).or_insert(Value::Null);
        if value.is_null() {
            *value = empty;
        }
        fill_inside(schema, value);
    }
}

fn fill_inside(schema: &Map<String, Value>, value: &mut Value) {
    match value {
        Value::Object(map) => {
            let mut schemas = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
            for key in map.keys().filter(|key| !schemas.contains_key(*key)).cloned().collect::<Vec<_>>() {
                schemas.extend(schema_of(schema, &key).map(|of| (key, Value::Object(of))));
            }
            fill(&schemas, map);
        }
        Value::Array(items) => {
            for (place, item) in items.iter_mut().enumerate() {
                if let Some(of) = schema_at(schema, place) {
                    fill_inside(&of, item);
                }
            }
        }
        _ => {}
    }
}

/// A configuration as somebody's templates see it (`config_context`).
#[derive(Debug)]
pub struct ConfigContext {
    /// The configuration.
    pub config: Arc<PackConfig>,
    /// The datastore that its values look at.
    pub values: Arc<Values>,
}

impl Lookup for ConfigContext {
    fn find(&self, path: &[String]) -> Found {
        if let Some(file) = &self.config.broken {
            return Found::Failed(format!("the pack's configuration is not in force: {file} has mistakes"));
        }
        let whole = Value::Object(self.config.values.clone());
        let mut found = (&whole, Some(self.config.schema.clone()));
        for (depth, step) in path.iter().enumerate() {
            let Some(inside) = found.0.get(step) else { return Found::Missing };
            let schema = match depth {
                0 => found.1.and_then(|top| top.get(step).and_then(Value::as_object).cloned()),
                _ => found.1.and_then(|schema| schema_of(&schema, step)),
            };
            found = (inside, schema);
        }
        let (value, schema) = (found.0, found.1.unwrap_or_default());
        if let Value::Object(_) = value {
            return Found::Value(Entry { value: value.clone(), secret: false, trusted: true });
        }
        match self.resolved(value, &schema) {
            Ok(entry) => Found::Value(entry),
            Err(why) => Found::Failed(format!("`config_context.{}` cannot be had: {why}", path.join("."))),
        }
    }
}

impl ConfigContext {
    /// All of it with what is dynamic taken from the datastore and what is sealed opened, and the texts in it that are secret.
    ///
    /// # Errors
    /// What cannot be had, and why.
    pub fn whole(&self) -> Result<(Map<String, Value>, Vec<String>), String> {
        let (mut whole, mut secrets) = (Map::new(), Vec::new());
        if let Found::Failed(why) = self.find(&[]) {
            return Err(why);
        }
        for (name, value) in &self.config.values {
            let schema = self.config.schema.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
            let entry = self.resolved(value, &schema);
            let entry = entry.map_err(|why| format!("`config_context.{name}` cannot be had: {why}"))?;
            if entry.secret {
                texts_of(&entry.value, &mut secrets);
            }
            whole.insert(name.clone(), entry.value);
        }
        Ok((whole, secrets))
    }

    /// A value with what is dynamic in it taken from the datastore.
    fn resolved(&self, value: &Value, schema: &Map<String, Value>) -> Result<Entry, String> {
        let secret = schema.get("secret") == Some(&Value::Bool(true));
        let mut whole = Entry { value: value.clone(), secret, trusted: true };
        let mut inside = |entry: Entry| {
            whole.secret |= entry.secret;
            whole.trusted &= entry.trusted;
            entry.value
        };
        whole.value = match value {
            Value::String(text) if is_template(text) => return self.rendered(text, schema, secret),
            Value::Array(items) => {
                let mut resolved = Vec::new();
                for (place, item) in items.iter().enumerate() {
                    resolved.push(inside(self.resolved(item, &schema_at(schema, place).unwrap_or_default())?));
                }
                Value::Array(resolved)
            }
            Value::Object(map) => {
                let mut resolved = Map::new();
                for (key, item) in map {
                    let entry = self.resolved(item, &schema_of(schema, key).unwrap_or_default())?;
                    resolved.insert(key.clone(), inside(entry));
                }
                Value::Object(resolved)
            }
            other => other.clone(),
        };
        Ok(whole)
    }

    fn rendered(&self, text: &str, schema: &Map<String, Value>, secret: bool) -> Result<Entry, String> {
        let around = Surroundings::default().with("st2kv", Arc::clone(&self.values) as _);
        let around = around.unsealing(Arc::clone(&self.values) as _);
        let rendered = render_in(text, &Map::new(), &around).map_err(|error| error.to_string())?;
        let secret = secret || rendered.taken.iter().any(|taken| taken.entry.secret);
        let mut output = rendered.output;
        if schema.get("secret") == Some(&Value::Bool(true)) && looks_sealed(&output) {
            output = self.values.unseal(&output)?;
        }
        // A secret may be of any letters; whether a shell may have it is for the one who writes the action to say.
        let trusted = !secret && rendered.taken.iter().all(|taken| taken.entry.trusted);
        let kind = schema.get("type").and_then(Value::as_str).and_then(kind_of);
        let value = match kind {
            _ if output.is_empty() => Value::Null,
            Some(kind) => cast(&Value::from(output.as_str()), kind).unwrap_or_else(|| Value::from(output)),
            None => Value::from(output),
        };
        Ok(Entry { value, secret, trusted })
    }
}

/// Every text in a value that is long enough to be a secret and no word.
fn texts_of(value: &Value, texts: &mut Vec<String>) {
    /// What is shorter would hide half of what is said.
    const SHORTEST: usize = 4;
    match value {
        Value::String(text) if text.len() >= SHORTEST => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts_of(item, texts)),
        Value::Object(map) => map.values().for_each(|item| texts_of(item, texts)),
        _ => {}
    }
}
