//! Values: how Python and JSON write them, and how text becomes the type that a parameter declares.

use crate::core::action::spec::ParameterType;
use crate::core::template::literal;
use regex::Regex;
use serde_json::Value;
use std::fmt::Write;
use std::sync::LazyLock;

/// What StackStorm's filter `use_none` writes so that a template can yield nothing.
pub(crate) const NOTHING: &str = "%*****__%NONE%__*****%";

/// What a template writes out for a value at its top: text as it is, everything else as Python shows it.
pub fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => python(other),
    }
}

/// Python's `repr`.
pub fn python(value: &Value) -> String {
    let mut out = String::new();
    write_python(value, &mut out);
    out
}

fn write_python(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => out.push_str(&number_text(number)),
        Value::String(text) => python_text(text, out),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                write_python(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (at, (key, item)) in map.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                python_text(key, out);
                out.push_str(": ");
                write_python(item, out);
            }
            out.push('}');
        }
    }
}

/// Text in quotes: single ones unless only they occur inside.
pub(crate) fn python_text(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            same if same == quote => out.extend(['\\', same]),
            plain @ ' '..='~' => out.push(plain),
            shown if !hidden(shown) => out.push(shown),
            hidden => match u32::from(hidden) {
                code @ 0..=0xff => push(out, format_args!("\\x{code:02x}")),
                code @ 0x100..=0xffff => push(out, format_args!("\\u{code:04x}")),
                code => push(out, format_args!("\\U{code:08x}")),
            },
        }
    }
    out.push(quote);
}

/// What Python does not hold for printable.
fn hidden(character: char) -> bool {
    static HIDDEN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^[\p{C}\p{Z}]$")
            .expect("the pattern is a constant, and every list of foreign letters goes through it")
    });
    HIDDEN.is_match(character.encode_utf8(&mut [0; 4]))
}

/// Writing into a `String` cannot fail.
fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

fn number_text(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => float_text(float),
        _ => number.to_string(),
    }
}

/// Python's shortest text of a float: `1.0`, `1e-05`, `1e+16`.
pub(crate) fn float_text(float: f64) -> String {
    let size = float.abs();
    if size != 0.0 && !(1e-4..1e16).contains(&size) && float.is_finite() {
        let text = format!("{float:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    if float.is_nan() { "nan".into() } else { format!("{float:?}") }
}

/// Text in JSON, with other letters than ASCII escaped.
pub(crate) fn json_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            plain @ ' '..='~' => out.push(plain),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    push(out, format_args!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}

/// Turns a value into the declared type, if it can be read so.
///
/// Text becomes what it says; other values have to be of the type already. A list may be written as JSON, as Python writes it, or with
/// commas. Yes and no may be written in the ways people write them. Nothing at all is left to whoever checks what is required.
pub fn cast(value: &Value, kind: ParameterType) -> Option<Value> {
    let text = match value {
        Value::Null => return Some(Value::Null),
        Value::String(text) if text == NOTHING => return Some(Value::Null),
        Value::String(text) => text.as_str(),
        other => return typed(other, kind),
    };
    let trimmed = text.trim();
    match kind {
        ParameterType::String => Some(value.clone()),
        ParameterType::Integer => whole(&literal::read_number(trimmed)?),
        ParameterType::Number => literal::read_number(trimmed),
        ParameterType::Boolean => match trimmed.to_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(Value::Bool(true)),
            "false" | "no" | "off" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        ParameterType::Array => match structure(trimmed) {
            Some(list @ Value::Array(_)) => Some(list),
            // A list that does not read as one is a mistake; anything else is a list with commas.
            _ if trimmed.starts_with('[') && trimmed.ends_with(']') && trimmed.contains(['"', '\'', '{']) => None,
            _ if trimmed.is_empty() => Some(Value::Array(Vec::new())),
            _ => Some(trimmed.split(',').map(|item| Value::from(item.trim())).collect()),
        },
        ParameterType::Object => structure(trimmed).filter(Value::is_object),
        ParameterType::Null => matches!(trimmed, "" | "null" | "None").then_some(Value::Null),
    }
}

/// JSON, or what Python writes.
fn structure(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().or_else(|| literal::read(text))
}

fn typed(value: &Value, kind: ParameterType) -> Option<Value> {
    let fits = match kind {
        ParameterType::String => value.is_string(),
        ParameterType::Integer => return whole(value),
        ParameterType::Number => value.is_number(),
        ParameterType::Boolean => value.is_boolean(),
        ParameterType::Array => value.is_array(),
        ParameterType::Object => value.is_object(),
        ParameterType::Null => value.is_null(),
    };
    fits.then(|| value.clone())
}

/// A whole number; `5.0` is one.
fn whole(value: &Value) -> Option<Value> {
    let number = value.as_number()?;
    if !number.is_f64() {
        return Some(value.clone());
    }
    let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15)?;
    #[expect(clippy::cast_possible_truncation, reason = "the range and the fraction are checked in the line above")]
    Some(Value::from(float as i64))
}
