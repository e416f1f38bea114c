//! StackStorm's filters for regular expressions, in Python's dialect.

use super::{Filter, filter};
use crate::core::template::arguments::Call;
use crate::core::template::python::{refuse, room_for, tuple};
use crate::core::template::python_regex::{self, Applied, Part, compile, replacement};
use fancy_regex::{Captures, Regex};
use minijinja::{Error, Value};

pub(super) const FILTERS: &[Filter] = &[
    filter("regex_match", &["value", "pattern", "ignorecase"], |call| is_there(call, true)),
    filter("regex_replace", &["value", "pattern", "replacement", "ignorecase"], replace),
    filter("regex_search", &["value", "pattern", "ignorecase"], |call| is_there(call, false)),
    filter("regex_substring", &["value", "pattern", "result_index", "ignorecase"], substring),
];

/// A pattern made ready for one text.
fn ready(call: &Call<'_, '_, '_>, text: &str, flag: usize, anchored: bool) -> Result<Regex, Error> {
    let applied = Applied { anchored, ignores_case: call.truth_or(flag, false), over_lines: false };
    compile(&call.text(1)?, text.ends_with('\n'), applied).map_err(refuse)
}

fn failed(error: &fancy_regex::Error) -> Error {
    refuse(python_regex::failed(error))
}

fn is_there(call: &mut Call<'_, '_, '_>, anchored: bool) -> Result<Value, Error> {
    let text = call.text(0)?;
    let found = ready(call, &text, 2, anchored)?.is_match(&text).map_err(|error| failed(&error))?;
    Ok(Value::from(found))
}

/// Every match, as Python goes through them: an empty one may stand right behind one that is not.
fn each<'t>(
    call: &Call<'_, '_, '_>,
    regex: &Regex,
    text: &'t str,
    mut visit: impl FnMut(&Captures<'t, str>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut at = 0;
    while at <= text.len() {
        call.state.consume_fuel(1)?;
        let found = regex.captures_from_pos(text, at).map_err(|error| failed(&error))?;
        let Some(captures) = found else { break };
        let Some(whole) = captures.get(0) else { break };
        visit(&captures)?;
        at = whole.end();
        if whole.start() == whole.end() {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    Ok(())
}

fn replace(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let text = call.text(0)?;
    let regex = ready(call, &text, 3, false)?;
    let parts = replacement(call.only_text(2)?, &regex).map_err(refuse)?;
    let mut out = String::new();
    let mut end = 0;
    each(call, &regex, &text, |captures| {
        let Some(whole) = captures.get(0) else { return Ok(()) };
        out.push_str(&text[end..whole.start()]);
        for part in &parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Group(group) => out.push_str(captures.get(*group).map_or("", |found| found.as_str())),
            }
        }
        end = whole.end();
        room_for(out.len())
    })?;
    out.push_str(&text[end..]);
    Ok(Value::from(out))
}

fn substring(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let text = call.text(0)?;
    let regex = ready(call, &text, 3, false)?;
    let mut found = Vec::new();
    each(call, &regex, &text, |captures| {
        let group = |group| Value::from(captures.get(group).map_or("", |found| found.as_str()));
        // With one group Python finds that group, with several a tuple of them.
        found.push(match captures.len() {
            1 => group(0),
            2 => group(1),
            many => tuple((1..many).map(group).collect()),
        });
        Ok(())
    })?;
    let index = call.whole_or(2, 0)?;
    let count = found.len();
    let at = if index < 0 { index + i128::try_from(count).unwrap_or(i128::MAX) } else { index };
    usize::try_from(at)
        .ok()
        .filter(|at| *at < count)
        .map(|at| found.swap_remove(at))
        .ok_or_else(|| refuse(format!("the pattern was found {count} times, and number {index} is asked for")))
}
