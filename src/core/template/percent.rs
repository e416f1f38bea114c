//! Python's formats with percent signs: `%s`, `%05.2f`, `%(name)r`.

use crate::core::template::figures::{self, Align, padded};
use crate::core::template::python::{self, refuse, repr, room_for, text};
use minijinja::{Error, State, Value};
use std::iter::Peekable;
use std::str::Chars;

/// Formats with arguments by place, or by name if there is a map of them.
pub(crate) fn format(
    state: &State<'_, '_>,
    format: &str,
    arguments: &[Value],
    named: Option<&Value>,
) -> Result<String, Error> {
    let mut formatter =
        Formatter { rest: format.chars().peekable(), arguments: arguments.iter(), named, out: String::new() };
    while let Some(character) = formatter.rest.next() {
        if character == '%' {
            state.consume_fuel(4)?;
            formatter.conversion()?;
            room_for(formatter.out.len())?;
        } else {
            formatter.out.push(character);
        }
    }
    if named.is_none() && formatter.arguments.next().is_some() {
        return Err(refuse("there are more arguments than places for them"));
    }
    Ok(formatter.out)
}

struct Formatter<'f> {
    rest: Peekable<Chars<'f>>,
    arguments: std::slice::Iter<'f, Value>,
    named: Option<&'f Value>,
    out: String,
}

impl Formatter<'_> {
    fn argument(&mut self) -> Result<Value, Error> {
        self.arguments.next().cloned().ok_or_else(|| refuse("there are fewer arguments than places for them"))
    }

    fn number(&mut self) -> Result<Option<usize>, Error> {
        if self.rest.next_if_eq(&'*').is_some() {
            let argument = self.argument()?;
            let number = python::whole(&argument).and_then(|number| usize::try_from(number).ok());
            return number.map(Some).ok_or_else(|| refuse("`*` takes a number that is not negative"));
        }
        let mut digits = String::new();
        while let Some(digit) = self.rest.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        if digits.is_empty() {
            return Ok(None);
        }
        digits.parse().map(Some).map_err(|_| refuse("a width is too large"))
    }

    fn conversion(&mut self) -> Result<(), Error> {
        let mut name = None;
        if self.rest.next_if_eq(&'(').is_some() {
            let mut open = 1;
            let mut inside = String::new();
            loop {
                let character = self.rest.next().ok_or_else(|| refuse("a name in the format is not closed"))?;
                open = match character {
                    '(' => open + 1,
                    ')' => open - 1,
                    _ => open,
                };
                if open == 0 {
                    break;
                }
                inside.push(character);
            }
            name = Some(inside);
        }
        let (mut left, mut zero, mut plus, mut blank, mut alternate) = (false, false, false, false, false);
        while let Some(flag) = self.rest.next_if(|flag| "-0+ #".contains(*flag)) {
            match flag {
                '-' => left = true,
                '0' => zero = true,
                '+' => plus = true,
                ' ' => blank = true,
                _ => alternate = true,
            }
        }
        let width = self.number()?.unwrap_or_default();
        let precision = match self.rest.next_if_eq(&'.') {
            Some(_) => Some(figures::digits(self.number()?.unwrap_or_default())?),
            None => None,
        };
        while self.rest.next_if(|modifier| "hlL".contains(*modifier)).is_some() {}
        let shape = self.rest.next().ok_or_else(|| refuse("the format ends within a place"))?;
        if shape == '%' {
            self.out.push('%');
            return Ok(());
        }
        let value = match (&name, self.named) {
            (Some(name), Some(named)) => named.get_item(&Value::from(name.as_str()))?,
            (Some(name), None) => return Err(refuse(format!("`{name}` asks for arguments by name"))),
            (None, _) => self.argument()?,
        };
        if value.is_undefined() {
            return Err(match name {
                Some(name) => refuse(format!("there is no argument `{name}`")),
                None => python::undefined(),
            });
        }
        let sign = |negative: bool| match (negative, plus, blank) {
            (true, _, _) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            (false, false, false) => "",
        };
        let align = match (left, zero) {
            (true, _) => Align::Left,
            (false, true) => Align::BehindSign,
            (false, false) => Align::Right,
        };
        let fill = if align == Align::BehindSign { '0' } else { ' ' };
        let done = match shape {
            's' | 'r' | 'a' => {
                let text = if shape == 's' { text(&value)? } else { repr(&value)? };
                let text: String = text.chars().take(precision.unwrap_or(usize::MAX)).collect();
                padded("", &text, width, if left { Align::Left } else { Align::Right }, ' ')?
            }
            'c' => {
                let character = match (value.as_str(), python::whole(&value)) {
                    (Some(text), _) if text.chars().count() == 1 => text.to_owned(),
                    (None, Some(code)) => {
                        let character = u32::try_from(code).ok().and_then(char::from_u32);
                        character.ok_or_else(|| refuse("`%c` takes the number of a character"))?.to_string()
                    }
                    _ => return Err(refuse("`%c` takes one character")),
                };
                padded("", &character, width, if left { Align::Left } else { Align::Right }, ' ')?
            }
            'd' | 'i' | 'u' | 'x' | 'X' | 'o' => {
                let number = whole(&value, shape)?;
                let mut digits = figures::whole(number, shape);
                if let Some(precision) = precision {
                    digits = format!("{digits:0>precision$}");
                }
                let prefix = match (alternate, shape) {
                    (true, 'x') => "0x",
                    (true, 'X') => "0X",
                    (true, 'o') => "0o",
                    _ => "",
                };
                padded(&format!("{}{prefix}", sign(number < 0)), &digits, width, align, fill)?
            }
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
                let number = python::float(&value);
                let number =
                    number.ok_or_else(|| refuse(format!("`%{shape}` takes a number, not {}", python::kind(&value))))?;
                let digits = figures::float(number.abs(), shape, precision.unwrap_or(6), alternate);
                padded(sign(number.is_sign_negative() && !number.is_nan()), &digits, width, align, fill)?
            }
            other => return Err(refuse(format!("`%{other}` means nothing"))),
        };
        self.out.push_str(&done);
        Ok(())
    }
}

fn whole(value: &Value, shape: char) -> Result<i128, Error> {
    if let Some(number) = python::whole(value) {
        return Ok(number);
    }
    let float = python::float(value).filter(|float| !"xXo".contains(shape) && float.is_finite() && float.abs() < 1e38);
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked in the line above")]
    float
        .map(|float| float as i128)
        .ok_or_else(|| refuse(format!("`%{shape}` takes a whole number, not {}", python::kind(value))))
}
