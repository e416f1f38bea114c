//! What a criterion does with a value and a pattern: StackStorm's operators, typed as Python is.
//!
//! A pattern that is nothing is met by nothing, except where being nothing is the matter (`nequals`, `exists`, `nexists`).

use crate::core::template::python;
use crate::core::template::python_regex::{Applied, Pattern};
use crate::core::template::render::into_jinja;
use crate::core::template::value::written;
use crate::core::yaql::read_time;
use jiff::Timestamp;
use serde_json::Value;
use std::cmp::Ordering;

/// What can be asked of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is its own word, and docs/rules.md says what it does")]
pub enum Operator {
    Equals,
    Nequals,
    Iequals,
    Contains,
    Icontains,
    Ncontains,
    Incontains,
    StartsWith,
    IstartsWith,
    EndsWith,
    IendsWith,
    LessThan,
    GreaterThan,
    MatchWildcard,
    MatchRegex,
    Regex,
    Iregex,
    TimediffLt,
    TimediffGt,
    Exists,
    Nexists,
    Inside,
    Ninside,
    Search,
}

/// Every word for an operator.
pub const NAMES: [(&str, Operator); 33] = [
    ("eq", Operator::Equals),
    ("equals", Operator::Equals),
    ("neq", Operator::Nequals),
    ("nequals", Operator::Nequals),
    ("ieq", Operator::Iequals),
    ("iequals", Operator::Iequals),
    ("contains", Operator::Contains),
    ("icontains", Operator::Icontains),
    ("ncontains", Operator::Ncontains),
    ("incontains", Operator::Incontains),
    ("startswith", Operator::StartsWith),
    ("istartswith", Operator::IstartsWith),
    ("endswith", Operator::EndsWith),
    ("iendswith", Operator::IendsWith),
    ("lt", Operator::LessThan),
    ("lessthan", Operator::LessThan),
    ("gt", Operator::GreaterThan),
    ("greaterthan", Operator::GreaterThan),
    ("matchwildcard", Operator::MatchWildcard),
    ("matchregex", Operator::MatchRegex),
    ("regex", Operator::Regex),
    ("iregex", Operator::Iregex),
    ("td_lt", Operator::TimediffLt),
    ("timediff_lt", Operator::TimediffLt),
    ("td_gt", Operator::TimediffGt),
    ("timediff_gt", Operator::TimediffGt),
    ("exists", Operator::Exists),
    ("nexists", Operator::Nexists),
    ("in", Operator::Inside),
    ("inside", Operator::Inside),
    ("nin", Operator::Ninside),
    ("ninside", Operator::Ninside),
    ("search", Operator::Search),
];

impl Operator {
    /// The operator of this word, whatever the case of its letters; rule files have to use small ones.
    pub fn named(word: &str) -> Option<Self> {
        NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, operator)| *operator)
    }

    /// Whether it asks for nothing but whether there is a value.
    pub fn needs_no_pattern(self) -> bool {
        matches!(self, Self::Exists | Self::Nexists)
    }

    /// How its pattern is looked for, where that is a regular expression.
    fn applied(self) -> Option<Applied> {
        match self {
            Self::MatchRegex => Some(Applied { anchored: true, over_lines: true, ..Applied::default() }),
            Self::Regex => Some(Applied::default()),
            Self::Iregex => Some(Applied { ignores_case: true, ..Applied::default() }),
            _ => None,
        }
    }

    /// The pattern made ready, where it is a regular expression.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn prepare(self, pattern: &Value) -> Result<Option<Pattern>, String> {
        let (Some(applied), false) = (self.applied(), pattern.is_null()) else { return Ok(None) };
        let pattern = pattern.as_str().ok_or_else(|| format!("{} is no regular expression", word(pattern)))?;
        Pattern::compile(pattern, applied).map(Some)
    }

    /// Whether a value is as the pattern wants it. `search` is not asked here, since it needs the other criteria.
    ///
    /// # Errors
    /// The two cannot be brought together; no value that cannot be judged meets anything.
    pub fn holds(self, value: &Value, pattern: &Value, now: Timestamp) -> Result<bool, String> {
        self.holds_with(value, pattern, None, now)
    }

    /// The same with the pattern made ready, where it has been.
    pub(crate) fn holds_with(
        self,
        value: &Value,
        pattern: &Value,
        ready: Option<&Pattern>,
        now: Timestamp,
    ) -> Result<bool, String> {
        match self {
            Self::Exists => return Ok(!value.is_null()),
            Self::Nexists => return Ok(value.is_null()),
            Self::Nequals => return same(value, pattern).map(|same| !same),
            _ if pattern.is_null() => return Ok(false),
            _ => {}
        }
        match self {
            Self::Equals => same(value, pattern),
            Self::Iequals => both(value, pattern, |value, pattern| value == pattern),
            Self::Contains => within(pattern, value),
            Self::Ncontains => within(pattern, value).map(|is_in| !is_in),
            Self::Icontains => both(value, pattern, |value, pattern| value.contains(pattern)),
            Self::Incontains => both(value, pattern, |value, pattern| !value.contains(pattern)),
            Self::Inside => within(value, pattern),
            Self::Ninside => within(value, pattern).map(|is_in| !is_in),
            Self::StartsWith => texts(value, pattern).map(|(value, pattern)| value.starts_with(pattern)),
            Self::EndsWith => texts(value, pattern).map(|(value, pattern)| value.ends_with(pattern)),
            Self::IstartsWith => both(value, pattern, |value, pattern| value.starts_with(pattern)),
            Self::IendsWith => both(value, pattern, |value, pattern| value.ends_with(pattern)),
            Self::LessThan => order(value, pattern).map(|order| order == Some(Ordering::Less)),
            Self::GreaterThan => order(value, pattern).map(|order| order == Some(Ordering::Greater)),
            Self::MatchWildcard => texts(value, pattern).map(|(value, pattern)| wildcard(value, pattern)),
            Self::MatchRegex | Self::Regex | Self::Iregex => {
                let (value, text) = texts(value, pattern)?;
                match (ready, self.applied()) {
                    (Some(ready), _) => ready.is_in(value),
                    (None, applied) => Pattern::compile(text, applied.unwrap_or_default())?.is_in(value),
                }
            }
            Self::TimediffLt => elapsed(value, pattern, now).map(|(elapsed, limit)| elapsed < limit),
            Self::TimediffGt => elapsed(value, pattern, now).map(|(elapsed, limit)| elapsed > limit),
            Self::Search => Err("`search` looks through a list, and there is none here".to_owned()),
            Self::Exists | Self::Nexists | Self::Nequals => Ok(false),
        }
    }
}

/// The word for a value in what is said to people.
pub(super) fn word(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

/// Python's `==`.
fn same(one: &Value, other: &Value) -> Result<bool, String> {
    match (one, other) {
        (Value::String(one), Value::String(other)) => Ok(one == other),
        (Value::String(_) | Value::Null, _) | (_, Value::String(_) | Value::Null) => Ok(one == other),
        _ => python::same(&into_jinja(one), &into_jinja(other)).map_err(|error| said(&error)),
    }
}

/// Python's order; nothing where numbers have none.
fn order(one: &Value, other: &Value) -> Result<Option<Ordering>, String> {
    python::compare(&into_jinja(one), &into_jinja(other)).map(Some).map_err(|error| said(&error))
}

fn said(error: &minijinja::Error) -> String {
    error.detail().map_or_else(|| error.to_string(), str::to_owned)
}

fn texts<'v>(value: &'v Value, pattern: &'v Value) -> Result<(&'v str, &'v str), String> {
    let text =
        |of: &'v Value, what| of.as_str().ok_or_else(|| format!("the {what} is {}, and has to be text", word(of)));
    Ok((text(value, "value")?, text(pattern, "pattern")?))
}

/// A question about two texts in which capital and small letters are alike.
fn both(value: &Value, pattern: &Value, ask: impl Fn(&str, &str) -> bool) -> Result<bool, String> {
    let (value, pattern) = texts(value, pattern)?;
    Ok(ask(&value.to_lowercase(), &pattern.to_lowercase()))
}

/// Python's `part in whole`.
fn within(part: &Value, whole: &Value) -> Result<bool, String> {
    match whole {
        Value::String(whole) => match part {
            Value::String(part) => Ok(whole.contains(part)),
            other => Err(format!("{} is looked for in text", word(other))),
        },
        Value::Array(items) => {
            for item in items {
                if same(part, item)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Value::Object(map) => match part {
            Value::String(part) => Ok(map.contains_key(part)),
            Value::Array(_) | Value::Object(_) => Err(format!("{} is looked for among the keys of a map", word(part))),
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(false),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => Err(format!("nothing can be in {}", word(whole))),
    }
}

/// How many seconds ago a time was, and how many the pattern says.
fn elapsed(value: &Value, pattern: &Value, now: Timestamp) -> Result<(f64, f64), String> {
    let text = value.as_str().ok_or_else(|| format!("the value is {}, and has to be a time", word(value)))?;
    let then = read_time(text, now).map_err(|error| error.to_string())?;
    let limit = match pattern {
        Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
        other => written(other).trim().parse().ok(),
    };
    let limit = limit.ok_or_else(|| format!("the pattern is {}, and has to be a number of seconds", word(pattern)))?;
    Ok((now.duration_since(then).as_secs_f64(), limit))
}

/// A piece of a pattern for file names.
enum Piece {
    Any,
    One,
    Letter(char),
    /// Letters and ranges of them, or all but these.
    Class(Vec<(char, char)>, bool),
}

impl Piece {
    fn takes(&self, letter: char) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Letter(wanted) => *wanted == letter,
            Self::Class(ranges, but) => ranges.iter().any(|(first, last)| (*first..=*last).contains(&letter)) != *but,
        }
    }
}

/// `*`, `?`, `[a-z]`, `[!a-z]` as Python's `fnmatch` reads them. Takes time in proportion to both lengths.
fn wildcard(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let pieces = pieces(pattern);
    let (mut at, mut piece) = (0, 0);
    // Where the last `*` stands, and how far it has reached.
    let mut star = None;
    while at < text.len() {
        match pieces.get(piece) {
            Some(Piece::Any) => {
                star = Some((piece, at));
                piece += 1;
            }
            Some(wanted) if wanted.takes(text[at]) => {
                piece += 1;
                at += 1;
            }
            _ => match star {
                Some((place, reached)) => {
                    star = Some((place, reached + 1));
                    (piece, at) = (place + 1, reached + 1);
                }
                None => return false,
            },
        }
    }
    pieces[piece..].iter().all(|piece| matches!(piece, Piece::Any))
}

fn pieces(pattern: &str) -> Vec<Piece> {
    let letters: Vec<char> = pattern.chars().collect();
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(&letter) = letters.get(at) {
        at += 1;
        pieces.push(match letter {
            '*' => Piece::Any,
            '?' => Piece::One,
            '[' => {
                let but = letters.get(at) == Some(&'!');
                let first = at + usize::from(but);
                // A bracket that comes first is one of the letters.
                let end = letters.iter().skip(first + 1).position(|letter| *letter == ']');
                match end {
                    Some(length) => {
                        let inside = &letters[first..=first + length];
                        at = first + length + 2;
                        Piece::Class(ranges(inside), but)
                    }
                    None => Piece::Letter('['),
                }
            }
            other => Piece::Letter(other),
        });
    }
    pieces
}

fn ranges(letters: &[char]) -> Vec<(char, char)> {
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(&first) = letters.get(at) {
        match (letters.get(at + 1), letters.get(at + 2)) {
            (Some('-'), Some(last)) => {
                ranges.push((first, *last));
                at += 3;
            }
            _ => {
                ranges.push((first, first));
                at += 1;
            }
        }
    }
    ranges
}
