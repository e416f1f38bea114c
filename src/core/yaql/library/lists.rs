//! Lists: making them, and changing single places.

use super::Entry;
use crate::core::yaql::error::Outcome;
use crate::core::yaql::iterate::{Source, length};
use crate::core::yaql::resolve::Call;
use crate::core::yaql::signature::Way::{Both, Function, Method};
use crate::core::yaql::value::Value;

pub(super) const FUNCTIONS: &[Entry] = &[
    ("list", Function, "*args: Any?", |call| {
        let mut items = Vec::new();
        for value in std::mem::take(&mut call.rest) {
            match value {
                Value::Iterator(_) => super::collections::unrolled(call, &value, &mut items)?,
                other => items.push(other),
            }
        }
        call.run.fits(items.len())?;
        call.run.charge(items.len())?;
        Value::tuple(items)
    }),
    ("toList", Method, "collection: Iterable", |call| match call.value(0) {
        Value::List(list) if list.tuple => {
            call.run.fits(list.items.len())?;
            Ok(Value::List(list))
        }
        _ => Value::tuple(call.all(0)?),
    }),
    ("flatten", Method, "collection: Iterable", flatten),
    ("isList", Function, "arg: Any?", |call| Ok(Value::Bool(matches!(call.value(0), Value::List(_))))),
    ("isIterable", Function, "value: Any?", |call| {
        Ok(Value::Bool(Source::of(&call.value(0)).is_ok() && !matches!(call.value(0), Value::Text(_) | Value::Map(_))))
    }),
    ("len", Both, "sequence: Sequence", |call| Ok(Value::from(length(&call.value(0)).unwrap_or_default()))),
    ("len", Both, "collection: Iterator", |call| {
        let mut items = call.items(0)?;
        let mut count = 0_usize;
        while items.next(call.run)?.is_some() {
            count += 1;
        }
        Ok(Value::from(count))
    }),
    ("contains", Method, "collection: Iterable, value: Any?", |call| super::operators::contains(call, 0, 1)),
    ("delete", Method, "collection: Iterable, position: Int, count: Int = 1", |call| {
        let (mut items, position, count) = (call.items(0)?, call.whole(1), call.whole(2));
        let mut at = -1;
        call.lazy(move |run| {
            while let Some(item) = items.next(run)? {
                at += 1;
                if !covered(at, position, count) {
                    return Ok(Some(item));
                }
            }
            Ok(None)
        })
    }),
    ("replace", Method, "collection: Iterable, position: Int, value: Any?, count: Int = 1", |call| {
        let value = call.value(2);
        replace(call, Value::tuple(vec![value])?)
    }),
    ("replaceMany", Method, "collection: Iterable, position: Int, values: Iterable, count: Int = 1", |call| {
        let values = call.value(2);
        replace(call, values)
    }),
    ("insert", Method, "collection: Iterable, position: Int, value: Any?", |call| {
        if matches!(call.value(0), Value::Set(_) | Value::View(..)) {
            return crate::core::yaql::resolve::no_match("insert", true, &[call.value(0).kind()]);
        }
        let value = call.value(2);
        insert(call, Value::tuple(vec![value])?, false)
    }),
    ("insert", Method, "collection: Sequence, position: Int, value: Any?", |call| {
        let mut items = Source::of(&call.value(0))?.collect(call.run)?;
        let length = i128::try_from(items.len()).unwrap_or(i128::MAX);
        let position = call.whole(1);
        let position = if position < 0 { position.saturating_add(length).max(0) } else { position.min(length) };
        items.insert(usize::try_from(position).unwrap_or_default(), call.value(2));
        Value::list(items)
    }),
    ("insertMany", Method, "collection: Iterable, position: Int, values: Iterable", |call| {
        let values = call.value(2);
        insert(call, values, true)
    }),
];

/// Whether this place is among `count` from `position` on; a negative count means all.
fn covered(at: i128, position: i128, count: i128) -> bool {
    at >= position && (count < 0 || at < position.saturating_add(count))
}

fn flatten(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut sources = vec![call.items(0)?];
    call.lazy(move |run| {
        while let Some(source) = sources.last_mut() {
            match source.next(run)? {
                None => {
                    sources.pop();
                }
                Some(Value::Text(text)) => return Ok(Some(Value::Text(text))),
                Some(map @ Value::Map(_)) => return Ok(Some(map)),
                Some(item) => match Source::limited(run, &item) {
                    Ok(inner) => sources.push(inner),
                    Err(error) if length(&item).is_some() => return Err(error),
                    Err(_) => return Ok(Some(item)),
                },
            }
        }
        Ok(None)
    })
}

fn replace(call: &Call<'_, '_>, values: Value) -> Outcome<Value> {
    let (mut items, position, count) = (call.items(0)?, call.whole(1), call.whole(3));
    let mut waiting = Some(Source::limited(call.run, &values)?);
    let mut values: Option<Source> = None;
    let mut at = -1;
    call.lazy(move |run| {
        loop {
            if let Some(source) = &mut values {
                if let Some(value) = source.next(run)? {
                    return Ok(Some(value));
                }
                values = None;
            }
            let Some(item) = items.next(run)? else { return Ok(None) };
            at += 1;
            if !covered(at, position, count) {
                return Ok(Some(item));
            }
            values = values.take().or_else(|| waiting.take());
        }
    })
}

fn insert(call: &Call<'_, '_>, values: Value, many: bool) -> Outcome<Value> {
    let (mut items, position) = (call.items(0)?, call.whole(1));
    let values = Source::limited(call.run, &values)?;
    let mut values = Some(values);
    let mut now: Option<Source> = None;
    let mut held: Option<Value> = None;
    let mut at = -1;
    let mut ended = false;
    if many && position < 0 {
        now = values.take();
    }
    call.lazy(move |run| {
        loop {
            if let Some(source) = &mut now {
                if let Some(value) = source.next(run)? {
                    return Ok(Some(value));
                }
                now = None;
            }
            if let Some(item) = held.take() {
                return Ok(Some(item));
            }
            if ended {
                return Ok(None);
            }
            match items.next(run)? {
                Some(item) => {
                    at += 1;
                    held = Some(item);
                    if at == position {
                        now = values.take();
                    }
                }
                None => {
                    ended = true;
                    if position > at {
                        now = values.take();
                    }
                }
            }
        }
    })
}
