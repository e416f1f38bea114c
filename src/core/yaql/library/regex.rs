//! Regular expressions.

use super::Entry;
use crate::core::template::python_regex::{Part, replacement};
use crate::core::yaql::error::{Kind, Outcome, YaqlError};
use crate::core::yaql::pattern::{Pattern, behind};
use crate::core::yaql::resolve::Call;
use crate::core::yaql::run::{Run, Scope, place};
use crate::core::yaql::signature::Way::{Function, Method};
use crate::core::yaql::value::Value;
use fancy_regex::Captures;
use std::sync::Arc;

pub(super) const FUNCTIONS: &[Entry] = &[
    (
        "regex",
        Function,
        "pattern: String, ignoreCase: Bool? = false, multiLine: Bool? = false, dotAll: Bool? = false",
        |call| {
            let flags: String =
                [(1, 'i'), (2, 'm'), (3, 's')].iter().filter(|(at, _)| call.flag(*at)).map(|(_, flag)| flag).collect();
            Ok(Value::Pattern(Arc::new(Pattern::read(call.run, call.text(0), &flags)?)))
        },
    ),
    ("matches", Method, "regexp: Regex, string: String", |call| {
        Ok(Value::Bool(pattern(call, 0)?.is_in(call.run, &call.text(1))?))
    }),
    ("matches", Method, "string: String, regexp: String", |call| {
        Ok(Value::Bool(call.run.pattern(&call.text(1))?.is_in(call.run, &call.text(0))?))
    }),
    ("search", Method, "regexp: Regex, string: String, selector: Lambda = null", |call| {
        let (pattern, text) = (pattern(call, 0)?, call.text(1));
        match pattern.find(call.run, &text, 0)? {
            Some(found) => selected(call.run, call.scope, &pattern, &text, &found, call.lambda(2).as_deref()),
            None => Ok(Value::Null),
        }
    }),
    ("searchAll", Method, "regexp: Regex, string: String, selector: Lambda = null", |call| {
        let (pattern, text, selector, scope) = (pattern(call, 0)?, call.text(1), call.lambda(2), call.scope.clone());
        let mut at = 0;
        call.lazy(move |run| {
            if at > text.len() {
                return Ok(None);
            }
            let Some(found) = pattern.find(run, &text, at)? else {
                at = text.len() + 1;
                return Ok(None);
            };
            at = found.get(0).map_or(text.len() + 1, |whole| behind(&text, whole.start(), whole.end()));
            selected(run, &scope, &pattern, &text, &found, selector.as_deref()).map(Some)
        })
    }),
    ("split", Method, "regexp: Regex, string: String, maxSplit: Int = 0", |call| split(call, 0, 1)),
    ("split", Method, "string: String, regexp: Regex, maxSplit: Int = 0", |call| split(call, 1, 0)),
    ("replace", Method, "regexp: Regex, string: String, repl: String, count: Int = 0", |call| replace(call, 0, 1)),
    ("replace", Method, "string: String, regexp: Regex, repl: String, count: Int = 0", |call| replace(call, 1, 0)),
    ("replaceBy", Method, "regexp: Regex, string: String, repl: Lambda, count: Int = 0", |call| replace_by(call, 0, 1)),
    ("replaceBy", Method, "string: String, regexp: Regex, repl: Lambda, count: Int = 0", |call| replace_by(call, 1, 0)),
    ("escapeRegex", Function, "string: String", |call| {
        let mut out = String::new();
        for character in call.text(0).chars() {
            if "()[]{}?*+-|^$\\.&~# \t\n\r\u{b}\u{c}".contains(character) {
                out.push('\\');
            }
            out.push(character);
        }
        call.run.text(out)
    }),
    ("isRegex", Function, "value: Any?", |call| Ok(Value::Bool(matches!(call.value(0), Value::Pattern(_))))),
];

fn pattern(call: &Call<'_, '_>, at: usize) -> Outcome<Arc<Pattern>> {
    match call.value(at) {
        Value::Pattern(pattern) => Ok(pattern),
        _ => call.run.pattern(&"".into()),
    }
}

/// What was found, or what the lambda makes of it: `$` is all of it, `$2` the first group, and named groups have their names.
fn selected(
    run: &Run<'_>,
    scope: &Arc<Scope>,
    pattern: &Pattern,
    text: &str,
    found: &Captures<'_, str>,
    selector: Option<&crate::core::yaql::run::Lambda>,
) -> Outcome<Value> {
    let Some(selector) = selector else { return run.text(found.get(0).map_or("", |whole| whole.as_str())) };
    let characters = |place: usize| Value::from(text[..place].chars().count());
    let record = |group: usize| {
        let (value, start, end) = match found.get(group) {
            Some(part) => (Value::text(part.as_str()), characters(part.start()), characters(part.end())),
            None => (Value::Null, Value::Int(-1), Value::Int(-1)),
        };
        run.charge(text.len() / 32 + 3)?;
        Value::map([("value".into(), value), ("start".into(), start), ("end".into(), end)])
    };
    let mut names = Vec::new();
    for group in 0..found.len() {
        names.push((place(group), record(group)?));
    }
    for (group, name) in pattern.regex(text)?.capture_names().enumerate() {
        if let Some(name) = name {
            names.push((name.into(), record(group)?));
        }
    }
    selector.inside(run, &Scope::below(scope, names)?)
}

/// Goes through what is found, at most so many times; nought is no bound.
fn each<'t>(
    call: &Call<'_, '_>,
    pattern: &Pattern,
    text: &'t str,
    most: i128,
    mut visit: impl FnMut(&Captures<'t, str>, usize, usize) -> Outcome<()>,
) -> Outcome<()> {
    let (mut at, mut count) = (0, 0);
    while at <= text.len() && (most == 0 || count < most) {
        let Some(found) = pattern.find(call.run, text, at)? else { break };
        let Some(whole) = found.get(0) else { break };
        visit(&found, whole.start(), whole.end())?;
        at = behind(text, whole.start(), whole.end());
        count += 1;
    }
    Ok(())
}

fn split(call: &mut Call<'_, '_>, regexp: usize, string: usize) -> Outcome<Value> {
    let (pattern, text) = (pattern(call, regexp)?, call.text(string));
    let mut parts = Vec::new();
    let mut end = 0;
    each(call, &pattern, &text, call.whole(2), |found, start, stop| {
        parts.push(Value::text(&text[end..start]));
        for group in 1..found.len() {
            parts.push(found.get(group).map_or(Value::Null, |part| Value::text(part.as_str())));
        }
        end = stop;
        call.run.charge(found.len())
    })?;
    parts.push(Value::text(&text[end..]));
    Value::list(parts)
}

fn replaced(
    call: &Call<'_, '_>,
    pattern: &Pattern,
    text: &str,
    mut by: impl FnMut(&Captures<'_, str>, &mut String) -> Outcome<()>,
) -> Outcome<Value> {
    let mut out = String::new();
    let mut end = 0;
    each(call, pattern, text, call.whole(3), |found, start, stop| {
        out.push_str(&text[end..start]);
        by(found, &mut out)?;
        end = stop;
        call.run.room_for(out.len().saturating_sub(text.len()))
    })?;
    out.push_str(&text[end..]);
    call.run.text(out)
}

fn replace(call: &mut Call<'_, '_>, regexp: usize, string: usize) -> Outcome<Value> {
    let (pattern, text) = (pattern(call, regexp)?, call.text(string));
    let parts = replacement(&call.text(2), pattern.regex(&text)?)
        .map_err(|why| Box::new(YaqlError::new(Kind::Pattern, why)))?;
    replaced(call, &pattern, &text, |found, out| {
        for part in &parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Group(group) => out.push_str(found.get(*group).map_or("", |part| part.as_str())),
            }
        }
        Ok(())
    })
}

fn replace_by(call: &mut Call<'_, '_>, regexp: usize, string: usize) -> Outcome<Value> {
    let (pattern, text, by) = (pattern(call, regexp)?, call.text(string), call.lambda(2));
    replaced(call, &pattern, &text, |found, out| {
        let made = selected(call.run, call.scope, &pattern, &text, found, by.as_deref())?;
        match made.as_text() {
            Some(text) => out.push_str(text),
            None if matches!(made, Value::Null) => {}
            None => {
                let why = format!("text is replaced by text, not by {}", made.kind());
                return crate::core::yaql::error::fail(Kind::Type, why);
            }
        }
        Ok(())
    })
}
