//! StackStorm's own filters, those that need nothing from outside. `decrypt_kv`, `jsonpath_query`, the YAML and the version filters are not
//! among them yet; a template that uses one is told that it is unknown.

use crate::core::template::render::{from_jinja, into_jinja};
use crate::core::template::surroundings::{OPENER, Opener, Step};
use crate::core::template::value;
use minijinja::{Environment, Error, ErrorKind, State, Value};

/// Steps that a pattern of a template may take.
const MOST_STEPS: usize = 100_000;

pub(crate) fn add_to(environment: &mut Environment<'static>) {
    environment.add_filter("string", |value: Value| text_of(&value));
    environment.add_filter("join", join);
    environment.add_filter("to_complex", |value: Value| Ok::<_, Error>(value::json(&from_jinja(&value)?, ", ", ": ")));
    environment
        .add_filter("to_json_string", |value: Value| Ok::<_, Error>(value::json(&from_jinja(&value)?, ",", ": ")));
    environment.add_filter("from_json_string", |value: Value| {
        value::from_json(&text_of(&value)?).map(|value| into_jinja(&value)).map_err(refuse)
    });
    environment.add_filter("json_escape", |value: Value| {
        let text = value::json(&from_jinja(&value)?, ", ", ": ");
        Ok::<_, Error>(text.trim_matches('"').to_owned())
    });
    environment
        .add_filter("use_none", |value: Value| if value.is_none() { Value::from(value::NOTHING) } else { value });
    environment.add_filter("basename", |path: String| path.rsplit('/').next().unwrap_or_default().to_owned());
    environment.add_filter("dirname", |path: String| dirname(&path).to_owned());
    environment.add_filter("regex_match", |value: Value, pattern: String, ignore_case: Option<bool>| {
        find(&format!(r"\A(?:{pattern})"), &value, ignore_case)
    });
    environment.add_filter("regex_search", |value: Value, pattern: String, ignore_case: Option<bool>| {
        find(&pattern, &value, ignore_case)
    });
    environment.add_filter("regex_replace", replace);
    environment.add_filter("regex_substring", substring);
    environment.add_filter("to_human_time_from_seconds", human_time);
    environment.add_filter("decrypt_kv", decrypt);
}

/// Opens what was sealed. A key that does not exist is told apart from one that is not sealed.
fn decrypt(state: &State<'_, '_>, value: Value) -> Result<String, Error> {
    let sealed = text_of(&value)?;
    if let Some(step) = value.downcast_object_ref::<Step>().filter(|_| sealed.is_empty()) {
        return Err(refuse(format!("`decrypt_kv`: there is no `{}` in the datastore, or it is empty", step.spoken())));
    }
    let opener = state.lookup(OPENER).and_then(|opener| opener.downcast_object::<Opener>());
    let opener =
        opener.ok_or_else(|| refuse("`decrypt_kv` cannot be used here: there is no key to open anything with"))?;
    opener.open(&sealed).map_err(|why| refuse(format!("`decrypt_kv` {why}")))
}

fn refuse(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, why.into())
}

fn text_of(value: &Value) -> Result<String, Error> {
    match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => from_jinja(value).map(|value| value::written(&value)),
    }
}

fn join(values: Value, between: Option<String>) -> Result<String, Error> {
    let texts: Result<Vec<String>, Error> = values.try_iter()?.checked().map(|item| text_of(&item?)).collect();
    Ok(texts?.join(&between.unwrap_or_default()))
}

/// What stands before the last slash, without the slashes that end it unless they are all there is.
fn dirname(path: &str) -> &str {
    let head = path.rfind('/').map_or("", |slash| &path[..=slash]);
    let shorter = head.trim_end_matches('/');
    if shorter.is_empty() { head } else { shorter }
}

fn pattern(pattern: &str, ignore_case: Option<bool>) -> Result<fancy_regex::Regex, Error> {
    let mut builder = fancy_regex::RegexBuilder::new(pattern);
    builder.backtrack_limit(MOST_STEPS).case_insensitive(ignore_case.unwrap_or(false));
    builder.build().map_err(|error| refuse(format!("`{pattern}` is no regular expression: {error}")))
}

fn find(wanted: &str, value: &Value, ignore_case: Option<bool>) -> Result<bool, Error> {
    pattern(wanted, ignore_case)?.is_match(&text_of(value)?).map_err(|error| refuse(error.to_string()))
}

fn replace(value: Value, wanted: String, replacement: String, ignore_case: Option<bool>) -> Result<String, Error> {
    let text = text_of(&value)?;
    let mut out = String::new();
    let mut end = 0;
    for captures in pattern(&wanted, ignore_case)?.captures_iter(text.as_str()) {
        let captures = captures.map_err(|error| refuse(error.to_string()))?;
        let Some(whole) = captures.get(0) else { continue };
        out.push_str(&text[end..whole.start()]);
        expand(&replacement, &captures, &mut out)?;
        end = whole.end();
    }
    out.push_str(&text[end..]);
    Ok(out)
}

/// Python's notation for what was found: `\1`, `\g<1>`, `\g<name>`.
fn expand(replacement: &str, captures: &fancy_regex::Captures<'_, str>, out: &mut String) -> Result<(), Error> {
    let mut rest = replacement;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let mut characters = after.chars();
        rest = match characters.next() {
            Some(digit) if digit.is_ascii_digit() => {
                let digits = after.chars().take(2).take_while(char::is_ascii_digit).count();
                let group = after[..digits].parse().ok().filter(|group| *group < captures.len());
                let group = group.ok_or_else(|| refuse(format!("there is no group `\\{}`", &after[..digits])))?;
                out.push_str(captures.get(group).map_or("", |found| found.as_str()));
                &after[digits..]
            }
            Some('g') => {
                let (name, behind) = after[1..]
                    .strip_prefix('<')
                    .and_then(|rest| rest.split_once('>'))
                    .ok_or_else(|| refuse("`\\g` needs `<name>`"))?;
                let found = name.parse().map_or_else(|_| captures.name(name), |group: usize| captures.get(group));
                out.push_str(found.map_or("", |found| found.as_str()));
                behind
            }
            Some('n') => {
                out.push('\n');
                characters.as_str()
            }
            Some('t') => {
                out.push('\t');
                characters.as_str()
            }
            Some('\\') => {
                out.push('\\');
                characters.as_str()
            }
            _ => {
                out.push('\\');
                after
            }
        };
    }
    out.push_str(rest);
    Ok(())
}

fn substring(value: Value, wanted: String, index: Option<i64>, ignore_case: Option<bool>) -> Result<Value, Error> {
    let text = text_of(&value)?;
    let mut found = Vec::new();
    for captures in pattern(&wanted, ignore_case)?.captures_iter(text.as_str()) {
        let captures = captures.map_err(|error| refuse(error.to_string()))?;
        let group = |group| Value::from(captures.get(group).map_or("", |found| found.as_str()));
        // With one group Python finds that group, with several a tuple of them.
        found.push(match captures.len() {
            1 => group(0),
            2 => group(1),
            many => (1..many).map(group).collect(),
        });
    }
    let index = index.unwrap_or_default();
    let at = if index < 0 { i64::try_from(found.len()).unwrap_or(i64::MAX) + index } else { index };
    let count = found.len();
    usize::try_from(at)
        .ok()
        .filter(|at| *at < count)
        .map(|at| found.swap_remove(at))
        .ok_or_else(|| refuse(format!("`{wanted}` was found {count} times, number {index} was asked for")))
}

/// `3h25m45s`. StackStorm forgets whole months; days are counted on here.
fn human_time(value: Value) -> Result<String, Error> {
    let float = f64::try_from(value.clone()).map_err(|_| refuse(format!("`{value}` is no number of seconds")))?;
    if value.as_str().is_some() || !(0.0..=1e11).contains(&float) {
        return Err(refuse(format!("`{value}` is no number of seconds")));
    }
    if float > 0.0 && float < 1.0 {
        return Ok(format!("{}\u{3bc}s", value::float_text(float)));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked above")]
    let whole = float.round_ties_even() as u64;
    let parts = [(whole / 86_400, 'd'), (whole / 3_600 % 24, 'h'), (whole / 60 % 60, 'm'), (whole % 60, 's')];
    let text: String =
        parts.iter().skip_while(|(number, _)| *number == 0).map(|(number, unit)| format!("{number}{unit}")).collect();
    Ok(if text.is_empty() { "0s".into() } else { text })
}
