//! The methods of text. Places are counted in characters.

use crate::core::template::arguments::Call;
use crate::core::template::braces;
use crate::core::template::figures::{Align, padded};
use crate::core::template::filters::text::{capitalized, centered, lines, replaced};
use crate::core::template::python::{items, kind, refuse, room_for, tuple};
use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, State, Value};

/// The parameters of a method, and whether it takes more than them.
fn parameters(method: &str) -> Option<(&'static [&'static str], bool)> {
    Some(match method {
        "capitalize" | "casefold" | "isalnum" | "isalpha" | "isascii" | "isdecimal" | "isdigit" | "isidentifier"
        | "islower" | "isnumeric" | "isprintable" | "isspace" | "istitle" | "isupper" | "lower" | "swapcase"
        | "title" | "upper" => (&[], false),
        "center" | "ljust" | "rjust" => (&["width", "fillchar"], false),
        "count" | "endswith" | "find" | "index" | "rfind" | "rindex" | "startswith" => {
            (&["sub", "start", "end"], false)
        }
        "expandtabs" => (&["tabsize"], false),
        "format" => (&[], true),
        "join" => (&["iterable"], false),
        "lstrip" | "rstrip" | "strip" => (&["chars"], false),
        "partition" | "rpartition" => (&["sep"], false),
        "removeprefix" => (&["prefix"], false),
        "removesuffix" => (&["suffix"], false),
        "replace" => (&["old", "new", "count"], false),
        "rsplit" | "split" => (&["sep", "maxsplit"], false),
        "splitlines" => (&["keepends"], false),
        "zfill" => (&["width"], false),
        _ => return None,
    })
}

pub(super) fn call(state: &mut State<'_, '_>, text: &str, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    let Some((parameters, open)) = parameters(method) else {
        return Err(Error::new(ErrorKind::UnknownMethod, format!("text has no method `{method}`")));
    };
    state.consume_fuel(u64::try_from(text.len() / 64).unwrap_or(u64::MAX))?;
    let call = Call::new(state, parameters, open, arguments)?;
    Ok(match method {
        "capitalize" => Value::from(capitalized(text)),
        "casefold" => Value::from(text.to_lowercase().replace('ß', "ss")),
        "lower" => Value::from(text.to_lowercase()),
        "upper" => Value::from(text.to_uppercase()),
        "swapcase" => text
            .chars()
            .flat_map(|character| match character.is_uppercase() {
                true => character.to_lowercase().collect::<Vec<_>>(),
                false => character.to_uppercase().collect(),
            })
            .collect::<String>()
            .into(),
        "title" => Value::from(title(text)),
        "center" | "ljust" | "rjust" | "zfill" => placed(&call, text, method)?,
        "count" | "endswith" | "find" | "index" | "rfind" | "rindex" | "startswith" => searched(&call, text, method)?,
        "expandtabs" => Value::from(without_tabs(text, call.count_or(0, 8)?)?),
        "format" => Value::from(braces::format(call.state, text, &call.rest, &call.named)?),
        "join" => joined(&call, text)?,
        "lstrip" => stripped(&call, text, true, false)?,
        "rstrip" => stripped(&call, text, false, true)?,
        "strip" => stripped(&call, text, true, true)?,
        "partition" | "rpartition" => parted(&call, text, method)?,
        "removeprefix" => Value::from(text.strip_prefix(call.only_text(0)?).unwrap_or(text)),
        "removesuffix" => Value::from(text.strip_suffix(call.only_text(0)?).unwrap_or(text)),
        "replace" => Value::from(replaced(text, call.only_text(0)?, call.only_text(1)?, call.whole_or(2, -1)?)?),
        "rsplit" | "split" => split(&call, text, method == "rsplit")?,
        "splitlines" => lines(text, call.truth_or(0, false)).into_iter().map(Value::from).collect(),
        _ => Value::from(is(text, method)),
    })
}

fn title(text: &str) -> String {
    let mut out = String::new();
    let mut begins = true;
    for character in text.chars() {
        if begins {
            out.extend(character.to_uppercase());
        } else {
            out.extend(character.to_lowercase());
        }
        begins = !character.is_alphabetic();
    }
    out
}

fn fill(call: &Call<'_, '_, '_>) -> Result<char, Error> {
    let fill = call.text_or(1, " ")?;
    let mut characters = fill.chars();
    match (characters.next(), characters.next()) {
        (Some(fill), None) => Ok(fill),
        _ => Err(refuse("what fills up is one character")),
    }
}

fn placed(call: &Call<'_, '_, '_>, text: &str, method: &str) -> Result<Value, Error> {
    call.defined(0)?;
    let width = call.count_or(0, 0)?;
    Ok(Value::from(match method {
        "ljust" => padded("", text, width, Align::Left, fill(call)?)?,
        "rjust" => padded("", text, width, Align::Right, fill(call)?)?,
        "zfill" => {
            let digits = text.trim_start_matches(['+', '-']);
            let sign = if text.len() - digits.len() == 1 { &text[..1] } else { "" };
            padded(sign, &text[sign.len()..], width, Align::BehindSign, '0')?
        }
        _ => centered(text, width, fill(call)?)?,
    }))
}

/// The part between two places, where it begins in characters, and its text.
fn between<'t>(call: &Call<'_, '_, '_>, text: &'t str) -> Result<Option<(usize, &'t str)>, Error> {
    let length = text.chars().count();
    let place = |at: usize, default: usize| -> Result<usize, Error> {
        let number = call.whole_or(at, i128::try_from(default).unwrap_or(i128::MAX))?;
        let number = if number < 0 { (number + i128::try_from(length).unwrap_or(0)).max(0) } else { number };
        Ok(usize::try_from(number).unwrap_or(usize::MAX))
    };
    let (start, end) = (place(1, 0)?, place(2, length)?.min(length));
    if start > end {
        return Ok(None);
    }
    let byte = |place: usize| text.char_indices().nth(place).map_or(text.len(), |(at, _)| at);
    Ok(Some((start, &text[byte(start)..byte(end)])))
}

fn searched(call: &Call<'_, '_, '_>, text: &str, method: &str) -> Result<Value, Error> {
    let part = between(call, text)?;
    if matches!(method, "startswith" | "endswith") {
        let wanted = call.defined(0)?;
        let any = match wanted.kind() {
            ValueKind::String => vec![wanted.clone()],
            ValueKind::Seq if crate::core::template::python::is_tuple(wanted) => items(call.state, wanted)?,
            _ => return Err(refuse(format!("`{method}` takes text or a tuple of texts, not {}", kind(wanted)))),
        };
        let Some((_, part)) = part else { return Ok(Value::from(false)) };
        let fits = |wanted: &Value| {
            let wanted = wanted.as_str().unwrap_or("\0");
            if method == "startswith" { part.starts_with(wanted) } else { part.ends_with(wanted) }
        };
        return Ok(Value::from(any.iter().any(fits)));
    }
    let wanted = call.only_text(0)?;
    if method == "count" {
        let count = part.map_or(0, |(_, part)| match wanted {
            "" => part.chars().count() + 1,
            wanted => part.matches(wanted).count(),
        });
        return Ok(Value::from(count));
    }
    let found = part.and_then(|(start, part)| {
        let at = if method.starts_with('r') { part.rfind(wanted) } else { part.find(wanted) };
        at.map(|at| start + part[..at].chars().count())
    });
    match found {
        Some(at) => Ok(Value::from(at)),
        None if method.ends_with("find") => Ok(Value::from(-1)),
        None => Err(refuse("the text does not hold it")),
    }
}

fn without_tabs(text: &str, size: usize) -> Result<String, Error> {
    room_for(text.len().saturating_add(text.matches('\t').count().saturating_mul(size)))?;
    let mut out = String::new();
    let mut column = 0;
    for character in text.chars() {
        match character {
            '\t' if size > 0 => {
                let blanks = size - column % size;
                out.push_str(&" ".repeat(blanks));
                column += blanks;
            }
            '\t' => {}
            '\n' | '\r' => {
                out.push(character);
                column = 0;
            }
            other => {
                out.push(other);
                column += 1;
            }
        }
    }
    Ok(out)
}

fn joined(call: &Call<'_, '_, '_>, between: &str) -> Result<Value, Error> {
    let mut out = String::new();
    for (at, item) in call.items(0)?.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { between });
        out.push_str(item.as_str().ok_or_else(|| refuse(format!("`join` takes texts, not {}", kind(item))))?);
        room_for(out.len())?;
    }
    Ok(Value::from(out))
}

fn stripped(call: &Call<'_, '_, '_>, text: &str, from_start: bool, from_end: bool) -> Result<Value, Error> {
    let set = match call.given(0) {
        Some(_) => Some(call.only_text(0)?),
        None => None,
    };
    let outside = |character: char| match set {
        Some(set) => set.contains(character),
        None => character.is_whitespace(),
    };
    let text = if from_start { text.trim_start_matches(outside) } else { text };
    Ok(Value::from(if from_end { text.trim_end_matches(outside) } else { text }))
}

fn separator<'c>(call: &'c Call<'_, '_, '_>) -> Result<&'c str, Error> {
    let separator = call.only_text(0)?;
    if separator.is_empty() { Err(refuse("the separator is empty")) } else { Ok(separator) }
}

fn parted(call: &Call<'_, '_, '_>, text: &str, method: &str) -> Result<Value, Error> {
    let separator = separator(call)?;
    let parts = match method {
        "partition" => text.split_once(separator).map_or([text, "", ""], |(one, other)| [one, separator, other]),
        _ => text.rsplit_once(separator).map_or(["", "", text], |(one, other)| [one, separator, other]),
    };
    Ok(tuple(parts.into_iter().map(Value::from).collect()))
}

fn split(call: &Call<'_, '_, '_>, text: &str, from_end: bool) -> Result<Value, Error> {
    let most = usize::try_from(call.whole_or(1, -1)?).map_or(usize::MAX, |most| most.saturating_add(1));
    let parts: Vec<&str> = match (call.given(0).is_some(), from_end) {
        (true, false) => text.splitn(most, separator(call)?).collect(),
        (true, true) => {
            let mut parts: Vec<&str> = text.rsplitn(most, separator(call)?).collect();
            parts.reverse();
            parts
        }
        (false, from_end) => words(text, most, from_end),
    };
    Ok(parts.into_iter().map(Value::from).collect())
}

/// Parts with any white space between them; the last one keeps what is inside of it.
fn words(text: &str, most: usize, from_end: bool) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if found.len() + 1 >= most {
            found.push(if from_end { rest.trim_end() } else { rest.trim_start() });
            // What was split off before is bare on one side only.
            if let Some(last) = found.last_mut() {
                *last = if from_end {
                    text.get(..last.len() + (text.len() - text.trim_start().len())).unwrap_or(last).trim_end()
                } else {
                    &text[text.len() - last.len() - (text.len() - text.trim_end().len())..]
                };
            }
            break;
        }
        let at = if from_end { rest.rfind(char::is_whitespace) } else { rest.find(char::is_whitespace) };
        let Some(at) = at else {
            found.push(rest);
            break;
        };
        let width = rest[at..].chars().next().map_or(1, char::len_utf8);
        let (front, back) = (&rest[..at], &rest[at + width..]);
        if from_end {
            found.push(back);
            rest = front.trim_end();
        } else {
            found.push(front);
            rest = back.trim_start();
        }
    }
    if from_end {
        found.reverse();
    }
    found
}

/// The methods that ask what a text consists of.
fn is(text: &str, method: &str) -> bool {
    let all = |fits: fn(char) -> bool| !text.is_empty() && text.chars().all(fits);
    let cased = text.chars().any(|character| character.is_lowercase() || character.is_uppercase());
    match method {
        "isalnum" => all(char::is_alphanumeric),
        "isalpha" => all(char::is_alphabetic),
        "isascii" => text.is_ascii(),
        "isdecimal" | "isdigit" | "isnumeric" => all(char::is_numeric),
        "isidentifier" => {
            all(|character| character.is_alphanumeric() || character == '_') && !text.starts_with(char::is_numeric)
        }
        "islower" => cased && !text.chars().any(char::is_uppercase),
        "isupper" => cased && !text.chars().any(char::is_lowercase),
        "isprintable" => {
            !text.chars().any(|character| character != ' ' && (character.is_control() || character.is_whitespace()))
        }
        "isspace" => all(char::is_whitespace),
        _ => cased && title(text) == text,
    }
}
