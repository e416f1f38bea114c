//! Text, counted in characters as Python counts it.

use super::Entry;
use super::math::blank;
use crate::core::yaql::error::{Kind, Outcome, fail};
use crate::core::yaql::resolve::Call;
use crate::core::yaql::signature::Way::{Both, Function, Method};
use crate::core::yaql::text;
use crate::core::yaql::value::Value;

pub(super) const FUNCTIONS: &[Entry] = &[
    ("len", Both, "string: String", |call| Ok(Value::from(call.text(0).chars().count()))),
    ("toLower", Method, "string: String", |call| call.run.text(call.text(0).to_lowercase())),
    ("toUpper", Method, "string: String", |call| call.run.text(call.text(0).to_uppercase())),
    ("split", Method, "string: String, separator: String? = null, maxSplits: Int = -1", |call| split(call, false)),
    ("rightSplit", Method, "string: String, separator: String? = null, maxSplits: Int = -1", |call| split(call, true)),
    ("join", Method, "sequence: Iterable, separator: String", |call| join(call, 0, 1)),
    ("join", Method, "separator: String, sequence: Iterable", |call| join(call, 1, 0)),
    ("str", Function, "value: Any?", |call| written(call, &call.value(0)).map(Value::from)),
    ("concat", Function, "*args: String", super::operators::joined),
    ("trim", Method, "string: String, chars: String? = null", |call| call.run.text(trimmed(call, true, true))),
    ("trimLeft", Method, "string: String, chars: String? = null", |call| call.run.text(trimmed(call, true, false))),
    ("trimRight", Method, "string: String, chars: String? = null", |call| call.run.text(trimmed(call, false, true))),
    ("norm", Both, "string: String?, chars: String? = null", |call| {
        let text = trimmed(call, true, true);
        if text.is_empty() { Ok(Value::Null) } else { call.run.text(text) }
    }),
    ("isEmpty", Both, "string: String?, trim: Bool = true, chars: String? = null", |call| {
        Ok(Value::Bool(if call.flag(1) {
            trim(&call.text(0), call.text_or(2).as_deref(), true, true).is_empty()
        } else {
            call.text(0).is_empty()
        }))
    }),
    ("replace", Method, "string: String, old: String, new: String, count: Int = -1", |call| {
        replaced(call, &call.text(0), &call.text(1), &call.text(2), call.whole(3)).map(Value::from)
    }),
    ("replace", Method, "string: String, replacements: Mapping, count: Int = -1", |call| {
        let mut text = call.text(0).to_string();
        for (old, new) in &call.map(1).entries {
            text = replaced(call, &text, &written(call, old)?, &written(call, new)?, call.whole(2))?;
        }
        Ok(Value::from(text))
    }),
    ("substring", Method, "string: String, start: Int, length: Int = -1", substring),
    ("indexOf", Method, "string: String, sub: String, start: Int = 0", |call| find(call, false)),
    ("indexOf", Method, "string: String, sub: String, start: Int, length: Int", |call| find(call, false)),
    ("lastIndexOf", Method, "string: String, sub: String, start: Int = 0", |call| find(call, true)),
    ("lastIndexOf", Method, "string: String, sub: String, start: Int, length: Int", |call| find(call, true)),
    ("toCharArray", Method, "string: String", |call| {
        let text = call.text(0);
        call.run.charge(text.len())?;
        Value::tuple(text.chars().map(|character| Value::text(character.encode_utf8(&mut [0; 4]))).collect())
    }),
    (
        "characters",
        Function,
        "digits: Bool? = false, hexdigits: Bool? = false, asciiLowercase: Bool? = false, asciiUppercase: Bool? = false, \
         asciiLetters: Bool? = false, letters: Bool? = false, octdigits: Bool? = false, punctuation: Bool? = false, \
         printable: Bool? = false, lowercase: Bool? = false, uppercase: Bool? = false, whitespace: Bool? = false",
        characters,
    ),
    ("isString", Function, "arg: Any?", |call| Ok(Value::Bool(call.value(0).as_text().is_some()))),
    ("startsWith", Method, "string: String, *prefixes: String", |call| {
        let text = call.text(0);
        Ok(Value::Bool(call.rest.iter().filter_map(Value::as_text).any(|prefix| text.starts_with(prefix))))
    }),
    ("endsWith", Method, "string: String, *suffixes: String", |call| {
        let text = call.text(0);
        Ok(Value::Bool(call.rest.iter().filter_map(Value::as_text).any(|suffix| text.ends_with(suffix))))
    }),
];

/// `str(value)`.
pub(super) fn written(call: &Call<'_, '_>, value: &Value) -> Outcome<String> {
    call.run.charge_for(value)?;
    let text = text::inside(value);
    call.run.room_for(text.len())?;
    Ok(text)
}

fn trimmed(call: &Call<'_, '_>, left: bool, right: bool) -> String {
    trim(&call.text(0), call.text_or(1).as_deref(), left, right).to_owned()
}

fn trim<'t>(text: &'t str, characters: Option<&str>, left: bool, right: bool) -> &'t str {
    let off =
        |character: char| characters.map_or_else(|| blank(character), |characters| characters.contains(character));
    let text = if left { text.trim_start_matches(off) } else { text };
    if right { text.trim_end_matches(off) } else { text }
}

fn split(call: &mut Call<'_, '_>, from_right: bool) -> Outcome<Value> {
    let text = call.text(0);
    let most = usize::try_from(call.whole(2)).unwrap_or(usize::MAX);
    call.run.charge(text.len() / 16)?;
    let parts: Vec<&str> = match call.text_or(1) {
        Some(separator) if separator.is_empty() => return fail(Kind::Value, "the separator is empty"),
        Some(separator) if from_right => {
            let mut parts: Vec<_> = text.rsplitn(most.saturating_add(1), &*separator).collect();
            parts.reverse();
            parts
        }
        Some(separator) => text.splitn(most.saturating_add(1), &*separator).collect(),
        None => words(&text, most, from_right),
    };
    call.run.charge(parts.len())?;
    Value::list(parts.into_iter().map(Value::text).collect())
}

/// Splits at white space, of which what is at the ends and beside each other does not count.
fn words(text: &str, most: usize, from_right: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_matches(blank);
    while !rest.is_empty() {
        let found = if from_right { rest.rfind(blank) } else { rest.find(blank) };
        let Some(at) = found.filter(|_| parts.len() < most) else { break };
        let behind = at + rest[at..].chars().next().map_or(1, char::len_utf8);
        if from_right {
            parts.push(&rest[behind..]);
            rest = rest[..at].trim_end_matches(blank);
        } else {
            parts.push(&rest[..at]);
            rest = rest[behind..].trim_start_matches(blank);
        }
    }
    if !rest.is_empty() {
        // With no split left, the far end keeps its white space.
        let whole = if parts.is_empty() && most == 0 {
            if from_right { text.trim_end_matches(blank) } else { text.trim_start_matches(blank) }
        } else if parts.len() >= most {
            let start = rest.as_ptr().addr() - text.as_ptr().addr();
            if from_right { &text[..start + rest.len()] } else { &text[start..] }
        } else {
            rest
        };
        parts.push(whole);
    }
    if from_right {
        parts.reverse();
    }
    parts
}

fn join(call: &mut Call<'_, '_>, items: usize, separator: usize) -> Outcome<Value> {
    let separator = call.text(separator);
    let mut items = call.items(items)?;
    let mut out = String::new();
    let mut first = true;
    while let Some(item) = items.next(call.run)? {
        if !first {
            out.push_str(&separator);
        }
        first = false;
        match item.as_text() {
            Some(text) => out.push_str(text),
            None => out.push_str(&written(call, &item)?),
        }
        if out.len() > call.run.context.limits.text {
            break;
        }
    }
    call.run.text(out)
}

fn replaced(call: &Call<'_, '_>, text: &str, old: &str, new: &str, count: i128) -> Outcome<String> {
    let most = usize::try_from(count).unwrap_or(usize::MAX);
    call.run.charge(text.len() / 32)?;
    let found = if old.is_empty() { text.chars().count() + 1 } else { text.matches(old).count() };
    let found = found.min(most);
    call.run
        .room_for((text.len() + found.saturating_mul(new.len())).saturating_sub(found.saturating_mul(old.len())))?;
    Ok(text.replacen(old, new, found))
}

/// Where the character with this number begins, or the end.
fn place(text: &str, at: usize) -> usize {
    if text.is_ascii() {
        return at.min(text.len());
    }
    text.char_indices().nth(at).map_or(text.len(), |(place, _)| place)
}

/// A bound of a slice as Python counts it: negative ones from the end.
fn bound(at: i128, length: usize) -> usize {
    let length = i128::try_from(length).unwrap_or(i128::MAX);
    let at = if at < 0 { at.saturating_add(length) } else { at };
    usize::try_from(at.clamp(0, length)).unwrap_or_default()
}

/// Python's `text[start:end]`, and where it starts.
fn slice(text: &str, start: i128, end: i128) -> Option<(&str, usize)> {
    let length = text.chars().count();
    let past = start > i128::try_from(length).unwrap_or(i128::MAX);
    let (start, end) = (bound(start, length), bound(end, length));
    (!past && start <= end).then(|| (&text[place(text, start)..place(text, end)], start))
}

fn substring(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let text = call.text(0);
    let length = i128::try_from(text.chars().count()).unwrap_or(i128::MAX);
    let (start, wanted) = (call.whole(1), call.whole(2));
    let wanted = if wanted < 0 { length } else { wanted };
    let start = if start < 0 { start.saturating_add(length) } else { start };
    call.run.text(slice(&text, start, start.saturating_add(wanted)).map_or("", |(part, _)| part))
}

fn find(call: &mut Call<'_, '_>, last: bool) -> Outcome<Value> {
    let (text, sub) = (call.text(0), call.text(1));
    call.run.charge(text.len() / 16)?;
    let length = i128::try_from(text.chars().count()).unwrap_or(i128::MAX);
    let mut start = call.whole(2);
    let end = match call.given(3) {
        Some(_) => {
            start = if start < 0 { start.saturating_add(length) } else { start };
            let wanted = call.whole(3);
            let wanted = if wanted < 0 { length.saturating_sub(start) } else { wanted };
            start.saturating_add(wanted)
        }
        None => length,
    };
    let found = slice(&text, start, end).and_then(|(part, from)| {
        let at = if last { part.rfind(&*sub) } else { part.find(&*sub) }?;
        Some(from + part[..at].chars().count())
    });
    Ok(found.map_or(Value::Int(-1), Value::from))
}

fn characters(call: &mut Call<'_, '_>) -> Outcome<Value> {
    const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
    const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const DIGITS: &str = "0123456789";
    const SIGNS: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    const BLANKS: &str = " \t\n\r\u{b}\u{c}";
    let sets: [&[&str]; 12] = [
        &[DIGITS],
        &[DIGITS, "abcdefABCDEF"],
        &[LOWER],
        &[UPPER],
        &[LOWER, UPPER],
        &[],
        &["01234567"],
        &[SIGNS],
        &[DIGITS, LOWER, UPPER, SIGNS, BLANKS],
        &[],
        &[],
        &[BLANKS],
    ];
    let mut all = Vec::new();
    for (at, set) in sets.iter().enumerate().filter(|(at, _)| call.flag(*at)) {
        if set.is_empty() {
            let name =
                ["letters", "lowercase", "uppercase"][[5, 9, 10].iter().position(|one| *one == at).unwrap_or_default()];
            return fail(Kind::Attribute, format!("there is no set of characters `{name}` any more"));
        }
        all.extend(set.concat().chars());
    }
    all.sort_unstable();
    all.dedup();
    Value::tuple(all.into_iter().map(|character| Value::text(character.encode_utf8(&mut [0; 4]))).collect())
}
