//! What a template's values are to Python: how they are shown, compared and counted.
//!
//! **Nothing here follows a value deeper than [`DEEPEST`]** or makes a text longer than a rendering may write.

use crate::core::template::render::LARGEST_OUTPUT;
use crate::core::template::surroundings::Step;
use crate::core::template::value::{float_text, python_text};
use minijinja::value::{Tuple, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};
use std::cmp::Ordering;

/// How deep a value may be nested that is shown, compared or kept.
pub(crate) const DEEPEST: usize = 100;

pub(crate) fn refuse(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, why.into())
}

pub(crate) fn undefined() -> Error {
    Error::from(ErrorKind::UndefinedError)
}

pub(crate) fn too_deep() -> Error {
    refuse(format!("the value is nested deeper than {DEEPEST}"))
}

/// Refuses what would become longer than a rendering may write.
pub(crate) fn room_for(bytes: usize) -> Result<(), Error> {
    if bytes > LARGEST_OUTPUT {
        return Err(refuse(format!("the text would be longer than {LARGEST_OUTPUT} bytes")));
    }
    Ok(())
}

/// `str(value)`.
pub(crate) fn text(value: &Value) -> Result<String, Error> {
    match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => repr(value),
    }
}

/// `repr(value)`.
pub(crate) fn repr(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    write(value, 0, &mut out)?;
    Ok(out)
}

fn write(value: &Value, depth: usize, out: &mut String) -> Result<(), Error> {
    if depth > DEEPEST {
        return Err(too_deep());
    }
    room_for(out.len())?;
    match value.kind() {
        ValueKind::Undefined => return Err(undefined()),
        ValueKind::None => out.push_str("None"),
        ValueKind::Bool => out.push_str(if value.is_true() { "True" } else { "False" }),
        ValueKind::Number => out.push_str(&number_text(value)),
        ValueKind::String => python_text(value.as_str().unwrap_or_default(), out),
        ValueKind::Seq | ValueKind::Iterable => {
            let tuple = is_tuple(value);
            out.push(if tuple { '(' } else { '[' });
            let mut count = 0;
            for item in value.try_iter()?.checked() {
                out.push_str(if count == 0 { "" } else { ", " });
                write(&item?, depth + 1, out)?;
                count += 1;
            }
            out.push_str(match (tuple, count) {
                (true, 1) => ",)",
                (true, _) => ")",
                (false, _) => "]",
            });
        }
        ValueKind::Map => {
            out.push('{');
            for (at, pair) in pairs(value)?.into_iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                write(&pair.0, depth + 1, out)?;
                out.push_str(": ");
                write(&pair.1, depth + 1, out)?;
            }
            out.push('}');
        }
        _ => match value.downcast_object_ref::<Step>() {
            Some(step) if depth == 0 => out.push_str(&step.text()),
            Some(step) => python_text(&step.text(), out),
            None => out.push_str(&value.to_string()),
        },
    }
    Ok(())
}

pub(crate) fn number_text(value: &Value) -> String {
    if value.is_integer() {
        return value.to_string();
    }
    float(value).map_or_else(|| value.to_string(), float_text)
}

/// Whether Python would show it in round brackets.
pub(crate) fn is_tuple(value: &Value) -> bool {
    value.is_tuple() || value.downcast_object_ref::<crate::core::template::filters::order::Group>().is_some()
}

pub(crate) fn tuple(items: Vec<Value>) -> Value {
    Value::from(Tuple::new(items))
}

/// Key and value of each entry of a map.
pub(crate) fn pairs(value: &Value) -> Result<Vec<(Value, Value)>, Error> {
    value
        .try_iter()?
        .checked()
        .map(|key| {
            let key = key?;
            let item = value.get_item(&key)?;
            Ok((key, item))
        })
        .collect()
}

/// The items of what Python can iterate over. Each costs a step.
pub(crate) fn items(state: &State<'_, '_>, value: &Value) -> Result<Vec<Value>, Error> {
    if let Some(step) = value.downcast_object_ref::<Step>() {
        return Ok(step.text().chars().map(Value::from).collect());
    }
    if value.is_undefined() {
        return Err(undefined());
    }
    if value.is_none() {
        return Err(refuse("nothing can be gone through: `None`"));
    }
    let mut items = Vec::new();
    for item in value.try_iter()?.checked() {
        state.consume_fuel(1)?;
        items.push(item?);
    }
    Ok(items)
}

/// A truth value or a whole number.
pub(crate) fn whole(value: &Value) -> Option<i128> {
    match value.kind() {
        ValueKind::Bool => Some(i128::from(value.is_true())),
        ValueKind::Number if value.is_integer() => i128::try_from(value.clone()).ok(),
        _ => None,
    }
}

/// Any number, and truth values as Python counts them.
pub(crate) fn float(value: &Value) -> Option<f64> {
    match value.kind() {
        ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        ValueKind::Number => match f64::try_from(value.clone()) {
            Ok(float) => Some(float),
            // A whole number that no float holds exactly is rounded to one.
            Err(_) => value.to_string().parse().ok(),
        },
        _ => None,
    }
}

/// The word for it in what is said to people.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::Undefined => "nothing at all",
        ValueKind::None => "`None`",
        ValueKind::Bool => "a truth value",
        ValueKind::Number => "a number",
        ValueKind::String => "text",
        ValueKind::Seq | ValueKind::Iterable => "a list",
        ValueKind::Map => "a map",
        _ => "something else",
    }
}

/// Python's `<`: what cannot be put in an order is an error.
pub(crate) fn compare(one: &Value, other: &Value) -> Result<Ordering, Error> {
    compare_at(one, other, 0)
}

fn compare_at(one: &Value, other: &Value, depth: usize) -> Result<Ordering, Error> {
    if depth > DEEPEST {
        return Err(too_deep());
    }
    if let (Some(one), Some(other)) = (whole(one), whole(other)) {
        return Ok(one.cmp(&other));
    }
    if let (Some(one), Some(other)) = (float(one), float(other)) {
        return Ok(one.partial_cmp(&other).unwrap_or(Ordering::Equal));
    }
    if let (Some(one), Some(other)) = (one.as_str(), other.as_str()) {
        return Ok(one.cmp(other));
    }
    let list = |value: &Value| matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable);
    if list(one) && list(other) && is_tuple(one) == is_tuple(other) {
        let mut others = other.try_iter()?;
        for item in one.try_iter()? {
            let Some(against) = others.next() else { return Ok(Ordering::Greater) };
            if same(&item, &against)? {
                continue;
            }
            return compare_at(&item, &against, depth + 1);
        }
        return Ok(if others.next().is_some() { Ordering::Less } else { Ordering::Equal });
    }
    Err(refuse(format!("{} and {} have no order", kind(one), kind(other))))
}

/// Python's `==`.
pub(crate) fn same(one: &Value, other: &Value) -> Result<bool, Error> {
    same_at(one, other, 0)
}

fn same_at(one: &Value, other: &Value, depth: usize) -> Result<bool, Error> {
    if depth > DEEPEST {
        return Err(too_deep());
    }
    if let (Some(one), Some(other)) = (whole(one), whole(other)) {
        return Ok(one == other);
    }
    #[expect(clippy::float_cmp, reason = "that is what a template asks for")]
    if let (Some(one), Some(other)) = (float(one), float(other)) {
        return Ok(one == other);
    }
    match (one.kind(), other.kind()) {
        (ValueKind::Undefined, _) | (_, ValueKind::Undefined) => Err(undefined()),
        (ValueKind::String, ValueKind::String) => Ok(one.as_str() == other.as_str()),
        (ValueKind::None, ValueKind::None) => Ok(true),
        (ValueKind::Seq | ValueKind::Iterable, ValueKind::Seq | ValueKind::Iterable) => {
            if is_tuple(one) != is_tuple(other) {
                return Ok(false);
            }
            let mut others = other.try_iter()?;
            for item in one.try_iter()? {
                match others.next() {
                    Some(against) if same_at(&item, &against, depth + 1)? => {}
                    _ => return Ok(false),
                }
            }
            Ok(others.next().is_none())
        }
        (ValueKind::Map, ValueKind::Map) => {
            if one.len() != other.len() {
                return Ok(false);
            }
            for (key, item) in pairs(one)? {
                let against = other.get_item(&key)?;
                if against.is_undefined() || !same_at(&item, &against, depth + 1)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (one_kind, other_kind) if one_kind == other_kind => Ok(one.to_string() == other.to_string()),
        _ => Ok(false),
    }
}

/// An attribute or an item as `foo.bar` finds it; undefined when there is none.
pub(crate) fn look_up(value: &Value, name: &str) -> Result<Value, Error> {
    let key = match name.parse::<i64>() {
        Ok(number) if !name.starts_with('+') && value.kind() != ValueKind::Map => Value::from(number),
        _ => Value::from(name),
    };
    if value.is_undefined() {
        return Err(undefined());
    }
    value.get_item(&key).or_else(|_| Ok(Value::UNDEFINED))
}
