//! What expressions work on: Python's values, as far as YAQL has them.
//!
//! Values are shared, never copied: a clone is a count. Lists, maps and sets know their [`Shape`], so that **nothing is nested deeper than
//! [`DEEPEST`]** and whoever compares, writes or converts a value can pay for all of it beforehand.

use super::error::{Kind, Outcome, fail};
use super::iterate::{Ordered, Shared};
use super::pattern::Pattern;
use super::run::{Lambda, Scope};
use super::time::Moment;
use indexmap::{Equivalent, IndexMap, IndexSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// How deep lists, maps, iterators and what lambdas have seen may be nested in each other.
pub(crate) const DEEPEST: u16 = 100;

/// A value of an expression.
#[derive(Debug, Clone)]
pub enum Value {
    /// `null`
    Null,
    /// `true` and `false`
    Bool(bool),
    /// A whole number. Python's have no bound; ours end at 128 bits, with an error.
    Int(i128),
    /// A floating point number
    Float(f64),
    /// Text
    Text(Arc<str>),
    /// What has an order and a length
    List(Arc<List>),
    /// Keys and values, in the order in which the keys came
    Map(Arc<Map>),
    /// Values that are there once, in the order in which they came
    Set(Arc<Set>),
    /// `keys()` and `items()` of a map
    View(Arc<Map>, View),
    /// A point in time
    Moment(Moment),
    /// A length of time, in microseconds
    Span(i64),
    /// A regular expression
    Pattern(Arc<Pattern>),
    /// What can be gone through once, and is made while somebody goes through it
    Iterator(Shared),
    /// What `orderBy` gives: sorted when somebody goes through it
    Ordered(Arc<Ordered>),
    /// An expression that waits for its arguments
    Lambda(Arc<Lambda>),
    /// Names, as `let` and `with` make them
    Scope(Arc<Scope>),
    /// `a => b`
    Rule(Arc<(Value, Value)>),
}

/// Which side of a map a view shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// `keys()`
    Keys,
    /// `items()`
    Items,
}

/// What is known of a value as a whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// How many levels it has.
    pub depth: u16,
    /// Values in it, with those in them.
    pub weight: u32,
    /// It is data as it came in: tuples and maps of plain values alone.
    pub plain: bool,
}

const LEAF: Shape = Shape { depth: 0, weight: 1, plain: true };

impl Shape {
    fn over<'v>(values: impl IntoIterator<Item = &'v Value>, plain: bool) -> Outcome<Self> {
        let mut shape = Self { depth: 0, weight: 1, plain };
        for value in values {
            let inner = value.shape();
            shape.depth = shape.depth.max(inner.depth);
            shape.weight = shape.weight.saturating_add(inner.weight);
            shape.plain &= inner.plain;
        }
        shape.depth = deeper(shape.depth)?;
        Ok(shape)
    }
}

/// One level more, if there may be one.
pub(crate) fn deeper(depth: u16) -> Outcome<u16> {
    if depth >= DEEPEST {
        return fail(Kind::Recursion, format!("the value is nested deeper than {DEEPEST}"));
    }
    Ok(depth + 1)
}

/// A list. Python's tuples can be keys and members of sets, its lists cannot, and the two are never equal.
#[derive(Debug)]
pub struct List {
    pub(crate) items: Vec<Value>,
    pub(crate) tuple: bool,
    pub(crate) shape: Shape,
}

/// A map. What `toDict`, `mergeWith` and the like make cannot be a key (`frozen` is false).
#[derive(Debug)]
pub struct Map {
    pub(crate) entries: IndexMap<Value, Value>,
    pub(crate) frozen: bool,
    pub(crate) shape: Shape,
}

/// A set.
#[derive(Debug)]
pub struct Set {
    pub(crate) members: IndexSet<Value>,
    pub(crate) shape: Shape,
}

impl Value {
    /// Text.
    pub fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// A list as the reference has those that came in or were written.
    ///
    /// # Errors
    /// When it would be nested deeper than [`DEEPEST`].
    pub fn tuple(items: Vec<Self>) -> Outcome<Self> {
        let shape = Shape::over(&items, true)?;
        Ok(Self::List(Arc::new(List { items, tuple: true, shape })))
    }

    /// A list as Python's functions give them.
    pub(crate) fn list(items: Vec<Self>) -> Outcome<Self> {
        let shape = Shape::over(&items, false)?;
        Ok(Self::List(Arc::new(List { items, tuple: false, shape })))
    }

    /// A map.
    ///
    /// # Errors
    /// When it would be nested deeper than [`DEEPEST`].
    pub fn map(entries: impl IntoIterator<Item = (Self, Self)>) -> Outcome<Self> {
        Self::map_of(entries.into_iter().collect(), true)
    }

    pub(crate) fn map_of(entries: IndexMap<Self, Self>, frozen: bool) -> Outcome<Self> {
        let shape = Shape::over(entries.iter().flat_map(|(key, value)| [key, value]), frozen)?;
        Ok(Self::Map(Arc::new(Map { entries, frozen, shape })))
    }

    pub(crate) fn set_of(members: IndexSet<Self>) -> Outcome<Self> {
        let shape = Shape::over(&members, false)?;
        Ok(Self::Set(Arc::new(Set { members, shape })))
    }

    pub(crate) fn shape(&self) -> Shape {
        match self {
            Self::List(list) => list.shape,
            Self::Map(map) => map.shape,
            Self::Set(set) => set.shape,
            Self::View(map, _) => Shape { plain: false, depth: map.shape.depth + 1, ..map.shape },
            Self::Iterator(iterator) => Shape { plain: false, depth: iterator.depth(), weight: 1 },
            Self::Ordered(ordered) => Shape { plain: false, depth: ordered.depth, weight: 1 },
            Self::Lambda(lambda) => Shape { plain: false, depth: lambda.depth(), weight: 1 },
            Self::Scope(scope) => Shape { plain: false, depth: scope.depth, weight: 1 },
            Self::Rule(pair) => Shape {
                plain: false,
                depth: pair.0.shape().depth.max(pair.1.shape().depth) + 1,
                weight: pair.0.shape().weight.saturating_add(pair.1.shape().weight),
            },
            Self::Text(text) => {
                Shape { weight: u32::try_from(text.len() / 32).unwrap_or(u32::MAX).saturating_add(1), ..LEAF }
            }
            _ => LEAF,
        }
    }

    /// Python's `bool(value)`.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(truth) => *truth,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(list) => !list.items.is_empty(),
            Self::Map(map) | Self::View(map, _) => !map.entries.is_empty(),
            Self::Set(set) => !set.members.is_empty(),
            Self::Span(span) => *span != 0,
            _ => true,
        }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The entry of a map with this name.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(map) => map.entries.get(&TextKey(name)),
            _ => None,
        }
    }

    /// The entries of a map; none for anything else.
    pub fn entries(&self) -> impl Iterator<Item = (&Self, &Self)> {
        match self {
            Self::Map(map) => Some(map.entries.iter()),
            _ => None,
        }
        .into_iter()
        .flatten()
    }

    /// The items of a list, if it is one.
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(list) => Some(&list.items),
            _ => None,
        }
    }

    /// The word for it in what is said to people.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a truth value",
            Self::Int(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Set(_) | Self::View(..) => "a set",
            Self::Moment(_) => "a time",
            Self::Span(_) => "a length of time",
            Self::Pattern(_) => "a regular expression",
            Self::Iterator(_) | Self::Ordered(_) => "an iterator",
            Self::Lambda(_) => "a lambda",
            Self::Scope(_) => "a context",
            Self::Rule(_) => "a pair with =>",
        }
    }

    /// The number that it is to Python, where truth values are whole numbers.
    pub(crate) fn number(&self) -> Option<Number> {
        match self {
            Self::Bool(truth) => Some(Number::Int(i128::from(*truth))),
            Self::Int(number) => Some(Number::Int(*number)),
            Self::Float(number) => Some(Number::Float(*number)),
            _ => None,
        }
    }

    /// Refuses what Python does not take for a key or a member of a set.
    pub(crate) fn hashable(&self) -> Outcome<()> {
        let culprit = match self {
            Self::List(list) if list.tuple => return list.items.iter().try_for_each(Self::hashable),
            Self::Map(map) if map.frozen => return map.entries.values().try_for_each(Self::hashable),
            Self::List(_) => "list",
            Self::Map(_) => "dict",
            Self::View(..) => "view",
            _ => return Ok(()),
        };
        fail(Kind::Type, format!("unhashable type: '{culprit}'"))
    }
}

/// A number of either kind.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    #[expect(clippy::cast_precision_loss, reason = "as Python rounds a whole number for a float")]
    pub(crate) fn float(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}

/// The whole number that a float is exactly.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "the range is checked, and only an exact number passes"
)]
pub(crate) fn exact(float: f64) -> Option<i128> {
    (float.trunc() == float && float.abs() < i128::MAX as f64).then_some(float as i128)
}

impl PartialEq for Value {
    /// Python's `==`.
    fn eq(&self, other: &Self) -> bool {
        if let (Some(one), Some(other)) = (self.number(), other.number()) {
            return match (one, other) {
                (Number::Int(one), Number::Int(other)) => one == other,
                (Number::Float(one), Number::Float(other)) => one == other,
                (Number::Int(whole), Number::Float(float)) | (Number::Float(float), Number::Int(whole)) => {
                    exact(float) == Some(whole)
                }
            };
        }
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::List(one), Self::List(other)) => {
                Arc::ptr_eq(one, other) || one.tuple == other.tuple && one.items == other.items
            }
            (Self::Map(one), Self::Map(other)) => Arc::ptr_eq(one, other) || one.entries == other.entries,
            (Self::Set(one), Self::Set(other)) => one.members == other.members,
            (Self::View(one, side), Self::View(other, other_side)) if Arc::ptr_eq(one, other) => side == other_side,
            (Self::View(..) | Self::Set(_), Self::View(..) | Self::Set(_)) => {
                self.members().is_some_and(|one| Some(one) == other.members())
            }
            (Self::Moment(one), Self::Moment(other)) => one == other,
            (Self::Span(one), Self::Span(other)) => one == other,
            (Self::Pattern(one), Self::Pattern(other)) => one == other,
            (Self::Iterator(one), Self::Iterator(other)) => one.is(other),
            (Self::Ordered(one), Self::Ordered(other)) => Arc::ptr_eq(one, other),
            (Self::Lambda(one), Self::Lambda(other)) => Arc::ptr_eq(one, other),
            (Self::Scope(one), Self::Scope(other)) => Arc::ptr_eq(one, other),
            (Self::Rule(one), Self::Rule(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Value {
    /// What a set or a view has in it.
    pub(crate) fn members(&self) -> Option<IndexSet<Self>> {
        match self {
            Self::Set(set) => Some(set.members.clone()),
            Self::View(map, View::Keys) => Some(map.entries.keys().cloned().collect()),
            Self::View(map, View::Items) => Some(
                map.entries
                    .iter()
                    .filter_map(|(key, item)| Self::tuple(vec![key.clone(), item.clone()]).ok())
                    .collect(),
            ),
            _ => None,
        }
    }
}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Bool(_) | Self::Int(_) | Self::Float(_) => {
                let whole = match self.number() {
                    Some(Number::Int(whole)) => Some(whole),
                    Some(Number::Float(float)) => exact(float),
                    None => None,
                };
                match (whole, self) {
                    (Some(whole), _) => whole.hash(state),
                    (None, Self::Float(float)) => float.to_bits().hash(state),
                    (None, _) => {}
                }
            }
            Self::Text(text) => TextKey(text).hash(state),
            Self::List(list) => {
                state.write_u8(2);
                list.items.hash(state);
            }
            Self::Map(map) => {
                state.write_u8(3);
                state.write_usize(map.entries.len());
            }
            Self::Set(_) | Self::View(..) => state.write_u8(4),
            Self::Moment(moment) => moment.hash(state),
            Self::Span(span) => span.hash(state),
            // The rest is rare as a key: they share a place and are told apart by comparing.
            _ => state.write_u8(5),
        }
    }
}

/// Text with which an entry is looked up.
#[derive(PartialEq, Eq)]
pub(crate) struct TextKey<'t>(pub(crate) &'t str);

impl Hash for TextKey<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u8(1);
        self.0.hash(state);
    }
}

impl Equivalent<Value> for TextKey<'_> {
    fn equivalent(&self, key: &Value) -> bool {
        key.as_text() == Some(self.0)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(i128::from(number))
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Int(i128::try_from(number).unwrap_or(i128::MAX))
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}
