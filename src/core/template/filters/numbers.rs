//! Filters for numbers.

use super::{Filter, filter};
use crate::core::template::arguments::Call;
use crate::core::template::python::{float, kind, refuse, whole};
use minijinja::{Error, Value};

pub(super) const FILTERS: &[Filter] = &[
    filter("abs", &["x"], absolute),
    filter("filesizeformat", &["value", "binary"], file_size),
    filter("float", &["value", "default"], to_float),
    filter("int", &["value", "default", "base"], to_whole),
    filter("round", &["value", "precision", "method"], round),
    filter("to_human_time_from_seconds", &["seconds"], human_time),
];

fn absolute(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let value = call.defined(0)?;
    if let Some(number) = whole(value) {
        return number.checked_abs().map(Value::from).ok_or_else(|| refuse("the number is too large"));
    }
    Ok(Value::from(call.number(0)?.abs()))
}

/// Text of a number as Python reads it: blanks around it and `_` between its digits are allowed.
fn digits(text: &str) -> Option<String> {
    let text = text.trim();
    let characters: Vec<char> = text.chars().collect();
    let alone = |at: usize| {
        let digit = |at: Option<&char>| at.is_some_and(char::is_ascii_alphanumeric);
        at > 0 && digit(characters.get(at - 1)) && digit(characters.get(at + 1))
    };
    let fits = characters.iter().enumerate().all(|(at, character)| *character != '_' || alone(at));
    fits.then(|| text.replace('_', ""))
}

pub(crate) fn read_float(text: &str) -> Option<f64> {
    let text = digits(text)?;
    // Python knows these by fewer names than Rust.
    let unsigned = text.trim_start_matches(['+', '-']).to_lowercase();
    if unsigned.starts_with(char::is_alphabetic) && !["inf", "infinity", "nan"].contains(&unsigned.as_str()) {
        return None;
    }
    text.parse().ok()
}

fn to_float(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let value = call.defined(0)?;
    let found = match value.as_str() {
        Some(text) => read_float(text),
        None => float(value).or_else(|| read_float(&call.text(0).unwrap_or_default())),
    };
    Ok(found.map_or_else(|| call.given(1).cloned().unwrap_or_else(|| Value::from(0.0)), Value::from))
}

fn read_whole(text: &str, base: u32) -> Option<i128> {
    let text = digits(text)?;
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(&text)),
    };
    let lower = unsigned.to_lowercase();
    let mark = [(2, "0b"), (8, "0o"), (16, "0x")];
    let known = mark.iter().find(|(of, mark)| (base == *of || base == 0) && lower.starts_with(mark));
    let (base, bare) = match known {
        Some((of, mark)) => (*of, lower.trim_start_matches(mark).to_owned()),
        None if base == 0 => (10, lower),
        None => (base, lower),
    };
    i128::from_str_radix(&format!("{sign}{bare}"), base).ok().filter(|_| !bare.starts_with(['+', '-']))
}

fn to_whole(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let value = call.defined(0)?;
    let base = call.whole_or(2, 10)?;
    let base = u32::try_from(base).ok().filter(|base| *base == 0 || (2..=36).contains(base));
    let base = base.ok_or_else(|| refuse("`base` is 0 or between 2 and 36"))?;
    let of_float = |float: f64| {
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
        (float.is_finite() && float.abs() < 1e38).then_some(float as i128)
    };
    let found = match value.as_str() {
        Some(text) => read_whole(text, base).or_else(|| read_float(text).and_then(of_float)),
        None => whole(value).or_else(|| float(value).and_then(of_float)).or_else(|| {
            let text = call.text(0).unwrap_or_default();
            read_whole(&text, 10)
        }),
    };
    Ok(found.map_or_else(|| call.given(1).cloned().unwrap_or_else(|| Value::from(0)), Value::from))
}

/// Rounds to so many digits behind the point, a half to the even neighbour, as it is with the exact value of the float.
fn rounded(value: f64, precision: i128) -> f64 {
    if !value.is_finite() || precision > 300 {
        return value;
    }
    match usize::try_from(precision) {
        Ok(digits) => format!("{value:.digits$}").parse().unwrap_or(value),
        Err(_) => {
            let factor = 10_f64.powi(i32::try_from(-precision).unwrap_or(400));
            if factor.is_finite() { (value / factor).round_ties_even() * factor } else { 0.0 }
        }
    }
}

fn round(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let value = call.defined(0)?.clone();
    let number = call.number(0)?;
    let precision = call.whole_or(1, 0)?;
    let method = call.text_or(2, "common")?;
    let factor = 10_f64.powi(i32::try_from(precision).unwrap_or(400));
    let whole = whole(&value);
    Ok(match (method.as_str(), whole) {
        ("common", Some(whole)) if precision >= 0 => Value::from(whole),
        ("common", Some(whole)) => {
            let step = u32::try_from(-precision).ok().and_then(|places| 10_i128.checked_pow(places));
            Value::from(step.map_or(0, |step| {
                let (low, over) = (whole.div_euclid(step), whole.rem_euclid(step));
                let up = over * 2 > step || (over * 2 == step && low.rem_euclid(2) == 1);
                (low + i128::from(up)) * step
            }))
        }
        ("common", None) => Value::from(rounded(number, precision)),
        ("ceil", _) => Value::from((number * factor).ceil() / factor),
        ("floor", _) => Value::from((number * factor).floor() / factor),
        _ => return Err(refuse(format!("`{method}` is not one of common, ceil, floor"))),
    })
}

fn file_size(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let value = call.defined(0)?;
    let bytes = match value.as_str() {
        Some(text) => read_float(text),
        None => float(value),
    };
    let bytes = bytes.ok_or_else(|| refuse(format!("it takes a number of bytes, not {}", kind(value))))?;
    let binary = call.truth_or(1, false);
    let base: f64 = if binary { 1024.0 } else { 1000.0 };
    if bytes == 1.0 {
        return Ok(Value::from("1 Byte"));
    }
    if bytes < base {
        return Ok(Value::from(format!("{:.0} Bytes", bytes.trunc())));
    }
    let units = if binary {
        ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"]
    } else {
        ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"]
    };
    let mut size = base;
    let mut unit = units[0];
    for next in units {
        unit = next;
        size *= base;
        if bytes < size {
            break;
        }
    }
    Ok(Value::from(format!("{:.1} {unit}", base * bytes / size)))
}

/// `3h25m45s`. StackStorm forgets whole months; days are counted on here.
fn human_time(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let value = call.defined(0)?.clone();
    let float = call.number(0).map_err(|_| refuse(format!("it takes a number of seconds, not {}", kind(&value))))?;
    if !(0.0..=1e11).contains(&float) {
        return Err(refuse(format!(
            "{} is no number of seconds that has passed",
            crate::core::template::python::number_text(&value)
        )));
    }
    if float > 0.0 && float < 1.0 {
        return Ok(Value::from(format!("{}\u{3bc}s", crate::core::template::value::float_text(float))));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked above")]
    let whole = float.round_ties_even() as u64;
    let parts = [(whole / 86_400, 'd'), (whole / 3_600 % 24, 'h'), (whole / 60 % 60, 'm'), (whole % 60, 's')];
    let text: String =
        parts.iter().skip_while(|(number, _)| *number == 0).map(|(number, unit)| format!("{number}{unit}")).collect();
    Ok(Value::from(if text.is_empty() { "0s".into() } else { text }))
}
