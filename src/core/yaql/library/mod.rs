//! # Library
//!
//! The standard library of yaql 3.2.0: its 144 functions and its operators, under the names that they have there.

mod branching;
mod collections;
mod lists;
mod math;
pub(crate) mod operators;
pub(crate) mod properties;
mod queries;
mod regex;
mod strings;
mod system;
pub(crate) mod time_text;
mod times;

use super::signature::{Body, Overload, Way};
use indexmap::IndexMap;
use std::sync::LazyLock;

/// Name, how it may be called, what it takes, what it does.
type Entry = (&'static str, Way, &'static str, Body);

static LIBRARY: LazyLock<IndexMap<&'static str, Vec<Overload>>> = LazyLock::new(|| {
    let mut library = IndexMap::<_, Vec<Overload>>::new();
    let all = [
        operators::FUNCTIONS,
        math::FUNCTIONS,
        strings::FUNCTIONS,
        collections::FUNCTIONS,
        lists::FUNCTIONS,
        queries::FUNCTIONS,
        branching::FUNCTIONS,
        system::FUNCTIONS,
        regex::FUNCTIONS,
        times::FUNCTIONS,
    ];
    for (name, way, signature, body) in all.into_iter().flatten() {
        library.entry(*name).or_default().push(Overload::read(*way, signature, *body));
    }
    library
});

/// The ways to call the function with this name; none when there is no such function.
pub(crate) fn find(name: &str) -> &'static [Overload] {
    LIBRARY.get(name).map_or(&[], Vec::as_slice)
}
