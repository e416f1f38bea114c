//! A line that says what an alias is given: how somebody could have written it.

use super::matcher::{Matcher, Selection};
use super::spec::Alias;
use crate::core::template::value::written;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

impl Matcher {
    /// The line by which these values could be given, in the words of the first format that can say it; nothing where none can. It has been tried:
    /// **the alias reads from it exactly what was put in.**
    pub fn line_for(&self, alias: &Alias, given: &BTreeMap<String, Value>) -> Option<String> {
        let texts: BTreeMap<String, String> =
            given.iter().map(|(name, value)| (name.clone(), written(value))).collect();
        // What help shows is mostly what people write; a representation may be an expression.
        let shown = alias.formats.iter().filter_map(|format| format.display.as_deref());
        let matched = alias.formats.iter().flat_map(|format| &format.representations);
        let formats = shown.chain(matched.map(|representation| representation.text.as_str()));
        let mut lines = formats.filter_map(|format| said(format, &texts));
        lines.find(|line| match self.select_among(line, &|known| known.reference == alias.reference) {
            Selection::One(found) => found.further.is_empty() && found.parameters == texts,
            Selection::None | Selection::Ambiguous(_) | Selection::Undecided(_) => false,
        })
    }
}

/// A format with its parameters put in, and those behind it that it does not name; nothing where it wants one that is not given, or a value cannot be
/// written.
fn said(format: &str, given: &BTreeMap<String, String>) -> Option<String> {
    let (mut line, mut rest, mut named) = (String::new(), format, BTreeSet::new());
    while let Some((before, behind)) = rest.split_once("{{") {
        let (inside, after) = behind.split_once("}}")?;
        let (name, default) = inside.split_once('=').map_or((inside, None), |(name, default)| (name, Some(default)));
        let name = name.trim();
        line.push_str(before);
        match given.get(name) {
            // The format has the quotes.
            Some(value) if before.ends_with('"') && after.starts_with('"') => line.push_str(unquoted(value)?),
            Some(value) => line.push_str(&quoted(value)?),
            None => drop(default?),
        }
        named.insert(name);
        rest = after;
    }
    line.push_str(rest);
    for (name, value) in given.iter().filter(|(name, _)| !named.contains(name.as_str())) {
        line.push_str(&format!(" {name}={}", quoted(value)?));
    }
    Some(line.trim().to_owned())
}

/// A value as it is written between quotes that are there.
fn unquoted(value: &str) -> Option<&str> {
    Some(value).filter(|value| !value.is_empty() && !value.contains(['"', '\\', '\n', '\r']))
}

/// A value as it is written in a line.
fn quoted(value: &str) -> Option<String> {
    let plain =
        !value.is_empty() && !value.contains(|letter: char| letter.is_whitespace() || "\"'“”{}[]=".contains(letter));
    match plain {
        true => Some(value.to_owned()),
        false if value.is_empty() => Some("\"\"".to_owned()),
        false => unquoted(value).map(|value| format!("\"{value}\"")),
    }
}
