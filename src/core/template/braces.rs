//! Python's formats with braces: `'{} {name:>5}'.format(1, name='a')`.

use crate::core::template::figures::{self, Align, grouped, padded};
use crate::core::template::python::{self, number_text, refuse, repr, room_for, text};
use minijinja::{Error, State, Value};

/// Formats with arguments by place and by name.
pub(crate) fn format(
    state: &State<'_, '_>,
    format: &str,
    arguments: &[Value],
    named: &[(String, Value)],
) -> Result<String, Error> {
    let mut places = Places { arguments, named, next: 0 };
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find(['{', '}']) {
        state.consume_fuel(4)?;
        out.push_str(&rest[..at]);
        let sign = &rest[at..=at];
        let behind = &rest[at + 1..];
        if let Some(behind) = behind.strip_prefix(sign) {
            out.push_str(sign);
            rest = behind;
            continue;
        }
        if sign == "}" {
            return Err(refuse("a single `}` stands in the format"));
        }
        let end = closing(behind).ok_or_else(|| refuse("a `{` in the format is not closed"))?;
        out.push_str(&places.fill(&behind[..end])?);
        room_for(out.len())?;
        rest = &behind[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn closing(text: &str) -> Option<usize> {
    let mut open = 0;
    for (at, character) in text.char_indices() {
        match character {
            '{' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
    }
    None
}

struct Places<'f> {
    arguments: &'f [Value],
    named: &'f [(String, Value)],
    next: usize,
}

impl Places<'_> {
    fn fill(&mut self, place: &str) -> Result<String, Error> {
        let (field, shape) = match place.find([':', '!']) {
            Some(at) => place.split_at(at),
            None => (place, ""),
        };
        let value = self.find(field)?;
        let (conversion, shape) = match shape.strip_prefix('!') {
            Some(rest) => rest.split_once(':').unwrap_or((rest, "")),
            None => ("", shape.strip_prefix(':').unwrap_or("")),
        };
        let value = match conversion {
            "" => value,
            "s" => Value::from(text(&value)?),
            "r" | "a" => Value::from(repr(&value)?),
            other => return Err(refuse(format!("`!{other}` means nothing"))),
        };
        // A shape may itself hold places.
        if shape.contains('{') {
            let mut filled = String::new();
            let mut rest = shape;
            while let Some((before, after)) = rest.split_once('{') {
                let (inside, behind) =
                    after.split_once('}').ok_or_else(|| refuse("a `{` in the format is not closed"))?;
                if inside.contains(['{', ':', '!']) {
                    return Err(refuse("a format is nested too deep"));
                }
                filled.push_str(before);
                filled.push_str(&text(&self.find(inside)?)?);
                rest = behind;
            }
            filled.push_str(rest);
            return shaped(&value, &filled);
        }
        shaped(&value, shape)
    }

    fn find(&mut self, field: &str) -> Result<Value, Error> {
        let end = field.find(['.', '[']).unwrap_or(field.len());
        let (first, mut rest) = field.split_at(end);
        let mut value = if first.is_empty() {
            self.next += 1;
            self.by_place(self.next - 1)?
        } else if let Ok(place) = first.parse::<usize>() {
            self.by_place(place)?
        } else {
            let found = self.named.iter().find(|(name, _)| name == first);
            found.map(|(_, value)| value.clone()).ok_or_else(|| refuse(format!("there is no argument `{first}`")))?
        };
        while !rest.is_empty() {
            let (key, behind) = if let Some(inside) = rest.strip_prefix('[') {
                inside.split_once(']').ok_or_else(|| refuse("a `[` in the format is not closed"))?
            } else {
                let name = rest.strip_prefix('.').ok_or_else(|| refuse("the format lacks a `.` or a `[`"))?;
                name.split_at(name.find(['.', '[']).unwrap_or(name.len()))
            };
            value = python::look_up(&value, key)?;
            rest = behind;
        }
        if value.is_undefined() { Err(python::undefined()) } else { Ok(value) }
    }

    fn by_place(&self, place: usize) -> Result<Value, Error> {
        self.arguments.get(place).cloned().ok_or_else(|| refuse("there are fewer arguments than places for them"))
    }
}

struct Shape {
    fill: char,
    align: Option<Align>,
    sign: Option<char>,
    alternate: bool,
    width: usize,
    separator: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

fn read(shape: &str) -> Result<Shape, Error> {
    let wrong = || refuse(format!("`{}` is no format", shape.chars().take(40).collect::<String>()));
    let mut characters = shape.chars().peekable();
    let align = |sign: Option<char>| match sign {
        Some('<') => Some(Align::Left),
        Some('>') => Some(Align::Right),
        Some('^') => Some(Align::Middle),
        Some('=') => Some(Align::BehindSign),
        _ => None,
    };
    let mut read = Shape {
        fill: ' ',
        align: None,
        sign: None,
        alternate: false,
        width: 0,
        separator: None,
        precision: None,
        kind: None,
    };
    let (first, second) = (shape.chars().next(), shape.chars().nth(1));
    if let (Some(fill), Some(aligned)) = (first, align(second)) {
        read.fill = fill;
        read.align = Some(aligned);
        characters.next();
        characters.next();
    } else if let Some(aligned) = align(first) {
        read.align = Some(aligned);
        characters.next();
    }
    read.sign = characters.next_if(|sign| "+- ".contains(*sign));
    read.alternate = characters.next_if_eq(&'#').is_some();
    if characters.next_if_eq(&'0').is_some() && read.align.is_none() {
        read.fill = '0';
        read.align = Some(Align::BehindSign);
    }
    let number = |characters: &mut std::iter::Peekable<std::str::Chars<'_>>| {
        let mut digits = String::new();
        while let Some(digit) = characters.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        digits
    };
    let width = number(&mut characters);
    if !width.is_empty() {
        read.width = width.parse().map_err(|_| wrong())?;
    }
    read.separator = characters.next_if(|sign| ",_".contains(*sign));
    if characters.next_if_eq(&'.').is_some() {
        read.precision = Some(figures::digits(number(&mut characters).parse().map_err(|_| wrong())?)?);
    }
    read.kind = characters.next();
    if characters.next().is_some() { Err(wrong()) } else { Ok(read) }
}

fn shaped(value: &Value, shape: &str) -> Result<String, Error> {
    if shape.is_empty() {
        return text(value);
    }
    let shape = read(shape)?;
    let unfit = |kind: char| refuse(format!("the format `{kind}` does not fit {}", python::kind(value)));
    let number = python::float(value).filter(|_| value.as_str().is_none());
    let Some(float) = number else {
        if let Some(kind) = shape.kind.filter(|kind| *kind != 's') {
            return Err(unfit(kind));
        }
        let text: String = text(value)?.chars().take(shape.precision.unwrap_or(usize::MAX)).collect();
        return padded("", &text, shape.width, shape.align.unwrap_or(Align::Left), shape.fill);
    };
    let whole = python::whole(value);
    let negative = whole.map_or(float.is_sign_negative() && !float.is_nan(), |whole| whole < 0);
    let mut sign = match (negative, shape.sign) {
        (true, _) => "-".to_owned(),
        (false, Some('+')) => "+".to_owned(),
        (false, Some(' ')) => " ".to_owned(),
        (false, _) => String::new(),
    };
    let size = float.abs();
    let digits = match (shape.kind, whole) {
        (None | Some('d' | 'n'), Some(whole)) if shape.precision.is_none() => figures::whole(whole, 'd'),
        (Some(kind @ ('x' | 'X' | 'o' | 'b')), Some(whole)) => {
            if shape.alternate {
                sign.extend(['0', kind]);
            }
            figures::whole(whole, kind)
        }
        (Some('c'), Some(whole)) => {
            let character = u32::try_from(whole).ok().and_then(char::from_u32).ok_or_else(|| unfit('c'))?;
            sign.clear();
            character.to_string()
        }
        (Some('%'), _) => format!("{}%", figures::float(size * 100.0, 'f', shape.precision.unwrap_or(6), false)),
        (Some(kind @ ('e' | 'E' | 'f' | 'F' | 'g' | 'G')), _) => {
            figures::float(size, kind, shape.precision.unwrap_or(6), shape.alternate)
        }
        (Some('n') | None, None) if shape.precision.is_some() => {
            let text = figures::float(size, 'g', shape.precision.unwrap_or_default(), false);
            if text.contains(['.', 'e', 'n']) { text } else { format!("{text}.0") }
        }
        (None, None) => number_text(value).trim_start_matches('-').to_owned(),
        (Some('n'), None) => figures::float(size, 'g', 6, false),
        (kind, _) => return Err(unfit(kind.unwrap_or('d'))),
    };
    let group = if matches!(shape.kind, Some('x' | 'X' | 'o' | 'b')) { 4 } else { 3 };
    let digits = shape.separator.map_or_else(|| digits.clone(), |separator| grouped(&digits, separator, group));
    padded(&sign, &digits, shape.width, shape.align.unwrap_or(Align::Right), shape.fill)
}
