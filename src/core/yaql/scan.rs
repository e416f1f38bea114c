//! The words of an expression, as the reference's lexer cuts them.

use super::error::{Kind, Outcome, YaqlError};
use super::value::Value;
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Word {
    /// A number, quoted text, `true`, `false`, `null`
    Constant(Value),
    Keyword(Arc<str>),
    /// `name(`, in one piece
    Function(Arc<str>),
    /// `$name`, without the dollar
    Variable(Arc<str>),
    /// An operator, a bracket or a comma
    Sign(&'static str),
}

impl Word {
    /// How the error calls it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Constant(Value::Text(text)) => format!("'{text}'"),
            Self::Constant(Value::Null) => "null".to_owned(),
            Self::Constant(Value::Bool(truth)) => truth.to_string(),
            Self::Constant(Value::Int(number)) => number.to_string(),
            Self::Constant(Value::Float(number)) => number.to_string(),
            Self::Constant(other) => other.kind().to_owned(),
            Self::Keyword(word) => word.to_string(),
            Self::Function(name) => format!("{name}("),
            Self::Variable(name) => format!("${name}"),
            Self::Sign(sign) => (*sign).to_owned(),
        }
    }
}

/// Operators that are words.
const WORDS: [&str; 5] = ["mod", "in", "not", "and", "or"];
/// The others and the brackets, the longer ones first.
const SIGNS: [&str; 23] = [
    "?.", "=~", "!~", ">=", "<=", "!=", "->", "=>", ".", "+", "-", "*", "/", ">", "<", "=", "[", "{", "(", ")", "]",
    "}", ",",
];

fn word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The words, each with its place in characters.
pub(crate) fn scan(text: &str) -> Outcome<Vec<(Word, usize)>> {
    let characters: Vec<char> = text.chars().collect();
    let mut scanner = Scanner { characters: &characters, at: 0 };
    let mut words = Vec::new();
    loop {
        while scanner.peek(0).is_some_and(|next| matches!(next, ' ' | '\t' | '\r' | '\n')) {
            scanner.at += 1;
        }
        let start = scanner.at;
        if start == characters.len() {
            return Ok(words);
        }
        words.push((scanner.word()?, start));
    }
}

struct Scanner<'c> {
    characters: &'c [char],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.at + ahead).copied()
    }

    fn fail<T>(&self, kind: Kind, message: impl Into<String>) -> Outcome<T> {
        Err(Box::new(YaqlError { position: Some(self.at), ..YaqlError::new(kind, message) }))
    }

    fn taken(&mut self, length: usize) -> String {
        let text = self.characters[self.at..self.at + length].iter().collect();
        self.at += length;
        text
    }

    /// How many characters from `ahead` on fit.
    fn run(&self, ahead: usize, fits: impl Fn(char) -> bool) -> usize {
        self.characters[(self.at + ahead).min(self.characters.len())..].iter().take_while(|next| fits(**next)).count()
    }

    fn word(&mut self) -> Outcome<Word> {
        let first = self.characters[self.at];
        if first == '$' {
            let length = 1 + self.run(1, word);
            return Ok(Word::Variable(self.taken(length)[1..].into()));
        }
        if first.is_ascii_digit()
            && let Some(number) = self.number()?
        {
            return Ok(number);
        }
        if word(first) && !first.is_numeric() {
            let length = self.run(0, word);
            if self.peek(length) == Some('(') {
                let name = self.taken(length);
                self.at += 1;
                return Ok(Word::Function(name.into()));
            }
            if !(first == '_' && self.peek(1) == Some('_')) {
                let name = self.taken(length);
                return Ok(match name.as_str() {
                    "true" => Word::Constant(Value::Bool(true)),
                    "false" => Word::Constant(Value::Bool(false)),
                    "null" => Word::Constant(Value::Null),
                    name => match WORDS.iter().find(|operator| **operator == name) {
                        Some(operator) => Word::Sign(operator),
                        None => Word::Keyword(name.into()),
                    },
                });
            }
        }
        if matches!(first, '\'' | '"' | '`')
            && let Some(length) = self.quoted(first)
        {
            let inside = &self.characters[self.at + 1..self.at + length - 1];
            let text = if first == '`' {
                inside.iter().collect::<String>().replace("\\`", "`")
            } else {
                self.unescaped(inside)?
            };
            self.at += length;
            return Ok(Word::Constant(text.into()));
        }
        for sign in SIGNS {
            if sign.chars().enumerate().all(|(ahead, character)| self.peek(ahead) == Some(character)) {
                self.at += sign.len();
                return Ok(Word::Sign(sign));
            }
        }
        self.fail(Kind::Lexical, format!("the character `{first}` has no meaning here"))
    }

    /// Digits, perhaps a point, more digits, and then no letter.
    fn number(&mut self) -> Outcome<Option<Word>> {
        let digit = |next: char| next.is_ascii_digit();
        let whole = self.run(0, digit);
        let ends = |length: usize| !self.peek(length).is_some_and(word);
        if self.peek(whole) == Some('.') {
            let fraction = self.run(whole + 1, digit);
            if fraction > 0 && ends(whole + 1 + fraction) {
                let text = self.taken(whole + 1 + fraction);
                return Ok(text.parse().ok().map(|float: f64| Word::Constant(Value::Float(float))));
            }
        }
        if !ends(whole) {
            return Ok(None);
        }
        let start = self.at;
        let text = self.taken(whole);
        match text.parse() {
            Ok(number) => Ok(Some(Word::Constant(Value::Int(number)))),
            Err(_) => {
                self.at = start;
                self.fail(Kind::Overflow, "whole numbers end at 128 bits")
            }
        }
    }

    /// The length of quoted text with its quotes, when it ends. A backslash keeps the character behind it, but not the end of a line.
    fn quoted(&self, quote: char) -> Option<usize> {
        let mut length = 1;
        loop {
            match self.peek(length)? {
                '\\' => {
                    self.peek(length + 1).filter(|next| *next != '\n')?;
                    length += 2;
                }
                end if end == quote => return Some(length + 1),
                _ => length += 1,
            }
        }
    }

    /// Python's escapes; what is none stays as it stands.
    fn unescaped(&self, inside: &[char]) -> Outcome<String> {
        let mut text = String::new();
        let mut at = 0;
        while at < inside.len() {
            let (character, length) = match (inside[at], inside.get(at + 1)) {
                ('\\', Some(kind @ ('U' | 'u' | 'x'))) => {
                    let digits = match kind {
                        'U' => 8,
                        'u' => 4,
                        _ => 2,
                    };
                    match inside.get(at + 2..at + 2 + digits) {
                        Some(code) if !code.contains(&'\n') => (self.coded(code)?, 2 + digits),
                        _ => ('\\', 1),
                    }
                }
                ('\\', Some('0'..='7')) => {
                    let digits = inside[at + 1..].iter().take(3).take_while(|next| matches!(next, '0'..='7')).count();
                    let code =
                        inside[at + 1..at + 1 + digits].iter().fold(0, |code, next| code * 8 + *next as u32 - 48);
                    (char::from_u32(code).unwrap_or_default(), 1 + digits)
                }
                ('\\', Some('N')) if inside.get(at + 2) == Some(&'{') && inside[at..].contains(&'}') => {
                    return self.fail(Kind::Value, "characters cannot be written by their names (\\N{…})");
                }
                ('\\', Some(kind)) => match kind {
                    '\\' | '\'' | '"' => (*kind, 2),
                    'a' => ('\u{7}', 2),
                    'b' => ('\u{8}', 2),
                    'f' => ('\u{c}', 2),
                    'n' => ('\n', 2),
                    'r' => ('\r', 2),
                    't' => ('\t', 2),
                    'v' => ('\u{b}', 2),
                    _ => ('\\', 1),
                },
                (plain, _) => (plain, 1),
            };
            text.push(character);
            at += length;
        }
        Ok(text)
    }

    fn coded(&self, code: &[char]) -> Outcome<char> {
        let digits: String = code.iter().collect();
        let number = digits.chars().all(|digit| digit.is_ascii_hexdigit()).then(|| u32::from_str_radix(&digits, 16));
        match number.and_then(Result::ok).and_then(char::from_u32) {
            Some(character) => Ok(character),
            None => self.fail(Kind::Value, format!("`{digits}` is no character's number")),
        }
    }
}
