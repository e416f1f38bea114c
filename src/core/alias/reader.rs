//! From StackStorm's notation to the dialect of the `regex` crate, character by character.
//!
//! White space becomes "some white space", a parameter an alternative of a quoted text, a `{...}` and the shortest text that does; an
//! optional one takes the white space before it along. Python's regular expressions pass, with what Rust writes or understands differently
//! put right.

use crate::core::alias::grammar::{FormatError, MOST_PARAMETERS};
use crate::core::alias::outline::Sketch;
use crate::core::alias::pairs::QUOTES;
use std::iter::Peekable;
use std::vec::IntoIter;

/// A name and where its value may have been captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) name: String,
    pub(crate) default: Option<String>,
    /// Group numbers, alternatives of each other.
    pub(crate) groups: std::ops::Range<usize>,
    /// A group of the format's own: its capture is taken as it is.
    pub(crate) own: bool,
}

/// Reads a format, and holds what was read of it.
pub(crate) struct Reader {
    rest: Peekable<IntoIter<char>>,
    pub(crate) out: String,
    pub(crate) slots: Vec<Slot>,
    groups: usize,
    pub(crate) sketch: Sketch,
    depth: usize,
    pub(crate) hard: bool,
    pub(crate) light: bool,
    pub(crate) case_sensitive: bool,
    pub(crate) multiline: bool,
    /// The format says itself where a line begins, or ends; the anchors at its own ends are not counted.
    pub(crate) begins: bool,
    pub(crate) ends: bool,
}

impl Reader {
    pub(crate) fn new(text: &str) -> Self {
        // Anchors at the ends are implied; without them the words next to them can be seen as words.
        let mut text = text.trim();
        while let Some(shorter) = ["^", r"\A", r"\s*"].iter().find_map(|anchor| text.strip_prefix(anchor)) {
            // `\s*?` is one thing; so would be `^*`, which is an error anyway.
            if shorter.starts_with(['*', '+', '?', '{']) && !shorter.starts_with("{{") {
                break;
            }
            text = shorter;
        }
        while let Some(shorter) = ["$", r"\Z", r"\s*"].iter().find_map(|anchor| text.strip_suffix(anchor)) {
            if shorter.chars().rev().take_while(|character| *character == '\\').count() % 2 == 1 {
                break;
            }
            text = shorter;
        }
        Self {
            rest: text.trim().chars().collect::<Vec<_>>().into_iter().peekable(),
            out: String::new(),
            slots: Vec::new(),
            groups: 1,
            sketch: Sketch::default(),
            depth: 0,
            hard: false,
            light: true,
            case_sensitive: false,
            multiline: false,
            begins: false,
            ends: false,
        }
    }

    pub(crate) fn read(mut self) -> Result<Self, FormatError> {
        while let Some(character) = self.rest.next() {
            match character {
                white if white.is_whitespace() => self.white_space()?,
                '{' if self.rest.peek() == Some(&'{') => self.parameter("\\s*")?,
                '{' => self.brace(),
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.group()?,
                ')' => {
                    if self.depth == 0 {
                        return Err(FormatError::Expression("a `)` closes nothing".into()));
                    }
                    self.depth -= 1;
                    self.raw(")");
                    self.sketch.close();
                }
                '|' => {
                    self.raw("|");
                    self.sketch.alternative();
                }
                '^' => {
                    self.begins = true;
                    self.raw(r"^\s*");
                }
                '$' => {
                    self.ends = true;
                    self.raw(r"\s*$");
                }
                '?' => {
                    self.raw("?");
                    self.sketch.optional();
                    self.possessive();
                }
                '*' | '+' => {
                    self.raw(character.encode_utf8(&mut [0; 4]));
                    self.sketch.repeated(character == '*');
                    self.possessive();
                }
                '.' => {
                    self.raw(".");
                    self.sketch.expression();
                }
                other => self.literal(other),
            }
        }
        if self.depth > 0 {
            return Err(FormatError::Expression("a `(` is never closed".into()));
        }
        Ok(self)
    }

    /// Something of the expression language.
    fn raw(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// Something that may grow large when compiled, so that it has to be tried before it is promised to work.
    fn heavy(&mut self, text: &str) {
        self.light = false;
        self.out.push_str(text);
        self.sketch.expression();
    }

    /// A character that stands for itself.
    fn literal(&mut self, character: char) {
        self.out.push_str(&regex_syntax::escape(character.encode_utf8(&mut [0; 4])));
        self.sketch.character(character);
    }

    fn repeat_follows(&mut self) -> bool {
        match self.rest.peek() {
            Some('*' | '+' | '?') => true,
            Some('{') => self.counted_repeat().is_some(),
            _ => false,
        }
    }

    /// `{2}`, `{2,}`, `{,3}` or `{2,3}` ahead: what is written for it, and how many characters it takes.
    fn counted_repeat(&self) -> Option<(String, usize)> {
        let ahead: String = self.rest.clone().take(16).collect();
        let inside = ahead.strip_prefix('{')?.split_once('}')?.0;
        let (least, most) = inside.split_once(',').unwrap_or((inside, inside));
        let digits = |text: &str| text.chars().all(|character| character.is_ascii_digit());
        if !digits(least) || !digits(most) || (least.is_empty() && most.is_empty()) {
            return None;
        }
        let least = if least.is_empty() { "0" } else { least };
        let written = if inside.contains(',') { format!("{{{least},{most}}}") } else { format!("{{{least}}}") };
        Some((written, inside.len() + 2))
    }

    /// A single `{`: a repeat or, as Python has it, itself.
    fn brace(&mut self) {
        let mut whole = vec!['{'];
        whole.extend(self.rest.by_ref());
        self.rest = whole.into_iter().peekable();
        if let Some((written, length)) = self.counted_repeat() {
            self.rest.by_ref().take(length).for_each(drop);
            self.light = false;
            self.raw(&written);
            self.sketch.repeated(true);
            self.possessive();
        } else {
            self.rest.next();
            self.literal('{');
        }
    }

    /// A `+` behind a repeat: no way back into it.
    fn possessive(&mut self) {
        if self.rest.peek() == Some(&'+') {
            self.rest.next();
            self.raw("+");
            self.hard = true;
        }
    }

    fn white_space(&mut self) -> Result<(), FormatError> {
        while self.rest.peek().is_some_and(|character| character.is_whitespace()) {
            self.rest.next();
        }
        let mut ahead = self.rest.clone();
        match (ahead.next(), ahead.next()) {
            (Some('{'), Some('{')) => {
                self.rest.next();
                self.sketch.space();
                self.parameter("\\s+")
            }
            (Some(repeat @ ('*' | '+' | '?')), _) => {
                self.rest.next();
                self.sketch.space();
                // However many blanks the author counted, people type one or two.
                if repeat == '+' {
                    self.raw(r"\s+");
                } else {
                    self.raw(r"\s*");
                    self.sketch.optional();
                }
                self.possessive();
                Ok(())
            }
            _ => {
                self.out.push_str(r"\s+");
                self.sketch.space();
                Ok(())
            }
        }
    }

    /// `{{name}}` or `{{name = default}}`; its first brace is read.
    fn parameter(&mut self, before: &str) -> Result<(), FormatError> {
        self.rest.next();
        let mut inside = String::new();
        let mut depth = 0_usize;
        loop {
            match self.rest.next().ok_or(FormatError::Unclosed)? {
                '}' if depth == 0 => {
                    if self.rest.next() != Some('}') {
                        return Err(FormatError::Unclosed);
                    }
                    break;
                }
                other => {
                    depth = match other {
                        '{' => depth + 1,
                        '}' => depth - 1,
                        _ => depth,
                    };
                    inside.push(other);
                }
            }
        }
        let (name, default) = match inside.split_once('=') {
            Some((name, default)) => (name.trim(), Some(unquoted(default.trim()).to_owned())),
            None => (inside.trim(), None),
        };
        let start = self.groups;
        self.sketch.parameter(name, default.is_some());
        self.groups += QUOTES.len() + 2;
        let mut written = String::from(before);
        written.push_str("(?:");
        for (opening, closing) in QUOTES {
            written.push_str(&format!("{opening}([^{closing}]*){closing}|"));
        }
        written.push_str(r"(\{.+?\})|(\S.*?))");
        if default.is_some() {
            written = format!("(?:{written})?");
        }
        self.out.push_str(&written);
        self.slot(name, default, start..self.groups, false)?;
        if self.repeat_follows() {
            return Err(FormatError::Dialect(format!("`{name}` cannot be repeated; put it into a group")));
        }
        Ok(())
    }

    fn slot(
        &mut self,
        name: &str,
        default: Option<String>,
        groups: std::ops::Range<usize>,
        own: bool,
    ) -> Result<(), FormatError> {
        if name.is_empty() || !name.chars().all(|character| character.is_alphanumeric() || character == '_') {
            return Err(FormatError::Name(name.to_owned()));
        }
        if self.slots.iter().any(|slot| slot.name == name) {
            return Err(FormatError::Twice(name.to_owned()));
        }
        if self.slots.len() == MOST_PARAMETERS {
            return Err(FormatError::TooManyParameters);
        }
        self.slots.push(Slot { name: name.to_owned(), default, groups, own });
        Ok(())
    }

    fn escape(&mut self) -> Result<(), FormatError> {
        let character =
            self.rest.next().ok_or_else(|| FormatError::Expression("a backslash stands at the end".into()))?;
        match character {
            's' => {
                self.raw(r"\s");
                self.sketch.space();
            }
            'b' | 'B' => self.raw(&format!("\\{character}")),
            'd' | 'D' | 'S' | 'w' | 'W' | 'n' | 'r' | 't' | 'f' | 'v' | 'a' => {
                self.heavy(&format!("\\{character}"));
            }
            'x' | 'u' | 'U' => self.code(character)?,
            'A' => {
                self.begins = true;
                self.raw(r"\A\s*");
            }
            'Z' => {
                self.ends = true;
                self.raw(r"\s*\z");
            }
            '1'..='9' => {
                return Err(FormatError::Dialect(format!(
                    "`\\{character}` counts groups that are not yours alone; name the group and write `(?P=name)`"
                )));
            }
            letter if letter.is_ascii_alphanumeric() => {
                return Err(FormatError::Dialect(format!("there is no escape `\\{letter}`")));
            }
            other => self.literal(other),
        }
        Ok(())
    }

    /// `\x41`, `\u0041`, `\U00000041`
    fn code(&mut self, kind: char) -> Result<(), FormatError> {
        let digits: String = self
            .rest
            .by_ref()
            .take(match kind {
                'x' => 2,
                'u' => 4,
                _ => 8,
            })
            .collect();
        let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
        let code = code.ok_or_else(|| FormatError::Dialect(format!("`\\{kind}{digits}` is no character")))?;
        self.literal(code);
        Ok(())
    }

    /// `[...]`, where Rust gives a meaning to `[`, `&&`, `--` and `~~` that Python does not.
    fn class(&mut self) -> Result<(), FormatError> {
        let mut written = String::from("[");
        if self.rest.peek() == Some(&'^') {
            self.rest.next();
            written.push('^');
        }
        let mut first = true;
        loop {
            let character = self.rest.next().ok_or_else(|| FormatError::Expression("a `[` is never closed".into()))?;
            match character {
                ']' if !first => break,
                '\\' => {
                    let escaped = self
                        .rest
                        .next()
                        .ok_or_else(|| FormatError::Expression("a backslash stands at the end".into()))?;
                    match escaped {
                        'b' => written.push_str(r"\x08"),
                        '0' => written.push_str(r"\x00"),
                        'd' | 'D' | 's' | 'S' | 'w' | 'W' | 'n' | 'r' | 't' | 'f' | 'v' | 'a' | 'x' | 'u' | 'U' => {
                            written.push('\\');
                            written.push(escaped);
                        }
                        letter if letter.is_ascii_alphanumeric() => {
                            return Err(FormatError::Dialect(format!("there is no escape `\\{letter}`")));
                        }
                        other => written.push_str(&in_class(other)),
                    }
                }
                '-' => written.push('-'),
                other => written.push_str(&in_class(other)),
            }
            first = false;
        }
        // A dash that is not between two characters is itself; two in a row would be a set operation.
        let mut written = written.replace("--", r"\--");
        written.push(']');
        self.heavy(&written);
        Ok(())
    }

    fn open(&mut self, written: &str, closed: bool) {
        self.raw(written);
        self.sketch.open(closed);
        self.depth += 1;
    }

    fn group(&mut self) -> Result<(), FormatError> {
        if self.rest.peek() != Some(&'?') {
            // Nobody asks for its text.
            self.open("(?:", false);
            return Ok(());
        }
        self.rest.next();
        let ahead: String = self.rest.clone().take(2).collect();
        let opening = match ahead.as_str() {
            "<=" | "<!" => &ahead[..],
            _ => &ahead[..ahead.chars().next().map_or(0, char::len_utf8)],
        };
        match opening {
            ":" => {
                self.rest.next();
                self.open("(?:", false);
            }
            "=" | "!" | ">" | "<=" | "<!" => {
                self.hard = true;
                self.rest.by_ref().take(opening.len()).for_each(drop);
                self.open(&format!("(?{opening}"), true);
            }
            "#" => {
                while self.rest.next().ok_or_else(|| FormatError::Expression("a comment is never closed".into()))?
                    != ')'
                {}
            }
            "P" | "<" => self.named_group()?,
            _ => self.switches()?,
        }
        Ok(())
    }

    fn until(&mut self, end: char) -> Result<String, FormatError> {
        let mut text = String::new();
        loop {
            match self.rest.next() {
                None => return Err(FormatError::Expression(format!("`{end}` is missing behind `{text}`"))),
                Some(character) if character == end => return Ok(text),
                Some(character) => text.push(character),
            }
        }
    }

    fn named_group(&mut self) -> Result<(), FormatError> {
        if self.rest.peek() == Some(&'P') {
            self.rest.next();
        }
        match self.rest.next() {
            Some('<') => {
                let name = self.until('>')?;
                self.open(&format!("(?P<{name}>"), false);
                let group = self.groups;
                self.groups += 1;
                self.slot(&name, None, group..group + 1, true)
            }
            Some('=') => {
                let name = self.until(')')?;
                self.hard = true;
                self.raw(&format!("(?P={name})"));
                self.sketch.expression();
                Ok(())
            }
            _ => Err(FormatError::Dialect("`(?P` begins neither `(?P<name>...)` nor `(?P=name)`".into())),
        }
    }

    /// `(?i)` for the whole format wherever it stands, `(?i:...)` for a part of it.
    fn switches(&mut self) -> Result<(), FormatError> {
        let mut letters = String::new();
        loop {
            match self.rest.next() {
                Some(end @ (')' | ':')) => {
                    let (on, off) = letters.split_once('-').unwrap_or((&letters, ""));
                    if let Some(other) = on.chars().chain(off.chars()).find(|letter| !"isum".contains(*letter)) {
                        return Err(FormatError::Dialect(format!(
                            "`(?{letters}{end}`: `{other}` is not supported here"
                        )));
                    }
                    if end == ')' {
                        self.case_sensitive = off.contains('i');
                        self.multiline |= on.contains('m');
                    } else {
                        self.open(&format!("(?{}:", letters.replace('u', "")), false);
                    }
                    return Ok(());
                }
                Some(letter) if letter.is_ascii_alphabetic() || letter == '-' => letters.push(letter),
                other => {
                    let other = other.map(String::from).unwrap_or_default();
                    return Err(FormatError::Dialect(format!("`(?{letters}{other}` is not supported here")));
                }
            }
        }
    }
}

/// A character as itself in a class.
fn in_class(character: char) -> String {
    match character {
        '[' | ']' | '&' | '~' | '^' | '-' | '\\' => format!("\\{character}"),
        other => other.to_string(),
    }
}

/// A default without the quotes around it.
fn unquoted(text: &str) -> &str {
    QUOTES
        .iter()
        .find_map(|(opening, closing)| {
            let inside = text.strip_prefix(*opening)?.strip_suffix(*closing)?;
            (!inside.contains(*closing)).then_some(inside)
        })
        .unwrap_or(text)
}
