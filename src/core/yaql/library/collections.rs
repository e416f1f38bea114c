//! Maps and sets.

use super::Entry;
use crate::core::yaql::error::{Kind, Outcome, fail};
use crate::core::yaql::iterate::{Source, length};
use crate::core::yaql::resolve::Call;
use crate::core::yaql::signature::Way::{Both, Function, FunctionWithRules, Method, MethodWithRules};
use crate::core::yaql::value::{Value, View};
use indexmap::{IndexMap, IndexSet};

pub(super) const FUNCTIONS: &[Entry] = &[
    ("dict", FunctionWithRules, "*args: Pair", of_pairs),
    ("dict", FunctionWithRules, "items: Iterable", of_items),
    ("toDict", Method, "collection: Iterable, keySelector: Lambda, valueSelector: Lambda = null", to_dict),
    ("get", Method, "dict: Mapping, key: Any?, default: Any? = null", |call| {
        let key = call.value(1);
        call.run.key(&key)?;
        Ok(call.map(0).entries.get(&key).cloned().unwrap_or_else(|| call.value(2)))
    }),
    ("set", MethodWithRules, "dict: Mapping, key: Any?, value: Any?", |call| {
        let entry = (call.value(1), call.value(2));
        with(call, vec![entry])
    }),
    ("set", MethodWithRules, "dict: Mapping, replacements: Mapping", |call| {
        let entries = call.map(1).entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        with(call, entries)
    }),
    ("set", MethodWithRules, "dict: Mapping, *args: Pair", |call| {
        let entries = pairs(call);
        with(call, entries)
    }),
    ("keys", Method, "dict: Mapping", |call| Ok(Value::View(call.map(0), View::Keys))),
    ("values", Method, "dict: Mapping", |call| {
        call.run.charge(call.map(0).entries.len())?;
        Value::list(call.map(0).entries.values().cloned().collect())
    }),
    ("items", Method, "dict: Mapping", |call| Ok(Value::View(call.map(0), View::Items))),
    ("containsKey", Method, "dict: Mapping, key: Any?", |call| {
        call.run.key(&call.value(1))?;
        Ok(Value::Bool(call.map(0).entries.contains_key(&call.value(1))))
    }),
    ("containsValue", Method, "dict: Mapping, value: Any?", |call| {
        for value in call.map(0).entries.values() {
            call.run.charge(1)?;
            if call.run.same(value, &call.value(1))? {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }),
    ("isDict", Function, "arg: Any?", |call| Ok(Value::Bool(matches!(call.value(0), Value::Map(_))))),
    ("isSet", Function, "arg: Any?", |call| Ok(Value::Bool(matches!(call.value(0), Value::Set(_) | Value::View(..))))),
    ("len", Both, "dict: Mapping", |call| Ok(Value::from(call.map(0).entries.len()))),
    ("len", Both, "set: Set", |call| Ok(Value::from(length(&call.value(0)).unwrap_or_default()))),
    ("delete", Method, "dict: Mapping, *keys: Any?", |call| {
        let keys = std::mem::take(&mut call.rest);
        without(call, keys)
    }),
    ("deleteAll", Method, "dict: Mapping, keys: Iterable", |call| {
        let keys = call.all(1)?;
        without(call, keys)
    }),
    (
        "mergeWith",
        Method,
        "dict: Mapping, another: Mapping, listMerger: Lambda = null, itemMerger: Lambda = null, maxLevels: Int = 0",
        |call| merge(call, &call.value(0), &call.value(1), call.whole(4)),
    ),
    ("set", Function, "*args: Any?", |call| {
        let mut members = Vec::new();
        for value in std::mem::take(&mut call.rest) {
            match value {
                Value::Iterator(_) => unrolled(call, &value, &mut members)?,
                other => members.push(other),
            }
        }
        call.run.fits(members.len())?;
        of_members(call, members)
    }),
    ("toSet", Method, "collection: Iterable", |call| {
        let members = call.all(0)?;
        of_members(call, members)
    }),
    ("union", Method, "left: Set, right: Set", union),
    ("intersect", Method, "left: Set, right: Set", |call| of(call, |one, other| other.contains(one), false)),
    ("difference", Method, "left: Set, right: Set", difference),
    ("symmetricDifference", Method, "left: Set, right: Set", |call| of(call, |one, other| !other.contains(one), true)),
    ("add", Method, "set: Set, *values: Any?", |call| {
        let mut members: Vec<_> = call.value(0).members().into_iter().flatten().collect();
        members.append(&mut call.rest);
        of_members(call, members)
    }),
    ("remove", Method, "set: Set, *values: Any?", |call| {
        let mut gone = IndexSet::new();
        for value in std::mem::take(&mut call.rest) {
            call.run.key(&value)?;
            gone.insert(value);
        }
        let members = call.value(0).members().into_iter().flatten();
        of_members(call, members.filter(|member| !gone.contains(member)).collect())
    }),
];

/// Iterators in an argument are gone through, with those in them; other collections are members.
pub(super) fn unrolled(call: &Call<'_, '_>, value: &Value, into: &mut Vec<Value>) -> Outcome<()> {
    let mut source = Source::limited(call.run, value)?;
    while let Some(item) = source.next(call.run)? {
        match item {
            Value::Iterator(_) => call.run.within(|| unrolled(call, &item, into))?,
            other => into.push(other),
        }
        call.run.fits(into.len())?;
    }
    Ok(())
}

fn of_members(call: &Call<'_, '_>, members: Vec<Value>) -> Outcome<Value> {
    let mut set = IndexSet::new();
    for member in members {
        call.run.key(&member)?;
        set.insert(member);
    }
    Value::set_of(set)
}

fn of(call: &Call<'_, '_>, keep: fn(&Value, &IndexSet<Value>) -> bool, both: bool) -> Outcome<Value> {
    let (left, right) = (call.value(0), call.value(1));
    call.run.charge_for(&left)?;
    call.run.charge_for(&right)?;
    let (one, other) = (left.members().unwrap_or_default(), right.members().unwrap_or_default());
    let mut members: IndexSet<_> = one.iter().filter(|member| keep(member, &other)).cloned().collect();
    if both {
        members.extend(other.iter().filter(|member| keep(member, &one)).cloned());
    }
    Value::set_of(members)
}

pub(super) fn difference(call: &mut Call<'_, '_>) -> Outcome<Value> {
    of(call, |one, other| !other.contains(one), false)
}

pub(super) fn union(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let both = [call.value(0), call.value(1)];
    call.run.charge_for(&both[0])?;
    call.run.charge_for(&both[1])?;
    Value::set_of(both.iter().filter_map(Value::members).flatten().collect())
}

fn pairs(call: &mut Call<'_, '_>) -> Vec<(Value, Value)> {
    let rules = std::mem::take(&mut call.rest).into_iter();
    rules
        .filter_map(|rule| if let Value::Rule(pair) = rule { Some((pair.0.clone(), pair.1.clone())) } else { None })
        .collect()
}

fn of_entries(call: &Call<'_, '_>, entries: impl IntoIterator<Item = (Value, Value)>, frozen: bool) -> Outcome<Value> {
    let mut map = IndexMap::new();
    for (key, value) in entries {
        call.run.key(&key)?;
        map.insert(key, value);
    }
    Value::map_of(map, frozen)
}

pub(super) fn of_pairs(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let entries = pairs(call);
    of_entries(call, entries, true)
}

fn of_items(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut items = call.items(0)?;
    let mut map = IndexMap::new();
    while let Some(item) = items.next(call.run)? {
        let mut pair = Source::of(&item)?;
        let (Some(key), Some(value)) = (pair.next(call.run)?, pair.next(call.run)?) else {
            return fail(Kind::StopIteration, "a map is made of pairs, and here is something shorter");
        };
        call.run.key(&key)?;
        map.insert(key, value);
    }
    Value::map_of(map, true)
}

fn to_dict(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (mut items, keys, values) = (call.items(0)?, call.lambda(1), call.lambda(2));
    let mut map = IndexMap::new();
    while let Some(item) = items.next(call.run)? {
        let key = super::queries::applied(call.run, keys.as_deref(), &item)?;
        let value = match &values {
            Some(values) => values.call(call.run, &[item])?,
            None => item,
        };
        call.run.key(&key)?;
        map.insert(key, value);
    }
    Value::map_of(map, false)
}

fn with(call: &Call<'_, '_>, entries: Vec<(Value, Value)>) -> Outcome<Value> {
    let map = call.map(0);
    call.run.charge(map.entries.len())?;
    let before = map.entries.iter().map(|(key, value)| (key.clone(), value.clone()));
    of_entries(call, before.chain(entries), true)
}

fn without(call: &Call<'_, '_>, keys: Vec<Value>) -> Outcome<Value> {
    let map = call.map(0);
    call.run.charge(map.entries.len())?;
    let mut gone = IndexSet::new();
    for key in keys {
        call.run.key(&key)?;
        gone.insert(key);
    }
    let left = map.entries.iter().filter(|(key, _)| !gone.contains(*key));
    Value::map_of(left.map(|(key, value)| (key.clone(), value.clone())).collect(), false)
}

/// Maps are merged level by level, lists by the first lambda, everything else by the second.
fn merge(call: &Call<'_, '_>, one: &Value, other: &Value, levels: i128) -> Outcome<Value> {
    let (Value::Map(first), Value::Map(second)) = (one, other) else {
        return fail(Kind::Type, format!("{} cannot be merged with {}", one.kind(), other.kind()));
    };
    let mut merged = IndexMap::new();
    for (key, value) in &first.entries {
        call.run.charge(1)?;
        let value = match (second.entries.get(key), value) {
            (None, value) => value.clone(),
            (Some(Value::Map(_)), Value::Map(_)) if levels != 1 => {
                let other = &second.entries[key];
                call.run.within(|| merge(call, value, other, if levels == 0 { 0 } else { levels - 1 }))?
            }
            (Some(Value::List(_)), Value::List(_)) if levels != 1 => merge_lists(call, value, &second.entries[key])?,
            (Some(other @ (Value::Map(_) | Value::List(_))), value) if levels != 1 => {
                return fail(Kind::Type, format!("{} cannot be merged with {}", value.kind(), other.kind()));
            }
            (Some(other), value) => match call.lambda(3) {
                Some(merger) => merger.call(call.run, &[value.clone(), other.clone()])?,
                None => other.clone(),
            },
        };
        merged.insert(key.clone(), value);
    }
    for (key, value) in &second.entries {
        merged.entry(key.clone()).or_insert_with(|| value.clone());
    }
    Value::map_of(merged, false)
}

fn merge_lists(call: &Call<'_, '_>, one: &Value, other: &Value) -> Outcome<Value> {
    if let Some(merger) = call.lambda(2) {
        return merger.call(call.run, &[one.clone(), other.clone()]);
    }
    if let (Value::List(first), Value::List(second)) = (one, other)
        && first.tuple != second.tuple
    {
        return fail(Kind::Type, "a tuple cannot be put together with a list");
    }
    let mut all = IndexSet::new();
    for item in [one, other].into_iter().filter_map(Value::as_list).flatten() {
        call.run.key(item)?;
        all.insert(item.clone());
    }
    Value::tuple(all.into_iter().collect())
}
