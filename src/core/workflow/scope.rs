//! What a task knows: the values under names that it was given, as persistent maps.
//!
//! Every branch of a workflow sees what the workflow began with and, over that, what the tasks before it have published. Where branches meet,
//! the changes of each are laid over one another in the order of their arrival. Maps are merged deeply, everything else is replaced, as in
//! Orquesta: publishing `{}` over a map changes nothing.
//!
//! - **A branch never sees what another one published** before they meet. (In Orquesta a map that was published over a map leaks.)
//! - **Values are shared**: a scope is as large as the names that it knows, whatever stands behind them, and however many steps led to it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Values under names, in the order in which the names came.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Variables(Arc<Vec<(Arc<str>, Arc<Value>)>>);

impl Variables {
    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Arc<Value>> {
        self.0.iter().find(|(known, _)| **known == *name).map(|(_, value)| value)
    }

    /// Sets a name, whatever it had before.
    pub fn set(&mut self, name: &str, value: Arc<Value>) {
        let all = Arc::make_mut(&mut self.0);
        match all.iter_mut().find(|(known, _)| **known == *name) {
            Some((_, old)) => *old = value,
            None => all.push((name.into(), value)),
        }
    }

    /// All names with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<Value>)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// As one map.
    pub fn to_map(&self) -> Map<String, Value> {
        self.iter().map(|(name, value)| (name.to_owned(), Value::clone(value))).collect()
    }

    fn change(&mut self, name: &Arc<str>, change: &Change) {
        let all = Arc::make_mut(&mut self.0);
        match all.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = change.over(Some(old)),
            None => all.push((Arc::clone(name), change.over(None))),
        }
    }
}

impl FromIterator<(Arc<str>, Arc<Value>)> for Variables {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Arc<Value>)>>(values: I) -> Self {
        let mut variables = Self::default();
        for (name, value) in values {
            variables.set(&name, value);
        }
        variables
    }
}

/// What is done to one name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// It has this value from now on.
    Set(Arc<Value>),
    /// If it is a map, these entries of it change; if not, it becomes a map of them.
    Merge(Vec<(Arc<str>, Change)>),
}

impl Change {
    /// What publishing a value does.
    fn publish(value: &Arc<Value>) -> Self {
        match &**value {
            Value::Object(map) => Self::Merge(
                map.iter().map(|(key, value)| (key.as_str().into(), Self::publish(&Arc::new(value.clone())))).collect(),
            ),
            _ => Self::Set(Arc::clone(value)),
        }
    }

    /// The value that comes of an old one.
    fn over(&self, old: Option<&Arc<Value>>) -> Arc<Value> {
        let entries = match self {
            Self::Set(value) => return Arc::clone(value),
            Self::Merge(entries) => entries,
        };
        let mut map = match old.map(|old| &**old) {
            Some(Value::Object(map)) => map.clone(),
            _ => Map::new(),
        };
        for (key, change) in entries {
            // A key that is there keeps its place.
            match map.get_mut(&**key) {
                Some(inside) => *inside = Arc::unwrap_or_clone(change.over(Some(&Arc::new(inside.take())))),
                None => drop(map.insert(key.to_string(), Arc::unwrap_or_clone(change.over(None)))),
            }
        }
        Arc::new(Value::Object(map))
    }

    /// This change and then another one, as one.
    fn then(&mut self, next: &Self) {
        match (&mut *self, next) {
            (_, Self::Set(_)) => *self = next.clone(),
            (Self::Set(value), Self::Merge(_)) => *value = next.over(Some(value)),
            (Self::Merge(own), Self::Merge(more)) => lay(own, more),
        }
    }
}

/// Lays changes over others.
fn lay(own: &mut Vec<(Arc<str>, Change)>, more: &[(Arc<str>, Change)]) {
    for (name, change) in more {
        match own.iter_mut().find(|(known, _)| known == name) {
            Some((_, before)) => before.then(change),
            None => own.push((Arc::clone(name), change.clone())),
        }
    }
}

/// What one branch sees, and how it came to it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scope {
    seen: Variables,
    changes: Arc<Vec<(Arc<str>, Change)>>,
}

impl Scope {
    /// What a workflow begins with.
    pub(crate) fn of(variables: Variables) -> Self {
        Self { seen: variables, changes: Arc::default() }
    }

    /// Everything that is seen.
    pub fn variables(&self) -> &Variables {
        &self.seen
    }

    /// The same with more published.
    pub(crate) fn publish(&self, values: &[(Arc<str>, Arc<Value>)]) -> Self {
        let changes: Vec<_> = values.iter().map(|(name, value)| (Arc::clone(name), Change::publish(value))).collect();
        self.with(&changes)
    }

    /// The same with everything that another branch has published.
    pub(crate) fn join(&self, other: &Self) -> Self {
        self.with(&other.changes)
    }

    fn with(&self, changes: &[(Arc<str>, Change)]) -> Self {
        let mut scope = self.clone();
        for (name, change) in changes {
            scope.seen.change(name, change);
        }
        lay(Arc::make_mut(&mut scope.changes), changes);
        scope
    }

    pub(crate) fn changes(&self) -> &[(Arc<str>, Change)] {
        &self.changes
    }

    /// The scope that these changes make of what a workflow began with.
    pub(crate) fn from_changes(began: &Variables, changes: &[(Arc<str>, Change)]) -> Self {
        Self::of(began.clone()).with(changes)
    }
}
