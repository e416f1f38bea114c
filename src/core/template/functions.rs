//! The functions of Jinja2: `dict`, `cycler`, `joiner`; `range` and `namespace` are the engine's.
//!
//! Absent on purpose: `lipsum` (a template means one thing), and `debug`, which would show every value at once past whoever looks at the names
//! that a template uses.

use crate::core::template::arguments::Call;
use crate::core::template::python::{items, kind, pairs, refuse};
use minijinja::value::{Object, ObjectRepr, Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(super) fn add_to(environment: &mut Environment<'static>) {
    environment.remove_global("debug");
    environment.add_function("dict", |state: &mut State<'_, '_>, given: Rest<ValueOrKwargs>| {
        dictionary(&Call::new(state, &["from"], true, &given.into_values())?)
    });
    environment.add_function("cycler", |state: &mut State<'_, '_>, given: Rest<ValueOrKwargs>| {
        let call = Call::new(state, &[], true, &given.into_values())?;
        if call.rest.is_empty() {
            return Err(refuse("`cycler` takes at least one value"));
        }
        Ok(Value::from_object(Cycler { items: call.rest, at: AtomicUsize::new(0) }))
    });
    environment.add_function("joiner", |state: &mut State<'_, '_>, given: Rest<ValueOrKwargs>| {
        let call = Call::new(state, &["sep"], false, &given.into_values())?;
        Ok::<_, Error>(Value::from_object(Joiner { between: call.text_or(0, ", ")?, uses: AtomicUsize::new(0) }))
    });
}

fn dictionary(call: &Call<'_, '_, '_>) -> Result<Value, Error> {
    let mut entries = match call.given(0) {
        Some(map) if map.kind() == ValueKind::Map => pairs(map)?,
        Some(list) => {
            let mut entries = Vec::new();
            for pair in items(call.state, list)? {
                match &items(call.state, &pair)?[..] {
                    [key, item] => entries.push((key.clone(), item.clone())),
                    _ => return Err(refuse(format!("`dict` takes pairs, not {}", kind(&pair)))),
                }
            }
            entries
        }
        None => Vec::new(),
    };
    if !call.rest.is_empty() {
        return Err(refuse("`dict` takes one value and what is given by name"));
    }
    entries.extend(call.named.iter().map(|(name, item)| (Value::from(name.as_str()), item.clone())));
    Ok(Value::from_pairs(entries))
}

/// Goes round its items.
#[derive(Debug)]
struct Cycler {
    items: Vec<Value>,
    at: AtomicUsize,
}

impl Cycler {
    fn current(&self) -> Value {
        self.items[self.at.load(Ordering::Relaxed) % self.items.len()].clone()
    }
}

impl Object for Cycler {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str()? == "current").then(|| self.current())
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, _: &[Value]) -> Result<Value, Error> {
        match method {
            "next" => {
                let current = self.current();
                self.at.store((self.at.load(Ordering::Relaxed) + 1) % self.items.len(), Ordering::Relaxed);
                Ok(current)
            }
            "reset" => {
                self.at.store(0, Ordering::Relaxed);
                Ok(Value::from(()))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// Nothing at first, and its text from then on.
#[derive(Debug)]
struct Joiner {
    between: String,
    uses: AtomicUsize,
}

impl Object for Joiner {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, _: &[Value]) -> Result<Value, Error> {
        let first = self.uses.swap(1, Ordering::Relaxed) == 0;
        Ok(Value::from(if first { "" } else { &self.between }))
    }
}
