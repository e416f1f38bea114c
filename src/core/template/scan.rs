//! Reading a template's text before the engine does: where its expressions stand, which names they hold, and where a value is kept.
//!
//! The engine bounds the work of a template and not the depth of its values: a namespace that is made to hold itself, or a list that is wrapped
//! ten thousand times, would overflow the stack when it is compared or shown. So **every value that `set` keeps goes through a filter** that
//! refuses one that is too deep ([`guarded`]), and [`keep`] is that filter.

use crate::core::template::python::{DEEPEST, is_tuple, pairs, refuse, too_deep, tuple};
use crate::core::template::surroundings::Branch;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, State, Value};
use std::collections::BTreeSet;
use std::ops::Range;

/// The filter for what a name keeps.
const KEPT: &str = "__kept";
/// The filter for what a namespace keeps.
const HELD: &str = "__held";

pub(super) fn add_to(environment: &mut Environment<'static>) {
    environment.add_filter(KEPT, |state: &State<'_, '_>, value: Value| keep(state, value, false));
    environment.add_filter(HELD, |state: &State<'_, '_>, value: Value| keep(state, value, true));
}

/// A piece of a template that is not text.
#[derive(Debug, Clone)]
struct Piece {
    /// It is `{% %}` and not `{{ }}`.
    block: bool,
    tokens: Vec<Token>,
    /// Where the expression ends, before the mark that closes it.
    end: usize,
}

#[derive(Debug, Clone)]
struct Token {
    kind: Kind,
    at: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Name,
    Quoted,
    Sign(char),
    Other,
}

/// The pieces of a template, as far as it can be read.
fn pieces(template: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(offset) = template[at..].find('{') {
        let start = at + offset;
        let rest = &template[start + 1..];
        at = start + 1;
        match rest.chars().next() {
            Some('#') => match rest.find("#}") {
                Some(end) => at = start + 1 + end + 2,
                None => return found,
            },
            Some(sign @ ('{' | '%')) => {
                let block = sign == '%';
                let Some(piece) = piece(template, start + 2, block) else { return found };
                at = piece.end + 2;
                let tag = piece.tokens.first().map(|token| &template[token.at.clone()]);
                let raw = block && tag == Some("raw");
                found.push(piece);
                if raw {
                    match end_of_raw(template, at) {
                        Some(end) => at = end,
                        None => return found,
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// Where the text behind a `raw` block begins.
fn end_of_raw(template: &str, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let start = at + template[at..].find("{%")? + 2;
        let inside = template[start..].trim_start_matches(['-', '+']).trim_start();
        if let Some(behind) = inside.strip_prefix("endraw") {
            let behind = behind.trim_start().trim_start_matches(['-', '+']);
            if behind.starts_with("%}") {
                return Some(template.len() - behind.len() + 2);
            }
        }
        at = start;
    }
}

fn piece(template: &str, from: usize, block: bool) -> Option<Piece> {
    let mut tokens = Vec::new();
    let mut open = 0_usize;
    let mut at = from;
    loop {
        let rest = &template[at..];
        let character = rest.chars().next()?;
        let closes = rest.strip_prefix(['-', '+']).unwrap_or(rest).starts_with(if block { "%}" } else { "}}" });
        if closes && open == 0 {
            // The mark may have a sign of its own, which the caller steps over with it.
            let sign = usize::from(!rest.starts_with(if block { "%}" } else { "}}" }));
            return Some(Piece { block, tokens, end: at + sign });
        }
        let (kind, length) = match character {
            '"' | '\'' => {
                let mut length = 1;
                let mut escaped = false;
                loop {
                    let next = rest[length..].chars().next()?;
                    length += next.len_utf8();
                    match next {
                        _ if escaped => escaped = false,
                        '\\' => escaped = true,
                        same if same == character => break,
                        _ => {}
                    }
                }
                (Kind::Quoted, length)
            }
            first if first.is_alphabetic() || first == '_' => {
                let end = rest.find(|character: char| !character.is_alphanumeric() && character != '_');
                (Kind::Name, end.unwrap_or(rest.len()))
            }
            first if first.is_numeric() => {
                let end = rest.find(|character: char| !character.is_alphanumeric() && !"._".contains(character));
                (Kind::Other, end.unwrap_or(rest.len()))
            }
            sign => {
                match sign {
                    '(' | '[' | '{' => open += 1,
                    ')' | ']' | '}' => open = open.saturating_sub(1),
                    _ => {}
                }
                (Kind::Sign(sign), sign.len_utf8())
            }
        };
        if !character.is_whitespace() {
            tokens.push(Token { kind, at: at..at + length });
        }
        at += length;
    }
}

/// The template with every value that it keeps led through a filter, and with the two things put right that the engine takes otherwise than
/// Jinja2 does: every line break is one character, and the break behind `{% raw %}` stays. Lines stay where they are.
pub(super) fn guarded(template: &str) -> String {
    let template = &template.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = String::with_capacity(template.len());
    let mut done = 0;
    for piece in pieces(template).iter().filter(|piece| piece.block) {
        let mut tokens = piece.tokens.iter().peekable();
        // The sign of `{%-`.
        tokens.next_if(|token| matches!(token.kind, Kind::Sign('-' | '+')));
        let tag = tokens.next().map(|token| &template[token.at.clone()]);
        if tag == Some("raw") && !template[..piece.end].ends_with(['-', '+']) {
            out.push_str(&template[done..piece.end]);
            out.push('+');
            done = piece.end;
        }
        if tag != Some("set") {
            continue;
        }
        let mut attribute = false;
        let mut equals = None;
        for token in tokens {
            match token.kind {
                Kind::Sign('=') => {
                    equals = Some(token.at.end);
                    break;
                }
                Kind::Sign('.' | '[') => attribute = true,
                // A block that is set, with filters.
                Kind::Sign('|') => break,
                _ => {}
            }
        }
        let Some(equals) = equals else { continue };
        let end = piece.tokens.last().map_or(equals, |token| token.at.end).max(equals);
        let filter = if attribute { HELD } else { KEPT };
        out.push_str(&template[done..equals]);
        out.push('(');
        out.push_str(&template[equals..end]);
        out.push_str(")|");
        out.push_str(filter);
        out.push(' ');
        done = end;
    }
    out.push_str(&template[done..]);
    out
}

/// Words that are no names of values.
const WORDS: [&str; 26] = [
    "and",
    "as",
    "caller",
    "context",
    "else",
    "false",
    "False",
    "ignore",
    "if",
    "import",
    "in",
    "is",
    "kwargs",
    "loop",
    "missing",
    "none",
    "None",
    "not",
    "or",
    "recursive",
    "self",
    "super",
    "true",
    "True",
    "varargs",
    "with",
];

/// Names that stand in expressions and that nothing in the template gives a value. The engine's own list lacks what stands before a slice.
pub(super) fn free_names(template: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    let mut given = BTreeSet::new();
    for piece in pieces(template) {
        let mut tokens = &piece.tokens[..];
        if let [Token { kind: Kind::Sign('-' | '+'), .. }, rest @ ..] = tokens {
            tokens = rest;
        }
        let word = |token: &Token| &template[token.at.clone()];
        if piece.block {
            let Some((tag, rest)) = tokens.split_first() else { continue };
            tokens = rest;
            let names = |tokens: &[Token]| -> Vec<String> {
                tokens.iter().filter(|token| token.kind == Kind::Name).map(|token| word(token).to_owned()).collect()
            };
            let until = |sign: &str| rest.iter().position(|token| word(token) == sign).unwrap_or(rest.len());
            match word(tag) {
                "set" => given.extend(names(&rest[..until("=")])),
                "for" => given.extend(names(&rest[..until("in")])),
                "macro" | "import" | "from" | "block" => given.extend(names(rest)),
                "call" => given.extend(names(&rest[..until(")")])),
                "with" => {
                    let set = rest.windows(2).filter(|pair| pair[1].kind == Kind::Sign('='));
                    given.extend(set.filter(|pair| pair[0].kind == Kind::Name).map(|pair| word(&pair[0]).to_owned()));
                }
                _ => {}
            }
        }
        for (at, token) in tokens.iter().enumerate() {
            let before = at.checked_sub(1).and_then(|at| tokens.get(at));
            let after = tokens.get(at + 1);
            let attribute = before
                .is_some_and(|token| matches!(token.kind, Kind::Sign('.' | '|')) || word(token) == "is")
                || (before.is_some_and(|token| word(token) == "not") && at >= 2 && word(&tokens[at - 2]) == "is");
            let named = after.is_some_and(|token| token.kind == Kind::Sign('='))
                && tokens
                    .get(at + 2)
                    .is_none_or(|token| token.kind != Kind::Sign('=') || token.at.start != tokens[at + 1].at.end);
            if token.kind == Kind::Name && !attribute && !named && !WORDS.contains(&word(token)) {
                used.insert(word(token).to_owned());
            }
        }
    }
    used.into_iter().filter(|name| !given.contains(name)).collect()
}

/// The filters that a template names.
pub(super) fn filters(template: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for piece in pieces(template) {
        for pair in piece.tokens.windows(2) {
            let applied = pair[0].kind == Kind::Sign('|') || (piece.block && &template[pair[0].at.clone()] == "filter");
            if applied && pair[1].kind == Kind::Name {
                named.insert(template[pair[1].at.clone()].to_owned());
            }
        }
    }
    named
}

/// A value as it may be kept: not too deep, and nothing that is worked out only when it is looked at.
fn keep(state: &State<'_, '_>, value: Value, in_namespace: bool) -> Result<Value, Error> {
    Ok(settled(state, &value, in_namespace, 0)?.unwrap_or(value))
}

/// The value rebuilt, if it has to be.
fn settled(state: &State<'_, '_>, value: &Value, in_namespace: bool, depth: usize) -> Result<Option<Value>, Error> {
    if depth > DEEPEST {
        return Err(too_deep());
    }
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            // One that is worked out when it is looked at pays for its items before it has them.
            if value.kind() == ValueKind::Iterable {
                state.consume_fuel(u64::try_from(value.len().unwrap_or_default()).unwrap_or(u64::MAX))?;
            }
            let mut all: Vec<Value> = value.try_iter()?.checked().collect::<Result<_, _>>()?;
            state.consume_fuel(1 + u64::try_from(all.len() / 16).unwrap_or(u64::MAX))?;
            let mut changed = value.kind() == ValueKind::Iterable;
            for item in &mut all {
                if let Some(rebuilt) = settled(state, item, in_namespace, depth + 1)? {
                    *item = rebuilt;
                    changed = true;
                }
            }
            Ok(changed.then(|| if is_tuple(value) { tuple(all) } else { Value::from(all) }))
        }
        ValueKind::Map if value.downcast_object_ref::<Branch>().is_some() => Ok(None),
        ValueKind::Map => {
            let namespace = value.as_object().is_some_and(|object| object.type_name().contains("Namespace"));
            if namespace && in_namespace {
                return Err(refuse("a namespace cannot hold a namespace"));
            }
            if namespace {
                return Ok(None);
            }
            let mut entries = pairs(value)?;
            let mut changed = false;
            for (_, item) in &mut entries {
                state.consume_fuel(1)?;
                if let Some(rebuilt) = settled(state, item, in_namespace, depth + 1)? {
                    *item = rebuilt;
                    changed = true;
                }
            }
            Ok(changed.then(|| Value::from_pairs(entries)))
        }
        _ => Ok(None),
    }
}
