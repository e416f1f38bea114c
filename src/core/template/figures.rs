//! Numbers and text in the widths and shapes that Python's formats ask for.

use crate::core::template::python::{refuse, room_for};
use minijinja::Error;

/// Digits behind the point that a format may ask for.
pub(crate) const MOST_DIGITS: usize = 1000;

/// Refuses more digits than there may be.
pub(crate) fn digits(precision: usize) -> Result<usize, Error> {
    if precision > MOST_DIGITS {
        return Err(refuse(format!("a format may ask for {MOST_DIGITS} digits")));
    }
    Ok(precision)
}

/// `%f`, `%e`, `%g` of a number that is not negative. A float that is none is told as Python tells it.
pub(crate) fn float(number: f64, shape: char, precision: usize, alternate: bool) -> String {
    let large = shape.is_ascii_uppercase();
    let text = if number.is_nan() {
        "nan".into()
    } else if number.is_infinite() {
        "inf".into()
    } else {
        match shape.to_ascii_lowercase() {
            'e' => with_exponent(number, precision),
            'g' => general(number, precision, alternate),
            _ => format!("{number:.precision$}"),
        }
    };
    if large { text.to_uppercase() } else { text }
}

fn with_exponent(number: f64, precision: usize) -> String {
    let text = format!("{number:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

fn general(number: f64, precision: usize, alternate: bool) -> String {
    let precision = precision.max(1);
    let scientific = with_exponent(number, precision - 1);
    let exponent: i64 = scientific.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or_default();
    let wanted = i64::try_from(precision).unwrap_or(i64::MAX);
    let trimmed = |text: &str| {
        if alternate || !text.contains('.') {
            return text.to_owned();
        }
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    if (-4..wanted).contains(&exponent) {
        let behind = usize::try_from(wanted - 1 - exponent).unwrap_or_default();
        return trimmed(&format!("{number:.behind$}"));
    }
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "+00"));
    format!("{}e{exponent}", trimmed(digits))
}

/// A whole number's digits without its sign.
pub(crate) fn whole(number: i128, shape: char) -> String {
    let size = number.unsigned_abs();
    match shape {
        'x' => format!("{size:x}"),
        'X' => format!("{size:X}"),
        'o' => format!("{size:o}"),
        'b' => format!("{size:b}"),
        _ => size.to_string(),
    }
}

/// How something is put into its width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
    Middle,
    /// Between the sign and the digits.
    BehindSign,
}

/// Fills up to a width. `sign` is what stands before the digits.
pub(crate) fn padded(sign: &str, text: &str, width: usize, align: Align, fill: char) -> Result<String, Error> {
    let length = sign.chars().count() + text.chars().count();
    let missing = width.saturating_sub(length);
    room_for(missing.saturating_mul(fill.len_utf8()))?;
    let filling = |count: usize| std::iter::repeat_n(fill, count).collect::<String>();
    Ok(match align {
        Align::Left => format!("{sign}{text}{}", filling(missing)),
        Align::Right => format!("{}{sign}{text}", filling(missing)),
        Align::Middle => format!("{}{sign}{text}{}", filling(missing / 2), filling(missing - missing / 2)),
        Align::BehindSign => format!("{sign}{}{text}", filling(missing)),
    })
}

/// Puts a sign between groups of digits of the part before the point.
pub(crate) fn grouped(text: &str, separator: char, size: usize) -> String {
    let digits = text.bytes().take_while(u8::is_ascii_hexdigit).count();
    let (front, rest) = text.split_at(digits);
    let mut out = String::new();
    for (at, digit) in front.chars().enumerate() {
        if at > 0 && (digits - at).is_multiple_of(size) {
            out.push(separator);
        }
        out.push(digit);
    }
    out + rest
}
