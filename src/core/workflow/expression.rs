//! Expressions: `<% YAQL %>` and `{{ Jinja }}` in the values of a workflow.
//!
//! A value of the file is compiled once, when it is read, to a [`Tree`]. A text that is nothing but one expression gives what the expression
//! gives, with its type; in any other text each expression is replaced by its value as Python writes it.
//!
//! **Only what the file says is ever an expression.** What an expression gives (a result, an input, the output of a command) is a value and
//! stays as it is, whatever it looks like. Orquesta evaluates it again, so that whoever writes the output of a command reads the datastore.

use super::jinja;
use super::scene::Scene;
use super::yaql;
use crate::core::template::value::written;
use serde_json::{Map, Value};
use std::fmt::Debug;
use std::sync::Arc;

/// A language of expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    /// `{{ … }}` and `{% … %}`.
    Jinja,
    /// `<% … %>`.
    Yaql,
}

impl Language {
    /// Its name in the results of an inspection.
    pub fn word(self) -> &'static str {
        match self {
            Self::Jinja => "jinja",
            Self::Yaql => "yaql",
        }
    }
}

/// What can be evaluated again and again.
pub(crate) trait Compiled: Debug + Send + Sync {
    /// The value in a scene.
    ///
    /// # Errors
    /// Why there is none, as a sentence without a point.
    fn evaluate(&self, scene: &Scene) -> Result<Value, String>;
}

/// An expression that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its language; none when there are two in one text.
    pub language: Option<Language>,
    /// The expression as it is written, or the whole text.
    pub expression: String,
    /// What is wrong.
    pub message: String,
}

/// An expression that gave no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// StackStorm's name for what went wrong.
    pub kind: &'static str,
    /// What went wrong, with the expression and where it stands.
    pub message: String,
}

/// A value of the file.
#[derive(Debug, Clone)]
pub enum Tree {
    /// No expression in it.
    Fixed(Arc<Value>),
    /// A text with expressions.
    Text(Arc<Text>),
    /// A list with expressions somewhere.
    List(Vec<Tree>),
    /// A map with expressions somewhere, in keys too.
    Map(Vec<(Tree, Tree)>),
}

/// A text with expressions.
#[derive(Debug)]
pub struct Text {
    source: String,
    language: Language,
    parts: Parts,
    place: Place,
}

/// Where in the file a value stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The path of its key.
    pub path: String,
}

#[derive(Debug)]
enum Parts {
    /// The text is one expression.
    Whole(Box<dyn Compiled>),
    /// There is text around it.
    Mixed(Vec<Part>),
}

#[derive(Debug)]
enum Part {
    Plain(String),
    Expression(String, Box<dyn Compiled>),
}

/// A stretch of a text: an expression with its delimiters, or what is between two.
enum Stretch<'t> {
    Plain(&'t str),
    Expression(&'t str),
}

/// Cuts a text at its expressions.
fn stretches<'t>(text: &'t str, open: &str, close: &str) -> Vec<Stretch<'t>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(open) {
        let Some(end) = rest[start + open.len()..].find(close) else { break };
        let end = start + open.len() + end + close.len();
        if start > 0 {
            found.push(Stretch::Plain(&rest[..start]));
        }
        found.push(Stretch::Expression(&rest[start..end]));
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        found.push(Stretch::Plain(rest));
    }
    found
}

/// The expressions of one language in a text, with their delimiters.
pub(crate) fn expressions(language: Language, text: &str) -> Vec<&str> {
    let (open, close) = delimiters(language);
    let stretches = stretches(text, open, close).into_iter();
    stretches.filter_map(|stretch| if let Stretch::Expression(text) = stretch { Some(text) } else { None }).collect()
}

fn delimiters(language: Language) -> (&'static str, &'static str) {
    match language {
        Language::Jinja => ("{{", "}}"),
        Language::Yaql => ("<%", "%>"),
    }
}

/// Whether a text has a block of Jinja in it.
fn has_block(text: &str) -> bool {
    stretches(text, "{%", "%}").iter().any(|stretch| matches!(stretch, Stretch::Expression(_)))
}

/// The languages that a text uses.
fn languages(text: &str) -> Vec<Language> {
    let mut found = Vec::new();
    if !expressions(Language::Jinja, text).is_empty() || has_block(text) {
        found.push(Language::Jinja);
    }
    if !expressions(Language::Yaql, text).is_empty() {
        found.push(Language::Yaql);
    }
    found
}

/// Whether a value of the file has an expression in it.
pub(crate) fn has_expression(text: &str) -> bool {
    !languages(text).is_empty()
}

impl Tree {
    /// A value that says what it says.
    pub fn fixed(value: Value) -> Self {
        Self::Fixed(Arc::new(value))
    }

    /// Compiles a value that stands at a place. What cannot be read is told, and stands for itself in the tree.
    pub fn compile(value: &Value, place: &Place, problems: &mut Vec<Unreadable>) -> Self {
        match value {
            Value::String(text) if has_expression(text) => match Text::compile(text, place) {
                Ok(text) => Self::Text(Arc::new(text)),
                Err(mut unreadable) => {
                    problems.append(&mut unreadable);
                    Self::fixed(value.clone())
                }
            },
            Value::Array(items) => {
                let trees: Vec<Self> = items.iter().map(|item| Self::compile(item, place, problems)).collect();
                if trees.iter().all(|tree| matches!(tree, Self::Fixed(_))) {
                    return Self::fixed(value.clone());
                }
                Self::List(trees)
            }
            Value::Object(map) => {
                let mut entries = Vec::with_capacity(map.len());
                for (key, value) in map {
                    let key = Self::compile(&Value::from(key.as_str()), place, problems);
                    entries.push((key, Self::compile(value, place, problems)));
                }
                if entries.iter().all(|(key, tree)| matches!((key, tree), (Self::Fixed(_), Self::Fixed(_)))) {
                    return Self::fixed(value.clone());
                }
                Self::Map(entries)
            }
            _ => Self::fixed(value.clone()),
        }
    }

    /// The value in a scene.
    ///
    /// # Errors
    /// The first expression that gives none.
    pub fn evaluate(&self, scene: &Scene) -> Result<Arc<Value>, Failure> {
        match self {
            Self::Fixed(value) => Ok(Arc::clone(value)),
            other => other.value(scene).map(Arc::new),
        }
    }

    /// The keys of a map whose values stand in the file as they are.
    pub fn written_keys(&self) -> Vec<String> {
        match self {
            Self::Fixed(value) => value.as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default(),
            Self::Text(_) | Self::List(_) => Vec::new(),
            Self::Map(entries) => {
                let written = entries.iter().filter_map(|(key, tree)| match (key, tree) {
                    (Self::Fixed(key), Self::Fixed(_)) => key.as_str().map(str::to_owned),
                    _ => None,
                });
                written.collect()
            }
        }
    }

    /// What expressions put into the text under a key of a map, where there is text around them. A text that is nothing but one expression is
    /// not put into anything; of one with blocks all of it counts.
    ///
    /// # Errors
    /// The first expression that gives no value.
    pub fn spliced_under(&self, key: &str, scene: &Scene) -> Result<Vec<Value>, Failure> {
        let Self::Map(entries) = self else { return Ok(Vec::new()) };
        let under = entries.iter().filter(|(known, _)| matches!(known, Self::Fixed(known) if **known == *key));
        let mut spliced = Vec::new();
        for (_, tree) in under {
            if let Self::Text(text) = tree {
                text.splice(scene, &mut spliced)?;
            }
        }
        Ok(spliced)
    }

    fn value(&self, scene: &Scene) -> Result<Value, Failure> {
        match self {
            Self::Fixed(value) => Ok(Value::clone(value)),
            Self::Text(text) => text.evaluate(scene),
            Self::List(trees) => trees.iter().map(|tree| tree.value(scene)).collect(),
            Self::Map(entries) => {
                let mut map = Map::new();
                for (key, tree) in entries {
                    map.insert(written(&key.value(scene)?), tree.value(scene)?);
                }
                Ok(Value::Object(map))
            }
        }
    }
}

impl Text {
    fn compile(source: &str, place: &Place) -> Result<Self, Vec<Unreadable>> {
        let unreadable =
            |language, expression: &str, message| Unreadable { language, expression: expression.to_owned(), message };
        let language = match languages(source)[..] {
            [language] => language,
            _ => {
                let message = "YAQL and Jinja cannot stand in one text".to_owned();
                return Err(vec![unreadable(None, source, message)]);
            }
        };
        let mut problems = Vec::new();
        if language == Language::Jinja {
            match jinja::Block::compile(source) {
                Ok(block) if has_block(source) => {
                    let parts = Parts::Whole(Box::new(block));
                    return Ok(Self { source: source.to_owned(), language, parts, place: place.clone() });
                }
                Ok(_) => {}
                Err(message) => problems.push(unreadable(Some(language), source, message)),
            }
        }
        let (open, close) = delimiters(language);
        let mut parts = Vec::new();
        for stretch in stretches(source, open, close) {
            let text = match stretch {
                Stretch::Plain(text) => {
                    parts.push(Part::Plain(text.to_owned()));
                    continue;
                }
                Stretch::Expression(text) => text,
            };
            let inside = text[open.len()..text.len() - close.len()].trim();
            let compiled: Result<Box<dyn Compiled>, String> = match language {
                Language::Jinja => jinja::Expression::compile(inside).map(|it| Box::new(it) as Box<dyn Compiled>),
                Language::Yaql => yaql::compile(inside),
            };
            match compiled {
                Ok(compiled) => parts.push(Part::Expression(text.to_owned(), compiled)),
                Err(_) if problems.iter().any(|problem| problem.expression == text) => {}
                Err(message) => problems.push(unreadable(Some(language), text, message)),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let parts = match parts.pop() {
            Some(Part::Expression(_, whole)) if parts.is_empty() => Parts::Whole(whole),
            last => {
                parts.extend(last);
                Parts::Mixed(parts)
            }
        };
        Ok(Self { source: source.to_owned(), language, parts, place: place.clone() })
    }

    fn evaluate(&self, scene: &Scene) -> Result<Value, Failure> {
        match &self.parts {
            Parts::Whole(compiled) => compiled.evaluate(scene).map_err(|why| self.failure(&self.source, &why)),
            Parts::Mixed(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        Part::Plain(plain) => text.push_str(plain),
                        Part::Expression(source, compiled) => {
                            let value = compiled.evaluate(scene).map_err(|why| self.failure(source, &why))?;
                            text.push_str(&written(&value));
                        }
                    }
                }
                Ok(Value::String(text))
            }
        }
    }

    fn splice(&self, scene: &Scene, spliced: &mut Vec<Value>) -> Result<(), Failure> {
        match &self.parts {
            Parts::Whole(_) if !has_block(&self.source) => {}
            Parts::Whole(_) => spliced.push(self.evaluate(scene)?),
            Parts::Mixed(parts) => {
                for part in parts {
                    if let Part::Expression(source, compiled) = part {
                        spliced.push(compiled.evaluate(scene).map_err(|why| self.failure(source, &why))?);
                    }
                }
            }
        }
        Ok(())
    }

    fn failure(&self, expression: &str, why: &str) -> Failure {
        let kind = match self.language {
            Language::Jinja => "JinjaEvaluationException",
            Language::Yaql => "YaqlEvaluationException",
        };
        let Place { line, path } = &self.place;
        Failure { kind, message: format!("{path} (line {line}): `{}` gives no value: {why}", expression.trim()) }
    }
}

/// Whether Python holds a value for true.
pub(crate) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}
