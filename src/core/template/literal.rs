//! Python literals: what StackStorm's templates print and its casts read back.

use serde_json::{Map, Number, Value};
use std::iter::Peekable;
use std::str::Chars;

/// Deeper nesting is refused.
const DEEPEST: usize = 64;

/// Reads `None`, `True`, numbers, quoted text, lists, tuples and dictionaries; nothing else and nothing behind it.
pub(crate) fn read(text: &str) -> Option<Value> {
    let mut reader = Reader { rest: text.trim().chars().peekable() };
    let value = reader.value(0)?;
    reader.blank();
    reader.rest.next().is_none().then_some(value)
}

struct Reader<'t> {
    rest: Peekable<Chars<'t>>,
}

impl Reader<'_> {
    fn blank(&mut self) {
        while self.rest.next_if(|character| character.is_whitespace()).is_some() {}
    }

    fn takes(&mut self, wanted: char) -> bool {
        self.blank();
        self.rest.next_if_eq(&wanted).is_some()
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        self.blank();
        match *self.rest.peek()? {
            '[' => {
                self.rest.next();
                self.items(']', depth).map(|(items, _)| Value::Array(items))
            }
            '(' => {
                self.rest.next();
                // One value in parentheses is itself, unless a comma makes it a tuple.
                let (mut items, comma) = self.items(')', depth)?;
                if items.len() == 1 && !comma { items.pop() } else { Some(Value::Array(items)) }
            }
            '{' => {
                self.rest.next();
                self.dictionary(depth)
            }
            '\'' | '"' => self.text().map(Value::String),
            _ => self.word(),
        }
    }

    fn items(&mut self, end: char, depth: usize) -> Option<(Vec<Value>, bool)> {
        let mut items = Vec::new();
        let mut comma = false;
        while !self.takes(end) {
            if !items.is_empty() && !comma {
                return None;
            }
            items.push(self.value(depth + 1)?);
            comma = self.takes(',');
        }
        Some((items, comma))
    }

    fn dictionary(&mut self, depth: usize) -> Option<Value> {
        let mut map = Map::new();
        let mut comma = true;
        while !self.takes('}') {
            if !comma {
                return None;
            }
            let key = match self.value(depth + 1)? {
                Value::String(key) => key,
                // Keys are text in JSON; StackStorm's database has them so as well.
                key @ (Value::Null | Value::Bool(_) | Value::Number(_)) => super::value::python(&key),
                Value::Array(_) | Value::Object(_) => return None,
            };
            if !self.takes(':') {
                return None;
            }
            let value = self.value(depth + 1)?;
            map.insert(key, value);
            comma = self.takes(',');
        }
        Some(Value::Object(map))
    }

    fn text(&mut self) -> Option<String> {
        let quote = self.rest.next()?;
        let mut text = String::new();
        loop {
            match self.rest.next()? {
                '\\' => match self.rest.next()? {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'r' => text.push('\r'),
                    'x' => text.push(self.code(2)?),
                    'u' => text.push(self.code(4)?),
                    'U' => text.push(self.code(8)?),
                    same @ ('\\' | '\'' | '"') => text.push(same),
                    other => text.extend(['\\', other]),
                },
                character if character == quote => return Some(text),
                '\n' => return None,
                character => text.push(character),
            }
        }
    }

    fn code(&mut self, digits: usize) -> Option<char> {
        let mut number = 0;
        for _ in 0..digits {
            number = number * 16 + self.rest.next()?.to_digit(16)?;
        }
        char::from_u32(number)
    }

    fn word(&mut self) -> Option<Value> {
        let mut word = String::new();
        while let Some(character) =
            self.rest.next_if(|character| character.is_alphanumeric() || "+-._".contains(*character))
        {
            word.push(character);
        }
        match word.as_str() {
            "None" => Some(Value::Null),
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            number => read_number(number),
        }
    }
}

/// A whole number or a finite one with a point or an exponent.
pub(crate) fn read_number(text: &str) -> Option<Value> {
    let digits = text.trim_start_matches(['+', '-']);
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    if let Ok(whole) = unsigned.parse::<i64>() {
        return Some(whole.into());
    }
    if let Ok(whole) = unsigned.parse::<u64>() {
        return Some(whole.into());
    }
    unsigned.parse().ok().and_then(Number::from_f64).map(Value::Number)
}
