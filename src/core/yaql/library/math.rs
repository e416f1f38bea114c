//! Numbers, as Python counts.

use super::Entry;
use crate::core::yaql::error::{Kind, Outcome, fail, shortened};
use crate::core::yaql::library::operators::compare;
use crate::core::yaql::resolve::Call;
use crate::core::yaql::signature::Way::Function;
use crate::core::yaql::value::{Number, Value, exact};

pub(super) const FUNCTIONS: &[Entry] = &[
    ("abs", Function, "op: Number", |call| match call.number(0) {
        Number::Int(number) => whole(number.checked_abs()),
        Number::Float(number) => Ok(Value::Float(number.abs())),
    }),
    ("int", Function, "value: Any?", int),
    ("float", Function, "value: Any?", float),
    ("random", Function, "", |call| {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are what a float holds")]
        Ok(Value::Float((call.run.random() >> 11) as f64 / (1_u64 << 53) as f64))
    }),
    ("random", Function, "from: Any?, to: Any?", random_between),
    ("bitwiseAnd", Function, "left: Int, right: Int", |call| bits(call, |one, other| one & other)),
    ("bitwiseOr", Function, "left: Int, right: Int", |call| bits(call, |one, other| one | other)),
    ("bitwiseXor", Function, "left: Int, right: Int", |call| bits(call, |one, other| one ^ other)),
    ("bitwiseNot", Function, "arg: Int", |call| Ok(Value::Int(!call.whole(0)))),
    ("shiftBitsRight", Function, "value: Int, bitsNumber: Int", |call| match shift(call)? {
        Some(bits) => Ok(Value::Int(call.whole(0) >> bits)),
        None => Ok(Value::Int(if call.whole(0) < 0 { -1 } else { 0 })),
    }),
    ("shiftBitsLeft", Function, "value: Int, bitsNumber: Int", |call| {
        let (number, bits) = (call.whole(0), shift(call)?);
        whole(match bits {
            _ if number == 0 => Some(0),
            Some(bits) if bits < 127 => number.checked_mul(1 << bits),
            _ => None,
        })
    }),
    ("max", Function, "a: Any?, b: Any?", |call| {
        let larger = compare(call.run, "#operator_>", &call.value(1), &call.value(0))?;
        Ok(call.value(usize::from(larger)))
    }),
    ("min", Function, "a: Any?, b: Any?", |call| {
        let larger = compare(call.run, "#operator_>", &call.value(1), &call.value(0))?;
        Ok(call.value(usize::from(!larger)))
    }),
    ("pow", Function, "a: Number, b: Number, c: Number? = null", pow),
    ("sign", Function, "num: Number", |call| {
        let number = call.number(0).float();
        Ok(Value::Int(if number > 0.0 {
            1
        } else if number < 0.0 {
            -1
        } else {
            0
        }))
    }),
    ("round", Function, "number: Number, ndigits: Int = 0", round),
    ("isInteger", Function, "value: Any?", |call| Ok(Value::Bool(matches!(call.value(0), Value::Int(_))))),
    ("isNumber", Function, "value: Any?", |call| {
        Ok(Value::Bool(matches!(call.value(0), Value::Int(_) | Value::Float(_))))
    }),
    ("hex", Function, "num: Number?", |call| match call.value(0) {
        Value::Int(number) => {
            let sign = if number < 0 { "-" } else { "" };
            Ok(Value::from(format!("{sign}0x{:x}", number.unsigned_abs())))
        }
        other => fail(Kind::Type, format!("{} has no hexadecimal digits", other.kind())),
    }),
];

fn whole(number: Option<i128>) -> Outcome<Value> {
    match number {
        Some(number) => Ok(Value::Int(number)),
        None => fail(Kind::Overflow, "whole numbers end at 128 bits"),
    }
}

fn no_division<T>() -> Outcome<T> {
    fail(Kind::ZeroDivision, "nothing can be divided by zero")
}

pub(super) fn add(one: Number, other: Number) -> Outcome<Value> {
    match (one, other) {
        (Number::Int(one), Number::Int(other)) => whole(one.checked_add(other)),
        _ => Ok(Value::Float(one.float() + other.float())),
    }
}

pub(super) fn subtract(one: Number, other: Number) -> Outcome<Value> {
    match (one, other) {
        (Number::Int(one), Number::Int(other)) => whole(one.checked_sub(other)),
        _ => Ok(Value::Float(one.float() - other.float())),
    }
}

pub(super) fn multiply(one: Number, other: Number) -> Outcome<Value> {
    match (one, other) {
        (Number::Int(one), Number::Int(other)) => whole(one.checked_mul(other)),
        _ => Ok(Value::Float(one.float() * other.float())),
    }
}

/// Whole numbers are divided to a whole number, which is rounded down.
pub(super) fn divide(one: Number, other: Number) -> Outcome<Value> {
    match (one, other) {
        (Number::Int(one), Number::Int(other)) => {
            if other == 0 {
                return no_division();
            }
            let Some(quotient) = one.checked_div(other) else { return whole(None) };
            Ok(Value::Int(if one % other != 0 && (one < 0) != (other < 0) { quotient - 1 } else { quotient }))
        }
        _ if other.float() == 0.0 => no_division(),
        _ => Ok(Value::Float(one.float() / other.float())),
    }
}

/// What is left has the sign of the divisor.
pub(super) fn remainder(one: Number, other: Number) -> Outcome<Value> {
    match (one, other) {
        (Number::Int(one), Number::Int(other)) => {
            if other == 0 {
                return no_division();
            }
            let left = one.checked_rem(other).unwrap_or_default();
            Ok(Value::Int(if left != 0 && (left < 0) != (other < 0) { left + other } else { left }))
        }
        _ if other.float() == 0.0 => no_division(),
        _ => {
            let (one, other) = (one.float(), other.float());
            let left = one % other;
            Ok(Value::Float(if left == 0.0 {
                0.0_f64.copysign(other)
            } else if (left < 0.0) != (other < 0.0) {
                left + other
            } else {
                left
            }))
        }
    }
}

fn bits(call: &mut Call<'_, '_>, of: fn(i128, i128) -> i128) -> Outcome<Value> {
    Ok(match (call.value(0), call.value(1)) {
        (Value::Bool(one), Value::Bool(other)) => Value::Bool(of(i128::from(one), i128::from(other)) != 0),
        _ => Value::Int(of(call.whole(0), call.whole(1))),
    })
}

/// How far to shift; nothing when it is further than a number has bits.
fn shift(call: &Call<'_, '_>) -> Outcome<Option<u32>> {
    match call.whole(1) {
        negative @ ..0 => fail(Kind::Value, format!("nothing can be shifted by {negative}")),
        bits => Ok(u32::try_from(bits).ok().filter(|bits| *bits < 128)),
    }
}

/// Python's white space.
pub(super) fn blank(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}')
}

/// Digits with single underscores between them, as Python reads them.
fn digits(text: &str) -> Option<String> {
    let fits = !text.starts_with('_') && !text.ends_with('_') && !text.contains("__");
    fits.then(|| text.replace('_', ""))
}

fn int(call: &mut Call<'_, '_>) -> Outcome<Value> {
    match call.value(0) {
        Value::Null => Ok(Value::Int(0)),
        Value::Bool(truth) => Ok(Value::Int(i128::from(truth))),
        whole @ Value::Int(_) => Ok(whole),
        Value::Float(float) if float.is_nan() => fail(Kind::Value, "what is no number is no whole number"),
        Value::Float(float) if float.is_infinite() => fail(Kind::Overflow, "infinity is no whole number"),
        Value::Float(float) => whole(exact(float.trunc())),
        Value::Text(text) => {
            let trimmed = text.trim_matches(blank);
            let unsigned = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
            let plain = digits(unsigned)
                .filter(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
            match plain {
                Some(plain) => {
                    let sign = if trimmed.starts_with('-') { "-" } else { "" };
                    whole(format!("{sign}{plain}").parse().ok())
                }
                None => fail(Kind::Value, format!("`{}` is no whole number", shortened(&text))),
            }
        }
        other => fail(Kind::Type, format!("{} is no whole number", other.kind())),
    }
}

fn float(call: &mut Call<'_, '_>) -> Outcome<Value> {
    match call.value(0) {
        Value::Null => Ok(Value::Float(0.0)),
        Value::Text(text) => {
            let trimmed = text.trim_matches(blank);
            let unsigned = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed).to_lowercase();
            let word = matches!(unsigned.as_str(), "inf" | "infinity" | "nan");
            let number = unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.');
            // An underscore stands between two digits or it makes no number.
            let fits = trimmed.split('_').collect::<Vec<_>>().windows(2).all(|pair| {
                pair[0].ends_with(|last: char| last.is_ascii_digit())
                    && pair[1].starts_with(|first: char| first.is_ascii_digit())
            });
            match trimmed.replace('_', "").parse() {
                Ok(float) if (word || number) && fits => Ok(Value::Float(float)),
                _ => fail(Kind::Value, format!("`{}` is no number", shortened(&text))),
            }
        }
        other => match other.number() {
            Some(number) => Ok(Value::Float(number.float())),
            None => fail(Kind::Type, format!("{} is no number", other.kind())),
        },
    }
}

fn random_between(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let bound = |at| match call.value(at) {
        Value::Int(number) => Ok(number),
        Value::Bool(truth) => Ok(i128::from(truth)),
        Value::Float(float) if float.fract() == 0.0 => whole(exact(float)).map(|_| exact(float).unwrap_or_default()),
        Value::Float(float) => fail(Kind::Value, format!("{float} is no whole number")),
        other => fail(Kind::Type, format!("{} is no bound of a random number", other.kind())),
    };
    let (low, high) = (bound(0)?, bound(1)?);
    let Some(span) = high.checked_sub(low).filter(|span| *span >= 0) else {
        return fail(Kind::Value, format!("there is no number from {low} to {high}"));
    };
    let wide = (u128::from(call.run.random()) << 64) | u128::from(call.run.random());
    let place = match span.unsigned_abs().checked_add(1) {
        Some(count) => wide % count,
        None => wide,
    };
    whole(i128::try_from(place).ok().and_then(|place| low.checked_add(place)))
}

fn pow(call: &mut Call<'_, '_>) -> Outcome<Value> {
    if !call.is_null(2) {
        return modular(call);
    }
    match (call.number(0), call.number(1)) {
        (Number::Int(base), Number::Int(exponent)) if exponent >= 0 => match base {
            0 | 1 => Ok(Value::Int(if exponent == 0 { 1 } else { base })),
            -1 => Ok(Value::Int(if exponent % 2 == 0 { 1 } else { -1 })),
            _ => whole(u32::try_from(exponent).ok().and_then(|exponent| base.checked_pow(exponent))),
        },
        (base, exponent) => {
            let (base, exponent) = (base.float(), exponent.float());
            if base == 0.0 && exponent < 0.0 {
                return fail(Kind::ZeroDivision, "nought cannot be raised to a negative power");
            }
            let power = base.powf(exponent);
            if power.is_nan() && !base.is_nan() && !exponent.is_nan() {
                return fail(Kind::Type, "the power is a complex number, and there are none here");
            }
            if power.is_infinite() && base.is_finite() && exponent.is_finite() {
                return fail(Kind::Overflow, "the power is too large");
            }
            Ok(Value::Float(power))
        }
    }
}

fn modular(call: &Call<'_, '_>) -> Outcome<Value> {
    let (Number::Int(base), Number::Int(exponent), Number::Int(modulus)) =
        (call.number(0), call.number(1), call.number(2))
    else {
        return fail(Kind::Type, "pow with three numbers takes whole ones");
    };
    if modulus == 0 {
        return fail(Kind::Value, "the third number of pow cannot be nought");
    }
    let size = modulus.unsigned_abs();
    let reduce = |number: i128| number.rem_euclid(i128::try_from(size).unwrap_or(i128::MAX)).unsigned_abs();
    let mut base = reduce(base);
    if exponent < 0 {
        match inverse(base, size) {
            Some(inverse) => base = inverse,
            None => return fail(Kind::Value, "the base has no inverse for the third number of pow"),
        }
    }
    let mut exponent = exponent.unsigned_abs();
    let mut result = 1 % size;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = product(result, base, size);
        }
        base = product(base, base, size);
        exponent >>= 1;
    }
    let result = i128::try_from(result).unwrap_or_default();
    whole(Some(if modulus < 0 && result != 0 { result + modulus } else { result }))
}

fn product(mut one: u128, mut other: u128, modulus: u128) -> u128 {
    let sum = |one: u128, other: u128| if one >= modulus - other { one - (modulus - other) } else { one + other };
    if let Some(product) = one.checked_mul(other) {
        return product % modulus;
    }
    let mut result = 0;
    while other > 0 {
        if other & 1 == 1 {
            result = sum(result, one);
        }
        one = sum(one, one);
        other >>= 1;
    }
    result
}

fn inverse(number: u128, modulus: u128) -> Option<u128> {
    let modulus = i128::try_from(modulus).ok()?;
    let (mut rest, mut next) = (modulus, i128::try_from(number).ok()?);
    let (mut factor, mut next_factor) = (0_i128, 1_i128);
    while next != 0 {
        let quotient = rest / next;
        (rest, next) = (next, rest - quotient * next);
        (factor, next_factor) = (next_factor, factor - quotient * next_factor);
    }
    (rest == 1).then(|| factor.rem_euclid(modulus).unsigned_abs())
}

/// Half to even, as Python rounds; a whole number stays one.
fn round(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let digits = call.whole(1);
    match call.number(0) {
        Number::Int(number) if digits >= 0 => Ok(Value::Int(number)),
        Number::Int(number) => {
            let unit = u32::try_from(-digits).ok().and_then(|digits| 10_i128.checked_pow(digits));
            let Some(unit) = unit else { return Ok(Value::Int(0)) };
            let (down, left) = (number.div_euclid(unit), number.rem_euclid(unit));
            let up = left > unit - left || left == unit - left && down % 2 != 0;
            whole((down + i128::from(up)).checked_mul(unit))
        }
        Number::Float(number) if !number.is_finite() || digits > 323 => Ok(Value::Float(number)),
        Number::Float(number) if digits >= 0 => {
            // The exact decimal digits are rounded, not a multiple.
            let text = format!("{number:.*}", usize::try_from(digits).unwrap_or_default());
            Ok(Value::Float(text.parse().unwrap_or(number)))
        }
        Number::Float(number) => {
            let unit = 10_f64.powi(i32::try_from(-digits).unwrap_or(i32::MAX));
            let rounded = (number / unit).round_ties_even() * unit;
            Ok(Value::Float(if unit.is_infinite() { 0.0_f64.copysign(number) } else { rounded }))
        }
    }
}
