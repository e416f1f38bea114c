//! StackStorm's filters for data: JSON, paths, nothing, what was sealed; and Jinja2's own JSON.

use super::{Filter, filter, of_anything};
use crate::core::template::arguments::Call;
use crate::core::template::json::Style;
use crate::core::template::python::{kind, refuse, text, whole};
use crate::core::template::render::into_jinja;
use crate::core::template::surroundings::{OPENER, Opener, Step};
use crate::core::template::value::NOTHING;
use minijinja::{Error, Value};

pub(super) const FILTERS: &[Filter] = &[
    filter("basename", &["path"], |call| Ok(Value::from(call.only_text(0)?.rsplit('/').next().unwrap_or_default()))),
    filter("decrypt_kv", &["value"], decrypt),
    filter("dirname", &["path"], |call| Ok(Value::from(dirname(call.only_text(0)?)))),
    filter("from_json_string", &["value"], |call| {
        let text = call.text(0)?;
        let value: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| refuse(format!("it is not JSON: {error}")))?;
        Ok(into_jinja(&value))
    }),
    filter("json_escape", &["value"], |call| {
        let text = Style::PLAIN.write(call.state, call.defined(0)?)?;
        Ok(Value::from(text.trim_matches('"')))
    }),
    filter("jsonpath_query", &["value", "query"], |call| {
        let query = super::jsonpath::read(&call.text(1)?).map_err(refuse)?;
        let found = query.find(call.state, call.defined(0)?)?;
        Ok(if found.is_empty() { Value::from(()) } else { Value::from(found) })
    }),
    filter("to_complex", &["value"], |call| Style::PLAIN.write(call.state, call.defined(0)?).map(Value::from)),
    filter("to_json_string", &["value", "indent", "sort_keys", "separators"], to_json),
    filter("tojson", &["value", "indent"], |call| {
        let indent = indent(call, 1)?;
        let style =
            Style { between: if indent.is_some() { "," } else { ", " }.into(), indent, sorted: true, ..Style::PLAIN };
        let text = style.write(call.state, call.defined(0)?)?;
        let text =
            text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026").replace('\'', "\\u0027");
        Ok(Value::from_safe_string(text))
    }),
    of_anything("default", &["value", "default_value", "boolean"], default),
    of_anything("d", &["value", "default_value", "boolean"], default),
    filter("use_none", &["value"], |call| {
        let value = call.defined(0)?;
        Ok(if value.is_none() { Value::from(NOTHING) } else { value.clone() })
    }),
];

fn default(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let value = call.value(0)?;
    let instead = value.is_undefined() || (call.truth_or(2, false) && !value.is_true());
    Ok(if instead { call.value(1).cloned().unwrap_or_else(|_| Value::from("")) } else { value.clone() })
}

fn indent(call: &Call<'_, '_, '_>, at: usize) -> Result<Option<String>, Error> {
    let Some(value) = call.given(at) else { return Ok(None) };
    if let Some(text) = value.as_str() {
        return Ok(Some(text.chars().take(100).collect()));
    }
    let width = whole(value).ok_or_else(|| refuse(format!("`indent` takes a whole number, not {}", kind(value))))?;
    Ok(Some(" ".repeat(usize::try_from(width.clamp(0, 100)).unwrap_or_default())))
}

fn to_json(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let mut style =
        Style { between: ",".into(), indent: indent(call, 1)?, sorted: call.truth_or(2, false), ..Style::PLAIN };
    if let Some(separators) = call.given(3) {
        let separators = super::super::python::items(call.state, separators)?;
        let [between, after_key] = &separators[..] else { return Err(refuse("`separators` takes two texts")) };
        style.between = text(between)?.into();
        style.after_key = text(after_key)?.into();
    }
    style.write(call.state, call.defined(0)?).map(Value::from)
}

/// What stands before the last slash, without the slashes that end it unless they are all there is.
fn dirname(path: &str) -> &str {
    let head = path.rfind('/').map_or("", |slash| &path[..=slash]);
    let shorter = head.trim_end_matches('/');
    if shorter.is_empty() { head } else { shorter }
}

/// Opens what was sealed. A key that does not exist is told apart from one that is not sealed.
fn decrypt(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let sealed = call.text(0)?;
    if let Some(step) = call.value(0)?.downcast_object_ref::<Step>().filter(|_| sealed.is_empty()) {
        return Err(refuse(format!("`decrypt_kv`: there is no `{}` in the datastore, or it is empty", step.spoken())));
    }
    let opener = call.state.lookup(OPENER).and_then(|opener| opener.downcast_object::<Opener>());
    let opener =
        opener.ok_or_else(|| refuse("`decrypt_kv` cannot be used here: there is no key to open anything with"))?;
    opener.open(&sealed).map(Value::from).map_err(|why| refuse(format!("`decrypt_kv` {why}")))
}
