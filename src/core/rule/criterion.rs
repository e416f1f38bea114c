//! One test of an event: where to look, what to ask there, and what for.

use super::operator::{NAMES, Operator, word};
use crate::core::template::filters::jsonpath::{Path, Steps, read};
use crate::core::template::python_regex::Pattern;
use crate::core::template::render::{is_template, names, render_in};
use crate::core::template::surroundings::{Found, Surroundings};
use crate::core::template::value::written;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::cell::OnceCell;

/// What keys begin with that speak of the event.
const TRIGGER: &str = "trigger";
/// What keys begin with that speak of an item of a list.
const ITEM: &str = "item";
/// What keys begin with that speak of the datastore.
const SYSTEM: &str = "system";
/// Steps that a path may take.
const MOST_STEPS: u32 = 10_000;
/// Items that `search` goes through.
const MOST_ITEMS: usize = 10_000;

/// What criteria are asked about.
#[derive(Debug)]
pub struct Scene<'a> {
    prefix: &'static str,
    payload: &'a Value,
    /// `st2kv` and `system`, for keys and patterns.
    surroundings: &'a Surroundings,
    now: Timestamp,
    /// The payload under its prefix, once a path needs it so.
    root: OnceCell<Value>,
}

impl<'a> Scene<'a> {
    /// An event.
    pub fn new(payload: &'a Value, surroundings: &'a Surroundings, now: Timestamp) -> Self {
        Self { prefix: TRIGGER, payload, surroundings, now, root: OnceCell::new() }
    }

    /// An item of a list.
    fn item(&self, item: &'a Value) -> Self {
        let Scene { surroundings, now, .. } = *self;
        Self { prefix: ITEM, payload: item, surroundings, now, root: OnceCell::new() }
    }

    fn context(&self) -> Map<String, Value> {
        Map::from_iter([(self.prefix.to_owned(), self.payload.clone())])
    }

    /// The value at a straight path below the prefix.
    pub(super) fn at<'s>(&'s self, names: &[String]) -> Option<&'s Value> {
        names.iter().try_fold(self.payload, |value, name| value.get(name))
    }
}

/// What a criterion found, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Whether it is met.
    pub holds: bool,
    /// The value that its key leads to.
    pub value: Value,
    /// The pattern as it came to be.
    pub pattern: Value,
    /// Why it could not be judged.
    pub trouble: Option<String>,
}

/// Which items have to meet which criteria of a `search`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Condition {
    every_item: bool,
    every_criterion: bool,
}

/// The words that `condition` knows.
pub const CONDITIONS: [&str; 4] = ["all", "any", "all2any", "any2any"];

impl Condition {
    fn named(word: &str) -> Option<Self> {
        let (every_item, every_criterion) = match word {
            "all" => (true, true),
            "any" => (false, true),
            "all2any" => (true, false),
            "any2any" => (false, false),
            _ => return None,
        };
        Some(Self { every_item, every_criterion })
    }
}

/// One test of an event.
#[derive(Debug, Clone)]
pub struct Criterion {
    key: String,
    /// The names below the prefix, where the key leads straight along them.
    names: Option<Vec<String>>,
    path: Path,
    operator: Operator,
    pattern: Value,
    /// Whether the pattern has to be rendered each time.
    rendered: bool,
    /// The pattern made ready, where it stands still and is a regular expression.
    ready: Option<Pattern>,
    condition: String,
    inner: Vec<Criterion>,
}

/// Where a criterion is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// Its key is no path.
    Key(String),
    /// Its pattern cannot be what it has to be.
    Pattern(String),
}

impl Criterion {
    /// A criterion as it is written: `inner` are those of a `search`.
    ///
    /// # Errors
    /// Its key or its pattern can never be understood.
    pub fn new(
        key: &str,
        operator: Operator,
        pattern: Value,
        condition: String,
        inner: Vec<Criterion>,
    ) -> Result<Self, Flaw> {
        // What follows a `#` tells two tests of one value apart.
        let (place, _) = key.split_once('#').unwrap_or((key, ""));
        let path = read(place).map_err(Flaw::Key)?;
        let names = path.straight().map(|names| names.into_iter().map(str::to_owned).collect());
        let mut pattern = pattern;
        let rendered = pattern.as_str().is_some_and(needs_rendering);
        if let (Value::String(text), false) = (&mut pattern, rendered)
            // A template loses the line break at its end, and so does what only could have been one.
            && text.ends_with('\n')
        {
            text.pop();
        }
        if let (Value::String(text), true) = (&pattern, rendered) {
            names_of(text).map_err(Flaw::Pattern)?;
        }
        let ready = match rendered {
            true => None,
            false => operator.prepare(&pattern).map_err(Flaw::Pattern)?,
        };
        Ok(Self { key: key.to_owned(), names, path, operator, pattern, rendered, ready, condition, inner })
    }

    /// Its key as it is written.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What it asks.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// The word of its operator.
    pub fn word(&self) -> &'static str {
        NAMES.iter().rev().find(|(_, operator)| *operator == self.operator).map_or("", |(word, _)| word)
    }

    /// What it asks for, as it is written.
    pub fn pattern(&self) -> &Value {
        &self.pattern
    }

    /// Whether its key, or what its pattern is made of, speaks of a name.
    pub fn mentions(&self, name: &str) -> bool {
        let place = self.key.split('#').next().unwrap_or_default();
        place.contains(name) || (self.rendered && self.pattern.as_str().is_some_and(|text| text.contains(name)))
    }

    /// What its key begins with.
    pub fn prefix(&self) -> &str {
        let end = self.key.find(['.', '[', '#']).unwrap_or(self.key.len());
        self.key[..end].trim()
    }

    /// The names below `trigger`, where its key leads straight along them, with the pattern, where that stands still.
    pub(super) fn fixed(&self) -> Option<(&[String], &Value)> {
        let (prefix, below) = self.names.as_ref()?.split_first()?;
        (prefix == TRIGGER && !below.is_empty() && !self.rendered).then_some((below, &self.pattern))
    }

    /// Whether an event meets it.
    ///
    /// # Errors
    /// It cannot be judged; then the event does not meet it.
    pub fn holds(&self, scene: &Scene<'_>) -> Result<bool, String> {
        let pattern = self.pattern_in(scene)?;
        let value = self.value_in(scene)?;
        self.judge(scene, &value, &pattern)
    }

    /// The same with what was found on the way.
    pub fn explain(&self, scene: &Scene<'_>) -> Finding {
        let pattern = self.pattern_in(scene);
        let value = self.value_in(scene);
        let judged = match (&pattern, &value) {
            (Ok(pattern), Ok(value)) => self.judge(scene, value, pattern),
            (Err(why), _) | (_, Err(why)) => Err(why.clone()),
        };
        Finding {
            holds: judged.as_ref().is_ok_and(|holds| *holds),
            value: value.map(Cow::into_owned).unwrap_or_default(),
            pattern: pattern.map_or_else(|_| self.pattern.clone(), Cow::into_owned),
            trouble: judged.err(),
        }
    }

    fn judge(&self, scene: &Scene<'_>, value: &Value, pattern: &Value) -> Result<bool, String> {
        match self.operator {
            Operator::Search => self.search(scene, value),
            operator => operator.holds_with(value, pattern, self.ready.as_ref(), scene.now),
        }
    }

    /// The value that the key leads to: the first one, where there are several; nothing where there is none.
    fn value_in<'s>(&self, scene: &'s Scene<'_>) -> Result<Cow<'s, Value>, String> {
        const NOTHING: Value = Value::Null;
        if let Some(names) = &self.names {
            let found = match names.split_first() {
                Some((prefix, below)) if prefix == scene.prefix => scene.at(below).map(Cow::Borrowed),
                Some((prefix, below)) if prefix == SYSTEM => stored(scene.surroundings, below)?,
                _ => None,
            };
            return Ok(found.unwrap_or(Cow::Owned(NOTHING)));
        }
        let root = Cow::Borrowed(scene.root.get_or_init(|| Value::Object(scene.context())));
        let found = self.path.find(&Steps::new(MOST_STEPS), &root);
        let mut found = found.map_err(|error| format!("`{}`: {}", self.key, said(&error)))?;
        Ok(if found.is_empty() { Cow::Owned(NOTHING) } else { found.swap_remove(0) })
    }

    fn pattern_in(&self, scene: &Scene<'_>) -> Result<Cow<'_, Value>, String> {
        let (Value::String(template), true) = (&self.pattern, self.rendered) else {
            return Ok(Cow::Borrowed(&self.pattern));
        };
        let context = scene.context();
        let render = |template: &str| {
            let rendered = render_in(template, &context, scene.surroundings);
            rendered.map(|rendered| rendered.output).map_err(|error| format!("the pattern cannot be had: {error}"))
        };
        // What cannot be had one way is asked for the other way, whose error speaks of what is written.
        if let Some(typed) = typed(template)
            && let Ok(Ok(value)) = render(&typed).map(|text| serde_json::from_str(&text))
        {
            return Ok(Cow::Owned(value));
        }
        render(template).map(|text| Cow::Owned(Value::String(text)))
    }

    fn search(&self, scene: &Scene<'_>, value: &Value) -> Result<bool, String> {
        let condition = Condition::named(&self.condition).ok_or_else(|| {
            format!("`{}` is no condition of `search`; there are {}", self.condition, CONDITIONS.join(", "))
        })?;
        let items = match value {
            Value::Array(items) => items.as_slice(),
            Value::Object(_) => std::slice::from_ref(value),
            other => return Err(format!("`search` goes through a list, and finds {}", word(other))),
        };
        if items.len() > MOST_ITEMS {
            return Err(format!("`search` goes through {MOST_ITEMS} items at most, and there are {}", items.len()));
        }
        let mut trouble = None;
        let mut meets = |item: &Value| {
            let scene = scene.item(item);
            let mut met = |inner: &Criterion| {
                inner.holds(&scene).unwrap_or_else(|why| {
                    trouble.get_or_insert(why);
                    false
                })
            };
            match condition.every_criterion {
                true => self.inner.iter().all(&mut met),
                false => self.inner.iter().any(&mut met),
            }
        };
        let found = match condition.every_item {
            true => items.iter().all(&mut meets),
            false => items.iter().any(&mut meets),
        };
        // What could not be judged has been counted as not met; that matters only where nothing was found.
        match trouble {
            Some(why) if !found => Err(why),
            _ => Ok(found),
        }
    }
}

/// A value of the datastore.
fn stored<'s>(surroundings: &Surroundings, names: &[String]) -> Result<Option<Cow<'s, Value>>, String> {
    match surroundings.find(SYSTEM, names) {
        Found::Value(entry) | Found::Step(Some(entry)) => Ok(Some(Cow::Owned(entry.value))),
        Found::Missing | Found::Step(None) => Ok(None),
        Found::Failed(why) => Err(why),
    }
}

fn needs_rendering(text: &str) -> bool {
    is_template(text) || text.contains("{#")
}

fn names_of(template: &str) -> Result<(), String> {
    names(template).map(|_| ()).map_err(|error| format!("is no template: {error}"))
}

/// A template whose expression is written as JSON, so that its value keeps its type.
fn typed(template: &str) -> Option<String> {
    let mut lines = Vec::new();
    let mut any = false;
    for line in template.split('\n') {
        match (line.find("{{"), line.rfind("}}")) {
            (Some(first), Some(last)) if first + 2 <= last => {
                any = true;
                lines.push(format!("{} | to_complex{}", &line[..last], &line[last..]));
            }
            _ => lines.push(line.to_owned()),
        }
    }
    any.then(|| lines.join("\n"))
}

fn said(error: &minijinja::Error) -> String {
    error.detail().map_or_else(|| error.to_string(), str::to_owned)
}

/// A value in a few words, for whoever is told what a criterion found.
pub fn shown(value: &Value) -> String {
    const LONGEST: usize = 120;
    let text = match value {
        Value::String(text) => format!("\"{text}\""),
        other => written(other),
    };
    let mut short: String = text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}
