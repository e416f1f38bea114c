//! # Methods
//!
//! Python's methods on text, maps, lists and numbers.
//!
//! **A template changes no value**: methods that would (`append`, `update`, `pop`) are refused and told what to do instead.

mod text;

use crate::core::template::arguments::Call;
use crate::core::template::python::{self, items, kind, refuse, same, tuple};
use crate::core::template::surroundings::Step;
use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, State, Value};

pub(crate) fn call(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        return text::call(state, text, method, arguments);
    }
    if let Some(step) = value.downcast_object_ref::<Step>() {
        return text::call(state, &step.text(), method, arguments);
    }
    match value.kind() {
        ValueKind::Map => on_map(state, value, method, arguments),
        ValueKind::Seq | ValueKind::Iterable => on_list(state, value, method, arguments),
        ValueKind::Number | ValueKind::Bool => on_number(state, value, method, arguments),
        _ => Err(unknown(value, method)),
    }
}

fn unknown(value: &Value, method: &str) -> Error {
    Error::new(ErrorKind::UnknownMethod, format!("{} has no method `{method}`", kind(value)))
}

fn changes(method: &str) -> Error {
    refuse(format!(
        "`{method}` would change a value, which a template cannot do; make a new one: `{{% set list = list + [item] %}}`, and across a loop with `namespace()`"
    ))
}

fn on_map(state: &mut State<'_, '_>, value: &Value, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    match method {
        "items" => {
            let keys = items(Call::new(state, &[], false, arguments)?.state, value)?;
            keys.into_iter().map(|key| value.get_item(&key).map(|item| tuple(vec![key, item]))).collect()
        }
        "keys" => Ok(Value::from(items(Call::new(state, &[], false, arguments)?.state, value)?)),
        "values" => {
            let keys = items(Call::new(state, &[], false, arguments)?.state, value)?;
            keys.iter().map(|key| value.get_item(key)).collect()
        }
        "copy" => Ok(value.clone()),
        "get" => {
            let call = Call::new(state, &["key", "default"], false, arguments)?;
            let found = value.get_item(call.defined(0)?)?;
            Ok(if found.is_undefined() { call.value(1).cloned().unwrap_or_else(|_| Value::from(())) } else { found })
        }
        "clear" | "pop" | "popitem" | "setdefault" | "update" => Err(changes(method)),
        _ => Err(unknown(value, method)),
    }
}

fn on_list(state: &mut State<'_, '_>, value: &Value, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    match method {
        "count" | "index" => {
            let call = Call::new(state, &["value"], false, arguments)?;
            let wanted = call.defined(0)?;
            let mut count = 0;
            for (at, item) in items(call.state, value)?.iter().enumerate() {
                if same(item, wanted)? {
                    if method == "index" {
                        return Ok(Value::from(at));
                    }
                    count += 1;
                }
            }
            if method == "index" { Err(refuse("the list does not hold it")) } else { Ok(Value::from(count)) }
        }
        "copy" => Ok(value.clone()),
        "append" | "clear" | "extend" | "insert" | "pop" | "remove" | "reverse" | "sort" => Err(changes(method)),
        _ => Err(unknown(value, method)),
    }
}

fn on_number(state: &mut State<'_, '_>, value: &Value, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    Call::new(state, &[], false, arguments)?;
    match (method, python::whole(value), python::float(value)) {
        ("bit_length", Some(number), _) => Ok(Value::from(128 - number.unsigned_abs().leading_zeros())),
        ("is_integer", _, Some(float)) => Ok(Value::from(float.fract() == 0.0)),
        _ => Err(unknown(value, method)),
    }
}
