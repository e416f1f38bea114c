//! Going through collections, at once or later.
//!
//! An iterator is a step that can be asked again; it holds no part of the [`Run`], which it is given each time.

use super::error::{Kind, Outcome, fail};
use super::library::operators;
use super::run::{Lambda, Run, named};
use super::value::{List, Map, Set, Value, View, deeper};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};

type Step = Box<dyn FnMut(&Run<'_>) -> Outcome<Option<Value>> + Send>;

/// An iterator, which everybody who has it uses up together.
#[derive(Clone)]
pub struct Shared(Arc<(Mutex<Step>, u16)>);

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Iterator")
    }
}

impl Shared {
    /// `depth`: of what the step holds.
    pub(crate) fn value(
        depth: u16,
        step: impl FnMut(&Run<'_>) -> Outcome<Option<Value>> + Send + 'static,
    ) -> Outcome<Value> {
        Ok(Value::Iterator(Self(Arc::new((Mutex::new(Box::new(step)), deeper(depth)?)))))
    }

    pub(crate) fn depth(&self) -> u16 {
        self.0.1
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn next(&self, run: &Run<'_>) -> Outcome<Option<Value>> {
        run.charge(1)?;
        // Whoever has it locked is ourselves, further up.
        match self.0.0.try_lock() {
            Ok(mut step) => run.within(|| step(run)),
            Err(_) => fail(Kind::Value, "an iterator goes through itself"),
        }
    }
}

/// Where the items of a collection come from.
pub(crate) enum Source {
    List(Arc<List>, usize),
    Set(Arc<Set>, usize),
    View(Arc<Map>, View, usize),
    Keys(Arc<Map>, usize),
    Text(Arc<str>, usize),
    Shared(Shared),
    Limited(Shared, usize),
    Ordered(Arc<Ordered>),
}

impl Source {
    /// Python's `iter(value)`.
    pub(crate) fn of(value: &Value) -> Outcome<Self> {
        Ok(match value {
            Value::List(list) => Self::List(list.clone(), 0),
            Value::Set(set) => Self::Set(set.clone(), 0),
            Value::View(map, view) => Self::View(map.clone(), *view, 0),
            Value::Map(map) => Self::Keys(map.clone(), 0),
            Value::Text(text) => Self::Text(text.clone(), 0),
            Value::Iterator(shared) => Self::Shared(shared.clone()),
            Value::Ordered(ordered) => Self::Ordered(ordered.clone()),
            other => return fail(Kind::Type, format!("{} cannot be gone through", other.kind())),
        })
    }

    /// The same with the limit on items, as everything that is taken for a collection has it.
    pub(crate) fn limited(run: &Run<'_>, value: &Value) -> Outcome<Self> {
        if let Some(length) = length(value) {
            run.fits(length)?;
        }
        Ok(match Self::of(value)? {
            Self::Shared(shared) => Self::Limited(shared, 0),
            other => other,
        })
    }

    pub(crate) fn next(&mut self, run: &Run<'_>) -> Outcome<Option<Value>> {
        match self {
            Self::Shared(shared) => return shared.next(run),
            Self::Limited(shared, count) => {
                let next = shared.next(run)?;
                if next.is_some() {
                    *count += 1;
                    run.fits(*count)?;
                }
                return Ok(next);
            }
            Self::Ordered(ordered) => {
                let sorted = ordered.sorted(run)?;
                *self = Self::List(sorted, 0);
                return self.next(run);
            }
            _ => run.charge(1)?,
        }
        Ok(match self {
            Self::List(list, at) => {
                *at += 1;
                list.items.get(*at - 1).cloned()
            }
            Self::Set(set, at) => {
                *at += 1;
                set.members.get_index(*at - 1).cloned()
            }
            Self::Keys(map, at) | Self::View(map, View::Keys, at) => {
                *at += 1;
                map.entries.get_index(*at - 1).map(|(key, _)| key.clone())
            }
            Self::View(map, View::Items, at) => {
                *at += 1;
                let entry = map.entries.get_index(*at - 1);
                entry.map(|(key, item)| Value::tuple(vec![key.clone(), item.clone()])).transpose()?
            }
            Self::Text(text, at) => {
                let next = text[*at..].chars().next();
                *at += next.map_or(0, char::len_utf8);
                next.map(|character| Value::text(character.encode_utf8(&mut [0; 4])))
            }
            Self::Shared(_) | Self::Limited(..) | Self::Ordered(_) => None,
        })
    }

    /// All that is left.
    pub(crate) fn collect(mut self, run: &Run<'_>) -> Outcome<Vec<Value>> {
        let mut items = Vec::new();
        while let Some(item) = self.next(run)? {
            items.push(item);
            run.fits(items.len())?;
        }
        Ok(items)
    }
}

/// How many items a collection has that knows.
pub(crate) fn length(value: &Value) -> Option<usize> {
    match value {
        Value::List(list) => Some(list.items.len()),
        Value::Map(map) | Value::View(map, _) => Some(map.entries.len()),
        Value::Set(set) => Some(set.members.len()),
        _ => None,
    }
}

/// `collection.name`: that of each item.
pub(crate) fn attribute(run: &Run<'_>, collection: Value, name: Arc<str>) -> Outcome<Value> {
    let mut source = Source::limited(run, &collection)?;
    Shared::value(collection.shape().depth, move |run| match source.next(run)? {
        Some(item) => named(run, item, &name).map(Some),
        None => Ok(None),
    })
}

/// Something to be sorted by the values of lambdas, the first first.
#[derive(Debug)]
pub struct Ordered {
    pub(crate) collection: Value,
    /// Each with whether the smaller comes first.
    pub(crate) by: Vec<(Arc<Lambda>, bool)>,
    pub(crate) depth: u16,
    sorted: OnceLock<Arc<List>>,
}

impl Ordered {
    pub(crate) fn value(collection: Value, by: Vec<(Arc<Lambda>, bool)>) -> Outcome<Value> {
        let depth = by.iter().map(|(lambda, _)| lambda.depth()).fold(collection.shape().depth, u16::max);
        Ok(Value::Ordered(Arc::new(Self { collection, by, depth: deeper(depth)?, sorted: OnceLock::new() })))
    }

    fn sorted(&self, run: &Run<'_>) -> Outcome<Arc<List>> {
        if let Some(sorted) = self.sorted.get() {
            return Ok(sorted.clone());
        }
        let items = Source::limited(run, &self.collection)?.collect(run)?;
        let mut rows: Vec<Row> = items.into_iter().map(|item| Row { item, keys: Vec::new() }).collect();
        run.within(|| self.sort(run, &mut rows))?;
        let Value::List(list) = Value::tuple(rows.into_iter().map(|row| row.item).collect())? else {
            return fail(Kind::Type, "a sorted collection is a list");
        };
        Ok(self.sorted.get_or_init(|| list).clone())
    }

    /// Merge sort: stable, and safe with orders that contradict themselves.
    fn sort(&self, run: &Run<'_>, rows: &mut Vec<Row>) -> Outcome<()> {
        if rows.len() < 2 {
            return Ok(());
        }
        let mut right = rows.split_off(rows.len() / 2);
        self.sort(run, rows)?;
        self.sort(run, &mut right)?;
        let mut left = std::mem::take(rows).into_iter().peekable();
        let mut right = right.into_iter().peekable();
        while let (Some(one), Some(other)) = (left.peek_mut(), right.peek_mut()) {
            let next = if self.before(run, other, one)? { right.next() } else { left.next() };
            rows.extend(next);
        }
        rows.extend(left);
        rows.extend(right);
        Ok(())
    }

    /// Whether one stands before the other.
    fn before(&self, run: &Run<'_>, one: &mut Row, other: &mut Row) -> Outcome<bool> {
        run.charge(1)?;
        for (at, (lambda, smaller_first)) in self.by.iter().enumerate() {
            let (one, other) = (one.key(run, at, lambda)?, other.key(run, at, lambda)?);
            if operators::compare(run, "#operator_<", &one, &other)? {
                return Ok(*smaller_first);
            }
            if operators::compare(run, "#operator_>", &one, &other)? {
                return Ok(!*smaller_first);
            }
        }
        Ok(false)
    }
}

struct Row {
    item: Value,
    keys: Vec<Value>,
}

impl Row {
    /// What it is sorted by, worked out when it is first compared.
    fn key(&mut self, run: &Run<'_>, at: usize, lambda: &Lambda) -> Outcome<Value> {
        if let Some(key) = self.keys.get(at) {
            return Ok(key.clone());
        }
        let key = lambda.call(run, std::slice::from_ref(&self.item))?;
        self.keys.push(key.clone());
        Ok(key)
    }
}
