//! What a plain scalar means: PyYAML's YAML 1.1, so that a file says here what it says to StackStorm.
//!
//! The surprises are kept on purpose: `no` and `off` are false, `010` is eight, `1:30` is ninety, `1e3` is text. Dates stay text,
//! because nothing that a pack says can use a date otherwise.

use super::yaml::Value;
use regex::Regex;
use serde_json::Number;
use std::sync::LazyLock;

/// A plain scalar's value, and why it is not quite what was written.
pub(crate) struct Resolved {
    pub(crate) value: Value,
    /// Set when the number cannot be held and the text was kept in its stead.
    pub(crate) kept_as_text: Option<&'static str>,
}

static INTEGER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]+|0|[1-9][0-9_]*|[1-9][0-9_]*(?::[0-5]?[0-9])+)$")
});

static FLOAT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?",
        r"|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?",
        r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*",
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
    ))
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is a constant of this file and every test that reads YAML compiles it")
}

/// Resolves a plain scalar.
pub(crate) fn resolve(text: &str) -> Resolved {
    let plain = |value| Resolved { value, kept_as_text: None };
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return plain(Value::Null),
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return plain(Value::Boolean(true)),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return plain(Value::Boolean(false));
        }
        _ => {}
    }
    // Only these can start a number, and most scalars start with a letter.
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return plain(Value::Text(text.to_owned()));
    }
    let (number, kept_as_text) = if INTEGER.is_match(text) {
        (integer(text), "the number is too large to be held exactly")
    } else if FLOAT.is_match(text) {
        (float(text).and_then(Number::from_f64), "JSON, which results travel in, has no such number")
    } else {
        return plain(Value::Text(text.to_owned()));
    };
    match number {
        Some(number) => plain(Value::Number(number)),
        None => Resolved { value: Value::Text(text.to_owned()), kept_as_text: Some(kept_as_text) },
    }
}

fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = unsigned(text);
    let magnitude = if digits == "0" {
        0
    } else if let Some(binary) = digits.strip_prefix("0b") {
        u64::from_str_radix(binary, 2).ok()?
    } else if let Some(hexadecimal) = digits.strip_prefix("0x") {
        u64::from_str_radix(hexadecimal, 16).ok()?
    } else if let Some(octal) = digits.strip_prefix('0') {
        // `0_` is nothing but a zero and a separator.
        if octal.is_empty() { 0 } else { u64::from_str_radix(octal, 8).ok()? }
    } else {
        let mut total: u64 = 0;
        for part in digits.split(':') {
            total = total.checked_mul(60)?.checked_add(part.parse().ok()?)?;
        }
        total
    };
    if negative {
        let value = i64::try_from(-i128::from(magnitude)).ok()?;
        Some(Number::from(value))
    } else {
        Some(Number::from(magnitude))
    }
}

fn float(text: &str) -> Option<f64> {
    let (negative, digits) = unsigned(text);
    let magnitude = if digits.contains(':') {
        let mut total = 0.0;
        for part in digits.split(':') {
            total = total * 60.0 + part.parse::<f64>().ok()?;
        }
        total
    } else {
        // `.inf` and `.nan` are no numbers to Rust's parser, which is the answer wanted: JSON has neither.
        digits.parse::<f64>().ok()?
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// The sign taken off and the separators taken out.
fn unsigned(text: &str) -> (bool, String) {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    (text.starts_with('-'), digits.replace('_', ""))
}
