//! Queries over collections. Most are lazy: they do their work while somebody goes through what they give.

use super::Entry;
use crate::core::yaql::error::{Kind, Outcome, fail};
use crate::core::yaql::iterate::{Ordered, Shared, Source, length};
use crate::core::yaql::library::math::add;
use crate::core::yaql::resolve::Call;
use crate::core::yaql::run::{Lambda, Run};
use crate::core::yaql::signature::Way::{Both, Function, Method};
use crate::core::yaql::value::{Number, Value};
use indexmap::{IndexMap, IndexSet};
use std::collections::VecDeque;
use std::sync::Arc;

pub(super) const FUNCTIONS: &[Entry] = &[
    ("where", Method, "collection: Iterable, predicate: Lambda", filter),
    ("filter", Method, "collection: Iterable, predicate: Lambda", filter),
    ("select", Method, "collection: Iterable, selector: Lambda", select),
    ("map", Method, "collection: Iterable, selector: Lambda", select),
    ("skip", Method, "collection: Iterable, count: Int", |call| {
        let (mut items, count) = (call.items(0)?, counted(call.whole(1))?);
        let mut skipped = 0;
        call.lazy(move |run| {
            while skipped < count {
                skipped += 1;
                if items.next(run)?.is_none() {
                    return Ok(None);
                }
            }
            items.next(run)
        })
    }),
    ("limit", Method, "collection: Iterable, count: Int", limit),
    ("take", Method, "collection: Iterable, count: Int", limit),
    ("append", Both, "collection: Iterable, *args: Any?", |call| {
        let mut items = call.items(0)?;
        let mut rest = std::mem::take(&mut call.rest).into_iter();
        let depth = rest.as_slice().iter().map(|item| item.shape().depth).max().unwrap_or_default();
        Shared::value(depth.max(call.value(0).shape().depth), move |run| {
            Ok(match items.next(run)? {
                Some(item) => Some(item),
                None => rest.next(),
            })
        })
    }),
    ("distinct", Both, "collection: Iterable, keySelector: Lambda = null", |call| {
        let (mut items, keys) = (call.items(0)?, call.lambda(1));
        let mut known = IndexSet::new();
        call.lazy(move |run| {
            while let Some(item) = items.next(run)? {
                let key = applied(run, keys.as_deref(), &item)?;
                run.key(&key)?;
                if known.insert(key) {
                    return Ok(Some(item));
                }
            }
            Ok(None)
        })
    }),
    ("enumerate", Both, "collection: Iterable, start: Int? = 0", |call| {
        let mut items = call.items(0)?;
        let mut at = match call.value(1).number() {
            Some(Number::Int(start)) => start,
            _ => return fail(Kind::Type, "enumerate counts from a whole number"),
        };
        call.lazy(move |run| {
            let Some(item) = items.next(run)? else { return Ok(None) };
            at += 1;
            Value::list(vec![Value::Int(at - 1), item]).map(Some)
        })
    }),
    ("any", Both, "collection: Iterable, predicate: Lambda = null", |call| {
        let (mut items, predicate) = (call.items(0)?, call.lambda(1));
        while let Some(item) = items.next(call.run)? {
            if predicate.is_none() || applied(call.run, predicate.as_deref(), &item)?.is_true() {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }),
    ("all", Both, "collection: Iterable, predicate: Lambda = null", |call| {
        let (mut items, predicate) = (call.items(0)?, call.lambda(1));
        while let Some(item) = items.next(call.run)? {
            if !applied(call.run, predicate.as_deref(), &item)?.is_true() {
                return Ok(Value::Bool(false));
            }
        }
        Ok(Value::Bool(true))
    }),
    ("concat", Both, "*collections: Iterable", |call| {
        let collections = std::mem::take(&mut call.rest);
        super::operators::chain(call, collections)
    }),
    ("count", Method, "collection: Iterable", |call| {
        let mut items = call.items(0)?;
        let mut count = 0_usize;
        while items.next(call.run)?.is_some() {
            count += 1;
        }
        Ok(Value::from(count))
    }),
    ("memorize", Method, "collection: Iterable", |call| match call.value(0) {
        shared @ Value::Iterator(_) => Value::tuple(Source::limited(call.run, &shared)?.collect(call.run)?),
        other => Ok(other),
    }),
    ("sum", Method, "collection: Iterable, initial: Any? =", |call| {
        fold(call, call.given(1), |call, sum, item| match (&sum, &item) {
            (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => match sum.number().zip(item.number())
            {
                Some((sum, item)) => add(sum, item),
                None => Ok(Value::Null),
            },
            _ => call.delegate("#operator_+", vec![sum, item]),
        })
    }),
    ("max", Method, "collection: Iterable, initial: Any? =", |call| {
        fold(call, call.given(1), |call, most, item| call.delegate("max", vec![most, item]))
    }),
    ("min", Method, "collection: Iterable, initial: Any? =", |call| {
        fold(call, call.given(1), |call, least, item| call.delegate("min", vec![least, item]))
    }),
    ("aggregate", Method, "collection: Iterable, selector: Lambda, seed: Any? =", aggregate),
    ("reduce", Method, "collection: Iterable, selector: Lambda, seed: Any? =", aggregate),
    ("first", Method, "collection: Iterable, default: Any? =", |call| {
        let first = call.items(0)?.next(call.run)?;
        first.or_else(|| call.given(1)).map_or_else(nothing_there, Ok)
    }),
    ("single", Method, "collection: Iterable", |call| {
        let mut items = call.items(0)?;
        match (items.next(call.run)?, items.next(call.run)?) {
            (Some(only), None) => Ok(only),
            (None, _) => nothing_there(),
            _ => fail(Kind::StopIteration, "the collection has more than one item"),
        }
    }),
    ("last", Method, "collection: Iterable, default: Any? =", |call| {
        if let Value::List(list) = call.value(0) {
            return list.items.last().cloned().or_else(|| call.given(1)).map_or_else(nothing_there, Ok);
        }
        let mut items = call.items(0)?;
        let mut last = call.given(1);
        while let Some(item) = items.next(call.run)? {
            last = Some(item);
        }
        last.map_or_else(nothing_there, Ok)
    }),
    ("selectMany", Method, "collection: Iterable, selector: Lambda", |call| {
        let (mut items, selector) = (call.items(0)?, call.lambda(1));
        let mut inner: Option<Source> = None;
        call.lazy(move |run| {
            loop {
                if let Some(source) = &mut inner {
                    if let Some(item) = source.next(run)? {
                        return Ok(Some(item));
                    }
                    inner = None;
                }
                let Some(item) = items.next(run)? else { return Ok(None) };
                match applied(run, selector.as_deref(), &item)? {
                    one @ (Value::List(_)
                    | Value::Set(_)
                    | Value::View(..)
                    | Value::Iterator(_)
                    | Value::Ordered(_)) => {
                        inner = Some(Source::limited(run, &one)?);
                    }
                    one => return Ok(Some(one)),
                }
            }
        })
    }),
    ("range", Function, "stop: Int", |call| range(call, 0, call.whole(0), 1)),
    ("range", Function, "start: Int, stop: Int, step: Int = 1", |call| {
        range(call, call.whole(0), call.whole(1), call.whole(2))
    }),
    ("sequence", Function, "start: Int = 0, step: Int = 1", |call| {
        let (mut at, step) = (call.whole(0), call.whole(1));
        call.lazy(move |_| {
            let here = at;
            at = at.saturating_add(step);
            Ok(Some(Value::Int(here)))
        })
    }),
    ("orderBy", Method, "collection: Iterable, selector: Lambda", |call| ordered(call, true, false)),
    ("orderByDescending", Method, "collection: Iterable, selector: Lambda", |call| ordered(call, false, false)),
    ("thenBy", Method, "collection: Ordering, selector: Lambda", |call| ordered(call, true, true)),
    ("thenByDescending", Method, "collection: Ordering, selector: Lambda", |call| ordered(call, false, true)),
    (
        "groupBy",
        Method,
        "collection: Iterable, keySelector: Lambda, valueSelector: Lambda = null, aggregator: Lambda = null",
        group,
    ),
    ("zip", Method, "*collections: Iterable", |call| zip(call, None)),
    ("zipLongest", Method, "*collections: Iterable, **kwargs", |call| {
        // The reference looks at `default` and passes over other names.
        let default = call.extra.iter().find(|(name, _)| **name == *"default").map(|(_, value)| value.clone());
        zip(call, Some(default.unwrap_or(Value::Null)))
    }),
    ("join", Method, "collection1: Iterable, collection2: Iterable, predicate: Lambda, selector: Lambda", join),
    ("repeat", Method, "value: Any?, times: Int = -1", |call| {
        let value = call.value(0);
        let mut left = usize::try_from(call.whole(1)).ok();
        call.lazy(move |_| {
            Ok(match &mut left {
                Some(0) => None,
                Some(left) => {
                    *left -= 1;
                    Some(value.clone())
                }
                None => Some(value.clone()),
            })
        })
    }),
    ("cycle", Method, "collection: Iterable", |call| {
        let mut items = call.items(0)?;
        let (mut seen, mut at, mut ended) = (Vec::new(), 0, false);
        call.lazy(move |run| {
            if !ended {
                if let Some(item) = items.next(run)? {
                    seen.push(item.clone());
                    return Ok(Some(item));
                }
                ended = true;
            }
            at += 1;
            Ok(if seen.is_empty() { None } else { seen.get((at - 1) % seen.len()).cloned() })
        })
    }),
    ("takeWhile", Method, "collection: Iterable, predicate: Lambda", |call| {
        let (mut items, predicate) = (call.items(0)?, call.lambda(1));
        let mut ended = false;
        call.lazy(move |run| {
            let item = if ended { None } else { items.next(run)? };
            match item {
                Some(item) if applied(run, predicate.as_deref(), &item)?.is_true() => Ok(Some(item)),
                _ => {
                    ended = true;
                    Ok(None)
                }
            }
        })
    }),
    ("skipWhile", Method, "collection: Iterable, predicate: Lambda", |call| {
        let (mut items, predicate) = (call.items(0)?, call.lambda(1));
        let mut started = false;
        call.lazy(move |run| {
            while let Some(item) = items.next(run)? {
                if started || !applied(run, predicate.as_deref(), &item)?.is_true() {
                    started = true;
                    return Ok(Some(item));
                }
            }
            Ok(None)
        })
    }),
    ("indexOf", Method, "collection: Iterable, item: Any?", |call| index(call, true, false)),
    ("lastIndexOf", Method, "collection: Iterable, item: Any?", |call| index(call, false, false)),
    ("indexWhere", Method, "collection: Iterable, predicate: Lambda", |call| index(call, true, true)),
    ("lastIndexWhere", Method, "collection: Iterable, predicate: Lambda", |call| index(call, false, true)),
    ("slice", Method, "collection: Iterable, length: Int", |call| {
        let (mut items, length) = (call.items(0)?, call.whole(1));
        call.lazy(move |run| {
            let length = counted(length)?;
            let mut part = Vec::new();
            while part.len() < length {
                match items.next(run)? {
                    Some(item) => part.push(item),
                    None => break,
                }
            }
            if part.is_empty() { Ok(None) } else { Value::tuple(part).map(Some) }
        })
    }),
    ("splitWhere", Method, "collection: Iterable, predicate: Lambda", |call| split(call, false)),
    ("sliceWhere", Method, "collection: Iterable, predicate: Lambda", |call| split(call, true)),
    ("splitAt", Method, "collection: Iterable, index: Int", |call| {
        let mut first = call.all(0)?;
        let length = i128::try_from(first.len()).unwrap_or(i128::MAX);
        let at = call.whole(1);
        let at = if at < 0 { at.saturating_add(length) } else { at }.clamp(0, length);
        let second = first.split_off(usize::try_from(at).unwrap_or_default());
        // A slice of what was no tuple is none either, but the collection has been made one.
        Value::list(vec![Value::tuple(first)?, Value::tuple(second)?])
    }),
    ("reverse", Method, "collection: Iterable", |call| {
        let mut items = call.all(0)?;
        call.lazy(move |_| Ok(items.pop()))
    }),
    ("accumulate", Method, "collection: Iterable, selector: Lambda, seed: Any? =", |call| {
        let (mut items, selector) = (call.items(0)?, call.lambda(1));
        let mut total: Option<Value> = None;
        let mut seed = call.given(2);
        call.lazy(move |run| {
            let next = match (&total, seed.take()) {
                (None, Some(seed)) => seed,
                (None, None) => match items.next(run)? {
                    Some(first) => first,
                    None => return fail(Kind::Type, "there is nothing to accumulate, and no value to start with"),
                },
                (Some(sum), _) => {
                    let Some(item) = items.next(run)? else { return Ok(None) };
                    called(run, selector.as_deref(), &[sum.clone(), item])?
                }
            };
            total = Some(next.clone());
            Ok(Some(next))
        })
    }),
    (
        "generate",
        Function,
        "initial: Any?, predicate: Lambda, producer: Lambda, selector: Lambda = null, decycle: Bool = false",
        generate,
    ),
    (
        "generateMany",
        Function,
        "initial: Any?, producer: Lambda, selector: Lambda = null, decycle: Bool = false, depthFirst: Bool = false",
        generate_many,
    ),
    ("defaultIfEmpty", Method, "collection: Iterable, default: Iterable", |call| {
        if let (Some(length), Value::List(_) | Value::Set(_) | Value::View(..)) =
            (length(&call.value(0)), call.value(0))
        {
            return Ok(call.value(usize::from(length == 0)));
        }
        let mut items = call.items(0)?;
        let Some(first) = items.next(call.run)? else { return Ok(call.value(1)) };
        let mut first = Some(first);
        call.lazy(move |run| match first.take() {
            Some(first) => Ok(Some(first)),
            None => items.next(run),
        })
    }),
];

/// What a lambda makes of an item; the item itself when there is none.
pub(super) fn applied(run: &Run<'_>, lambda: Option<&Lambda>, item: &Value) -> Outcome<Value> {
    match lambda {
        Some(lambda) => lambda.call(run, std::slice::from_ref(item)),
        None => Ok(item.clone()),
    }
}

/// What a lambda that has to be there makes of its arguments. Null in its place cannot be called.
fn called(run: &Run<'_>, lambda: Option<&Lambda>, arguments: &[Value]) -> Outcome<Value> {
    match lambda {
        Some(lambda) => lambda.call(run, arguments),
        None => fail(Kind::Type, "null cannot be called"),
    }
}

fn nothing_there() -> Outcome<Value> {
    fail(Kind::StopIteration, "the collection is empty")
}

/// A count that cannot be negative.
fn counted(count: i128) -> Outcome<usize> {
    match usize::try_from(count) {
        Ok(count) => Ok(count),
        Err(_) if count < 0 => fail(Kind::Value, format!("{count} is no count")),
        Err(_) => Ok(usize::MAX),
    }
}

fn filter(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (mut items, predicate) = (call.items(0)?, call.lambda(1));
    call.lazy(move |run| {
        while let Some(item) = items.next(run)? {
            if applied(run, predicate.as_deref(), &item)?.is_true() {
                return Ok(Some(item));
            }
        }
        Ok(None)
    })
}

fn select(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (mut items, selector) = (call.items(0)?, call.lambda(1));
    call.lazy(move |run| match items.next(run)? {
        Some(item) => called(run, selector.as_deref(), &[item]).map(Some),
        None => Ok(None),
    })
}

fn limit(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (mut items, mut left) = (call.items(0)?, counted(call.whole(1))?);
    call.lazy(move |run| {
        if left == 0 {
            return Ok(None);
        }
        left -= 1;
        items.next(run)
    })
}

fn fold(
    call: &Call<'_, '_>,
    seed: Option<Value>,
    step: impl Fn(&Call<'_, '_>, Value, Value) -> Outcome<Value>,
) -> Outcome<Value> {
    let mut items = call.items(0)?;
    let first = match seed {
        Some(seed) => Some(seed),
        None => items.next(call.run)?,
    };
    let Some(mut sum) = first else {
        return fail(Kind::Type, "the collection is empty, and there is no value to start with");
    };
    while let Some(item) = items.next(call.run)? {
        sum = step(call, sum, item)?;
    }
    Ok(sum)
}

fn aggregate(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let selector = call.lambda(1);
    fold(call, call.given(2), |call, sum, item| called(call.run, selector.as_deref(), &[sum, item]))
}

fn range(call: &Call<'_, '_>, start: i128, stop: i128, step: i128) -> Outcome<Value> {
    if step == 0 {
        return fail(Kind::Value, "a range cannot go in steps of 0");
    }
    let mut next = Some(start);
    call.lazy(move |_| {
        let Some(here) = next.filter(|here| if step > 0 { *here < stop } else { *here > stop }) else {
            return Ok(None);
        };
        next = here.checked_add(step);
        Ok(Some(Value::Int(here)))
    })
}

fn ordered(call: &mut Call<'_, '_>, smaller_first: bool, further: bool) -> Outcome<Value> {
    let Some(selector) = call.lambda(1) else { return fail(Kind::Type, "null cannot be called") };
    match call.value(0) {
        Value::Ordered(before) if further => {
            let by = before.by.iter().cloned().chain([(selector, smaller_first)]).collect();
            Ordered::value(before.collection.clone(), by)
        }
        other => Ordered::value(other, vec![(selector, smaller_first)]),
    }
}

/// The items of each key. An aggregator gets the items; one that is written for older versions gets the key with them.
fn group(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (mut items, keys, values, aggregator) = (call.items(0)?, call.lambda(1), call.lambda(2), call.lambda(3));
    let mut groups: IndexMap<Value, Vec<Value>> = IndexMap::new();
    while let Some(item) = items.next(call.run)? {
        let value = applied(call.run, values.as_deref(), &item)?;
        let key = called(call.run, keys.as_deref(), &[item])?;
        call.run.key(&key)?;
        groups.entry(key).or_default().push(value);
    }
    let mut groups = groups.into_iter();
    let mut failure = None;
    let mut old = true;
    call.lazy(move |run| {
        let Some((key, items)) = groups.next() else { return Ok(None) };
        let group = Value::tuple(vec![key.clone(), Value::list(items.clone())?])?;
        let Some(aggregator) = &aggregator else { return Ok(Some(group)) };
        if failure.is_none() {
            match aggregator.call(run, &[Value::list(items.clone())?]) {
                Ok(made) => {
                    let pair = made.as_list().filter(|made| made.len() == 2 && items.len() == 2 && made[0] == items[0]);
                    old &= pair.is_some();
                    return Value::tuple(vec![key, made]).map(Some);
                }
                Err(error) if matches!(error.kind, Kind::NoMatchingMethod | Kind::NoMatchingFunction | Kind::Index) => {
                    failure = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        if old
            && let Ok(made) = aggregator.call(run, &[group])
            && (length(&made) == Some(2) || made.as_text().is_some_and(|text| text.chars().count() == 2))
        {
            return Ok(Some(made));
        }
        match failure.clone() {
            Some(error) => Err(error),
            None => Ok(None),
        }
    })
}

fn zip(call: &mut Call<'_, '_>, filler: Option<Value>) -> Outcome<Value> {
    let collections = std::mem::take(&mut call.rest);
    let depth = collections.iter().chain(&filler).map(|one| one.shape().depth).max().unwrap_or_default();
    let mut sources = collections.iter().map(|one| Source::limited(call.run, one)).collect::<Outcome<Vec<_>>>()?;
    let mut open = vec![true; sources.len()];
    Shared::value(depth, move |run| {
        let mut row = Vec::with_capacity(sources.len());
        for (source, open) in sources.iter_mut().zip(&mut open) {
            let next = if *open { source.next(run)? } else { None };
            *open = next.is_some();
            match (next, &filler) {
                (Some(item), _) => row.push(item),
                (None, Some(filler)) => row.push(filler.clone()),
                (None, None) => return Ok(None),
            }
        }
        if open.contains(&true) { Value::tuple(row).map(Some) } else { Ok(None) }
    })
}

fn join(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (mut items, others) = (call.items(0)?, call.value(1));
    let (predicate, selector) = (call.lambda(2), call.lambda(3));
    // What can be gone through once is needed once for each item of the first collection.
    let mut others = match others {
        once @ Value::Iterator(_) => Err(Source::limited(call.run, &once)?),
        many => {
            Source::limited(call.run, &many)?;
            Ok(many)
        }
    };
    let mut now: Option<(Value, Source)> = None;
    call.lazy(move |run| {
        loop {
            if let Some((item, source)) = &mut now {
                while let Some(other) = source.next(run)? {
                    let pair = [item.clone(), other];
                    if called(run, predicate.as_deref(), &pair)?.is_true() {
                        return called(run, selector.as_deref(), &pair).map(Some);
                    }
                }
                now = None;
            }
            let Some(item) = items.next(run)? else { return Ok(None) };
            if let Err(once) = &mut others {
                let mut all = Vec::new();
                while let Some(other) = once.next(run)? {
                    all.push(other);
                }
                others = Ok(Value::tuple(all)?);
            }
            if let Ok(many) = &others {
                now = Some((item, Source::of(many)?));
            }
        }
    })
}

fn index(call: &mut Call<'_, '_>, first: bool, by_lambda: bool) -> Outcome<Value> {
    let (mut items, predicate) = (call.items(0)?, call.lambda(1).filter(|_| by_lambda));
    let wanted = call.value(1);
    let mut found = Value::Int(-1);
    let mut at = 0_usize;
    while let Some(item) = items.next(call.run)? {
        let fits = if by_lambda {
            called(call.run, predicate.as_deref(), &[item])?.is_true()
        } else {
            call.run.same(&item, &wanted)?
        };
        if fits {
            found = Value::from(at);
            if first {
                break;
            }
        }
        at += 1;
    }
    Ok(found)
}

/// Parts between the items that fit, or parts whose items give the same.
fn split(call: &mut Call<'_, '_>, by_change: bool) -> Outcome<Value> {
    let predicate = call.lambda(1);
    let mut source = Some(call.items(0)?);
    let mut items = Vec::new().into_iter();
    let mut part = Vec::new();
    let mut before: Option<Value> = None;
    let mut ended = false;
    call.lazy(move |run| {
        if ended {
            return Ok(None);
        }
        if let Some(source) = source.take() {
            items = source.collect(run)?.into_iter();
        }
        for item in items.by_ref() {
            let made = called(run, predicate.as_deref(), std::slice::from_ref(&item))?;
            let cut = match &before {
                _ if !by_change => made.is_true(),
                Some(before) => !run.same(before, &made)?,
                None => false,
            };
            before = Some(made);
            let whole = cut.then(|| std::mem::take(&mut part));
            if by_change || !cut {
                part.push(item);
            }
            if let Some(whole) = whole {
                return Value::tuple(whole).map(Some);
            }
        }
        ended = true;
        if part.is_empty() { Ok(None) } else { Value::tuple(std::mem::take(&mut part)).map(Some) }
    })
}

fn generate(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut next = Some(call.value(0));
    let mut waiting = None;
    let (predicate, producer, selector) = (call.lambda(1), call.lambda(2), call.lambda(3));
    let mut known = call.flag(4).then(IndexSet::new);
    call.lazy(move |run| {
        if let Some(last) = waiting.take() {
            next = Some(called(run, producer.as_deref(), &[last])?);
        }
        let Some(item) = next.take() else { return Ok(None) };
        if !called(run, predicate.as_deref(), std::slice::from_ref(&item))?.is_true() {
            return Ok(None);
        }
        if let Some(known) = &mut known {
            run.key(&item)?;
            if !known.insert(item.clone()) {
                return Ok(None);
            }
        }
        waiting = Some(item.clone());
        applied(run, selector.as_deref(), &item).map(Some)
    })
}

fn generate_many(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut queue = VecDeque::from([call.value(0)]);
    let mut waiting: Option<Value> = None;
    let (producer, selector): (Option<Arc<Lambda>>, _) = (call.lambda(1), call.lambda(2));
    let mut known = call.flag(3).then(IndexSet::new);
    let depth_first = call.flag(4);
    call.lazy(move |run| {
        loop {
            if let Some(last) = waiting.take() {
                let produced = called(run, producer.as_deref(), &[last])?;
                let produced = Source::of(&produced)?.collect(run)?;
                if depth_first {
                    for item in produced.into_iter().rev() {
                        queue.push_front(item);
                    }
                } else {
                    queue.extend(produced);
                }
                run.fits(queue.len())?;
            }
            let Some(item) = queue.pop_front() else { return Ok(None) };
            if let Some(known) = &mut known {
                run.key(&item)?;
                if !known.insert(item.clone()) {
                    continue;
                }
            }
            waiting = Some(item.clone());
            return applied(run, selector.as_deref(), &item).map(Some);
        }
    })
}
