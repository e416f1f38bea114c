//! Filters that take lists apart and put them together.

use super::{Filter, Takes, filter, of_anything};
use crate::core::template::arguments::Call;
use crate::core::template::python::{items, kind, look_up, refuse, room_for, text, tuple, undefined, whole};
use crate::core::template::surroundings::Step;
use minijinja::value::ValueKind;
use minijinja::{Error, Value};

pub(super) const FILTERS: &[Filter] = &[
    filter("attr", &["obj", "name"], |call| {
        let name = call.text(1)?;
        look_up(call.defined(0)?, &name)
    }),
    filter("batch", &["value", "linecount", "fill_with"], batch),
    filter("count", &["obj"], length),
    filter("first", &["seq"], |call| Ok(call.items(0)?.into_iter().next().unwrap_or_default())),
    of_anything("items", &["value"], entries),
    filter("join", &["value", "d", "attribute"], join),
    filter("last", &["seq"], |call| Ok(call.items(0)?.pop().unwrap_or_default())),
    filter("length", &["obj"], length),
    filter("list", &["value"], |call| Ok(Value::from(call.items(0)?))),
    filter("reverse", &["value"], |call| {
        if let Some(text) = call.value(0)?.as_str() {
            return Ok(Value::from(text.chars().rev().collect::<String>()));
        }
        let mut all = call.items(0)?;
        all.reverse();
        Ok(Value::from(all))
    }),
    filter("slice", &["value", "slices", "fill_with"], slices),
    Filter { name: "sum", parameters: &["iterable", "attribute", "start"], takes: Takes::Named, apply: sum },
];

/// Parts that a list may be cut into.
const MOST_PARTS: usize = 100_000;

fn length(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let value = call.defined(0)?;
    let found = match (value.as_str(), value.downcast_object_ref::<Step>()) {
        (Some(text), _) => Some(text.chars().count()),
        (None, Some(step)) => Some(step.text().chars().count()),
        (None, None) => value.len(),
    };
    found.map(Value::from).ok_or_else(|| refuse(format!("{} has no length", kind(value))))
}

fn entries(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let value = call.value(0)?;
    match value.kind() {
        ValueKind::Undefined => Ok(Value::from(Vec::<Value>::new())),
        ValueKind::Map => pairs_of(call, value),
        _ => Err(refuse(format!("it takes a map, not {}", kind(value)))),
    }
}

pub(crate) fn pairs_of(call: &Call<'_, '_, '_>, map: &Value) -> Result<Value, Error> {
    let keys = items(call.state, map)?;
    let all: Result<Vec<Value>, Error> =
        keys.into_iter().map(|key| map.get_item(&key).map(|item| tuple(vec![key, item]))).collect();
    all.map(Value::from)
}

fn join(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let between = call.text_or(1, "")?;
    let attribute = call.given(2).map(text).transpose()?;
    let mut out = String::new();
    for (at, item) in call.items(0)?.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { &between });
        out.push_str(&match &attribute {
            Some(attribute) => text(&super::pick::attribute_of(item, attribute, None)?)?,
            None => text(item)?,
        });
        room_for(out.len())?;
    }
    Ok(Value::from(out))
}

fn batch(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let count = call.count_or(1, 0)?.max(1);
    call.defined(1)?;
    let fill = call.given(2).cloned();
    let mut rows = Vec::new();
    for row in call.items(0)?.chunks(count) {
        let mut row = row.to_vec();
        if let Some(fill) = &fill
            && row.len() < count
        {
            if count > MOST_PARTS {
                return Err(refuse(format!("a row may have {MOST_PARTS} items")));
            }
            row.resize(count, fill.clone());
        }
        rows.push(Value::from(row));
    }
    Ok(Value::from(rows))
}

fn slices(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    call.defined(1)?;
    let count = call.count_or(1, 0)?;
    if count == 0 || count > MOST_PARTS {
        return Err(refuse(format!("`slices` takes a number between 1 and {MOST_PARTS}")));
    }
    let fill = call.given(2).cloned();
    let all = call.items(0)?;
    let (each, more) = (all.len() / count, all.len() % count);
    let mut parts = Vec::new();
    let mut rest = &all[..];
    for at in 0..count {
        call.state.consume_fuel(1)?;
        let (part, behind) = rest.split_at(each + usize::from(at < more));
        rest = behind;
        let mut part = part.to_vec();
        if at >= more {
            part.extend(fill.clone());
        }
        parts.push(Value::from(part));
    }
    Ok(Value::from(parts))
}

fn sum(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let attribute = call.given(1).map(text).transpose()?;
    let mut total = call.given(2).cloned().unwrap_or_else(|| Value::from(0));
    for item in call.items(0)? {
        let item = match &attribute {
            Some(attribute) => super::pick::attribute_of(&item, attribute, None)?,
            None => item,
        };
        total = add(call, &total, &item)?;
    }
    Ok(total)
}

fn add(call: &Call<'_, '_, '_>, one: &Value, other: &Value) -> Result<Value, Error> {
    if other.is_undefined() {
        return Err(undefined());
    }
    if let (Some(one), Some(other)) = (whole(one), whole(other)) {
        return one.checked_add(other).map(Value::from).ok_or_else(|| refuse("the sum is too large"));
    }
    let float = crate::core::template::python::float;
    if let (Some(one), Some(other)) = (float(one), float(other)) {
        return Ok(Value::from(one + other));
    }
    let list = |value: &Value| matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable);
    if list(one) && list(other) {
        let mut all = items(call.state, one)?;
        all.extend(items(call.state, other)?);
        return Ok(Value::from(all));
    }
    Err(refuse(format!("{} and {} cannot be added", kind(one), kind(other))))
}
