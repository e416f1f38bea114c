//! Names, functions and calls.

use super::Entry;
use crate::core::yaql::error::{Kind, Outcome, fail, shortened};
use crate::core::yaql::resolve::{self, Call};
use crate::core::yaql::run::{Scope, place};
use crate::core::yaql::signature::Way::{Function, Method};
use crate::core::yaql::tree::{Argument, Node, What};
use crate::core::yaql::value::Value;
use std::sync::Arc;

pub(super) const FUNCTIONS: &[Entry] = &[
    ("unpack", Method, "sequence: Iterable, *args: String", unpack),
    ("with", Function, "*args: Any?", |call| {
        let names = numbered(std::mem::take(&mut call.rest));
        scope(call, names)
    }),
    ("let", Function, "*args: Any?, **kwargs", |call| {
        let mut names = numbered(std::mem::take(&mut call.rest));
        names.append(&mut call.extra);
        scope(call, names)
    }),
    ("def", Function, "name: String, func: Lambda", |call| match call.lambda(1) {
        Some(body) => {
            // The reference has one name for `f` and `f_`.
            let name = call.text(0).trim_end_matches('_').into();
            Scope::defining(call.scope, name, body).map(Value::Scope)
        }
        None => fail(Kind::Type, "null cannot be called"),
    }),
    ("assert", Method, "obj: Any?, condition: Lambda, message: String = Assertion failed", |call| {
        let value = match call.value(0) {
            once @ Value::Iterator(_) => {
                Value::tuple(crate::core::yaql::iterate::Source::of(&once)?.collect(call.run)?)?
            }
            other => other,
        };
        if super::queries::applied(call.run, call.lambda(1).as_deref(), &value)?.is_true() {
            Ok(value)
        } else {
            fail(Kind::Assertion, shortened(&call.text(2)))
        }
    }),
    ("lambda", Function, "func: Lambda", |call| Ok(call.value(0))),
    ("call", Function, "name: String, args: Sequence, kwargs: Mapping, receiver: Any? =", by_name),
];

fn numbered(values: Vec<Value>) -> Vec<(Arc<str>, Value)> {
    values.into_iter().enumerate().map(|(at, value)| (place(at), value)).collect()
}

fn scope(call: &Call<'_, '_>, names: Vec<(Arc<str>, Value)>) -> Outcome<Value> {
    Scope::below(call.scope, names).map(Value::Scope)
}

fn unpack(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let names: Vec<Arc<str>> = call.rest.iter().filter_map(Value::as_text).map(Arc::from).collect();
    if names.is_empty() {
        let items = call.all(0)?;
        // The first was taken off an iterator to see how many there are.
        let taken = usize::from(matches!(call.value(0), Value::Iterator(_) | Value::Ordered(_)));
        let taken = if matches!(call.value(0), Value::Ordered(_)) { 0 } else { taken };
        return scope(call, numbered(items.into_iter().skip(taken).collect()));
    }
    let mut items = call.items(0)?;
    let mut found = Vec::new();
    while found.len() <= names.len() {
        match items.next(call.run)? {
            Some(item) => found.push(item),
            None => break,
        }
    }
    if found.len() != names.len() {
        let more = if found.len() > names.len() { "more than " } else { "" };
        let count = found.len().min(names.len());
        return fail(Kind::Value, format!("{more}{count} values cannot be unpacked into {} names", names.len()));
    }
    let named = names.into_iter().map(|name| name.trim_start_matches('$').into()).zip(found).collect();
    scope(call, named)
}

fn by_name(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let name = call.text(0);
    let mut arguments: Vec<_> =
        call.value(1).as_list().unwrap_or_default().iter().cloned().map(Argument::Value).collect();
    for (key, value) in &call.map(2).entries {
        let Some(key) = key.as_text() else { return fail(Kind::Type, "the names of arguments are text") };
        let node = |what| Arc::new(Node { what, at: 0 });
        let rule = What::Rule(node(What::Keyword(key.into())), node(What::Constant(value.clone())));
        arguments.push(Argument::Node(node(rule)));
    }
    resolve::call(call.run, call.scope, name.trim_end_matches('_'), call.given(3), &arguments)
}
