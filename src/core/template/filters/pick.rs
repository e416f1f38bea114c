//! Filters that pick items of a list, or something of each item.

use super::{Filter, with_more};
use crate::core::template::arguments::Call;
use crate::core::template::python::{look_up, refuse, text, undefined};
use minijinja::value::Kwargs;
use minijinja::{Error, Value};

pub(super) const FILTERS: &[Filter] = &[
    with_more("map", &["value"], map),
    with_more("reject", &["value"], |call| pick(call, false, false)),
    with_more("rejectattr", &["value"], |call| pick(call, false, true)),
    with_more("select", &["value"], |call| pick(call, true, false)),
    with_more("selectattr", &["value"], |call| pick(call, true, true)),
];

/// What is at `a.b.0` in an item; undefined, or the default, when it is not there.
pub(crate) fn attribute_of(item: &Value, path: &str, default: Option<&Value>) -> Result<Value, Error> {
    let mut found = item.clone();
    for part in path.split('.') {
        found = look_up(&found, part)?;
        if let Some(default) = default.filter(|_| found.is_undefined()) {
            found = default.clone();
        }
    }
    Ok(found)
}

/// The same for several paths with commas between them. All of them have to be there.
pub(crate) fn attributes_of(item: &Value, paths: &str) -> Result<Vec<Value>, Error> {
    paths
        .split(',')
        .map(|path| {
            let found = attribute_of(item, path.trim(), None)?;
            if found.is_undefined() { Err(undefined()) } else { Ok(found) }
        })
        .collect()
}

/// Arguments for another filter or test.
fn arguments(call: &Call<'_, '_, '_>, from: usize) -> Vec<Value> {
    let mut arguments = call.rest.get(from..).unwrap_or_default().to_vec();
    if !call.named.is_empty() {
        arguments.push(Value::from(call.named.iter().cloned().collect::<Kwargs>()));
    }
    arguments
}

fn map(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let all = call.items(0)?;
    let attribute =
        call.named.iter().find(|(name, _)| name == "attribute").map(|(_, value)| text(value)).transpose()?;
    if let Some(attribute) = attribute.filter(|_| call.rest.is_empty()) {
        if let Some((name, _)) = call.named.iter().find(|(name, _)| !["attribute", "default"].contains(&name.as_str()))
        {
            return Err(refuse(format!("there is no argument `{name}`")));
        }
        let default = call.named.iter().find(|(name, _)| name == "default").map(|(_, value)| value);
        return all.iter().map(|item| attribute_of(item, &attribute, default)).collect();
    }
    let name = call.rest.first().ok_or_else(|| refuse("it takes the name of a filter, or an `attribute`"))?;
    let name = text(name)?;
    let mut given = arguments(call, 1);
    given.insert(0, Value::UNDEFINED);
    let mut found = Vec::with_capacity(all.len());
    for item in all {
        given[0] = item;
        found.push(call.state.apply_filter(&name, &given)?);
    }
    Ok(Value::from(found))
}

fn pick(call: &mut Call<'_, '_, '_>, wanted: bool, by_attribute: bool) -> Result<Value, Error> {
    let all = call.items(0)?;
    let attribute = match by_attribute {
        true => Some(text(call.rest.first().ok_or_else(|| refuse("it takes the name of an attribute"))?)?),
        false => None,
    };
    let from = usize::from(by_attribute);
    let test = call.rest.get(from).map(text).transpose()?;
    let mut given = arguments(call, from + 1);
    given.insert(0, Value::UNDEFINED);
    let mut found = Vec::new();
    for item in all {
        let looked_at = match &attribute {
            Some(attribute) => attribute_of(&item, attribute, None)?,
            None => item.clone(),
        };
        let passes = match &test {
            Some(test) => {
                given[0] = looked_at;
                call.state.perform_test(test, &given)?
            }
            None if looked_at.is_undefined() => return Err(undefined()),
            None => looked_at.is_true(),
        };
        if passes == wanted {
            found.push(item);
        }
    }
    Ok(Value::from(found))
}
