//! One format, from StackStorm's notation to an expression that runs in time linear in the line.
//!
//! A format is text, parameters `{{name}}` and `{{name = default}}`, and otherwise a Python regular expression. It is read once, character
//! by character, and written down again in the dialect of the `regex` crate: white space becomes "some white space", a parameter becomes an
//! alternative of a quoted text, a `{...}` and the shortest text that does, an optional one takes the white space before it along. The
//! whole is anchored at both ends. Look-around, back references and possessive repeats go to an engine that counts its steps.

use crate::core::alias::outline::{Outline, Sketch};
use crate::core::alias::pairs::{QUOTES, Tail};
use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::sync::OnceLock;
use std::vec::IntoIter;

/// The most characters that a format may have.
pub const LONGEST_FORMAT: usize = 4_000;

/// The most parameters that a format may have, its own named groups included.
pub const MOST_PARAMETERS: usize = 32;

/// Steps that a format outside the linear engine may take on one line.
pub const MOST_STEPS: usize = 100_000;

/// Bytes that a compiled expression may take.
const LARGEST_EXPRESSION: usize = 4 << 20;

/// Why a format cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Longer than [`LONGEST_FORMAT`].
    #[error("the format has more than {LONGEST_FORMAT} characters")]
    TooLong,
    /// More than [`MOST_PARAMETERS`].
    #[error("the format has more than {MOST_PARAMETERS} parameters")]
    TooManyParameters,
    /// `{{` without its end.
    #[error("`{{{{` has no matching `}}}}`")]
    Unclosed,
    /// Not a name that a parameter can have.
    #[error("`{0}` is no parameter name: letters, digits and `_` only")]
    Name(String),
    /// Two captures of one name.
    #[error("`{0}` stands in the format twice")]
    Twice(String),
    /// Something of Python's expressions that is not taken over.
    #[error("{0}")]
    Dialect(String),
    /// The expression is malformed or too large.
    #[error("not a regular expression: {0}")]
    Expression(String),
}

/// The engine gave up: the format needs look-around and took more than [`MOST_STEPS`] on this line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the format took more than {MOST_STEPS} steps on this line")]
pub struct Exhausted;

/// A compiled format.
#[derive(Debug)]
pub struct Format {
    expression: String,
    engine: Engine,
    slots: Vec<Slot>,
    outlines: Vec<Outline>,
}

/// What a line says when read by a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Captures, defaults of what was not captured, and the pairs at the end, which win over both.
    pub parameters: BTreeMap<String, String>,
    /// Those of them that are the format's own defaults.
    pub defaulted: BTreeSet<String>,
    /// Characters of the line that the format says literally, white space aside.
    pub literal_length: usize,
    /// The format has no parameters: the line stands in it word by word.
    pub exact: bool,
}

#[derive(Debug)]
enum Engine {
    /// Words, parameters and groups of them. Such an expression compiles when its syntax is right, so that is put off until a line needs
    /// it: a large site has thousands of formats and uses dozens.
    Light(OnceLock<Option<regex::Regex>>),
    Linear(regex::Regex),
    Counting(Box<fancy_regex::Regex>),
}

/// A name and where its value may have been captured.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot {
    name: String,
    default: Option<String>,
    /// Group numbers, alternatives of each other.
    groups: std::ops::Range<usize>,
    /// A group of the format's own: its capture is taken as it is.
    own: bool,
}

impl Format {
    /// Reads and compiles a format.
    ///
    /// # Errors
    /// What is wrong with it; see [`FormatError`].
    pub fn compile(text: &str) -> Result<Self, FormatError> {
        if text.chars().count() > LONGEST_FORMAT {
            return Err(FormatError::TooLong);
        }
        let read = Reader::new(text).read()?;
        let switches = if read.case_sensitive { "(?s)" } else { "(?si)" };
        let multiline = if read.multiline { "(?m)" } else { "" };
        let expression = format!(r"{switches}\A\s*(?:{multiline}{})\s*\z", read.out);
        let engine = if read.hard {
            let mut builder = fancy_regex::RegexBuilder::new(&expression);
            builder.backtrack_limit(MOST_STEPS);
            Engine::Counting(Box::new(builder.build().map_err(|error| FormatError::Expression(one_line(&error)))?))
        } else if read.light {
            let syntax = regex_syntax::ast::parse::Parser::new().parse(&expression);
            syntax.map_err(|error| FormatError::Expression(one_line(&error)))?;
            Engine::Light(OnceLock::new())
        } else {
            Engine::Linear(linear(&expression).map_err(|error| FormatError::Expression(one_line(&error)))?)
        };
        Ok(Self { expression, engine, slots: read.slots, outlines: read.sketch.finish() })
    }

    /// Whether matching takes time linear in the line. If not, it takes at most [`MOST_STEPS`].
    pub fn is_linear(&self) -> bool {
        !matches!(self.engine, Engine::Counting(_))
    }

    /// The expression that is matched, for people who debug formats.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// Names of parameters and of the format's own groups, in order.
    pub fn parameter_names(&self) -> impl Iterator<Item = &str> {
        self.slots.iter().map(|slot| slot.name.as_str())
    }

    pub(crate) fn outlines(&self) -> &[Outline] {
        &self.outlines
    }

    /// Reads a line. `known` holds the parameter names of the action: a pair at the end of the line counts when its key is one of them, or
    /// when the format cannot match otherwise. Without it every pair counts, as in StackStorm.
    ///
    /// # Errors
    /// Only for formats that are not linear.
    pub fn read(&self, line: &str, known: Option<&BTreeSet<String>>) -> Result<Option<Reading>, Exhausted> {
        self.read_with(line, &Tail::of(line), known)
    }

    /// As [`Self::read`], for a line whose pairs have been found.
    pub(crate) fn read_with(
        &self,
        line: &str,
        tail: &Tail,
        known: Option<&BTreeSet<String>>,
    ) -> Result<Option<Reading>, Exhausted> {
        let all = tail.pairs.len();
        let surely = known.map_or(all, |known| tail.known(|key| known.contains(key)));
        let mut tries = vec![surely];
        if all != surely {
            tries.push(all);
        }
        if surely != 0 {
            tries.push(0);
        }
        for cut in tries {
            let pairs = &tail.pairs[all - cut..];
            let head = pairs.first().map_or(line, |first| &line[..first.start]);
            if let Some(mut reading) = self.read_head(head)? {
                for pair in pairs {
                    reading.defaulted.remove(&pair.key);
                    reading.parameters.insert(pair.key.clone(), pair.value.clone());
                }
                return Ok(Some(reading));
            }
        }
        Ok(None)
    }

    fn read_head(&self, head: &str) -> Result<Option<Reading>, Exhausted> {
        // Formats count on white space around the line: `foo .*` matches `foo`.
        let padded = format!(" {} ", head.trim());
        let Some(captured) = self.captures(&padded)? else { return Ok(None) };
        let mut reading = Reading {
            parameters: BTreeMap::new(),
            defaulted: BTreeSet::new(),
            literal_length: solid(&padded),
            exact: self.slots.is_empty(),
        };
        for slot in &self.slots {
            let value = slot.groups.clone().find_map(|group| captured.get(group).copied().flatten());
            if let Some(value) = value {
                reading.literal_length = reading.literal_length.saturating_sub(solid(value));
                let value = if slot.own { value } else { value.trim_end() };
                reading.parameters.insert(slot.name.clone(), value.to_owned());
            } else if let Some(default) = &slot.default {
                reading.parameters.insert(slot.name.clone(), default.clone());
                reading.defaulted.insert(slot.name.clone());
            }
        }
        Ok(Some(reading))
    }

    /// The text of each group, or nothing when the line does not match.
    fn captures<'l>(&self, padded: &'l str) -> Result<Option<Vec<Option<&'l str>>>, Exhausted> {
        let expression = match &self.engine {
            Engine::Counting(expression) => {
                let captures = expression.captures(padded).map_err(|_| Exhausted)?;
                return Ok(captures.map(|captures| {
                    (0..captures.len()).map(|group| captures.get(group).map(|found| found.as_str())).collect()
                }));
            }
            Engine::Linear(expression) => expression,
            Engine::Light(cell) => match cell.get_or_init(|| linear(&self.expression).ok()) {
                Some(expression) => expression,
                None => return Ok(None),
            },
        };
        if self.slots.is_empty() {
            return Ok(expression.is_match(padded).then(Vec::new));
        }
        let captures = expression.captures(padded);
        Ok(captures.map(|captures| captures.iter().map(|found| found.map(|found| found.as_str())).collect()))
    }
}

fn linear(expression: &str) -> Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(expression).size_limit(LARGEST_EXPRESSION).build()
}

fn solid(text: &str) -> usize {
    text.chars().filter(|character| !character.is_whitespace()).count()
}

/// The last line of the engine's message says what is wrong, the others draw the expression, which is not what the author wrote.
fn one_line(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let last = text.lines().next_back().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// Reads a format.
struct Reader {
    rest: Peekable<IntoIter<char>>,
    out: String,
    slots: Vec<Slot>,
    groups: usize,
    sketch: Sketch,
    depth: usize,
    hard: bool,
    light: bool,
    case_sensitive: bool,
    multiline: bool,
}

impl Reader {
    fn new(text: &str) -> Self {
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
        }
    }

    fn read(mut self) -> Result<Self, FormatError> {
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
                '^' => self.raw(r"^\s*"),
                '$' => self.raw(r"\s*$"),
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
            'A' => self.raw(r"\A\s*"),
            'Z' => self.raw(r"\s*\z"),
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
