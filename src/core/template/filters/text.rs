//! Filters for text.

use super::{Filter, filter, with_more};
use crate::core::template::arguments::Call;
use crate::core::template::percent;
use crate::core::template::python::{refuse, room_for, text};
use minijinja::value::Kwargs;
use minijinja::{Error, Value};

pub(super) const FILTERS: &[Filter] = &[
    filter("capitalize", &["s"], |call| Ok(Value::from(capitalized(&call.text(0)?)))),
    filter("center", &["value", "width"], |call| centered(&call.text(0)?, call.count_or(1, 80)?, ' ').map(Value::from)),
    with_more("format", &["value"], |call| {
        if !call.rest.is_empty() && !call.named.is_empty() {
            return Err(refuse("it takes arguments by place or by name, not both"));
        }
        let named = (!call.named.is_empty()).then(|| Value::from(call.named.iter().cloned().collect::<Kwargs>()));
        percent::format(call.state, &call.text(0)?, &call.rest, named.as_ref()).map(Value::from)
    }),
    filter("indent", &["s", "width", "first", "blank"], indent),
    filter("lower", &["s"], |call| Ok(Value::from(call.text(0)?.to_lowercase()))),
    filter("replace", &["s", "old", "new", "count"], |call| {
        let most = call.whole_or(3, -1)?;
        replaced(&call.text(0)?, &call.text(1)?, &call.text(2)?, most).map(Value::from)
    }),
    filter("string", &["object"], |call| match call.defined(0)? {
        marked if marked.is_safe() => Ok(marked.clone()),
        other => text(other).map(Value::from),
    }),
    filter("title", &["s"], |call| Ok(Value::from(title(&call.text(0)?)))),
    filter("trim", &["value", "chars"], |call| {
        let text = call.text(0)?;
        let set = call.given(1).map(super::super::python::text).transpose()?;
        Ok(Value::from(text.trim_matches(|character: char| match &set {
            Some(set) => set.contains(character),
            None => character.is_whitespace(),
        })))
    }),
    filter("truncate", &["s", "length", "killwords", "end", "leeway"], truncate),
    filter("upper", &["s"], |call| Ok(Value::from(call.text(0)?.to_uppercase()))),
    filter("wordcount", &["s"], |call| {
        let text = call.text(0)?;
        let word = |character: char| character.is_alphanumeric() || character == '_';
        Ok(Value::from(text.split(|character| !word(character)).filter(|part| !part.is_empty()).count()))
    }),
];

/// The first letter large and all others small.
pub(crate) fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    first + &characters.as_str().to_lowercase()
}

/// Python's `str.center`.
pub(crate) fn centered(text: &str, width: usize, fill: char) -> Result<String, Error> {
    let length = text.chars().count();
    let missing = width.saturating_sub(length);
    room_for(missing.saturating_mul(fill.len_utf8()))?;
    let left = missing / 2 + (missing & width & 1);
    let blanks = |count: usize| std::iter::repeat_n(fill, count).collect::<String>();
    Ok(blanks(left) + text + &blanks(missing - left))
}

/// Python's `str.replace`; a count below zero is none.
pub(crate) fn replaced(text: &str, old: &str, new: &str, most: i128) -> Result<String, Error> {
    let found = if old.is_empty() { text.chars().count() + 1 } else { text.matches(old).count() };
    let count = usize::try_from(most).unwrap_or(found).min(found);
    room_for(text.len().saturating_add(count.saturating_mul(new.len())))?;
    Ok(text.replacen(old, new, count))
}

/// Python's lines: every kind of break ends one.
pub(crate) fn lines(text: &str, keep_ends: bool) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if !matches!(
            character,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        ) {
            continue;
        }
        let mut end = at + character.len_utf8();
        if character == '\r' && characters.next_if(|(_, next)| *next == '\n').is_some() {
            end += 1;
        }
        found.push(&text[start..if keep_ends { end } else { at }]);
        start = end;
    }
    if start < text.len() {
        found.push(&text[start..]);
    }
    found
}

fn indent(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let text = call.text(0)? + "\n";
    let indentation = match call.given(1) {
        Some(width) if width.as_str().is_some() => width.as_str().unwrap_or_default().to_owned(),
        _ => {
            let width = call.count_or(1, 4)?;
            room_for(width)?;
            " ".repeat(width)
        }
    };
    let (first, blank) = (call.truth_or(2, false), call.truth_or(3, false));
    let all = lines(&text, false);
    room_for(text.len().saturating_add(all.len().saturating_mul(indentation.len())))?;
    let mut out = String::new();
    for (at, line) in all.into_iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        if if at == 0 { first } else { blank || !line.is_empty() } {
            out.push_str(&indentation);
        }
        out.push_str(line);
    }
    Ok(Value::from(out))
}

/// A word begins behind a blank, a hyphen or an opening bracket.
fn title(text: &str) -> String {
    let mut out = String::new();
    let mut begins = true;
    for character in text.chars() {
        if character.is_whitespace() || "-({[<".contains(character) {
            out.push(character);
            begins = true;
        } else if begins {
            out.extend(character.to_uppercase());
            begins = false;
        } else {
            out.extend(character.to_lowercase());
        }
    }
    out
}

fn truncate(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let text = call.text(0)?;
    let length = call.count_or(1, 255)?;
    let end = call.text_or(3, "...")?;
    let leeway = call.count_or(4, 5)?;
    let ending = end.chars().count();
    if length < ending {
        return Err(refuse(format!("`length` has to be at least {ending}, the length of what stands at the end")));
    }
    if text.chars().count() <= length.saturating_add(leeway) {
        return Ok(Value::from(text));
    }
    let kept: String = text.chars().take(length - ending).collect();
    let kept = if call.truth_or(2, false) { &kept } else { kept.rsplit_once(' ').map_or(&*kept, |(words, _)| words) };
    Ok(Value::from(format!("{kept}{end}")))
}
