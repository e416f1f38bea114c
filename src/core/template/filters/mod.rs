//! # Filters
//!
//! The filters: all that Jinja2 brings along and all that StackStorm adds, with their arguments by place or by name.
//!
//! Absent on purpose: `random` (a template means one thing), and what the engine knows beyond Jinja2.

mod data;
pub(crate) mod jsonpath;
mod lists;
mod markup;
mod numbers;
pub(crate) mod order;
mod pick;
mod pretty;
pub(crate) mod regex;
pub(crate) mod text;
mod version;
mod wrap;
pub(crate) mod yaml;

use crate::core::template::arguments::Call;
use crate::core::template::python::undefined;
use minijinja::value::{Rest, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value};

/// What the engine has and Jinja2 has not.
const FOREIGN: [&str; 5] = ["bool", "chain", "lines", "split", "zip"];

/// How a filter takes its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// Those that it names.
    Named,
    /// More than those.
    More,
    /// Those that it names, and its value may be missing.
    Anything,
}

/// A filter.
struct Filter {
    name: &'static str,
    /// Its parameters; the first is the value before the bar.
    parameters: &'static [&'static str],
    takes: Takes,
    apply: fn(&mut Call<'_, '_, '_>) -> Result<Value, Error>,
}

const fn filter(
    name: &'static str,
    parameters: &'static [&'static str],
    apply: fn(&mut Call<'_, '_, '_>) -> Result<Value, Error>,
) -> Filter {
    Filter { name, parameters, takes: Takes::Named, apply }
}

const fn with_more(
    name: &'static str,
    parameters: &'static [&'static str],
    apply: fn(&mut Call<'_, '_, '_>) -> Result<Value, Error>,
) -> Filter {
    Filter { name, parameters, takes: Takes::More, apply }
}

const fn of_anything(
    name: &'static str,
    parameters: &'static [&'static str],
    apply: fn(&mut Call<'_, '_, '_>) -> Result<Value, Error>,
) -> Filter {
    Filter { name, parameters, takes: Takes::Anything, apply }
}

fn all() -> impl Iterator<Item = &'static Filter> {
    [
        data::FILTERS,
        lists::FILTERS,
        markup::FILTERS,
        numbers::FILTERS,
        order::FILTERS,
        pick::FILTERS,
        pretty::FILTERS,
        regex::FILTERS,
        text::FILTERS,
        version::FILTERS,
        wrap::FILTERS,
        yaml::FILTERS,
    ]
    .into_iter()
    .flatten()
}

pub(super) fn add_to(environment: &mut Environment<'static>) {
    for name in FOREIGN {
        environment.remove_filter(name);
    }
    for filter in all() {
        let apply = |state: &mut State<'_, '_>, arguments: Rest<ValueOrKwargs>| run(filter, state, arguments);
        environment.add_filter(filter.name, apply);
    }
}

fn run(filter: &Filter, state: &mut State<'_, '_>, arguments: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let arguments = arguments.into_values();
    if filter.takes != Takes::Anything && arguments.first().is_none_or(Value::is_undefined) {
        return Err(undefined());
    }
    let open = filter.takes == Takes::More;
    let done = Call::new(state, filter.parameters, open, &arguments).and_then(|mut call| (filter.apply)(&mut call));
    done.map_err(|error| match (error.kind(), error.detail()) {
        (ErrorKind::InvalidOperation, Some(detail)) if !detail.starts_with('`') => {
            Error::new(ErrorKind::InvalidOperation, format!("`{}`: {detail}", filter.name))
        }
        _ => error,
    })
}
