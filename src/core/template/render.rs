//! Templates to text, and structures of templates to structures.

use crate::core::template::{filters, methods, value};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior};
use serde_json::{Map, Number, Value};
use std::collections::BTreeSet;
use std::io;
use std::sync::LazyLock;

/// Steps that one rendering may take.
const FUEL: u64 = 200_000;

/// How deep calls may nest.
const DEPTH: usize = 100;

/// How deep a value may be nested that is shown.
const DEEPEST: usize = 200;

/// Bytes that one rendering may write.
pub const LARGEST_OUTPUT: usize = 1 << 20;

/// Why a template could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", .line.map(|line| format!(" (line {line} of the template)")).unwrap_or_default())]
pub struct TemplateError {
    /// What happened.
    pub message: String,
    /// Where, from 1; absent for a template of one line.
    pub line: Option<usize>,
}

static JINJA: LazyLock<Environment<'static>> = LazyLock::new(environment);

/// The dialect.
pub(crate) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        environment.set_syntax(syntax);
    }
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(DEPTH);
    environment.set_formatter(write_value);
    // It would show every value at once, past whoever looks at the names that a template uses.
    environment.remove_global("debug");
    environment.set_unknown_method_callback(methods::call);
    filters::add_to(&mut environment);
    environment
}

/// Whether text is a template: StackStorm's own test.
pub fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// Whether a value is a template or holds one.
pub fn holds_template(value: &Value) -> bool {
    match value {
        Value::String(text) => is_template(text),
        Value::Array(items) => items.iter().any(holds_template),
        Value::Object(map) => map.iter().any(|(key, value)| is_template(key) || holds_template(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Renders a template over the names of `context`.
///
/// # Errors
/// Bad syntax, a name that is not in the context, a filter that fails, or too much of anything.
pub fn render(template: &str, context: &Map<String, Value>) -> Result<String, TemplateError> {
    let compiled = JINJA.template_from_str(template).map_err(|error| failure(template, &error))?;
    let mut out = Bounded::default();
    let context = minijinja::Value::from_pairs(context.iter().map(|(name, value)| (name.as_str(), into_jinja(value))));
    compiled.render_captured_to(context, &mut out).map_err(|error| failure(template, &error))?;
    out.text()
}

/// Renders every template inside a value. Text that is exactly `{{name}}` inside a list or a map becomes the value of that name with its
/// type; any other template becomes text.
///
/// # Errors
/// As [`render`].
pub fn render_value(value: &Value, context: &Map<String, Value>) -> Result<Value, TemplateError> {
    match value {
        Value::String(text) if is_template(text) => render(text, context).map(Value::String),
        Value::Array(_) | Value::Object(_) => render_inside(value, context),
        other => Ok(other.clone()),
    }
}

fn render_inside(inside: &Value, context: &Map<String, Value>) -> Result<Value, TemplateError> {
    Ok(match inside {
        Value::String(text) if is_template(text) => match bare_name(text).and_then(|name| context.get(name)) {
            Some(value) => value.clone(),
            None => Value::String(render(text, context)?),
        },
        Value::Array(items) => items.iter().map(|item| render_inside(item, context)).collect::<Result<_, _>>()?,
        Value::Object(map) => {
            let mut rendered = Map::new();
            for (key, item) in map {
                let key = if is_template(key) { render(key, context)? } else { key.clone() };
                rendered.insert(key, render_inside(item, context)?);
            }
            Value::Object(rendered)
        }
        other => other.clone(),
    })
}

/// The name in `{{name}}` without blanks; StackStorm keeps the type of nothing else.
fn bare_name(text: &str) -> Option<&str> {
    let name = text.strip_prefix("{{")?.strip_suffix("}}")?;
    (!name.is_empty() && name.chars().all(|character| character.is_alphanumeric() || character == '_')).then_some(name)
}

/// The names that a template takes from outside, all of them, whether or not a rendering gets as far as using them.
///
/// # Errors
/// Bad syntax.
pub fn names(template: &str) -> Result<BTreeSet<String>, TemplateError> {
    let compiled = JINJA.template_from_str(template).map_err(|error| failure(template, &error))?;
    let known: BTreeSet<&str> = JINJA.globals().map(|(name, _)| name).collect();
    let outside = compiled.undeclared_variables(false).into_iter();
    Ok(outside.filter(|name| !known.contains(name.as_str())).collect())
}

/// The names that the templates inside a value take from outside.
///
/// # Errors
/// Bad syntax.
pub fn names_inside(value: &Value) -> Result<BTreeSet<String>, TemplateError> {
    let mut found = BTreeSet::new();
    match value {
        Value::String(text) if is_template(text) => found = names(text)?,
        Value::Array(items) => {
            for item in items {
                found.append(&mut names_inside(item)?);
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                if is_template(key) {
                    found.append(&mut names(key)?);
                }
                found.append(&mut names_inside(item)?);
            }
        }
        _ => {}
    }
    Ok(found)
}

/// What a rendering writes, up to [`LARGEST_OUTPUT`].
#[derive(Default)]
pub(crate) struct Bounded(Vec<u8>);

impl Bounded {
    pub(crate) fn text(self) -> Result<String, TemplateError> {
        String::from_utf8(self.0).map_err(|_| TemplateError { message: "the output is not text".into(), line: None })
    }
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LARGEST_OUTPUT {
            return Err(io::Error::other("too much output"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn failure(template: &str, error: &Error) -> TemplateError {
    let message = match error.kind() {
        ErrorKind::OutOfFuel => format!("the template takes more than {FUEL} steps"),
        ErrorKind::WriteFailure => format!("the template writes more than {LARGEST_OUTPUT} bytes"),
        kind => {
            let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
            // The source of an error holds the words of a filter of ours.
            format!("{kind}{detail}")
        }
    };
    let message = match (error.kind(), error.range().and_then(|range| template.get(range))) {
        (ErrorKind::UndefinedError, Some(part)) => format!("`{}` has no value", part.trim()),
        _ => message,
    };
    TemplateError { message, line: error.line().filter(|_| template.trim_end().contains('\n')) }
}

fn write_value(out: &mut Output<'_>, _: &mut State<'_, '_>, shown: &minijinja::Value) -> Result<(), Error> {
    out.write_str(&shown_text(shown)?).map_err(Error::from)
}

/// A value as it is written out.
pub(crate) fn shown_text(shown: &minijinja::Value) -> Result<String, Error> {
    if shown.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    Ok(match shown.as_str() {
        Some(text) => text.to_owned(),
        None => value::written(&from_jinja(shown)?),
    })
}

/// A value for a template.
pub(crate) fn into_jinja(value: &Value) -> minijinja::Value {
    match value {
        Value::Null => minijinja::Value::from(()),
        Value::Bool(truth) => minijinja::Value::from(*truth),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => minijinja::Value::from(whole),
            (None, Some(whole)) => minijinja::Value::from(whole),
            (None, None) => minijinja::Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => minijinja::Value::from(text.as_str()),
        Value::Array(items) => items.iter().map(into_jinja).collect(),
        Value::Object(map) => {
            minijinja::Value::from_pairs(map.iter().map(|(key, value)| (key.as_str(), into_jinja(value))))
        }
    }
}

/// A template's value as JSON has it. One that is nested deeper than [`DEEPEST`], as a namespace that holds itself is, or that has more parts
/// than [`LARGEST_OUTPUT`] could show, is an error.
pub(crate) fn from_jinja(value: &minijinja::Value) -> Result<Value, Error> {
    let mut room = LARGEST_OUTPUT;
    convert(value, 0, &mut room)
}

fn convert(value: &minijinja::Value, depth: usize, room: &mut usize) -> Result<Value, Error> {
    if depth > DEEPEST {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("the value is nested deeper than {DEEPEST}")));
    }
    *room = room.checked_sub(1).ok_or_else(|| {
        Error::new(ErrorKind::InvalidOperation, format!("the value has more than {LARGEST_OUTPUT} parts"))
    })?;
    Ok(match value.kind() {
        ValueKind::Undefined => return Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::None => Value::Null,
        ValueKind::Bool => Value::Bool(value.is_true()),
        ValueKind::Number => {
            if let Ok(whole) = i64::try_from(value.clone()).map_err(drop)
                && value.is_integer()
            {
                Value::from(whole)
            } else if let Ok(whole) = u64::try_from(value.clone()).map_err(drop)
                && value.is_integer()
            {
                Value::from(whole)
            } else {
                let float = f64::try_from(value.clone())?;
                Number::from_f64(float).map_or_else(|| Value::from(value::float_text(float)), Value::Number)
            }
        }
        ValueKind::String => Value::from(value.as_str().unwrap_or_default()),
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter()?.checked().map(|item| convert(&item?, depth + 1, room)).collect::<Result<_, _>>()?
        }
        ValueKind::Map => {
            let mut map = Map::new();
            for key in value.try_iter()?.checked() {
                let key = key?;
                let item = convert(&value.get_item(&key)?, depth + 1, room)?;
                map.insert(value::written(&convert(&key, depth + 1, room)?), item);
            }
            Value::Object(map)
        }
        _ => Value::from(value.to_string()),
    })
}
