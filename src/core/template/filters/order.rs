//! Filters that put things in an order, or look for the same.

use super::pick::{attribute_of, attributes_of};
use super::{Filter, filter};
use crate::core::template::arguments::Call;
use crate::core::template::python::{compare, items, kind, refuse, same, text, tuple};
use minijinja::value::{Enumerator, Object, ObjectRepr, ValueKind};
use minijinja::{Error, Value};
use std::cmp::Ordering;
use std::sync::Arc;

pub(super) const FILTERS: &[Filter] = &[
    filter("dictsort", &["value", "case_sensitive", "by", "reverse"], sorted_entries),
    filter("groupby", &["value", "attribute", "default", "case_sensitive"], grouped),
    filter("max", &["value", "case_sensitive", "attribute"], |call| extreme(call, Ordering::Greater)),
    filter("min", &["value", "case_sensitive", "attribute"], |call| extreme(call, Ordering::Less)),
    filter("sort", &["value", "reverse", "case_sensitive", "attribute"], sorted),
    filter("unique", &["value", "case_sensitive", "attribute"], unique),
];

/// What things are ordered by: text in small letters unless the case matters.
fn key(value: Value, case_sensitive: bool) -> Value {
    match value.as_str() {
        Some(text) if !case_sensitive => Value::from(text.to_lowercase()),
        _ => value,
    }
}

/// Sorts by keys that may have no order. Equal ones stay as they were, in reverse as well.
fn sort_by_key(keyed: &mut [(Value, Value)], reverse: bool) -> Result<(), Error> {
    let mut failed = None;
    keyed.sort_by(|(one, _), (other, _)| {
        let order = compare(one, other).unwrap_or_else(|error| {
            failed.get_or_insert(error);
            Ordering::Equal
        });
        if reverse { order.reverse() } else { order }
    });
    failed.map_or(Ok(()), Err)
}

/// Comparing costs as well.
fn pay(call: &Call<'_, '_, '_>, count: usize) -> Result<(), Error> {
    let steps = count.saturating_mul(count.checked_ilog2().unwrap_or(0) as usize);
    call.state.consume_fuel(u64::try_from(steps).unwrap_or(u64::MAX))
}

fn sorted(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let case_sensitive = call.truth_or(2, false);
    let attribute = call.given(3).map(text).transpose()?;
    let all = call.items(0)?;
    pay(call, all.len())?;
    let mut keyed = Vec::new();
    for item in all {
        let by = match &attribute {
            Some(attribute) => {
                let keys = attributes_of(&item, attribute)?;
                Value::from(keys.into_iter().map(|found| key(found, case_sensitive)).collect::<Vec<_>>())
            }
            None => key(item.clone(), case_sensitive),
        };
        keyed.push((by, item));
    }
    sort_by_key(&mut keyed, call.truth_or(1, false))?;
    Ok(keyed.into_iter().map(|(_, item)| item).collect())
}

fn sorted_entries(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let map = call.defined(0)?.clone();
    if map.kind() != ValueKind::Map {
        return Err(refuse(format!("it takes a map, not {}", kind(&map))));
    }
    let case_sensitive = call.truth_or(1, false);
    let by = call.text_or(2, "key")?;
    if !["key", "value"].contains(&by.as_str()) {
        return Err(refuse("`by` is key or value"));
    }
    let keys = items(call.state, &map)?;
    pay(call, keys.len())?;
    let mut keyed = Vec::new();
    for name in keys {
        let item = map.get_item(&name)?;
        let by = if by == "key" { name.clone() } else { item.clone() };
        keyed.push((key(by, case_sensitive), tuple(vec![name, item])));
    }
    sort_by_key(&mut keyed, call.truth_or(3, false))?;
    Ok(keyed.into_iter().map(|(_, item)| item).collect())
}

/// A group of `groupby`: a pair that also knows its parts by name.
#[derive(Debug)]
pub(crate) struct Group {
    by: Value,
    list: Value,
}

impl Object for Group {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match (key.as_str(), key.as_usize()) {
            (Some("grouper"), _) | (None, Some(0)) => Some(self.by.clone()),
            (Some("list"), _) | (None, Some(1)) => Some(self.list.clone()),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(2)
    }
}

fn grouped(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let attribute = call.text(1)?;
    let default = call.given(2).cloned();
    let case_sensitive = call.truth_or(3, false);
    let all = call.items(0)?;
    pay(call, all.len())?;
    let mut keyed = Vec::new();
    for item in all {
        let by = attribute_of(&item, &attribute, default.as_ref())?;
        keyed.push((key(by, case_sensitive), item));
    }
    sort_by_key(&mut keyed, false)?;
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    for (by, item) in keyed {
        match groups.last_mut() {
            Some((last, list)) if same(last, &by)? => list.push(item),
            _ => groups.push((by, vec![item])),
        }
    }
    groups
        .into_iter()
        .map(|(_, list)| {
            // The group is called as its first member writes it.
            let first = list.first().cloned().unwrap_or_default();
            let by = attribute_of(&first, &attribute, default.as_ref())?;
            Ok(Value::from_object(Group { by, list: Value::from(list) }))
        })
        .collect()
}

fn extreme(call: &mut Call<'_, '_, '_>, wanted: Ordering) -> Result<Value, Error> {
    let case_sensitive = call.truth_or(1, false);
    let attribute = call.given(2).map(text).transpose()?;
    let mut best: Option<(Value, Value)> = None;
    for item in call.items(0)? {
        let by = match &attribute {
            Some(attribute) => attribute_of(&item, attribute, None)?,
            None => item.clone(),
        };
        let by = key(by, case_sensitive);
        match &best {
            Some((found, _)) if compare(&by, found)? != wanted => {}
            _ => best = Some((by, item)),
        }
    }
    Ok(best.map(|(_, item)| item).unwrap_or_default())
}

fn unique(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let case_sensitive = call.truth_or(1, false);
    let attribute = call.given(2).map(text).transpose()?;
    let mut seen: Vec<Value> = Vec::new();
    let mut found = Vec::new();
    for item in call.items(0)? {
        let by = match &attribute {
            Some(attribute) => attribute_of(&item, attribute, None)?,
            None => item.clone(),
        };
        let by = key(by, case_sensitive);
        call.state.consume_fuel(1 + u64::try_from(seen.len() / 8).unwrap_or(u64::MAX))?;
        let mut known = false;
        for other in &seen {
            known = known || same(other, &by)?;
        }
        if !known {
            seen.push(by);
            found.push(item);
        }
    }
    Ok(Value::from(found))
}
