//! JSON as Python's `json.dumps` writes it: other letters than ASCII are escaped.

use crate::core::template::python::{DEEPEST, float, kind, number_text, pairs, refuse, room_for, too_deep, undefined};
use crate::core::template::surroundings::Step;
use crate::core::template::value::{float_text, json_text};
use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};
use std::borrow::Cow;

/// How JSON is laid out.
#[derive(Debug, Clone)]
pub(crate) struct Style {
    /// Between two items.
    pub(crate) between: Cow<'static, str>,
    /// Behind a key.
    pub(crate) after_key: Cow<'static, str>,
    /// What a line begins with for each level; everything is on one line without.
    pub(crate) indent: Option<String>,
    /// Keys in their order.
    pub(crate) sorted: bool,
}

impl Style {
    /// What `json.dumps` does when it is told nothing.
    pub(crate) const PLAIN: Self =
        Self { between: Cow::Borrowed(", "), after_key: Cow::Borrowed(": "), indent: None, sorted: false };

    /// The value as JSON.
    pub(crate) fn write(&self, state: &State<'_, '_>, value: &Value) -> Result<String, Error> {
        let mut out = String::new();
        self.value(state, value, 0, &mut out)?;
        Ok(out)
    }

    fn line(&self, depth: usize, out: &mut String) {
        if let Some(indent) = &self.indent {
            out.push('\n');
            for _ in 0..depth {
                out.push_str(indent);
            }
        }
    }

    fn value(&self, state: &State<'_, '_>, value: &Value, depth: usize, out: &mut String) -> Result<(), Error> {
        state.consume_fuel(1)?;
        if depth > DEEPEST {
            return Err(too_deep());
        }
        room_for(out.len())?;
        match value.kind() {
            ValueKind::Undefined => return Err(undefined()),
            ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => out.push_str(&number(value)),
            ValueKind::String => json_text(value.as_str().unwrap_or_default(), out),
            ValueKind::Seq | ValueKind::Iterable => {
                let items = super::python::items(state, value)?;
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { &self.between });
                    self.line(depth + 1, out);
                    self.value(state, item, depth + 1, out)?;
                }
                if !items.is_empty() {
                    self.line(depth, out);
                }
                out.push(']');
            }
            ValueKind::Map => {
                let mut entries: Vec<(String, Value)> = pairs(value)?
                    .into_iter()
                    .map(|(name, item)| Ok((key(&name)?, item)))
                    .collect::<Result<_, Error>>()?;
                if self.sorted {
                    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
                }
                out.push('{');
                for (at, (name, item)) in entries.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { &self.between });
                    self.line(depth + 1, out);
                    json_text(name, out);
                    out.push_str(&self.after_key);
                    self.value(state, item, depth + 1, out)?;
                }
                if !entries.is_empty() {
                    self.line(depth, out);
                }
                out.push('}');
            }
            _ => match value.downcast_object_ref::<Step>() {
                Some(step) => json_text(&step.text(), out),
                None => return Err(refuse(format!("{} cannot be written as JSON", kind(value)))),
            },
        }
        Ok(())
    }
}

fn number(value: &Value) -> String {
    match float(value) {
        Some(float) if !value.is_integer() && float.is_nan() => "NaN".into(),
        Some(float) if !value.is_integer() && float.is_infinite() => {
            if float > 0.0 {
                "Infinity".into()
            } else {
                "-Infinity".into()
            }
        }
        Some(float) if !value.is_integer() => float_text(float),
        _ => number_text(value),
    }
}

/// A key, which is text in JSON whatever it was.
fn key(value: &Value) -> Result<String, Error> {
    Ok(match value.kind() {
        ValueKind::String => value.as_str().unwrap_or_default().to_owned(),
        ValueKind::None => "null".into(),
        ValueKind::Bool => if value.is_true() { "true" } else { "false" }.into(),
        ValueKind::Number => number(value),
        _ => return Err(refuse(format!("{} cannot be a key in JSON", kind(value)))),
    })
}
