//! Arguments as Python passes them: by place or by name.

use crate::core::template::python::{float, kind, refuse, text, undefined, whole};
use minijinja::value::{Kwargs, from_args};
use minijinja::{Error, State, Value};

/// A filter, a method or a function that is called.
pub(crate) struct Call<'c, 's, 'e> {
    pub(crate) state: &'c mut State<'s, 'e>,
    /// What was given for the parameters, in their order.
    slots: Vec<Option<Value>>,
    parameters: &'static [&'static str],
    /// What was given beyond them by place.
    pub(crate) rest: Vec<Value>,
    /// What was given beyond them by name.
    pub(crate) named: Vec<(String, Value)>,
}

impl<'c, 's, 'e> Call<'c, 's, 'e> {
    /// Puts arguments in their places. What is more than the parameters is refused unless `open`.
    pub(crate) fn new(
        state: &'c mut State<'s, 'e>,
        parameters: &'static [&'static str],
        open: bool,
        arguments: &[Value],
    ) -> Result<Self, Error> {
        let (given, named): (&[Value], Kwargs) = from_args(arguments)?;
        let mut call = Self {
            state,
            slots: given.iter().take(parameters.len()).cloned().map(Some).collect(),
            parameters,
            rest: given.iter().skip(parameters.len()).cloned().collect(),
            named: Vec::new(),
        };
        call.slots.resize(parameters.len(), None);
        for name in named.args().map(str::to_owned).collect::<Vec<_>>() {
            let value: Value = named.get(&name)?;
            match parameters.iter().position(|parameter| *parameter == name) {
                Some(at) if call.slots[at].is_none() => call.slots[at] = Some(value),
                Some(_) => return Err(refuse(format!("`{name}` is given twice"))),
                None => call.named.push((name, value)),
            }
        }
        if !open {
            if !call.rest.is_empty() {
                return Err(refuse(format!("too many arguments: it takes {}", parameters.len().saturating_sub(1))));
            }
            if let Some((name, _)) = call.named.first() {
                return Err(refuse(format!("there is no argument `{name}`")));
            }
        }
        Ok(call)
    }

    /// The argument of a parameter, if there is one that is not `None`.
    pub(crate) fn given(&self, at: usize) -> Option<&Value> {
        self.slots.get(at).and_then(Option::as_ref).filter(|value| !value.is_none())
    }

    /// The argument of a parameter that has to be there.
    pub(crate) fn value(&self, at: usize) -> Result<&Value, Error> {
        let value = self.slots.get(at).and_then(Option::as_ref);
        value.ok_or_else(|| refuse(format!("the argument `{}` is missing", self.parameters.get(at).unwrap_or(&"?"))))
    }

    /// The same, and it has a value.
    pub(crate) fn defined(&self, at: usize) -> Result<&Value, Error> {
        let value = self.value(at)?;
        if value.is_undefined() { Err(undefined()) } else { Ok(value) }
    }

    /// An argument as text, whatever it is.
    pub(crate) fn text(&self, at: usize) -> Result<String, Error> {
        text(self.defined(at)?)
    }

    /// An argument that is text, or what it is when it is left out.
    pub(crate) fn text_or(&self, at: usize, default: &str) -> Result<String, Error> {
        self.given(at).map_or_else(|| Ok(default.to_owned()), text)
    }

    /// An argument that has to be text already.
    pub(crate) fn only_text(&self, at: usize) -> Result<&str, Error> {
        let value = self.defined(at)?;
        value.as_str().ok_or_else(|| refuse(format!("it takes text, not {}", kind(value))))
    }

    /// Whether an argument counts as true.
    pub(crate) fn truth_or(&self, at: usize, default: bool) -> bool {
        self.slots.get(at).and_then(Option::as_ref).map_or(default, Value::is_true)
    }

    /// A whole number.
    pub(crate) fn whole_or(&self, at: usize, default: i128) -> Result<i128, Error> {
        let Some(value) = self.given(at) else { return Ok(default) };
        let name = self.parameters.get(at).unwrap_or(&"?");
        whole(value).ok_or_else(|| refuse(format!("`{name}` takes a whole number, not {}", kind(value))))
    }

    /// A count; what is below zero is zero.
    pub(crate) fn count_or(&self, at: usize, default: usize) -> Result<usize, Error> {
        let number = self.whole_or(at, i128::try_from(default).unwrap_or(i128::MAX))?;
        Ok(usize::try_from(number.max(0)).unwrap_or(usize::MAX))
    }

    /// Any number.
    pub(crate) fn number(&self, at: usize) -> Result<f64, Error> {
        let value = self.defined(at)?;
        float(value).ok_or_else(|| refuse(format!("it takes a number, not {}", kind(value))))
    }

    /// The items of an argument.
    pub(crate) fn items(&self, at: usize) -> Result<Vec<Value>, Error> {
        super::python::items(self.state, self.value(at)?)
    }
}
