//! Templates to text, and structures of templates to structures.

use crate::core::template::surroundings::{Context, Record, Surroundings, Taken};
use crate::core::template::{checks, filters, functions, methods, python, scan};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::io;
use std::sync::LazyLock;

/// Steps that one rendering may take.
const FUEL: u64 = 200_000;

/// How deep calls may nest.
const DEPTH: usize = 100;

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
    environment.set_unknown_method_callback(methods::call);
    filters::add_to(&mut environment);
    checks::add_to(&mut environment);
    functions::add_to(&mut environment);
    scan::add_to(&mut environment);
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

/// What a rendering gave, and what of its surroundings went into it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered<T> {
    /// The text, or the structure of texts.
    pub output: T,
    /// Every value of the surroundings that the template got.
    pub taken: Vec<Taken>,
}

/// Renders a template over the names of `context` and nothing else.
///
/// # Errors
/// Bad syntax, a name that is not in the context, a filter that fails, or too much of anything.
pub fn render(template: &str, context: &Map<String, Value>) -> Result<String, TemplateError> {
    render_in(template, context, &Surroundings::default()).map(|rendered| rendered.output)
}

/// Renders a template over the names of `context` and, where these do not have a name, those of its surroundings.
///
/// # Errors
/// As [`render`].
pub fn render_in(
    template: &str,
    context: &Map<String, Value>,
    surroundings: &Surroundings,
) -> Result<Rendered<String>, TemplateError> {
    let record = Record::default();
    let output = render_text(template, context, surroundings, &record)?;
    Ok(Rendered { output, taken: record.all() })
}

fn render_text(
    template: &str,
    context: &Map<String, Value>,
    surroundings: &Surroundings,
    record: &Record,
) -> Result<String, TemplateError> {
    let guarded = scan::guarded(template);
    let template = guarded.as_str();
    let compiled = JINJA.template_from_str(template).map_err(|error| failure(template, &error))?;
    let mut out = Bounded::default();
    let context = minijinja::Value::from_object(Context {
        values: context.iter().map(|(name, value)| (name.clone(), into_jinja(value))).collect(),
        surroundings: surroundings.clone(),
        record: record.clone(),
    });
    compiled.render_captured_to(context, &mut out).map_err(|error| match record.holds_secret() {
        // A filter may quote what it cannot work with.
        true => TemplateError { message: "it fails on a secret, so what went wrong is not shown".into(), line: None },
        false => failure(template, &error),
    })?;
    out.text()
}

/// Renders every template inside a value. Text that is exactly `{{name}}` inside a list or a map becomes the value of that name with its
/// type; any other template becomes text.
///
/// # Errors
/// As [`render`].
pub fn render_value(value: &Value, context: &Map<String, Value>) -> Result<Value, TemplateError> {
    render_value_in(value, context, &Surroundings::default()).map(|rendered| rendered.output)
}

/// The same with surroundings.
///
/// # Errors
/// As [`render`].
pub fn render_value_in(
    value: &Value,
    context: &Map<String, Value>,
    surroundings: &Surroundings,
) -> Result<Rendered<Value>, TemplateError> {
    let record = Record::default();
    let output = match value {
        Value::String(text) if is_template(text) => Value::String(render_text(text, context, surroundings, &record)?),
        Value::Array(_) | Value::Object(_) => render_inside(value, context, surroundings, &record)?,
        other => other.clone(),
    };
    Ok(Rendered { output, taken: record.all() })
}

fn render_inside(
    inside: &Value,
    context: &Map<String, Value>,
    surroundings: &Surroundings,
    record: &Record,
) -> Result<Value, TemplateError> {
    Ok(match inside {
        Value::String(text) if is_template(text) => match bare_name(text).and_then(|name| context.get(name)) {
            Some(value) => value.clone(),
            None => Value::String(render_text(text, context, surroundings, record)?),
        },
        Value::Array(items) => {
            items.iter().map(|item| render_inside(item, context, surroundings, record)).collect::<Result<_, _>>()?
        }
        Value::Object(map) => {
            let mut rendered = Map::new();
            for (key, item) in map {
                let key = if is_template(key) { render_text(key, context, surroundings, record)? } else { key.clone() };
                rendered.insert(key, render_inside(item, context, surroundings, record)?);
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
    let outside = outside.chain(scan::free_names(template));
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

/// The filters that a sound template names and that there are not: it fails where a rendering gets to one.
pub fn unknown_filters(template: &str) -> BTreeSet<String> {
    let named = scan::filters(template).into_iter();
    named.filter(|name| !is_filter(name)).collect()
}

/// The same of all templates inside a value.
pub fn unknown_filters_inside(value: &Value) -> BTreeSet<String> {
    match value {
        Value::String(text) if is_template(text) => unknown_filters(text),
        Value::Array(items) => items.iter().flat_map(unknown_filters_inside).collect(),
        Value::Object(map) => map.values().flat_map(unknown_filters_inside).collect(),
        _ => BTreeSet::new(),
    }
}

/// Whether there is a filter of this name. The engine tells it only when it is to apply one.
fn is_filter(name: &str) -> bool {
    let applied = format!("none|{name}");
    let Ok(expression) = JINJA.compile_expression(&applied) else { return true };
    !matches!(expression.eval(()), Err(error) if error.kind() == ErrorKind::UnknownFilter)
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
        ErrorKind::InvalidOperation if error.detail().is_some() => error.detail().unwrap_or_default().to_owned(),
        kind => {
            let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
            // The source of an error holds the words of a filter of ours.
            format!("{kind}{detail}")
        }
    };
    let message = match (error.kind(), error.range().and_then(|range| whole_expression(template, range))) {
        (ErrorKind::UndefinedError, Some(part)) => format!("`{}` has no value", part.trim()),
        _ => message,
    };
    TemplateError { message, line: error.line().filter(|_| template.trim_end().contains('\n')) }
}

/// The expression at a place of a template; of `a.b.c` the engine tells `.b.c`.
fn whole_expression(template: &str, range: std::ops::Range<usize>) -> Option<&str> {
    let part = template.get(range.clone())?;
    if !part.starts_with(['.', '[']) {
        return Some(part);
    }
    let names = |character: char| character.is_alphanumeric() || "_.[]'\"-".contains(character);
    let before = template.get(..range.start)?;
    template.get(before.trim_end_matches(names).len()..range.end)
}

fn write_value(out: &mut Output<'_>, _: &mut State<'_, '_>, shown: &minijinja::Value) -> Result<(), Error> {
    // Only an `if` without an `else` comes here without a value; the engine refuses all others before.
    if shown.is_undefined() {
        return Ok(());
    }
    out.write_str(&python::text(shown)?).map_err(Error::from)
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
