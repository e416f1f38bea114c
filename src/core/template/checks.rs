//! The tests of Jinja2 (`is defined`, `is in`) as far as Python answers them otherwise than the engine does.

use crate::core::template::python::{compare, same, undefined};
use crate::core::template::surroundings::Step;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, Value};
use std::cmp::Ordering;

/// What the engine has and Jinja2 has not.
const FOREIGN: [&str; 4] = ["endingwith", "int", "safe", "startingwith"];

pub(super) fn add_to(environment: &mut Environment<'static>) {
    for name in FOREIGN {
        environment.remove_test(name);
    }
    environment.add_test("callable", |value: &Value| {
        !value.is_undefined() && value.kind() == ValueKind::Plain && value.downcast_object_ref::<Step>().is_none()
    });
    environment.add_test("sequence", |value: &Value| has_items(value));
    environment.add_test("iterable", |value: &Value| has_items(value));
    environment
        .add_test("string", |value: &Value| value.as_str().is_some() || value.downcast_object_ref::<Step>().is_some());
    for name in ["eq", "equalto", "=="] {
        environment.add_test(name, |one: &Value, other: &Value| same(one, other));
    }
    for name in ["ne", "!="] {
        environment.add_test(name, |one: &Value, other: &Value| same(one, other).map(|same| !same));
    }
    /// Names of a test, and what it asks of an order.
    type Ordered = (&'static [&'static str], fn(Ordering) -> bool);
    let ordered: [Ordered; 4] = [
        (&["lt", "lessthan", "<"], Ordering::is_lt),
        (&["le", "<="], Ordering::is_le),
        (&["gt", "greaterthan", ">"], Ordering::is_gt),
        (&["ge", ">="], Ordering::is_ge),
    ];
    for (names, fits) in ordered {
        for name in names {
            environment.add_test(*name, move |one: &Value, other: &Value| {
                if one.is_undefined() || other.is_undefined() {
                    return Err(undefined());
                }
                compare(one, other).map(fits)
            });
        }
    }
    environment.add_test("in", |item: &Value, inside: &Value| is_in(item, inside));
}

fn has_items(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Iterable | ValueKind::Map)
}

fn is_in(item: &Value, inside: &Value) -> Result<bool, Error> {
    if item.is_undefined() || inside.is_undefined() {
        return Err(undefined());
    }
    if let (Some(part), Some(text)) = (item.as_str(), inside.as_str()) {
        return Ok(text.contains(part));
    }
    match inside.kind() {
        ValueKind::Map => Ok(!inside.get_item(item)?.is_undefined()),
        ValueKind::Seq | ValueKind::Iterable => {
            for other in inside.try_iter()?.checked() {
                if same(item, &other?)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Err(crate::core::template::python::refuse(format!(
            "nothing can be in {}",
            crate::core::template::python::kind(inside)
        ))),
    }
}
