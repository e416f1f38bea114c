//! Filters for text in HTML and in addresses.

use super::{Filter, filter};
use crate::core::template::arguments::Call;
use crate::core::template::python::{items, kind, pairs, refuse, text};
use minijinja::value::ValueKind;
use minijinja::{Error, Value};

pub(super) const FILTERS: &[Filter] = &[
    filter("e", &["s"], escape),
    filter("escape", &["s"], escape),
    filter("forceescape", &["value"], |call| Ok(Value::from_safe_string(escaped(&call.text(0)?)))),
    filter("safe", &["value"], |call| Ok(Value::from_safe_string(call.text(0)?))),
    filter("striptags", &["value"], |call| Ok(Value::from(without_tags(&call.text(0)?)))),
    filter("urlencode", &["value"], url_encode),
    filter("urlize", &["value", "trim_url_limit", "nofollow", "target", "rel", "extra_schemes"], links),
    filter("xmlattr", &["d", "autospace"], attributes),
];

fn escape(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let value = call.defined(0)?;
    if value.is_safe() {
        return Ok(value.clone());
    }
    Ok(Value::from_safe_string(escaped(&call.text(0)?)))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&#39;"),
            '"' => out.push_str("&#34;"),
            other => out.push(other),
        }
    }
    out
}

/// Comments and tags taken out, blanks made one, and the commonest entities made what they stand for.
fn without_tags(text: &str) -> String {
    let mut bare = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("<!--") {
        let Some(length) = rest[start..].find("-->") else { break };
        bare.push_str(&rest[..start]);
        rest = &rest[start + length + 3..];
    }
    bare.push_str(rest);
    let mut plain = String::new();
    let mut rest = bare.as_str();
    while let Some(start) = rest.find('<') {
        let Some(length) = rest[start..].find('>') else { break };
        plain.push_str(&rest[..start]);
        rest = &rest[start + length + 1..];
    }
    plain.push_str(rest);
    entities(&plain.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn entities(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let entity = after.split_once(';').filter(|(name, _)| name.len() <= 10);
        let found = entity.and_then(|(name, behind)| {
            let code = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
            let character = match name {
                "amp" => Some('&'),
                "lt" => Some('<'),
                "gt" => Some('>'),
                "quot" => Some('"'),
                "apos" => Some('\''),
                "nbsp" => Some('\u{a0}'),
                _ => match (name.strip_prefix("#x").or(name.strip_prefix("#X")), name.strip_prefix('#')) {
                    (Some(digits), _) => code(digits, 16),
                    (None, Some(digits)) => code(digits, 10),
                    (None, None) => None,
                },
            };
            character.map(|character| (character, behind))
        });
        rest = match found {
            Some((character, behind)) => {
                out.push(character);
                behind
            }
            None => {
                out.push('&');
                after
            }
        };
    }
    out.push_str(rest);
    out
}

/// Percent signs for all but letters, digits, `_.-~` and, outside of a query, slashes.
fn quoted(text: &str, query: bool) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'/' if !query => out.push('/'),
            b' ' if query => out.push('+'),
            byte if byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte) => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn url_encode(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let value = call.defined(0)?;
    let fields: Vec<(Value, Value)> = match value.kind() {
        ValueKind::Map => pairs(value)?,
        ValueKind::Seq | ValueKind::Iterable => {
            let mut fields = Vec::new();
            for pair in call.items(0)? {
                match &items(call.state, &pair)?[..] {
                    [key, item] => fields.push((key.clone(), item.clone())),
                    _ => return Err(refuse("it takes a list of pairs")),
                }
            }
            fields
        }
        _ => return Ok(Value::from(quoted(&call.text(0)?, false))),
    };
    let fields: Result<Vec<String>, Error> = fields
        .iter()
        .map(|(key, item)| Ok(format!("{}={}", quoted(&text(key)?, true), quoted(&text(item)?, true))))
        .collect();
    Ok(Value::from(fields?.join("&")))
}

fn attributes(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let map = call.defined(0)?;
    if map.kind() != ValueKind::Map {
        return Err(refuse(format!("it takes a map, not {}", kind(map))));
    }
    let mut written = Vec::new();
    for (key, item) in pairs(map)? {
        if item.is_none() || item.is_undefined() {
            continue;
        }
        let key = text(&key)?;
        if key.contains(|character: char| character.is_whitespace() || "/>=".contains(character)) {
            return Err(refuse("the name of an attribute holds no blank and none of / > ="));
        }
        written.push(format!("{}=\"{}\"", escaped(&key), escaped(&text(&item)?)));
    }
    let blank = if call.truth_or(1, true) && !written.is_empty() { " " } else { "" };
    Ok(Value::from_safe_string(format!("{blank}{}", written.join(" "))))
}

/// Addresses in a text made links.
fn links(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let escaped_text = if call.value(0)?.is_safe() { call.text(0)? } else { escaped(&call.text(0)?) };
    let limit = call.given(1).is_some().then(|| call.count_or(1, 0)).transpose()?;
    let mut relation: Vec<String> = call.text_or(4, "")?.split_whitespace().map(str::to_owned).collect();
    if call.truth_or(2, false) {
        relation.push("nofollow".into());
    }
    relation.push("noopener".into());
    relation.sort();
    relation.dedup();
    let target = call.text_or(3, "")?;
    let target = if target.is_empty() { String::new() } else { format!(" target=\"{}\"", escaped(&target)) };
    let relation = format!(" rel=\"{}\"", escaped(&relation.join(" ")));
    let mut schemes = Vec::new();
    if let Some(extra) = call.given(5) {
        for scheme in items(call.state, extra)? {
            schemes.push(text(&scheme)?);
        }
    }
    let shown = |address: &str| match limit {
        Some(limit) if address.chars().count() > limit => address.chars().take(limit).chain("...".chars()).collect(),
        _ => address.to_owned(),
    };
    let mut out = String::new();
    let mut rest = escaped_text.as_str();
    while !rest.is_empty() {
        let blanks = rest.len() - rest.trim_start().len();
        out.push_str(&rest[..blanks]);
        rest = &rest[blanks..];
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        rest = behind;
        let (head, middle, tail) = peeled(word);
        out.push_str(head);
        let is_address = |rest: &str| {
            rest.split(['/', ':', '?', '#']).next().is_some_and(|host| host.contains('.') || host == "localhost")
        };
        let bare = middle.strip_prefix("http://").or_else(|| middle.strip_prefix("https://"));
        let mail = middle.strip_prefix("mailto:").unwrap_or(middle);
        if bare.is_some_and(is_address) {
            out.push_str(&format!("<a href=\"{middle}\"{relation}{target}>{}</a>", shown(middle)));
        } else if middle.starts_with("www.") && is_address(middle) && middle.len() > 4 {
            out.push_str(&format!("<a href=\"https://{middle}\"{relation}{target}>{}</a>", shown(middle)));
        } else if is_mail(mail) {
            out.push_str(&format!("<a href=\"mailto:{mail}\">{middle}</a>"));
        } else if schemes.iter().any(|scheme| middle != scheme && middle.starts_with(scheme.as_str())) {
            out.push_str(&format!("<a href=\"{middle}\"{relation}{target}>{}</a>", shown(middle)));
        } else {
            out.push_str(middle);
        }
        out.push_str(tail);
    }
    Ok(Value::from_safe_string(out))
}

fn is_mail(text: &str) -> bool {
    let word = |character: char| character.is_alphanumeric() || "_.-+".contains(character);
    match text.split_once('@') {
        Some((name, host)) => {
            !name.is_empty()
                && name.chars().all(word)
                && host.chars().all(|character| character.is_alphanumeric() || "._-".contains(character))
                && host.rsplit_once('.').is_some_and(|(before, end)| !before.is_empty() && !end.is_empty())
        }
        None => false,
    }
}

/// Brackets and stops around an address, which do not belong to it. One that closes a bracket of the address does.
fn peeled(word: &str) -> (&str, &str, &str) {
    let mut middle = word;
    while let Some(inner) = ["(", "&lt;"].iter().find_map(|opening| middle.strip_prefix(opening)) {
        middle = inner;
    }
    let start = word.len() - middle.len();
    while let Some(inner) = [")", "&gt;", ".", ","].iter().find_map(|closing| middle.strip_suffix(closing)) {
        middle = inner;
    }
    let mut end = start + middle.len();
    for (opening, closing) in [("(", ")"), ("&lt;", "&gt;")] {
        while word[start..end].matches(opening).count() > word[start..end].matches(closing).count() {
            let Some(at) = word[end..].find(closing) else { break };
            end += at + closing.len();
        }
    }
    (&word[..start], &word[start..end], &word[end..])
}
