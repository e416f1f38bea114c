//! Operators. Those that need no types (`and`, `=`, `.`) are part of evaluating.

use super::Entry;
use super::math::{add, divide, multiply, remainder, subtract};
use crate::core::yaql::error::{Kind, Outcome, fail};
use crate::core::yaql::iterate::{Shared, Source};
use crate::core::yaql::resolve::{Call, no_match};
use crate::core::yaql::run::{Run, no_key};
use crate::core::yaql::signature::Way::{Function, FunctionWithRules};
use crate::core::yaql::text;
use crate::core::yaql::value::{Number, Value};
use std::cmp::Ordering;

macro_rules! comparing {
    ($name:literal) => {
        [
            ($name, Function, "left: Number, right: Number", |call| compared(call, $name)),
            ($name, Function, "left: String, right: String", |call| compared(call, $name)),
            ($name, Function, "left: Set, right: Set", |call| compared(call, $name)),
            ($name, Function, "left: DateTime, right: DateTime", |call| compared(call, $name)),
            ($name, Function, "left: Timespan, right: Timespan", |call| compared(call, $name)),
            ($name, Function, "left: Any, right: Null", |call| compared(call, $name)),
            ($name, Function, "left: Null, right: Any", |call| compared(call, $name)),
            ($name, Function, "left: Null, right: Null", |call| compared(call, $name)),
        ]
    };
}

const LESS: [Entry; 8] = comparing!("#operator_<");
const LESS_OR_SAME: [Entry; 8] = comparing!("#operator_<=");
const MORE: [Entry; 8] = comparing!("#operator_>");
const MORE_OR_SAME: [Entry; 8] = comparing!("#operator_>=");

const OTHERS: [Entry; 35] = [
    ("#operator_+", Function, "left: Number, right: Number", |call| add(call.number(0), call.number(1))),
    ("#operator_+", Function, "*args: String", joined),
    ("#operator_+", Function, "left: Iterable, right: Iterable", both_lists),
    ("#operator_+", Function, "left: Mapping, right: Mapping", both_maps),
    ("#operator_+", Function, "dt: DateTime, ts: Timespan", |call| {
        call.moment(0).plus(call.span(1)).map(Value::Moment)
    }),
    ("#operator_+", Function, "ts: Timespan, dt: DateTime", |call| {
        call.moment(1).plus(call.span(0)).map(Value::Moment)
    }),
    ("#operator_+", Function, "ts1: Timespan, ts2: Timespan", |call| span(call.span(0).checked_add(call.span(1)))),
    ("#operator_-", Function, "left: Number, right: Number", |call| subtract(call.number(0), call.number(1))),
    ("#operator_-", Function, "left: Set, right: Set", super::collections::difference),
    ("#operator_-", Function, "dt: DateTime, ts: Timespan", |call| {
        call.moment(0).plus(call.span(1).saturating_neg()).map(Value::Moment)
    }),
    ("#operator_-", Function, "dt1: DateTime, dt2: DateTime", |call| {
        Ok(Value::Span(call.moment(0).since(call.moment(1))))
    }),
    ("#operator_-", Function, "ts1: Timespan, ts2: Timespan", |call| span(call.span(0).checked_sub(call.span(1)))),
    ("#operator_*", Function, "left: Number, right: Number", |call| multiply(call.number(0), call.number(1))),
    ("#operator_*", Function, "left: Sequence, right: Int", |call| repeated_list(call, 0, 1)),
    ("#operator_*", Function, "left: Int, right: Sequence", |call| repeated_list(call, 1, 0)),
    ("#operator_*", Function, "left: String, right: Int", |call| repeated_text(call, 0, 1)),
    ("#operator_*", Function, "left: Int, right: String", |call| repeated_text(call, 1, 0)),
    ("#operator_*", Function, "ts: Timespan, n: Number", |call| scaled(call.span(0), call.number(1))),
    ("#operator_*", Function, "n: Number, ts: Timespan", |call| scaled(call.span(1), call.number(0))),
    ("#operator_/", Function, "left: Number, right: Number", |call| divide(call.number(0), call.number(1))),
    ("#operator_/", Function, "ts1: Timespan, ts2: Timespan", |call| {
        divide(Number::Float(Number::Int(i128::from(call.span(0))).float()), Number::Int(i128::from(call.span(1))))
    }),
    ("#operator_/", Function, "ts: Timespan, n: Number", divided_span),
    ("#operator_mod", Function, "left: Number, right: Number", |call| remainder(call.number(0), call.number(1))),
    ("#unary_operator_+", Function, "op: Number", |call| Ok(call.value(0))),
    ("#unary_operator_+", Function, "ts: Timespan", |call| Ok(call.value(0))),
    ("#unary_operator_-", Function, "op: Number", |call| match call.number(0) {
        Number::Float(float) => Ok(Value::Float(-float)),
        whole => subtract(Number::Int(0), whole),
    }),
    ("#unary_operator_-", Function, "ts: Timespan", |call| span(call.span(0).checked_neg())),
    ("#operator_in", Function, "value: Any?, collection: Iterable", |call| contains(call, 1, 0)),
    ("#operator_in", Function, "left: String, right: String", |call| {
        call.run.charge(call.text(1).len() / 32 + 1)?;
        Ok(Value::Bool(call.text(1).contains(&*call.text(0))))
    }),
    ("#operator_=~", Function, "string: String, regexp: Regex", |call| matches(call, true)),
    ("#operator_=~", Function, "string: String, pattern: String", |call| matches(call, true)),
    ("#operator_!~", Function, "string: String, regexp: Regex", |call| matches(call, false)),
    ("#operator_!~", Function, "string: String, pattern: String", |call| matches(call, false)),
    ("#map", FunctionWithRules, "*args: Pair", super::collections::of_pairs),
    ("#list", Function, "*args: Any?", |call| Value::tuple(std::mem::take(&mut call.rest))),
];

const ACCESS: [Entry; 4] = [
    ("#indexer", Function, "dict: Mapping, key: Any?", |call| {
        let (map, key) = (call.map(0), call.value(1));
        call.run.key(&key)?;
        match map.entries.get(&key) {
            Some(value) => Ok(value.clone()),
            None => no_key(&text::python(&key), map.entries.keys()),
        }
    }),
    ("#indexer", Function, "dict: Mapping, key: Any?, default: Any?", |call| {
        let key = call.value(1);
        call.run.key(&key)?;
        Ok(call.map(0).entries.get(&key).cloned().unwrap_or_else(|| call.value(2)))
    }),
    ("#indexer", Function, "list: Indexable, index: Int", at),
    ("#call", Function, "callable: Callable, *args: Any?, **kwargs", |call| match call.lambda(0) {
        Some(lambda) => {
            lambda.call_named(call.run, &lambda.scope, std::mem::take(&mut call.rest), std::mem::take(&mut call.extra))
        }
        None => fail(Kind::Type, "only a lambda can be called"),
    }),
];

const ALL: [Entry; 71] = {
    let mut all = [ACCESS[0]; 71];
    let mut at = 0;
    while at < 8 {
        all[at] = LESS[at];
        all[at + 8] = LESS_OR_SAME[at];
        all[at + 16] = MORE[at];
        all[at + 24] = MORE_OR_SAME[at];
        at += 1;
    }
    at = 0;
    while at < 35 {
        all[32 + at] = OTHERS[at];
        at += 1;
    }
    at = 0;
    while at < 4 {
        all[67 + at] = ACCESS[at];
        at += 1;
    }
    all
};

pub(super) const FUNCTIONS: &[Entry] = &ALL;

fn compared(call: &mut Call<'_, '_>, name: &str) -> Outcome<Value> {
    compare(call.run, name, &call.value(0), &call.value(1)).map(Value::Bool)
}

/// Whether two values stand so to each other. Only numbers, texts, sets, times and spans have an order among themselves; null is less than
/// everything else.
pub(crate) fn compare(run: &Run<'_>, name: &str, left: &Value, right: &Value) -> Outcome<bool> {
    run.charge(1)?;
    let order = match (left, right) {
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        (Value::Null, _) => Some(Ordering::Less),
        (_, Value::Null) => Some(Ordering::Greater),
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            let float = |value: &Value| value.number().map_or(f64::NAN, Number::float);
            float(left).partial_cmp(&float(right))
        }
        (Value::Text(left), Value::Text(right)) => {
            run.charge(left.len().min(right.len()) / 32)?;
            Some(left.cmp(right))
        }
        (Value::Moment(left), Value::Moment(right)) => Some(left.cmp(right)),
        (Value::Span(left), Value::Span(right)) => Some(left.cmp(right)),
        _ => match (left.members(), right.members()) {
            (Some(one), Some(other)) => {
                run.charge_for(left)?;
                run.charge_for(right)?;
                match (one.is_subset(&other), other.is_subset(&one)) {
                    (true, true) => Some(Ordering::Equal),
                    (true, false) => Some(Ordering::Less),
                    (false, true) => Some(Ordering::Greater),
                    (false, false) => None,
                }
            }
            _ => return no_match(name, false, &[left.kind(), right.kind()]).map(|_| false),
        },
    };
    Ok(match name {
        "#operator_<" => order == Some(Ordering::Less),
        "#operator_<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        "#operator_>" => order == Some(Ordering::Greater),
        _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    })
}

/// The short way for two numbers or two texts.
pub(crate) fn quick(run: &Run<'_>, name: &str, left: &Value, right: &Value) -> Outcome<Option<Value>> {
    let numbers = match (left, right) {
        (Value::Text(_), Value::Text(_)) => {
            return match name {
                "#operator_<" | "#operator_<=" | "#operator_>" | "#operator_>=" => {
                    compare(run, name, left, right).map(|truth| Some(Value::Bool(truth)))
                }
                _ => Ok(None),
            };
        }
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => left.number().zip(right.number()),
        _ => None,
    };
    let Some((one, other)) = numbers else { return Ok(None) };
    match name {
        "#operator_+" => add(one, other),
        "#operator_-" => subtract(one, other),
        "#operator_*" => multiply(one, other),
        "#operator_/" => divide(one, other),
        "#operator_mod" => remainder(one, other),
        "#operator_<" | "#operator_<=" | "#operator_>" | "#operator_>=" => {
            compare(run, name, left, right).map(Value::Bool)
        }
        _ => return Ok(None),
    }
    .map(Some)
}

pub(super) fn joined(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let parts: Vec<_> = call.rest.iter().filter_map(Value::as_text).collect();
    call.run.room_for(parts.iter().map(|part| part.len()).sum())?;
    Ok(Value::from(parts.concat()))
}

fn both_lists(call: &mut Call<'_, '_>) -> Outcome<Value> {
    match (call.value(0), call.value(1)) {
        (Value::List(one), Value::List(other)) if one.tuple && other.tuple => {
            call.run.fits(one.items.len())?;
            call.run.fits(other.items.len())?;
            call.run.charge(one.items.len() + other.items.len())?;
            Value::tuple(one.items.iter().chain(&other.items).cloned().collect())
        }
        (Value::Set(_), Value::Set(_)) => super::collections::union(call),
        (one, other) => chain(call, vec![one, other]),
    }
}

/// One collection after another.
pub(super) fn chain(call: &Call<'_, '_>, collections: Vec<Value>) -> Outcome<Value> {
    let depth = collections.iter().map(|one| one.shape().depth).max().unwrap_or_default();
    let sources = collections.iter().map(|one| Source::limited(call.run, one)).collect::<Outcome<Vec<_>>>()?;
    let mut sources = sources.into_iter();
    let mut source = sources.next();
    Shared::value(depth, move |run| {
        while let Some(here) = &mut source {
            if let Some(item) = here.next(run)? {
                return Ok(Some(item));
            }
            source = sources.next();
        }
        Ok(None)
    })
}

fn both_maps(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (one, other) = (call.map(0), call.map(1));
    call.run.charge(one.entries.len() + other.entries.len())?;
    let entries = one.entries.iter().chain(&other.entries);
    Value::map(entries.map(|(key, value)| (key.clone(), value.clone())))
}

pub(super) fn span(span: Option<i64>) -> Outcome<Value> {
    match span.filter(|span| span.unsigned_abs() <= crate::core::yaql::time::LONGEST) {
        Some(span) => Ok(Value::Span(span)),
        None => fail(Kind::Overflow, "a length of time ends at 292,000 years"),
    }
}

fn scaled(length: i64, by: Number) -> Outcome<Value> {
    match by {
        Number::Int(by) => span(i128::from(length).checked_mul(by).and_then(|length| i64::try_from(length).ok())),
        Number::Float(by) => span_of(Number::Int(i128::from(length)).float() * by),
    }
}

fn divided_span(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let length = Number::Float(Number::Int(i128::from(call.span(0))).float());
    match divide(length, call.number(1))? {
        Value::Float(length) => span_of(length),
        other => Ok(other),
    }
}

/// Microseconds, rounded half to even as Python does.
fn span_of(length: f64) -> Outcome<Value> {
    if length.is_nan() {
        return fail(Kind::Value, "what is no number is no length of time");
    }
    span(crate::core::yaql::value::exact(length.round_ties_even()).and_then(|length| i64::try_from(length).ok()))
}

fn repeated_list(call: &mut Call<'_, '_>, list: usize, times: usize) -> Outcome<Value> {
    let items = Source::of(&call.value(list))?.collect(call.run)?;
    let times = usize::try_from(call.whole(times).max(0)).unwrap_or(usize::MAX);
    let count = items.len().saturating_mul(times);
    call.run.charge(count)?;
    call.run.fits(count)?;
    let repeated = (0..times.min(count)).flat_map(|_| items.iter().cloned()).collect();
    match call.value(list) {
        Value::List(list) if !list.tuple => Value::list(repeated),
        _ => Value::tuple(repeated),
    }
}

fn repeated_text(call: &mut Call<'_, '_>, text: usize, times: usize) -> Outcome<Value> {
    let text = call.text(text);
    let times = usize::try_from(call.whole(times).max(0)).unwrap_or(usize::MAX);
    call.run.room_for(text.len().saturating_mul(times))?;
    Ok(if text.is_empty() { Value::Text(text) } else { Value::from(text.repeat(times)) })
}

/// Python's `value in collection`.
pub(super) fn contains(call: &mut Call<'_, '_>, collection: usize, value: usize) -> Outcome<Value> {
    let (collection_value, value) = (call.value(collection), call.value(value));
    if let Value::Set(set) = &collection_value {
        call.run.key(&value)?;
        return Ok(Value::Bool(set.members.contains(&value)));
    }
    if let Value::View(map, crate::core::yaql::value::View::Keys) = &collection_value {
        call.run.key(&value)?;
        return Ok(Value::Bool(map.entries.contains_key(&value)));
    }
    let mut items = call.items(collection)?;
    while let Some(item) = items.next(call.run)? {
        if call.run.same(&item, &value)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn matches(call: &mut Call<'_, '_>, wanted: bool) -> Outcome<Value> {
    let pattern = match call.value(1) {
        Value::Pattern(pattern) => pattern,
        _ => call.run.pattern(&call.text(1))?,
    };
    Ok(Value::Bool(pattern.is_in(call.run, &call.text(0))? == wanted))
}

fn at(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let list = call.value(0);
    let length = crate::core::yaql::iterate::length(&list).unwrap_or_default();
    let index = call.whole(1);
    let place = if index < 0 { index + i128::try_from(length).unwrap_or(i128::MAX) } else { index };
    let place = usize::try_from(place).ok().filter(|place| *place < length);
    let Some(place) = place else {
        return fail(Kind::Index, format!("the list has {length} items, none at {index}"));
    };
    match &list {
        Value::List(list) => Ok(list.items[place].clone()),
        other => Ok(Source::of(other)?.collect(call.run)?[place].clone()),
    }
}
