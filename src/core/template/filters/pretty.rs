//! `pprint`, laid out as Python's module of that name does it.

use super::{Filter, filter};
use crate::core::template::arguments::Call;
use crate::core::template::filters::text::lines;
use crate::core::template::python::{DEEPEST, compare, is_tuple, items, kind, pairs, repr, room_for, too_deep};
use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};

pub(super) const FILTERS: &[Filter] = &[filter("pprint", &["value"], |call: &mut Call<'_, '_, '_>| {
    let value = ordered(call.state, call.defined(0)?, 0)?;
    let mut out = String::new();
    show(call.state, &value, 0, 0, 1, &mut out)?;
    Ok(Value::from(out))
})];

const WIDTH: usize = 80;

/// The same with the keys of all maps in their order.
fn ordered(state: &State<'_, '_>, value: &Value, depth: usize) -> Result<Value, Error> {
    if depth > DEEPEST {
        return Err(too_deep());
    }
    state.consume_fuel(1)?;
    match value.kind() {
        ValueKind::Map => {
            let mut entries = pairs(value)?;
            entries.sort_by(|(one, _), (other, _)| compare(one, other).unwrap_or_else(|_| kind(one).cmp(kind(other))));
            let entries = entries.into_iter().map(|(key, item)| Ok((key, ordered(state, &item, depth + 1)?)));
            Ok(Value::from_pairs(entries.collect::<Result<Vec<_>, Error>>()?))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let all = items(state, value)?
                .iter()
                .map(|item| ordered(state, item, depth + 1))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(if is_tuple(value) { crate::core::template::python::tuple(all) } else { Value::from(all) })
        }
        _ => Ok(value.clone()),
    }
}

fn show(
    state: &State<'_, '_>,
    value: &Value,
    indent: usize,
    allowance: usize,
    level: usize,
    out: &mut String,
) -> Result<(), Error> {
    let line = repr(value)?;
    room_for(out.len() + line.len())?;
    state.consume_fuel(1 + u64::try_from(line.len() / 64).unwrap_or(u64::MAX))?;
    if line.chars().count() <= WIDTH.saturating_sub(indent + allowance) {
        out.push_str(&line);
        return Ok(());
    }
    let next_line = |out: &mut String, indent: usize| {
        out.push_str(",\n");
        out.push_str(&" ".repeat(indent));
    };
    match value.kind() {
        ValueKind::Map => {
            let entries = pairs(value)?;
            out.push('{');
            for (at, (key, item)) in entries.iter().enumerate() {
                if at > 0 {
                    next_line(out, indent + 1);
                }
                let key = repr(key)?;
                out.push_str(&key);
                out.push_str(": ");
                let last = at + 1 == entries.len();
                let inner = indent + key.chars().count() + 3;
                show(state, item, inner, if last { allowance + 1 } else { 1 }, level + 1, out)?;
            }
            out.push('}');
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let all = items(state, value)?;
            let (opening, closing) = match (is_tuple(value), all.len()) {
                (true, 1) => ('(', ",)"),
                (true, _) => ('(', ")"),
                (false, _) => ('[', "]"),
            };
            out.push(opening);
            for (at, item) in all.iter().enumerate() {
                if at > 0 {
                    next_line(out, indent + 1);
                }
                let last = at + 1 == all.len();
                let room = if last { allowance + closing.len() } else { 1 };
                show(state, item, indent + 1, room, level + 1, out)?;
            }
            out.push_str(closing);
        }
        ValueKind::String => long_text(value.as_str().unwrap_or_default(), indent, allowance, level, out)?,
        _ => out.push_str(&line),
    }
    Ok(())
}

/// Text that is too long for its line, in pieces that end with its blanks.
fn long_text(text: &str, indent: usize, allowance: usize, level: usize, out: &mut String) -> Result<(), Error> {
    let shown = |text: &str| repr(&Value::from(text));
    let (indent, allowance) = if level == 1 { (indent + 1, allowance + 1) } else { (indent, allowance) };
    let width = WIDTH.saturating_sub(indent);
    let mut pieces = Vec::new();
    let all = lines(text, true);
    for (at, line) in all.iter().enumerate() {
        let last_line = at + 1 == all.len();
        let whole = shown(line)?;
        if whole.chars().count() <= if last_line { width.saturating_sub(allowance) } else { width } {
            pieces.push(whole);
            continue;
        }
        let words = words(line);
        let mut current = String::new();
        for (at, word) in words.iter().enumerate() {
            let last = last_line && at + 1 == words.len();
            let longer = format!("{current}{word}");
            if shown(&longer)?.chars().count() > if last { width.saturating_sub(allowance) } else { width } {
                if !current.is_empty() {
                    pieces.push(shown(&current)?);
                }
                current = (*word).to_owned();
            } else {
                current = longer;
            }
        }
        if !current.is_empty() {
            pieces.push(shown(&current)?);
        }
    }
    if let [single] = &pieces[..] {
        out.push_str(single);
        return Ok(());
    }
    if level == 1 {
        out.push('(');
    }
    out.push_str(&pieces.join(&format!("\n{}", " ".repeat(indent))));
    if level == 1 {
        out.push(')');
    }
    Ok(())
}

/// Words with the blanks behind them.
fn words(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let blanks =
            rest[word..].find(|character: char| !character.is_whitespace()).map_or(rest.len(), |blanks| word + blanks);
        found.push(&rest[..blanks]);
        rest = &rest[blanks..];
    }
    found
}
